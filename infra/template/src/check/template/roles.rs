//! Checks that each role allows what its functions do, and no more.

use std::collections::BTreeSet;

use contract::{bodies_bucket, tenants_table, variable};
use sam_template::resource_type::{BUCKET, FUNCTION, KEY, QUEUE, ROLE, TABLE};
use serde_json::Value;

use super::Document;
use super::adoption;
use super::document::{Job, Resource, as_text};
use crate::check::Finding;
use crate::plan::{Handler, Plan};

/// The policy of a handler's role that has the statements of the app's configuration.
pub(super) const OWN_POLICY: &str = "Own";

pub(super) fn check(template: &Document<'_>, plan: &Plan, findings: &mut Vec<Finding>) {
    for function in template.of_kind(FUNCTION) {
        if function.property("Policies").is_some() {
            let advice = "SAM adds managed policies to Policies; delete it, and set Role";
            findings.push(template.finding(function.id, advice));
        }
        if template.target(function.property("Role"), ROLE).is_none() {
            let advice = "it has no role of this template, and SAM would give it managed policies; \
                          set Role";
            findings.push(template.finding(function.id, advice));
        }
    }
    for role in template.of_kind(ROLE) {
        let mut find = |advice: String| findings.push(template.finding(role.id, advice));
        if role.property("ManagedPolicyArns").is_some() {
            find(
                "ManagedPolicyArns: managed policies allow more than is needed; delete it"
                    .to_owned(),
            );
        }
        check_trust(role, &mut find);
        let has_it = |function: &Resource<'_>| {
            template
                .target(function.property("Role"), ROLE)
                .is_some_and(|other| other.id == role.id)
        };
        let functions: Vec<Resource<'_>> = template.of_kind(FUNCTION).filter(has_it).collect();
        let [first, ..] = &functions[..] else {
            find("no function uses it; delete it".to_owned());
            continue;
        };
        let grants = grants(template, plan, *first);
        for other in &functions[1..] {
            if self::grants(template, plan, *other) != grants {
                find(format!(
                    "{} and {} have different tasks and share a role; give each its own",
                    first.id, other.id
                ));
            }
        }
        check_statements(role, first, &grants, &mut find);
    }
}

/// Permissions for actions on one resource.
#[derive(Debug, Eq, PartialEq)]
struct Grant {
    /// The required actions.
    needed: Vec<&'static str>,
    /// The optional actions.
    optional: Vec<&'static str>,
    /// The resource, in the syntax of [`as_text`].
    resource: String,
    /// The required conditions.
    conditions: Vec<Condition>,
}

/// A condition of a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Condition {
    operator: &'static str,
    key: &'static str,
    /// All values that it may have.
    values: Vec<String>,
}

impl Condition {
    fn new<'v>(
        operator: &'static str,
        key: &'static str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Self {
        let values = values.into_iter().map(str::to_owned).collect();
        Self { operator, key, values }
    }

    /// Whether a statement has it, with these values and no others. All conditions of a statement must
    /// hold, so more of them allow less.
    fn holds(&self, statement: &Value) -> bool {
        let values = listed(&statement["Condition"][self.operator][self.key]);
        let values: BTreeSet<_> = values.filter_map(Value::as_str).collect();
        values == self.values.iter().map(String::as_str).collect()
    }
}

/// The permissions that a function can have.
fn grants(template: &Document<'_>, plan: &Plan, function: Resource<'_>) -> Vec<Grant> {
    let grant = |needed: &[&'static str], resource: &str| Grant {
        needed: needed.to_vec(),
        optional: Vec::new(),
        resource: resource.to_owned(),
        conditions: Vec::new(),
    };
    let mut grants = vec![grant(&["logs:CreateLogStream", "logs:PutLogEvents"], "${Logs.Arn}")];
    // The one action for which AWS has no narrower resource ("Actions, resources, and condition
    // keys for AWS X-Ray").
    grants.push(Grant {
        needed: Vec::new(),
        optional: vec!["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        resource: "*".to_owned(),
        conditions: Vec::new(),
    });
    let arn = |name: &str, kind: &str| {
        let target = template.target(function.variable(name), kind);
        target.map(|target| arn_of(template, target))
    };
    let tenants = template.resource("TenantsTable").map(|table| arn_of(template, table));
    let tenants = &tenants.unwrap_or_default();
    let key = arn(variable::TENANTS_KEY, KEY);
    let of_app = Condition::new("StringEquals", "kms:EncryptionContext:app", [&*plan.app_key]);
    // A request has several keys, so the condition is on any of them ("AWS KMS condition keys",
    // kms:EncryptionContextKeys). Without it a ciphertext that is bound to nobody would do.
    let of_row = Condition::new(
        "ForAnyValue:StringEquals",
        "kms:EncryptionContextKeys",
        ["clientKey", "dataKey"],
    );
    let decrypt = key.as_ref().map(|key| Grant {
        conditions: vec![of_app.clone(), of_row],
        ..grant(&["kms:Decrypt"], key)
    });
    let names = format!("{}*", tenants_table::DATA_KEY_PREFIX);
    let of_data_key = Condition::new("StringLike", "kms:EncryptionContext:dataKey", [&*names]);
    let generate = key.as_ref().map(|key| Grant {
        conditions: vec![of_app, of_data_key],
        ..grant(&["kms:GenerateDataKey"], key)
    });
    let read_tenants = |attributes: &[&'static str]| Grant {
        conditions: vec![Condition::new(
            "ForAllValues:StringEquals",
            "dynamodb:Attributes",
            [tenants_table::KEY, tenants_table::DATA_KEY].iter().chain(attributes).copied(),
        )],
        ..grant(&["dynamodb:GetItem"], tenants)
    };
    let bodies = |action: &'static str| {
        let bucket = arn(variable::BODIES_BUCKET, BUCKET);
        bucket.map(|bucket| grant(&[action], &format!("{bucket}/{}*", bodies_bucket::PREFIX)))
    };
    match function.job() {
        Some(Job::Lifecycle) => {
            grants.push(grant(&["dynamodb:GetItem", "dynamodb:UpdateItem"], tenants));
            grants.extend(decrypt);
            grants.extend(generate);
            let queue =
                arn(variable::QUEUE_URL, QUEUE).filter(|_| plan.lifecycle_handler.is_some());
            grants.extend(queue.map(|queue| grant(&["sqs:SendMessage"], &queue)));
        }
        Some(Job::Receiver) => {
            grants.push(read_tenants(&tenants_table::RECEIVER_READS));
            let queue = arn(variable::QUEUE_URL, QUEUE);
            grants.extend(queue.map(|queue| grant(&["sqs:SendMessage"], &queue)));
            grants.extend(decrypt);
            grants.extend(bodies("s3:PutObject"));
        }
        // Forge signs with keys of its own, which are public, and delivers no long bodies.
        Some(Job::ForgeReceiver) => {
            let queue = arn(variable::QUEUE_URL, QUEUE);
            grants.extend(queue.map(|queue| grant(&["sqs:SendMessage"], &queue)));
        }
        Some(Job::Handler(name)) => {
            let calls =
                |handler: &Handler| handler.name == name && !handler.settings.calls.is_empty();
            if plan.handlers.iter().any(calls) {
                grants.push(read_tenants(&tenants_table::CALLER_READS));
                grants.extend(decrypt);
            }
            if function.property("VpcConfig").is_some() {
                grants.push(grant(&VPC_ACTIONS, "*"));
            }
            let events = function.events().filter(|event| event.kind == "SQS");
            let queues =
                events.filter_map(|event| template.target(event.properties.get("Queue"), QUEUE));
            for queue in queues {
                let actions = [
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:ChangeMessageVisibility",
                    "sqs:GetQueueAttributes",
                    // Copies of messages that were not begun.
                    "sqs:SendMessage",
                ];
                grants.push(grant(&actions, &format!("${{{}.Arn}}", queue.id)));
                let dead = queue.property("RedrivePolicy.deadLetterTargetArn").and_then(as_text);
                grants.extend(dead.map(|dead| grant(&["sqs:SendMessage"], &dead)));
            }
            let table = arn(variable::IDEMPOTENCY_TABLE, TABLE);
            let writes = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
            grants.extend(table.map(|table| grant(&writes, &table)));
            grants.extend(bodies("s3:GetObject"));
        }
        Some(Job::Descriptor) | None => {}
    }
    grants
}

/// The ARN of a resource in the syntax of [`as_text`]. A table or key that can be adopted has another
/// one then.
fn arn_of(template: &Document<'_>, resource: Resource<'_>) -> String {
    let arn = format!("${{{}.Arn}}", resource.id);
    match adoption::of(template, resource.id) {
        Some(adopted) => format!("{arn} if {}, else {}", adopted.condition, adopted.arn),
        None => arn,
    }
}

/// What Lambda does with the role of a function in a VPC, for which AWS has no narrower resource
/// ("Giving Lambda functions access to resources in an Amazon VPC").
const VPC_ACTIONS: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

fn check_trust(role: Resource<'_>, find: &mut impl FnMut(String)) {
    let trusted = role.property("AssumeRolePolicyDocument");
    let mut statements = Vec::new();
    if let Some(document) = trusted {
        collect(&document["Statement"], &mut statements);
    }
    let is_lambda = |statement: &&Value| {
        statement["Action"] == "sts:AssumeRole"
            && statement["Principal"] == serde_json::json!({"Service": "lambda.amazonaws.com"})
    };
    if statements.is_empty() || !statements.iter().all(is_lambda) {
        find("AssumeRolePolicyDocument must trust lambda.amazonaws.com only".into());
    }
}

fn check_statements(
    role: Resource<'_>,
    function: &Resource<'_>,
    grants: &[Grant],
    find: &mut impl FnMut(String),
) {
    let mut statements = Vec::new();
    // The app's own statements are judged by rules of their own.
    let is_ours = |policy: &&Value| policy["PolicyName"] != OWN_POLICY;
    let policies = role.property("Policies").and_then(Value::as_array).into_iter().flatten();
    for policy in policies.filter(is_ours) {
        collect(&policy["PolicyDocument"]["Statement"], &mut statements);
    }
    let mut allowed: Vec<(&str, String)> = Vec::new();
    for statement in statements {
        if statement["Effect"] != "Allow" {
            find("Effect must be Allow, because everything else is denied anyway".to_owned());
        }
        if statement.get("NotAction").is_some() || statement.get("NotResource").is_some() {
            find(
                "NotAction and NotResource allow what is not listed; use Action and Resource"
                    .to_owned(),
            );
        }
        for resource in listed(&statement["Resource"]) {
            let resource = as_text(resource).unwrap_or_else(|| resource.to_string());
            for action in listed(&statement["Action"]).filter_map(Value::as_str) {
                let grant = grants.iter().find(|grant| {
                    grant.resource == resource
                        && grant.needed.iter().chain(&grant.optional).any(|known| *known == action)
                });
                match grant {
                    None => find(format!(
                        "{} must not do {action} on {resource}; see the list in \
                         src/check/template/roles.rs of atlassian-hooks-template",
                        function.id,
                    )),
                    Some(grant) => {
                        let missing = grant.conditions.iter().filter(|one| !one.holds(statement));
                        for Condition { operator, key, values } in missing {
                            let values = values.join(", ");
                            find(format!(
                                "{action} on {resource} needs a condition on {key}: {operator} {values}"
                            ));
                        }
                    }
                }
                allowed.push((action, resource.clone()));
            }
        }
    }
    for grant in grants {
        for action in &grant.needed {
            if !allowed.iter().any(|(other, on)| other == action && *on == grant.resource) {
                find(format!("{} needs {action} on {}; allow it", function.id, grant.resource));
            }
        }
    }
}

/// The statements of a policy, including both branches of an `Fn::If`.
pub(super) fn collect<'t>(value: &'t Value, statements: &mut Vec<&'t Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, statements)),
        Value::Object(entries) => match entries.get("Fn::If") {
            // The first item names the condition, and is no statement.
            Some(branches) => collect(branches, statements),
            None if entries.contains_key("Effect") => statements.push(value),
            None => {}
        },
        _ => {}
    }
}

/// One value, or the values of a list.
pub(super) fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    let (one, many) = match value {
        Value::Array(items) => (None, Some(items)),
        Value::Null => (None, None),
        one => (Some(one), None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}
