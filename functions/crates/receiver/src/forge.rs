//! The receiver of Forge events: from a request to a message on the queue.
//!
//! [`receive`] is the counterpart of [`crate::receive`] for an event of a Forge app: token → key →
//! claims → delivery → queue. What comes out is a [`Delivery`] like any other; the queue and the
//! handlers do not know which of the two protocols it came by.

mod keys;

pub use keys::{ForgeKeys, KeyServer, NoKey};

use std::str::FromStr;

use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::event::{EventName, Product as ConnectProduct};
use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::ClientKey;
use atlassian_forge::event::{self, Body, Form, PRE_UNINSTALL, Product};
use atlassian_forge::keys::FetchKeys;
use atlassian_forge::token::{AppId, Claims, EndpointKey, Untrusted, Unverified};
use gateway::{Rejection, Request};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::{Enqueue, log_unknown, send, time_until};

/// The endpoint of one URL, as the manifest declares it.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoint {
    /// The app.
    #[serde(deserialize_with = "parsed")]
    pub app: AppId,
    /// The key of the endpoint.
    #[serde(deserialize_with = "parsed")]
    pub key: EndpointKey,
    /// The events that the triggers send to it, and [`PRE_UNINSTALL`] if that module does.
    pub events: Vec<EventName>,
}

impl FromStr for Endpoint {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json)
    }
}

impl Endpoint {
    /// Finds the event that a body is.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::UndeclaredEvent`] if the body names an event that the manifest does not
    /// send here; the token is bound to the endpoint, and the body is not signed. A body that names
    /// none is the only event of the endpoint whose bodies can lack a name, and
    /// [`Rejection::AmbiguousEvent`] is for several of them.
    fn event(&self, body: &Body<'_>) -> Result<&EventName, Rejection> {
        let Some(name) = body.name() else {
            let nameless = |event: &&EventName| {
                event.as_str() == PRE_UNINSTALL
                    || Product::of(event.as_str()) == Some(Product::Forge)
            };
            let mut nameless = self.events.iter().filter(nameless);
            let first = nameless.next().filter(|_| !body.event().is_empty());
            let undeclared = || Rejection::UndeclaredEvent { event: "without a name".into() };
            let first = first.ok_or_else(undeclared)?;
            return if nameless.next().is_none() {
                Ok(first)
            } else {
                Err(Rejection::AmbiguousEvent)
            };
        };
        let declared = self.events.iter().find(|event| event.as_str() == name);
        // Shortened for the log: the body can contain anything.
        let event = || name.chars().take(100).collect();
        declared.ok_or_else(|| Rejection::UndeclaredEvent { event: event() })
    }
}

/// Verifies an event of a Forge app and queues it.
///
/// Checks run in the order of their cost: nothing is fetched for a token that can be refused
/// without a key.
///
/// Forge tries again after every failure, 401 included, four times in as many minutes.
///
/// # Errors
///
/// Returns a [`Rejection`] if the delivery was not queued. One exception: if the response of the
/// queue is lost, the delivery may be queued, and the next attempt is a duplicate.
pub async fn receive<F>(
    call: Request,
    endpoint: &Endpoint,
    keys: &ForgeKeys<F>,
    queue: &impl Enqueue,
    now: Timestamp,
) -> Result<(), Rejection>
where
    F: FetchKeys<Error = runtime::Error>,
{
    let deadline = call.deadline;
    let token = Unverified::parse(call.invocation_token()?)?;
    let token = token.screen(&endpoint.app, &endpoint.key, now)?;
    let key = keys.find(token.key_id(), now).await.map_err(rejection)?;
    let claims = token.verify(&key)?;

    let id = call.id.clone();
    let payload = Payload::from_body(call.into_text()?)?;
    let body = Body::read(payload.as_str());
    let event = endpoint.event(&body)?.clone();
    let product = product(&event, &claims)?;
    let webhook = Webhook {
        identifier: body.identity(claims.installation()),
        retry: body.retry().and_then(|retry| retry.count).map(|count| count.to_string()),
        flow: None,
    };
    // Handlers get the event, whatever it is wrapped in.
    let payload = match body.form() {
        Form::Root => payload,
        Form::Wrapped => Payload::from_body(body.event().to_owned())?,
    };
    let reading = event::before(&event);
    let delivery = Delivery {
        id,
        event,
        product,
        sender: Sender::Forge,
        tenant: ClientKey::new(claims.installation().as_str())
            .map_err(|_| Untrusted::Installation)?,
        // The site's API is called in another way than Connect's.
        base_url: None,
        received_at: now,
        webhook,
        params: [].into(),
        reading,
        payload,
    };
    log_unknown(&delivery);
    // Forge waits for five seconds and tries again.
    send(&delivery, queue, time_until(deadline).min(runtime::aws::CALL_TIMEOUT)).await
}

/// The product of a delivery. An event that is not of a product, such as an installation, belongs to
/// the product of its installation.
fn product(event: &EventName, claims: &Claims) -> Result<ConnectProduct, Rejection> {
    let of_site = || claims.product().and_then(ConnectProduct::parse);
    let product = match Product::of(event.as_str()) {
        Some(Product::Jira | Product::JiraSoftware | Product::JiraServiceManagement) => {
            Some(ConnectProduct::Jira)
        }
        Some(Product::Confluence) => Some(ConnectProduct::Confluence),
        Some(Product::Bitbucket) => Some(ConnectProduct::Bitbucket),
        Some(Product::Compass) => None,
        Some(Product::AppPolicy | Product::Forge) | None => of_site(),
    };
    product.ok_or_else(|| Rejection::OtherProduct { event: event.as_str().into() })
}

fn rejection(no_key: NoKey) -> Rejection {
    match no_key {
        NoKey::Unknown => Untrusted::UnknownKey.into(),
        NoKey::Unavailable(error) => Rejection::KeySetUnavailable(error),
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
