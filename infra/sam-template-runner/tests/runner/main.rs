//! Stacks with a real function: `scripted.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lambda;
mod template;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The longest that anything real may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The folder with the binary of the function, which cargo builds as an example of this package.
fn binaries() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    assert!(
        folder.join("scripted").is_file(),
        "the function is not built: run `cargo build --package sam-template-runner --example scripted`"
    );
    folder
}

/// A text with every `from` replaced. Without one the test would go on with the unchanged text, so
/// that is a panic.
#[track_caller]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no {from:?} to replace in:\n{text}");
    text.replace(from, to)
}

/// Asks again until the answer is there.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether there is a process with this id, be it a zombie.
fn is_there(process: u64) -> bool {
    PathBuf::from(format!("/proc/{process}")).exists()
}

/// Whether there is a process with this id that is more than a zombie.
fn is_running(process: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    // The first thread turns into a zombie before the others have ended.
    let is_dead = status.contains("State:\tZ") && status.contains("Threads:\t1\n");
    !status.is_empty() && !is_dead
}
