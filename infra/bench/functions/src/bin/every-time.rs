//! A handler that is called for every message, and does nothing with it.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, Runner, jira};

async fn handle(_: Delivery<jira::IssueEvent>) -> Result<(), Error> {
    Ok(())
}

fn main() -> ExitCode {
    Runner::new().every_time().run(handle)
}
