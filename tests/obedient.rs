//! A handler that does what its payload says, for the tests.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use handlers::{Delivery, Error, give_up, retry_after};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    #[serde(default, rename = "do")]
    what: String,
    /// A file that is made by the first of several attempts: only that one does as it is told.
    #[serde(default)]
    once: Option<PathBuf>,
}

async fn handle(delivery: Delivery) -> Result<(), Error> {
    let Order { what, once } = delivery.payload.read()?;
    if once.is_none_or(|path| File::create_new(path).is_ok()) {
        match what.as_str() {
            "fail" => return Err("as ordered".into()),
            "give up" => return Err(give_up("as ordered, for good")),
            "give up at length" => return Err(give_up("\u{1F600}".repeat(600))),
            "later" => return Err(retry_after(Duration::from_secs(1), "as ordered, later")),
            "panic" => panic!("as ordered"),
            "hang" => std::future::pending().await,
            "exit" => std::process::exit(7),
            _ => (),
        }
    }
    let text = delivery.payload.as_str();
    tracing::info!(
        delivery.id,
        bytes = text.len(),
        payload = if text.len() < 10_000 { text } else { "long" },
        params = ?delivery.params,
        webhook = ?delivery.webhook,
        "obeyed"
    );
    Ok(())
}

fn main() -> ExitCode {
    handlers::run(handle)
}
