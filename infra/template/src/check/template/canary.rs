//! Checks canary deployments: what reaches the live alias, and what rolls a deployment back.

use contract::metric;
use sam_template::resource_type::{ALARM, FUNCTION};
use serde_json::Value;

use super::Document;
use super::document::Job;
use crate::check::Finding;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for function in template.of_kind(FUNCTION) {
        if function.property("AutoPublishAlias").is_none() {
            continue;
        }
        let mut find = |advice: &str| findings.push(template.finding(function.id, advice));
        if function.property("AutoPublishAliasAllProperties") != Some(&Value::Bool(true)) {
            find(
                "a new timeout, role or layer does not reach its live version; set \
                 AutoPublishAliasAllProperties",
            );
        }
        let alarms = function.property("DeploymentPreference.Alarms").and_then(Value::as_array);
        let watches = |metric: &str| {
            alarms.into_iter().flatten().any(|alarm| {
                let alarm = template.target(Some(alarm), ALARM);
                alarm.is_some_and(|alarm| alarm.property("MetricName") == Some(&metric.into()))
            })
        };
        if matches!(function.job(), Some(Job::Handler(_))) && !watches(metric::FAILED) {
            find(
                "a new version that fails every event is not rolled back; add an alarm on the \
                 metric Failed to the Alarms of DeploymentPreference",
            );
        }
    }
}
