//! How attempts are counted: in the idempotency table, or by the receives of a message.

use atlassian_connect::delivery::Delivery;
use aws_types::SdkConfig;
use contract::variable;
use jiff::Timestamp;
use runtime::environment::required;

use crate::Error;
use crate::idempotency::{Claim, Claimant, IdempotencyStore, Takeover, Unavailable};
use crate::message::Message;

/// Counts attempts, and tells duplicates.
#[expect(async_fn_in_trait, reason = "no other crate can name it")]
pub trait Attempts {
    /// What identifies a webhook to one handler.
    type Key: PartialEq;

    /// The key: the same for all messages of one webhook to one handler.
    fn key(&self, handler: &str, delivery: &Delivery) -> Self::Key;

    /// Opens the connection, so that the first message need not wait for it.
    async fn warm_up(&self);

    /// Begins an attempt that can last until the given time. A number above the maximum means that
    /// the function was killed in the last attempt.
    async fn begin(
        &self,
        key: &Self::Key,
        message: &Message,
        max_attempts: u32,
        until: Timestamp,
    ) -> Result<Claim, Unavailable>;

    /// Records that the handler has completed. `is_last` says that no other message is left in the
    /// batch.
    async fn complete(
        &self,
        key: &Self::Key,
        message: &Message,
        is_last: bool,
    ) -> Result<(), Unavailable>;

    /// Ends an attempt that was not completed, and records how many attempts are spent. `None` forgets
    /// the webhook, because its message is a dead letter.
    async fn end(
        &self,
        key: &Self::Key,
        message: &Message,
        attempt: u32,
        spent: Option<u32>,
    ) -> Result<(), Unavailable>;
}

/// Attempts in the idempotency table.
#[derive(Debug)]
pub struct Recorded {
    store: IdempotencyStore,
    takeover: Takeover,
    completes_last: bool,
}

impl Recorded {
    pub(crate) fn from_environment(aws: &SdkConfig, takeover: Takeover) -> Result<Self, Error> {
        let store = IdempotencyStore::new(aws, required(variable::IDEMPOTENCY_TABLE)?);
        Ok(Self { store, takeover, completes_last: true })
    }

    /// The same, but the completion of the last message of a batch is not recorded. Other messages of
    /// its webhook are duplicates already, and the message itself is received again only if the
    /// function is killed by a message that is left.
    pub(crate) fn without_the_last_completion(self) -> Self {
        Self { completes_last: false, ..self }
    }
}

impl Attempts for Recorded {
    type Key = String;

    fn key(&self, handler: &str, delivery: &Delivery) -> String {
        format!("{handler} {} {}", delivery.tenant, delivery.identity())
    }

    async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    async fn begin(
        &self,
        key: &String,
        message: &Message,
        _: u32,
        until: Timestamp,
    ) -> Result<Claim, Unavailable> {
        let now = Timestamp::now();
        self.store.claim(key, claimant(message), self.takeover, now, until).await
    }

    async fn complete(
        &self,
        key: &String,
        message: &Message,
        is_last: bool,
    ) -> Result<(), Unavailable> {
        if is_last && !self.completes_last {
            return Ok(());
        }
        self.store.complete(key, claimant(message), Timestamp::now()).await
    }

    async fn end(
        &self,
        key: &String,
        message: &Message,
        attempt: u32,
        spent: Option<u32>,
    ) -> Result<(), Unavailable> {
        match spent {
            Some(spent) => self.store.release(key, claimant(message), attempt, spent).await,
            None => self.store.forget(key, claimant(message), attempt).await,
        }
    }
}

fn claimant(message: &Message) -> Claimant<'_> {
    Claimant { message: message.origin(), replay: message.replay() }
}

/// Attempts that are counted by the receives of their message, as copies spend none.
#[derive(Debug, Default)]
pub struct Unrecorded;

impl Attempts for Unrecorded {
    type Key = ();

    fn key(&self, _: &str, _: &Delivery) {}

    async fn warm_up(&self) {}

    async fn begin(
        &self,
        (): &(),
        message: &Message,
        max_attempts: u32,
        _: Timestamp,
    ) -> Result<Claim, Unavailable> {
        // A function that is killed spends a receive of every message of its batch.
        let received = message.attempts();
        let killed = received > max_attempts.saturating_mul(4);
        let attempt = if killed { received } else { received.min(max_attempts) };
        Ok(Claim::Acquired { attempt })
    }

    async fn complete(&self, (): &(), _: &Message, _: bool) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn end(&self, (): &(), _: &Message, _: u32, _: Option<u32>) -> Result<(), Unavailable> {
        Ok(())
    }
}
