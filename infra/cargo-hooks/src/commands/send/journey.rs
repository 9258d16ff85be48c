//! The journey of a delivery after its response, as the page of the local stack has it.

use std::time::Duration;

use anyhow::Context as _;
use inspector::{Journey, Outcome};
use tokio::time::{Instant, timeout_at};

use crate::session::Session;
use crate::terminal::escaped;

/// How long the next step may take.
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
    let deadline = Instant::now() + PATIENCE;
    let followed = timeout_at(deadline, print_until_end(client, session, request)).await;
    match followed {
        Ok(followed) => followed.with_context(|| {
            format!("the local stack does not say what became of it; see {}", session.page)
        }),
        Err(_) => {
            println!("  not at its end after {PATIENCE:?}; see {}", session.page);
            Ok(())
        }
    }
}

async fn print_until_end(
    client: &reqwest::Client,
    session: &Session,
    request: &str,
) -> anyhow::Result<()> {
    let url = format!("{}/api/stream?{request}", session.page);
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut received = Vec::new();
    let mut printed = Printed::default();
    while let Some(chunk) = response.chunk().await? {
        received.extend_from_slice(&chunk);
        while let Some(end) = received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let journey: Journey = serde_json::from_slice(data.trim_ascii())?;
            printed.print(&journey);
            if journey.outcome.is_final() {
                return Ok(());
            }
        }
    }
    anyhow::bail!("it stopped; start it again with `cargo hooks local`")
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
