//! The queue that a receiver writes to.

use std::time::Duration;

use atlassian_connect::delivery::{DEAD_LETTER_ROOM, Delivery, Encoded, Stored, encode};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;
use claim_check::Bodies;
use contract::message_attribute::{EVENT, TENANT};
use contract::variable;
use gateway::Rejection;
use runtime::environment::{Misconfigured, required};
use tokio::time::{Instant, sleep, timeout_at};

/// Puts a delivery where a handler finds it. Needs `sqs:SendMessage`.
pub trait Enqueue {
    /// Returns the message's id once the queue has the delivery, and not before. Tries for so long.
    fn enqueue(
        &self,
        delivery: &Delivery,
        patience: Duration,
    ) -> impl Future<Output = Result<String, Refused>> + Send;
}

/// An Amazon SQS queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    bodies: Option<Bodies>,
}

impl Queue {
    /// The longest message that is sent, attributes included, in bytes: what SQS takes, 1 MiB, less
    /// the room that the message needs as a dead letter.
    pub const MAX_MESSAGE: usize = 1_048_576 - DEAD_LETTER_ROOM;

    /// The queue that the template names.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if [`variable::QUEUE_URL`] is not set.
    pub fn from_environment(aws: &SdkConfig) -> Result<Self, Misconfigured> {
        Ok(Self::new(Client::new(aws), required(variable::QUEUE_URL)?))
    }

    /// A queue by its URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into(), bodies: None }
    }

    /// The same queue, with a bucket for what is too long for it.
    #[must_use]
    pub fn with(self, bodies: Option<Bodies>) -> Self {
        Self { bodies, ..self }
    }

    /// Opens the connection, so that the first webhook need not wait for it.
    ///
    /// The role has no permission for this call, and needs none: a refusal comes over the same
    /// connection.
    pub async fn warm_up(&self) {
        let attributes = self.client.get_queue_attributes().queue_url(&self.url).send();
        let _ = tokio::time::timeout(Duration::from_secs(1), attributes).await;
    }
}

impl Enqueue for Queue {
    async fn enqueue(&self, delivery: &Delivery, patience: Duration) -> Result<String, Refused> {
        let attributes = [(EVENT, delivery.event.as_str()), (TENANT, delivery.tenant.as_str())];
        let described: usize =
            attributes.iter().map(|(name, value)| name.len() + STRING.len() + value.len()).sum();
        let message = match encode(delivery, Self::MAX_MESSAGE.saturating_sub(described)) {
            Encoded::Message(message) => message,
            Encoded::TooLong { bytes, text } => {
                let bytes = bytes + described;
                let bodies = self.bodies.as_ref().ok_or(Refused::TooLarge { bytes })?;
                let stored = Stored::of(delivery, &text);
                // First, so that no message names what is not there.
                let put = bodies.put(&stored, text).await;
                put.map_err(|error| Refused::Unavailable(error.into()))?;
                stored.to_message()
            }
        };
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message)
            // On a standard queue a group asks for fairness, not for order: a tenant with a burst
            // does not delay the others (Amazon SQS's documentation, "Fair queues").
            .message_group_id(delivery.tenant.as_str());
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder().data_type(STRING).string_value(value);
            let value = value.build().map_err(|error| Refused::Unavailable(error.into()))?;
            request = request.message_attributes(name, value);
        }
        // A call gives up after some attempts of its own. There are as many calls as there is time for.
        let end = Instant::now() + patience;
        let sent = loop {
            let failed = match timeout_at(end, request.clone().send()).await {
                Ok(Ok(sent)) => break sent,
                Ok(Err(error)) if is_final(&error) => {
                    return Err(Refused::Unavailable(error.into()));
                }
                Ok(Err(error)) => error.into(),
                Err(elapsed) => elapsed.into(),
            };
            if Instant::now() + PAUSE >= end {
                return Err(Refused::Unavailable(failed));
            }
            sleep(PAUSE).await;
        };
        Ok(sent.message_id.unwrap_or_default())
    }
}

/// Whether SQS has answered, and would say the same again.
fn is_final(error: &SdkError<SendMessageError>) -> bool {
    match error {
        SdkError::ServiceError(error) => {
            !error.raw().status().is_server_error() && !error.err().is_request_throttled()
        }
        _ => false,
    }
}

/// How long to wait between two calls.
const PAUSE: Duration = Duration::from_millis(200);

/// Why the queue does not have a delivery.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It can never take it.
    #[error("the delivery has {bytes} bytes compressed, the queue takes {}", Queue::MAX_MESSAGE)]
    TooLarge {
        /// The length with its attributes, compressed, in bytes.
        bytes: usize,
    },
    /// It may take it later.
    #[error("the queue did not take the delivery")]
    Unavailable(#[source] runtime::Error),
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLarge { bytes } => Self::TooLarge { bytes, limit: Queue::MAX_MESSAGE },
            Refused::Unavailable(source) => Self::QueueUnavailable(source),
        }
    }
}

const STRING: &str = "String";
