//! The commands, one module each: its arguments, and `run`.

pub mod add;
pub mod check;
pub mod completions;
pub mod cost;
pub mod dead;
pub mod doctor;
pub mod events;
pub mod forge;
pub mod inspect;
pub mod local;
pub mod logs;
pub mod new;
pub mod plan;
pub mod recover;
pub mod replay;
pub mod schema;
pub mod send;
pub mod template;
pub mod tenants;
