//! A handler that does what its payload says.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handler::{Delivery, Error, Runner, give_up, retry_after};
use serde::Deserialize;

#[derive(Deserialize)]
struct Script {
    #[serde(default, rename = "do")]
    what: String,
    /// A file that is made by the first of several attempts: only that one does as the script says.
    #[serde(default)]
    once: Option<PathBuf>,
    /// How many milliseconds it takes, whatever it does.
    #[serde(default)]
    takes: u64,
}

/// What is made once for each environment: its number in the log.
#[derive(Clone)]
struct State {
    made_at: u128,
}

/// `HANDLER_STATE` says why there is no state, if there is none.
async fn initialize() -> Result<State, Error> {
    if let Some(why) = runtime::environment::optional("HANDLER_STATE") {
        return Err(why.into());
    }
    let made_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    tokio::task::yield_now().await;
    Ok(State { made_at })
}

async fn handle(delivery: Delivery, state: State) -> Result<(), Error> {
    let Script { what, once, takes } = delivery.payload.read()?;
    tracing::info!(delivery.id, state = state.made_at.to_string(), "script begun");
    // Even a sleep of nothing takes a tick of the clock.
    if takes > 0 {
        tokio::time::sleep(Duration::from_millis(takes)).await;
    }
    if once.is_none_or(|path| File::create_new(path).is_ok()) {
        match what.as_str() {
            "fail" => return Err("as scripted".into()),
            "give up" => return Err(give_up("as scripted, for good")),
            "give up at length" => return Err(give_up("\u{1F600}".repeat(600))),
            "later" => return Err(retry_after(Duration::from_secs(1), "as scripted, later")),
            "panic" => panic!("as scripted"),
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
        "script done"
    );
    Ok(())
}

/// `HANDLER_MODE` says how it is run: one word for each of the runner's settings.
fn main() -> ExitCode {
    let settings = runtime::environment::optional("HANDLER_MODE").unwrap_or_default();
    let mut mode = "";
    let runner = settings.split_whitespace().fold(Runner::new(), |runner, word| match word {
        "in_order" => runner.in_order(),
        "claim_once" | "deduplicate" | "every_time" => {
            mode = word;
            runner
        }
        concurrency => runner.concurrency(concurrency.parse().expect("a number or a setting")),
    });
    match mode {
        "claim_once" => runner.claim_once().run_with(initialize, handle),
        "deduplicate" => runner.deduplicate().run_with(initialize, handle),
        "every_time" => runner.every_time().run_with(initialize, handle),
        _ => runner.run_with(initialize, handle),
    }
}
