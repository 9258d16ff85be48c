//! A local run: the stack, the simulated sites, and the journey of one delivery.

mod console;
mod journey;
mod session;

pub use session::Session;

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
use atlassian_simulator::{Atlassian, InstallKey, Site};
use sam_template_runner::Stack;
use sam_template_runner::deployment::Function;

/// What a user can choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port of the HTTP API; 0 for any that is free.
    pub port: u16,
    /// The template to run; the app's own if there is none.
    pub template: Option<PathBuf>,
    /// Where tables and queues are kept; in memory if nowhere.
    pub state: Option<PathBuf>,
    /// How the functions are built.
    pub profile: Profile,
    /// How many environments of one function run at once.
    pub concurrency: usize,
    /// Whether to stop after the journey.
    pub once: bool,
}

/// Builds, starts, plays Atlassian once, and stays up until it is told to stop.
///
/// # Errors
///
/// When something could not be built or started, or the delivery did not arrive.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let app = App::find()?;
    let descriptor = app.descriptor()?;
    console::step("Building", "the functions");
    let binaries = binaries::build(app, options.profile).await?;

    let start = Instant::now();
    let key = tokio::task::spawn_blocking(InstallKey::generate).await??;
    let atlassian = Atlassian::start(key).await?;
    let keys_url = atlassian.keys_url().to_owned();
    let stack = Stack::start(sam_template_runner::Options {
        template: options.template.unwrap_or_else(|| app.template_path()),
        binaries,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)),
        parameters: BTreeMap::from([("InstallKeysUrl".into(), keys_url)]),
        url_parameter: Some("BaseUrl".to_owned()),
        state: options.state.clone(),
        concurrency: options.concurrency,
    })
    .await?;
    let kept = options.state.as_ref().map(|folder| folder.display().to_string());
    console::step("Started", &format!("{} ({})", stack.url(), summary(&stack)));
    console::step("Keeping", &kept.unwrap_or_else(|| "tables and queues in memory".into()));
    let encrypts = |function: &Function| function.environment.contains_key(variable::TENANTS_KEY);
    if stack.deployment().functions.values().any(encrypts) {
        console::step("Encrypting", "tenants' secrets, with a key of this stack");
    } else {
        console::step("Encrypting", "nothing: no function has the variable TENANTS_KEY");
    }

    let outcome = play(&descriptor, &stack, &atlassian, start, options.once).await;
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
    once: bool,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(told_to_stop());
    let sites = [Site::new(Product::Jira, "demo"), Site::new(Product::Confluence, "demo")];
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
