//! The journey of one delivery, told by the logs of the functions it passes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::{EventName, Product};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::console;
use atlassian_simulator::samples::sample;
use atlassian_simulator::{Atlassian, Site};
use sam_template_runner::Stack;

/// How long the delivery may take to its handler before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one webhook and tells where it is until it is handled.
pub(super) async fn show(
    descriptor: &Descriptor,
    stack: &Stack,
    atlassian: &Atlassian,
    sites: &[Site],
) -> anyhow::Result<()> {
    let (webhook, site, body) = first_with_a_sample(descriptor, sites)?;
    let mut log = stack.subscribe();
    let sent = Instant::now();
    let answer = atlassian
        .send(
            atlassian_simulator::Webhook {
                base_url: stack.url(),
                url: &webhook.url,
                body: body.into(),
                identifier: (site.product == Product::Jira).then(|| Uuid::new_v4().to_string()),
            },
            site,
        )
        .await?;
    console::answered("sent", &format!("{} to {}", webhook.event, webhook.url), &answer);

    let mut delivery = None;
    let arrived = async {
        loop {
            let line = match log.recv().await {
                Ok(line) => line,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => {
                    bail!("the local stack stopped unexpectedly; see the log above")
                }
            };
            let Ok(fields) = serde_json::from_str::<Value>(&line.text) else {
                console::line(&line);
                continue;
            };
            let id = fields["delivery.id"].as_str();
            match fields["message"].as_str() {
                Some("delivery queued") if delivery.is_none() => {
                    console::step("received", &format!("by {}", line.function));
                    console::step(
                        "verified",
                        &format!("for tenant {}", shown(&fields["tenant.key"])),
                    );
                    console::step(
                        "queued",
                        &format!("as message {}", shown(&fields["message.id"])),
                    );
                    delivery = id.map(str::to_owned);
                }
                Some("delivery handled") if id.is_some() && id == delivery.as_deref() => {
                    let took = sent.elapsed().as_millis();
                    let how = format!("by {}, {took} ms after it was sent", line.function);
                    console::step("handled", &how);
                    return Ok(());
                }
                _ => console::line(&line),
            }
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.with_context(|| {
        format!("the delivery was not handled within {PATIENCE:?}; see the log above")
    })?
}

/// Jira's `jira:issue_created` if it is declared, else the first event that has a sample; with the
/// demo site that sends it.
fn first_with_a_sample<'a>(
    descriptor: &'a Descriptor,
    sites: &'a [Site],
) -> anyhow::Result<(&'a Webhook, &'a Site, &'static str)> {
    let webhooks = &descriptor.modules.webhooks;
    let preferred = webhooks.iter().filter(|webhook| webhook.event == EventName::IssueCreated);
    preferred
        .chain(webhooks)
        .find_map(|webhook| {
            sites
                .iter()
                .find_map(|site| Some((webhook, site, sample(site.product, &webhook.event)?)))
        })
        .context("none of the declared events has a sample body; send one with `--body FILE`")
}

fn shown(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
