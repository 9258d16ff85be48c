//! `cargo hooks local`: the stack, the simulated sites, and the journey of one delivery.

mod console;
mod journey;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use contract::variable;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::binaries::{self, Profile};
use crate::session::Session;
use atlassian_simulator::{Atlassian, InstallKey, Site};
use sam_template_runner::Stack;
use sam_template_runner::deployment::Function;

/// Build the functions and run all of template.yaml on this machine
///
/// The functions run as they are deployed, each in processes of its own, behind a local HTTP API, with
/// a DynamoDB and an SQS that run inside this command. Two demo sites, a Jira and a Confluence, install
/// the app, one sends a webhook, and its way to the handler is shown. The stack runs until Ctrl-C.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks local\n  \
        cargo hooks local --once              # as a smoke test in CI\n  \
        cargo hooks local --state .hooks/state")]
pub struct Args {
    /// Port of the HTTP API; 0 for any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Template to run; template.yaml without it
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Folder in which tables and queues survive a restart; without it they are kept in memory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Build the functions as they are deployed: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// Most processes of one function at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Demo sites of each product, for `cargo hooks send --tenants`
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    sites: u16,
    /// Stop when the first webhook is handled
    #[arg(long)]
    once: bool,
}

/// Builds, starts, plays Atlassian once, and stays up until it is told to stop.
///
/// # Errors
///
/// When something could not be built or started, or the delivery did not arrive.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let app = App::find()?;
    let descriptor = app.descriptor()?;
    console::step("Building", "the functions");
    let profile = if args.release { Profile::Release } else { Profile::Dev };
    let binaries = binaries::build(app, profile).await?;

    let start = Instant::now();
    let key = tokio::task::spawn_blocking(InstallKey::generate).await??;
    let atlassian = Atlassian::start(key).await?;
    let keys_url = atlassian.keys_url().to_owned();
    let stack = Stack::start(sam_template_runner::Options {
        template: args.template.unwrap_or_else(|| app.template_path()),
        binaries,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        parameters: BTreeMap::from([("InstallKeysUrl".into(), keys_url)]),
        url_parameter: Some("BaseUrl".to_owned()),
        state: args.state.clone(),
        concurrency: args.concurrency.into(),
    })
    .await?;
    let kept = args.state.as_ref().map(|folder| folder.display().to_string());
    console::step("Started", &format!("{} ({})", stack.url(), summary(&stack)));
    console::step("Keeping", &kept.unwrap_or_else(|| "tables and queues in memory".into()));
    let encrypts = |function: &Function| function.environment.contains_key(variable::TENANTS_KEY);
    if stack.deployment().functions.values().any(encrypts) {
        console::step("Encrypting", "tenants' secrets, with a key of this stack");
    } else {
        console::step("Encrypting", "nothing: no function has the variable TENANTS_KEY");
    }

    let outcome = play(&descriptor, &stack, &atlassian, start, args.sites, args.once).await;
    console::step("Stopping", "");
    Session::remove(stack.url());
    stack.stop().await;
    outcome
}

async fn play(
    descriptor: &Descriptor,
    stack: &Stack,
    atlassian: &Atlassian,
    start: Instant,
    sites: u16,
    once: bool,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(told_to_stop());
    let sites: Vec<Site> = (1..=sites)
        .map(|number| if number == 1 { "demo".into() } else { format!("demo-{number}") })
        .flat_map(|name| [Product::Jira, Product::Confluence].map(|of| Site::new(of, &name)))
        .collect();
    let scene = async {
        for site in &sites {
            install(descriptor, stack, atlassian, site).await?;
        }
        Session::new(stack.url(), stack.sqs_endpoint(), &sites).write()?;
        journey::show(descriptor, stack, atlassian, &sites).await
    };
    tokio::select! {
        scene = scene => scene?,
        told = &mut stop => return told,
    }
    console::step("Ready", &format!("in {:.1} s", start.elapsed().as_secs_f64()));
    if once {
        return Ok(());
    }
    console::usage(descriptor, stack.url());
    let mut log = stack.subscribe();
    loop {
        tokio::select! {
            told = &mut stop => return told,
            line = log.recv() => match line {
                Ok(line) => console::line(&line),
                Err(RecvError::Lagged(lines)) => console::skipped(lines),
                Err(RecvError::Closed) => bail!("the stack stopped by itself"),
            },
        }
    }
}

async fn install(
    descriptor: &Descriptor,
    stack: &Stack,
    atlassian: &Atlassian,
    site: &Site,
) -> anyhow::Result<()> {
    let url = descriptor.lifecycle.installed.as_deref();
    let url = url.context("the descriptor declares no lifecycle.installed")?;
    let answer =
        atlassian.call_back(Callback::Installed, &descriptor.key, stack.url(), url, site).await?;
    let who = format!("{} at {} as tenant {}", site.product, site.base_url, site.client_key);
    console::answered("installed", &who, &answer);
    if !answer.status.is_success() {
        bail!(
            "the install was refused with {}; is template.yaml what the descriptor asks for? \
             `cargo hooks check` says",
            answer.status
        );
    }
    Ok(())
}

fn summary(stack: &Stack) -> String {
    let deployment = stack.deployment();
    format!(
        "{} functions, {} queues, {} tables",
        deployment.functions.len(),
        deployment.queues.len(),
        deployment.tables.len(),
    )
}

/// Ctrl-C, or a polite kill.
async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        told = tokio::signal::ctrl_c() => told?,
        _ = terminate.recv() => (),
    }
    Ok(())
}
