//! Metrics, written as log lines in CloudWatch's embedded metric format.
//!
//! Amazon CloudWatch's documentation, "Embedded metric format": CloudWatch turns such lines into
//! metrics, and no service has to be called.

use std::time::{SystemTime, UNIX_EPOCH};

use contract::metric::{LOG_GROUP, NAMESPACE, REASON};
use serde_json::json;

use crate::environment;

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
    use contract::metric::{QUEUED, REJECTED};

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
        assert_eq!(line(QUEUED, None, "", "", 0)["level"], "ERROR");
    }
}
