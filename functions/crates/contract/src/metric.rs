//! The metrics, by which alarms and the dashboard know what happens.

/// The namespace of all metrics.
pub const NAMESPACE: &str = "AtlassianHooks";

/// The dimension that every metric has: the log group, which all functions of a stack share, and no
/// two stacks. Each combination of dimensions is paid for, so a function or a tenant is none; they
/// are in the lines of log.
pub const LOG_GROUP: &str = "LogGroup";
/// The dimension of what has a reason.
pub const REASON: &str = "reason";

/// Events that the queue has.
pub const ACCEPTED: &str = "Accepted";
/// Requests that were refused, also by [`REASON`].
pub const REJECTED: &str = "Rejected";
/// Installs that were refused, or could not be recorded.
pub const INSTALL_REJECTED: &str = "InstallRejected";
/// Verified events that the queue did not take.
pub const ENQUEUE_FAILED: &str = "EnqueueFailed";
/// Events whose body could not be read as its type, and that were queued all the same.
pub const UNTYPED: &str = "Untyped";
/// Events whose body was read as its type but for some fields.
pub const PARTLY_TYPED: &str = "PartlyTyped";
/// Messages that a handler did not handle, and that come again.
pub const BATCH_ITEM_FAILURES: &str = "BatchItemFailures";

/// Messages that a handler did not handle, because their webhook was handled before.
pub const DUPLICATES: &str = "Duplicates";
/// Messages that were given up, and are in a dead-letter queue with their reason.
pub const DEAD_LETTERS: &str = "DeadLetters";

/// Every metric there is.
pub const ALL: [&str; 9] = [
    ACCEPTED,
    REJECTED,
    INSTALL_REJECTED,
    ENQUEUE_FAILED,
    UNTYPED,
    PARTLY_TYPED,
    BATCH_ITEM_FAILURES,
    DUPLICATES,
    DEAD_LETTERS,
];
