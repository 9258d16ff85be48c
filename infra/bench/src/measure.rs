//! The measures: instructions, CPU time, memory.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::environment::{Environment, Program, Tool, callgrind, collected};
use crate::services::Services;
use crate::share::Share;

/// Makes the event of each invocation.
pub(crate) trait Events: Fn() -> anyhow::Result<String> {}

impl<F: Fn() -> anyhow::Result<String>> Events for F {}

/// The instructions of one invocation: the difference between many and few of them, without what the
/// process does once.
pub(crate) async fn warm_instructions(
    program: &Program,
    events: impl Events,
    few: u32,
    many: u32,
    folder: &Path,
) -> anyhow::Result<u64> {
    let few_of_them = instructions(program, &events, few, folder).await?;
    let many_of_them = instructions(program, &events, many, folder).await?;
    Ok(many_of_them.saturating_sub(few_of_them) / u64::from(many - few))
}

/// The instructions from the start of the process until it has answered once, with one connection to each of so
/// many services. `None` if the machine was too busy: by valgrind the function then exceeds its own time limits,
/// and connects again or answers before it has connected to all of them.
pub(crate) async fn cold_instructions(
    program: &Program,
    events: impl Events,
    services: &Services,
    connected: usize,
    folder: &Path,
) -> anyhow::Result<Option<u64>> {
    for _ in 0..COLD_TRIES {
        services.connections();
        let counted = instructions(program, &events, 1, folder).await?;
        let connections = services.connections();
        let is_to = |number| connections.iter().filter(|to| **to == number).count();
        if is_to(1) == connected && is_to(0) == connections.len() - connected {
            return Ok(Some(counted));
        }
    }
    Ok(None)
}

/// How often a cold start is counted until each service has one connection.
const COLD_TRIES: u32 = 12;

async fn instructions(
    program: &Program,
    events: &impl Events,
    invocations: u32,
    folder: &Path,
) -> anyhow::Result<u64> {
    let mut environment = Environment::start(program, Tool::Callgrind, folder).await?;
    invoke(&mut environment, events, invocations).await?;
    environment.stop_and_count().await
}

/// The instructions of a program that ends by itself.
pub(crate) async fn whole_run(
    program: &Program,
    arguments: [&str; 4],
    folder: &Path,
) -> anyhow::Result<u64> {
    let counts = folder.join(format!("{}.counts", program.name));
    let mut valgrind = callgrind(&program.executable, &counts);
    let output = valgrind.args(arguments).output().await?;
    if !output.status.success() {
        bail!("{} failed: {}", program.name, String::from_utf8_lossy(&output.stderr));
    }
    collected(&counts)
}

/// The number of nanoseconds that a program prints. A script comes before the other arguments.
pub(crate) async fn printed(
    executable: &Path,
    script: Option<&Path>,
    arguments: [&str; 4],
) -> anyhow::Result<Duration> {
    let output = Command::new(executable).args(script).args(arguments).output().await?;
    let name = script.unwrap_or(executable).display();
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let nanoseconds = text.trim().parse();
    Ok(Duration::from_nanos(nanoseconds.with_context(|| format!("{name} prints {text}"))?))
}

/// What one invocation of a warm process takes, and the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// The median CPU time of an invocation.
    pub(crate) cpu: Duration,
    /// The median time from an event to its answer.
    pub(crate) wall: Duration,
    /// The largest resident set, in bytes.
    pub(crate) memory: u64,
}

/// How many invocations are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    /// Invocations before the first round: caches are filled, and what is compiled at run time is.
    pub(crate) before: u32,
    /// Rounds, of which the median counts.
    pub(crate) rounds: u32,
    /// Invocations in a round.
    pub(crate) invocations: u32,
}

/// What invocations of several programs take. Their rounds are interleaved, so that what else the machine
/// does concerns all of them.
pub(crate) async fn warm(
    programs: &[Program],
    events: impl Events,
    rounds: Rounds,
    folder: &Path,
) -> anyhow::Result<Vec<Used>> {
    let mut environments = Vec::new();
    for program in programs {
        let mut environment = Environment::start(program, Tool::None, folder).await?;
        invoke(&mut environment, &events, rounds.before).await?;
        environments.push((environment, Vec::new(), Vec::new()));
    }
    for _ in 0..rounds.rounds {
        for (environment, cpu, wall) in &mut environments {
            let before = environment.cpu_time()?;
            let waited = invoke(environment, &events, rounds.invocations).await?;
            let spent = environment.cpu_time()?.saturating_sub(before);
            cpu.push(spent / rounds.invocations);
            wall.push(waited / rounds.invocations);
        }
    }
    let mut used = Vec::new();
    for (environment, cpu, wall) in environments {
        let memory = environment.peak_memory()?;
        used.push(Used { cpu: median(cpu), wall: median(wall), memory });
        environment.stop().await?;
    }
    Ok(used)
}

/// The CPU time of several programs from the start of the process until it has answered once: the median of
/// interleaved starts.
pub(crate) async fn cold(
    programs: &[Program],
    events: impl Events,
    starts: u32,
    folder: &Path,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = vec![Vec::new(); programs.len()];
    for _ in 0..starts {
        for (program, times) in programs.iter().zip(&mut times) {
            let mut environment = Environment::start(program, Tool::None, folder).await?;
            invoke(&mut environment, &events, 1).await?;
            times.push(environment.cpu_time()?);
            environment.stop().await?;
        }
    }
    Ok(times.into_iter().map(median).collect())
}

/// The time of the first invocation of several programs, which had the whole processor until they asked for
/// it and have the share of a function with some memory from then on: interleaved starts, the fastest first.
/// `None` if this machine gives no shares.
pub(crate) async fn first(
    programs: &[Program],
    events: impl Events,
    starts: u32,
    megabytes: u32,
    folder: &Path,
) -> anyhow::Result<Option<Vec<Vec<Duration>>>> {
    let mut times = vec![Vec::new(); programs.len()];
    for _ in 0..starts {
        for (program, times) in programs.iter().zip(&mut times) {
            let Some(share) = Share::of_memory(megabytes) else { return Ok(None) };
            let mut environment = Environment::start(program, Tool::None, folder).await?;
            environment.idle().await?;
            share.limit(environment.process_id()?)?;
            times.push(invoke(&mut environment, &events, 1).await?);
            environment.stop().await?;
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    Ok(Some(times))
}

/// Invokes a function, and waits until it is idle. Each of its answers must be a success. Returns the time
/// that it took to answer, of all invocations together.
pub(crate) async fn invoke(
    environment: &mut Environment,
    events: &impl Events,
    invocations: u32,
) -> anyhow::Result<Duration> {
    let mut waited = Duration::ZERO;
    for _ in 0..invocations {
        let event = events()?;
        let begun = Instant::now();
        let answer = environment.invoke(event).await?;
        waited += begun.elapsed();
        if !is_success(&answer) {
            bail!("a function that is measured has answered {answer}");
        }
    }
    environment.idle().await?;
    Ok(waited)
}

/// Whether a receiver has queued a webhook, or a handler has handled its batch.
fn is_success(answer: &Value) -> bool {
    match answer.get("statusCode") {
        Some(status) => status.as_u64().is_some_and(|status| (200..300).contains(&status)),
        None => answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty),
    }
}

/// The middle of some times.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_no_refusal_and_no_failure_as_a_success() {
        assert!(is_success(&json!({ "statusCode": 204 })));
        assert!(!is_success(&json!({ "statusCode": 401 })));
        assert!(is_success(&json!({ "batchItemFailures": [] })));
        assert!(!is_success(&json!({ "batchItemFailures": [{ "itemIdentifier": "a" }] })));
    }

    #[test]
    fn takes_the_middle_of_the_times() {
        let times = [9, 1, 3].map(Duration::from_secs).to_vec();
        assert_eq!(median(times), Duration::from_secs(3));
    }
}
