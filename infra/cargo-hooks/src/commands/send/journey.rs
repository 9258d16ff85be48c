//! The journey of a delivery after its response, as the page of the local stack has it.

use std::ops::ControlFlow;
use std::time::Duration;

use inspector::{Journey, Outcome};
use tokio::time::timeout;

use crate::session::{Session, follow as follow_journeys};
use crate::terminal::escaped;

/// How long the journey may take before it is left to itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints each step of a request until it is at its end.
///
/// # Errors
///
/// Fails if the local stack does not say what became of it.
pub(super) async fn follow(
    client: &reqwest::Client,
    session: &Session,
    request: &str,
) -> anyhow::Result<()> {
    let mut printed = Printed::default();
    let followed = follow_journeys(client, session, Some(request), |journey| {
        let is_settled = journey.is_settled();
        if is_settled || !journey.outcome.is_final() {
            printed.print(journey);
        }
        Ok(if is_settled { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    match timeout(PATIENCE, followed).await {
        Ok(followed) => followed,
        Err(_) => {
            println!("{:>12} not at its end after {PATIENCE:?}; see {}", "", session.page);
            Ok(())
        }
    }
}

/// What was printed already.
#[derive(Default)]
struct Printed {
    is_queued: bool,
    attempts: usize,
}

impl Printed {
    fn print(&mut self, journey: &Journey) {
        if let (false, Some(message)) = (self.is_queued, &journey.message) {
            self.is_queued = true;
            println!("{:>12} as message {message}", "queued");
        }
        let handler = journey.handler.as_deref().unwrap_or("?");
        for attempt in journey.attempts.iter().skip(self.attempts) {
            let Some(error) = &attempt.error else { continue };
            let error = escaped(error);
            match attempt.retry_seconds {
                Some(delay) => println!(
                    "{:>12} in {handler}, attempt {}, next in {delay} s: {error}",
                    "failed", attempt.number,
                ),
                None => println!(
                    "{:>12} by {handler} after attempt {}: {error}",
                    "given up", attempt.number,
                ),
            }
        }
        self.attempts = journey.attempts.len();
        let took = journey.ended_ms.unwrap_or(journey.answered_ms);
        match journey.outcome {
            Outcome::Queued | Outcome::Retrying => {}
            Outcome::Handled => {
                println!("{:>12} by {handler}, {took} ms after it was sent", "handled")
            }
            Outcome::Duplicate => {
                println!(
                    "{:>12} of a webhook that was handled before; nothing was called",
                    "duplicate"
                );
            }
            Outcome::DeadLettered => {
                let id = &journey.id;
                println!("{:>12} cargo hooks replay --delivery {id}", "again with");
            }
            Outcome::Rejected | Outcome::Answered => {
                let reason = journey.reason.as_deref().unwrap_or("no reason was logged");
                let detail = journey.detail.as_deref().unwrap_or_default();
                println!("{:>12} {reason}: {}", "refused", escaped(detail));
            }
        }
    }
}
