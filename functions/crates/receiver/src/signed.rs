//! The receiver of signed webhooks: from a request to a message on the queue.
//!
//! [`receive`] is the counterpart of [`crate::receive`] for the webhooks that an administrator or an OAuth
//! 2.0 app registered: tenant → signature → body → delivery → queue. What comes out is a [`Delivery`]
//! like any other; the queue and the handlers do not know which of the protocols it came by.

pub use signed_webhooks::Declared;

use atlassian_connect::delivery::{Delivery, Sender};
use atlassian_connect::event::{EventName, Reading};
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::payload::Payload;
use gateway::{Rejection, Request};
use jiff::Timestamp;
use signed_webhooks::{Events, TenantName, Untrusted, Unverified};
use tenants::{Cached, Find, NotVerified};

use crate::declared::{is_named_otherwise, one, shortened};
use crate::{Enqueue, log_unknown, send, time_until};

/// Verifies a signed webhook and queues it.
///
/// Checks run in the order of their cost. A request without a signature of the right form never
/// reaches the tenants table.
///
/// The product's test of a webhook is verified and not queued, unless its event is declared by name.
///
/// # Errors
///
/// Returns a [`Rejection`] if the delivery was not queued. One exception: if the response of the
/// queue is lost, the delivery may be queued, and the sender's next attempt is a duplicate.
pub async fn receive(
    call: Request,
    declared: &Declared,
    tenants: &Cached<impl Find>,
    queue: &impl Enqueue,
    now: Timestamp,
) -> Result<(), Rejection> {
    let deadline = call.deadline;
    let spec = declared.sender.spec();
    let tenant = tenant(&call, declared)?;

    let header = |name: &str| call.header(name);
    let body = call.body()?;
    let request = Unverified::new(declared.sender, header, &body, now)?;
    let verified = tenants.verify_with(tenant.as_key(), now, |secret| request.verify(secret)).await;
    let (_, verified) = verified.map_err(rejection)?;

    let body = str::from_utf8(verified.body()).map_err(|_| Rejection::NotText)?;
    let payload = Payload::from_body(body.to_owned())?;
    let named = spec.event_name(header, &payload);
    if is_test(declared, named.as_deref()) {
        tracing::info!(request.id = call.id, tenant.key = %tenant, "webhook tested");
        return Ok(());
    }
    let event = event(declared, named.as_deref(), &payload)?;
    drop(named);
    let delivery = Delivery {
        id: call.id.clone(),
        product: spec.product,
        sender: Sender::Signed,
        tenant: tenant.as_key().clone(),
        // The site did not say it, and its API is called in another way than Connect's.
        base_url: None,
        received_at: now,
        webhook: spec.webhook(header),
        params: [].into(),
        reading: Reading::before(spec.product, &event),
        event,
        payload,
    };
    log_unknown(&delivery);
    let patience = time_until(deadline);
    let patience =
        if spec.tries_again { patience.min(runtime::aws::CALL_TIMEOUT) } else { patience };
    send(&delivery, queue, patience).await
}

/// The tenant that the path names. Nothing else in a request says whose secret signed it.
fn tenant(call: &Request, declared: &Declared) -> Result<TenantName, Rejection> {
    let path = call.declared_path();
    let unknown_path = || Rejection::UnknownPath { path: path.to_owned() };
    let tenant = declared.path.tenant(path).ok_or_else(unknown_path)?;
    tenant.parse().map_err(|_| Rejection::UnknownSender { tenant: shortened(tenant) })
}

/// Whether a request is the product's test of the webhook, and no event for a handler.
fn is_test(declared: &Declared, named: Option<&str>) -> bool {
    let is_listed = |name: &str| match &declared.events {
        Events::All => false,
        Events::Only(events) => events.iter().any(|event| event.as_str() == name),
    };
    named.is_some_and(|name| declared.sender.spec().test_event == Some(name) && !is_listed(name))
}

/// Finds the event that a request is.
fn event(
    declared: &Declared,
    named: Option<&str>,
    payload: &Payload,
) -> Result<EventName, Rejection> {
    let product = declared.sender.product();
    match (&declared.events, named) {
        (Events::All, Some(named)) if is_event(named) => Ok(EventName::from(named)),
        (Events::All, None) => Err(Rejection::AmbiguousEvent),
        (Events::All, Some(named)) => Err(undeclared(named)),
        (Events::Only(events), Some(named)) => {
            let own = |event: &&EventName| event.as_str() == named;
            let other = |event: &&EventName| is_named_otherwise(event, product, named, payload);
            let event = events.iter().find(own).or_else(|| events.iter().find(other));
            event.cloned().ok_or_else(|| undeclared(named))
        }
        // A few bodies of Jira's name no event, and an empty one does not.
        (Events::Only(events), None) => {
            one(events.iter().filter(|event| !event.names_itself(product)))
                .or_else(|| one(events.iter()))
                .unwrap_or_else(|| Err(undeclared("without a name")))
                .cloned()
        }
    }
}

/// Whether a name can be that of a webhook's event. It becomes an attribute of a message, and a handler
/// believes what a lifecycle callback says.
fn is_event(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic())
        && Callback::parse(name).is_none()
}

fn undeclared(event: &str) -> Rejection {
    Rejection::UndeclaredEvent { event: shortened(event) }
}

fn rejection(error: NotVerified<Untrusted>) -> Rejection {
    match error {
        NotVerified::Unknown { tenant } => Rejection::UnknownSender { tenant: tenant.into() },
        NotVerified::Untrusted(untrusted) => untrusted.into(),
        NotVerified::Unavailable(error) => Rejection::TenantsUnavailable(error.into()),
    }
}
