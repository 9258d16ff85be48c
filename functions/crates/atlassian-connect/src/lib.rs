//! The protocol of Atlassian Connect webhooks: what is signed, what is sent, what is declared.
//!
//! No I/O, no clock, no AWS. Time and keys are handed in, so everything here can be tested with a
//! literal. The journey of a delivery, and where each step lives:
//!
//! 1. A request arrives. Its token is found and looked at, but not believed:
//!    [`jwt::Unverified`] gives away one thing, the issuer, by which the tenant can be found.
//! 2. What can be refused without the tenant's secret is refused first:
//!    [`jwt::Unverified::screen`] checks the times and the [query string hash](qsh).
//! 3. The tenant's [shared secret](tenant::SharedSecret) turns a screened token into
//!    [`jwt::Claims`], which exist in no other way.
//! 4. [`event`] says which event it is, and [`delivery::Delivery`] is what travels through the
//!    queue: the name, where it came from, and the payload byte for byte.
//! 5. At the other end the payload is read as [what the handler asks for](event::FromPayload).
//!
//! Beside the road: [`descriptor`] is the file that declares the webhooks, [`lifecycle`] the
//! callbacks by which a tenant comes and goes, and [`jwt::sign`] the signer, so that a test, a
//! benchmark or a tool signs for real.

pub mod delivery;
pub mod descriptor;
pub mod event;
pub mod jwt;
pub mod lifecycle;
pub mod payload;
pub mod qsh;
pub mod tenant;
