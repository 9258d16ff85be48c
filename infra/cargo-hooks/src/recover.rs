//! Recovery of webhooks that Jira could not deliver.
//!
//! Atlassian's documentation, "The Jira Cloud platform REST API", `GET /rest/api/3/webhook/failed`:
//! the webhooks that could not be delivered to a Connect app after the last retry, for 72 hours,
//! oldest first. A page is requested by the time of failure, and can be longer than requested, so
//! that it does not end between failures of the same millisecond.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::event::{Product, Reading};
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::payload::Payload;
use atlassian_connect::qsh;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;
use receiver::{Declared, Enqueue as _, Refused};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use serde::Deserialize;
use tenants::Table;
use uuid::Uuid;

use crate::dead_letters::Queues;
use crate::terminal::escaped;
use template::plan::{Plan, Receiver, Url};

/// The options of a recovery.
#[derive(Clone, Debug)]
pub struct Recover {
    /// Only webhooks that failed after this time.
    pub since: Timestamp,
    /// Whether to count the webhooks instead of queueing them.
    pub dry_run: bool,
}

/// A Jira that has the app installed.
#[derive(Clone, Debug)]
pub struct Jira {
    /// Its client key.
    pub key: ClientKey,
    /// The base URL of the site.
    pub base_url: String,
    /// The shared secret.
    pub secret: SharedSecret,
}

/// The result of a recovery.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recovered {
    /// How many webhooks were queued, or would be.
    pub queued: u64,
    /// How many webhooks cannot be queued: their URL is no longer declared, or Jira has no body.
    pub left: u64,
    /// In how many milliseconds more webhooks may have failed than Jira lists.
    pub crowded: u64,
}

/// The Jira sites that have the app installed. Confluence has no list of failed webhooks.
///
/// # Errors
///
/// Fails if the table or the key does not answer.
pub async fn jiras(table: &Table, now: Timestamp) -> anyhow::Result<Vec<Jira>> {
    let sites = table.sites(now).await?.into_iter();
    let jiras = sites.filter(|(_, _, tenant)| tenant.product == Product::Jira);
    Ok(jiras.map(|(key, base_url, tenant)| Jira { key, base_url, secret: tenant.secret }).collect())
}

/// Fetches the failed webhooks of one Jira site, and queues them.
///
/// Each webhook keeps its identifier, so one that did arrive or was recovered before is a duplicate
/// and handled only once.
///
/// Each page is requested from the last failure of the previous page, inclusive, and webhooks that
/// are in both are recognised by their identifiers. If a page has nothing new, Jira has listed all
/// that it lists of that millisecond. This is reported, and the next millisecond is requested.
///
/// # Errors
///
/// Fails if Jira or the queue does not answer, or Jira's answer is not understood. Webhooks that
/// were queued stay queued; run it again for the rest.
pub async fn recover(
    jira: &Jira,
    plan: &Plan,
    client: &reqwest::Client,
    what: &Recover,
    queues: &Queues,
) -> anyhow::Result<Recovered> {
    let (mut done, mut seen, mut crowded) = (Recovered::default(), HashSet::new(), HashSet::new());
    let mut after = what.since.as_millisecond();
    loop {
        let page = page(jira, &plan.app_key, client, after).await?;
        let is_last = page.values.len() < page.max_results;
        let times = page.values.iter().map(|failed| failed.failure_time);
        let (Some(first), Some(last)) = (times.clone().min(), times.max()) else {
            return Ok(done);
        };
        // One that is longer than its limit shows that Jira does not keep to it in a millisecond.
        let may_be_cut = first == last && page.values.len() == page.max_results;
        let mut has_new = false;
        for failed in page.values {
            if !seen.insert(failed.id.clone()) {
                continue;
            }
            has_new = true;
            let found =
                url(plan, &failed.url).and_then(|url| Some((delivery(jira, url, &failed)?, url)));
            let Some((delivery, url)) = found else {
                done.left += 1;
                eprintln!("left: the webhook {} to {}", escaped(&failed.id), escaped(&failed.url));
                continue;
            };
            if !what.dry_run {
                let queue = queues.of_handler(&url.handler.name)?;
                match queue.enqueue(&delivery, PATIENCE).await {
                    Ok(_) => {}
                    Err(Refused::TooLarge { bytes }) => {
                        done.left += 1;
                        eprintln!("left: the webhook {} has {bytes} bytes", escaped(&failed.id));
                        continue;
                    }
                    Err(refused) => return Err(refused).context("run it again for the rest"),
                }
            }
            done.queued += 1;
        }
        if is_last {
            return Ok(done);
        }
        if has_new {
            after = after.max(last - 1);
            continue;
        }
        if last < after {
            bail!("Jira listed failures before {after}, which were not requested; try again later");
        }
        if may_be_cut && crowded.insert(last) {
            done.crowded += 1;
            eprintln!(
                "more may have failed at {last} ms since 1970 than Jira lists; those are lost"
            );
        }
        after = last.max(after + 1);
    }
}

/// How long SQS may take for one delivery.
const PATIENCE: Duration = Duration::from_secs(20);

/// The page size to request.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    values: Vec<Failed>,
    /// Fewer than these are the last ones.
    max_results: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    /// `X-Atlassian-Webhook-Identifier`.
    id: String,
    #[serde(default)]
    body: Option<String>,
    url: String,
    /// In milliseconds since 1970.
    failure_time: i64,
}

async fn page(
    jira: &Jira,
    app_key: &str,
    client: &reqwest::Client,
    after: i64,
) -> anyhow::Result<Page> {
    let base_url = jira.base_url.trim_end_matches('/');
    let target = format!("{base_url}/rest/api/3/webhook/failed?after={after}&maxResults={PAGE}");
    let base_path = reqwest::Url::parse(base_url)
        .context("the tenant's baseUrl is not a URL; install the app on that site again")?;
    let qsh = qsh::Request::of_url("GET", &target, base_path.path()).hash()?;
    for _ in 0..ATTEMPTS {
        // Signed anew each time: a token lives for three minutes.
        let token = jwt::sign(&ClaimsToSign::new(app_key, &qsh, Timestamp::now()), &jira.secret);
        let request = client.get(&target).header(AUTHORIZATION, format!("JWT {token}"));
        let answer = request
            .send()
            .await
            .with_context(|| format!("{base_url} did not answer; try again later"))?;
        match answer.status() {
            StatusCode::OK => {
                let list = answer.bytes().await?;
                return serde_json::from_slice(&list)
                    .context("Jira's list of failed webhooks cannot be read; try again later");
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
                let wait = wait.and_then(|wait| wait.parse().ok()).unwrap_or(1);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            status => bail!(
                "{base_url} answered {status}; check that the app is installed there, with READ"
            ),
        }
    }
    bail!("{base_url} limits our requests; try again later")
}

const ATTEMPTS: usize = 10;

/// The declared URL that a webhook was sent to. What stands before it, as a domain, a stage or a
/// base path, may have been another at the time.
fn url<'p>(plan: &'p Plan, sent: &str) -> Option<&'p Url> {
    let sent = reqwest::Url::parse(sent).ok()?;
    let sent: Vec<&str> = sent.path().split('/').collect();
    let matches = |url: &&Url| {
        let route: Vec<&str> = url.route.split('/').skip(1).collect();
        let end = sent.len().checked_sub(route.len()).map(|start| &sent[start..]);
        end.is_some_and(|end| {
            end.iter().zip(&route).all(|(sent, route)| route.starts_with('{') || sent == route)
        })
    };
    // A literal segment says more than a variable.
    let literals = |url: &&Url| url.route.split('/').filter(|part| !part.starts_with('{')).count();
    plan.urls.iter().filter(matches).max_by_key(literals)
}

/// The delivery that the receiver of this URL would have made of it.
fn delivery(jira: &Jira, url: &Url, failed: &Failed) -> Option<Delivery> {
    // Jira lists what it could not send to a Connect app.
    let Receiver::Connect { webhooks } = &url.receiver else { return None };
    let declared: Declared = webhooks.parse().ok()?;
    let payload = Payload::from_body(failed.body.clone().unwrap_or_default()).ok()?;
    let entry = declared.entry(Product::Jira, &payload).ok()?;
    let reading = Reading::before(Product::Jira, &entry.event);
    Some(Delivery {
        id: format!("recovered-{}", Uuid::new_v4()),
        event: entry.event.clone(),
        product: Product::Jira,
        sender: Sender::Connect,
        tenant: jira.key.clone(),
        base_url: Some(jira.base_url.clone()),
        received_at: Timestamp::now(),
        webhook: Webhook { identifier: Some(failed.id.clone()), ..Webhook::default() },
        params: entry.params.clone(),
        reading,
        payload,
    })
}
