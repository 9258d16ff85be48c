//! Jira: an issue was created.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, jira};

async fn handle(delivery: Delivery<jira::IssueEvent>) -> Result<(), Error> {
    tracing::info!(issue.key = delivery.payload.issue.key, "issue created");
    Ok(())
}

fn main() -> ExitCode {
    atlassian_hooks::run(handle)
}

#[cfg(test)]
mod tests {
    use atlassian_hooks::testing::delivery;

    use super::*;

    #[tokio::test]
    async fn handles_issue_created() {
        let body = include_str!("../../../../tests/events/jira/jira_issue_created.json");
        let delivery = delivery("jira:issue_created", body);
        handle(delivery).await.unwrap();
    }
}
