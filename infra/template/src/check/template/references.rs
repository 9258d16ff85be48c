//! Checks that every reference resolves. SAM does not check them, and the deployment would fail
//! halfway.

use sam_template::resource_type::{
    ALARM, BUCKET, FUNCTION, HTTP_API, KEY, LOG_GROUP, QUEUE, ROLE, TABLE, TOPIC,
};
use sam_template::{Part, parts, pseudo_parameter};
use serde_json::Value;

use super::Document;

use crate::check::Finding;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for section in ["Conditions", "Globals", "Outputs", "Resources", "Rules"] {
        for (name, value) in template.section(section) {
            let mut walk = Walk { template, name, findings };
            walk.value(value);
        }
    }
}

/// The attributes of a type for `Fn::GetAtt`, from "Return values" in the CloudFormation Template
/// Reference Guide. Of other types, which only an app's own resources have, any can be right.
fn attributes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        FUNCTION | ALARM | LOG_GROUP => &["Arn"],
        HTTP_API => &["ApiEndpoint"],
        QUEUE => &["Arn", "QueueName", "QueueUrl"],
        ROLE => &["Arn", "RoleId"],
        TABLE => &["Arn", "StreamArn"],
        "AWS::ApiGatewayV2::DomainName" => &["RegionalDomainName", "RegionalHostedZoneId"],
        KEY => &["Arn", "KeyId"],
        BUCKET => &["Arn", "DomainName", "RegionalDomainName"],
        TOPIC => &["TopicArn", "TopicName"],
        _ => return None,
    })
}

struct Walk<'w, 't> {
    template: &'w Document<'t>,
    /// The entry of the section that is checked.
    name: &'t str,
    findings: &'w mut Vec<Finding>,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(entries) => {
                for (key, value) in entries {
                    match (key.as_str(), value) {
                        ("Ref", Value::String(name)) => self.reference("Ref", name),
                        ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                            [Value::String(resource), Value::String(attribute)] => {
                                self.attribute("GetAtt", resource, attribute);
                            }
                            _ => self.find("GetAtt takes a resource and an attribute"),
                        },
                        ("Fn::Sub", Value::String(text)) => self.text(text, &Value::Null),
                        ("Fn::Sub", Value::Array(parts)) => {
                            if let [Value::String(text), variables] = parts.as_slice() {
                                self.text(text, variables);
                                self.value(variables);
                            }
                        }
                        ("Fn::If", Value::Array(parts)) => {
                            self.condition(&parts[0]);
                            parts.iter().skip(1).for_each(|part| self.value(part));
                        }
                        ("Condition", Value::String(_)) => self.condition(value),
                        ("DependsOn", Value::String(name)) => self.resource("DependsOn", name),
                        ("DependsOn", Value::Array(names)) => {
                            for name in names.iter().filter_map(Value::as_str) {
                                self.resource("DependsOn", name);
                            }
                        }
                        _ => self.value(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, variables: &Value) {
        for part in parts(text) {
            let name = match part {
                Ok(Part::Name(name)) if variables.get(name).is_none() => name,
                Ok(_) => continue,
                Err(_) => return self.find("Sub has a `${` that no `}` closes"),
            };
            match name.split_once('.') {
                Some((resource, attribute)) => self.attribute("Sub", resource, attribute),
                None => self.reference("Sub", name),
            }
        }
    }

    fn reference(&mut self, function: &str, name: &str) {
        // SAM's own: the stage it makes for an API.
        let name = name.strip_suffix(".Stage").unwrap_or(name);
        if !self.template.has_parameter(name) && !pseudo_parameter::ALL.contains(&name) {
            self.resource(function, name);
        }
    }

    fn resource(&mut self, function: &str, name: &str) {
        if self.template.resource(name).is_none() {
            self.find(format!(
                "{function} names {name}, which is neither a parameter nor a resource; correct it"
            ));
        }
    }

    fn attribute(&mut self, function: &str, resource: &str, attribute: &str) {
        let Some(found) = self.template.resource(resource) else {
            return self.resource(function, resource);
        };
        if let Some(known) = attributes(found.kind)
            && !known.contains(&attribute)
        {
            self.find(format!(
                "{function} names {resource}.{attribute}; an {} has {}",
                found.kind,
                known.join(", "),
            ));
        }
    }

    fn condition(&mut self, name: &Value) {
        let name = name.as_str().unwrap_or_default();
        if !self.template.section("Conditions").any(|(other, _)| other == name) {
            self.find(format!("there is no condition {name}; correct it, or declare it"));
        }
    }

    fn find(&mut self, advice: impl Into<String>) {
        self.findings.push(self.template.finding(self.name, advice));
    }
}
