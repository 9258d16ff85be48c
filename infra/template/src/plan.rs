//! The functions and queues that the declarations of an app need: a receiver for each URL, a queue
//! for each handler.

use std::collections::{BTreeMap, BTreeSet};

use atlassian_connect::delivery::Sender;
use atlassian_connect::descriptor::{self, Descriptor, Webhook};
use atlassian_forge::event::PRE_UNINSTALL;
use atlassian_forge::manifest::{self, Manifest};
use serde::Serialize;
use signed_webhooks::Events;

use crate::configuration::{Configuration, HandlerSettings, SignedWebhook};
use crate::{HANDLER_TIMEOUT, MAX_RECEIVES};

/// What an app declares to Atlassian: a Connect app by its descriptor, a Forge app by its manifest, and
/// one that is both by both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Declarations<'a> {
    /// The descriptor.
    pub descriptor: Option<&'a Descriptor>,
    /// The manifest.
    pub manifest: Option<&'a Manifest>,
}

impl<'a> Declarations<'a> {
    /// The app's key in Connect. Without a descriptor it is the app's id in Forge, and without a manifest
    /// what the configuration calls it.
    pub fn app_key<'c>(self, configuration: &'c Configuration) -> &'c str
    where
        'a: 'c,
    {
        let key = self.descriptor.map(|descriptor| &descriptor.key);
        let key = key.or(self.manifest.map(|manifest| &manifest.app.id));
        key.or(configuration.app.as_ref()).map_or("", String::as_str)
    }
}

impl<'a> From<&'a Descriptor> for Declarations<'a> {
    fn from(descriptor: &'a Descriptor) -> Self {
        Self { descriptor: Some(descriptor), manifest: None }
    }
}

impl<'a> From<&'a Manifest> for Declarations<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        Self { descriptor: None, manifest: Some(manifest) }
    }
}

/// What one app needs in an account.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The app's key in Connect, its id in Forge, or what the configuration calls it.
    pub app_key: String,
    /// Whether the app is one of Connect: it serves a descriptor, and records tenants.
    pub connect: bool,
    /// Whether the app is one of Forge.
    pub forge: bool,
    /// Whether there are URLs of signed webhooks.
    pub signed: bool,
    /// Whether there are secrets of tenants: a table, and a key that encrypts it.
    pub tenants: bool,
    /// The paths of the lifecycle callbacks: name and path.
    pub lifecycle: BTreeMap<&'static str, String>,
    /// The handler that gets the lifecycle callbacks as well, if there is one.
    pub lifecycle_handler: Option<Handler>,
    /// The declared URLs, in the order of the files. Each has a receiver.
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
    /// The handler of its events.
    pub handler: Handler,
    /// Its receiver.
    pub receiver: Receiver,
    /// The names of its events.
    pub events: Vec<String>,
}

impl Url {
    /// Whether it is the URL of signed webhooks with this path.
    pub(crate) fn is_signed_at(&self, path: &str) -> bool {
        self.route == path && matches!(self.receiver, Receiver::Signed { .. })
    }
}

/// What receives the requests for a URL. A URL belongs to one sender, whose requests it verifies.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "sender")]
pub enum Receiver {
    /// Webhooks of a Connect app.
    Connect {
        /// The descriptor's entries of the URL, as the receiver reads them.
        webhooks: String,
    },
    /// Events of a Forge app.
    Forge {
        /// The key of the endpoint.
        key: String,
        /// The endpoint, as the receiver reads it.
        endpoint: String,
    },
    /// Webhooks that a product signs, for an administrator or an OAuth 2.0 app.
    Signed {
        /// The URL, as the receiver reads it.
        declared: String,
    },
}

impl Receiver {
    /// Whose requests it verifies.
    pub fn sender(&self) -> Sender {
        match self {
            Self::Connect { .. } => Sender::Connect,
            Self::Forge { .. } => Sender::Forge,
            Self::Signed { .. } => Sender::Signed,
        }
    }
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
    /// The senders whose URLs lead to it. A handler can have lifecycle callbacks alone.
    pub senders: BTreeSet<&'static str>,
    /// What the app's configuration says of it.
    pub settings: HandlerSettings,
}

impl Plan {
    /// Makes the plan of an app.
    pub fn of<'a>(declared: impl Into<Declarations<'a>>, configuration: &Configuration) -> Self {
        let Declarations { descriptor, manifest } = declared.into();
        let webhooks = descriptor.map_or_else(Vec::new, |one| of_connect(one, configuration));
        let endpoints = manifest.map_or_else(Vec::new, |one| of_forge(one, configuration));
        let signed = of_signed(configuration);
        let mut urls: Vec<Url> = webhooks.into_iter().chain(endpoints).chain(signed).collect();
        let mut senders: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for Url { handler, receiver, .. } in &urls {
            senders.entry(handler.name.clone()).or_default().insert(receiver.sender().as_str());
        }
        for url in &mut urls {
            url.handler.senders = senders[&url.handler.name].clone();
        }
        let lifecycle = configuration.lifecycle.as_ref().filter(|_| descriptor.is_some());
        let lifecycle_handler = lifecycle.and_then(|settings| settings.handler.as_ref());
        let lifecycle_handler = lifecycle_handler.map(|name| {
            let senders = senders.get(name).cloned().unwrap_or_default();
            Handler { senders, ..Handler::of(name, configuration) }
        });
        let handlers = urls.iter().map(|url| url.handler.clone()).chain(lifecycle_handler.clone());
        let mut handlers: Vec<Handler> = handlers.collect();
        handlers.sort_by(|a, b| (&a.id, &a.name).cmp(&(&b.id, &b.name)));
        handlers.dedup_by(|a, b| a.name == b.name);
        let callbacks = descriptor.into_iter().flat_map(|one| one.lifecycle.callbacks());
        let lifecycle = callbacks.map(|(callback, url)| (callback.as_str(), url.to_owned()));
        let signed = !configuration.webhooks.is_empty();
        Self {
            app_key: Declarations { descriptor, manifest }.app_key(configuration).to_owned(),
            connect: descriptor.is_some(),
            forge: manifest.is_some(),
            signed,
            // Forge has no secrets of tenants.
            tenants: descriptor.is_some() || signed,
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
            senders: BTreeSet::new(),
            settings,
        }
    }
}

/// How long a handler's queue keeps a message, in seconds: four days.
const QUEUE_RETENTION: u32 = 345_600;

/// The URLs of a descriptor's webhooks.
fn of_connect(descriptor: &Descriptor, configuration: &Configuration) -> Vec<Url> {
    let mut urls: Vec<(&str, Vec<&Webhook>)> = Vec::new();
    for webhook in &descriptor.modules.webhooks {
        match urls.iter_mut().find(|(path, _)| *path == webhook.path()) {
            Some((_, entries)) => entries.push(webhook),
            None => urls.push((webhook.path(), vec![webhook])),
        }
    }
    let url = |(path, entries): (&str, Vec<&Webhook>)| {
        let webhooks = entries.iter().map(|entry| entry_of(entry));
        Url {
            id: upper_camel_case(&descriptor::slug(path)),
            route: route(path),
            handler: Handler::of(&entries[0].handler(), configuration),
            receiver: Receiver::Connect {
                webhooks: serde_json::Value::from_iter(webhooks).to_string(),
            },
            events: entries.iter().map(|entry| entry.event.to_string()).collect(),
        }
    };
    urls.into_iter().map(url).collect()
}

/// The URLs of the endpoints to which a manifest sends events.
///
/// The route is the endpoint's path without that of the remote's base URL. As with the base URL of a
/// Connect app, a path in it belongs to what stands in front of the API, which removes it.
fn of_forge(manifest: &Manifest, configuration: &Configuration) -> Vec<Url> {
    let url = |endpoint: &manifest::Endpoint| {
        let path = &endpoint.route.as_ref()?.path;
        let events = events_of(manifest, &endpoint.key);
        if events.is_empty() {
            return None;
        }
        let described = serde_json::json!({
            "app": manifest.app.id, "key": endpoint.key, "events": events,
        });
        Some(Url {
            id: upper_camel_case(&descriptor::slug(path)),
            route: path.clone(),
            handler: Handler::of(&endpoint_handler(&endpoint.key, configuration), configuration),
            receiver: Receiver::Forge {
                key: endpoint.key.clone(),
                endpoint: described.to_string(),
            },
            events,
        })
    };
    manifest.modules.endpoint.iter().filter_map(url).collect()
}

/// The URLs of signed webhooks.
fn of_signed(configuration: &Configuration) -> Vec<Url> {
    let url = |(path, webhook): (&String, &SignedWebhook)| {
        let described = serde_json::json!({
            "path": path, "kind": webhook.kind, "events": webhook.events,
        });
        Url {
            id: upper_camel_case(&descriptor::slug(path)),
            route: path.clone(),
            handler: Handler::of(&webhook.handler, configuration),
            receiver: Receiver::Signed { declared: described.to_string() },
            events: match &webhook.events {
                Events::All => vec![format!("all of {}", webhook.kind)],
                Events::Only(events) => events.iter().map(ToString::to_string).collect(),
            },
        }
    };
    configuration.webhooks.iter().map(url).collect()
}

/// What is sent to an endpoint without a user: the events of triggers, and [`PRE_UNINSTALL`]. A
/// scheduled trigger is none of them; its body could not be told from that of an uninstall.
pub(crate) fn events_of(manifest: &Manifest, endpoint: &str) -> Vec<String> {
    let modules = &manifest.modules;
    let mut seen = BTreeSet::new();
    let events = modules.events_of(endpoint).filter(|event| seen.insert(*event));
    let mut events: Vec<String> = events.map(str::to_owned).collect();
    if modules.pre_uninstall.iter().any(|one| one.endpoint.as_deref() == Some(endpoint)) {
        events.push(PRE_UNINSTALL.to_owned());
    }
    events
}

/// The handler of an endpoint: the one that the configuration names, or the endpoint's key in kebab
/// case.
pub(crate) fn endpoint_handler(key: &str, configuration: &Configuration) -> String {
    let settings = configuration.forge.endpoints.get(key);
    let handler = settings.and_then(|settings| settings.handler.clone());
    handler.unwrap_or_else(|| kebab_case(key))
}

/// `issueChanged` and `Issue_Changed` are `issue-changed`.
fn kebab_case(key: &str) -> String {
    let mut words = String::new();
    let mut before = '-';
    for letter in key.chars() {
        let begins = letter.is_ascii_uppercase() && !before.is_ascii_uppercase();
        if (begins || !letter.is_ascii_alphanumeric()) && before.is_ascii_alphanumeric() {
            words.push('-');
        }
        words.extend(letter.is_ascii_alphanumeric().then_some(letter.to_ascii_lowercase()));
        before = letter;
    }
    words.trim_end_matches('-').to_owned()
}

/// The names of binaries that a handler cannot have.
pub(crate) const TAKEN: [&str; 6] =
    ["cargo-hooks", "descriptor", "forge-receiver", "lifecycle", "receiver", "signed-receiver"];

/// Whether a name can be that of a handler.
pub(crate) fn is_handler_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.len() <= 40
        && name.split('-').all(is_word)
        // These end in the name of another queue, or are binaries of this workspace already.
        && !name.ends_with("-dead")
        && !name.ends_with("-dead-letter")
        && !TAKEN.contains(&name)
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
        let senders = BTreeSet::from(["connect"]);
        let handler = Handler::of("jira-issue", &Configuration::default());
        assert_eq!(plan.handlers, [Handler { senders, ..handler }]);
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

    fn manifest() -> Manifest {
        let trigger = |events: &[&str], endpoint: &str| json!({"key": endpoint, "endpoint": endpoint, "events": events});
        serde_json::from_value(json!({
            "app": {"id": "ari:cloud:ecosystem::app/1"},
            "modules": {
                "endpoint": [
                    {"key": "issueChanged", "remote": "hooks", "route": {"path": "/forge/issue"}},
                    {"key": "panel", "remote": "hooks", "route": {"path": "/panel"}},
                    {"key": "life", "remote": "hooks", "route": {"path": "/life"}},
                ],
                "trigger": [
                    trigger(&["avi:jira:created:issue", "avi:jira:updated:issue"], "issueChanged"),
                    trigger(&["avi:jira:created:issue"], "issueChanged"),
                ],
                "preUninstall": [{"key": "bye", "endpoint": "life"}],
                "scheduledTrigger": [{"key": "hourly", "endpoint": "panel"}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn makes_a_receiver_of_each_endpoint_that_events_are_sent_to() {
        let plan = Plan::of(&manifest(), &Configuration::default());
        let urls: Vec<_> =
            plan.urls.iter().map(|url| (&*url.id, &*url.route, &*url.handler.name)).collect();
        let issue = ("ForgeIssue", "/forge/issue", "issue-changed");
        assert_eq!(urls, [issue, ("Life", "/life", "life")]);
        let Receiver::Forge { endpoint, .. } = &plan.urls[0].receiver else { panic!() };
        let endpoint: serde_json::Value = serde_json::from_str(endpoint).unwrap();
        let events = ["avi:jira:created:issue", "avi:jira:updated:issue"];
        assert_eq!(
            endpoint,
            json!({"app": "ari:cloud:ecosystem::app/1", "key": "issueChanged", "events": events})
        );
        assert_eq!(plan.urls[1].events, [PRE_UNINSTALL]);
        assert!(plan.forge && !plan.connect && !plan.tenants);
        assert_eq!(plan.app_key, "ari:cloud:ecosystem::app/1");
    }

    #[test]
    fn both_worlds_can_share_a_handler() {
        let text = "forge: { endpoints: { issueChanged: { handler: issue } } }";
        let descriptor = json!({"key": "app", "modules": {"webhooks": [
            {"event": "jira:issue_created", "url": "/issue"},
        ]}});
        let descriptor = Descriptor::parse(&descriptor.to_string()).unwrap();
        let manifest = manifest();
        let declared = Declarations { descriptor: Some(&descriptor), manifest: Some(&manifest) };
        let plan = Plan::of(declared, &Configuration::parse(text).unwrap());
        let handlers: Vec<_> = plan.handlers.iter().map(|one| &*one.name).collect();
        assert_eq!(handlers, ["issue", "life"]);
        assert_eq!(plan.handlers[0].senders, BTreeSet::from(["connect", "forge"]));
        assert_eq!(plan.handlers[1].senders, BTreeSet::from(["forge"]));
        assert!(plan.urls.iter().all(|url| plan.handlers.contains(&url.handler)));
        assert_eq!(plan.app_key, "app");
    }

    #[test]
    fn names_a_handler_by_the_key_of_an_endpoint() {
        let rows = [
            ("issue-changed", "issue-changed"),
            ("issueChanged", "issue-changed"),
            ("Issue_Changed", "issue-changed"),
            ("ISSUE", "issue"),
            ("a--b_", "a-b"),
            ("v2Issue3", "v2-issue3"),
        ];
        for (key, name) in rows {
            assert_eq!(kebab_case(key), name, "{key}");
        }
    }
}
