//! `cargo hooks`: everything around the functions.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use atlassian_connect::tenant::SharedSecret;
use cargo_hooks::app::App;
use cargo_hooks::binaries::Profile;
use cargo_hooks::check::{self, Files, Severity};
use cargo_hooks::dead::{self, Filter, Form, Queues};
use cargo_hooks::plan::Plan;
use cargo_hooks::template::Extras;
use cargo_hooks::terminal::escaped;
use cargo_hooks::{events, local, recover, send, template};
use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use tenants::{Secrets, Table};

/// Atlassian Connect webhooks on AWS Lambda: run them here, and prepare them for there.
#[derive(Parser)]
#[command(name = "cargo hooks", bin_name = "cargo hooks", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the functions and run all of template.yaml on this machine
    ///
    /// The built functions run as they are, each in processes of its own, behind a local HTTP API,
    /// with a DynamoDB and an SQS that live in this command. Two demo sites install the app, one
    /// sends a webhook, and its journey is shown. Then the stack stays up until Ctrl-C.
    Local(Local),
    /// Sign an event as a tenant does, and post it
    ///
    /// To the local stack, if it runs: any declared event, with a sample as its body. To a deployed
    /// app: with --url, --tenant, and the tenant's secret in HOOKS_SHARED_SECRET.
    Send(Send),
    /// Write template.yaml from infra/atlassian-connect.json
    Template(Template),
    /// List every event with its product, its payload type, and a URL for it
    Events(Events),
    /// List dead letters: events that no handler could handle, and why
    ///
    /// They stay where they are. Of the local stack, if it runs; of a deployed one with --stack.
    Dead(Dead),
    /// Move dead letters back to their handlers' queues
    ///
    /// Each is deleted only when the queue has it, so nothing is lost if this is stopped half-way.
    Replay(Replay),
    /// Fetch what Jira could not deliver, and queue it
    ///
    /// Jira keeps for 72 hours what an app did not take after the last retry. Each webhook keeps its
    /// identifier, so what did arrive is not handled twice.
    Recover(Recover),
    /// Say whether descriptor, events, handlers and template agree, and what to do if not
    Check,
}

#[derive(Args)]
struct Local {
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
    /// Most environments of one function at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Stop after the journey
    #[arg(long)]
    once: bool,
}

#[derive(Args)]
struct Send {
    /// Name of the event, as in jira:issue_created
    event: String,
    /// Base URL of a deployed app: the output BaseUrl of its stack
    #[arg(long)]
    url: Option<String>,
    /// Client key of the tenant
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
    /// File with the body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// How many times to send it
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
}

#[derive(Args)]
struct Events {
    /// Only events of this product, or with this in their name
    #[arg(default_value = "")]
    filter: String,
}

#[derive(Args)]
struct Letters {
    /// Name of a deployed stack; the local stack that runs without it
    ///
    /// AWS is reached with AWS_REGION and the credentials in the environment, as `aws configure
    /// export-credentials --format env` writes them.
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Only those of this handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Only those of this event, as in jira:issue_created
    #[arg(long)]
    event: Option<String>,
    /// Only those of this tenant
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
}

impl Letters {
    async fn queues(&self) -> anyhow::Result<Queues> {
        Queues::find(self.stack.as_deref(), self.handler.as_deref()).await
    }

    fn filter(&self) -> Filter {
        Filter { event: self.event.clone(), tenant: self.tenant.clone() }
    }
}

#[derive(Args)]
struct Dead {
    #[command(flatten)]
    letters: Letters,
    /// Most letters of one handler to look at
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Replay {
    #[command(flatten)]
    letters: Letters,
    /// Most letters a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Only say how many would be moved
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct Recover {
    /// Name of a deployed stack
    ///
    /// AWS is reached with AWS_REGION and the credentials in the environment, as `aws configure
    /// export-credentials --format env` writes them. They need dynamodb:Scan, kms:Decrypt and
    /// sqs:SendMessage.
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// Name of the tenants' table: the stack's output TenantsTable
    #[arg(long, value_name = "NAME")]
    table: String,
    /// The key of the tenants' secrets: the stack's output TenantsKey
    #[arg(long, value_name = "ARN")]
    key: Option<String>,
    /// Only this tenant
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
    /// Only what failed in the last so many hours
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u16).range(1..=72))]
    hours: u16,
    /// Only say how many would be queued
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct Template {
    /// Print it instead of writing it
    #[arg(long)]
    print: bool,
    /// Let a new version take over by degrees, and back if an alarm goes off
    ///
    /// Takes three resources more for each function, of the 500 that a stack can have.
    #[arg(long)]
    canary: bool,
    /// Add a bucket for events that are too long for a queue even when compressed: above 1 MiB
    #[arg(long)]
    bodies: bool,
}

fn main() -> ExitCode {
    // As a subcommand of cargo, this is run with its own name first.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "hooks") {
        arguments.remove(1);
    }
    let Cli { command } = Cli::parse_from(arguments);
    let outcome = match command {
        Command::Local(options) => run(local::run(local::Options {
            port: options.port,
            template: options.template,
            state: options.state,
            profile: if options.release { Profile::Release } else { Profile::Dev },
            concurrency: options.concurrency.into(),
            once: options.once,
        })),
        Command::Send(options) => run(send::run(send::Options {
            event: options.event,
            url: options.url,
            tenant: options.tenant,
            // In the environment, because a command line is seen by everybody on the machine.
            secret: runtime::environment::optional("HOOKS_SHARED_SECRET").map(SharedSecret::new),
            body: options.body,
            count: options.count,
        })),
        Command::Dead(options) => run(list_dead(options)),
        Command::Replay(options) => run(replay(options)),
        Command::Recover(options) => run(recover(options)),
        Command::Template(options) => write_template(&options),
        Command::Events(options) => list_events(&options.filter),
        Command::Check => match check() {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Some of ours have several lines. Another's is escaped where it becomes an error.
            let error = format!("error: {error:#}");
            error.lines().for_each(|line| eprintln!("{}", escaped(line)));
            ExitCode::FAILURE
        }
    }
}

fn run(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

fn list_events(filter: &str) -> anyhow::Result<()> {
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(events::list(filter).as_bytes());
    Ok(())
}

async fn list_dead(options: Dead) -> anyhow::Result<()> {
    let queues = options.letters.queues().await?;
    let form = if options.json { Form::Json } else { Form::Table };
    let filter = options.letters.filter();
    dead::list(&queues, &filter, options.limit, form, &mut std::io::stdout()).await?;
    Ok(())
}

async fn replay(options: Replay) -> anyhow::Result<()> {
    let queues = options.letters.queues().await?;
    let filter = options.letters.filter();
    let how = dead::Replay { filter, rate: options.rate, dry_run: options.dry_run };
    let done = dead::replay(&queues, &how).await?;
    let verb = if options.dry_run { "would be moved" } else { "moved" };
    println!("{} letters {verb}, {} left where they are", done.moved, done.left);
    if done.unfinished {
        println!("there are more, and what was left came back first: name --event or --tenant");
    }
    Ok(())
}

async fn recover(options: Recover) -> anyhow::Result<()> {
    let descriptor = App::find()?.descriptor()?;
    let plan = Plan::of(&descriptor);
    let queues = Queues::find(Some(&options.stack), None).await?;
    let aws = runtime::aws::config().map_err(anyhow::Error::from_boxed)?;
    let now = Timestamp::now();
    let table = Table::new(&aws, options.table, Secrets::new(&aws, options.key, &plan.app_key));
    let what = recover::Recover {
        since: now - SignedDuration::from_hours(options.hours.into()),
        dry_run: options.dry_run,
    };
    let client = atlassian_simulator::client()?;
    let mut failures = 0;
    for jira in recover::jiras(&table, now).await? {
        if options.tenant.as_deref().is_some_and(|tenant| tenant != jira.key.as_str()) {
            continue;
        }
        let site = escaped(&jira.base_url);
        match recover::recover(&jira, &plan, &client, &what, &queues).await {
            Ok(done) => {
                let verb = if options.dry_run { "would be queued" } else { "queued" };
                println!("{site}: {} {verb}, {} left", done.queued, done.left);
                if done.crowded > 0 {
                    println!("{site}: perhaps not all, see above; Jira lists no more");
                }
            }
            // One site that is away does not keep the others from theirs.
            Err(error) => {
                failures += 1;
                eprintln!("{site}: {}", escaped(&format!("{error:#}")));
            }
        }
    }
    anyhow::ensure!(failures == 0, "{failures} sites failed; run it again for those");
    Ok(())
}

fn write_template(options: &Template) -> anyhow::Result<()> {
    let app = App::find()?;
    let descriptor = app.descriptor()?;
    let extras = Extras { by_degrees: options.canary, bodies: options.bodies };
    let text = template::render_with(&descriptor, extras)?;
    if options.print {
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    let path = app.template_path();
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn check() -> anyhow::Result<ExitCode> {
    let app = App::find()?;
    let findings = check::check(&Files {
        descriptor: &app.descriptor_path(),
        template: &app.template_path(),
        handlers: &app.handlers_path(),
        metadata: app.metadata(),
    });
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Ok(ExitCode::FAILURE);
    }
    println!("descriptor, events, handlers and template agree");
    Ok(ExitCode::SUCCESS)
}
