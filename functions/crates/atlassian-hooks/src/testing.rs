//! Deliveries for the tests of a handler, without a queue and without AWS.
//!
//! ```
//! use atlassian_hooks::testing::delivery;
//! use atlassian_hooks::{Delivery, jira};
//!
//! let body = r#"{"issue": {"id": "1", "key": "A-1"}}"#;
//! let delivery: Delivery<jira::IssueEvent> = delivery("jira:issue_created", body);
//! assert_eq!(delivery.payload.issue.key, "A-1");
//! ```

use atlassian_connect::delivery::{Delivery, Webhook};
use atlassian_connect::event::{EventName, FromPayload, Product, Reading};
use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::ClientKey;
use jiff::Timestamp;

/// A delivery of an event as a handler gets it, from the product that sends the event, or from
/// Jira if both do or the event is unknown.
///
/// # Panics
///
/// Panics if the body is not JSON, or cannot be read as a `T`.
#[track_caller]
pub fn delivery<T: FromPayload>(event: &str, body: &str) -> Delivery<T> {
    let product = EventName::from(event).products().first().copied();
    delivery_from(product.unwrap_or(Product::Jira), event, body)
}

/// A delivery of an event as a handler gets it, from this product.
///
/// # Panics
///
/// Panics if the body is not JSON, or cannot be read as a `T`.
#[track_caller]
pub fn delivery_from<T: FromPayload>(product: Product, event: &str, body: &str) -> Delivery<T> {
    let event = EventName::from(event);
    let payload = match Payload::from_body(body.to_owned()) {
        Ok(payload) => payload,
        Err(error) => panic!("{error}"),
    };
    let delivery = Delivery {
        id: "test".to_owned(),
        product,
        tenant: ClientKey::new("test").expect("a client key of four letters"),
        received_at: Timestamp::now(),
        webhook: Webhook::default(),
        params: [].into(),
        reading: Reading::of(product, &event, &payload),
        event,
        payload,
    };
    match delivery.read() {
        Ok(delivery) => delivery,
        Err(error) => panic!("{error}"),
    }
}
