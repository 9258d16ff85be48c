//! The metrics for alarms and the dashboard.
//!
//! Each counts something unusual, so that most hours have no value, which CloudWatch would charge. How
//! many events are queued and handled is in the metrics of SQS and Lambda, which are free.

/// The namespace of all metrics.
pub const NAMESPACE: &str = "AtlassianHooks";

/// The dimension of every metric: the log group, which all functions of a stack share and which
/// tells stacks apart. Each combination of dimensions is charged, so function and tenant are not
/// dimensions. They are in the log lines.
pub const LOG_GROUP: &str = "LogGroup";
/// The additional dimension of [`REJECTED`]: the reason.
pub const REASON: &str = "reason";

/// Requests that were refused, in total and by [`REASON`].
pub const REJECTED: &str = "Rejected";
/// Installs and uninstalls that Atlassian signed and that were refused, and lifecycle callbacks
/// that could not be recorded.
pub const INSTALL_REJECTED: &str = "InstallRejected";
/// Verified events that the queue did not take.
pub const ENQUEUE_FAILED: &str = "EnqueueFailed";
/// Events that are unknown, counted by receivers, and events whose body could not be read as the type
/// that its handler takes, counted by handlers.
pub const UNTYPED: &str = "Untyped";
/// Events whose body a handler read without some malformed fields.
pub const PARTLY_TYPED: &str = "PartlyTyped";
/// Failed attempts to handle a message, which will be repeated.
pub const FAILED: &str = "Failed";

/// Messages that were not handled because their webhook had been handled before.
pub const DUPLICATES: &str = "Duplicates";
/// Messages that a handler sent to its dead-letter queue.
pub const DEAD_LETTERS: &str = "DeadLetters";
/// Deliveries that were not attempted within a quarter of an hour after they were first queued. A
/// postponed copy is a new message to SQS, so the age of the oldest message does not show it.
pub const LATE: &str = "Late";

/// The names of all metrics.
pub const ALL: [&str; 9] = [
    REJECTED,
    INSTALL_REJECTED,
    ENQUEUE_FAILED,
    UNTYPED,
    PARTLY_TYPED,
    FAILED,
    DUPLICATES,
    DEAD_LETTERS,
    LATE,
];
