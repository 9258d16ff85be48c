//! The functions and queues that a descriptor needs: a receiver for each URL, a queue for each
//! handler.

use std::collections::BTreeMap;

use atlassian_connect::descriptor::{Descriptor, Webhook};
use serde::Serialize;

/// What one descriptor needs in an account.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The app's key.
    pub app_key: String,
    /// The paths of the lifecycle callbacks: name and path.
    pub lifecycle: BTreeMap<&'static str, String>,
    /// The declared URLs, in the order of the file. Each has a receiver.
    pub urls: Vec<Url>,
    /// The handlers, in the order of their names. Each has a queue and a function.
    pub handlers: Vec<Handler>,
}

/// A declared URL: one route, one receiver.
#[derive(Clone, Debug, Serialize)]
pub struct Url {
    /// The prefix of its logical ids in the template: its slug in upper camel case.
    pub id: String,
    /// The route, with its variables as path parameters: `/hook/${issue.key}` is
    /// `/hook/{issue_key}`.
    pub route: String,
    /// The handler of its webhooks.
    pub handler: Handler,
    /// The descriptor's entries of this URL, as the receiver reads them.
    pub webhooks: String,
    /// The names of their events.
    pub events: Vec<String>,
}

/// A handler: one function, one queue, one dead-letter queue.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Handler {
    /// The prefix of its logical ids in the template.
    pub id: String,
    /// The name of its binary, and of its file in `functions/handlers/src/bin`.
    pub name: String,
}

impl Plan {
    /// Makes the plan of a descriptor.
    pub fn of(descriptor: &Descriptor) -> Self {
        let mut urls: Vec<(&str, Vec<&Webhook>)> = Vec::new();
        for webhook in &descriptor.modules.webhooks {
            match urls.iter_mut().find(|(path, _)| *path == webhook.path()) {
                Some((_, entries)) => entries.push(webhook),
                None => urls.push((webhook.path(), vec![webhook])),
            }
        }
        let urls: Vec<Url> = urls.into_iter().map(|(path, entries)| url(path, &entries)).collect();
        let mut handlers: Vec<Handler> = urls.iter().map(|url| url.handler.clone()).collect();
        handlers.sort();
        handlers.dedup();
        let callbacks = descriptor.lifecycle.callbacks();
        let lifecycle = callbacks.map(|(callback, url)| (callback.as_str(), url.to_owned()));
        Self { app_key: descriptor.key.clone(), lifecycle: lifecycle.collect(), urls, handlers }
    }
}

fn url(path: &str, entries: &[&Webhook]) -> Url {
    let first = entries[0];
    Url {
        id: upper_camel_case(&first.slug()),
        route: route(path),
        handler: Handler { id: upper_camel_case(&first.handler()), name: first.handler() },
        webhooks: serde_json::Value::from_iter(entries.iter().map(|entry| entry_of(entry)))
            .to_string(),
        events: entries.iter().map(|entry| entry.event.to_string()).collect(),
    }
}

/// The parts of an entry that a receiver needs.
fn entry_of(webhook: &Webhook) -> serde_json::Value {
    let mut entry = serde_json::json!({ "event": webhook.event, "url": webhook.url });
    if webhook.exclude_body {
        entry["excludeBody"] = true.into();
    }
    if !webhook.params.is_empty() {
        entry["params"] = serde_json::json!(webhook.params);
    }
    entry
}

/// The route of a URL: Jira replaces `${issue.key}`, and API Gateway matches `{issue_key}`.
fn route(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        match segment.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(variable) => format!("{{{}}}", variable.replace('.', "_")),
            None => segment.to_owned(),
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The prefix of logical ids for a slug.
pub(crate) fn upper_camel_case(slug: &str) -> String {
    let words = slug.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(webhooks: serde_json::Value) -> Plan {
        let document = json!({"key": "app", "modules": {"webhooks": webhooks}});
        Plan::of(&Descriptor::parse(&document.to_string()).unwrap())
    }

    #[test]
    fn makes_one_receiver_a_url_and_one_queue_a_handler() {
        let plan = plan(json!([
            {"event": "jira:issue_created", "url": "/jira/issue"},
            {"event": "page_created", "url": "/page", "params": {"handler": "jira-issue"}},
            {"event": "jira:issue_updated", "url": "/jira/issue"},
        ]));
        let urls = plan.urls.iter().map(|url| (&*url.id, &*url.handler.name, url.events.len()));
        let urls: Vec<_> = urls.collect();
        assert_eq!(urls, [("JiraIssue", "jira-issue", 2), ("Page", "jira-issue", 1)]);
        let handler = Handler { id: "JiraIssue".into(), name: "jira-issue".into() };
        assert_eq!(plan.handlers, [handler]);
    }

    #[test]
    fn makes_a_route_of_what_jira_fills_in() {
        let plan = plan(json!([{"event": "e", "url": "/hook/${issue.key}/x?user=${user.id}"}]));
        assert_eq!(plan.urls[0].route, "/hook/{issue_key}/x");
        assert_eq!(plan.urls[0].id, "HookIssueKeyX");
    }
}
