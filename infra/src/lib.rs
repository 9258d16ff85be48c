//! The commands of `cargo hooks`: the template that deploys the functions, the checks of it, the local
//! run, and the operator's tools.
//!
//! - [`plan`] is what the descriptor amounts to, [`template`] writes it down for AWS, and [`check`]
//!   says whether all that has to agree does.
//! - [`local`] runs the committed template on this machine with [`sam_template_runner`], and installs
//!   the app and sends webhooks with [`atlassian_simulator`].
//! - [`dead`] lists what no handler could handle, and puts it back.
//! - [`recover`] fetches what Jira could not deliver.

pub mod binaries;
pub mod check;
pub mod dead;
pub mod events;
pub mod local;
pub mod plan;
pub mod recover;
pub mod root;
pub mod send;
pub mod template;
