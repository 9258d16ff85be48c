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
//!
//! An event of a Forge app comes by its name:
//!
//! ```
//! use atlassian_hooks::testing::delivery;
//! use atlassian_hooks::{Delivery, Sender, forge};
//!
//! let body = r#"{"eventType": "avi:jira:created:issue", "issue": {"id": "1", "key": "A-1"}}"#;
//! let delivery: Delivery<forge::jira::IssueEvent> = delivery("avi:jira:created:issue", body);
//! assert_eq!((delivery.sender, delivery.payload.issue.key.as_str()), (Sender::Forge, "A-1"));
//! ```
//!
//! [`changed`] changes one field of a body, and [`Outcome`] is what happens to the event after the
//! handler returned:
//!
//! ```
//! use atlassian_hooks::testing::{Outcome, changed, delivery};
//! use atlassian_hooks::{Delivery, Error, give_up, jira};
//!
//! async fn handle(delivery: Delivery<jira::IssueEvent>) -> Result<(), Error> {
//!     match delivery.payload.issue.key.as_str() {
//!         "GONE-1" => Err(give_up("the project is gone")),
//!         _ => Ok(()),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let sample = r#"{"issue": {"id": "1", "key": "A-1"}}"#;
//! let returned = handle(delivery("jira:issue_created", sample)).await;
//! assert_eq!(Outcome::of(&returned), Outcome::Handled);
//!
//! let gone = changed(sample, "/issue/key", "GONE-1");
//! let returned = handle(delivery("jira:issue_created", &gone)).await;
//! assert_eq!(Outcome::of(&returned), Outcome::DeadLetter);
//! # }
//! ```
//!
//! [`FakeSite`] is a site on this machine for a handler that calls its tenant's API. It verifies what
//! arrives, and answers what the test says:
//!
//! ```
//! use atlassian_hooks::testing::{Answer, FakeSite, delivery};
//! use atlassian_hooks::{Delivery, Error, Product, Sites};
//! use serde_json::json;
//!
//! async fn handle(delivery: Delivery, sites: Sites) -> Result<(), Error> {
//!     let comment = sites.of(&delivery).post("/rest/api/2/issue/A-1/comment");
//!     comment.json(&json!({ "body": "Seen." })).send().await?;
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let site = FakeSite::start(Product::Jira).await;
//! let path = "/rest/api/2/issue/A-1/comment";
//! site.answers("POST", path, [Answer::json(201, json!({ "id": "1" }))]);
//! let delivery = delivery("jira:issue_updated", r#"{"issue": {"id": "1", "key": "A-1"}}"#);
//! handle(delivery, site.sites()).await.unwrap();
//! assert_eq!(site.requests().len(), 1);
//! # }
//! ```

pub use handler::Outcome;
pub use site::fake::{Answer, FakeSite, Received};

use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::event::{EventName, FromPayload, Product, Reading};
use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::ClientKey;
use atlassian_forge::event as forge;
use jiff::Timestamp;
use serde_json::Value;
use site::fake::base_url;

/// A body with one field changed, by its JSON pointer, as in `/issue/fields/labels/0`.
///
/// # Panics
///
/// Panics if the body is not JSON, or has no such field.
#[track_caller]
pub fn changed(body: &str, pointer: &str, value: impl Into<Value>) -> String {
    let mut body: Value = match serde_json::from_str(body) {
        Ok(body) => body,
        Err(error) => panic!("the body is not JSON: {error}"),
    };
    match body.pointer_mut(pointer) {
        Some(field) => *field = value.into(),
        None => panic!("the body has no field {pointer}; write it as in /issue/key"),
    }
    body.to_string()
}

/// A delivery of an event as a handler gets it, from the product that sends the event, or from
/// Jira if several do or the event is unknown. An event that has its name from Forge, such as
/// `avi:jira:created:issue`, comes from a Forge app.
///
/// # Panics
///
/// Panics if the body is not JSON, or cannot be read as a `T`.
#[track_caller]
pub fn delivery<T: FromPayload>(event: &str, body: &str) -> Delivery<T> {
    let product = match forge::Product::of(event) {
        Some(forge::Product::Confluence) => Some(Product::Confluence),
        Some(forge::Product::Bitbucket) => Some(Product::Bitbucket),
        Some(_) => None,
        None => EventName::from(event).products().first().copied(),
    };
    delivery_from(product.unwrap_or(Product::Jira), event, body)
}

/// A delivery of an event as a handler gets it, from this product.
///
/// # Panics
///
/// Panics if the body is not JSON, or cannot be read as a `T`.
#[track_caller]
pub fn delivery_from<T: FromPayload>(product: Product, event: &str, body: &str) -> Delivery<T> {
    let is_of_forge = event == forge::PRE_UNINSTALL || event.starts_with("avi:");
    let event = EventName::from(event);
    let payload = match Payload::from_body(body.to_owned()) {
        Ok(payload) => payload,
        Err(error) => panic!("{error}"),
    };
    let delivery = Delivery {
        id: "test".to_owned(),
        product,
        sender: if is_of_forge { Sender::Forge } else { Sender::Connect },
        tenant: ClientKey::new("test").expect("a client key of four letters"),
        base_url: (!is_of_forge).then(|| base_url(product).to_owned()),
        received_at: Timestamp::now(),
        webhook: Webhook::default(),
        params: [].into(),
        reading: match is_of_forge {
            true => forge::reading(product, &event, &payload),
            false => Reading::of(product, &event, &payload),
        },
        event,
        payload,
    };
    match delivery.read() {
        Ok(delivery) => delivery,
        Err(error) => panic!("{error}"),
    }
}
