//! The commands of `cargo hooks`: the template that deploys the functions, the checks of it, the local
//! run, and the operator's tools.
//!
//! - [`template`] writes `template.yaml` from the descriptor, and checks that all files agree.
//! - [`local`] runs the committed template on this machine with [`sam_template_runner`], and installs
//!   the app and sends webhooks with [`atlassian_simulator`].
//! - [`dead`] lists dead letters, and moves them back to their queues.
//! - [`recover`] fetches the webhooks that Jira could not deliver.
//! - [`terminal`] escapes foreign text before any of these prints it.

pub mod app;
pub mod binaries;
pub mod dead;
pub mod events;
pub mod local;
pub mod recover;
pub mod send;
pub mod terminal;

pub use ::template;
pub use template::{check, plan};
