//! The SAM template of an app: written from the app descriptor, and checked against it.
//!
//! - [`plan`] derives from the descriptor which functions and queues there are.
//! - [`render`] writes `template.yaml`.
//! - [`resources`] reads what it deploys from it, for other tools.
//! - [`check`] checks that descriptor, handlers, manifests and template agree.

pub mod check;
mod generator;
pub mod plan;
pub mod resources;

pub use generator::{
    HANDLER_TIMEOUT, HTTP_TIMEOUT, MAX_ATTEMPTS, MAX_RECEIVES, MEMORY, TemplateOptions, VERSION,
    render, render_with, version_of,
};
