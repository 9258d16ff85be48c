//! The journey of the first delivery of each sender, step by step.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::EventName;
use inspector::{Journey, Journeys, Outcome, Tampering};
use jiff::Timestamp;
use serde_json::Value;
use signed_webhooks::Declared;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::console;
use crate::demo::{Demo, signed_events, signed_url_of};
use atlassian_simulator::forge::{self, Forge, Installation};
use atlassian_simulator::samples::{fresh, renew};
use atlassian_simulator::signed::{self, SignedTenant};
use atlassian_simulator::{Answer, Site};

/// How long the delivery may take to its handler before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one webhook, one event of Forge, or both, and shows where each is until it is handled. Only an app
/// that has neither is sent a signed webhook.
pub(super) async fn show(demo: &Demo, journeys: &Journeys) -> anyhow::Result<()> {
    let declared = demo.declared();
    if let Some(descriptor) = &declared.descriptor {
        let sites = demo.sites();
        let (webhook, site, body) = first_with_a_sample(descriptor, &sites)?;
        let changes = journeys.subscribe();
        let answer = demo.send(site, &webhook.event, body.to_string(), Tampering::None).await?;
        console::answered("sent", &format!("{} to {}", webhook.event, webhook.url), &answer);
        follow(changes, &answer).await?;
    }
    if declared.manifest.is_some() {
        let (event, path, installation) = first_of_forge(demo)?;
        let changes = journeys.subscribe();
        let body = Forge::sample(installation, &event).to_string();
        let answer = demo.invoke(installation, &event, body, Tampering::None).await?;
        console::answered("sent", &format!("{event} to {path}"), &answer);
        follow(changes, &answer).await?;
    }
    if declared.descriptor.is_none()
        && declared.manifest.is_none()
        && let Some((url, event, tenant)) = first_signed(demo)
    {
        let changes = journeys.subscribe();
        let mut body = signed::sample(tenant.kind, &event);
        renew(&mut body, Timestamp::now());
        let answer = demo.send_signed(tenant, &event, body.to_string(), Tampering::None).await?;
        let path = url.path.of(&tenant.name);
        console::answered("sent", &format!("{event} to {path}"), &answer);
        follow(changes, &answer).await?;
    }
    Ok(())
}

/// Shows where a delivery is until it is handled.
async fn follow(mut changes: Receiver<Arc<Journey>>, answer: &Answer) -> anyhow::Result<()> {
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

/// The first event of the manifest that has a sample body and an installation that sends it.
fn first_of_forge(demo: &Demo) -> anyhow::Result<(EventName, &str, &Installation)> {
    let endpoints = demo.declared().endpoints();
    let mut sent = endpoints.flat_map(|(_, path, events)| {
        events.into_iter().map(move |event| (EventName::from(event), path))
    });
    let found = sent.find_map(|(event, path)| {
        let mut installations = demo.installations().iter();
        let installation = installations.find(|installation| installation.may_send(&event))?;
        forge::samples::sample(&event)?;
        Some((event, path, installation))
    });
    found.context("none of the manifest's events has a sample body; send one with `--body FILE`")
}

/// Jira's `jira:issue_created` if a URL of signed webhooks takes it, otherwise the first event; with the
/// tenant that sends it.
fn first_signed(demo: &Demo) -> Option<(&Declared, EventName, &SignedTenant)> {
    let urls = &demo.declared().signed;
    let preferred = signed_url_of(urls, None, &EventName::IssueCreated);
    let preferred = preferred.map(|url| (url, EventName::IssueCreated));
    let first = || Some((urls.first()?, signed_events(urls.first()?).into_iter().next()?));
    let (url, event) = preferred.or_else(first)?;
    let tenant = demo.signed().iter().find(|tenant| tenant.kind == url.kind)?;
    Some((url, event, tenant))
}

/// Jira's `jira:issue_created` if it is declared, otherwise the first event that has a sample; with
/// the demo site that sends it. The body is new, so that it is no duplicate in a stack that was started
/// before.
fn first_with_a_sample<'a>(
    descriptor: &'a Descriptor,
    sites: &'a [Site],
) -> anyhow::Result<(&'a Webhook, &'a Site, Value)> {
    let webhooks = &descriptor.modules.webhooks;
    let preferred = webhooks.iter().filter(|webhook| webhook.event == EventName::IssueCreated);
    let now = Timestamp::now();
    preferred
        .chain(webhooks)
        .find_map(|webhook| {
            sites
                .iter()
                .find_map(|site| Some((webhook, site, fresh(site.product, &webhook.event, now)?)))
        })
        .context("none of the declared events has a sample body; send one with `--body FILE`")
}

fn shown(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use atlassian_connect::event::Product;
    use serde_json::json;

    use super::*;

    /// A webhook of Confluence has no identifier, so its body tells whether it was handled before.
    #[test]
    fn each_start_sends_another_body() {
        let descriptor = json!({"key": "app", "modules": {"webhooks": [
            {"event": "page_created", "url": "/page-created"},
        ]}});
        let descriptor = Descriptor::parse(&descriptor.to_string()).unwrap();
        let sites = [Site::new(Product::Confluence, "demo")];
        let body = || first_with_a_sample(&descriptor, &sites).unwrap().2;
        assert_ne!(body(), body());
    }
}
