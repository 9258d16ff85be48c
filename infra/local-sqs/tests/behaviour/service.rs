//! The server under test, and what every test needs to talk to it.

use std::collections::HashMap;
use std::env::var_os;
use std::fmt::Debug;
use std::future::{Future, pending};
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::change_message_visibility::{
    ChangeMessageVisibilityError, ChangeMessageVisibilityOutput,
};
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::operation::set_queue_attributes::{
    SetQueueAttributesError, SetQueueAttributesOutput,
};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    ListMessageMoveTasksResultEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    MessageSystemAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_sdk_sqs::{Client, Config};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::DEPARTURES;

pub(crate) const MEBIBYTE: usize = 1_048_576;

/// The server to ask, unless it is known to depart from AWS in the test this is in.
macro_rules! service {
    () => {{
        fn here() {}
        $crate::service::Service::for_test(std::any::type_name_of_val(&here)).await
    }};
}
pub(crate) use service;

pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    prefix: String,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) visible: u32,
    pub(crate) in_flight: u32,
    pub(crate) delayed: u32,
}

impl Service {
    /// `here` is the path of a function inside the test.
    pub(crate) async fn for_test(here: &str) -> Option<Self> {
        let test = here.split("::").take_while(|part| *part != "{{closure}}").last().unwrap();
        let endpoint = match variable("SQS_ENDPOINT") {
            Some(endpoint) => {
                let implementation = variable("SQS_IMPLEMENTATION");
                let name = implementation.as_deref().unwrap_or_default();
                for (implementations, tests, documented) in DEPARTURES {
                    if implementations.contains(&name) && tests.contains(&test) {
                        eprintln!("not asked of {name}: {documented}");
                        return None;
                    }
                }
                endpoint
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                tokio::spawn(local_sqs::serve(listener, local_sqs::Sqs::memory(), pending()));
                format!("http://{address}")
            }
        };
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled())
            .endpoint_url(&endpoint)
            .build();
        let prefix = uuid::Uuid::new_v4().simple().to_string();
        Some(Self { client: Client::from_conf(config), endpoint, prefix })
    }

    /// A name that no other test uses.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.prefix)
    }

    /// The URL of a new queue.
    pub(crate) async fn queue(&self, attributes: &[(&str, &str)]) -> String {
        let name = self.name(&uuid::Uuid::new_v4().simple().to_string());
        let create = self.client.create_queue().queue_name(name);
        let create = create.set_attributes(Some(queue_attributes(attributes)));
        create.send().await.unwrap().queue_url.unwrap()
    }

    pub(crate) async fn attributes(&self, url: &str, names: &[&str]) -> HashMap<String, String> {
        let names = names.iter().map(|name| (*name).into()).collect();
        let get = self.client.get_queue_attributes().queue_url(url);
        let got = get.set_attribute_names(Some(names)).send().await.unwrap();
        let attributes = got.attributes.unwrap_or_default().into_iter();
        attributes.map(|(name, value)| (name.to_string(), value)).collect()
    }

    pub(crate) async fn attribute(&self, url: &str, name: &str) -> String {
        self.attributes(url, &[name]).await.remove(name).unwrap()
    }

    pub(crate) async fn arn(&self, url: &str) -> String {
        self.attribute(url, "QueueArn").await
    }

    pub(crate) fn set(
        &self,
        url: &str,
        name: &str,
        value: &str,
    ) -> impl Future<Output = Result<SetQueueAttributesOutput, SdkError<SetQueueAttributesError>>> + use<>
    {
        self.client.set_queue_attributes().queue_url(url).attributes(name.into(), value).send()
    }

    pub(crate) async fn counts(&self, url: &str) -> Counts {
        let attributes = self.attributes(url, &["All"]).await;
        let count =
            |kind: &str| attributes[&format!("ApproximateNumberOfMessages{kind}")].parse().unwrap();
        Counts { visible: count(""), in_flight: count("NotVisible"), delayed: count("Delayed") }
    }

    pub(crate) fn message(&self, url: &str, body: &str) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(url).message_body(body)
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> SendMessageOutput {
        self.message(url, body).send().await.unwrap()
    }

    /// What can be received, with all attributes.
    pub(crate) async fn receive(&self, url: &str) -> Vec<Message> {
        self.everything(url).send().await.unwrap().messages.unwrap_or_default()
    }

    /// The same, leaving it visible.
    pub(crate) async fn receive_and_release(&self, url: &str) -> Vec<Message> {
        let receive = self.everything(url).visibility_timeout(0).send();
        receive.await.unwrap().messages.unwrap_or_default()
    }

    /// The same, after at most that many seconds.
    pub(crate) async fn wait(&self, url: &str, seconds: i32) -> Vec<Message> {
        let receive = self.everything(url).wait_time_seconds(seconds).send();
        receive.await.unwrap().messages.unwrap_or_default()
    }

    pub(crate) async fn receive_one(&self, url: &str) -> Message {
        only(self.everything(url).max_number_of_messages(1).send().await.unwrap())
    }

    pub(crate) fn everything(&self, url: &str) -> ReceiveMessageFluentBuilder {
        self.client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
    }

    pub(crate) async fn delete(&self, url: &str, message: &Message) {
        let handle = message.receipt_handle().unwrap();
        let delete = self.client.delete_message().queue_url(url).receipt_handle(handle);
        delete.send().await.unwrap();
    }

    pub(crate) fn hide(
        &self,
        url: &str,
        message: &Message,
        seconds: i32,
    ) -> impl Future<
        Output = Result<ChangeMessageVisibilityOutput, SdkError<ChangeMessageVisibilityError>>,
    > + use<> {
        let handle = message.receipt_handle().unwrap();
        let change = self.client.change_message_visibility().queue_url(url).receipt_handle(handle);
        change.visibility_timeout(seconds).send()
    }

    /// A queue and the queue that its messages go to after so many receives.
    pub(crate) async fn dead_letter_pair(&self, max_receive_count: u32) -> (String, String) {
        let dead = self.queue(&[]).await;
        let policy = redrive_policy(&self.arn(&dead).await, max_receive_count);
        (self.queue(&[("RedrivePolicy", &policy)]).await, dead)
    }

    /// Sends messages to a queue that moves them at the second receive, and has them moved.
    pub(crate) async fn dead_letter(&self, source: &str, bodies: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for body in bodies {
            ids.push(self.send(source, body).await.message_id.unwrap());
        }
        assert_eq!(self.receive_and_release(source).await.len(), bodies.len());
        assert!(self.receive(source).await.is_empty());
        ids
    }

    pub(crate) async fn moves(
        &self,
        source_arn: &str,
        most: i32,
    ) -> Vec<ListMessageMoveTasksResultEntry> {
        let list = self.client.list_message_move_tasks().source_arn(source_arn);
        list.max_results(most).send().await.unwrap().results.unwrap_or_default()
    }

    /// The latest move task, once it has ended.
    pub(crate) async fn finished_move(&self, source_arn: &str) -> ListMessageMoveTasksResultEntry {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let task = self.moves(source_arn, 1).await.remove(0);
            if !matches!(task.status(), Some("RUNNING" | "CANCELLING")) {
                return task;
            }
            assert!(Instant::now() < deadline, "the task does not end: {task:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The error of a request that must be refused.
pub(crate) async fn refused<T: Debug, E: Debug>(
    request: impl Future<Output = Result<T, SdkError<E>>>,
) -> E {
    match request.await {
        Err(SdkError::ServiceError(error)) => error.into_err(),
        other => panic!("the request must be refused by the service: {other:?}"),
    }
}

/// Whether a policy was refused: AWS does not document which of the two codes it uses.
pub(crate) fn is_invalid(error: &SetQueueAttributesError) -> bool {
    matches!(error.code(), Some("InvalidAttributeValue" | "InvalidParameterValue"))
}

fn variable(name: &str) -> Option<String> {
    var_os(name).map(|value| value.into_string().expect("the variable is text"))
}

pub(crate) fn queue_attributes(attributes: &[(&str, &str)]) -> HashMap<QueueAttributeName, String> {
    attributes.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect()
}

pub(crate) fn strings(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn redrive_policy(arn: &str, max_receive_count: u32) -> String {
    format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receive_count}}}"#)
}

pub(crate) fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type(data_type).string_value(value);
    value.build().unwrap()
}

pub(crate) fn bytes(data_type: &str, value: &[u8]) -> MessageAttributeValue {
    let value =
        MessageAttributeValue::builder().data_type(data_type).binary_value(Blob::new(value));
    value.build().unwrap()
}

pub(crate) const TRACE_HEADER: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

pub(crate) fn trace() -> MessageSystemAttributeValue {
    let value = MessageSystemAttributeValue::builder().data_type("String");
    value.string_value(TRACE_HEADER).build().unwrap()
}

pub(crate) fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

pub(crate) fn visibility(
    id: &str,
    handle: &str,
    timeout: i32,
) -> ChangeMessageVisibilityBatchRequestEntry {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
    entry.visibility_timeout(timeout).build().unwrap()
}

pub(crate) fn failures(failed: &[BatchResultErrorEntry]) -> Vec<(&str, &str)> {
    assert!(failed.iter().all(|entry| entry.sender_fault()));
    failed.iter().map(|entry| (entry.id(), entry.code())).collect()
}

pub(crate) fn only(received: ReceiveMessageOutput) -> Message {
    let mut messages = received.messages.unwrap_or_default();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

pub(crate) fn only_body(messages: &[Message]) -> &str {
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages[0].body().unwrap()
}

pub(crate) fn system<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.attributes()?.get(&name.into()).map(String::as_str)
}

pub(crate) fn millis_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
