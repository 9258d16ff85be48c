//! Checks stateful resources: retention, encryption, deletion protection.

use contract::{idempotency_table, tenants_table, variable};
use sam_template::resource_type::{BUCKET, FUNCTION, KEY, QUEUE, TABLE};
use serde_json::Value;

use super::Document;
use super::document::{Job, Resource, as_text, pointed};
use super::roles::listed;
use crate::check::Finding;

/// The default retention of messages in SQS, in seconds.
const DEFAULT_RETENTION: u64 = 345_600;

/// The minimum ratio of `maxReceiveCount` to a handler's attempts. Receives are spent without an
/// attempt when a function is throttled (AWS Lambda Developer Guide, "Using Lambda with Amazon
/// SQS"), when it is killed during a batch, or when it cannot start.
const RECEIVES_PER_ATTEMPT: u64 = 10;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for queue in template.of_kind(QUEUE) {
        if queue.property("SqsManagedSseEnabled") != Some(&Value::Bool(true))
            && queue.property("KmsMasterKeyId").is_none()
        {
            findings
                .push(template.finding(queue.id, "it is not encrypted; set SqsManagedSseEnabled"));
        }
    }
    for handler in template.of_kind(FUNCTION) {
        for event in handler.events().filter(|event| event.kind == "SQS") {
            if let Some(queue) = template.target(event.properties.get("Queue"), QUEUE) {
                let window = event.properties.get("MaximumBatchingWindowInSeconds");
                check_source(template, handler, queue, template.number(window), findings);
            }
        }
        if let Some(table) = template.target(handler.variable(variable::IDEMPOTENCY_TABLE), TABLE) {
            check_idempotency(template, table, findings);
        } else if matches!(handler.job(), Some(Job::Handler(_))) {
            let advice = format!("{} is not a table of this template", variable::IDEMPOTENCY_TABLE);
            findings.push(template.finding(handler.id, advice));
        }
        if handler.job() == Some(Job::Lifecycle)
            && let Some(table) = template.target(handler.variable(variable::TENANTS_TABLE), TABLE)
        {
            check_tenants(template, table, findings);
        }
    }
    for bucket in template.of_kind(BUCKET) {
        if !is_retained(bucket) {
            let advice = "messages may still refer to its objects when the stack is deleted; set \
                          DeletionPolicy and UpdateReplacePolicy to retain it";
            findings.push(template.finding(bucket.id, advice));
        }
        check_bodies(template, bucket, findings);
    }
    for key in template.of_kind(KEY) {
        check_key(template, key, findings);
    }
}

/// Checks a handler's queue and its dead-letter queue.
fn check_source(
    template: &Document<'_>,
    handler: Resource<'_>,
    queue: Resource<'_>,
    window: Option<u64>,
    findings: &mut Vec<Finding>,
) {
    let mut find = |id: &str, advice: String| findings.push(template.finding(id, advice));
    let timeout = template.number(handler.property("Timeout")).unwrap_or(3);
    let needed = 6 * timeout + window.unwrap_or_default();
    let visibility = template.number(queue.property("VisibilityTimeout")).unwrap_or(30);
    if visibility < needed {
        find(
            queue.id,
            format!(
                "VisibilityTimeout is {visibility} s, and must be {needed} s: six times the \
                 timeout of {}, and its batching window",
                handler.id,
            ),
        );
    }
    let dead = queue.property("RedrivePolicy.deadLetterTargetArn");
    let Some(dead) = template.target(dead, QUEUE) else {
        let advice = "it has no dead-letter queue, so failed messages would be lost; set \
                      RedrivePolicy";
        return find(queue.id, advice.to_owned());
    };
    let receives = template.number(queue.property("RedrivePolicy.maxReceiveCount"));
    let attempts = template.number(handler.variable(variable::MAX_ATTEMPTS)).unwrap_or(0);
    if attempts == 0 {
        let name = variable::MAX_ATTEMPTS;
        find(handler.id, format!("{name} must say how often a delivery is attempted"));
    }
    let needed = RECEIVES_PER_ATTEMPT * attempts;
    if receives.unwrap_or_default() < needed {
        let advice = format!(
            "maxReceiveCount must be at least {needed}: {} counts {attempts} attempts itself, and \
             a message that SQS moves before that has no reason",
            handler.id,
        );
        find(queue.id, advice);
    }
    let retention = |queue: Resource<'_>| {
        template.number(queue.property("MessageRetentionPeriod")).unwrap_or(DEFAULT_RETENTION)
    };
    // The handler's variables must match its queue.
    for (name, told) in [(variable::QUEUE_URL, queue), (variable::DEAD_LETTER_QUEUE_URL, dead)] {
        if handler.variable(name).and_then(pointed) != Some(told.id) {
            find(handler.id, format!("{name} must be {}", told.id));
        }
    }
    if template.number(handler.variable(variable::MAX_RECEIVES)) != receives {
        let name = variable::MAX_RECEIVES;
        find(handler.id, format!("{name} is not the maxReceiveCount of {}", queue.id));
    }
    if handler.variable(variable::RETRY_DELAY).is_none() {
        find(handler.id, format!("{} is missing", variable::RETRY_DELAY));
    }
    let until_moved = receives.unwrap_or_default() * visibility;
    if until_moved >= retention(queue) {
        let advice = format!(
            "maxReceiveCount times VisibilityTimeout is {until_moved} s, so a message whose function \
             is killed each time is deleted first, after {} s; raise MessageRetentionPeriod",
            retention(queue),
        );
        find(queue.id, advice);
    }
    if retention(dead) <= retention(queue) {
        find(
            dead.id,
            format!(
                "MessageRetentionPeriod is {} s, and counts from when a message was first sent; it \
                 must be more than the {} s of {}",
                retention(dead),
                retention(queue),
                queue.id,
            ),
        );
    }
    if !is_retained(dead) {
        let advice = "it holds events that were not handled; set DeletionPolicy and \
                      UpdateReplacePolicy to retain it";
        find(dead.id, advice.to_owned());
    }
    let name = queue.property("QueueName").and_then(as_text).unwrap_or_default();
    let sources = dead.property("RedriveAllowPolicy.sourceQueueArns").and_then(Value::as_array);
    let is_source = |source: &Value| {
        pointed(source) == Some(queue.id)
            || as_text(source).is_some_and(|arn| arn.ends_with(&format!(":{name}")))
    };
    if !sources.is_some_and(|sources| sources.iter().any(is_source)) {
        find(dead.id, format!("RedriveAllowPolicy does not name {}", queue.id));
    }
}

/// Checks a bucket of deliveries: objects must be kept as long as the messages that refer to them.
fn check_bodies(template: &Document<'_>, bucket: Resource<'_>, findings: &mut Vec<Finding>) {
    let retention = |queue: Resource<'_>| template.number(queue.property("MessageRetentionPeriod"));
    let longest = template.of_kind(QUEUE).filter_map(retention).max().unwrap_or(DEFAULT_RETENTION);
    let rule = bucket.property("LifecycleConfiguration.Rules").and_then(|rules| rules.get(0));
    let days = rule.and_then(|rule| template.number(rule.get("ExpirationInDays")));
    if days.is_some_and(|days| days * 86_400 <= 2 * longest) {
        let advice = format!(
            "ExpirationInDays must be more than {} days: a message can be in a queue for half of \
             that, and for the other half after a replay",
            2 * longest / 86_400,
        );
        findings.push(template.finding(bucket.id, advice));
    }
    let blocks =
        ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
    let is_blocked = |name: &str| {
        let name = format!("PublicAccessBlockConfiguration.{name}");
        bucket.property(&name) == Some(&Value::Bool(true))
    };
    if !blocks.into_iter().all(is_blocked) {
        let advice = "it could be made public; set all of PublicAccessBlockConfiguration";
        findings.push(template.finding(bucket.id, advice.to_owned()));
    }
}

/// Whether a resource outlives its stack, and an update that replaces it. A failed first deployment
/// may delete it, before it has held anything.
fn is_retained(resource: Resource<'_>) -> bool {
    let deletion = resource.body["DeletionPolicy"].as_str();
    matches!(deletion, Some("Retain" | "RetainExceptOnCreate"))
        && resource.body["UpdateReplacePolicy"] == "Retain"
}

/// Checks the key of the tenants' secrets: without it they cannot be decrypted.
fn check_key(template: &Document<'_>, key: Resource<'_>, findings: &mut Vec<Finding>) {
    let multi_region = key.property("MultiRegion");
    let statements = key.property("KeyPolicy.Statement").and_then(Value::as_array);
    let mut statements = statements.into_iter().flatten();
    let denies = |statement: &Value| {
        let actions: Vec<_> = listed(&statement["Action"]).filter_map(Value::as_str).collect();
        statement["Effect"] == "Deny"
            && ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]
                .iter()
                .all(|action| actions.contains(action))
            && statement["Condition"]["StringNotEquals"].get("kms:EncryptionContext:app").is_some()
    };
    let rules = [
        (
            is_retained(key),
            "it can be deleted, and every site would have to install the app again; set \
             DeletionPolicy to Retain or RetainExceptOnCreate, and UpdateReplacePolicy to Retain",
        ),
        (
            // A literal would be a change of the keys of stacks that were made without it.
            multi_region.is_some_and(|value| value.get("Fn::If").is_some()),
            "MultiRegion must follow the parameter MultiRegionKey: AWS refuses to change it of a \
             key that is there, and without it another Region can never decrypt the secrets",
        ),
        (
            statements.any(denies),
            "its policy lets others encrypt and decrypt with it; deny kms:Decrypt, kms:Encrypt and \
             kms:GenerateDataKey* without kms:EncryptionContext:app",
        ),
        (
            key.property("EnableKeyRotation") == Some(&Value::Bool(true)),
            "it is never rotated; set EnableKeyRotation",
        ),
    ];
    for (holds, advice) in rules {
        if !holds {
            findings.push(template.finding(key.id, advice));
        }
    }
}

fn check_idempotency(template: &Document<'_>, table: Resource<'_>, findings: &mut Vec<Finding>) {
    let key = table.property("KeySchema").and_then(|keys| keys.get(0)?.get("AttributeName"));
    let expires = table.property("TimeToLiveSpecification.AttributeName");
    let mut find = |advice| {
        let finding = template.finding(table.id, advice);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    };
    if key != Some(&Value::from(idempotency_table::KEY)) {
        find(format!(
            "KeySchema must be {}, the attribute that the code reads",
            idempotency_table::KEY
        ));
    }
    if expires != Some(&Value::from(idempotency_table::EXPIRES_AT))
        || table.property("TimeToLiveSpecification.Enabled") != Some(&Value::Bool(true))
    {
        find(format!(
            "TimeToLiveSpecification must name {}, the attribute that the code writes",
            idempotency_table::EXPIRES_AT,
        ));
    }
}

fn check_tenants(template: &Document<'_>, table: Resource<'_>, findings: &mut Vec<Finding>) {
    let is_on = |path: &str| table.property(path) == Some(&Value::Bool(true));
    let says = |path: &str, word: &str| table.property(path) == Some(&Value::from(word));
    let key = table.property("KeySchema").and_then(|keys| keys.get(0)?.get("AttributeName"));
    // With RetainExceptOnCreate, a failed first deployment would try to delete it, and deletion
    // protection would leave the stack in ROLLBACK_FAILED.
    let retained = table.body["DeletionPolicy"] == "Retain";
    let rules = [
        (
            key == Some(&Value::from(tenants_table::KEY)),
            format!("KeySchema must be {}, the attribute that the code reads", tenants_table::KEY),
        ),
        (
            says("TimeToLiveSpecification.AttributeName", tenants_table::EXPIRES_AT)
                && is_on("TimeToLiveSpecification.Enabled"),
            format!(
                "TimeToLiveSpecification must name {}, the attribute that the code writes",
                tenants_table::EXPIRES_AT,
            ),
        ),
        (
            is_on("PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"),
            "it cannot be recovered; set PointInTimeRecoverySpecification".to_owned(),
        ),
        (
            is_on("DeletionProtectionEnabled") && retained,
            "it can be deleted, and every site would have to install the app again; set \
             DeletionProtectionEnabled, and DeletionPolicy to Retain. With RetainExceptOnCreate, \
             the protection would stop the rollback of a failed first deployment"
                .to_owned(),
        ),
        (
            is_on("SSESpecification.SSEEnabled"),
            "SSESpecification has to encrypt it: it holds secrets".to_owned(),
        ),
    ];
    for (holds, advice) in rules {
        if !holds {
            findings.push(template.finding(table.id, advice));
        }
    }
}
