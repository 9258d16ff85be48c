//! The queue that a handler reads, and the dead-letter queue behind it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;
use connect::delivery::{ORIGIN, REASON, RECEIVES};
use lambda::environment::{parsed, required};

use crate::Error;
use crate::verdict::LONGEST_DELAY;

/// A handler's queue, as its template describes it.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    dead_letters: String,
    max_receives: u32,
    delay: Duration,
    jitter: RandomState,
}

impl Queue {
    /// The variable that holds the queue's URL.
    pub const URL: &str = "QUEUE_URL";
    /// The variable that holds the URL of its dead-letter queue.
    pub const DEAD_LETTERS: &str = "DEAD_LETTER_QUEUE_URL";
    /// The variable that says how often a message is received at most: the queue's
    /// `maxReceiveCount`.
    pub const MAX_RECEIVES: &str = "MAX_RECEIVES";
    /// The variable that says how long a message that failed is kept back the first time, in
    /// seconds.
    pub const RETRY_DELAY: &str = "RETRY_DELAY";

    /// Reads what the template says of it.
    pub(crate) fn from_environment(aws: &SdkConfig) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(aws),
            url: required(Self::URL)?,
            dead_letters: required(Self::DEAD_LETTERS)?,
            max_receives: parsed(Self::MAX_RECEIVES)?,
            delay: Duration::from_secs(parsed(Self::RETRY_DELAY)?),
            jitter: RandomState::new(),
        })
    }

    /// Its name: the last part of its URL.
    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }

    /// Whether a message that fails now is not handed out again.
    pub(crate) fn is_last(&self, receives: u32) -> bool {
        receives >= self.max_receives
    }

    /// How long a message is kept back that was received so many times: four times as long each
    /// time, so that five attempts span three quarters of an hour with the delay of the template.
    /// Up to half of it is left to chance, so that what failed together does not come together.
    pub(crate) fn backoff(&self, message: &SqsMessage, receives: u32) -> Duration {
        let delay = self.delay.saturating_mul(4_u32.saturating_pow(receives.saturating_sub(1)));
        let chance = self.jitter.hash_one((&message.message_id, receives)) % 1000;
        delay.min(LONGEST_DELAY).mul_f64(1.0 - chance as f64 / 2000.0)
    }

    /// Keeps a message back. If that fails, it comes again after the queue's visibility timeout.
    pub(crate) async fn put_back(&self, message: &SqsMessage, delay: Duration) {
        let seconds = i32::try_from(delay.min(LONGEST_DELAY).as_secs()).unwrap_or(i32::MAX);
        let change = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .set_receipt_handle(message.receipt_handle.clone())
            .visibility_timeout(seconds);
        if let Err(error) = change.send().await {
            let error = lambda::chain(&error);
            tracing::warn!(message.id = message.message_id, error, "delay not set");
        }
    }

    /// Puts a message into the dead-letter queue, with a reason. It is the caller's to let SQS
    /// delete the one that it came as: only then, so it is in one of them at least.
    pub(crate) async fn bury(&self, message: &SqsMessage, reason: &str) -> Result<(), Error> {
        let mut send = self
            .client
            .send_message()
            .queue_url(&self.dead_letters)
            .set_message_body(message.body.clone())
            .set_message_group_id(message.attributes.get("MessageGroupId").cloned());
        for (name, value) in &message.message_attributes {
            let value = MessageAttributeValue::builder()
                .set_data_type(value.data_type.clone())
                .set_string_value(value.string_value.clone())
                .set_binary_value(value.binary_value.clone().map(|value| Blob::new(value.0)))
                .build()?;
            send = send.message_attributes(name, value);
        }
        for (name, kind, value) in [
            (REASON, "String", writable(reason)),
            (RECEIVES, "Number", receives(message).to_string()),
            (ORIGIN, "String", origin(message).to_owned()),
        ] {
            let value = MessageAttributeValue::builder().data_type(kind).string_value(value);
            send = send.message_attributes(name, value.build()?);
        }
        send.send().await?;
        Ok(())
    }

    /// Opens the connection, so that the first message need not wait for it.
    pub(crate) async fn warm_up(&self) {
        let attributes = self.client.get_queue_attributes().queue_url(&self.url).send();
        let _ = tokio::time::timeout(Duration::from_secs(1), attributes).await;
    }
}

/// The message as which a webhook was first queued: a replayed one is still the same.
pub(crate) fn origin(message: &SqsMessage) -> &str {
    let origin = message.message_attributes.get(ORIGIN);
    let origin = origin.and_then(|origin| origin.string_value.as_deref());
    origin.or(message.message_id.as_deref()).unwrap_or_default()
}

/// How often a message was received, this time included.
pub(crate) fn receives(message: &SqsMessage) -> u32 {
    let receives = message.attributes.get("ApproximateReceiveCount");
    receives.and_then(|receives| receives.parse().ok()).unwrap_or(1)
}

/// A reason as SQS takes it: some characters it refuses, and an empty text.
fn writable(reason: &str) -> String {
    let printable = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let reason: String = reason.chars().filter(|c| printable(*c)).take(500).collect();
    if reason.is_empty() { "not said".into() } else { reason }
}
