//! The inspector of a local stack: what became of each webhook.
//!
//! ```text
//! requests ──┐
//!            ├──▶ Journeys ──▶ server: page, JSON, server-sent events
//! log lines ─┘    (journeys)   (server)
//! ```
//!
//! [`Journeys`] joins what a stack shows (each request with its answer, each log line) by the id of
//! the delivery into one [`Journey`] a request. [`serve`] shows them on a page, and passes on what
//! somebody does there to a [`Control`].
//!
//! No token and no shared secret is kept: of a token only the decoded claims, and of an install's body
//! everything but the secret.

mod declared;
mod journey;
mod journeys;
mod sent;
mod server;

pub use declared::Declared;
pub use journey::{Attempt, Journey, Kind, Line, Outcome, Reading, Verdict};
pub use journeys::{Handlers, Journeys, without_metric};
pub use sent::{Sent, Token};
pub use server::{Control, Install, Send, Site, Tampering, serve};
