//! `cargo hooks send`

mod assignment;
mod body;
mod event;
mod journey;
mod load;
mod mix;
mod refusal;
mod signed;

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use runtime::environment;

use atlassian_simulator::{Answer, Site, client};

use crate::app::App;
use crate::session::Session;
use assignment::Assignment;
use body::Body;
use mix::Mix;

/// Sign events as a tenant does, and post them
///
/// Without --url they go to the local stack that is running. For a deployed app, give --url, --tenant,
/// and the tenant's shared secret in the environment variable HOOKS_SHARED_SECRET.
///
/// An event that only `webhooks` in infra/atlassian-hooks.yaml has is signed with the secret of a tenant of
/// that kind; --sender signed does so with one that the descriptor declares as well.
///
/// An event of Forge, as in avi:jira:created:issue, goes to the local stack alone: nobody but Atlassian can
/// sign it for a deployed app.
///
/// Each sample is a new webhook: its time, its ids and its identifier are new, so that what is sent
/// twice is handled twice.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks send jira:issue_created --set issue.key=ABC-1 --set 'issue.fields.labels=[\"hot\"]'\n  \
        cargo hooks send page_created --body tests/events/confluence/page_created.json --fresh\n  \
        cargo hooks send repo:push --body push.json\n  \
        cargo hooks send jira:issue_created --sender signed\n  \
        cargo hooks send avi:jira:created:issue --retry 2\n  \
        cargo hooks send avi:jira:created:issue --as browser\n  \
        cargo hooks send jira:issue_updated --count 1000 --rate 50 --tenants 3\n  \
        cargo hooks send --mix events.txt --count 500 --rate 20 --json")]
pub struct Args {
    /// Name of the event, as in jira:issue_created or avi:jira:created:issue
    #[arg(required_unless_present = "mix", conflicts_with = "mix")]
    event: Option<String>,
    /// Base URL of a deployed app: the output BaseUrl of its stack
    #[arg(long)]
    url: Option<String>,
    /// Port of the local stack, if several run
    #[arg(long, conflicts_with = "url")]
    port: Option<u16>,
    /// Client key of the tenant, name of one that signs its webhooks, or id of an installation in Forge
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Who sends an event that both the descriptor and `webhooks` declare [default: connect]
    #[arg(long, conflicts_with = "mix")]
    sender: Option<signed::Sender>,
    /// File with the body, which is sent as it is; without it a sample of the event
    #[arg(long, value_name = "FILE", conflicts_with = "mix")]
    body: Option<PathBuf>,
    /// Make the body of the file that of a new webhook each time, as a sample
    #[arg(long, requires = "body")]
    fresh: bool,
    /// Change a field of the body: names and indices with dots, and JSON or a text. It may add a field
    /// to an object that is there, and says so
    #[arg(long = "set", value_name = "PATH=VALUE")]
    assignments: Vec<Assignment>,
    /// How many to send; more than 10 are measured together
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Return after the response, without following the delivery to its handler
    #[arg(long)]
    no_wait: bool,
    /// Send an event of Forge with the token of somebody who must not be trusted, to see the refusal
    #[arg(long = "as", value_name = "WHO")]
    holder: Option<event::Holder>,
    /// Send an event of Forge so many times more, as Forge does after a failure
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "holder",
          value_parser = clap::value_parser!(u32).range(..=4))]
    retry: u32,
    #[command(flatten)]
    load: load::Args,
}

/// Where the deliveries go.
struct Target {
    base_url: String,
    /// If they go to the local stack.
    session: Option<Session>,
}

/// The deliveries of one event: where they go, what they contain, and who sends them.
struct Source {
    event: EventName,
    url: String,
    product: Product,
    body: Body,
    sites: Vec<Site>,
}

/// Sends them, and prints what was answered.
///
/// # Errors
///
/// Fails if one could not be sent, or was refused.
pub async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(event) = args.event.as_deref().filter(|event| event::is_of_forge(event)) {
        return event::run(&args, event).await;
    }
    ensure!(
        args.holder.is_none() && args.retry == 0,
        "--as and --retry are for events of Forge, as in avi:jira:created:issue; leave them out"
    );
    if let Some(event) = args.event.as_deref().map(EventName::from)
        && let Some(urls) = signed::urls(&args, &event)?
    {
        return signed::run(&args, &event, &urls).await;
    }
    let descriptor = App::find()?.descriptor()?;
    let mix = match (&args.event, &args.load.mix) {
        (None, Some(path)) => Mix::read(path)?,
        (event, _) => Mix::only(event.as_deref().unwrap_or_default()),
    };
    let webhooks: Vec<&Webhook> =
        mix.events().map(|event| declared(&descriptor, event)).collect::<Result<_, _>>()?;
    let target = Target::of(&args)?;
    let is_load = args.load.is_wanted(args.count);
    if args.load.needs_own_host(args.count) {
        load::ensure_own(&target.base_url, args.load.i_own.as_deref())?;
    }
    let sources = webhooks.into_iter().map(|webhook| Source::of(webhook, &args, &target));
    let sources: Vec<Source> = sources.collect::<Result<_, _>>()?;
    let client = client()?;
    if is_load {
        return load::run(&args.load, args.count, client, target, mix, sources).await;
    }
    for number in 0..args.count {
        let (source, site) = (&sources[0], sources[0].site(number));
        let sent = source.send(&client, &target, site).await?;
        println!(
            "{} to {}{} for tenant {}: {} in {} ms",
            source.event,
            target.base_url.trim_end_matches('/'),
            source.url,
            site.client_key,
            sent.status,
            sent.took.as_millis(),
        );
        target.follow(&args, &client, &sent).await?;
        if !sent.status.is_success() {
            bail!("{}", refusal::explained(sent.status, &target));
        }
    }
    Ok(())
}

impl Target {
    fn of(args: &Args) -> anyhow::Result<Self> {
        match &args.url {
            Some(url) => Ok(Self { base_url: url.clone(), session: None }),
            None => {
                let session = Session::read(args.port)?;
                Ok(Self { base_url: session.url.clone(), session: Some(session) })
            }
        }
    }

    /// An answer, or why there is none.
    fn answered(&self, sent: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
        match &self.session {
            Some(_) => sent.context(
                "the local stack does not answer; start it again with `cargo hooks local`",
            ),
            None => sent,
        }
    }

    /// Prints what becomes of a delivery to the local stack, unless nobody wants to wait for it.
    async fn follow(
        &self,
        args: &Args,
        client: &reqwest::Client,
        sent: &Answer,
    ) -> anyhow::Result<()> {
        let followed = self.session.as_ref().filter(|_| !args.no_wait);
        match (followed, &sent.request_id) {
            (Some(session), Some(request)) => journey::follow(client, session, request).await,
            _ => Ok(()),
        }
    }

    /// The sites that send an event.
    fn sites(&self, event: &EventName, args: &Args) -> anyhow::Result<Vec<Site>> {
        let tenant = args.tenant.as_deref().map(ClientKey::new).transpose()?;
        let Some(session) = &self.session else {
            let client_key = tenant
                .context("a deployed app needs --tenant: give the client key of an installation")?;
            let secret = secret_of_deployed()?;
            // Of a tenant that is only a key, the product is the event's.
            let product = event.products().first().copied().unwrap_or(Product::Jira);
            return Ok(vec![Site { product, client_key, secret, base_url: String::new() }]);
        };
        if let Some(tenant) = tenant {
            let site = session.site(Some(&tenant), event).with_context(|| {
                format!(
                    "the local stack has no demo site {tenant}; leave --tenant out, or give one that \
                     `cargo hooks local` printed"
                )
            })?;
            return Ok(vec![site]);
        }
        let sites = session.sites(event);
        let wanted = args.load.tenants.map_or(1, usize::from);
        ensure!(
            sites.len() >= wanted,
            "the local stack has {} demo sites that send {event}, and --tenants asks for {wanted}; \
             start the stack with `cargo hooks local --sites {wanted}`",
            sites.len(),
        );
        Ok(sites.into_iter().take(wanted).collect())
    }
}

impl Source {
    fn of(webhook: &Webhook, args: &Args, target: &Target) -> anyhow::Result<Self> {
        let event = webhook.event.clone();
        let sites = target.sites(&event, args)?;
        let product = sites[0].product;
        let body = match &args.body {
            Some(path) => Body::read(path, args.fresh, &args.assignments)?,
            None => Body::sample(product, &event, &args.assignments)?,
        };
        Ok(Self { event, url: webhook.url.clone(), product, body, sites })
    }

    /// The site whose turn it is.
    fn site(&self, number: u32) -> &Site {
        &self.sites[number as usize % self.sites.len()]
    }

    /// Sends the next delivery.
    async fn send(
        &self,
        client: &reqwest::Client,
        target: &Target,
        site: &Site,
    ) -> anyhow::Result<Answer> {
        let webhook = atlassian_simulator::Webhook {
            base_url: &target.base_url,
            url: &self.url,
            body: self.body.next()?,
            identifier: atlassian_simulator::Webhook::identifier(self.product),
        };
        let sent = atlassian_simulator::send(client, webhook, &site.client_key, &site.secret).await;
        target.answered(sent)
    }
}

/// The secret of a deployed app's tenant. It is in the environment, because a command line is seen by
/// everybody on the machine.
fn secret_of_deployed() -> anyhow::Result<SharedSecret> {
    environment::optional("HOOKS_SHARED_SECRET").map(SharedSecret::new).context(
        "a deployed app needs the tenant's secret: give it in the environment variable \
         HOOKS_SHARED_SECRET",
    )
}

/// The first declared webhook of an event.
fn declared<'a>(descriptor: &'a Descriptor, event: &EventName) -> anyhow::Result<&'a Webhook> {
    let webhooks = &descriptor.modules.webhooks;
    webhooks.iter().find(|webhook| webhook.event == *event).with_context(|| {
        let names: Vec<&str> = webhooks.iter().map(|webhook| webhook.event.as_str()).collect();
        format!(
            "the descriptor does not declare {event}; add it with `cargo hooks add {event}`, or name \
             one that it declares: {}",
            names.join(", "),
        )
    })
}
