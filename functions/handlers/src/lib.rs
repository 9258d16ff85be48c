//! From a message on the queue to your function.
//!
//! A handler is one async function from a [`Delivery`] to a result, in a file of its own in
//! `src/bin`. The file's name is the handler's: the slug of the webhook's URL, or what `handler`
//! among the webhook's `params` says.
//!
//! ```no_run
//! use handlers::{Delivery, Error, jira};
//!
//! async fn handle(delivery: Delivery<jira::IssueEvent>) -> Result<(), Error> {
//!     println!("{} in {} of {}", delivery.event, delivery.payload.issue.key, delivery.tenant);
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     handlers::run(handle)
//! }
//! ```
//!
//! What stands between the brackets is what the payload is read as: the payload type of the events
//! it handles, as [`connect::event::TABLE`] lists them; [`Event`], to match on events of many kinds;
//! or nothing, `Delivery`, for the text alone. See [`connect::event::FromPayload`]. A payload that
//! lacks what the type needs, or is another event's, is an error, and the handler is not called. Any
//! other field that is odd is left out, and `delivery.reading` says where. The text is in the delivery
//! in any case.
//!
//! # When it fails
//!
//! Any error, and a panic, puts this one message back. It comes again after half a minute, two
//! minutes, eight, and half an hour, give or take, and after the fifth time it goes to the
//! dead-letter queue with the error as its reason. A handler can say more with the error it returns:
//! [`retry_after`] a time that somebody asked for, or [`give_up`] at once.
//!
//! ```
//! use std::time::Duration;
//! use handlers::{Delivery, Error, give_up, retry_after};
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
//! Atlassian repeats what it got no answer for, and SQS delivers at least once. So a table knows what
//! was handled, for fourteen days, and a handler chooses how careful that is:
//!
//! | | what it means | writes for an event | $ for a million |
//! |---|---|---|---|
//! | [`run`] | its effect happens once: a handler that ends half-way is called again, one that ended is not | 2 | 1.25 |
//! | [`Runner::claim_once`] | the first message with a webhook is handled, any other is not | 1 | 0.62 |
//! | [`Runner::every_time`] | whatever comes is handled; for a handler that can be repeated | 0 | 0 |
//!
//! "Once" ends where a function is killed between its effect and the write that records it: nobody
//! outside of the effect's own transaction can promise more. A webhook is known by its tenant and
//! Jira's identifier, or else by a hash of its body, if that has a timestamp.

mod batch;
mod handled;
mod queue;
mod verdict;

pub use connect::delivery::Delivery;
pub use connect::event::{Event, confluence, jira};
pub use handled::{Begun, Handled, Unavailable};
pub use lambda::Error;
pub use queue::Queue;
pub use verdict::{LONGEST_DELAY, give_up, retry_after};

use std::process::ExitCode;

use aws_lambda_events::sqs::SqsEvent;
use bodies::Bodies;
use connect::event::FromPayload;
use lambda::environment::required;
use lambda_runtime::{LambdaEvent, service_fn};

use batch::Bench;

/// Runs a handler until Lambda stops it: one event at a time, and each once.
///
/// A handler that is not done shortly before its function's timeout is stopped, and its message
/// fails alone; those behind it come again at once.
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
/// # async fn handle(_: handlers::Delivery) -> Result<(), handlers::Error> { Ok(()) }
/// fn main() -> std::process::ExitCode {
///     handlers::Runner::new().every_time().concurrency(10).run(handle)
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

    /// Handles the first message with a webhook, and no other one. For half the price, and for
    /// effects that must rather be missing than happen twice: a function that is killed half-way has
    /// its own message again, but what SQS itself moved to the dead-letter queue is handled again
    /// only by `cargo hooks replay`.
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
        lambda::start(async move {
            let bench = self.bench().await?;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
                let deadline = event.context.deadline();
                Ok::<_, Error>(batch::run(event.payload, deadline, &bench, &handler).await)
            }))
            .await
        })
    }

    /// What the template gave the function.
    async fn bench(self) -> Result<Bench, Error> {
        let Self { mode, concurrency, in_order } = self;
        let aws = lambda::aws::config()?;
        let queue = Queue::from_environment(&aws)?;
        let handled = match mode {
            Mode::EveryTime => None,
            Mode::ExactlyOnce | Mode::ClaimOnce => {
                Some(Handled::new(&aws, required(Handled::VARIABLE)?))
            }
        };
        let warm_up = async {
            if let Some(handled) = &handled {
                handled.warm_up().await;
            }
        };
        tokio::join!(warm_up, queue.warm_up());
        let bodies = Bodies::from_environment(&aws);
        Ok(Bench { mode, concurrency, in_order, handled, queue: Some(queue), bodies })
    }
}
