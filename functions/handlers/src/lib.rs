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
//! cannot be read so, or is another event's, is an error, and the handler is not called. The text is
//! in the delivery in any case.
//!
//! Returning an error, or panicking, puts this one message back: it comes again after the queue's
//! visibility timeout, and after the fifth time it goes to the dead-letter queue. The same delivery
//! can come twice, so let the effect of the second be none.

mod batch;

pub use connect::delivery::Delivery;
pub use connect::event::{Event, confluence, jira};
pub use lambda::Error;

use std::process::ExitCode;

use aws_lambda_events::sqs::SqsEvent;
use connect::event::FromPayload;
use lambda_runtime::{LambdaEvent, service_fn};

/// Runs a handler until Lambda stops it.
///
/// A handler that is not done shortly before its function's timeout is stopped, and its message
/// fails alone; those behind it come again.
pub fn run<H, T, F>(handler: H) -> ExitCode
where
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    lambda::start(lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline = event.context.deadline();
        Ok::<_, Error>(batch::run(event.payload, deadline, &handler).await)
    })))
}
