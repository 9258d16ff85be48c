//! What surrounds the functions: the template that deploys them, the checks that keep it true, and
//! a local stack that runs it.
//!
//! - [`plan`] is what the descriptor amounts to, [`template`] writes it down for AWS, and [`check`]
//!   says whether all that has to agree does.
//! - [`stack`] runs the committed template on this machine: the built functions as they are, behind
//!   a local HTTP API, with a DynamoDB and an SQS of its own.
//! - [`atlassian`] plays the other side: it serves an install key, installs the app, and signs
//!   webhooks as Jira and Confluence do.
//! - [`local`] puts the three together.
//! - [`dead`] lists what no handler could handle, and puts it back.
//! - [`recover`] fetches what Jira could not deliver.
//! - [`terminal`] escapes what others wrote before any of these prints it.

pub mod atlassian;
pub mod binaries;
pub mod check;
pub mod dead;
pub mod events;
pub mod local;
pub mod plan;
pub mod recover;
pub mod root;
pub mod samples;
pub mod send;
pub mod stack;
pub mod template;
pub mod terminal;
