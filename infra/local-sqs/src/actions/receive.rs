//! The action that receives messages.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::QueueUrl;
use crate::error::Error;
use crate::message::{AttributeValue, Message, ReceiptHandle, md5_of_attributes, within};
use crate::queues::{MAXIMUM_VISIBILITY_TIMEOUT, Queues};

/// A receive request. It is not an [`Action`](super::Action), because it may have to wait.
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

/// The only user, in the form of an IAM user id.
const SENDER_ID: &str = "AIDA00000000000000000";
