//! Checks what a stack makes or takes over from another stack: the tenants table and its key.

use contract::variable;
use sam_template::resource_type::FUNCTION;
use sam_template::{Part, parts};
use serde_json::{Value, json};

use super::Document;
use super::document::as_text;
use crate::check::Finding;

/// A resource that a stack makes only if a parameter is empty.
pub(super) struct Adopted {
    /// The logical id of the resource that is made.
    id: &'static str,
    /// The parameter with the name or ARN of the one that is taken over.
    pub(super) parameter: &'static str,
    /// The condition under which the resource is made.
    pub(super) condition: &'static str,
    /// The ARN of the one that is taken over, in the syntax of `Fn::Sub`.
    pub(super) arn: &'static str,
    /// The variable that tells functions its name or ARN, and the output.
    told: (&'static str, &'static str),
    /// What both must be, in the syntax of [`as_text`].
    value: &'static str,
}

/// The resources that can be taken over.
const ALL: [Adopted; 2] = [
    Adopted {
        id: "TenantsTable",
        parameter: "TenantsTableName",
        condition: "MakesTenantsTable",
        arn: "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TenantsTableName}",
        told: (variable::TENANTS_TABLE, "TenantsTable"),
        value: "${TenantsTable} if MakesTenantsTable, else ${TenantsTableName}",
    },
    Adopted {
        id: "TenantsKey",
        parameter: "TenantsKeyArn",
        condition: "MakesTenantsKey",
        arn: "${TenantsKeyArn}",
        told: (variable::TENANTS_KEY, "TenantsKey"),
        value: "${TenantsKey.Arn} if MakesTenantsKey, else ${TenantsKeyArn}",
    },
];

/// What is known of a resource, if the template can take it over.
pub(super) fn of(template: &Document<'_>, id: &str) -> Option<&'static Adopted> {
    ALL.iter().filter(|adopted| adopted.can_be(template)).find(|adopted| adopted.id == id)
}

/// Whether a parameter names what a stack takes over.
pub(super) fn is_parameter(name: &str) -> bool {
    ALL.iter().any(|adopted| adopted.parameter == name)
}

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for adopted in ALL.iter().filter(|adopted| adopted.can_be(template)) {
        let Some(resource) = template.resource(adopted.id) else { continue };
        let (variable, output) = adopted.told;
        for function in template.of_kind(FUNCTION) {
            if function.variable(variable).is_some_and(|value| !adopted.is_told(value)) {
                let advice = format!("{variable} must be {}; correct it", adopted.value);
                findings.push(template.finding(function.id, advice));
            }
        }
        let mut outputs = template.section("Outputs");
        if !outputs.any(|(name, body)| name == output && adopted.is_told(&body["Value"])) {
            let advice = format!(
                "the output {output} must be {}, because `cargo hooks` finds it there; correct it",
                adopted.value
            );
            findings.push(template.finding(adopted.id, advice));
        }
        let mut find = |advice: String| findings.push(template.finding(resource.id, advice));
        if resource.body["Condition"] != adopted.condition {
            find(format!(
                "it is made whatever {} says; set Condition to {}",
                adopted.parameter, adopted.condition
            ));
        }
        let condition = json!({ "Fn::Equals": [{ "Ref": adopted.parameter }, ""] });
        let declared = template.section("Conditions").find(|(name, _)| *name == adopted.condition);
        if declared.is_none_or(|(_, value)| *value != condition) {
            find(format!(
                "the condition {} must hold if {} is empty, and only then; correct it",
                adopted.condition, adopted.parameter
            ));
        }
    }
    if ALL.iter().all(|adopted| adopted.can_be(template)) {
        let [table, key] = ALL.map(|adopted| json!({ "Ref": adopted.parameter }).to_string());
        let mut rules = template.section("Rules");
        let holds = |rule: &Value| {
            rule["RuleCondition"].to_string().contains(&table)
                && rule["Assertions"].to_string().contains(&key)
        };
        if !rules.any(|(_, rule)| holds(rule)) {
            let advice = "no rule asks for TenantsKeyArn where TenantsTableName is given, and a new \
                          key cannot decrypt the secrets in the table; add the rule";
            findings.push(template.finding("Rules", advice));
        }
    }
    for section in ["Globals", "Resources", "Outputs"] {
        for (name, value) in template.section(section) {
            let mut walk = Walk { template, name, holds: Vec::new(), findings };
            walk.hold(value.get("Condition"));
            walk.value(value);
        }
    }
}

impl Adopted {
    fn can_be(&self, template: &Document<'_>) -> bool {
        template.has_parameter(self.parameter)
    }

    fn is_told(&self, value: &Value) -> bool {
        as_text(value).as_deref() == Some(self.value)
    }
}

/// Looks for references to a resource where its condition need not hold. CloudFormation finds them
/// only when it does not.
struct Walk<'w, 't> {
    template: &'w Document<'t>,
    name: &'t str,
    /// The conditions that hold here.
    holds: Vec<&'t str>,
    findings: &'w mut Vec<Finding>,
}

impl<'t> Walk<'_, 't> {
    /// Adds a condition, and those of which it is the conjunction.
    fn hold(&mut self, name: Option<&'t Value>) {
        let Some(name) = name.and_then(Value::as_str) else { return };
        self.holds.push(name);
        let declared = self.template.section("Conditions").find(|(other, _)| *other == name);
        let operands = declared.and_then(|(_, value)| value.get("Fn::And")?.as_array());
        for operand in operands.into_iter().flatten() {
            self.holds.extend(operand.get("Condition").and_then(Value::as_str));
        }
    }

    fn value(&mut self, value: &'t Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(entries) => {
                for (function, argument) in entries {
                    match (function.as_str(), argument) {
                        ("Ref", Value::String(name)) => self.reference(name),
                        ("Fn::GetAtt", Value::Array(parts)) => {
                            if let Some(name) = parts.first().and_then(Value::as_str) {
                                self.reference(name);
                            }
                        }
                        ("Fn::Sub", Value::String(text)) => self.text(text),
                        ("Fn::Sub", Value::Array(arguments)) => {
                            if let Some(text) = arguments.first().and_then(Value::as_str) {
                                self.text(text);
                            }
                            arguments.iter().skip(1).for_each(|one| self.value(one));
                        }
                        ("Fn::If", Value::Array(branches)) => self.branches(branches),
                        _ => self.value(argument),
                    }
                }
            }
            _ => {}
        }
    }

    fn branches(&mut self, branches: &'t [Value]) {
        let [condition, then, otherwise] = branches else { return };
        let before = self.holds.len();
        self.hold(Some(condition));
        self.value(then);
        self.holds.truncate(before);
        self.value(otherwise);
    }

    fn text(&mut self, text: &'t str) {
        for part in parts(text) {
            if let Ok(Part::Name(name)) = part {
                self.reference(name.split('.').next().unwrap_or(name));
            }
        }
    }

    fn reference(&mut self, id: &str) {
        let resource = self.template.resource(id).filter(|_| self.template.is_generated(id));
        let Some(condition) = resource.and_then(|one| one.body.get("Condition")?.as_str()) else {
            return;
        };
        if !self.holds.contains(&condition) {
            let advice = format!(
                "it refers to {id}, which is there only if {condition} holds; refer to it by !If \
                 [{condition}, …]"
            );
            self.findings.push(self.template.finding(self.name, advice));
        }
    }
}
