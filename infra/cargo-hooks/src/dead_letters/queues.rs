//! The queues of a stack, local or deployed.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName,
    QueueAttributeName,
};
use aws_types::SdkConfig;

use crate::account::Stack;
use crate::app::App;
use crate::session::Session;
use sam_template_runner::sqs_client;
use template::plan::{Handler, Plan};

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
    /// How long a letter is hidden while a command looks at it. A command that is killed leaves
    /// letters hidden for no longer.
    pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(300);

    /// The queues of a deployed stack, by its outputs; of one handler, or of all in the descriptor.
    ///
    /// # Errors
    ///
    /// Fails if there is no such handler, or the stack has no queue for it.
    pub fn deployed(
        config: &SdkConfig,
        stack: &Stack,
        handler: Option<&str>,
    ) -> anyhow::Result<Self> {
        let pair = |handler: Handler| {
            Ok(Pair {
                queue: stack.output(&format!("{}QueueUrl", handler.id))?,
                dead_letters: stack.output(&format!("{}DeadLetterQueueUrl", handler.id))?,
                handler: handler.name,
            })
        };
        let pairs = handlers(handler)?.into_iter().map(pair).collect::<anyhow::Result<_>>()?;
        Ok(Self { client: Client::new(config), pairs, held: Self::VISIBILITY_TIMEOUT })
    }

    /// The queues of the local stack on this port, or of the only one that is running; of one
    /// handler, or of all in the descriptor.
    ///
    /// # Errors
    ///
    /// Fails if there is no such local stack, or it has no such handler.
    pub async fn local(port: Option<u16>, handler: Option<&str>) -> anyhow::Result<Self> {
        let client = sqs_client(&Session::read(port)?.sqs);
        let mut pairs = Vec::new();
        for Handler { name, .. } in handlers(handler)? {
            pairs.push(Pair {
                queue: url(&client, &format!("local-{name}")).await?,
                dead_letters: url(&client, &format!("local-{name}-dead")).await?,
                handler: name,
            });
        }
        Ok(Self { client, pairs, held: Self::VISIBILITY_TIMEOUT })
    }

    /// Queues at an SQS on this machine, and how long a letter is held.
    pub fn at(endpoint: &str, pairs: Vec<Pair>, held: Duration) -> Self {
        Self { client: sqs_client(endpoint), pairs, held }
    }

    /// One for each handler.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The queue of a handler, as a receiver writes to it.
    pub(crate) fn of_handler(&self, handler: &str) -> anyhow::Result<receiver::Queue> {
        let pair = self.pairs.iter().find(|pair| pair.handler == handler);
        let pair = pair.with_context(|| {
            format!("the stack has no handler {handler}; deploy the app's template")
        })?;
        Ok(receiver::Queue::new(self.client.clone(), &pair.queue))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Receives up to ten messages, which are hidden for [`Queues::VISIBILITY_TIMEOUT`].
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
            .with_context(|| {
                format!("{queue} cannot be read; check the queue and what your credentials allow")
            })?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Makes messages visible again. If that fails, [`Queues::VISIBILITY_TIMEOUT`] does.
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

    /// The approximate number of visible messages in a queue.
    pub(super) async fn count(&self, queue: &str) -> anyhow::Result<u64> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(queue);
        let attributes = request.attribute_names(name.clone()).send().await?.attributes;
        let count = attributes.and_then(|attributes| attributes.get(&name)?.parse().ok());
        Ok(count.unwrap_or_default())
    }
}

/// The handlers of what the app declares, or the one of this name.
fn handlers(wanted: Option<&str>) -> anyhow::Result<Vec<Handler>> {
    let app = App::find()?;
    let declared = app.declarations()?;
    let all = Plan::of(&declared, &app.configuration(&declared)?).handlers;
    let Some(wanted) = wanted else { return Ok(all) };
    let found = all.iter().find(|handler| handler.name == wanted).cloned();
    let found = found.with_context(|| {
        let names: Vec<&str> = all.iter().map(|handler| handler.name.as_str()).collect();
        format!("there is no handler {wanted}; the handlers are {}", names.join(", "))
    })?;
    Ok(vec![found])
}

async fn url(client: &Client, name: &str) -> anyhow::Result<String> {
    match client.get_queue_url().queue_name(name).send().await {
        Ok(found) => found
            .queue_url
            .with_context(|| format!("the URL of {name} is unknown; restart `cargo hooks local`")),
        Err(SdkError::ServiceError(error)) if error.err().is_queue_does_not_exist() => {
            bail!("the local stack has no queue {name}; restart it with `cargo hooks local`")
        }
        Err(error) => Err(error)
            .with_context(|| format!("the URL of {name} is unknown; restart `cargo hooks local`")),
    }
}
