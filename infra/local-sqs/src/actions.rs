//! The actions of the API: what each takes, does and answers.
//!
//! Source: the Amazon SQS API Reference, in the AWS JSON 1.0 form.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::attributes::QueueAttributes;
use crate::error::Error;
use crate::message::{
    AttributeValue, MAXIMUM_SIZE, Message, NewMessage, ReceiptHandle, md5_of_attributes, within,
};
use crate::move_task::{MoveTask, Status, TaskHandle};
use crate::queue_url;
use crate::queues::{MAXIMUM_VISIBILITY_TIMEOUT, Queues};
use crate::timestamp::Timestamp;

/// An action that is done as soon as it is asked for.
pub(crate) trait Action: DeserializeOwned {
    /// What is answered.
    type Answer: Serialize;

    /// Does it.
    fn perform(self, queues: &mut Queues, call: &Call) -> Result<Self::Answer, Error>;
}

/// The circumstances of a request.
pub(crate) struct Call {
    /// The host, with port, by which the client reached the server.
    pub(crate) host: String,
    /// When it arrived.
    pub(crate) now: Timestamp,
}

/// The answer of actions that have nothing to say.
#[derive(Serialize)]
pub(crate) struct Done {}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateQueue {
    #[serde(default)]
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OneQueueUrl {
    queue_url: String,
}

impl Action for CreateQueue {
    type Answer = OneQueueUrl;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<OneQueueUrl, Error> {
        let name = required("QueueName", &self.queue_name)?;
        queues.create(name, &self.attributes, self.tags, call.now)?;
        Ok(OneQueueUrl { queue_url: queue_url(&call.host, name) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueUrl {
    #[serde(default)]
    queue_name: String,
}

impl Action for GetQueueUrl {
    type Answer = OneQueueUrl;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<OneQueueUrl, Error> {
        let name = required("QueueName", &self.queue_name)?;
        queues.queue(name)?;
        Ok(OneQueueUrl { queue_url: queue_url(&call.host, name) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteQueue {
    #[serde(default)]
    queue_url: QueueUrl,
}

impl Action for DeleteQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<Done, Error> {
        queues.delete(self.queue_url.name()?)?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
    #[serde(flatten)]
    page: PageRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueueUrls {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Action for ListQueues {
    type Answer = QueueUrls;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<QueueUrls, Error> {
        let names = queues.names().filter(|name| name.starts_with(&self.queue_name_prefix));
        let (queue_urls, next_token) = self.page.take(names, call)?;
        Ok(QueueUrls { queue_urls, next_token })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListDeadLetterSourceQueues {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(flatten)]
    page: PageRequest,
}

#[derive(Serialize)]
pub(crate) struct SourceQueueUrls {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Action for ListDeadLetterSourceQueues {
    type Answer = SourceQueueUrls;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<SourceQueueUrls, Error> {
        let name = self.queue_url.name()?;
        queues.queue(name)?;
        let (queue_urls, next_token) = self.page.take(queues.dead_letter_sources(name), call)?;
        Ok(SourceQueueUrls { queue_urls, next_token })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueAttributes {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SomeQueueAttributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

impl Action for GetQueueAttributes {
    type Answer = SomeQueueAttributes;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<SomeQueueAttributes, Error> {
        let name = self.queue_url.name()?;
        let arn = queues.arn(name);
        let queue = queues.settled(name, call.now)?;
        let read_only = BTreeMap::from([
            ("QueueArn", arn),
            ("CreatedTimestamp", queue.created.seconds().to_string()),
            ("LastModifiedTimestamp", queue.modified.seconds().to_string()),
            ("ApproximateNumberOfMessages", queue.visible().to_string()),
            ("ApproximateNumberOfMessagesNotVisible", queue.in_flight().to_string()),
            ("ApproximateNumberOfMessagesDelayed", queue.delayed().to_string()),
        ]);
        let known = || QueueAttributes::names().chain(read_only.keys().copied());
        if let Some(unknown) =
            self.attribute_names.iter().find(|name| *name != "All" && known().all(|k| k != *name))
        {
            return Err(Error::InvalidAttributeName(unknown.clone()));
        }
        let wanted = |name: &str| self.attribute_names.iter().any(|n| n == "All" || n == name);
        let attributes = known().filter(|name| wanted(name)).filter_map(|name| {
            let value = read_only.get(name).cloned().or_else(|| queue.attributes.get(name))?;
            Some((name.to_owned(), value))
        });
        Ok(SomeQueueAttributes { attributes: attributes.collect() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetQueueAttributes {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

impl Action for SetQueueAttributes {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<Done, Error> {
        queues.set_attributes(self.queue_url.name()?, &self.attributes, call.now)?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagQueue {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Action for TagQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<Done, Error> {
        queues.change_tags(self.queue_url.name()?, |tags| tags.extend(self.tags))?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UntagQueue {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    tag_keys: Vec<String>,
}

impl Action for UntagQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<Done, Error> {
        queues.change_tags(self.queue_url.name()?, |tags| {
            tags.retain(|key, _| !self.tag_keys.contains(key));
        })?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueueTags {
    #[serde(default)]
    queue_url: QueueUrl,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueueTags {
    tags: BTreeMap<String, String>,
}

impl Action for ListQueueTags {
    type Answer = QueueTags;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<QueueTags, Error> {
        Ok(QueueTags { tags: queues.queue(self.queue_url.name()?)?.tags.clone() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PurgeQueue {
    #[serde(default)]
    queue_url: QueueUrl,
}

impl Action for PurgeQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<Done, Error> {
        queues.purge(self.queue_url.name()?, call.now)?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendMessage {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(flatten)]
    message: NewMessage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SentMessage {
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_system_attributes: Option<String>,
}

impl From<&Message> for SentMessage {
    fn from(message: &Message) -> Self {
        let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value));
        Self {
            message_id: message.id.to_string(),
            md5_of_message_body: message.md5_of_body(),
            md5_of_message_attributes: md5_of_attributes(attributes),
            md5_of_message_system_attributes: message.md5_of_system_attributes(),
        }
    }
}

impl Action for SendMessage {
    type Answer = SentMessage;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<SentMessage, Error> {
        queues.send(self.queue_url.name()?, self.message, call.now).map(SentMessage::from)
    }
}

pub(crate) type SendMessageBatch = Batch<NewMessage>;

impl Action for SendMessageBatch {
    type Answer = BatchAnswer<SentMessage>;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<Self::Answer, Error> {
        let name = self.check(queues)?;
        let size = self.entries.iter().map(|entry| entry.item.size()).sum();
        if size > MAXIMUM_SIZE {
            return Err(Error::BatchRequestTooLong(size));
        }
        Ok(self.each(|message| queues.send(&name, message, call.now).map(SentMessage::from)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteMessage {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(flatten)]
    deletion: Deletion,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Deletion {
    #[serde(default)]
    receipt_handle: String,
}

impl Action for DeleteMessage {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<Done, Error> {
        queues.delete_message(self.queue_url.name()?, &self.deletion.receipt_handle)?;
        Ok(Done {})
    }
}

pub(crate) type DeleteMessageBatch = Batch<Deletion>;

impl Action for DeleteMessageBatch {
    type Answer = BatchAnswer<Done>;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<Self::Answer, Error> {
        let name = self.check(queues)?;
        Ok(self.each(|deletion| {
            queues.delete_message(&name, &deletion.receipt_handle).map(|()| Done {})
        }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeMessageVisibility {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(flatten)]
    change: VisibilityChange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VisibilityChange {
    #[serde(default)]
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

impl VisibilityChange {
    fn perform(self, queues: &mut Queues, name: &str, now: Timestamp) -> Result<Done, Error> {
        queues.change_visibility(name, &self.receipt_handle, self.visibility_timeout, now)?;
        Ok(Done {})
    }
}

impl Action for ChangeMessageVisibility {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<Done, Error> {
        self.change.perform(queues, self.queue_url.name()?, call.now)
    }
}

pub(crate) type ChangeMessageVisibilityBatch = Batch<VisibilityChange>;

impl Action for ChangeMessageVisibilityBatch {
    type Answer = BatchAnswer<Done>;

    fn perform(self, queues: &mut Queues, call: &Call) -> Result<Self::Answer, Error> {
        let name = self.check(queues)?;
        Ok(self.each(|change| change.perform(queues, &name, call.now)))
    }
}

/// Not an [`Action`], because it may have to wait.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceiveMessage {
    #[serde(default)]
    queue_url: QueueUrl,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    /// The older name of the next one.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

/// A receive whose parameters are all in range.
pub(crate) struct Poll {
    pub(crate) queue: String,
    pub(crate) most: usize,
    pub(crate) visibility_timeout: Option<u32>,
    /// How long to wait for a message; zero for a short poll.
    pub(crate) wait: Duration,
    system_attributes: HashSet<String>,
    attributes: Vec<String>,
}

impl ReceiveMessage {
    /// Checks the parameters and fills in what the queue decides.
    pub(crate) fn poll(self, queues: &Queues) -> Result<Poll, Error> {
        let queue = self.queue_url.name()?;
        let queue_wait = queues.queue(queue)?.attributes.receive_message_wait_time_seconds();
        let most = within("MaxNumberOfMessages", self.max_number_of_messages.unwrap_or(1), 1, 10)?;
        let visibility_timeout = self
            .visibility_timeout
            .map(|timeout| within("VisibilityTimeout", timeout, 0, MAXIMUM_VISIBILITY_TIMEOUT));
        let wait = self.wait_time_seconds.unwrap_or(queue_wait.into());
        let wait = within("WaitTimeSeconds", wait, 0, 20)?;
        let names = self.attribute_names.into_iter().chain(self.message_system_attribute_names);
        let system_attributes: HashSet<_> = names.collect();
        if let Some(unknown) =
            system_attributes.iter().find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str()))
        {
            return Err(Error::InvalidAttributeName(unknown.clone()));
        }
        Ok(Poll {
            queue: queue.to_owned(),
            most: most as usize,
            visibility_timeout: visibility_timeout.transpose()?,
            wait: Duration::from_secs(wait.into()),
            system_attributes,
            attributes: self.message_attribute_names,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceivedMessages {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<ReceivedMessage>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceivedMessage {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<String, AttributeValue>,
}

impl Poll {
    /// The messages as the consumer asked to see them.
    pub(crate) fn answer(&self, messages: Vec<Message>) -> ReceivedMessages {
        ReceivedMessages {
            messages: messages.into_iter().map(|message| self.show(message)).collect(),
        }
    }

    fn show(&self, mut message: Message) -> ReceivedMessage {
        let handle = ReceiptHandle { message: message.id, receive: message.delivery.receives };
        message.attributes.retain(|name, _| self.wants(name));
        // The digest is that of the attributes shown, so that the consumer can check it.
        let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value));
        ReceivedMessage {
            message_id: message.id.to_string(),
            receipt_handle: handle.encode(&self.queue),
            md5_of_body: message.md5_of_body(),
            attributes: self.system_attributes(&message),
            md5_of_message_attributes: md5_of_attributes(attributes),
            message_attributes: message.attributes,
            body: message.body,
        }
    }

    fn wants(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => attribute.starts_with(prefix),
            None => matches!(wanted.as_str(), "All" | "*") || wanted == attribute,
        })
    }

    fn system_attributes(&self, message: &Message) -> BTreeMap<&'static str, String> {
        let wanted = |name: &str| ["All", name].iter().any(|n| self.system_attributes.contains(*n));
        let delivery = &message.delivery;
        let first_received = delivery.first_received_at.map(|at| at.millis().to_string());
        let trace_header = message.trace_header.as_ref().and_then(|v| v.string_value.clone());
        let all = [
            ("SenderId", Some(SENDER_ID.to_owned())),
            ("SentTimestamp", Some(message.sent_at.millis().to_string())),
            ("ApproximateReceiveCount", Some(delivery.receives.to_string())),
            ("ApproximateFirstReceiveTimestamp", first_received),
            ("MessageGroupId", message.group_id.clone()),
            ("AWSTraceHeader", trace_header),
            ("DeadLetterQueueSourceArn", message.dead_letter_source.clone()),
        ];
        all.into_iter()
            .filter(|(name, _)| wanted(name))
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartMessageMoveTask {
    #[serde(default)]
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartedMoveTask {
    task_handle: String,
}

impl From<&MoveTask> for StartedMoveTask {
    fn from(task: &MoveTask) -> Self {
        Self { task_handle: handle(task) }
    }
}

impl StartMessageMoveTask {
    /// Makes the task; moving the messages is left to the caller.
    pub(crate) fn start(self, queues: &mut Queues, now: Timestamp) -> Result<&MoveTask, Error> {
        let rate = self
            .max_number_of_messages_per_second
            .map(|rate| within("MaxNumberOfMessagesPerSecond", rate, 1, 500));
        let source = required("SourceArn", &self.source_arn)?;
        queues.start_move(source, self.destination_arn, rate.transpose()?, now)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMessageMoveTasks {
    #[serde(default)]
    source_arn: String,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MoveTasks {
    results: Vec<MoveTaskEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MoveTaskEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: usize,
    approximate_number_of_messages_to_move: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    started_timestamp: u64,
}

impl From<&MoveTask> for MoveTaskEntry {
    fn from(task: &MoveTask) -> Self {
        Self {
            // Only a running task can be cancelled, so only that one has a handle.
            task_handle: (task.status == Status::Running).then(|| handle(task)),
            status: task.status.name(),
            source_arn: task.source_arn.clone(),
            destination_arn: task.destination_arn.clone(),
            max_number_of_messages_per_second: task.messages_per_second,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: match task.status {
                Status::Failed(reason) => Some(reason),
                _ => None,
            },
            started_timestamp: task.started.millis(),
        }
    }
}

impl Action for ListMessageMoveTasks {
    type Answer = MoveTasks;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<MoveTasks, Error> {
        let most = within("MaxResults", self.max_results.unwrap_or(1), 1, 10)?;
        let source = required("SourceArn", &self.source_arn)?;
        queues
            .name_of(source)
            .ok_or(Error::ResourceNotFound("the queue that SourceArn names does not exist"))?;
        let tasks = queues.move_tasks(source).take(most as usize);
        Ok(MoveTasks { results: tasks.map(MoveTaskEntry::from).collect() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CancelMessageMoveTask {
    #[serde(default)]
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CancelledMoveTask {
    approximate_number_of_messages_moved: usize,
}

impl Action for CancelMessageMoveTask {
    type Answer = CancelledMoveTask;

    fn perform(self, queues: &mut Queues, _: &Call) -> Result<CancelledMoveTask, Error> {
        let moved = queues.cancel_move(required("TaskHandle", &self.task_handle)?)?;
        Ok(CancelledMoveTask { approximate_number_of_messages_moved: moved })
    }
}

/// Up to ten of the same, each with an id and an outcome of its own.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch<T> {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default = "Vec::new")]
    entries: Vec<Identified<T>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Identified<T> {
    id: String,
    #[serde(flatten)]
    item: T,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchAnswer<T> {
    successful: Vec<Identified<T>>,
    failed: Vec<Identified<Failure>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    sender_fault: bool,
    code: &'static str,
    message: String,
}

impl<T> Batch<T> {
    /// The name of the queue, if the batch as a whole is in order.
    fn check(&self, queues: &Queues) -> Result<String, Error> {
        let name = self.queue_url.name()?;
        queues.queue(name)?;
        match self.entries.len() {
            0 => return Err(Error::EmptyBatchRequest),
            1..=10 => {}
            more => return Err(Error::TooManyEntriesInBatchRequest(more)),
        }
        let mut seen = HashSet::new();
        for Identified { id, .. } in &self.entries {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if !(1..=80).contains(&id.len()) || !id.bytes().all(allowed) {
                return Err(Error::InvalidBatchEntryId);
            }
            if !seen.insert(id) {
                return Err(Error::BatchEntryIdsNotDistinct(id.clone()));
            }
        }
        Ok(name.to_owned())
    }

    fn each<R>(self, mut perform: impl FnMut(T) -> Result<R, Error>) -> BatchAnswer<R> {
        let mut answer = BatchAnswer { successful: Vec::new(), failed: Vec::new() };
        for Identified { id, item } in self.entries {
            match perform(item) {
                Ok(item) => answer.successful.push(Identified { id, item }),
                Err(error) => {
                    let wire = error.wire();
                    let item = Failure {
                        sender_fault: wire.is_sender_fault(),
                        code: wire.query_code,
                        message: error.to_string(),
                    };
                    answer.failed.push(Identified { id, item });
                }
            }
        }
        answer
    }
}

const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// The one user there is, in the form of an IAM user id.
const SENDER_ID: &str = "AIDA00000000000000000";

/// A queue URL, or a queue name, which SQS takes in its place.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct QueueUrl(String);

impl QueueUrl {
    fn name(&self) -> Result<&str, Error> {
        let url = required("QueueUrl", &self.0)?;
        Ok(url.rsplit('/').next().unwrap_or(url))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageRequest {
    max_results: Option<i64>,
    /// The last name of the page before.
    next_token: Option<String>,
}

impl PageRequest {
    /// The URLs of the names on this page, and the token of the next.
    ///
    /// Without `MaxResults` there is one page of 1,000 and no token, as on AWS.
    fn take<'a>(
        self,
        names: impl Iterator<Item = &'a str>,
        call: &Call,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let most = within("MaxResults", self.max_results.unwrap_or(1000), 1, 1000)? as usize;
        let after = self.next_token.unwrap_or_default();
        let mut names = names.skip_while(|name| *name <= after.as_str());
        let page: Vec<&str> = names.by_ref().take(most).collect();
        let more = self.max_results.is_some() && names.next().is_some();
        let next_token = page.last().filter(|_| more).map(|name| (*name).to_owned());
        Ok((page.iter().map(|name| queue_url(&call.host, name)).collect(), next_token))
    }
}

fn required<'a>(parameter: &'static str, value: &'a str) -> Result<&'a str, Error> {
    if value.is_empty() { Err(Error::MissingParameter(parameter)) } else { Ok(value) }
}

fn handle(task: &MoveTask) -> String {
    TaskHandle { task_id: task.id, source_arn: task.source_arn.clone() }.encode()
}
