//! The bucket for deliveries that are too long for a queue.

/// What the names of all objects begin with.
pub const PREFIX: &str = "bodies/";
