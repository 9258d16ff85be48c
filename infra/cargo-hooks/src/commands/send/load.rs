//! Many deliveries, measured.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::mix::Mix;
use super::{Source, Target, refusal};

/// The options of a load.
#[derive(clap::Args, Debug)]
#[group(id = "load")]
pub(super) struct Args {
    /// Deliveries a second. Each has its time, and its latency counts from that, even if it is sent late
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Most requests at once; 16 without it
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// How many demo sites of the local stack send them, in turn; see `cargo hooks local --sites`
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["url", "tenant"])]
    pub(super) tenants: Option<u16>,
    /// File with the events to send: a weight and an event on each line
    #[arg(long, value_name = "FILE")]
    pub(super) mix: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Host of --url, if it is yours to load: more than 10 deliveries, --rate and --concurrency need it
    /// unless the host is this machine
    #[arg(long, value_name = "HOST", requires = "url")]
    pub(super) i_own: Option<String>,
}

impl Args {
    /// The most deliveries that are no load.
    const FEW: u32 = 10;

    /// Whether the deliveries are measured together, instead of shown one by one.
    pub(super) fn is_wanted(&self, count: u32) -> bool {
        self.needs_own_host(count) || self.tenants.is_some() || self.mix.is_some() || self.json
    }

    /// Whether it is more than anybody may send to a host of somebody else.
    pub(super) fn needs_own_host(&self, count: u32) -> bool {
        count > Self::FEW || self.rate.is_some() || self.concurrency.is_some()
    }
}

/// Checks that a load goes to this machine, or to a host that is named as one's own.
pub(super) fn ensure_own(base_url: &str, own: Option<&str>) -> anyhow::Result<()> {
    let url = reqwest::Url::parse(base_url).ok();
    let host = url
        .as_ref()
        .and_then(reqwest::Url::host_str)
        .with_context(|| format!("{base_url} is not a base URL; write it as https://host/path"))?;
    match own {
        Some(own) => ensure!(
            own.eq_ignore_ascii_case(host),
            "--i-own names {own}, but the deliveries go to {host}; name that host if it is yours"
        ),
        None => ensure!(
            is_this_machine(host),
            "{host} is not this machine, and a load goes nowhere else; add `--i-own {host}` if that host \
             is yours, or send at most {} without --rate and --concurrency",
            Args::FEW
        ),
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

/// What was answered.
#[derive(Serialize)]
struct Report {
    sent: u64,
    accepted: u64,
    tenants: usize,
    seconds: f64,
    per_second: f64,
    /// By HTTP status, and `no answer`.
    statuses: BTreeMap<String, u64>,
    events: BTreeMap<String, u64>,
    /// From the time at which each was to be sent, of those that were answered.
    latency_ms: Latency,
}

#[derive(Default, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

/// A delivery and what became of it.
struct Outcome {
    source: usize,
    status: anyhow::Result<StatusCode>,
    latency: Duration,
}

/// Sends them on schedule, and prints a report.
///
/// # Errors
///
/// Fails if one was not accepted.
pub(super) async fn run(
    args: &Args,
    count: u32,
    client: reqwest::Client,
    target: Target,
    mut mix: Mix,
    sources: Vec<Source>,
) -> anyhow::Result<()> {
    let style = "{spinner} {pos}/{len} deliveries  {wide_bar}  {per_sec}  {elapsed}";
    // On a terminal alone.
    let bar = ProgressBar::new(count.into()).with_style(ProgressStyle::with_template(style)?);
    let places = Arc::new(Semaphore::new(args.concurrency.unwrap_or(16).into()));
    let shared = Arc::new((client, target, sources));
    let mut tasks = JoinSet::new();
    let mut outcomes = Vec::new();
    let mut turns = vec![0; shared.2.len()];
    let mut stopped = std::pin::pin!(tokio::signal::ctrl_c());
    let start = Instant::now();
    for number in 0..count {
        let due = args.rate.map(|rate| start + Duration::from_secs_f64(f64::from(number) / rate));
        let ready = async {
            if let Some(due) = due {
                sleep_until(due).await;
            }
            Arc::clone(&places).acquire_owned().await
        };
        let place = tokio::select! {
            place = ready => place?,
            _ = &mut stopped => break,
        };
        let due = due.unwrap_or_else(Instant::now);
        let source = mix.next();
        let turn = turns[source];
        turns[source] += 1;
        let (shared, bar) = (Arc::clone(&shared), bar.clone());
        tasks.spawn(async move {
            let (client, target, sources) = &*shared;
            let site = sources[source].site(turn);
            let sent = sources[source].send(client, target, site).await;
            let latency = due.elapsed();
            drop(place);
            bar.inc(1);
            Outcome { source, status: sent.map(|sent| sent.status), latency }
        });
        while let Some(outcome) = tasks.try_join_next() {
            outcomes.push(outcome?);
        }
    }
    while let Some(outcome) = tasks.join_next().await {
        outcomes.push(outcome?);
    }
    bar.finish_and_clear();
    let (_, target, sources) = &*shared;
    let report = Report::of(&outcomes, sources, start.elapsed());
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    if report.accepted == u64::from(count) {
        return Ok(());
    }
    // The first refusal explains the others best.
    let Some(first) = outcomes.into_iter().map(|outcome| outcome.status).find(is_no_success) else {
        bail!("{} of {count} deliveries were sent before it was stopped", report.sent);
    };
    let refused = report.sent - report.accepted;
    match first {
        Ok(status) => bail!("{refused} of {count}: {}", refusal::explained(status, target)),
        Err(error) => Err(error.context(format!("{refused} of {count}"))),
    }
}

fn is_no_success(status: &anyhow::Result<StatusCode>) -> bool {
    !status.as_ref().is_ok_and(StatusCode::is_success)
}

impl Report {
    fn of(outcomes: &[Outcome], sources: &[Source], took: Duration) -> Self {
        let (mut statuses, mut events) = (BTreeMap::new(), BTreeMap::new());
        let mut latencies = Vec::new();
        let mut accepted = 0;
        for Outcome { source, status, latency } in outcomes {
            let name = match status {
                Ok(status) => {
                    latencies.push(*latency);
                    accepted += u64::from(status.is_success());
                    status.as_u16().to_string()
                }
                Err(_) => "no answer".into(),
            };
            *statuses.entry(name).or_default() += 1;
            *events.entry(sources[*source].event.to_string()).or_default() += 1;
        }
        let mut tenants: Vec<_> =
            sources.iter().flat_map(|source| &source.sites).map(|site| &site.client_key).collect();
        tenants.sort_by_key(|tenant| tenant.as_str());
        tenants.dedup();
        let (sent, seconds) = (outcomes.len() as u64, took.as_secs_f64());
        Self {
            sent,
            accepted,
            tenants: tenants.len(),
            seconds,
            per_second: sent as f64 / seconds,
            statuses,
            events,
            latency_ms: Latency::of(latencies),
        }
    }
}

impl Latency {
    fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        // The smallest that this part of all does not exceed.
        let percentile = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100);
            latencies.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        Self { p50: percentile(50), p90: percentile(90), p99: percentile(99), max: percentile(100) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} deliveries of {} {} in {:.1} s, {:.1} a second",
            self.sent,
            self.tenants,
            if self.tenants == 1 { "tenant" } else { "tenants" },
            self.seconds,
            self.per_second
        )?;
        for (status, count) in &self.statuses {
            writeln!(f, "{status:>9}  {count}")?;
        }
        if self.events.len() > 1 {
            for (event, count) in &self.events {
                writeln!(f, "{count:>9}  {event}")?;
            }
        }
        let Latency { p50, p90, p99, max } = self.latency_ms;
        writeln!(f, "  latency  p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=100_000.0).contains(rate));
    rate.ok_or_else(|| "give a number from 0.001 to 100000".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_percentiles_by_rank() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(
            [latency.p50, latency.p90, latency.p99, latency.max].map(f64::round),
            [100.0, 180.0, 198.0, 200.0]
        );
        assert_eq!(Latency::of(vec![Duration::from_millis(7)]).p50, 7.0);
        assert_eq!(Latency::of(Vec::new()).max, 0.0);
    }

    #[test]
    fn loads_this_machine_and_ones_own_hosts() {
        for url in
            ["http://127.0.0.1:3000", "http://localhost/x", "http://a.localhost", "http://[::1]:1"]
        {
            assert!(ensure_own(url, None).is_ok(), "{url}");
        }
        assert!(ensure_own("https://App.example.com/v1", Some("app.example.com")).is_ok());
        for (url, own, words) in [
            ("https://app.example.com", None, "--i-own app.example.com"),
            ("http://127.0.0.1@app.example.com", None, "app.example.com is not this machine"),
            ("http://127.0.0.1.example.com", None, "is not this machine"),
            ("http://localhost.example.com", None, "is not this machine"),
            ("https://app.example.com", Some("example.com"), "go to app.example.com"),
            ("app.example.com", None, "is not a base URL"),
        ] {
            let error = ensure_own(url, own).unwrap_err().to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
    }
}
