//! A simulator of the products that sign their webhooks: the headers and the body of each kind.
//!
//! What it sends is what the products document. It was never compared with a live one.

use std::time::Instant;

use atlassian_connect::event::{EventName, Product};
use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;
use serde_json::{Value, json};
use signed_webhooks::{Kind, NamedBy, Path, Proof, TenantName, sign, sign_token};
use uuid::Uuid;

use crate::client::{Answer, answer_of};
use crate::samples;

/// A tenant that signs its webhooks.
#[derive(Clone, Debug)]
pub struct SignedTenant {
    /// The name.
    pub name: TenantName,
    /// The kind of sender.
    pub kind: Kind,
    /// The secret.
    pub secret: SharedSecret,
}

/// A header by its name and its value.
pub type Header = (&'static str, String);

impl SignedTenant {
    /// The header that proves that the tenant sent this body at this time.
    pub fn proof(&self, body: &str, now: Timestamp) -> Header {
        match self.kind.spec().proof {
            Proof::Signature => ("x-hub-signature", sign(body.as_bytes(), &self.secret)),
            Proof::Token => {
                let issued = now.as_second();
                let claims = json!({ "iat": issued, "exp": issued + LIFETIME });
                ("authorization", format!("Bearer {}", sign_token(&claims, &self.secret)))
            }
        }
    }
}

/// How long a token is valid, in seconds. Atlassian does not document it.
const LIFETIME: i64 = 180;

/// A webhook to send.
#[derive(Clone, Debug)]
pub struct SignedWebhook<'a> {
    /// The app's base URL.
    pub base_url: &'a str,
    /// The declared path.
    pub path: &'a Path,
    /// The event.
    pub event: &'a EventName,
    /// The body.
    pub body: String,
}

/// Signs and posts one webhook of a tenant.
///
/// # Errors
///
/// Fails if the request got no response.
pub async fn send(
    client: &reqwest::Client,
    webhook: SignedWebhook<'_>,
    tenant: &SignedTenant,
) -> anyhow::Result<Answer> {
    let proof = tenant.proof(&webhook.body, Timestamp::now());
    post(client, webhook, tenant, Some(proof)).await
}

/// Posts one webhook with any proof of its sender, or without one.
///
/// # Errors
///
/// Fails if the request got no response.
pub async fn post(
    client: &reqwest::Client,
    webhook: SignedWebhook<'_>,
    tenant: &SignedTenant,
    proof: Option<Header>,
) -> anyhow::Result<Answer> {
    let SignedWebhook { base_url, path, event, body } = webhook;
    let target = format!("{}{}", base_url.trim_end_matches('/'), path.of(&tenant.name));
    let spec = tenant.kind.spec();
    let named = match spec.event {
        NamedBy::Header(name) => Some((name, event.to_string())),
        NamedBy::WebhookEvent | NamedBy::Event => None,
    };
    let identifier = spec.identifier.map(|name| (name, Uuid::new_v4().to_string()));
    let mut request = client.post(&target).header("content-type", "application/json").body(body);
    for (name, value) in [named, identifier, proof].into_iter().flatten() {
        request = request.header(name, value);
    }
    answer_of(request, &target, Instant::now()).await
}

/// The sample body of an event: that of Connect, with the event where this kind names it. Of an event
/// that the tables do not list it says no more than that it happened.
pub fn sample(kind: Kind, event: &EventName) -> Value {
    let product = kind.product();
    if product == Product::Bitbucket {
        return json!({ "repository": { "name": "demo", "full_name": "demo/demo" } });
    }
    let known = samples::sample(product, event).and_then(|body| serde_json::from_str(body).ok());
    let mut body: Value = known.unwrap_or_else(|| json!({ "timestamp": 0 }));
    let member = match kind.spec().event {
        NamedBy::WebhookEvent => "webhookEvent",
        NamedBy::Event => "event",
        NamedBy::Header(_) => return body,
    };
    // Jira calls some events by another name, which stays.
    if body.get(member).is_none() {
        body[member] = event.as_str().into();
    }
    body
}

/// An event that every sender of this kind has.
pub fn usual_event(kind: Kind) -> EventName {
    match kind {
        Kind::Jira | Kind::JiraOauth | Kind::JiraDataCenter => EventName::IssueCreated,
        Kind::ConfluenceDataCenter => EventName::PageCreated,
        Kind::Bitbucket => "repo:push".into(),
        Kind::BitbucketDataCenter => "repo:refs_changed".into(),
    }
}

#[cfg(test)]
mod tests {
    use atlassian_connect::event::TABLE;
    use atlassian_connect::payload::Payload;
    use signed_webhooks::Unverified;

    use super::*;

    fn tenant(kind: Kind, secret: &str) -> SignedTenant {
        let name = "demo".parse().unwrap();
        SignedTenant { name, kind, secret: SharedSecret::new(secret) }
    }

    #[test]
    fn proves_the_secret_alone() {
        let (body, now) = ("{}", Timestamp::UNIX_EPOCH);
        for kind in Kind::ALL {
            let (name, value) = tenant(kind, "one").proof(body, now);
            let header = |asked: &str| (asked == name).then_some(&*value);
            let request = Unverified::new(kind, header, body.as_bytes(), now).unwrap();
            assert!(request.verify(&SharedSecret::new("one")).is_ok(), "{kind}");
            assert!(request.verify(&SharedSecret::new("two")).is_err(), "{kind}");
        }
    }

    #[test]
    fn bodies_name_their_event_where_it_is_read() {
        for kind in Kind::ALL {
            let spec = kind.spec();
            let of_kind = TABLE.iter().filter(|line| line.product == spec.product);
            let events = of_kind.map(|line| line.event.clone()).chain([usual_event(kind)]);
            for event in events.chain(["new_event".into()]) {
                let body = sample(kind, &event);
                let payload = Payload::from_body(body.to_string()).unwrap();
                let header = |_: &str| Some("in a header");
                assert!(spec.event_name(header, &payload).is_some(), "{kind} {event}: {body}");
            }
        }
    }
}
