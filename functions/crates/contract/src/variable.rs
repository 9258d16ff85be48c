//! The environment variables of the functions.

/// The app's key, as the descriptor says. Of receivers and the lifecycle function.
pub const APP_KEY: &str = "APP_KEY";
/// The base URL of the app. Without one it is read from each request.
pub const BASE_URL: &str = "BASE_URL";
/// The bucket for deliveries that are too long for a queue; there need not be one.
pub const BODIES_BUCKET: &str = "BODIES_BUCKET";
/// The URL of a handler's dead-letter queue.
pub const DEAD_LETTER_QUEUE_URL: &str = "DEAD_LETTER_QUEUE_URL";
/// The idempotency table. Of handlers.
pub const IDEMPOTENCY_TABLE: &str = "IDEMPOTENCY_TABLE";
/// The server of the keys that sign installs. Of the lifecycle function.
pub const INSTALL_KEYS_URL: &str = "INSTALL_KEYS_URL";
/// The paths of the lifecycle callbacks: the descriptor's `lifecycle` as JSON.
pub const LIFECYCLE: &str = "LIFECYCLE";
/// How often a delivery is attempted before it is given up. Of handlers.
pub const MAX_ATTEMPTS: &str = "MAX_ATTEMPTS";
/// How often SQS hands a message out before it moves it to the dead-letter queue by itself: the
/// queue's `maxReceiveCount`. Of handlers.
pub const MAX_RECEIVES: &str = "MAX_RECEIVES";
/// Base URLs that installs may be meant for besides the app's own, with commas between; there need
/// not be any. Of the lifecycle function.
pub const OTHER_BASE_URLS: &str = "OTHER_BASE_URLS";
/// The URL of the queue that a receiver writes to, or a handler reads.
pub const QUEUE_URL: &str = "QUEUE_URL";
/// The delay before the second attempt of a delivery, in seconds. Of handlers.
pub const RETRY_DELAY: &str = "RETRY_DELAY";
/// The KMS key of the tenants' secrets. Where it is not set, secrets are not encrypted.
pub const TENANTS_KEY: &str = "TENANTS_KEY";
/// The tenants' table. Of receivers and the lifecycle function.
pub const TENANTS_TABLE: &str = "TENANTS_TABLE";
/// The hosts that tenants may have, with commas between. Of the lifecycle function.
pub const TENANT_HOSTS: &str = "TENANT_HOSTS";
/// The descriptor's webhooks of one URL, as a JSON list. Of receivers.
pub const WEBHOOKS: &str = "WEBHOOKS";
