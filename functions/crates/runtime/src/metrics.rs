//! Metrics, written as log lines in CloudWatch's embedded metric format.
//!
//! Amazon CloudWatch's documentation, "Embedded metric format": CloudWatch turns such lines into
//! metrics, and no service has to be called.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::environment;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "AtlassianHooks";

/// The dimension of every metric: the log group, which all functions of a stack share and which
/// tells stacks apart. Each combination of dimensions is charged, so function and tenant are not
/// dimensions. They are in the log lines.
pub const LOG_GROUP: &str = "LogGroup";
/// The additional dimension of [`REJECTED`]: the reason.
pub const REASON: &str = "reason";

/// Events that were queued.
pub const ACCEPTED: &str = "Accepted";
/// Requests that were refused, in total and by [`REASON`].
pub const REJECTED: &str = "Rejected";
/// Installs and uninstalls that Atlassian signed and that were refused, and lifecycle callbacks
/// that could not be recorded.
pub const INSTALL_REJECTED: &str = "InstallRejected";
/// Verified events that the queue did not take.
pub const ENQUEUE_FAILED: &str = "EnqueueFailed";
/// Events whose body could not be read as its payload type, or whose event is unknown. They are
/// queued anyway.
pub const UNTYPED: &str = "Untyped";
/// Events whose body was read without some malformed fields.
pub const PARTLY_TYPED: &str = "PartlyTyped";
/// Failed attempts to handle a message, which will be repeated.
pub const BATCH_ITEM_FAILURES: &str = "BatchItemFailures";

/// Messages that were not handled because their webhook had been handled before.
pub const DUPLICATES: &str = "Duplicates";
/// Messages that a handler sent to its dead-letter queue.
pub const DEAD_LETTERS: &str = "DeadLetters";

/// The names of all metrics.
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

/// Adds one to a metric.
pub fn count(name: &str) {
    print(name, None);
}

/// Adds one to a metric, in total and for a reason, which is one word of a short list.
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

/// The `level` is always ERROR: Lambda drops lines by their level, and a line without one counts as
/// INFO.
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
