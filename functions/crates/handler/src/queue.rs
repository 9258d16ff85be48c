//! A handler's queue and its dead-letter queue.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use aws_types::SdkConfig;
use contract::message_attribute::{ATTEMPTS, LONGEST_REASON, ORIGIN, REASON, RECEIVES, SENT};
use contract::variable;
use jiff::Timestamp;
use runtime::environment::{parsed, required};

use crate::Error;
use crate::message::{Attribute, AttributeValue, Message};
use crate::retry::LONGEST_DELAY;

/// A handler's queue and its dead-letter queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    dead_letters: String,
    max_attempts: u32,
    max_receives: u32,
    delay: Duration,
    jitter: RandomState,
}

impl Queue {
    /// Reads the environment variables that the template sets.
    pub(crate) fn from_environment(aws: &SdkConfig) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(aws),
            url: required(variable::QUEUE_URL)?,
            dead_letters: required(variable::DEAD_LETTER_QUEUE_URL)?,
            max_attempts: parsed(variable::MAX_ATTEMPTS)?,
            max_receives: parsed(variable::MAX_RECEIVES)?,
            delay: Duration::from_secs(parsed(variable::RETRY_DELAY)?),
            jitter: RandomState::new(),
        })
    }

    /// The name of the queue: the last part of its URL.
    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }

    /// The number of attempts before a delivery is given up.
    pub(crate) fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Whether SQS would move the message to the dead-letter queue, without a reason, instead of
    /// delivering it again.
    pub(crate) fn is_last_receive(&self, message: &Message) -> bool {
        message.receives >= self.max_receives
    }

    /// The delay after this many attempts: exponential backoff with the factor four, so that with
    /// the template's delay five attempts span about three quarters of an hour. Up to half is
    /// subtracted at random, so that messages that failed together are not attempted again
    /// together.
    pub(crate) fn backoff(&self, message: &Message, attempts: u32) -> Duration {
        let delay = self.delay.saturating_mul(4_u32.saturating_pow(attempts.saturating_sub(1)));
        let chance = self.jitter.hash_one((&message.id, attempts)) % 1000;
        delay.min(LONGEST_DELAY).mul_f64(1.0 - chance as f64 / 2000.0)
    }

    /// Sets the visibility timeout of each message to its delay. If that fails, the queue's own
    /// visibility timeout applies.
    pub(crate) async fn put_back(&self, messages: &[(Message, Duration)]) {
        for messages in messages.chunks(MAX_ENTRIES) {
            let entries = messages.iter().enumerate().filter_map(|(number, (message, delay))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(message.receipt_handle.clone()?)
                    .visibility_timeout(seconds(*delay, LONGEST_DELAY))
                    .build()
                    .ok()
            });
            let change = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect()));
            match change.send().await {
                Ok(changed) => {
                    for failed in changed.failed() {
                        let number: Option<usize> = failed.id().parse().ok();
                        let message = number.and_then(|number| messages.get(number));
                        tracing::warn!(
                            message.id = message.and_then(|(message, _)| message.id.as_deref()),
                            error = failed.code(),
                            "{VISIBILITY_NOT_CHANGED}"
                        );
                    }
                }
                Err(error) => {
                    let error = runtime::chain(&error);
                    for (message, _) in messages {
                        tracing::warn!(message.id = message.id, error, "{VISIBILITY_NOT_CHANGED}");
                    }
                }
            }
        }
    }

    /// Queues copies of postponed messages, each with its delay, and returns those that could not be
    /// copied. A copy starts with a receive count of zero, so that waiting costs no
    /// receives. Its attributes hold the original message, when that was sent, and the spent
    /// attempts.
    ///
    /// Delete the originals only after this, so that each delivery is in the queue at least once.
    pub(crate) async fn requeue(
        &self,
        messages: Vec<(Message, Duration)>,
    ) -> Vec<(Message, Duration)> {
        let mut left = Vec::new();
        for messages in chunks(messages) {
            let entries = messages.iter().enumerate().map(|(number, (message, delay))| {
                let mut attributes = message.attributes.clone();
                let spent = message.attempts().saturating_sub(1);
                attributes.insert(ORIGIN.into(), Attribute::string(message.origin()));
                attributes.insert(ATTEMPTS.into(), Attribute::number(spent));
                if let Some(sent) = message.first_sent() {
                    attributes.insert(SENT.into(), Attribute::number(sent.as_millisecond()));
                }
                let mut entry = SendMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .message_body(&message.body)
                    .delay_seconds(seconds(*delay, MAX_SEND_DELAY))
                    .set_message_group_id(message.group.clone());
                for (name, attribute) in attributes {
                    entry = entry.message_attributes(name, attribute.into_sdk()?);
                }
                entry.build()
            });
            let sent = match entries.collect::<Result<_, _>>() {
                Ok(entries) => {
                    let send = self.client.send_message_batch().queue_url(&self.url);
                    send.set_entries(Some(entries))
                        .send()
                        .await
                        .map_err(|error| runtime::chain(&error))
                }
                Err(error) => Err(runtime::chain(&error)),
            };
            match sent {
                Ok(sent) => {
                    let copied: Vec<usize> = sent
                        .successful()
                        .iter()
                        .filter_map(|entry| entry.id().parse().ok())
                        .collect();
                    let all = messages.into_iter().enumerate();
                    left.extend(
                        all.filter(|(at, _)| !copied.contains(at)).map(|(_, message)| message),
                    );
                }
                Err(error) => {
                    tracing::warn!(
                        messages = messages.len(),
                        error,
                        "messages not requeued; they stay in the queue and are received again"
                    );
                    left.extend(messages);
                }
            }
        }
        left
    }

    /// Sends a message to the dead-letter queue, with a reason. Delete the original only after
    /// this, so that the message is always in at least one of the queues.
    ///
    /// A message that no receiver wrote may have no room for a reason. Then its own attributes are
    /// dropped, and finally the reason, which is in the log as well.
    pub(crate) async fn send_to_dead_letter_queue(
        &self,
        message: &Message,
        attempts: u32,
        reason: &str,
    ) -> Result<(), Error> {
        let reason = writable(reason);
        let short: String = reason.chars().take(SHORT_REASON).collect();
        let own = |reason: &str| {
            let mut own = BTreeMap::from([
                (REASON.to_owned(), Attribute::string(reason)),
                (RECEIVES.to_owned(), Attribute::number(attempts)),
            ]);
            // A record that is none of SQS's has no id, and SQS takes no empty text.
            if !message.origin().is_empty() {
                own.insert(ORIGIN.to_owned(), Attribute::string(message.origin()));
            }
            own
        };
        let all = message.attributes.clone().into_iter().chain(own(&reason)).collect();
        let forms: [BTreeMap<String, Attribute>; 5] = [
            all,
            own(&reason),
            own(&short),
            [(REASON.to_owned(), Attribute::string("see the log"))].into(),
            [].into(),
        ];
        let mut result = Ok(());
        for attributes in forms {
            let mut send = self
                .client
                .send_message()
                .queue_url(&self.dead_letters)
                .message_body(&message.body)
                .set_message_group_id(message.group.clone());
            for (name, attribute) in attributes {
                send = send.message_attributes(name, attribute.into_sdk()?);
            }
            let sent = send.send().await;
            // Only if SQS refused the message, a shorter form can help.
            let is_refused = matches!(&sent, Err(error) if error.as_service_error().is_some());
            result = sent.map(drop).map_err(Error::from);
            if !is_refused {
                return result;
            }
        }
        result
    }

    /// Opens the connection, so that the first message need not wait for it.
    pub(crate) async fn warm_up(&self) {
        let attributes = self.client.get_queue_attributes().queue_url(&self.url).send();
        let _ = tokio::time::timeout(Duration::from_secs(1), attributes).await;
    }
}

impl Attribute {
    fn into_sdk(self) -> Result<MessageAttributeValue, aws_sdk_sqs::error::BuildError> {
        let attribute = MessageAttributeValue::builder().data_type(self.data_type);
        match self.value {
            AttributeValue::Text(text) => attribute.string_value(text),
            AttributeValue::Binary(bytes) => attribute.binary_value(Blob::new(bytes)),
        }
        .build()
    }
}

/// The time since a delivery was first queued.
pub(crate) fn age(message: &Message, now: Timestamp) -> Duration {
    let sent = message.first_sent().unwrap_or(now);
    Duration::try_from(now.duration_since(sent)).unwrap_or_default()
}

const VISIBILITY_NOT_CHANGED: &str =
    "visibility timeout not changed; the message is received again after the queue's default";

/// The maximum number of messages in a batch request to SQS.
const MAX_ENTRIES: usize = 10;
/// The maximum size of a batch request to SQS in bytes, less some room for the attributes of copies
/// (Amazon SQS Developer Guide, "Message quotas").
const MAX_BATCH_BYTES: usize = 1024 * 1024 - 4096;
/// The maximum delay of a new message (Amazon SQS API Reference, `SendMessage`).
const MAX_SEND_DELAY: Duration = Duration::from_secs(900);
/// The maximum length of a shortened reason, in characters.
const SHORT_REASON: usize = 40;

/// Splits messages into groups that each fit one request.
fn chunks(messages: Vec<(Message, Duration)>) -> Vec<Vec<(Message, Duration)>> {
    let mut chunks: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for (message, delay) in messages {
        let size = message.body.len() + message.attributes.len() * 512;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < MAX_ENTRIES && bytes + size <= MAX_BATCH_BYTES => {
                bytes += size;
                chunk.push((message, delay));
            }
            _ => {
                bytes = size;
                chunks.push(vec![(message, delay)]);
            }
        }
    }
    chunks
}

fn seconds(delay: Duration, most: Duration) -> i32 {
    i32::try_from(delay.min(most).as_secs()).unwrap_or(i32::MAX)
}

/// A reason without the characters that SQS refuses. SQS also refuses an empty text.
fn writable(reason: &str) -> String {
    let printable = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let reason: String = reason.chars().filter(|c| printable(*c)).take(LONGEST_REASON).collect();
    if reason.is_empty() { "the handler gave no reason; see the log".into() } else { reason }
}
