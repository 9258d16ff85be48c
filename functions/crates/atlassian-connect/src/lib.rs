//! The protocol of Atlassian Connect webhooks: tokens, deliveries, typed events, the descriptor.
//!
//! There is no I/O, no clock and no AWS here. Time and keys are parameters, so everything can be
//! tested with literals. The steps of a delivery:
//!
//! 1. A request arrives. [`jwt::Unverified`] parses its token without trusting it. It reveals only
//!    the issuer, with which the tenant can be found.
//! 2. [`jwt::Unverified::screen`] refuses what can be refused without the tenant's secret: it
//!    checks the times and the [query string hash](qsh).
//! 3. The tenant's [shared secret](tenant::SharedSecret) verifies a screened token. Only this
//!    produces [`jwt::Claims`].
//! 4. [`event`] has the names and payload types of events. [`delivery::Delivery`] is what the queue
//!    carries: the event, its origin, and the payload byte for byte.
//! 5. The handler reads the payload as [the type that it takes](event::FromPayload).
//!
//! In addition, [`descriptor`] is the file that declares the webhooks, [`lifecycle`] has the
//! callbacks of installs and uninstalls, [`impersonation`] lets an app act as a user, and
//! [`jwt::sign`] signs requests to a site, and tokens for tests, benchmarks and
//! tools.

pub mod delivery;
pub mod descriptor;
pub mod event;
pub mod impersonation;
pub mod jwt;
pub mod lifecycle;
pub mod payload;
pub mod qsh;
pub mod tenant;
