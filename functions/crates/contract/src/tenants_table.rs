//! The attributes that define the tenants table, which has one row per tenant and one per data key,
//! or that a role names.

/// The partition key: the client key, the name of a signed tenant or of a data key; a string.
pub const KEY: &str = "clientKey";
/// The time-to-live attribute: when DynamoDB may delete the row, in seconds since 1970.
pub const EXPIRES_AT: &str = "expiresAt";
/// The base URL of the site.
pub const BASE_URL: &str = "baseUrl";
/// The client of the site in OAuth 2.0, with which the app can act for users.
pub const OAUTH_CLIENT_ID: &str = "oauthClientId";
/// The product of the site.
pub const PRODUCT: &str = "product";
/// The shared secret.
pub const SECRET: &str = "sharedSecret";
/// The previous secret.
pub const PREVIOUS_SECRET: &str = "previousSecret";
/// Until when the previous secret is valid, in seconds since 1970.
pub const PREVIOUS_UNTIL: &str = "previousUntil";
/// In the row of a data key: the data key, as KMS encrypted it.
pub const DATA_KEY: &str = "dataKey";
/// The beginning of each data key's name. No client key has a space.
pub const DATA_KEY_PREFIX: &str = "data-key ";

/// The beginning of the key of each tenant that signs its webhooks, before its name. No client key has a
/// space, so a token of Connect cannot name such a tenant, nor a signed webhook's URL one of Connect.
pub const SIGNED_PREFIX: &str = "signed ";
/// In the row of a tenant that signs its webhooks: the kind of sender.
pub const KIND: &str = "kind";

/// The attributes of a tenant that a receiver reads. Besides the key and [`DATA_KEY`], its role allows
/// no others.
pub const RECEIVER_READS: [&str; 5] = [SECRET, PREVIOUS_SECRET, PREVIOUS_UNTIL, PRODUCT, BASE_URL];

/// The attributes of a tenant that a handler reads if it calls the API of its tenants. Besides the key
/// and [`DATA_KEY`], its role allows no others.
pub const CALLER_READS: [&str; 4] = [SECRET, PRODUCT, BASE_URL, OAUTH_CLIENT_ID];

/// The attributes of a tenant that a receiver of signed webhooks reads. Besides the key and
/// [`DATA_KEY`], its role allows no others.
pub const SIGNED_READS: [&str; 5] = [SECRET, PREVIOUS_SECRET, PREVIOUS_UNTIL, PRODUCT, KIND];
