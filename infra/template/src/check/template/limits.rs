//! Checks the limits of AWS, and sensible minimums.

use sam_template::resource_type::{FUNCTION, QUEUE};
use serde_json::Value;

use super::Document;
use super::document::{Job, Resource, as_text};
use crate::check::Finding;

/// The maximum number of resources in a stack ("CloudFormation quotas").
pub(crate) const MAX_RESOURCES: usize = 500;

/// The maximum number of routes, and of integrations, of an HTTP API, which cannot be raised
/// ("Quotas for configuring and running an HTTP API").
pub(crate) const MAX_ROUTES: usize = 300;

/// The maximum number of outputs, and of parameters.
const MAX_ENTRIES: usize = 200;

/// The maximum size of a template in S3, in bytes.
const MAX_TEMPLATE: usize = 1_000_000;

/// The maximum size of a function's environment, names and values, in bytes ("Lambda quotas").
const MAX_ENVIRONMENT: usize = 4096;

/// The assumed length of a URL, a name or an ARN that AWS generates, in bytes.
const REFERENCE: usize = 150;

/// The maximum length of a queue's name, and the part of it that is reserved for the stack's name.
const MAX_QUEUE_NAME: usize = 80;
const STACK_NAME: usize = 30;

/// The maximum length of the parameter `DeadLetterQueueSuffix`.
const QUEUE_SUFFIX: usize = 4;

/// The maximum timeout of a function behind an HTTP API, in seconds. The API stops waiting after
/// thirty.
const MAX_HTTP_TIMEOUT: u64 = 29;

/// The account's default quota of concurrent executions, and the part of it that cannot be reserved
/// ("Lambda quotas").
const CONCURRENCY: u64 = 1000;
const UNRESERVED: u64 = 100;

/// The quota of some new accounts, until AWS raises it.
const NEW_ACCOUNT: u64 = 10;

pub(super) fn check(
    template: &Document<'_>,
    bytes: usize,
    concurrency_quota: Option<u64>,
    findings: &mut Vec<Finding>,
) {
    check_concurrency(template, concurrency_quota, findings);
    let counts = [
        ("resources, as SAM expands them", template.expanded_resources(), MAX_RESOURCES),
        ("routes", template.routes(), MAX_ROUTES),
        ("outputs", template.section("Outputs").count(), MAX_ENTRIES),
        ("parameters", template.section("Parameters").count(), MAX_ENTRIES),
        ("bytes", bytes, MAX_TEMPLATE),
    ];
    for (what, count, most) in counts {
        if count > most {
            let advice = format!(
                "it has {count} {what}, and the limit is {most}; leave out canary if the \
                 configuration asks for it, or split the app in two"
            );
            findings.push(template.finding("the whole", advice));
        }
    }
    for function in template.of_kind(FUNCTION) {
        let mut find = |advice: String| findings.push(template.finding(function.id, advice));
        match template.number(function.property("MemorySize")) {
            Some(128..=10_240) => {}
            memory => find(format!(
                "MemorySize is {}; choose 128 to 10240 MB, and 256 if in doubt",
                memory.map_or("not set".to_owned(), |memory| memory.to_string()),
            )),
        }
        let is_http = function.events().any(|event| event.kind == "HttpApi");
        let most = if is_http { MAX_HTTP_TIMEOUT } else { 900 };
        match template.number(function.property("Timeout")) {
            Some(timeout) if (1..=most).contains(&timeout) => {}
            _ => find(format!("Timeout must be 1 to {most} seconds here")),
        }
        let lengths = function.variables().map(|(name, value)| name.len() + length(value));
        let environment: usize = lengths.sum();
        if environment > MAX_ENVIRONMENT {
            find(format!(
                "its environment has about {environment} bytes, and Lambda's limit is \
                 {MAX_ENVIRONMENT}; give some of its events URLs of their own"
            ));
        }
    }
    for queue in template.of_kind(QUEUE) {
        let name = queue.property("QueueName").and_then(as_text).unwrap_or_default();
        let own = name.replace("${AWS::StackName}", "");
        let own = own.replace("${DeadLetterQueueSuffix}", &"-".repeat(QUEUE_SUFFIX));
        if own.len() + STACK_NAME > MAX_QUEUE_NAME {
            let advice = format!(
                "QueueName leaves the stack's name fewer than {STACK_NAME} of {MAX_QUEUE_NAME} \
                 letters; shorten it"
            );
            findings.push(template.finding(queue.id, advice));
        }
    }
}

/// Checks that the functions leave each other, and the rest of the account, enough executions at
/// once. Receivers have what is reserved for them, or what handlers leave.
fn check_concurrency(template: &Document<'_>, quota: Option<u64>, findings: &mut Vec<Finding>) {
    let known = quota;
    let quota = quota.unwrap_or(CONCURRENCY);
    let reserved = |function: &Resource<'_>| {
        template.number(function.property("ReservedConcurrentExecutions"))
    };
    let all: u64 = template.of_kind(FUNCTION).filter_map(|function| reserved(&function)).sum();
    if all > quota.saturating_sub(UNRESERVED) {
        let advice = format!(
            "reservedConcurrency is {all} in all, and {} of the account's quota of {quota} can be \
             reserved; reserve less, or raise the quota and set concurrencyQuota",
            quota.saturating_sub(UNRESERVED),
        );
        findings.push(template.finding("the whole", advice));
    }
    let is_unreserved = |function: &Resource<'_>| reserved(function).is_none();
    let takes_events = |function: &Resource<'_>| {
        matches!(function.job(), Some(Job::Receiver | Job::ForgeReceiver | Job::Lifecycle))
    };
    // What is reserved for a function, handlers cannot take.
    if !template.of_kind(FUNCTION).any(|one| takes_events(&one) && is_unreserved(&one)) {
        return;
    }
    let handlers = template.of_kind(FUNCTION).filter(is_unreserved).flat_map(|function| {
        let events = function.events().filter(|event| event.kind == "SQS");
        events.filter_map(move |event| {
            let maximum = event.properties.get("ScalingConfig")?.get("MaximumConcurrency");
            template.number(maximum)
        })
    });
    let of_handlers: u64 = handlers.sum();
    let left = quota.saturating_sub(all);
    if of_handlers >= left {
        let advice = format!(
            "the handlers take up to {of_handlers} executions at once, all of the {left} that the \
             account's quota of {quota} has besides those reserved, so that receivers are throttled \
             when many events wait; lower maximumConcurrency or HandlerConcurrency, set \
             reservedConcurrency of receivers, or set concurrencyQuota if the quota was raised"
        );
        findings.push(template.warning("the whole", advice));
    } else if known.is_none() && of_handlers >= NEW_ACCOUNT {
        let advice = format!(
            "the handlers take up to {of_handlers} executions at once, and some new accounts have \
             {NEW_ACCOUNT} in all; look at the quota with `aws lambda get-account-settings`, and \
             set concurrencyQuota to it"
        );
        findings.push(template.note("the whole", advice));
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Object(_) | Value::Array(_) => REFERENCE,
        other => other.to_string().len(),
    }
}
