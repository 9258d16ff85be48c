//! The attributes of messages on the queues.

/// The name of the event.
pub const EVENT: &str = "event";
/// The client key of the tenant.
pub const TENANT: &str = "tenant";

/// The reason of a dead letter.
pub const REASON: &str = "reason";
/// The number of attempts before a delivery became a dead letter.
pub const RECEIVES: &str = "receives";
/// The id of the message that first carried a delivery.
pub const ORIGIN: &str = "origin";
/// When that message was sent, in milliseconds since 1970.
pub const SENT: &str = "sent";
/// The number of attempts that were spent before a message was queued again.
pub const ATTEMPTS: &str = "attempts";
/// The id of the replay, if an operator replayed a dead letter.
pub const REPLAY: &str = "replay";

/// The maximum length of a [`REASON`], in characters.
pub const LONGEST_REASON: usize = 500;
