//! `cargo hooks send`

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use runtime::environment;
use serde_json::json;
use uuid::Uuid;

use atlassian_simulator::client;
use atlassian_simulator::samples::sample;

use crate::app::App;
use crate::session::Session;
use crate::terminal::escaped;

/// Sign an event as a tenant does, and post it
///
/// Without --url it goes to the local stack that is running. For a deployed app, give --url, --tenant,
/// and the tenant's shared secret in the environment variable HOOKS_SHARED_SECRET.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks send jira:issue_created\n  \
        cargo hooks send page_created --body tests/events/confluence/page_created.json --count 3")]
pub struct Args {
    /// Name of the event, as in jira:issue_created
    event: String,
    /// Base URL of a deployed app: the output BaseUrl of its stack
    #[arg(long)]
    url: Option<String>,
    /// Port of the local stack, if several run
    #[arg(long, conflicts_with = "url")]
    port: Option<u16>,
    /// Client key of the tenant
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
    /// File with the body; without it a sample of the event
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// How many times to send it
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
}

/// Sends it, and prints what was answered.
///
/// # Errors
///
/// Fails if the webhook could not be sent, or was refused.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let descriptor = App::find()?.descriptor()?;
    let event = EventName::from(args.event.as_str());
    let webhook = declared(&descriptor, &event)?;
    let tenant = args.tenant.as_deref().map(ClientKey::new).transpose()?;
    let (product, base_url, tenant, secret) = match args.url {
        Some(url) => {
            let tenant = tenant
                .context("--url needs --tenant as well; give the client key of the tenant")?;
            // In the environment, because a command line is seen by everybody on the machine.
            let secret =
                environment::optional("HOOKS_SHARED_SECRET").map(SharedSecret::new).context(
                    "--url needs the tenant's shared secret; set the variable HOOKS_SHARED_SECRET",
                )?;
            // Of a tenant that is only a key, the product is the event's.
            let product = event.products().first().copied().unwrap_or(Product::Jira);
            (product, url, tenant, secret)
        }
        None => {
            let session = Session::read(args.port)?;
            let site = session.site(tenant.as_ref(), &event).with_context(|| match tenant {
                Some(tenant) => {
                    format!("the local stack has no demo site {tenant}; leave out --tenant")
                }
                None => format!(
                    "no demo site of the local stack sends {event}; see `cargo hooks events`"
                ),
            })?;
            (site.product, session.url, site.client_key, site.secret)
        }
    };
    let body = match &args.body {
        Some(path) => std::fs::read_to_string(path).with_context(|| {
            format!("the body {} cannot be read; check the path", path.display())
        })?,
        None => sample(product, &event).map_or_else(|| placeholder(&event), str::to_owned),
    };
    let client = client()?;
    for _ in 0..args.count {
        let identifier = (product == Product::Jira).then(|| Uuid::new_v4().to_string());
        let (url, body) = (webhook.url.as_str(), body.clone());
        let sent = atlassian_simulator::Webhook { base_url: &base_url, url, body, identifier };
        let answer = atlassian_simulator::send(&client, sent, &tenant, &secret).await?;
        println!(
            "{event} to {}{url} for tenant {tenant}: {} in {} ms",
            base_url.trim_end_matches('/'),
            answer.status,
            answer.took.as_millis(),
        );
        if !answer.status.is_success() {
            bail!(
                "the webhook was refused: {}; see the receiver's log for the reason",
                escaped(&answer.body)
            );
        }
    }
    Ok(())
}

/// The first declared webhook of an event.
fn declared<'a>(descriptor: &'a Descriptor, event: &EventName) -> anyhow::Result<&'a Webhook> {
    let webhooks = &descriptor.modules.webhooks;
    webhooks.iter().find(|webhook| webhook.event == *event).with_context(|| {
        let names: Vec<&str> = webhooks.iter().map(|webhook| webhook.event.as_str()).collect();
        format!(
            "the descriptor does not declare {event}; it declares {}. Add it with \
             `cargo hooks add {event}`",
            names.join(", "),
        )
    })
}

/// A body that says no more than that the event happened.
fn placeholder(event: &EventName) -> String {
    json!({ "timestamp": 1_795_428_000_000_u64, "webhookEvent": event }).to_string()
}
