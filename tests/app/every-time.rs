//! A handler that may run twice. No event is sent to it; it shows what such a handler links.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, Runner};

async fn handle(delivery: Delivery) -> Result<(), Error> {
    tracing::info!(delivery.id, "handled");
    Ok(())
}

fn main() -> ExitCode {
    Runner::new().every_time().run(handle)
}
