//! The batch runner: calls a handler function for each message of a queue.
//!
//! A handler is an async function that takes a [`Delivery`] and returns a result, in a file of its
//! own in `src/bin`. The file is named after the URL of the webhook, or as the webhook's parameter
//! `handler` says.
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
//! The type parameter of `Delivery` selects what the payload is parsed into, and only that parser
//! is linked: the payload type of the events, as [`atlassian_connect::event::TABLE`] lists them;
//! [`Event`], to match on several events; or nothing, as in `Delivery`, for the text alone. See
//! [`atlassian_connect::event::FromPayload`]. A payload that lacks what the type needs, or belongs
//! to another event, is an error, and the handler is not called. Any other malformed field is left
//! out, and `delivery.reading` says which. The delivery always contains the text.
//!
//! # Errors and retries
//!
//! An error or a panic fails one delivery, and no other of the batch. The delivery is attempted
//! again after about half a minute, two minutes, eight, and half an hour. After the fifth attempt
//! it goes to the dead-letter queue with the error as its reason. The error that a handler returns
//! can ask for something different: [`retry_after`] for a delay, [`give_up`] for the dead-letter
//! queue at once.
//!
//! Only attempts count. A delivery that is not begun before the invocation ends is queued again as
//! a copy, and is the first of its next batch, because the oldest is handled first. The same
//! happens if a handler had to be stopped that began late in the invocation. A function that is
//! killed during an attempt has spent it.
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
//! # Duplicates
//!
//! Jira repeats a webhook when it got no answer, and SQS delivers a message at least once. An
//! idempotency table records for fourteen days which webhooks are in progress or completed. The
//! handler chooses what happens if its function is killed:
//!
//! | | the function is killed during an attempt | writes for each event | $ for a million events |
//! |---|---|---|---|
//! | [`run`] | the handler is called again | 2 | 1.25 |
//! | [`Runner::claim_once`] | the handler is not called again; the event goes to the dead-letter queue | 2 | 1.25 |
//! | [`Runner::deduplicate`] | the handler is called again | 1 | 0.63 |
//! | [`Runner::every_time`] | the handler is called again, and for duplicates as well | 0 | 0 |
//!
//! With the first two, a handler that completed is never called again for the same webhook. With
//! [`Runner::deduplicate`], it is called again if SQS delivers the same message once more. A webhook
//! is identified by its tenant and Jira's identifier. Without an identifier, a body with a timestamp
//! is identified by its hash.

mod attempts;
mod batch;
mod idempotency;
mod message;
pub mod mode;
mod queue;
mod retry;
mod typed;

pub use atlassian_connect::delivery::Delivery;
pub use atlassian_connect::event::{Event, LifecycleEvent, confluence, jira};
pub use idempotency::{Claim, Claimant, IdempotencyStore, Takeover, Unavailable};
pub use queue::Queue;
pub use retry::{LONGEST_DELAY, Outcome, give_up, retry_after};
pub use runtime::Error;

use std::marker::PhantomData;
use std::process::ExitCode;

use atlassian_connect::event::FromPayload;
use claim_check::ObjectStore;
use lambda_runtime::{LambdaEvent, service_fn};

use attempts::Attempts as _;
use batch::BatchContext;
use message::Batch;
use mode::{ClaimOnce, Deduplicate, EveryTime, ExactlyOnce, Mode};

/// Runs a handler until Lambda stops it: one event at a time, and each once.
///
/// A handler that is not done shortly before its function's timeout is stopped, and only its
/// message fails. The rest of the batch waits for another invocation.
pub fn run<H, T, F>(handler: H) -> ExitCode
where
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    Runner::new().run(handler)
}

/// Options for running a handler: idempotency, concurrency, order.
///
/// ```no_run
/// # use atlassian_hooks_handler as atlassian_hooks;
/// # async fn handle(_: atlassian_hooks::Delivery) -> Result<(), atlassian_hooks::Error> { Ok(()) }
/// fn main() -> std::process::ExitCode {
///     atlassian_hooks::Runner::new().every_time().concurrency(10).run(handle)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Runner<M = ExactlyOnce> {
    mode: PhantomData<M>,
    concurrency: usize,
    in_order: bool,
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// The options of [`run`]: one event at a time, and each once.
    pub fn new() -> Self {
        Self { mode: PhantomData, concurrency: 1, in_order: false }
    }
}

impl<M> Runner<M> {
    /// Calls the handler at most once for a webhook, unless it returns an error. For effects that
    /// should rather be missing than happen twice.
    ///
    /// If the function is killed after it claimed the webhook, it is unknown whether the effect
    /// happened. No message takes over the claim, not even the one that made it: the message goes
    /// to the dead-letter queue with that reason, and `cargo hooks replay` handles it after all.
    #[must_use]
    pub fn claim_once(self) -> Runner<ClaimOnce> {
        self.in_mode()
    }

    /// Calls the handler once for a webhook that its sender repeats, with one write for most events
    /// instead of two.
    ///
    /// Completion is not recorded for the last event of a batch, nor for the only one. If SQS delivers
    /// a message again although it was handled, which is rare, the handler is called again. So is one
    /// whose function was killed, as with [`run`].
    #[must_use]
    pub fn deduplicate(self) -> Runner<Deduplicate> {
        self.in_mode()
    }

    /// Calls the handler for every message, duplicates included. For a handler that may safely run
    /// twice. Its function is smaller, because it links no DynamoDB client.
    #[must_use]
    pub fn every_time(self) -> Runner<EveryTime> {
        self.in_mode()
    }

    /// Handles this many events of a batch at the same time. For a handler that mostly waits.
    #[must_use]
    pub fn concurrency(self, events: usize) -> Self {
        Self { concurrency: events, ..self }
    }

    /// Handles the events of one tenant in a batch one after the other, and none behind one that
    /// failed. There is no order between batches, nor in what Atlassian sends: compare the
    /// timestamps of what you store.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    fn in_mode<N>(self) -> Runner<N> {
        let Self { mode: _, concurrency, in_order } = self;
        Runner { mode: PhantomData, concurrency, in_order }
    }
}

impl<M: Mode> Runner<M> {
    /// Runs a handler until Lambda stops it.
    pub fn run<H, T, F>(self, handler: H) -> ExitCode
    where
        H: Fn(Delivery<T>) -> F,
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        self.run_with(async || Ok(()), move |delivery, ()| handler(delivery))
    }

    /// Runs a handler with a state, which an async function makes once for each execution
    /// environment, before its first event: clients, connection pools, settings.
    ///
    /// Each call gets a clone. If the state cannot be made, the function does not start and logs
    /// why. No event is lost: each is received again.
    ///
    /// ```no_run
    /// # use atlassian_hooks_handler as atlassian_hooks;
    /// use atlassian_hooks::{Delivery, Error, Runner, jira};
    ///
    /// #[derive(Clone)]
    /// struct State {
    ///     project: String,
    /// }
    ///
    /// async fn settings() -> Result<State, Error> {
    ///     Ok(State { project: std::env::var("PROJECT")? })
    /// }
    ///
    /// async fn handle(delivery: Delivery<jira::IssueEvent>, state: State) -> Result<(), Error> {
    ///     println!("{} in {}", delivery.payload.issue.key, state.project);
    ///     Ok(())
    /// }
    ///
    /// fn main() -> std::process::ExitCode {
    ///     Runner::new().run_with(settings, handle)
    /// }
    /// ```
    pub fn run_with<I, S, H, T, F>(self, initialize: I, handler: H) -> ExitCode
    where
        I: AsyncFnOnce() -> Result<S, Error>,
        S: Clone,
        H: Fn(Delivery<T>, S) -> F,
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        runtime::start(async move {
            let initialize = async {
                initialize().await.map_err(|error| {
                    let error = runtime::chain(&*error);
                    Error::from(format!("the handler's state could not be made: {error}"))
                })
            };
            let (context, state) = tokio::try_join!(self.context(), initialize)?;
            let handler = |delivery| handler(delivery, state.clone());
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Batch>| {
                let deadline = event.context.deadline();
                Ok::<_, Error>(batch::run(event.payload, deadline, &context, &handler).await)
            }))
            .await
        })
    }

    /// Reads the environment variables that the template sets.
    async fn context(self) -> Result<BatchContext<M::Attempts>, Error> {
        let Self { mode: _, concurrency, in_order } = self;
        let aws = runtime::aws::config()?;
        let queue = Queue::from_environment(&aws)?;
        let attempts = M::attempts(&aws)?;
        tokio::join!(attempts.warm_up(), queue.warm_up());
        let objects = ObjectStore::from_environment(&aws);
        Ok(BatchContext { attempts, concurrency, in_order, queue: Some(queue), objects })
    }
}
