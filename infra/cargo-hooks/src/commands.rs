//! The commands, one module each: its arguments, and `run`.

pub mod add;
pub mod check;
pub mod dead;
pub mod events;
pub mod local;
pub mod new;
pub mod recover;
pub mod replay;
pub mod send;
pub mod template;
