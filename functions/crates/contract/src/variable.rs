//! The environment variables of the functions.

/// The app key of the descriptor. For receivers, the lifecycle function, and handlers that call the
/// API of their tenants.
pub const APP_KEY: &str = "APP_KEY";
/// The URL of a simulated Atlassian. If it is set, what a handler sends to a site or to Atlassian's
/// authorization server goes there, with the host that it was meant for. For the local stack alone.
pub const ATLASSIAN_URL: &str = "ATLASSIAN_URL";
/// The base URL of the app. If it is not set, each request determines it.
pub const BASE_URL: &str = "BASE_URL";
/// The bucket for deliveries that exceed the limit of a message. Optional.
pub const BODIES_BUCKET: &str = "BODIES_BUCKET";
/// The URL of a handler's dead-letter queue.
pub const DEAD_LETTER_QUEUE_URL: &str = "DEAD_LETTER_QUEUE_URL";
/// The endpoint of a Forge app that a receiver serves, as a JSON object with `app`, `key` and `events`.
/// For receivers of Forge events.
pub const ENDPOINT: &str = "ENDPOINT";
/// The origin of the server that the app ran on before, such as `https://origin.example.com`.
/// Optional. For the lifecycle function, which forwards recorded callbacks to it.
pub const EXISTING_SERVER: &str = "EXISTING_SERVER";
/// The idempotency table. For handlers.
pub const IDEMPOTENCY_TABLE: &str = "IDEMPOTENCY_TABLE";
/// The URL of the server of install keys. For the lifecycle function.
pub const INSTALL_KEYS_URL: &str = "INSTALL_KEYS_URL";
/// The URL of the key set that Forge invocation tokens are signed with. For receivers of Forge events.
pub const KEY_SET_URL: &str = "KEY_SET_URL";
/// The paths of the lifecycle callbacks: the descriptor's `lifecycle` as JSON.
pub const LIFECYCLE: &str = "LIFECYCLE";
/// The level from which on lines are logged: `DEBUG`, `INFO`, `WARN` or `ERROR`. For all functions.
pub const LOG_LEVEL: &str = "LOG_LEVEL";
/// The number of attempts before a delivery is given up. For handlers.
pub const MAX_ATTEMPTS: &str = "MAX_ATTEMPTS";
/// The queue's `maxReceiveCount`: how often SQS delivers a message before it moves it to the
/// dead-letter queue by itself. For handlers.
pub const MAX_RECEIVES: &str = "MAX_RECEIVES";
/// Further base URLs that an install can be addressed to, separated by commas. Optional. For the
/// lifecycle function.
pub const OTHER_BASE_URLS: &str = "OTHER_BASE_URLS";
/// The URL of the queue that a receiver sends to or a handler reads. For the lifecycle function it is
/// optional, and the queue of the handler for lifecycle callbacks.
pub const QUEUE_URL: &str = "QUEUE_URL";
/// The delay before the second attempt of a delivery, in seconds. For handlers.
pub const RETRY_DELAY: &str = "RETRY_DELAY";
/// Whether the inspector's handler logs bodies as they are: `true` or `false`.
pub const SHOW_BODIES: &str = "SHOW_BODIES";
/// What one URL of signed webhooks takes, as a JSON object with `path`, `sender` and `events`. For
/// receivers of signed webhooks.
pub const SIGNED_WEBHOOK: &str = "SIGNED_WEBHOOK";
/// The KMS key of the tenants' secrets. If it is not set, secrets are not encrypted.
pub const TENANTS_KEY: &str = "TENANTS_KEY";
/// The tenants table. For receivers, the lifecycle function, and handlers that call the API of their
/// tenants.
pub const TENANTS_TABLE: &str = "TENANTS_TABLE";
/// The hosts on which tenants live, separated by commas. For the lifecycle function.
pub const TENANT_HOSTS: &str = "TENANT_HOSTS";
/// The descriptor's webhooks for one URL, as a JSON list. For receivers.
pub const WEBHOOKS: &str = "WEBHOOKS";
