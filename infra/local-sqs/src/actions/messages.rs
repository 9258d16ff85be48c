//! Actions on messages: send, delete, change the visibility timeout.

use serde::{Deserialize, Serialize};

use super::batch::{Batch, BatchAnswer};
use super::{Action, Done, QueueUrl, RequestContext};
use crate::error::Error;
use crate::message::{MAXIMUM_SIZE, Message, NewMessage, md5_of_attributes};
use crate::queues::Queues;
use crate::timestamp::Timestamp;

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

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<SentMessage, Error> {
        queues.send(self.queue_url.name()?, self.message, context.now).map(SentMessage::from)
    }
}

pub(crate) type SendMessageBatch = Batch<NewMessage>;

impl Action for SendMessageBatch {
    type Answer = BatchAnswer<SentMessage>;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<Self::Answer, Error> {
        let name = self.check(queues)?;
        let size = self.entries.iter().map(|entry| entry.item.size()).sum();
        if size > MAXIMUM_SIZE {
            return Err(Error::BatchRequestTooLong(size));
        }
        Ok(self.each(|message| queues.send(&name, message, context.now).map(SentMessage::from)))
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

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<Done, Error> {
        queues.delete_message(self.queue_url.name()?, &self.deletion.receipt_handle)?;
        Ok(Done {})
    }
}

pub(crate) type DeleteMessageBatch = Batch<Deletion>;

impl Action for DeleteMessageBatch {
    type Answer = BatchAnswer<Done>;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<Self::Answer, Error> {
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

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<Done, Error> {
        self.change.perform(queues, self.queue_url.name()?, context.now)
    }
}

pub(crate) type ChangeMessageVisibilityBatch = Batch<VisibilityChange>;

impl Action for ChangeMessageVisibilityBatch {
    type Answer = BatchAnswer<Done>;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<Self::Answer, Error> {
        let name = self.check(queues)?;
        Ok(self.each(|change| change.perform(queues, &name, context.now)))
    }
}
