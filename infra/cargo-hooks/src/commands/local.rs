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
use inspector::{Handlers, Journeys};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::binaries::{self, Profile};
use crate::demo::{Addresses, Demo};
use crate::session::Session;
use atlassian_simulator::{Atlassian, InstallKey, Site};
use sam_template_runner::deployment::Function;
use sam_template_runner::{LogLine, Stack};

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
    /// Port of the page that shows every delivery; 0 for any that is free
    #[arg(long, default_value_t = 0)]
    page_port: u16,
    /// Stop when the first webhook is handled
    #[arg(long)]
    once: bool,
    /// Print every log line as the functions wrote it
    #[arg(long)]
    verbose: bool,
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
        template: args.template.clone().unwrap_or_else(|| app.template_path()),
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

    let page = TcpListener::bind((Ipv4Addr::LOCALHOST, args.page_port)).await;
    let page = page.with_context(|| {
        format!("port {} is in use; choose another with --page-port, or 0", args.page_port)
    })?;
    let addresses = Addresses {
        base_url: stack.url().into(),
        sqs: stack.sqs_endpoint().into(),
        page: format!("http://{}", page.local_addr()?),
    };
    let sites = vec![Site::new(Product::Jira, "demo"), Site::new(Product::Confluence, "demo")];
    let demo =
        Demo::new(descriptor.clone(), atlassian, addresses.clone(), stack.deployment(), sites);
    let handlers = Handlers::of(stack.deployment());
    let journeys = Journeys::new(descriptor.clone(), handlers, "/");
    let following = journeys.clone();
    let (exchanges, lines) = (stack.exchanges(), stack.subscribe());
    tokio::spawn(async move { following.follow(exchanges, lines).await });
    let server = inspector::serve(
        page,
        journeys.clone(),
        demo.clone(),
        descriptor.key.clone(),
        std::future::pending(),
    );
    let server = tokio::spawn(server);

    let run = Run { descriptor: &descriptor, stack: &stack, demo: &demo, journeys: &journeys };
    let outcome = run.play(start, &args, &addresses.page).await;
    console::step("Stopping", "");
    server.abort();
    Session::remove(stack.url());
    stack.stop().await;
    outcome
}

struct Run<'a> {
    descriptor: &'a Descriptor,
    stack: &'a Stack,
    demo: &'a Demo,
    journeys: &'a Journeys,
}

impl Run<'_> {
    async fn play(&self, start: Instant, args: &Args, page: &str) -> anyhow::Result<()> {
        let mut stop = std::pin::pin!(told_to_stop());
        let mut changes = self.journeys.subscribe();
        let mut lines = self.stack.subscribe();
        let scene = async {
            for site in self.demo.sites() {
                self.install(&site).await?;
            }
            self.demo.write_session()?;
            journey::show(self.descriptor, self.demo, self.journeys).await
        };
        let printed = async {
            // Until then only what a function says itself: the steps say the rest.
            loop {
                match lines.recv().await {
                    Ok(line) => print(&line, args.verbose),
                    Err(RecvError::Lagged(lines)) => console::skipped(lines),
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            scene = scene => scene?,
            () = printed => {}
            told = &mut stop => return told,
        }
        console::step("Ready", &format!("in {:.1} s", start.elapsed().as_secs_f64()));
        if args.once {
            return Ok(());
        }
        console::usage(self.descriptor, self.stack.url(), page);
        let mut rows = console::Rows::default();
        for journey in self.journeys.all() {
            rows.skip(&journey);
        }
        loop {
            tokio::select! {
                told = &mut stop => return told,
                journey = changes.recv() => if let Ok(journey) = journey {
                    rows.show(&journey);
                },
                line = lines.recv() => match line {
                    Ok(line) => print(&line, args.verbose),
                    Err(RecvError::Lagged(lines)) => console::skipped(lines),
                    Err(RecvError::Closed) => bail!("the local stack stopped unexpectedly; see the log above"),
                },
            }
        }
    }

    async fn install(&self, site: &Site) -> anyhow::Result<()> {
        let answer = self.demo.call_back(Callback::Installed, site).await?;
        let who = format!("{} at {} as tenant {}", site.product, site.base_url, site.client_key);
        console::answered("installed", &who, &answer);
        if !answer.status.is_success() {
            bail!(
                "the install was refused with {}; see the log above, and run `cargo hooks check`",
                answer.status
            );
        }
        Ok(())
    }
}

fn print(line: &LogLine, verbose: bool) {
    if verbose { console::raw(line) } else { console::line(line) }
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
