//! Checks of the descriptor: Atlassian's rules, and those of a deployment.

use std::collections::{BTreeMap, BTreeSet};

use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;

use super::spelling::closest_event;
use super::template::{Document, MAX_RESOURCES, MAX_ROUTES};
use super::{Finding, Severity};
use crate::configuration::Configuration;
use crate::plan::{Plan, Receiver, TAKEN, is_handler_name, upper_camel_case};

pub(super) fn check(descriptor: &Descriptor) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_app(descriptor, &mut findings);
    check_lifecycle(descriptor, &mut findings);
    for (number, webhook) in descriptor.modules.webhooks.iter().enumerate() {
        let place = place(number, webhook);
        check_webhook(webhook, &place, &mut findings);
        check_path(webhook, &place, &mut findings);
        check_variables(webhook, &place, &mut findings);
    }
    check_together(descriptor, &mut findings);
    // Of a wrong descriptor no right template comes, whose size could be judged.
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        check_size(descriptor, &mut findings);
    }
    findings
}

const FILE: &str = "infra/atlassian-connect.json";

/// The scopes that include `READ`.
const READING: [&str; 6] = ["READ", "WRITE", "DELETE", "PROJECT_ADMIN", "SPACE_ADMIN", "ADMIN"];

/// The migrations that this project requires, and what happens without each ("App migration
/// to improve user privacy", "Connect installation lifecycle security improvements", "Action
/// required: Atlassian Connect vulnerability allows bypass of app qsh verification").
const MIGRATIONS: [(&str, &str); 3] = [
    ("gdpr", "payloads would identify users by keys that Atlassian no longer sends"),
    ("signed-install", "installs would not be signed by Atlassian, and are refused"),
    ("context-qsh", "the tokens of users' browsers would look like those of webhooks"),
];

/// The maximum size of the variable with a URL's webhooks, in bytes: Lambda's limit of 4 KB for an
/// environment, less the other variables.
const MAX_WEBHOOKS: usize = 3072;

fn place(number: usize, webhook: &Webhook) -> String {
    format!("{FILE}: webhook {} ({} to {})", number + 1, webhook.event, webhook.url)
}

fn check_app(descriptor: &Descriptor, findings: &mut Vec<Finding>) {
    let key = &descriptor.key;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if key.is_empty() || key.len() > 80 || !key.chars().all(plain) {
        findings.push(Finding::error(
            format!("{FILE}: key"),
            "the key must be 1 to 80 letters, digits, hyphens, dots and underscores",
        ));
    }
    if !descriptor.authentication.kind.eq_ignore_ascii_case("jwt") {
        findings.push(Finding::error(
            format!("{FILE}: authentication"),
            "without {\"type\": \"jwt\"} requests are not signed, and all of them are refused; set it",
        ));
    }
    for (migration, without) in MIGRATIONS {
        if descriptor.api_migrations.get(migration) != Some(&true.into()) {
            findings.push(Finding::warning(
                format!("{FILE}: apiMigrations"),
                format!("\"{migration}\" is not true: {without}; add it"),
            ));
        }
    }
    let reads = |scope: &String| READING.iter().any(|reading| scope.eq_ignore_ascii_case(reading));
    let reads = descriptor.scopes.iter().any(reads);
    if !reads && !descriptor.modules.webhooks.is_empty() {
        findings.push(Finding::error(
            format!("{FILE}: scopes"),
            "webhooks need the READ scope; add \"READ\"",
        ));
    }
    if descriptor.modules.webhooks.is_empty() {
        findings.push(Finding::error(
            format!("{FILE}: modules.webhooks"),
            "no webhook is declared; add one with \"event\" and \"url\"",
        ));
    }
}

fn check_lifecycle(descriptor: &Descriptor, findings: &mut Vec<Finding>) {
    let lifecycle = &descriptor.lifecycle;
    if lifecycle.installed.is_none() {
        findings.push(Finding::error(
            format!("{FILE}: lifecycle.installed"),
            "it is missing, and it delivers the tenants' secrets; add \"/installed\"",
        ));
    }
    if lifecycle.uninstalled.is_none() {
        findings.push(Finding::warning(
            format!("{FILE}: lifecycle.uninstalled"),
            "without it, the secrets of tenants that uninstall are kept; add \"/uninstalled\"",
        ));
    }
    let mut taken = BTreeMap::from([(Descriptor::PATH, "the descriptor itself".to_owned())]);
    for (callback, url) in lifecycle.callbacks() {
        let place = format!("{FILE}: lifecycle.{callback}");
        if let Some(advice) = not_relative(url).or_else(|| {
            url.contains('?').then_some("the URL has a query, and only paths are routed; delete it")
        }) {
            findings.push(Finding::error(&place, advice));
        }
        check_segments(url, &place, findings);
        if let Some(other) = taken.insert(url, format!("lifecycle.{callback}")) {
            findings.push(Finding::error(
                place,
                format!("{url} is also the URL of {other}; choose another"),
            ));
        }
    }
    for (number, webhook) in descriptor.modules.webhooks.iter().enumerate() {
        if let Some(other) = taken.get(webhook.path()) {
            let advice = format!("{other} has the same path; choose another");
            findings.push(Finding::error(place(number, webhook), advice));
        }
    }
}

fn check_webhook(webhook: &Webhook, place: &str, findings: &mut Vec<Finding>) {
    let event = webhook.event.as_str();
    if event.is_empty() || event.len() > 100 || !event.bytes().all(|b| b.is_ascii_graphic()) {
        findings.push(Finding::error(
            place,
            "the event must be a name of 1 to 100 visible characters; correct it",
        ));
    } else if Callback::parse(event).is_some() {
        findings.push(Finding::error(
            place,
            format!(
                "{event} is a lifecycle callback and no webhook, so no product sends it here; \
                 declare its URL in \"lifecycle\", and its handler with \
                 `lifecycle: {{ handler: … }}` in infra/atlassian-hooks.yaml"
            ),
        ));
    } else if !webhook.event.is_known() {
        let advice = match closest_event(event) {
            Some(close) => format!("no product documents the event {event}; did you mean {close}?"),
            None => format!("no product documents the event {event}; its payload will be untyped"),
        };
        findings.push(Finding::warning(place, advice));
    }
    let handler = webhook.handler();
    // An empty slug is the path's fault, and reported there.
    let named = webhook.slug().is_empty() && !webhook.params.contains_key(Webhook::HANDLER)
        || is_handler_name(&handler);
    if !named {
        findings.push(Finding::error(
            place,
            format!(
                "\"{handler}\" cannot name a handler; choose one of at most 40 lower-case letters, \
                 digits and single hyphens, which is neither one of {} nor ends in -dead, with \
                 \"params\": {{\"handler\": …}}",
                TAKEN.join(", "),
            ),
        ));
    }
}

fn check_path(webhook: &Webhook, place: &str, findings: &mut Vec<Finding>) {
    if let Some(advice) = not_relative(&webhook.url) {
        findings.push(Finding::error(place, advice));
        return;
    }
    if webhook.slug().is_empty() {
        let advice = "the path has no letter or digit to name its function after; choose another";
        findings.push(Finding::error(place, advice));
    }
    check_segments(webhook.path(), place, findings);
}

fn check_segments(path: &str, place: &str, findings: &mut Vec<Finding>) {
    for segment in path.split('/') {
        let variable = segment.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let name = variable.unwrap_or(segment);
        let unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        if !name.chars().all(unreserved) {
            findings.push(Finding::error(
                place,
                format!(
                    "the path segment \"{segment}\" is neither plain (letters, digits, - . _ ~) \
                     nor one whole ${{variable}}; other paths are signed in more than one way"
                ),
            ));
        }
    }
}

/// The variables that Jira replaces in a URL, by the prefix of the events' names (Atlassian's
/// documentation, "Webhooks"; for those that it leaves out, Atlassian's tracker, "Not all webhook
/// events provide the same URL variables"). Confluence replaces none.
const VARIABLES: [(&str, &[&str]); 10] = [
    ("jira:issue_", &["issue.id", "issue.key", "project.id", "project.key"]),
    ("jira:version_merged", &["mergedVersion.id", "project.id", "project.key", "version.id"]),
    ("jira:version_", &["project.id", "project.key", "version.id"]),
    ("project_", &["project.id", "project.key"]),
    ("user_", &["modifiedUser.accountId", "modifiedUser.key", "modifiedUser.name"]),
    ("board_", &["board.id"]),
    ("sprint_", &["sprint.id"]),
    ("attachment_", &["attachment.id"]),
    ("comment_", &["comment.id"]),
    ("worklog_", &["worklog.id"]),
];

/// Checks the variables of a URL. One that is not replaced is removed or left as it is, and the
/// event is sent to a URL that does not exist.
fn check_variables(webhook: &Webhook, place: &str, findings: &mut Vec<Finding>) {
    let event = &webhook.event;
    let known = VARIABLES.iter().find(|(start, _)| event.as_str().starts_with(start));
    let known = known.map_or(&[][..], |(_, variables)| variables);
    for (variable, is_written_out) in variables(&webhook.url) {
        let advice = if event.is_known() && !event.may_come_from(Product::Jira) {
            format!(
                "Confluence does not replace variables such as {variable} in a URL; delete it, and \
                 read the value from the body"
            )
        } else if !event.is_known() {
            format!("it is not documented whether {event} has {variable}; delete it if it has not")
        } else if !known.contains(&variable) {
            let instead = match known {
                [] => "it has none; delete it".to_owned(),
                known => format!("it has {}", known.join(", ")),
            };
            format!(
                "{event} has no variable {variable}, so Jira removes it from the URL; {instead}"
            )
        } else if !is_written_out {
            format!("write {variable} as ${{{variable}}}, the form that Connect documents")
        } else if event.may_come_from(Product::Confluence) {
            format!(
                "only Jira replaces {variable}, and Confluence sends {event} as well; delete it"
            )
        } else {
            continue;
        };
        findings.push(Finding::warning(place, advice));
    }
}

/// The variables in a URL, and whether each is written `${name}` and not `{name}`.
fn variables(url: &str) -> impl Iterator<Item = (&str, bool)> {
    url.match_indices('{').filter_map(|(start, _)| {
        let (name, _) = url[start + 1..].split_once('}')?;
        Some((name, url[..start].ends_with('$')))
    })
}

/// Checks the rules that concern several entries.
fn check_together(descriptor: &Descriptor, findings: &mut Vec<Finding>) {
    let webhooks = &descriptor.modules.webhooks;
    let mut ids: BTreeMap<String, &str> = BTreeMap::new();
    let mut handlers: BTreeMap<String, String> = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for (number, webhook) in webhooks.iter().enumerate() {
        let place = place(number, webhook);
        if !pairs.insert((webhook.event.as_str(), webhook.url.as_str())) {
            let advice = "the same event and URL are declared twice; delete one";
            findings.push(Finding::error(&place, advice));
            continue;
        }
        let other = *ids.entry(upper_camel_case(&webhook.slug())).or_insert(webhook.path());
        if other != webhook.path() {
            let advice =
                format!("its functions would have the names of those of {other}; rename one");
            findings.push(Finding::error(&place, advice));
            continue;
        }
        let above: Vec<&Webhook> =
            webhooks[..number].iter().filter(|other| other.path() == webhook.path()).collect();
        let Some(first) = above.first() else { continue };
        if first.handler() != webhook.handler() {
            findings.push(Finding::error(
                &place,
                format!(
                    "{} has one receiver, and it writes to the queue of \"{}\"; name that handler \
                     here too, or choose another URL",
                    webhook.path(),
                    first.handler(),
                ),
            ));
        }
        if above.iter().any(|other| PRODUCTS.iter().any(|p| twins(webhook, other, *p))) {
            findings.push(Finding::error(
                &place,
                "it could not be distinguished from another event on this URL, because a body of \
                 Confluence, or no body, does not name its event; choose another URL",
            ));
        }
    }
    for (number, webhook) in webhooks.iter().enumerate() {
        let name = webhook.handler();
        let other = handlers.entry(upper_camel_case(&name)).or_insert_with(|| name.clone());
        if *other != name {
            let advice = format!("its handler would have the same name as {other}; rename one");
            findings.push(Finding::error(place(number, webhook), advice));
        }
    }
    for url in &Plan::of(descriptor, &Configuration::default()).urls {
        let first = webhooks.iter().enumerate();
        let mut first = first.filter(|(_, webhook)| upper_camel_case(&webhook.slug()) == url.id);
        if let Some((number, webhook)) = first.next()
            && let Receiver::Connect { webhooks } = &url.receiver
            && webhooks.len() > MAX_WEBHOOKS
        {
            findings.push(Finding::error(
                place(number, webhook),
                format!(
                    "the webhooks of this URL take {} bytes of the {MAX_WEBHOOKS} that fit into a \
                     function's environment; give some events a URL of their own",
                    webhooks.len(),
                ),
            ));
        }
    }
}

/// Checks that the resources for the descriptor fit in one stack.
fn check_size(descriptor: &Descriptor, findings: &mut Vec<Finding>) {
    let rendered =
        crate::render(descriptor, &Configuration::default()).map_err(|error| error.to_string());
    let document =
        rendered.and_then(|text| sam_template::parse(&text).map_err(|error| error.to_string()));
    let document = match document {
        Ok(document) => document,
        Err(error) => {
            findings.push(Finding::error(
                FILE,
                format!("no template can be generated: {error}; please report this"),
            ));
            return;
        }
    };
    let plain = Configuration::default();
    let template = Document::new(FILE, &document, &plain);
    let rows = [
        (template.expanded_resources(), MAX_RESOURCES, "resources in a stack"),
        (template.routes(), MAX_ROUTES, "routes of an API"),
    ];
    for (needed, most, what) in rows {
        if needed > most {
            findings.push(Finding::error(
                format!("{FILE}: modules.webhooks"),
                format!(
                    "it needs {needed} of the {most} {what}; let events share a URL, let URLs \
                     share a handler (\"params\": {{\"handler\": …}}), or split the app in two"
                ),
            ));
        }
    }
}

const PRODUCTS: [Product; 2] = [Product::Jira, Product::Confluence];

/// Whether a product can send both events, and neither body names its event.
fn twins(one: &Webhook, other: &Webhook, product: Product) -> bool {
    let nameless = |webhook: &Webhook| {
        webhook.event.may_come_from(product) && !webhook.event.names_itself(product)
    };
    let both_empty = one.exclude_body && other.exclude_body;
    let sends_both = one.event.may_come_from(product) && other.event.may_come_from(product);
    let neither_empty = !one.exclude_body && !other.exclude_body;
    (both_empty && sends_both) || (neither_empty && nameless(one) && nameless(other))
}

fn not_relative(url: &str) -> Option<&'static str> {
    if url.contains("://") || url.starts_with("//") {
        return Some(
            "the URL is absolute; write it relative to the base URL, as in \"/issue-created\"",
        );
    }
    if !url.starts_with('/') {
        return Some("the URL must start with a slash, as in \"/issue-created\"");
    }
    url.contains('#').then_some("the URL has a fragment, which is never sent; delete it")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn descriptor(change: impl FnOnce(&mut Value)) -> Vec<Finding> {
        let mut document = json!({
            "key": "com.example.hooks", "authentication": {"type": "jwt"}, "scopes": ["READ"],
            "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
            "lifecycle": {
                "installed": "/installed", "uninstalled": "/uninstalled",
                "enabled": "/enabled", "disabled": "/disabled",
            },
            "modules": {"webhooks": [
                {"event": "jira:issue_created", "url": "/issue-created"},
                {"event": "page_created", "url": "/page-created"},
            ]},
        });
        change(&mut document);
        check(&Descriptor::parse(&document.to_string()).unwrap())
    }

    fn with(webhook: Value) -> Vec<Finding> {
        descriptor(|document| {
            document["modules"]["webhooks"].as_array_mut().unwrap().push(webhook);
        })
    }

    #[test]
    fn finds_nothing_in_a_good_descriptor() {
        assert_eq!(descriptor(|_| ()), []);
        let good = [
            json!({"event": "jira:issue_updated", "url": "/issue-created"}),
            json!({"event": "jira:issue_updated", "url": "/hook/${issue.key}?u=${project.key}"}),
            json!({"event": "page_removed", "url": "/p", "params": {"handler": "page-created"}}),
            json!({"event": "page_updated", "url": "/issue-created"}),
        ];
        for webhook in good {
            let described = webhook.to_string();
            assert_eq!(with(webhook), [], "{described}");
        }
    }

    /// One row a rule: the entry that breaks it, and words of the advice.
    #[test]
    fn names_the_entry_and_the_rule() {
        let rows = [
            (json!({"event": "login", "url": "https://x.test/login"}), "absolute"),
            (json!({"event": "login", "url": "//x.test/login"}), "absolute"),
            (json!({"event": "login", "url": "login"}), "start with a slash"),
            (json!({"event": "login", "url": "/login#top"}), "fragment"),
            (json!({"event": "login", "url": "/"}), "no letter or digit"),
            (json!({"event": "login", "url": "/log in"}), "neither plain"),
            (json!({"event": "login", "url": "/log-${user.id}"}), "neither plain"),
            (
                json!({"event": "login", "url": "/installed"}),
                "lifecycle.installed has the same path",
            ),
            (
                json!({"event": "login", "url": "/atlassian-connect.json"}),
                "the descriptor itself has the same path",
            ),
            (json!({"event": "page_created", "url": "/page-created"}), "declared twice"),
            (json!({"event": "page_updated", "url": "/page_created"}), "would have the names of"),
            (
                json!({"event": "page_updated", "url": "/page-created"}),
                "could not be distinguished",
            ),
            (
                json!({"event": "login", "url": "/login", "params": {"handler": "Log In"}}),
                "cannot name a handler",
            ),
            (
                json!({"event": "jira:issue_updated", "url": "/issue-created",
                       "params": {"handler": "other"}}),
                "name that handler here too",
            ),
            (json!({"event": "", "url": "/x"}), "must be a name"),
            (json!({"event": "uninstalled", "url": "/x"}), "is a lifecycle callback"),
            (json!({"event": "login", "url": "/receiver"}), "cannot name a handler"),
            (
                json!({"event": "login", "url": "/login", "params": {"handler": "login-dead"}}),
                "cannot name a handler",
            ),
            (
                json!({"event": "login", "url": "/login", "params": {"x": "y".repeat(4000)}}),
                "of the 3072",
            ),
        ];
        for (webhook, words) in rows {
            let described = webhook.to_string();
            let errors: Vec<Finding> = with(webhook)
                .into_iter()
                .filter(|finding| finding.severity == Severity::Error)
                .collect();
            let [finding] = &errors[..] else { panic!("{described}: {errors:?}") };
            assert!(finding.place.contains("webhook 3"), "{finding}");
            assert!(finding.advice.contains(words), "{finding}");
        }
    }

    #[test]
    fn warns_of_an_undocumented_event() {
        let [finding] = &with(json!({"event": "page_craeted", "url": "/x"}))[..] else { panic!() };
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.advice.contains("did you mean page_created?"), "{finding}");
        let [finding] = &with(json!({"event": "brand_new_thing", "url": "/x"}))[..] else {
            panic!()
        };
        assert!(finding.advice.contains("will be untyped"), "{finding}");
    }

    #[test]
    fn knows_what_jira_puts_into_a_url() {
        // An event, a URL, and words of the advice if there must be any.
        let rows = [
            ("jira:issue_created", "/i/${issue.key}/${project.id}", None),
            ("jira:issue_created", "/i?key=${issue.key}&p=${project.key}", None),
            ("project_updated", "/p/${project.key}", None),
            ("jira:version_merged", "/v/${mergedVersion.id}", None),
            ("jira:version_released", "/v/${version.id}", None),
            ("user_updated", "/u/${modifiedUser.accountId}", None),
            ("sprint_started", "/s/${sprint.id}", None),
            ("jira:issue_updated", "/i/${version.id}", Some("has no variable version.id")),
            ("jira:issue_updated", "/i/${issue.id}x${issue.fields.summary}", Some("issue.fields")),
            ("jira:version_released", "/v/${mergedVersion.id}", Some("it has project.id")),
            ("project_created", "/p?i=${issue.key}", Some("no variable issue.key")),
            ("comment_created", "/c/${issue.key}", Some("it has comment.id")),
            ("issuelink_created", "/l/${issue.id}", Some("it has none; delete it")),
            ("jira:issue_updated", "/i?key={issue.key}", Some("write issue.key as ${issue.key}")),
            ("page_created", "/p/${page.id}", Some("Confluence does not replace")),
            ("page_created", "/p?space={space.key}", Some("such as space.key in a URL")),
            ("user_created", "/u/${modifiedUser.key}", Some("Confluence sends user_created")),
            ("brand_new_thing", "/n/${issue.key}", Some("it is not documented whether")),
        ];
        for (event, url, words) in rows {
            let mut findings = Vec::new();
            let webhook = serde_json::from_value(json!({"event": event, "url": url})).unwrap();
            check_variables(&webhook, "", &mut findings);
            match (&findings[..], words) {
                ([], None) => {}
                ([finding], Some(words)) => {
                    assert_eq!(finding.severity, Severity::Warning);
                    assert!(finding.advice.contains(words), "{finding}");
                }
                _ => panic!("{event} {url}: {findings:?}"),
            }
        }
        // With the other rules, as `check` has it.
        let [finding] = &with(json!({"event": "page_updated", "url": "/x/${page.id}"}))[..] else {
            panic!()
        };
        assert!(finding.place.contains("webhook 3"), "{finding}");
    }

    #[test]
    fn warns_of_a_migration_that_was_not_followed() {
        let [finding] = &descriptor(|document| {
            document["apiMigrations"]["signed-install"] = false.into();
        })[..] else {
            panic!()
        };
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.advice.contains("signed-install"), "{finding}");
    }

    #[test]
    fn names_what_the_app_lacks() {
        let rows: [(&str, Value, &str); 6] = [
            ("scopes", json!([]), "scopes"),
            ("scopes", json!(["ACT_AS_USER"]), "scopes"),
            ("authentication", json!({"type": "none"}), "authentication"),
            ("key", json!("with space"), "key"),
            ("lifecycle", json!({"uninstalled": "/u"}), "lifecycle.installed"),
            ("modules", json!({}), "modules.webhooks"),
        ];
        for (name, value, place) in rows {
            let findings = descriptor(|document| document[name] = value);
            assert!(
                findings.iter().any(|f| f.severity == Severity::Error && f.place.ends_with(place)),
                "{name}: {findings:?}"
            );
        }
    }
}
