//! Atlassian webhooks on AWS Lambda: verified, queued, and handled by your async functions.
//!
//! An app has up to seven kinds of functions, and each is one call:
//!
//! | function | call | serves |
//! |---|---|---|
//! | receiver | [`receiver::run`] | one declared webhook URL: verifies the request and queues the event |
//! | receiver of a Forge app | [`receiver::forge::run`] | one endpoint of the manifest: the same for Forge's events |
//! | receiver of signed webhooks | [`receiver::signed::run`] | one URL that an administrator or an OAuth 2.0 app registers: the same for webhooks with a signature |
//! | lifecycle | [`lifecycle::run`] | `installed`, `uninstalled`, `enabled`, `disabled`: records tenants, and queues the callbacks if the app has a handler for them |
//! | descriptor | [`descriptor::run`] | `atlassian-connect.json` |
//! | inspector | [`inspector::run`] | one queue: logs each event, instead of a handler |
//! | handler | [`run`] or [`Runner::run`] | one queue: calls your function for each event |
//!
//! ```no_run
//! use atlassian_hooks::{Delivery, Error, jira};
//!
//! async fn handle(delivery: Delivery<jira::IssueEvent>) -> Result<(), Error> {
//!     println!("{} in {} of {}", delivery.event, delivery.payload.issue.key, delivery.tenant);
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     atlassian_hooks::run(handle)
//! }
//! ```
//!
//! `cargo hooks new` writes an app, and `cargo hooks template` the SAM template that deploys it.

pub mod change;
pub mod descriptor;
pub mod inspector;
pub mod lifecycle;
pub mod receiver;
#[cfg(feature = "testing")]
pub mod testing;

pub use atlassian_connect::delivery::{Delivery, Sender, Webhook};
pub use atlassian_connect::event::{Event, LifecycleEvent, Product, confluence, jira};
pub use atlassian_connect::lifecycle::Callback;
pub use atlassian_connect::payload::Payload;
/// Events of Forge, and their payload types.
pub use atlassian_forge::event as forge;
/// The REST API of a tenant's site.
pub mod site {
    pub use ::site::{Client, Error, Request, Response, segment};
}
pub use ::site::Sites;
#[doc(inline)]
pub use handler::{Error, LONGEST_DELAY, Runner, give_up, mode, retry_after, run};
#[doc(inline)]
pub use runtime::aws::config as aws_config;
