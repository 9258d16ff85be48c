//! A handler that reads what Connect and Forge have in common.

use std::process::ExitCode;

use atlassian_hooks::change::IssueChange;
use atlassian_hooks::{Delivery, Error};

async fn handle(delivery: Delivery<IssueChange>) -> Result<(), Error> {
    let change = &delivery.payload;
    tracing::info!(
        sender = delivery.sender.as_str(),
        action = ?change.action,
        issue.id = %change.issue.id,
        issue.key = change.issue.key,
        actor = change.actor,
        changed = ?change.changes.iter().filter_map(|c| c.field_id.as_deref()).collect::<Vec<_>>(),
        "issue changed"
    );
    Ok(())
}

fn main() -> ExitCode {
    atlassian_hooks::run(handle)
}
