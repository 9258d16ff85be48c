//! Checks what an app adds to its template: it must not reach what belongs to other handlers, or to
//! all.

use sam_template::resource_type::{FUNCTION, HTTP_API, QUEUE, ROLE};
use sam_template::{Part, parts};
use serde_json::Value;

use super::Document;
use super::adoption;
use super::document::{Resource, as_text, pointed};
use super::roles::{OWN_POLICY, collect, listed};
use crate::check::Finding;
use crate::configuration::PATH;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for role in template.of_kind(ROLE) {
        let policies = role.property("Policies").and_then(Value::as_array).into_iter().flatten();
        for policy in policies.filter(|policy| policy["PolicyName"] == OWN_POLICY) {
            check_policy(template, role.id, &policy["PolicyDocument"]["Statement"], findings);
        }
    }
    for resource in template.own() {
        for path in POLICIES {
            match resource.property(path) {
                Some(Value::Array(policies)) => {
                    for policy in policies {
                        let document = policy.get("PolicyDocument").unwrap_or(policy);
                        check_policy(template, resource.id, &document["Statement"], findings);
                    }
                }
                Some(document) => {
                    check_policy(template, resource.id, &document["Statement"], findings);
                }
                None => {}
            }
        }
        check_access(template, resource, findings);
    }
}

/// The properties in which a resource has statements: of a role, a policy, and a SAM function.
const POLICIES: [&str; 2] = ["Policies", "PolicyDocument"];

fn check_policy(
    template: &Document<'_>,
    id: &str,
    statements: &Value,
    findings: &mut Vec<Finding>,
) {
    let mut all = Vec::new();
    collect(statements, &mut all);
    for statement in all.into_iter().filter(|statement| statement["Effect"] != "Deny") {
        let mut find = |advice: String| findings.push(template.finding(id, advice));
        if statement.get("NotAction").is_some() || statement.get("NotResource").is_some() {
            find(format!(
                "a statement of {PATH} has NotAction or NotResource, which allow what is not \
                 listed; use Action and Resource"
            ));
        }
        let actions: Vec<&str> = listed(&statement["Action"]).filter_map(Value::as_str).collect();
        for action in &actions {
            if *action == "*" || action.ends_with(":*") {
                find(format!("a statement of {PATH} allows {action}; list the actions instead"));
            }
        }
        for resource in listed(&statement["Resource"]) {
            let text = as_text(resource).unwrap_or_else(|| resource.to_string());
            let is_ours = |name: &&str| template.is_generated(name) || adoption::is_parameter(name);
            if let Some(generated) = named(&text).find(is_ours) {
                find(format!(
                    "a statement of {PATH} allows {} on {generated}, which is not the app's own; \
                     remove it",
                    actions.join(", ")
                ));
            } else if covers_all(&text)
                && let Some(action) = actions.iter().find(|action| is_of_a_shared_service(action))
            {
                find(format!(
                    "a statement of {PATH} allows {action} on {text}, and so on the tenants' table \
                     or key, or on another handler's queue; name the resources"
                ));
            }
        }
        let resources = listed(&statement["Resource"]);
        let resources = resources.map(|one| as_text(one).unwrap_or_else(|| one.to_string()));
        let resources = resources.collect::<Vec<_>>().join(", ");
        findings.push(template.note(id, format!("may {} on {resources}", actions.join(", "))));
    }
}

/// Checks that a resource does not read or open what the template generates.
fn check_access(template: &Document<'_>, resource: Resource<'_>, findings: &mut Vec<Finding>) {
    let property = |name| resource.property(name).into_iter().flat_map(listed);
    let reached: Vec<&Value> = match resource.kind {
        "AWS::SQS::QueuePolicy" => property("Queues").collect(),
        "AWS::Lambda::EventSourceMapping" => property("EventSourceArn").collect(),
        "AWS::ApiGatewayV2::Integration" | "AWS::ApiGatewayV2::Route" => {
            property("ApiId").collect()
        }
        "AWS::Lambda::Permission" | "AWS::Lambda::Url" => {
            property("FunctionName").chain(property("TargetFunctionArn")).collect()
        }
        FUNCTION => resource.events().filter_map(|event| event.properties.get("Queue")).collect(),
        _ => return,
    };
    for value in reached {
        let Some(name) = pointed(value).filter(|name| template.is_generated(name)) else {
            continue;
        };
        let is = |kind| template.resource(name).is_some_and(|other| other.kind == kind);
        let advice = if is(QUEUE) {
            format!(
                "it reaches {name}, from which only its handler receives, and to which only \
                 receivers send; use a queue of your own"
            )
        } else if is(HTTP_API) {
            format!(
                "it adds to {name}, whose routes are one definition: the next update removes what \
                 is added; set existingServer, or use an API of your own"
            )
        } else {
            format!(
                "it lets others invoke {name}, and what arrives would not be verified; remove it"
            )
        };
        findings.push(template.finding(resource.id, advice));
    }
}

/// The names that a text in the syntax of `Fn::Sub` refers to.
fn named(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| match part {
        Ok(Part::Name(name)) => Some(name.split('.').next().unwrap_or(name)),
        _ => None,
    })
}

/// Whether an ARN ends in a wildcard that stands for every resource of a kind.
fn covers_all(arn: &str) -> bool {
    arn.trim_end_matches('*').ends_with(['/', ':']) && arn.ends_with('*') || arn == "*"
}

/// Whether an action is of a service in which the template keeps what belongs to all.
fn is_of_a_shared_service(action: &str) -> bool {
    ["dynamodb:", "kms:", "sqs:", "iam:", "lambda:"]
        .iter()
        .any(|service| action.starts_with(service))
}
