//! From a request to a message on the queue.
//!
//! [`receive`] is the whole road on one page: token → tenant → claims → delivery → queue. Each step
//! takes what the one before made, and nothing is answered with success before the queue has it.

mod declared;
mod queue;

pub use declared::Declared;
pub use queue::{Enqueue, Queue, Refused};

use std::time::{Duration, Instant};

use atlassian_connect::delivery::{Delivery, Webhook};
use atlassian_connect::event::{Product, Reading};
use atlassian_connect::jwt::Unverified;
use atlassian_connect::payload::Payload;
use contract::metric;
use gateway::{Call, Rejection};
use jiff::Timestamp;
use runtime::metrics;
use tenants::{Cached, Find, NotVerified};

/// Takes one webhook: verifies it, and puts it on the queue.
///
/// Checks are in the order of their price. What can be refused by looking at the request alone never
/// reaches the tenants' table.
///
/// # Errors
///
/// A [`Rejection`], before which nothing was enqueued. One exception cannot be avoided: when the
/// queue's answer is lost, the delivery may be there, and the sender's next attempt repeats it.
pub async fn receive(
    call: Call,
    declared: &Declared,
    tenants: &Cached<impl Find>,
    queue: &impl Enqueue,
    now: Timestamp,
) -> Result<(), Rejection> {
    let deadline = call.deadline;
    let token = call.token()?;
    let base_path = call.base_url.path();
    let token = Unverified::webhook(token)?.screen(&call.signed(&base_path), now)?;

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
    let reading = Reading::of(tenant.product, &entry.event, &payload);
    let delivery = Delivery {
        id,
        event: entry.event.clone(),
        product: tenant.product,
        tenant: key,
        received_at: now,
        webhook,
        params: entry.params.clone(),
        reading,
        payload,
    };
    // Taken all the same: a body that this code cannot read is still the event that happened.
    let reading = &delivery.reading;
    match reading {
        Reading::Read => {}
        Reading::Partly(left_out) => {
            metrics::count(metric::PARTLY_TYPED);
            tracing::warn!(
                delivery.id,
                delivery.event = %delivery.event,
                delivery.reading = reading.as_str(),
                %left_out,
                "delivery partly typed"
            );
        }
        Reading::Unreadable(_) | Reading::Unknown => {
            metrics::count(metric::UNTYPED);
            tracing::warn!(
                delivery.id,
                delivery.event = %delivery.event,
                delivery.reading = reading.as_str(),
                why = reading.why(),
                "delivery not typed"
            );
        }
    }

    let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(ANSWER);
    let patience = match delivery.product {
        // It tries again by itself, and some think that it waits for five seconds only.
        Product::Jira => left.min(runtime::aws::CALL),
        // It does not: what is not queued now is lost.
        Product::Confluence => left,
    };
    let message = queue.enqueue(&delivery, patience).await.inspect_err(|refused| {
        if matches!(refused, Refused::Unavailable(_)) {
            metrics::count(metric::ENQUEUE_FAILED);
        }
    })?;
    metrics::count(metric::ACCEPTED);
    tracing::info!(
        delivery.id,
        delivery.event = %delivery.event,
        tenant.key = %delivery.tenant,
        tenant.product = %delivery.product,
        webhook.identifier = delivery.webhook.identifier,
        webhook.retry = delivery.webhook.retry,
        message.id = message,
        "delivery queued"
    );
    Ok(())
}

fn rejection(error: NotVerified) -> Rejection {
    match error {
        NotVerified::Unknown { tenant } => Rejection::UnknownTenant { tenant },
        NotVerified::Untrusted(untrusted) => untrusted.into(),
        NotVerified::Unavailable(error) => Rejection::TenantsUnavailable(error.into()),
    }
}

/// What is left of a function's time for its answer, when it stops trying.
const ANSWER: Duration = Duration::from_millis(500);
