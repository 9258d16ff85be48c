//! The SAM template of an app: written from what it declares to Atlassian, and checked against it.
//!
//! - [`configuration`] reads what the app wants beyond its declarations.
//! - [`plan`] derives from both which functions and queues there are.
//! - [`render`] writes `template.yaml`.
//! - [`resources`] reads what it deploys from it, for other tools.
//! - [`cost`] computes from them what the app costs.
//! - [`forge`] checks the manifest of a Forge app.
//! - [`check`] checks that declarations, handlers, packages and template agree.

pub mod check;
mod checksum;
pub mod configuration;
pub mod cost;
pub mod forge;
mod generator;
pub mod plan;
pub mod resources;
mod yaml;

pub use checksum::is_edited;
pub use generator::{
    HANDLER_TIMEOUT, HTTP_TIMEOUT, MAX_ATTEMPTS, MAX_RECEIVES, MEMORY, TemplateOptions, VERSION,
    render, version_of,
};
