//! Confluence: a page was created.

use std::process::ExitCode;

use handlers::{Delivery, Error};
use serde::Deserialize;

/// The part of the payload that this handler needs.
#[derive(Deserialize)]
struct PageCreated {
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    space_key: Option<String>,
}

async fn handle(delivery: Delivery) -> Result<(), Error> {
    let PageCreated { page } = delivery.payload.read()?;
    // `params` come from the webhook's entry in the descriptor, the same for every delivery.
    let wanted = delivery.params.get("space");
    tracing::info!(page.space_key, wanted, "page created");
    Ok(())
}

fn main() -> ExitCode {
    handlers::run(handle)
}
