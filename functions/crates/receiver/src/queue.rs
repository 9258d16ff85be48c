//! The queue that a receiver sends to.

use std::time::Duration;

use atlassian_connect::delivery::{DEAD_LETTER_ROOM, Delivery, Encoded, ObjectRef, encode};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;
use claim_check::ObjectStore;
use contract::message_attribute::{EVENT, TENANT};
use contract::variable;
use gateway::Rejection;
use runtime::environment::{Misconfigured, required};
use tokio::time::{Instant, sleep, timeout_at};

/// Queues deliveries. Needs `sqs:SendMessage`.
pub trait Enqueue {
    /// Queues a delivery, and returns the message's id once it is stored. Retries for at most
    /// `patience`.
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
    objects: Option<ObjectStore>,
}

impl Queue {
    /// The maximum size of a message with its attributes, in bytes: SQS's limit of 1 MiB, less the
    /// room that the message needs as a dead letter.
    pub const MAX_MESSAGE: usize = 1_048_576 - DEAD_LETTER_ROOM;

    /// The queue that the environment names.
    ///
    /// # Errors
    ///
    /// Returns [`Misconfigured`] if [`variable::QUEUE_URL`] is not set.
    pub fn from_environment(aws: &SdkConfig) -> Result<Self, Misconfigured> {
        Ok(Self::new(Client::new(aws), required(variable::QUEUE_URL)?))
    }

    /// A queue by its URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into(), objects: None }
    }

    /// Adds a store for deliveries that exceed the limit of a message.
    #[must_use]
    pub fn with_object_store(self, objects: Option<ObjectStore>) -> Self {
        Self { objects, ..self }
    }

    /// Opens the connection before the first webhook.
    ///
    /// The role has no permission for this call and needs none, because the refusal uses the same
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
                let objects = self.objects.as_ref().ok_or(Refused::TooLarge { bytes })?;
                let stored = ObjectRef::of(delivery, &text);
                // First, so that no message refers to a missing object.
                let put = objects.put(&stored, text).await;
                put.map_err(|error| Refused::Unavailable(error.into()))?;
                stored.to_message()
            }
        };
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message)
            // On a standard queue a message group means fairness, not order: a tenant with many
            // events does not delay the others (Amazon SQS's documentation, "Fair queues").
            .message_group_id(delivery.tenant.as_str());
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder().data_type(STRING).string_value(value);
            let value = value.build().map_err(|error| Refused::Unavailable(error.into()))?;
            request = request.message_attributes(name, value);
        }
        // Each call has attempts of its own. Calls are repeated for as long as there is time.
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
            if Instant::now() + RETRY_INTERVAL >= end {
                return Err(Refused::Unavailable(failed));
            }
            sleep(RETRY_INTERVAL).await;
        };
        Ok(sent.message_id.unwrap_or_default())
    }
}

/// Whether SQS answered with an error that another call would get as well.
fn is_final(error: &SdkError<SendMessageError>) -> bool {
    match error {
        SdkError::ServiceError(error) => {
            !error.raw().status().is_server_error() && !error.err().is_request_throttled()
        }
        _ => false,
    }
}

/// The interval between two calls.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Why a delivery was not queued.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The delivery exceeds the limit of a message.
    #[error(
        "the delivery has {bytes} bytes after compression, more than the queue's limit of {}; to store \
         large deliveries in S3, write `template: {{ bodies: true }}` into infra/atlassian-hooks.yaml and \
         run `cargo hooks template`",
        Queue::MAX_MESSAGE
    )]
    TooLarge {
        /// The size of the compressed message with its attributes, in bytes.
        bytes: usize,
    },
    /// SQS or the bucket did not answer. Another attempt may succeed.
    #[error("the delivery could not be queued; check SQS and what the function's role may do")]
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
