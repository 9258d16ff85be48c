//! Checks that what changes reaches the live alias of canary deployments.

use sam_template::resource_type::FUNCTION;
use serde_json::Value;

use super::Document;
use crate::check::Finding;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for function in template.of_kind(FUNCTION) {
        if function.property("AutoPublishAlias").is_none() {
            continue;
        }
        if function.property("AutoPublishAliasAllProperties") != Some(&Value::Bool(true)) {
            let advice = "a new timeout, role or layer does not reach its live version; set \
                          AutoPublishAliasAllProperties";
            findings.push(template.finding(function.id, advice));
        }
    }
}
