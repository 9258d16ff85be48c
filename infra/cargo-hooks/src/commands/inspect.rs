//! `cargo hooks inspect`: an app that subscribes to every event, and shows each.

mod every_event;
mod print;

pub(super) use every_event::HANDLER;
pub use every_event::function;

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::event::{EventName, EventSpec, Product, TABLE};
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::samples::fresh;
use atlassian_simulator::{Atlassian, InstallKey, Site};
use futures_util::{StreamExt as _, stream};
use inspector::{Journey, Journeys, Kind, Outcome, Tampering, Verdict};
use jiff::Timestamp;
use reqwest::Url;
use sam_template_runner::Stack;
use tempfile::TempDir;
use template::configuration::Configuration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::demo::{Demo, Page};
use print::{Form, print};
use template::check::closest_event;

/// Show every event of Jira and Confluence: its body, and what becomes of it
///
/// Runs an app that subscribes to every event, one URL each, on this machine, whatever the app in this
/// folder declares; there need not be one. Each event is generated once, signed, and takes the whole
/// way: HTTP API, receiver, queue, handler. Its body is printed with what the receiver made of it.
///
/// With --listen, real products send the events: name the URL of your tunnel with --base-url, and
/// install the descriptor that is printed.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks inspect\n  \
        cargo hooks inspect --event jira:issue_created page_created\n  \
        cargo hooks inspect --product confluence --quiet\n  \
        cargo hooks inspect --json | jq 'select(.reading != \"read\")'\n  \
        cargo hooks inspect --listen --base-url https://example.ngrok.app --port 3000")]
pub struct Args {
    /// Only these events
    #[arg(long, value_name = "NAME", num_args = 1..)]
    event: Vec<String>,
    /// Only events of this product: jira or confluence
    #[arg(long, value_parser = product)]
    product: Option<Product>,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print one row an event, without its body
    #[arg(long)]
    quiet: bool,
    /// Generate nothing: stay up, and print what products send
    #[arg(long)]
    listen: bool,
    /// URL under which products reach this machine, such as that of a tunnel
    #[arg(long, value_name = "URL", requires = "listen")]
    base_url: Option<Url>,
    /// Port of the HTTP API; 0 for any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the page that shows every delivery; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    page_port: u16,
}

impl Args {
    fn form(&self) -> Form {
        match (self.json, self.quiet) {
            (true, _) => Form::Json,
            (_, true) => Form::Row,
            _ => Form::Body,
        }
    }
}

/// Runs it.
///
/// # Errors
///
/// Fails if an event is unknown, the stack cannot be started, or an event did not take the whole way.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let events = chosen(&args)?;
    let descriptor = Descriptor::parse(&every_event::descriptor(&events).to_string())?;
    let folder = tempfile::tempdir()?;
    let (stack, atlassian) = start(&args, &descriptor, &folder).await?;
    let page = Page::bind(args.page_port).await?;
    let demo = Demo::open(
        descriptor,
        atlassian,
        page.beside(&stack),
        stack.deployment(),
        vec![Site::new(Product::Jira, "inspector"), Site::new(Product::Confluence, "inspector")],
        None,
    )?;
    let base_path = args.base_url.as_ref().map_or("/", Url::path).to_owned();
    let (url, journeys) = page.serve(&stack, &demo, &base_path);
    // From before the first line on, so that whoever reads it can stop this.
    let mut interrupt = signal(SignalKind::interrupt())?;
    eprintln!("every delivery: {url}");
    let outcome = if args.listen {
        let base_url = args.base_url.as_ref().map_or(stack.url(), Url::as_str);
        eprintln!(
            "descriptor to install: {}{}; stop with Ctrl-C",
            base_url.trim_end_matches('/'),
            Descriptor::PATH
        );
        tokio::select! {
            outcome = listen(&journeys, args.form()) => outcome,
            _ = interrupt.recv() => Ok(()),
        }
    } else {
        tokio::select! {
            outcome = generate(&args, &events, &demo, &journeys) => outcome,
            _ = interrupt.recv() => Ok(()),
        }
    };
    stack.stop().await;
    outcome
}

/// The lines of the event table that were asked for.
fn chosen(args: &Args) -> anyhow::Result<Vec<&'static EventSpec>> {
    for name in &args.event {
        if !EventName::from(name.as_str()).is_known() {
            let near = closest_event(name).map(|near| format!("did you mean {near}? "));
            bail!(
                "there is no event {name}; {}`cargo hooks events` lists them",
                near.unwrap_or_default()
            );
        }
    }
    let is_meant = |line: &&EventSpec| {
        args.product.is_none_or(|product| product == line.product)
            && (args.event.is_empty() || args.event.iter().any(|name| name == line.event.as_str()))
    };
    let events: Vec<_> = TABLE.iter().filter(is_meant).collect();
    if events.is_empty() {
        bail!("the product has none of these events; leave --product out");
    }
    Ok(events)
}

/// Starts the app. Its functions are this program, which knows by its environment which one it is.
async fn start(
    args: &Args,
    descriptor: &Descriptor,
    folder: &TempDir,
) -> anyhow::Result<(Stack, Atlassian)> {
    let program = std::env::current_exe()?;
    for function in ["receiver", "lifecycle", "descriptor", HANDLER] {
        symlink(&program, folder.path().join(function))?;
    }
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, template::render(descriptor, &Configuration::default())?)?;
    let key = tokio::task::spawn_blocking(InstallKey::generate).await??;
    let atlassian = Atlassian::start(key).await?;
    let mut parameters = BTreeMap::new();
    if args.listen {
        let base_url = args.base_url.as_ref().map(|url| url.as_str().trim_end_matches('/').into());
        parameters.extend(base_url.map(|url| ("BaseUrl".to_owned(), url)));
    } else {
        parameters.insert("InstallKeysUrl".to_owned(), atlassian.url().to_owned());
    }
    let stack = Stack::start(sam_template_runner::Options {
        template,
        binaries: folder.path().to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        parameters,
        url_parameter: Some("BaseUrl".to_owned()),
        variables: BTreeMap::new(),
        state: None,
        concurrency: 2,
    })
    .await?;
    Ok((stack, atlassian))
}

/// Prints whatever arrives.
async fn listen(journeys: &Journeys, form: Form) -> anyhow::Result<()> {
    let mut changes = journeys.subscribe();
    // A journey changes also after its end, by a line that is read late.
    let mut printed = HashSet::new();
    loop {
        match changes.recv().await {
            Ok(journey) if journey.kind == Kind::Other => {}
            Ok(journey) if journey.is_settled() => {
                if printed.insert(journey.id.clone()) {
                    print(&journey, form)?;
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => bail!("the local stack stopped; run this again"),
        }
    }
}

/// Generates each event, prints what became of it, and counts.
async fn generate(
    args: &Args,
    events: &[&'static EventSpec],
    demo: &Demo,
    journeys: &Journeys,
) -> anyhow::Result<()> {
    for site in demo.sites() {
        let answer = demo.call_back(Callback::Installed, &site).await?;
        if !answer.status.is_success() {
            bail!("the install was refused with {}; see the page for the reason", answer.status);
        }
    }
    let sites = demo.sites();
    let sent = stream::iter(events).map(async |line| {
        let site = sites.iter().find(|site| site.product == line.product);
        let site = site.context("both products have a site")?;
        let body = fresh(line.product, &line.event, Timestamp::now());
        let body = body.map_or_else(|| "{}".to_owned(), |body| body.to_string());
        end_of(demo, journeys, site, &line.event, body).await
    });
    // In the order of the table, and as many at a time as keep two processors busy.
    let mut sent = sent.buffered(AT_A_TIME);
    let (mut received, mut read) = (0, 0);
    while let Some(journey) = sent.next().await {
        let journey = journey?;
        let is_received =
            journey.verdict == Verdict::Verified && journey.outcome == Outcome::Handled;
        received += usize::from(is_received);
        let reading = journey.reading.as_ref().map(|reading| reading.word.as_str());
        read += usize::from(is_received && reading == Some("read"));
        print(&journey, args.form())?;
    }
    let count = format!("events: {} generated, {received} received, {read} read", events.len());
    if received != events.len() || read != events.len() {
        bail!("{count}; the rows say what happened to the others");
    }
    eprintln!("{count}");
    Ok(())
}

/// How many events are on their way at once.
const AT_A_TIME: usize = 4;

/// How long one may take, with the starts of its two functions.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends an event, and waits until nothing more will happen to it.
async fn end_of(
    demo: &Demo,
    journeys: &Journeys,
    site: &Site,
    event: &EventName,
    body: String,
) -> anyhow::Result<Arc<Journey>> {
    let mut changes = journeys.subscribe();
    let answer = demo.send(site, event, body, Tampering::None).await?;
    let request = answer.request_id.context("the HTTP API names every request")?;
    let ended = async {
        loop {
            match changes.recv().await {
                Ok(journey) if journey.request == request && journey.is_settled() => {
                    return Ok(journey);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => bail!("the local stack stopped; run this again"),
            }
        }
    };
    timeout(PATIENCE, ended)
        .await
        .with_context(|| format!("{event} was not handled within {PATIENCE:?}; run this again"))?
}

fn product(name: &str) -> Result<Product, &'static str> {
    serde_json::from_value(name.into()).map_err(|_| "name a product: jira or confluence")
}
