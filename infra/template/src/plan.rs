//! The functions and queues that a descriptor needs: a receiver for each URL, a queue for each
//! handler.

use std::collections::BTreeMap;

use atlassian_connect::descriptor::{Descriptor, Webhook};
use serde::Serialize;

use crate::configuration::{Configuration, HandlerSettings};
use crate::{HANDLER_TIMEOUT, MAX_RECEIVES};

/// What one descriptor needs in an account.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The app's key.
    pub app_key: String,
    /// The paths of the lifecycle callbacks: name and path.
    pub lifecycle: BTreeMap<&'static str, String>,
    /// The handler that gets the lifecycle callbacks as well, if there is one.
    pub lifecycle_handler: Option<Handler>,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Handler {
    /// The prefix of its logical ids in the template.
    pub id: String,
    /// The name of its binary, and of its file in `functions/handlers/src/bin`.
    pub name: String,
    /// The timeout of its function, in seconds.
    pub timeout: u32,
    /// The visibility timeout of its queue, in seconds: six times the timeout, as Lambda's
    /// documentation recommends, and the batching window.
    pub visibility_timeout: u32,
    /// The `maxReceiveCount` of its queue. It is less than [`MAX_RECEIVES`] if so many receives
    /// would take longer than SQS keeps a message.
    pub max_receives: u32,
    /// Whether a URL leads to it. A handler can have lifecycle callbacks alone.
    pub has_webhooks: bool,
    /// What the app's configuration says of it.
    pub settings: HandlerSettings,
}

impl Plan {
    /// Makes the plan of an app.
    pub fn of(descriptor: &Descriptor, configuration: &Configuration) -> Self {
        let mut urls: Vec<(&str, Vec<&Webhook>)> = Vec::new();
        for webhook in &descriptor.modules.webhooks {
            match urls.iter_mut().find(|(path, _)| *path == webhook.path()) {
                Some((_, entries)) => entries.push(webhook),
                None => urls.push((webhook.path(), vec![webhook])),
            }
        }
        let urls = urls.into_iter().map(|(path, entries)| url(path, &entries, configuration));
        let urls: Vec<Url> = urls.collect();
        let lifecycle = configuration.lifecycle.as_ref();
        let lifecycle_handler = lifecycle.and_then(|settings| settings.handler.as_ref());
        let lifecycle_handler = lifecycle_handler.map(|name| {
            let handler = Handler::of(name, configuration);
            let has_webhooks = urls.iter().any(|url| url.handler.name == handler.name);
            Handler { has_webhooks, ..handler }
        });
        let handlers = urls.iter().map(|url| url.handler.clone()).chain(lifecycle_handler.clone());
        let mut handlers: Vec<Handler> = handlers.collect();
        handlers.sort_by(|a, b| (&a.id, &a.name).cmp(&(&b.id, &b.name)));
        handlers.dedup_by(|a, b| a.name == b.name);
        let callbacks = descriptor.lifecycle.callbacks();
        let lifecycle = callbacks.map(|(callback, url)| (callback.as_str(), url.to_owned()));
        Self {
            app_key: descriptor.key.clone(),
            lifecycle: lifecycle.collect(),
            lifecycle_handler,
            urls,
            handlers,
        }
    }
}

impl Handler {
    fn of(name: &str, configuration: &Configuration) -> Self {
        let settings = configuration.handlers.get(name).cloned().unwrap_or_default();
        let timeout = settings.timeout.unwrap_or(HANDLER_TIMEOUT);
        let visibility_timeout = 6 * timeout + settings.batch_window.unwrap_or_default();
        let max_receives = MAX_RECEIVES.min((QUEUE_RETENTION - 1) / visibility_timeout);
        Self {
            id: upper_camel_case(name),
            name: name.to_owned(),
            timeout,
            visibility_timeout,
            max_receives,
            has_webhooks: true,
            settings,
        }
    }
}

/// How long a handler's queue keeps a message, in seconds: four days.
const QUEUE_RETENTION: u32 = 345_600;

fn url(path: &str, entries: &[&Webhook], configuration: &Configuration) -> Url {
    let first = entries[0];
    Url {
        id: upper_camel_case(&first.slug()),
        route: route(path),
        handler: Handler::of(&first.handler(), configuration),
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
        let descriptor = Descriptor::parse(&document.to_string()).unwrap();
        Plan::of(&descriptor, &Configuration::default())
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
        assert_eq!(plan.handlers, [Handler::of("jira-issue", &Configuration::default())]);
    }

    #[test]
    fn a_queue_follows_the_timeout_and_the_batching_window() {
        let text = "handlers: { slow: { timeout: 900, batchWindow: 10 } }";
        let handler = Handler::of("slow", &Configuration::parse(text).unwrap());
        assert_eq!((handler.timeout, handler.visibility_timeout), (900, 5410));
        // Otherwise SQS would delete the message before it is received that often.
        assert_eq!(handler.max_receives, 63);
        let other = Handler::of("quick", &Configuration::default());
        assert_eq!((other.visibility_timeout, other.max_receives), (180, 100));
    }

    #[test]
    fn makes_a_route_of_what_jira_fills_in() {
        let plan = plan(json!([{"event": "e", "url": "/hook/${issue.key}/x?user=${user.id}"}]));
        assert_eq!(plan.urls[0].route, "/hook/{issue_key}/x");
        assert_eq!(plan.urls[0].id, "HookIssueKeyX");
    }
}
