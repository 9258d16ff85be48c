//! The protocol of Forge Remote: how Atlassian delivers the events of a Forge app to a server of
//! the app's own.
//!
//! Forge is the platform that follows Connect. A Forge app declares in its `manifest.yml` which
//! events it wants ([`manifest`]) and at which URL of its server, the *remote*. Atlassian posts
//! each event there, with a *Forge invocation token* (FIT) in the `Authorization` header.
//!
//! There is no I/O, no clock and no AWS here. Time and keys are parameters. The steps of a
//! delivery:
//!
//! 1. [`token::Unverified`] parses the token without trusting it.
//! 2. [`token::Unverified::screen`] refuses what can be refused without a key: another app's token,
//!    a user's, one that has expired, one for another endpoint.
//! 3. A key of Atlassian's [key set](keys) verifies a screened token. Only this produces
//!    [`token::Claims`], which name the installation.
//! 4. [`event::Body`] finds the event in the body, and an identity that is the same for every
//!    attempt to deliver it. The body is not signed.
//! 5. The handler reads it as a payload type, such as [`event::jira::IssueEvent`].
//!
//! # How this differs from Connect
//!
//! | | Connect | Forge Remote |
//! |---|---|---|
//! | token | HS256, with a secret for each tenant | RS256, with Atlassian's keys |
//! | bound to the URL by | the query string hash | the key of the endpoint in the manifest |
//! | tenant | the issuer, a client key | the installation in the claims |
//! | lifetime of a token | 3 minutes | 25 seconds |
//! | attempts | by product and status | 4 more after any failure, 60 seconds apart |
//! | identity of a delivery | a header of Jira's | none: the hash of the body |
//!
//! # What is not confirmed
//!
//! This crate was written from Atlassian's documentation of August 2026 and from public reports. No
//! delivery of a live site was observed. Not confirmed are the exact claims of an event's token,
//! whether an event is the body or its `payload` member (both are read), and whether Atlassian
//! retries four times or makes four attempts in total.

pub mod event;
pub mod keys;
pub mod manifest;
pub mod token;
