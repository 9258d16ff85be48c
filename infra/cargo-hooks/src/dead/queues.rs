//! The queues of a stack, local or deployed.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName,
    QueueAttributeName,
};

use crate::app::App;
use crate::local::Session;
use crate::plan::Plan;
use sam_template_runner::sqs_client;

/// A handler's queue, and the dead-letter queue behind it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The handler's name.
    pub handler: String,
    /// The URL of its queue.
    pub queue: String,
    /// The URL of its dead-letter queue.
    pub dead_letters: String,
}

/// The queues of a stack's handlers.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    pairs: Vec<Pair>,
    held: Duration,
}

impl Queues {
    /// How long a letter that is looked at is kept from others. A command that is killed leaves them
    /// hidden for no longer.
    pub const HELD: Duration = Duration::from_secs(300);

    /// Finds the queues of a deployed stack by its name, or of the local stack that runs; of one
    /// handler, or of all that the descriptor has.
    ///
    /// # Errors
    ///
    /// When there is no such handler, stack or queue, or nobody may ask.
    pub async fn find(stack: Option<&str>, handler: Option<&str>) -> anyhow::Result<Self> {
        match stack {
            Some(stack) => {
                let config = runtime::aws::config().map_err(anyhow::Error::from_boxed).context(
                    "AWS is reached with AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                     AWS_SESSION_TOKEN in the environment; `aws configure export-credentials \
                     --format env` writes the last three",
                )?;
                Self::of(Client::new(&config), stack, handler).await
            }
            None => Self::of(sqs_client(&Session::read()?.sqs), "local", handler).await,
        }
    }

    /// Queues at an SQS on this machine, and how long a letter is held.
    pub fn at(endpoint: &str, pairs: Vec<Pair>, held: Duration) -> Self {
        Self { client: sqs_client(endpoint), pairs, held }
    }

    async fn of(client: Client, stack: &str, handler: Option<&str>) -> anyhow::Result<Self> {
        let descriptor = App::find()?.descriptor()?;
        let plan = Plan::of(&descriptor);
        let names = plan.handlers.iter().map(|handler| handler.name.as_str());
        let wanted: Vec<&str> =
            names.clone().filter(|name| handler.is_none_or(|handler| handler == *name)).collect();
        if let ([], Some(handler)) = (&wanted[..], handler) {
            let names: Vec<&str> = names.collect();
            bail!("there is no handler {handler}; there are {}", names.join(", "));
        }
        let mut pairs = Vec::new();
        for name in wanted {
            pairs.push(Pair {
                handler: name.into(),
                queue: url(&client, &format!("{stack}-{name}")).await?,
                dead_letters: url(&client, &format!("{stack}-{name}-dead")).await?,
            });
        }
        Ok(Self { client, pairs, held: Self::HELD })
    }

    /// One for each handler.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The queue of a handler, as a receiver writes to it.
    pub(crate) fn of_handler(&self, handler: &str) -> anyhow::Result<receiver::Queue> {
        let pair = self.pairs.iter().find(|pair| pair.handler == handler);
        let pair = pair.with_context(|| format!("the stack has no handler {handler}"))?;
        Ok(receiver::Queue::new(self.client.clone(), &pair.queue))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Takes up to ten messages out of sight for [`Queues::HELD`]; none if none is there.
    pub(super) async fn receive(&self, queue: &str) -> anyhow::Result<Vec<Message>> {
        let received = self
            .client
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .visibility_timeout(i32::try_from(self.held.as_secs()).unwrap_or(i32::MAX))
            // Without a wait SQS asks some of its servers only, and a queue can look empty.
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .with_context(|| format!("{queue} cannot be read"))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Lets others see messages again. What fails here is seen when [`Queues::HELD`] is over.
    pub(super) async fn release(&self, queue: &str, messages: &[Message]) {
        for ten in messages.chunks(10) {
            let entries = ten.iter().enumerate().filter_map(|(number, message)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .set_receipt_handle(message.receipt_handle.clone())
                    .visibility_timeout(0)
                    .build()
                    .ok()
            });
            let change = self.client.change_message_visibility_batch().queue_url(queue);
            let _ = change.set_entries(Some(entries.collect())).send().await;
        }
    }

    /// About how many messages are to be seen in a queue.
    pub(super) async fn count(&self, queue: &str) -> anyhow::Result<u64> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(queue);
        let attributes = request.attribute_names(name.clone()).send().await?.attributes;
        let count = attributes.and_then(|attributes| attributes.get(&name)?.parse().ok());
        Ok(count.unwrap_or_default())
    }
}

async fn url(client: &Client, name: &str) -> anyhow::Result<String> {
    match client.get_queue_url().queue_name(name).send().await {
        Ok(found) => found.queue_url.with_context(|| format!("SQS does not say where {name} is")),
        Err(SdkError::ServiceError(error)) if error.err().is_queue_does_not_exist() => bail!(
            "there is no queue {name}; is the stack deployed in this region, from this descriptor?"
        ),
        Err(error) => Err(error).with_context(|| format!("SQS does not say where {name} is")),
    }
}
