//! A handler that reads a payload type of Jira's.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, jira};

async fn handle(delivery: Delivery<jira::IssueEvent>) -> Result<(), Error> {
    tracing::info!(issue.key = delivery.payload.issue.key, "issue created");
    Ok(())
}

fn main() -> ExitCode {
    atlassian_hooks::run(handle)
}
