//! A handler that does what its payload says, for the tests.

use std::process::ExitCode;

use handlers::{Delivery, Error};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    #[serde(default, rename = "do")]
    what: String,
}

async fn handle(delivery: Delivery) -> Result<(), Error> {
    let Order { what } = delivery.payload.read()?;
    match what.as_str() {
        "fail" => return Err("as ordered".into()),
        "panic" => panic!("as ordered"),
        "exit" => std::process::exit(7),
        _ => (),
    }
    tracing::info!(
        delivery.id,
        payload = delivery.payload.as_str(),
        params = ?delivery.params,
        webhook = ?delivery.webhook,
        "obeyed"
    );
    Ok(())
}

fn main() -> ExitCode {
    handlers::run(handle)
}
