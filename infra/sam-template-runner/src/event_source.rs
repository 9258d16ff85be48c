//! The event source mapping of Lambda: queues that invoke functions.
//!
//! Reads a queue through SQS's own API, invokes the function with batches of its messages, and
//! deletes those that were handled. The rest become visible again when their visibility timeout
//! ends; the queue's redrive policy decides how often.
//!
//! The rules are those of "Using Lambda with Amazon SQS" in the AWS Lambda Developer Guide, in
//! particular "Implementing partial batch responses".

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
};
use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::deployment::{EventSource, Queue, REGION};
use crate::lambda::{self, MAX_EVENT};

/// Reads the queue of one event source and invokes its function.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    pub(crate) source: EventSource,
    pub(crate) queue: Queue,
    pub(crate) function: lambda::Function,
    pub(crate) client: Client,
    /// The most environments the function may have.
    pub(crate) concurrency: usize,
}

impl Poller {
    /// Polls until `stopped`, then waits for the batches under way.
    pub(crate) async fn run(self, stopped: impl Future<Output = ()>) {
        let limit = self.source.maximum_concurrency.unwrap_or(usize::MAX).min(self.concurrency);
        let free = Arc::new(Semaphore::new(limit.max(1)));
        let mut batches = JoinSet::new();
        let poller = Arc::new(self);
        let polling = async {
            // Never closed, so it only ends with the stop.
            while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
                while batches.try_join_next().is_some() {}
                let messages = poller.batch().await;
                let poller = Arc::clone(&poller);
                batches.spawn(async move {
                    for messages in split(messages) {
                        poller.deliver(&messages).await;
                    }
                    drop(permit);
                });
            }
        };
        tokio::select! {
            () = stopped => {}
            () = polling => {}
        }
        while batches.join_next().await.is_some() {}
    }

    /// Waits for messages, and then as long as the batch may take to fill.
    async fn batch(&self) -> Vec<Message> {
        let mut batch = loop {
            let messages = self.receive(self.source.batch_size, MAX_WAIT).await;
            if !messages.is_empty() {
                break messages;
            }
        };
        let full = Instant::now() + self.source.batching_window;
        let mut bytes = size(&batch);
        while batch.len() < self.source.batch_size && bytes < MAX_EVENT {
            let left = full.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let room = self.source.batch_size - batch.len();
            let messages = self.receive(room, left.min(MAX_WAIT)).await;
            bytes += size(&messages);
            batch.extend(messages);
        }
        batch
    }

    async fn receive(&self, at_most: usize, wait: Duration) -> Vec<Message> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(i32::try_from(at_most.min(10)).unwrap_or(10))
            .wait_time_seconds(whole_seconds(wait))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        match request.send().await {
            Ok(received) => received.messages.unwrap_or_default(),
            Err(error) => {
                let error = DisplayErrorContext(error);
                self.function.notice(format!("failed to read {}: {error}", self.source.queue));
                tokio::time::sleep(RETRY).await;
                Vec::new()
            }
        }
    }

    /// Invokes the function with one batch and deletes what it handled.
    async fn deliver(&self, messages: &[Message]) {
        let records = messages.iter().map(|message| record(message, &self.queue.arn));
        let event = json!({ "Records": records.collect::<Vec<_>>() }).to_string();
        // Why it failed is in the function's log already.
        let Ok(answer) = self.function.invoke(event.into()).await else {
            return;
        };
        let failed = if self.source.reports_batch_item_failures {
            failed_items(&answer, messages)
        } else {
            Ok(Vec::new())
        };
        let failed = match failed {
            Ok(failed) => failed,
            Err(problem) => {
                self.function
                    .notice(format!("{problem}: the whole batch of {} failed", messages.len()));
                return;
            }
        };
        if !failed.is_empty() {
            self.function.notice(format!("{} of {} messages failed", failed.len(), messages.len()));
        }
        let handled = messages
            .iter()
            .filter(|message| !failed.iter().any(|id| Some(id.as_str()) == message.message_id()));
        self.delete(&handled.collect::<Vec<_>>()).await;
    }

    async fn delete(&self, messages: &[&Message]) {
        for messages in messages.chunks(10) {
            let entries = messages.iter().enumerate().filter_map(|(index, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(message.receipt_handle()?)
                    .build()
                    .ok()
            });
            let request = self
                .client
                .delete_message_batch()
                .queue_url(&self.queue.url)
                .set_entries(Some(entries.collect()));
            let problem = match request.send().await {
                Ok(deleted) if deleted.failed().is_empty() => continue,
                Ok(deleted) => format!("{} of {}", deleted.failed().len(), messages.len()),
                Err(error) => DisplayErrorContext(error).to_string(),
            };
            self.function.notice(format!("failed to delete from {}: {problem}", self.source.queue));
        }
    }
}

/// The maximum wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The pause after a failed call.
const RETRY: Duration = Duration::from_secs(1);

/// A duration in whole seconds, as SQS requires. Rounded up, to avoid a busy loop in the last
/// second.
fn whole_seconds(wait: Duration) -> i32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// One record of the event, as Lambda delivers it.
fn record(message: &Message, queue_arn: &str) -> Value {
    let attributes = message.attributes.iter().flatten();
    let attributes = attributes.map(|(name, value)| (name.as_str().to_owned(), json!(value)));
    let message_attributes = message.message_attributes.iter().flatten();
    let message_attributes =
        message_attributes.map(|(name, value)| (name.clone(), message_attribute(value)));
    let mut record = json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes.collect::<Map<_, _>>(),
        "messageAttributes": message_attributes.collect::<Map<_, _>>(),
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    });
    if let Some(digest) = &message.md5_of_message_attributes {
        record["md5OfMessageAttributes"] = json!(digest);
    }
    record
}

fn message_attribute(value: &MessageAttributeValue) -> Value {
    let mut attribute = json!({
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.data_type,
    });
    if let Some(text) = &value.string_value {
        attribute["stringValue"] = json!(text);
    }
    if let Some(binary) = &value.binary_value {
        attribute["binaryValue"] = json!(BASE64.encode(binary));
    }
    attribute
}

/// Batches that each fit into one event, in the order of the messages.
fn split(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut batches: Vec<Vec<Message>> = Vec::new();
    let mut room = 0;
    for message in messages {
        let size = size(std::slice::from_ref(&message));
        match batches.last_mut() {
            Some(batch) if size <= room => {
                room -= size;
                batch.push(message);
            }
            _ => {
                room = MAX_EVENT.saturating_sub(size + EVENT_FRAME);
                batches.push(vec![message]);
            }
        }
    }
    batches
}

/// `{"Records":[]}`
const EVENT_FRAME: usize = 14;

/// The bytes that messages take in an event, with a comma each.
fn size(messages: &[Message]) -> usize {
    messages.iter().map(|message| record(message, "").to_string().len() + ARN_SPACE).sum()
}

/// The maximum length that the comma and the queue's ARN add to a record.
const ARN_SPACE: usize = 200;

/// The ids of the messages that failed according to the response, or why the whole batch failed.
///
/// A response that is empty or `null`, or has no failures, or `null` for them, is a success.
fn failed_items(answer: &Bytes, messages: &[Message]) -> Result<Vec<String>, String> {
    if answer.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let answer: Value = serde_json::from_slice(answer)
        .map_err(|error| format!("the batch response is no JSON ({error})"))?;
    let failures = match &answer {
        Value::Null => return Ok(Vec::new()),
        Value::Object(response) => response.get("batchItemFailures"),
        _ => return Err("the batch response is no object".to_owned()),
    };
    let failures = match failures {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(failures)) => failures,
        Some(_) => return Err("`batchItemFailures` is no list".to_owned()),
    };
    let mut failed = Vec::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            None | Some("") => {
                return Err("a batch item failure has no `itemIdentifier`".to_owned());
            }
            Some(id) if messages.iter().any(|message| message.message_id() == Some(id)) => {
                failed.push(id.to_owned());
            }
            Some(id) => return Err(format!("`{id}` is not a message of the batch")),
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::primitives::Blob;

    use super::*;

    #[test]
    fn a_record_has_what_lambda_delivers() {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value("one");
        let binary = MessageAttributeValue::builder().data_type("Binary");
        let binary = binary.binary_value(Blob::new([0xff, 0xfe]));
        let message = Message::builder()
            .message_id("id")
            .receipt_handle("handle")
            .body("{}")
            .md5_of_body("99914b932bd37a50b983c5e7c90ae93b")
            .md5_of_message_attributes("digest")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .attributes(MessageSystemAttributeName::MessageGroupId, "tenant")
            .message_attributes("product", attribute.build().unwrap())
            .message_attributes("raw", binary.build().unwrap())
            .build();

        assert_eq!(
            record(&message, "arn:aws:sqs:us-east-1:000000000000:Issues"),
            json!({
                "messageId": "id",
                "receiptHandle": "handle",
                "body": "{}",
                "attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": "tenant"},
                "messageAttributes": {
                    "product": {
                        "stringValue": "one",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "String",
                    },
                    "raw": {
                        "binaryValue": "//4=",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "Binary",
                    },
                },
                "md5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
                "md5OfMessageAttributes": "digest",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:Issues",
                "awsRegion": "us-east-1",
            })
        );
    }

    #[test]
    fn nothing_failed_if_the_response_names_nothing() {
        for response in
            ["", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#]
        {
            assert_eq!(failed(response), Ok(Vec::new()), "{response}");
        }
    }

    #[test]
    fn the_named_messages_failed() {
        let response = r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"}]}"#;

        assert_eq!(failed(response), Ok(vec!["b".to_owned(), "a".to_owned()]));
    }

    #[test]
    fn a_malformed_response_fails_the_whole_batch() {
        for response in [
            "{",
            "true",
            "[]",
            r#""a""#,
            r#"{"batchItemFailures":"a"}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"x"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"messageId":"b"}]}"#,
        ] {
            assert!(failed(response).is_err(), "{response}");
        }
    }

    #[test]
    fn a_batch_that_is_too_large_for_one_event_is_split() {
        let message = |size| Message::builder().message_id("id").body("\"".repeat(size)).build();
        // A quotation mark takes two bytes in JSON.
        let third = MAX_EVENT / 2 / 3;
        let messages = vec![message(third), message(third), message(third), message(10)];

        let batches = split(messages);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        for batch in batches {
            let records = batch.iter().map(|message| record(message, &"a".repeat(150)));
            let event = json!({ "Records": records.collect::<Vec<_>>() }).to_string();
            assert!(event.len() <= MAX_EVENT);
        }
    }

    #[test]
    fn waits_are_rounded_up_to_seconds() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(20)), 20);
    }

    fn failed(response: &'static str) -> Result<Vec<String>, String> {
        let messages = ["a", "b", "c"].map(|id| Message::builder().message_id(id).build());
        failed_items(&Bytes::from_static(response.as_bytes()), &messages)
    }
}
