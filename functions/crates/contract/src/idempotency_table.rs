//! The attributes that define the idempotency table, which has one row per webhook and handler.

/// The partition key, a string: handler, tenant and webhook.
pub const KEY: &str = "delivery";
/// The time-to-live attribute: when DynamoDB may delete the row, in seconds since 1970. Deletion
/// can take days; an expired row is ignored until then.
pub const EXPIRES_AT: &str = "expiresAt";
