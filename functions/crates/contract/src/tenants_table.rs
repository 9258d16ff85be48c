//! The attributes of the tenants' table that its definition or a role names: one row a tenant.

/// The partition key: the client key, a string.
pub const KEY: &str = "clientKey";
/// When DynamoDB may delete the row, in seconds since 1970: the time-to-live attribute.
pub const EXPIRES_AT: &str = "expiresAt";
/// The product that the tenant is a site of.
pub const PRODUCT: &str = "product";
/// The shared secret.
pub const SECRET: &str = "sharedSecret";
/// The secret before it.
pub const PREVIOUS_SECRET: &str = "previousSecret";
/// Until when the secret before it is accepted, in seconds since 1970.
pub const PREVIOUS_UNTIL: &str = "previousUntil";

/// The attributes that a receiver reads, and all that its role lets it read besides the key.
pub const RECEIVER_READS: [&str; 4] = [SECRET, PREVIOUS_SECRET, PREVIOUS_UNTIL, PRODUCT];
