//! A handler that does nothing, in the mode that `MODE` names, for as many events at once as
//! `CONCURRENCY` says.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, Runner, jira};

async fn handle(_: Delivery<jira::IssueEvent>) -> Result<(), Error> {
    Ok(())
}

fn main() -> ExitCode {
    let runner = Runner::new().concurrency(variable("CONCURRENCY").parse().unwrap_or(1));
    match variable("MODE").as_str() {
        "deduplicate" => runner.deduplicate().run(handle),
        "every_time" => runner.every_time().run(handle),
        _ => runner.run(handle),
    }
}

#[expect(clippy::disallowed_methods, reason = "without a value it is run as by default")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
