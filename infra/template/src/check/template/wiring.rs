//! Checks that each declared URL leads through a route, a receiver and a queue to its handler.

use std::collections::{BTreeMap, BTreeSet};

use atlassian_connect::descriptor::Descriptor;
use contract::variable;
use sam_template::resource_type::{FUNCTION, KEY, QUEUE, TABLE};
use serde_json::Value;

use super::Document;
use super::document::{Event, Job, Resource, pointed};
use crate::check::Finding;
use crate::plan::{Plan, Receiver, Url};

/// The parameter with the URL of the key set of Forge invocation tokens.
const KEY_SET_URL: &str = "KeySetUrl";

pub(super) fn check(template: &Document<'_>, plan: &Plan, findings: &mut Vec<Finding>) {
    for function in template.of_kind(FUNCTION) {
        check_events(template, function, findings);
    }
    check_routes(template, plan, findings);
    if let Some(handler) = &plan.lifecycle_handler {
        let lifecycle = template.of_kind(FUNCTION).filter(|one| one.job() == Some(Job::Lifecycle));
        for function in lifecycle {
            let queue = function.variable(variable::QUEUE_URL).and_then(pointed);
            let wanted = format!("{}Queue", handler.id);
            if queue != Some(&*wanted) {
                let advice = format!(
                    "{} must be {wanted}, the queue of the handler of lifecycle callbacks",
                    variable::QUEUE_URL
                );
                findings.push(template.finding(function.id, advice));
            }
        }
    }
    for handler in &plan.handlers {
        let has_tenants = |function: &Resource<'_>| {
            function.job() == Some(Job::Handler(&handler.name))
                && function.variable(variable::TENANTS_TABLE).is_some()
        };
        if handler.settings.calls.is_empty()
            && template.of_kind(FUNCTION).any(|one| has_tenants(&one))
        {
            let advice = format!(
                "it has {}, and the configuration does not say that it calls its tenants' API; set \
                 calls, or delete the variable",
                variable::TENANTS_TABLE
            );
            findings.push(template.finding(&format!("{}Handler", handler.id), advice));
        }
        let runs = |function: &Resource<'_>| function.job() == Some(Job::Handler(&handler.name));
        if !template.of_kind(FUNCTION).any(|function| runs(&function)) {
            let advice = format!("no function runs the handler {}; add it", handler.name);
            findings.push(template.finding(&format!("{}Handler", handler.id), advice));
        }
    }
}

fn check_events(template: &Document<'_>, function: Resource<'_>, findings: &mut Vec<Finding>) {
    let mut find = |advice: String| findings.push(template.finding(function.id, advice));
    let Some(job) = function.job() else {
        return find(
            "Metadata.BuildProperties.Binary is missing; set it to the binary to build".to_owned(),
        );
    };
    let wanted = if matches!(job, Job::Handler(_)) { "SQS" } else { "HttpApi" };
    if function.events().next().is_none() {
        find(format!("nothing invokes it; add an event of the type {wanted}"));
    }
    for event in function.events() {
        if event.kind != wanted {
            find(format!("the event {} is a {}, and must be a {wanted}", event.name, event.kind));
        } else if wanted == "SQS" {
            let responses = event.properties.get("FunctionResponseTypes");
            if responses != Some(&Value::from(vec!["ReportBatchItemFailures"])) {
                find(format!(
                    "the event {} does not report batch item failures, so one failed message \
                     would return the whole batch; set FunctionResponseTypes",
                    event.name,
                ));
            }
            if template.target(event.properties.get("Queue"), QUEUE).is_none() {
                find(format!("the event {} does not name a queue of this template", event.name));
            }
        }
    }
}

fn check_routes(template: &Document<'_>, plan: &Plan, findings: &mut Vec<Finding>) {
    let mut wanted: BTreeMap<String, Route<'_>> = BTreeMap::new();
    if plan.connect {
        wanted.insert(format!("GET {}", Descriptor::PATH), Route::Descriptor);
    }
    for path in plan.lifecycle.values() {
        wanted.insert(format!("POST {path}"), Route::Lifecycle);
    }
    for url in &plan.urls {
        wanted.insert(format!("POST {}", url.route), Route::Url(url));
    }
    let mut written_routes = BTreeSet::new();
    for function in template.of_kind(FUNCTION) {
        for event in function.events().filter(|event| event.kind == "HttpApi") {
            let route = route(event);
            match wanted.get(&route) {
                None => findings.push(template.finding(
                    function.id,
                    format!("the route {route} is not in the {}; delete it", declared(plan)),
                )),
                Some(to) => check_route(template, function, &route, *to, plan, findings),
            }
            if !written_routes.insert(route.clone()) {
                let advice = format!("the route {route} has two functions; delete one");
                findings.push(template.finding(function.id, advice));
            }
        }
    }
    for route in wanted.keys().filter(|route| !written_routes.contains(*route)) {
        let advice =
            format!("the route {route} of the {} is missing; add its function", declared(plan));
        findings.push(template.finding("the API", advice));
    }
}

/// The resources that a route leads to.
#[derive(Clone, Copy)]
enum Route<'p> {
    Descriptor,
    Lifecycle,
    Url(&'p Url),
}

/// The files that declare routes.
fn declared(plan: &Plan) -> &'static str {
    match (plan.connect, plan.forge, plan.signed) {
        (true, true, true) => "descriptor, the manifest or the configuration",
        (true, true, false) => "descriptor or the manifest",
        (true, false, true) => "descriptor or the configuration",
        (false, true, true) => "manifest or the configuration",
        (false, true, false) => "manifest",
        (false, false, true) => "configuration",
        _ => "descriptor",
    }
}

fn route(event: Event<'_>) -> String {
    let text = |name| event.properties.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("Method").to_ascii_uppercase(), text("Path"))
}

fn check_route(
    template: &Document<'_>,
    function: Resource<'_>,
    route: &str,
    to: Route<'_>,
    plan: &Plan,
    findings: &mut Vec<Finding>,
) {
    let mut find = |advice: String| findings.push(template.finding(function.id, advice));
    let wanted = match to {
        Route::Descriptor => Job::Descriptor,
        Route::Lifecycle => Job::Lifecycle,
        Route::Url(Url { receiver: Receiver::Connect { .. }, .. }) => Job::Receiver,
        Route::Url(Url { receiver: Receiver::Forge { .. }, .. }) => Job::ForgeReceiver,
        Route::Url(Url { receiver: Receiver::Signed { .. }, .. }) => Job::SignedReceiver,
    };
    if function.job() != Some(wanted) {
        return find(format!("the route {route} must lead to a function that runs {wanted:?}"));
    }
    if matches!(wanted, Job::Lifecycle | Job::Receiver | Job::SignedReceiver) {
        if template.target(function.variable(variable::TENANTS_TABLE), TABLE).is_none() {
            find(format!("{} is not a table of this template", variable::TENANTS_TABLE));
        }
        // Document by one and read by the others: encrypted for all, or for none.
        let lifecycle =
            template.of_kind(FUNCTION).find(|other| other.job() == Some(Job::Lifecycle));
        let key = function.variable(variable::TENANTS_KEY);
        if !plan.connect && template.target(key, KEY).is_none() {
            find(format!("{} is not a key of this template", variable::TENANTS_KEY));
        } else if plan.connect
            && key != lifecycle.and_then(|lifecycle| lifecycle.variable(variable::TENANTS_KEY))
        {
            find(format!(
                "{} is not the key of the lifecycle function; make them the same",
                variable::TENANTS_KEY
            ));
        }
        let key = function.variable(variable::APP_KEY).and_then(Value::as_str);
        if key != Some(&*plan.app_key) {
            let of = if plan.connect { "descriptor's key" } else { "app's id" };
            find(format!("{} is not the {of}, {}", variable::APP_KEY, plan.app_key));
        }
    }
    let Route::Url(url) = to else { return };
    let text = |name: &str| function.variable(name).and_then(Value::as_str);
    match &url.receiver {
        Receiver::Connect { webhooks } => {
            if text(variable::WEBHOOKS) != Some(webhooks) {
                find(format!(
                    "{} is not what the descriptor declares for {route}",
                    variable::WEBHOOKS
                ));
            }
        }
        Receiver::Signed { declared } => {
            if text(variable::SIGNED_WEBHOOK) != Some(declared) {
                find(format!(
                    "{} is not what the configuration declares for {route}, so webhooks of another \
                     kind would be accepted, or these refused",
                    variable::SIGNED_WEBHOOK
                ));
            }
        }
        Receiver::Forge { key, endpoint } => {
            if text(variable::ENDPOINT) != Some(endpoint) {
                find(format!(
                    "{} is not what the manifest declares of the endpoint {key}, so its tokens would \
                     be refused, or those of another accepted",
                    variable::ENDPOINT
                ));
            }
            let url = function.variable(variable::KEY_SET_URL).and_then(pointed);
            if url != Some(KEY_SET_URL) || !template.has_parameter(KEY_SET_URL) {
                find(format!(
                    "{} must be the parameter {KEY_SET_URL}; correct it",
                    variable::KEY_SET_URL
                ));
            }
        }
    }
    let Some(queue) = template.target(function.variable(variable::QUEUE_URL), QUEUE) else {
        return find(format!("{} is not a queue of this template", variable::QUEUE_URL));
    };
    let readers: Vec<Resource<'_>> = template
        .of_kind(FUNCTION)
        .filter(|reader| {
            reader.events().any(|event| {
                event.kind == "SQS"
                    && template
                        .target(event.properties.get("Queue"), QUEUE)
                        .is_some_and(|other| other.id == queue.id)
            })
        })
        .collect();
    let handler = Job::Handler(&url.handler.name);
    match &readers[..] {
        [reader] if reader.job() == Some(handler) => {}
        [] => find(format!("it writes to {}, which no function reads; add its handler", queue.id)),
        [reader] => find(format!(
            "it writes to {}, which is read by {}; the {} asks for the handler {}",
            queue.id,
            reader.id,
            declared(plan),
            url.handler.name,
        )),
        _ => find(format!(
            "several functions read {}, so each gets a part of the messages; keep one",
            queue.id
        )),
    }
}
