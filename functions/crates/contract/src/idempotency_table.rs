//! The attributes of the idempotency table that its definition names: one row a webhook and
//! handler.

/// The partition key, a string: handler, tenant and webhook.
pub const KEY: &str = "delivery";
/// When DynamoDB may delete the row, in seconds since 1970: the time-to-live attribute. It may take
/// days to do so, and the row counts for nothing in the meantime.
pub const EXPIRES_AT: &str = "expiresAt";
