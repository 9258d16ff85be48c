//! `cargo hooks local`: the stack, the simulated sites, and the journey of one delivery.

pub(crate) mod console;
mod journey;
mod local_env;
mod watch;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::bail;
use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use contract::variable;
use inspector::{Declared, Journeys};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::binaries::{self, Profile};
use crate::demo::{Demo, DemoSite, Page};
use atlassian_simulator::forge::{Installation, SigningKey};
use atlassian_simulator::signed::SignedTenant;
use atlassian_simulator::{Atlassian, InstallKey, Site};
use sam_template_runner::Stack;
use sam_template_runner::deployment::Function;

/// Build the functions and run all of template.yaml on this machine
///
/// The functions run as they are deployed, each in processes of its own, behind a local HTTP API, with
/// a DynamoDB and an SQS that run inside this command. Two demo sites, a Jira and a Confluence, install
/// the app, one sends a webhook, and its way to the handler is shown. For an app with infra/manifest.yml
/// this command is Forge as well: it has a key set of its own, and sends an event of an installation. For
/// URLs of signed webhooks it adds a tenant, demo, and signs with its secret. The stack runs until Ctrl-C.
///
/// infra/local.env has what is secret, or different here: lines of NAME=VALUE, for parameters of the
/// template and for variables that infra/atlassian-hooks.yaml declares. Git ignores the file.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks local\n  \
        cargo hooks local --once              # as a smoke test in CI\n  \
        cargo hooks local --watch --fast      # while you write a handler\n  \
        cargo hooks local --state .hooks/state\n  \
        cargo hooks local --parameter HandlerConcurrency=2 --parameter LogLevel=DEBUG")]
pub struct Args {
    /// Port of the HTTP API; 0 for any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Template to run; template.yaml without it
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Value of a parameter of the template, in place of its default; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, String)>,
    /// Attempt failed deliveries again at once, so that dead letters are seen within seconds
    ///
    /// The same as --parameter RetryDelay=0. A delay that a handler asks for with `retry_after` is
    /// still waited for.
    #[arg(long)]
    fast: bool,
    /// Folder in which tables, queues and demo sites survive a restart; without it they are kept in
    /// memory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// When a source changes, build the functions again and restart those that changed
    ///
    /// Queues, tables and tenants are kept, and what a function is doing is done by the old one.
    #[arg(long, conflicts_with = "once")]
    watch: bool,
    /// Build the functions as they are deployed: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// Most processes of one function at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Demo sites of each product, for `cargo hooks send --tenants`
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    sites: u16,
    /// Port of the page that shows every delivery; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
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
/// Fails if something could not be built or started, or the delivery did not arrive.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let asked_for = parameters(&args)?;
    let app = App::find()?;
    let declared = app.declarations_with_warnings()?;
    let configuration = app.configuration(&declared)?;
    let declared = Declared {
        descriptor: declared.descriptor,
        manifest: declared.manifest,
        signed: configuration.signed(),
        name: configuration.app.clone(),
    };
    let template = args.template.clone().unwrap_or_else(|| app.template_path());
    let mut given = local_env::read(app, &configuration)?;
    // What is given on the command line goes before what is in the file.
    given.parameters.extend(asked_for);
    let began = SystemTime::now();
    console::step("Building", "the functions");
    let binaries = binaries::build(app, args.profile()).await?;

    let start = Instant::now();
    let key = tokio::task::spawn_blocking(InstallKey::generate).await??;
    let atlassian = Atlassian::start(key).await?;
    let parameters = declared_parameters(&template);
    for name in [INSTALL_KEYS_URL, ATLASSIAN_URL] {
        if parameters.get(name).is_some() {
            given.parameters.insert(name.into(), atlassian.url().to_owned());
        }
    }
    if parameters.get(KEY_SET_URL).is_some() {
        let key = tokio::task::spawn_blocking(SigningKey::generate).await??;
        atlassian.forge().rotate(key);
        let url = atlassian.forge().key_set_url().to_owned();
        given.parameters.insert(KEY_SET_URL.into(), url);
    }
    // Otherwise the default of the template would limit what the option asks for. Two is the minimum
    // of an event source.
    if parameters.get(HANDLER_CONCURRENCY).is_some() {
        let of_handlers = args.concurrency.max(2).to_string();
        given.parameters.entry(HANDLER_CONCURRENCY.into()).or_insert(of_handlers);
    }
    let stack = Stack::start(sam_template_runner::Options {
        template: template.clone(),
        binaries,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        parameters: given.parameters,
        url_parameter: parameters.get(BASE_URL).map(|_| BASE_URL.to_owned()),
        variables: given.variables,
        state: args.state.clone(),
        concurrency: args.concurrency.into(),
    })
    .await?;
    let kept = args.state.as_ref().map(|folder| folder.display().to_string());
    console::step("Started", &format!("{} ({})", stack.url(), summary(&stack)));
    if !stack.deployment().skipped.is_empty() {
        console::step(
            "Skipping",
            &format!("{}: not run here", stack.deployment().skipped.join(", ")),
        );
    }
    console::step(
        "Keeping",
        &kept.unwrap_or_else(|| "tables, queues and demo sites in memory".into()),
    );
    let encrypts = |function: &Function| function.environment.contains_key(variable::TENANTS_KEY);
    if stack.deployment().functions.values().any(encrypts) {
        console::step("Encrypting", "tenants' secrets, with a key of this stack");
    } else if declared.descriptor.is_some() {
        console::step("Encrypting", "nothing: no function has the variable TENANTS_KEY");
    }

    let page = Page::bind(args.page_port).await?;
    let of_each = if declared.descriptor.is_some() { args.sites } else { 0 };
    let demo = Demo::open(
        declared,
        atlassian,
        page.beside(&stack),
        stack.deployment(),
        demo_sites(of_each),
        args.state.as_deref(),
    )?;
    let (page, journeys) = page.serve(&stack, &demo, "/");
    let watching = async {
        if args.watch {
            watch::follow(app, args.profile(), &template, &stack, began).await
        } else {
            std::future::pending().await
        }
    };

    let run = Run { stack: &stack, demo: &demo, journeys: &journeys };
    let outcome = run.play(start, &args, &page, watching).await;
    console::step("Stopping", "");
    demo.close();
    stack.stop().await;
    outcome
}

/// Demo sites of both products.
fn demo_sites(of_each: u16) -> Vec<Site> {
    let names = (1..=of_each).map(|number| match number {
        1 => "demo".to_owned(),
        number => format!("demo-{number}"),
    });
    let both = [Product::Jira, Product::Confluence];
    names.flat_map(|name| both.map(|product| Site::new(product, &name))).collect()
}

struct Run<'a> {
    stack: &'a Stack,
    demo: &'a Demo,
    journeys: &'a Journeys,
}

impl Run<'_> {
    async fn play(
        &self,
        start: Instant,
        args: &Args,
        page: &str,
        watching: impl Future<Output = Infallible>,
    ) -> anyhow::Result<()> {
        let mut stop = std::pin::pin!(told_to_stop());
        let mut changes = self.journeys.subscribe();
        let mut lines = self.stack.subscribe();
        let mut calls = self.demo.atlassian().subscribe();
        let scene = async {
            self.install().await?;
            self.demo.publish()?;
            journey::show(self.demo, self.journeys).await
        };
        let mut log = console::Lines::default();
        let printed = async {
            // Until then only what a function says itself: the steps say the rest.
            loop {
                match lines.recv().await {
                    Ok(line) if args.verbose => console::raw(&line),
                    Ok(line) => log.show(&line),
                    Err(RecvError::Lagged(lines)) => console::skipped(lines),
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let called = async {
            loop {
                if let Ok(call) = calls.recv().await {
                    console::called(&call);
                }
            }
        };
        tokio::select! {
            scene = scene => scene?,
            () = printed => {}
            () = called => {}
            told = &mut stop => return told,
        }
        console::step("Ready", &format!("in {:.1} s", start.elapsed().as_secs_f64()));
        if args.once {
            return Ok(());
        }
        console::usage(self.demo.declared(), self.stack.url(), page);
        let mut log = console::Lines::default();
        let mut rows = console::Rows::default();
        for journey in self.journeys.all() {
            rows.skip(&journey);
        }
        let mut watching = std::pin::pin!(watching);
        loop {
            tokio::select! {
                told = &mut stop => return told,
                never = &mut watching => match never {},
                journey = changes.recv() => if let Ok(journey) = journey {
                    rows.show(&journey);
                },
                call = calls.recv() => if let Ok(call) = call {
                    console::called(&call);
                },
                line = lines.recv() => match line {
                    Ok(line) if args.verbose => console::raw(&line),
                    Ok(line) => log.show(&line),
                    Err(RecvError::Lagged(lines)) => console::skipped(lines),
                    Err(RecvError::Closed) => {
                        bail!("the local stack stopped unexpectedly; see the log above")
                    }
                },
            }
        }
    }

    /// Installs the app on every demo site that does not have it already, and adds the tenants that sign.
    async fn install(&self) -> anyhow::Result<()> {
        for DemoSite { site, is_kept } in self.demo.opened() {
            if *is_kept && self.demo.is_installed(site).await? {
                let what = format!("{} at {} as before", site.product, site.base_url);
                console::step("installed", &format!("{what}, as tenant {}", site.client_key));
                continue;
            }
            let answer = self.demo.call_back(Callback::Installed, site).await?;
            let who =
                format!("{} at {} as tenant {}", site.product, site.base_url, site.client_key);
            console::answered("installed", &who, &answer);
            if !answer.status.is_success() {
                bail!("the install was refused with {}; {}", answer.status, self.advice());
            }
        }
        // Nothing is sent for these: an event brings all that has to be known of its tenant.
        for Installation { product, cloud_id, id, .. } in self.demo.installations() {
            console::step(
                "installed",
                &format!("by Forge in {product} {cloud_id}, as tenant {id}"),
            );
        }
        self.demo.add_signed().await?;
        for SignedTenant { name, kind, .. } in self.demo.signed() {
            console::step("added", &format!("tenant {name}, which signs webhooks as {kind}"));
        }
        Ok(())
    }

    /// What to do if an install is refused.
    fn advice(&self) -> String {
        let functions = self.stack.deployment().functions.values();
        let mut servers = functions.filter_map(|function| {
            function.environment.get(variable::EXISTING_SERVER).filter(|url| !url.is_empty())
        });
        match servers.next() {
            Some(url) => format!(
                "it is forwarded to {url}, which has to run and to accept it; in infra/local.env, \
                 give the parameter that names this server another value, or an empty one"
            ),
            None => "see the log above, and run `cargo hooks check`".to_owned(),
        }
    }
}

impl Args {
    fn profile(&self) -> Profile {
        if self.release { Profile::Release } else { Profile::Dev }
    }
}

/// The parameters that this command sets by itself, and that of `--fast`.
const BASE_URL: &str = "BaseUrl";
const INSTALL_KEYS_URL: &str = "InstallKeysUrl";
const KEY_SET_URL: &str = "KeySetUrl";
/// Declared only where a handler calls a site.
const ATLASSIAN_URL: &str = "AtlassianUrl";
const HANDLER_CONCURRENCY: &str = "HandlerConcurrency";
const RETRY_DELAY: &str = "RetryDelay";

/// Reads `NAME=VALUE`.
pub(super) fn parameter(argument: &str) -> Result<(String, String), &'static str> {
    let (name, value) = argument.split_once('=').unwrap_or_default();
    if name.is_empty() {
        return Err("write a parameter as NAME=VALUE, as in RetryDelay=5");
    }
    Ok((name.into(), value.into()))
}

/// The values of the template's parameters that were asked for.
fn parameters(args: &Args) -> anyhow::Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for (name, value) in &args.parameter {
        match name.as_str() {
            INSTALL_KEYS_URL => bail!(
                "{name} is the URL of this command's own keys, which sign the installs of its demo \
                 sites; leave it out"
            ),
            KEY_SET_URL => bail!(
                "{name} is the URL of this command's own key set, which verifies the events that it \
                 signs; leave it out"
            ),
            ATLASSIAN_URL => bail!(
                "{name} is the URL of this command's own sites, which handlers call; leave it out"
            ),
            BASE_URL => bail!(
                "{name} is the URL that this command listens on; for the URL of a tunnel in front \
                 of it use --parameter OtherBaseUrls={value}"
            ),
            RETRY_DELAY if args.fast => {
                bail!("--fast sets {name} to 0; leave out either --fast or {name}={value}")
            }
            _ => {}
        }
        if parameters.insert(name.clone(), value.clone()).is_some() {
            bail!("the parameter {name} is given twice; leave out one of the two");
        }
    }
    if args.fast {
        parameters.insert(RETRY_DELAY.into(), "0".into());
    }
    Ok(parameters)
}

/// The parameters of a template. One that cannot be read is refused when the stack starts.
fn declared_parameters(template: &Path) -> Value {
    let text = std::fs::read_to_string(template).unwrap_or_default();
    sam_template::parse(&text).unwrap_or_default()["Parameters"].take()
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn read(arguments: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let line = Line::try_parse_from([&["local"], arguments].concat());
        parameters(&line.map_err(|error| error.to_string())?.args)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn reads_the_parameters() {
        assert_eq!(read(&[]).unwrap(), BTreeMap::new(), "the template's own numbers");
        let fast = BTreeMap::from([("RetryDelay".to_owned(), "0".to_owned())]);
        assert_eq!(read(&["--fast"]).unwrap(), fast);
        let given = read(&["--parameter", "A=b=c", "--parameter", "D="]).unwrap();
        let expected = [("A", "b=c"), ("D", "")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(given, BTreeMap::from(expected));
    }

    #[test]
    fn says_what_is_wrong_with_a_parameter() {
        let rows: [(&[&str], &str); 8] = [
            (&["--parameter", "RetryDelay"], "write a parameter as NAME=VALUE"),
            (&["--parameter", "=5"], "write a parameter as NAME=VALUE"),
            (&["--parameter", "A=1", "--parameter", "A=2"], "given twice; leave out one"),
            (&["--parameter", "InstallKeysUrl=http://a"], "leave it out"),
            (&["--parameter", "AtlassianUrl=http://a"], "leave it out"),
            (&["--parameter", "BaseUrl=https://a"], "--parameter OtherBaseUrls=https://a"),
            (&["--fast", "--parameter", "RetryDelay=5"], "leave out either --fast or"),
            (&["--watch", "--once"], "cannot be used with"),
        ];
        for (arguments, words) in rows {
            let error = read(arguments).unwrap_err();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
    }
}
