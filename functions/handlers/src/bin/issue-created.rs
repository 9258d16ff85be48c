//! Jira: an issue was created.

use std::process::ExitCode;

use handlers::{Delivery, Error};
use serde::Deserialize;

/// The part of the payload that this handler needs.
#[derive(Deserialize)]
struct IssueCreated {
    issue: Issue,
}

#[derive(Deserialize)]
struct Issue {
    key: String,
}

async fn handle(delivery: Delivery) -> Result<(), Error> {
    let IssueCreated { issue } = delivery.payload.read()?;
    tracing::info!(issue.key, "issue created");
    Ok(())
}

fn main() -> ExitCode {
    handlers::run(handle)
}
