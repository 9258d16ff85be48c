//! Checks the addresses of the API, at which installed sites know the app.

use sam_template::resource_type::HTTP_API;
use serde_json::Value;

use super::Document;
use crate::check::Finding;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for api in template.of_kind(HTTP_API) {
        let Some(disabled) = api.property("DisableExecuteApiEndpoint") else { continue };
        let condition = disabled.get("Fn::If").and_then(|branches| branches.get(0)?.as_str());
        let mut conditions = template.section("Conditions");
        let on = match condition {
            Some(condition) => conditions
                .find(|(name, _)| *name == condition)
                .is_some_and(|(_, value)| depends_on(value, "DisableApiAddress")),
            None => disabled == &Value::Bool(false),
        };
        if !on {
            let advice = "DisableExecuteApiEndpoint must depend on the parameter DisableApiAddress: \
                          sites that installed the app at the API's own address send to it, also \
                          after the stack gets a domain";
            findings.push(template.finding(api.id, advice));
        }
    }
}

/// Whether a condition compares this parameter, and nothing else.
fn depends_on(condition: &Value, parameter: &str) -> bool {
    let operands = condition.get("Fn::Equals").and_then(Value::as_array);
    operands.is_some_and(|operands| operands.iter().any(|operand| operand["Ref"] == parameter))
}
