//! From a message on the queue to your function.
//!
//! A handler is one async function from a [`Delivery`] to a result, in a file of its own in
//! `src/bin`. The file's name is the handler's: the slug of the webhook's URL, or what `handler`
//! among the webhook's `params` says.
//!
//! ```no_run
//! # use atlassian_hooks_handler as atlassian_hooks;
//! use atlassian_hooks::{Delivery, Error, jira};
//!
//! async fn handle(delivery: Delivery<jira::IssueEvent>) -> Result<(), Error> {
//!     println!("{} in {} of {}", delivery.event, delivery.payload.issue.key, delivery.tenant);
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     atlassian_hooks::run(handle)
//! }
//! ```
//!
//! What stands between the brackets is what the payload is read as: the payload type of the events
//! it handles, as [`atlassian_connect::event::TABLE`] lists them; [`Event`], to match on events of many kinds;
//! or nothing, `Delivery`, for the text alone. See [`atlassian_connect::event::FromPayload`]. A payload that
//! lacks what the type needs, or is another event's, is an error, and the handler is not called. Any
//! other field that is odd is left out, and `delivery.reading` says where. The text is in the delivery
//! in any case.
//!
//! # When it fails
//!
//! Any error, and a panic, fails this one delivery. It is attempted again after half a minute, two
//! minutes, eight, and half an hour, give or take. After the fifth attempt it goes to the dead-letter
//! queue with the error as its reason. A handler can say more with the error it returns:
//! [`retry_after`] a delay that somebody asked for, or [`give_up`] at once.
//!
//! Only an attempt counts. A delivery whose turn does not come before the invocation ends is queued
//! again as a copy, and is next when it comes back, as the oldest of its batch. So does one whose
//! handler had to be stopped although it had begun late. A function that is killed in the middle of
//! an attempt has spent it.
//!
//! ```
//! # use atlassian_hooks_handler as atlassian_hooks;
//! use std::time::Duration;
//! use atlassian_hooks::{Delivery, Error, give_up, retry_after};
//!
//! # struct Answer { status: u16, retry_after: u64 }
//! # async fn ask(_: &Delivery) -> Result<Answer, Error> { unimplemented!() }
//! async fn handle(delivery: Delivery) -> Result<(), Error> {
//!     let answer = ask(&delivery).await?;
//!     match answer.status {
//!         429 => Err(retry_after(Duration::from_secs(answer.retry_after), "too many requests")),
//!         404 => Err(give_up("the project is gone")),
//!         _ => Ok(()),
//!     }
//! }
//! ```
//!
//! # When it comes twice
//!
//! Atlassian repeats what it got no answer for, and SQS delivers at least once. An idempotency table
//! knows for fourteen days which webhooks were handled, and a handler chooses what that means:
//!
//! | | a function is killed half-way | writes for an event | $ for a million |
//! |---|---|---|---|
//! | [`run`] | the handler is called again | 2 | 1.25 |
//! | [`Runner::claim_once`] | the handler is not called again; the event goes to the dead-letter queue | 2 | 1.25 |
//! | [`Runner::every_time`] | the handler is called again, and for duplicates as well | 0 | 0 |
//!
//! With the first two, a handler that ended is never called again for the same webhook. A webhook is
//! identified by its tenant and Jira's identifier. Without an identifier, a body with a timestamp is
//! identified by its hash.

mod batch;
mod idempotency;
mod message;
mod queue;
mod retry;

pub use atlassian_connect::delivery::Delivery;
pub use atlassian_connect::event::{Event, confluence, jira};
pub use idempotency::{Claim, Claimant, IdempotencyStore, Takeover, Unavailable};
pub use queue::Queue;
pub use retry::{LONGEST_DELAY, give_up, retry_after};
pub use runtime::Error;

use std::process::ExitCode;

use atlassian_connect::event::FromPayload;
use claim_check::Bodies;
use contract::variable;
use lambda_runtime::{LambdaEvent, service_fn};
use runtime::environment::required;

use batch::BatchContext;
use message::Batch;

/// Runs a handler until Lambda stops it: one event at a time, and each once.
///
/// A handler that is not done shortly before its function's timeout is stopped, and its message
/// fails alone. Those behind it wait for another invocation.
pub fn run<H, T, F>(handler: H) -> ExitCode
where
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    Runner::new().run(handler)
}

/// Runs a handler in another way than [`run`].
///
/// ```no_run
/// # use atlassian_hooks_handler as atlassian_hooks;
/// # async fn handle(_: atlassian_hooks::Delivery) -> Result<(), atlassian_hooks::Error> { Ok(()) }
/// fn main() -> std::process::ExitCode {
///     atlassian_hooks::Runner::new().every_time().concurrency(10).run(handle)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Runner {
    mode: Mode,
    concurrency: usize,
    in_order: bool,
}

/// How often one webhook is handled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mode {
    ExactlyOnce,
    ClaimOnce,
    #[default]
    EveryTime,
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// One event at a time, and each once.
    pub fn new() -> Self {
        Self { mode: Mode::ExactlyOnce, concurrency: 1, in_order: false }
    }

    /// Calls the handler at most once for a webhook, unless it returns an error. For effects that must
    /// rather be missing than happen twice.
    ///
    /// Nothing passes a claim, not even the message that made it. If the function is killed after the
    /// claim, nobody knows whether the effect happened: the message goes to the dead-letter queue
    /// with that reason, and `cargo hooks replay` handles it after all.
    #[must_use]
    pub fn claim_once(self) -> Self {
        Self { mode: Mode::ClaimOnce, ..self }
    }

    /// Handles whatever comes, twice if it comes twice. For a handler whose second time changes
    /// nothing.
    #[must_use]
    pub fn every_time(self) -> Self {
        Self { mode: Mode::EveryTime, ..self }
    }

    /// Handles so many events of a batch at a time. For a handler that waits more than it works.
    #[must_use]
    pub fn concurrency(self, events: usize) -> Self {
        Self { concurrency: events, ..self }
    }

    /// Handles the events of one tenant in a batch one after the other, and none behind one that has
    /// to come again. Between batches, and in what Atlassian sends, there is no order to keep:
    /// compare the timestamps of what you store.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// Runs a handler until Lambda stops it.
    pub fn run<H, T, F>(self, handler: H) -> ExitCode
    where
        H: Fn(Delivery<T>) -> F,
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        runtime::start(async move {
            let context = self.context().await?;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Batch>| {
                let deadline = event.context.deadline();
                Ok::<_, Error>(batch::run(event.payload, deadline, &context, &handler).await)
            }))
            .await
        })
    }

    /// What the template gave the function.
    async fn context(self) -> Result<BatchContext, Error> {
        let Self { mode, concurrency, in_order } = self;
        let aws = runtime::aws::config()?;
        let queue = Queue::from_environment(&aws)?;
        let idempotency = match mode {
            Mode::EveryTime => None,
            Mode::ExactlyOnce | Mode::ClaimOnce => {
                Some(IdempotencyStore::new(&aws, required(variable::IDEMPOTENCY_TABLE)?))
            }
        };
        let warm_up = async {
            if let Some(store) = &idempotency {
                store.warm_up().await;
            }
        };
        tokio::join!(warm_up, queue.warm_up());
        let bodies = Bodies::from_environment(&aws);
        Ok(BatchContext { mode, concurrency, in_order, idempotency, queue: Some(queue), bodies })
    }
}
