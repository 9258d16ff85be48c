//! The receiver: from a request to a message on the queue.
//!
//! [`receive`] shows the whole sequence: token → tenant → claims → delivery → queue. Each step
//! takes the result of the previous one, and the response is a success only after the delivery is
//! queued.

mod declared;
pub mod forge;
mod queue;
pub mod signed;

pub use declared::Declared;
pub use queue::{Enqueue, Queue, Refused};

use std::time::{Duration, Instant};

use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::event::{Product, Reading};
use atlassian_connect::jwt::Unverified;
use atlassian_connect::payload::Payload;
use contract::metric;
use gateway::{Rejection, Request};
use jiff::Timestamp;
use tenants::{Cached, Find, NotVerified};

/// Verifies a webhook and queues it.
///
/// Checks run in the order of their cost. A request that can be refused without the tenant never
/// reaches the tenants table.
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
    let token = call.token()?;
    let token = Unverified::webhook(token)?.screen(&call.signed(call.base_url.path()), now)?;

    let key = token.issuer().clone();
    let tenant = tenants.verify(&token, now).await.map_err(rejection)?;

    let header = |name| call.header(name).map(str::to_owned);
    let webhook = Webhook {
        identifier: header("x-atlassian-webhook-identifier"),
        retry: header("x-atlassian-webhook-retry"),
        flow: header("x-atlassian-webhook-flow"),
    };
    let id = call.id.clone();
    let payload = Payload::from_body(call.into_text()?)?;
    let entry = declared.entry(tenant.product, &payload)?;
    let reading = Reading::before(tenant.product, &entry.event);
    let delivery = Delivery {
        id,
        event: entry.event.clone(),
        product: tenant.product,
        sender: Sender::Connect,
        tenant: key,
        base_url: tenant.base_url.clone(),
        received_at: now,
        webhook,
        params: entry.params.clone(),
        reading,
        payload,
    };
    log_unknown(&delivery);
    let patience = match delivery.product {
        // Jira tries again by itself. It reportedly waits for five seconds only.
        Product::Jira => time_until(deadline).min(runtime::aws::CALL_TIMEOUT),
        // Confluence does not try again: a delivery that is not queued now is lost.
        Product::Confluence | Product::Bitbucket => time_until(deadline),
    };
    send(&delivery, queue, patience).await
}

/// Queues a delivery that can be trusted, and logs it. The lifecycle function
/// sends its events in the same way.
///
/// # Errors
///
/// Returns a [`Rejection`] if the delivery was not queued.
pub async fn send(
    delivery: &Delivery,
    queue: &impl Enqueue,
    patience: Duration,
) -> Result<(), Rejection> {
    let message = queue.enqueue(delivery, patience).await.inspect_err(|refused| {
        if matches!(refused, Refused::Unavailable(_)) {
            tracing::error!(
                metric = metric::ENQUEUE_FAILED,
                delivery.id,
                delivery.event = %delivery.event,
                "delivery not queued"
            );
        }
    })?;
    tracing::info!(
        delivery.id,
        delivery.event = %delivery.event,
        tenant.key = %delivery.tenant,
        tenant.product = %delivery.product,
        sender = delivery.sender.as_str(),
        webhook.identifier = delivery.webhook.identifier,
        webhook.retry = delivery.webhook.retry,
        message.id = message,
        "delivery queued"
    );
    Ok(())
}

/// Logs a delivery of an event that this code does not know.
fn log_unknown(delivery: &Delivery) {
    // Queued anyway: the event happened.
    if delivery.reading == Reading::Unknown {
        tracing::warn!(
            metric = metric::UNTYPED,
            delivery.id,
            delivery.event = %delivery.event,
            delivery.reading = delivery.reading.as_str(),
            "delivery untyped"
        );
    }
}

/// The time that a function with this deadline has for the queue.
pub fn time_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).saturating_sub(RESPONSE_MARGIN)
}

fn rejection(error: NotVerified) -> Rejection {
    match error {
        NotVerified::Unknown { tenant } => Rejection::UnknownTenant { tenant },
        NotVerified::Untrusted(untrusted) => untrusted.into(),
        NotVerified::Unavailable(error) => Rejection::TenantsUnavailable(error.into()),
    }
}

/// The time reserved for the response after the receiver stops trying.
const RESPONSE_MARGIN: Duration = Duration::from_millis(500);
