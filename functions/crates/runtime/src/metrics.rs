//! Metrics: counted in the log, from where CloudWatch takes them.
//!
//! Amazon CloudWatch's documentation, "Embedded metric format": a line of log that describes itself
//! as a metric becomes one, without a call to any service.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::environment;

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

/// Deliveries whose turn has not come a quarter of an hour after they were first queued. A copy that
/// waits is a new message to SQS, so the age of the queue's oldest message does not show it.
pub const LATE: &str = "Late";

/// Every metric there is.
pub const ALL: [&str; 10] = [
    ACCEPTED,
    REJECTED,
    INSTALL_REJECTED,
    ENQUEUE_FAILED,
    UNTYPED,
    PARTLY_TYPED,
    BATCH_ITEM_FAILURES,
    DUPLICATES,
    DEAD_LETTERS,
    LATE,
];

/// Counts one of something.
pub fn count(name: &str) {
    print(name, None);
}

/// Counts one of something, in all and for its reason: a word of a short list.
pub fn count_for(name: &str, reason: &str) {
    print(name, Some(reason));
}

fn print(name: &str, reason: Option<&str>) {
    let variable = |name| environment::optional(name).unwrap_or_default();
    let group = variable("AWS_LAMBDA_LOG_GROUP_NAME");
    let function = variable("AWS_LAMBDA_FUNCTION_NAME");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    println!("{}", line(name, reason, &group, &function, now.as_millis()));
}

/// `level` is there because Lambda drops lines by their level, and one without it counts as INFO.
fn line(
    name: &str,
    reason: Option<&str>,
    group: &str,
    function: &str,
    milliseconds: u128,
) -> serde_json::Value {
    let now = u64::try_from(milliseconds).unwrap_or(u64::MAX);
    let mut dimensions = vec![vec![LOG_GROUP]];
    if reason.is_some() {
        dimensions.push(vec![LOG_GROUP, REASON]);
    }
    let mut line = json!({
        "level": "ERROR",
        "message": "metric",
        "function": function,
        LOG_GROUP: group,
        name: 1,
        "_aws": {
            "Timestamp": now,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        },
    });
    if let Some(reason) = reason {
        line[REASON] = reason.into();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_a_metric_by_names_that_are_in_the_line() {
        for reason in [None, Some("qsh")] {
            let line = line(REJECTED, reason, "hooks-Logs", "Receiver", 1_795_428_000_123);
            let described = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(line["_aws"]["Timestamp"], 1_795_428_000_123_u64);
            assert_eq!(line[described["Metrics"][0]["Name"].as_str().unwrap()], 1);
            let sets = described["Dimensions"].as_array().unwrap();
            assert_eq!(sets.len(), if reason.is_some() { 2 } else { 1 });
            for dimension in sets.iter().flat_map(|set| set.as_array().unwrap()) {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}: {line}");
            }
        }
    }

    #[test]
    fn survives_every_log_level() {
        assert_eq!(line(ACCEPTED, None, "", "", 0)["level"], "ERROR");
    }
}
