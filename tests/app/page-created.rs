//! A handler that reads a payload type of Confluence's.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, confluence};

async fn handle(delivery: Delivery<confluence::PageEvent>) -> Result<(), Error> {
    tracing::info!(page.space_key = delivery.payload.page.space_key, "page created");
    Ok(())
}

fn main() -> ExitCode {
    atlassian_hooks::run(handle)
}
