//! A dead letter.

use std::time::Duration;

use atlassian_connect::delivery::Delivery;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use contract::message_attribute::{EVENT, REASON, RECEIVES, TENANT};
use jiff::Timestamp;
use serde::Serialize;

/// A dead letter, as far as it can be read.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The name of its handler.
    pub handler: String,
    /// The message id.
    pub message: String,
    /// The id of the delivery, in every log line about it.
    pub delivery: Option<String>,
    /// The event.
    pub event: Option<String>,
    /// The tenant's client key.
    pub tenant: Option<String>,
    /// When the receiver received it.
    pub first_seen: Option<Timestamp>,
    /// The number of attempts.
    pub receives: Option<u32>,
    /// The size of the body, in bytes.
    pub bytes: usize,
    /// The reason. `None` if SQS moved the message.
    pub reason: Option<String>,
}

impl DeadLetter {
    /// Reads a message of a dead-letter queue.
    pub fn of(message: &Message, handler: &str) -> Self {
        let attribute = |name: &str| {
            let value = message.message_attributes.as_ref()?.get(name)?;
            value.string_value().map(str::to_owned)
        };
        let body = message.body.as_deref().unwrap_or_default();
        let delivery = Delivery::from_message(body).ok();
        Self {
            handler: handler.into(),
            message: message.message_id.clone().unwrap_or_default(),
            delivery: delivery.as_ref().map(|delivery| delivery.id.clone()),
            event: attribute(EVENT),
            tenant: attribute(TENANT),
            first_seen: delivery.map(|delivery| delivery.received_at).or_else(|| sent(message)),
            receives: attribute(RECEIVES).and_then(|receives| receives.parse().ok()),
            bytes: body.len(),
            reason: attribute(REASON),
        }
    }
}

/// When a message was sent to the queue that it was first sent to, by SQS or by a handler.
pub(super) fn sent(message: &Message) -> Option<Timestamp> {
    let attributes = message.attributes.as_ref()?;
    let sent = attributes.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()?;
    Timestamp::try_from(std::time::UNIX_EPOCH + Duration::from_millis(sent)).ok()
}
