//! The bucket for deliveries that exceed the limit of a message.

/// The key prefix of all objects.
pub const PREFIX: &str = "bodies/";
