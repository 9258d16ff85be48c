//! Metrics: counted in the log, from where CloudWatch takes them.
//!
//! Amazon CloudWatch's documentation, "Embedded metric format": a line of log that describes itself
//! as a metric becomes one, without a call to any service.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::environment;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "AtlassianHooks";

/// Counts one of something, by function. Dimensions are paid for by each combination, so there is
/// no other.
pub fn count(name: &str) {
    let function = environment::optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    println!("{}", line(name, &function, now.as_millis()));
}

/// `level` is there because Lambda drops lines by their level, and one without it counts as INFO.
fn line(name: &str, function: &str, milliseconds: u128) -> serde_json::Value {
    let now = u64::try_from(milliseconds).unwrap_or(u64::MAX);
    json!({
        "level": "ERROR",
        "message": "metric",
        "function": function,
        name: 1,
        "_aws": {
            "Timestamp": now,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["function"]],
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_a_metric_by_a_name_that_is_in_the_line() {
        let line = line("Untyped", "IssueCreatedReceiver", 1_795_428_000_123);
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_795_428_000_123_u64);
        assert_eq!(line[described["Metrics"][0]["Name"].as_str().unwrap()], 1);
        assert_eq!(line[described["Dimensions"][0][0].as_str().unwrap()], "IssueCreatedReceiver");
    }
}
