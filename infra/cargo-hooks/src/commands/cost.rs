//! `cargo hooks cost`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use template::cost::{Bill, Idempotency, Rates, Workload};
use template::resources::Resources;

use super::local::parameter;
use crate::app::App;

/// Print what the app costs in a month, component by component
///
/// The template is read with its parameters and conditions, and multiplied by AWS's list prices of
/// us-east-1, without free tiers. Events are assumed to come evenly from all tenants to all URLs;
/// refused requests, attempts after the first, and what a handler does itself are not counted. With
/// --json, prices and assumptions are printed as well, each with its source.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks cost\n  \
        cargo hooks cost --events 50000 --tenants 20 --urls 5\n  \
        cargo hooks cost --parameter Tracing=Active\n  \
        cargo hooks cost --json | jq .totals")]
pub struct Args {
    /// Events in a month
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// Tenants that send them
    #[arg(long, value_name = "N", default_value_t = 100)]
    tenants: u64,
    /// URLs that they go to, each with a handler; those of the template without it
    #[arg(long, value_name = "N")]
    urls: Option<u32>,
    /// Size of a body in KB
    #[arg(long, value_name = "KB", default_value_t = 10.0)]
    size: f64,
    /// How handlers treat duplicates
    #[arg(long, value_name = "MODE", default_value = "run")]
    idempotency: Mode,
    /// Print one JSON document, with prices, assumptions and their sources
    #[arg(long)]
    json: bool,
    /// Template to read, in place of the app's template.yaml
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Value of a parameter of the template, in place of its default; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, String)>,
}

/// The idempotency mode of handlers.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Each webhook once: `atlassian_hooks::run`
    Run,
    /// At most once: `Runner::claim_once`
    ClaimOnce,
    /// Each once, with fewer writes: `Runner::deduplicate`
    Deduplicate,
    /// Duplicates as well: `Runner::every_time`
    EveryTime,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, its template cannot be read, or the workload cannot be.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut values = BTreeMap::new();
    for (name, value) in &args.parameter {
        if values.insert(name.clone(), value.clone()).is_some() {
            bail!("the parameter {name} is given twice; leave out one of the two");
        }
    }
    let (path, advice) = match &args.template {
        Some(path) => (path.clone(), "check the path after --template"),
        None => (App::find()?.template_path(), "write it with `cargo hooks template`"),
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read; {advice}", path.display()))?;
    let template = sam_template::parse(&text)?;
    let resources = Resources::of(&template, &values)?;
    let workload = Workload {
        events: args.events as f64,
        tenants: args.tenants as f64,
        urls: args.urls,
        size: args.size,
        idempotency: match args.idempotency {
            Mode::Run => Idempotency::Run,
            Mode::ClaimOnce => Idempotency::ClaimOnce,
            Mode::Deduplicate => Idempotency::Deduplicate,
            Mode::EveryTime => Idempotency::EveryTime,
        },
    };
    let bill = Bill::of(&resources, &workload, Rates::us_east_1())?;
    let text = if args.json { serde_json::to_string_pretty(&bill)? + "\n" } else { bill.table() };
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
