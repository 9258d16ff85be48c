//! The attributes of messages on the queues.

/// The name of the event.
pub const EVENT: &str = "event";
/// The client key of the tenant.
pub const TENANT: &str = "tenant";

/// Why a delivery is in a dead-letter queue.
pub const REASON: &str = "reason";
/// How often a delivery in a dead-letter queue was tried.
pub const RECEIVES: &str = "receives";
/// The id of the message as which a delivery was first queued.
pub const ORIGIN: &str = "origin";
/// When that message was sent, in milliseconds since 1970.
pub const SENT: &str = "sent";
/// How many attempts were spent before a message was queued again.
pub const ATTEMPTS: &str = "attempts";
/// The replay by which an operator queued a dead letter again.
pub const REPLAY: &str = "replay";

/// The longest [`REASON`], in characters.
pub const LONGEST_REASON: usize = 500;
