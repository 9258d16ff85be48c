//! The journey of the first delivery, step by step.

use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::EventName;
use inspector::{Journey, Journeys, Outcome, Tampering};
use tokio::sync::broadcast::error::RecvError;

use super::console;
use crate::demo::Demo;
use atlassian_simulator::Site;
use atlassian_simulator::samples::sample;

/// How long the delivery may take to its handler before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one webhook and shows where it is until it is handled.
pub(super) async fn show(
    descriptor: &Descriptor,
    demo: &Demo,
    journeys: &Journeys,
) -> anyhow::Result<()> {
    let sites = demo.sites();
    let (webhook, site, body) = first_with_a_sample(descriptor, &sites)?;
    let mut changes = journeys.subscribe();
    let answer = demo.send(site, &webhook.event, body.into(), Tampering::None).await?;
    console::answered("sent", &format!("{} to {}", webhook.event, webhook.url), &answer);
    let mut is_queued = false;
    let arrived = async {
        loop {
            let journey = match changes.recv().await {
                Ok(journey) if Some(&journey.request) == answer.request_id.as_ref() => journey,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => bail!("the local stack stopped; see the log above"),
            };
            if let (false, Some(message)) = (is_queued, &journey.message) {
                is_queued = true;
                queued(&journey, message);
            }
            match journey.outcome {
                Outcome::Queued | Outcome::Retrying => {}
                _ if !journey.is_settled() => {}
                Outcome::Handled => {
                    let (handler, took) = (shown(&journey.handler), journey.ended_ms);
                    let took = took.unwrap_or_default();
                    console::step("handled", &format!("by {handler}, {took} ms after it was sent"));
                    return Ok(());
                }
                _ => {
                    console::row(&journey);
                    bail!("the delivery was not handled; the row above says why");
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.with_context(|| {
        format!("the delivery was not handled within {PATIENCE:?}; see the log above")
    })?
}

fn queued(journey: &Journey, message: &str) {
    console::step("received", &format!("by {}", shown(&journey.function)));
    console::step("verified", &format!("for tenant {}", shown(&journey.tenant)));
    console::step("queued", &format!("as message {message}"));
}

/// Jira's `jira:issue_created` if it is declared, otherwise the first event that has a sample; with
/// the demo site that sends it.
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

fn shown(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("?")
}
