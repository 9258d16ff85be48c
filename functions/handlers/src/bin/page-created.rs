//! Confluence: a page was created.

use std::process::ExitCode;

use atlassian_hooks::{Delivery, Error, confluence};

async fn handle(delivery: Delivery<confluence::PageEvent>) -> Result<(), Error> {
    // `params` come from the webhook's entry in the descriptor, the same for every delivery.
    let wanted = delivery.params.get("space");
    tracing::info!(page.space_key = delivery.payload.page.space_key, wanted, "page created");
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
    async fn handles_page_created() {
        let body = include_str!("../../../../tests/events/confluence/page_created.json");
        let delivery = delivery("page_created", body);
        handle(delivery).await.unwrap();
    }
}
