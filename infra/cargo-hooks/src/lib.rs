//! The library behind `cargo hooks`.
//!
//! - [`commands`] has one module for each command: its arguments, and `run`.
//! - [`app`] finds the app that a command works on.
//! - [`scaffold`] writes the files of a new app, and [`addition`] those of a new webhook.
//! - [`binaries`] builds the functions, and [`session`] is what a running local stack tells the other
//!   commands.
//! - [`demo`] has the demo sites of a local stack, which the inspector's page acts for.
//! - [`account`] finds a deployed stack, [`dead_letters`] lists and replays its dead letters, and [`recover`]
//!   fetches the webhooks that Jira could not deliver. [`transfer`] lists, exports and imports its
//!   tenants.
//! - [`deliveries`] makes one row a delivery from lines of log, and [`logs`] reads those of a deployed
//!   stack.
//! - [`doctor`] looks for what this machine lacks.
//! - [`schema`] is the JSON Schema of the app descriptor.
//! - [`terminal`] escapes foreign text before any of these prints it, and prints tables.

pub mod account;
pub mod addition;
pub mod app;
pub mod binaries;
pub mod commands;
pub mod dead_letters;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod logs;
pub mod manifest;
pub mod recover;
pub mod scaffold;
pub mod schema;
pub mod session;
pub mod terminal;
pub mod transfer;

pub use ::template;
pub use template::{check, plan};
