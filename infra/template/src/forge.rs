//! Checks of the manifest of a Forge app whose events are sent to a remote.
//!
//! The rules are those of Atlassian's documentation, "Manifest", of the schema that `forge lint`
//! uses, and of a receiver, which accepts a token only for the endpoint of its URL. Those on
//! routes, remotes, user tokens, scopes and filters were compared with what `@forge/manifest` 13.7.0,
//! the checker in `forge lint`, says of the same manifests. It checks more, such as the modules that
//! are no concern of events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use atlassian_connect::event::EventName;
use atlassian_forge::event::{EventSpec, Product, Scopes, Source, TABLE, counterparts};
use atlassian_forge::manifest::{
    BaseUrl, Endpoint, Filter, Invocation, Manifest, Remote, Subscription, Trigger,
};
use atlassian_forge::token::{AppId, EndpointKey};
use sam_template::TemplateError;
use serde_json::Value;

use crate::check::{Finding, shown};

/// The path of the file in an app.
pub const PATH: &str = "infra/manifest.yml";

/// The id of an app that is not registered yet. A receiver with it refuses every event, as no app has it.
pub const NO_APP: &str = "ari:cloud:ecosystem::app/00000000-0000-0000-0000-000000000000";

/// The longest expression of a filter, in characters.
const MAX_EXPRESSION: usize = 10_000;

/// What `onError` of a filter can be.
const ON_ERROR: [&str; 4] = ["IGNORE", "IGNORE_AND_LOG", "RECEIVE", "RECEIVE_AND_LOG"];

/// The scope for the app's token.
const SYSTEM_TOKEN: &str = "read:app-system-token";

/// An event that many apps subscribe to, and that is never sent.
const UNINSTALLED: &str = "avi:forge:uninstalled:app";

/// What an event of another app's starts with.
const APP_EVENT: &str = "avi:cloud:ecosystem::event/";

/// Reads a manifest.
///
/// # Errors
///
/// Returns a [`Finding`] with the place of what is not YAML, or not a manifest.
pub fn read(yaml: &str, file: &Path) -> Result<Manifest, Finding> {
    let file = shown(file);
    let document = sam_template::parse(yaml).map_err(|error| match error {
        TemplateError::Syntax(error) => {
            Finding::error(file.clone(), format!("it is not valid YAML; correct it: {error}"))
        }
        TemplateError::Refused { place, problem } => {
            Finding::error(format!("{file}: {place}"), format!("{problem}; correct it"))
        }
    })?;
    serde_path_to_error::deserialize(without_nulls(document)).map_err(|error| {
        let path = error.path().to_string();
        Finding::error(format!("{file}: {path}"), format!("{}; correct it", error.inner()))
    })
}

/// Checks a manifest.
pub fn check(manifest: &Manifest, file: &Path) -> Vec<Finding> {
    let mut checks = Checks { manifest, file: shown(file), findings: Vec::new() };
    checks.app();
    checks.remotes();
    checks.endpoints();
    for trigger in &manifest.modules.trigger {
        checks.trigger(trigger);
    }
    checks.repeated_events();
    checks.invocations("scheduledTrigger", &manifest.modules.scheduled_trigger);
    checks.invocations("preUninstall", &manifest.modules.pre_uninstall);
    checks.uninstall();
    checks.findings
}

struct Checks<'a> {
    manifest: &'a Manifest,
    file: String,
    findings: Vec<Finding>,
}

impl Checks<'_> {
    fn error(&mut self, place: &str, advice: impl Into<String>) {
        self.findings.push(Finding::error(format!("{}: {place}", self.file), advice));
    }

    fn warning(&mut self, place: &str, advice: impl Into<String>) {
        self.findings.push(Finding::warning(format!("{}: {place}", self.file), advice));
    }

    fn app(&mut self) {
        if self.manifest.app.id == NO_APP {
            self.warning(
                "app.id",
                "no app has this id, so every event is refused; run `forge register`, which writes the \
                 id of yours, and then `cargo hooks template`",
            );
        } else if let Err(invalid) = self.manifest.app.id.parse::<AppId>() {
            self.error("app.id", format!("{invalid}, or run `forge register`, which writes it"));
        }
    }

    fn remotes(&mut self) {
        let keys = self.manifest.remotes.iter().map(|remote| remote.key.as_str());
        self.keys("remotes", keys, true);
        for remote in &self.manifest.remotes {
            self.remote(remote);
        }
    }

    fn remote(&mut self, remote: &Remote) {
        let place = format!("remotes: {}", remote.key);
        match &remote.base_url {
            None if remote.configurable.is_none() => {
                self.error(&place, "it has no baseUrl; add the URL that the app is deployed at");
            }
            Some(BaseUrl::Regions(regions)) if !regions.contains_key("default") => {
                self.error(&place, "baseUrl has regions and no default; add `default`");
            }
            _ => {}
        }
        for (region, url) in remote.base_url.iter().flat_map(BaseUrl::urls) {
            // A variable of the environment, which `forge deploy` replaces.
            if !url.starts_with("https://") && !url.contains("${") {
                let of = if region.is_empty() { String::new() } else { format!(" of {region}") };
                self.error(&place, format!("the base URL{of} is not https; correct it"));
            }
        }
        if remote.operations.is_empty() {
            self.warning(
                &place,
                "without operations, Forge assumes that the remote stores data of end users, and the \
                 app cannot be pinned to a region; say what it does, such as `operations: [compute]`",
            );
        }
    }

    fn endpoints(&mut self) {
        let endpoints = &self.manifest.modules.endpoint;
        self.keys("modules.endpoint", endpoints.iter().map(|endpoint| endpoint.key.as_str()), true);
        let mut paths = BTreeMap::new();
        for endpoint in endpoints {
            let place = format!("modules.endpoint: {}", endpoint.key);
            self.endpoint(endpoint, &place);
            let path = endpoint.route.as_ref().map(|route| route.path.as_str());
            let Some(path) = path.filter(|_| endpoint.remote.is_some()) else { continue };
            if let Some(other) = paths.insert((&endpoint.remote, path), &endpoint.key) {
                self.error(
                    &place,
                    format!(
                        "its URL is also that of the endpoint {other}, and a token names one of them; \
                         give each endpoint a path of its own, or delete one and let its triggers \
                         name the other"
                    ),
                );
            }
        }
    }

    fn endpoint(&mut self, endpoint: &Endpoint, place: &str) {
        match (&endpoint.remote, &endpoint.service) {
            (Some(_), Some(_)) => self.error(place, "it has a remote and a service; delete one"),
            (None, None) => self.error(place, "it has no remote; add the key of one"),
            (Some(remote), None) if !self.manifest.remotes.iter().any(|r| r.key == *remote) => {
                let known = self.manifest.remotes.iter().map(|remote| remote.key.as_str());
                let advice = format!("there is no remote {remote}; {}", one_of(remote, known));
                self.error(place, advice);
            }
            _ => {}
        }
        if endpoint.route.as_ref().is_some_and(|route| !route.path.starts_with('/')) {
            self.error(place, "route.path does not start with a slash; add one");
        }
        if endpoint.auth.app_system_token.enabled
            && !self.manifest.permissions.scopes.contains(SYSTEM_TOKEN)
        {
            self.error(place, format!("appSystemToken needs the scope {SYSTEM_TOKEN}; add it"));
        }
        let users = self.users_of(&endpoint.key);
        let pages = self.pages_of(&endpoint.key);
        if users.is_empty() {
            if pages.is_empty() {
                self.warning(place, "nothing uses it; delete it, or name it in a trigger");
            }
            return;
        }
        if endpoint.route.is_none() {
            self.error(
                place,
                format!(
                    "{} sends to it, and it has no path; add `route: {{ path: /… }}`",
                    users[0]
                ),
            );
        }
        if endpoint.auth.app_user_token.enabled {
            self.error(
                place,
                format!("{} has no user, whose token could be sent; delete appUserToken", users[0]),
            );
        }
        if let Some(page) = pages.first() {
            self.error(
                place,
                format!(
                    "{} and {page} both use it, and the users of a page could send events of their own \
                     to it; give the page an endpoint of its own",
                    users[0]
                ),
            );
        }
    }

    fn trigger(&mut self, trigger: &Trigger) {
        let place = format!("modules.trigger: {}", trigger.key);
        self.target(&place, trigger.endpoint.as_deref(), trigger.function.as_deref());
        if trigger.events.is_empty() {
            self.error(&place, "it has no events; add one, such as avi:jira:created:issue");
        }
        if let Some(filter) = &trigger.filter {
            self.filter(&place, filter);
        }
        let names = |event: &Subscription| matches!(event, Subscription::Name(_));
        if trigger.events.iter().any(names) && !trigger.events.iter().all(names) {
            self.error(
                &place,
                "some of its events are names and some have filters, which Forge does not take; give \
                 those with filters a trigger of their own",
            );
        }
        for event in &trigger.events {
            let place = format!("{place}: {}", event.name());
            self.event(&place, event.name());
            match (event, event.filter()) {
                (_, Some(filter)) => self.filter(&place, filter),
                (Subscription::Event { .. }, None) => {
                    self.error(&place, "it has no filter; add one, or write only its name");
                }
                (Subscription::Name(_), None) => {}
            }
            self.scopes(&place, event);
        }
    }

    /// An endpoint that exists, or a function.
    fn target(&mut self, place: &str, endpoint: Option<&str>, function: Option<&str>) {
        match (endpoint, function) {
            (None, None) => self.error(place, "it has no endpoint; add the key of one"),
            (Some(_), Some(_)) => {
                self.error(place, "it has an endpoint and a function; delete one");
            }
            (None, Some(_)) => self.findings.push(Finding::note(
                format!("{}: {place}", self.file),
                "its function runs at Atlassian; for a handler of this app, name an endpoint instead",
            )),
            (Some(endpoint), None) => {
                let mut endpoints = self.manifest.modules.endpoint.iter();
                if !endpoints.any(|known| known.key == endpoint) {
                    let known = self.manifest.modules.endpoint.iter().map(|e| e.key.as_str());
                    let advice = format!("there is no endpoint {endpoint}; {}", one_of(endpoint, known));
                    self.error(place, advice);
                }
            }
        }
    }

    fn event(&mut self, place: &str, event: &str) {
        if event == UNINSTALLED {
            return self.error(
                place,
                "Forge does not send it; declare the module preUninstall with this endpoint instead",
            );
        }
        match EventSpec::find(event) {
            Some(spec) => match spec.source {
                Source::Both | Source::Documentation => {}
                Source::Tool => self.warning(
                    place,
                    "it is not documented; take it as an OtherEvent, and expect its body to change",
                ),
            },
            None if event.starts_with(APP_EVENT) => {}
            None if EventName::from(event).is_known() => {
                let instead = match counterparts(event) {
                    [] => "Forge sends nothing like it; delete it".to_owned(),
                    events => format!("did you mean {}?", events.join(" or ")),
                };
                self.error(place, format!("it is an event of Connect; {instead}"));
            }
            None => self.warning(place, format!("it is not known; {}", closest_advice(event))),
        }
    }

    fn scopes(&mut self, place: &str, event: &Subscription) {
        let granted = &self.manifest.permissions.scopes;
        let Some(spec) = EventSpec::find(event.name()) else { return };
        let Scopes::AnyOf { classic, granular } = spec.scopes else { return };
        let lacks = |scopes: &'static [&'static str]| {
            let missing = scopes.iter().filter(|scope| !granted.contains(scope));
            missing.copied().collect::<Vec<_>>()
        };
        let missing = lacks(classic);
        if missing.is_empty() || (!granular.is_empty() && lacks(granular).is_empty()) {
            return;
        }
        let advice = format!("it needs {}; add it to permissions.scopes", missing.join(" and "));
        if granular.is_empty() {
            let advice = format!("{advice}, unless you have granular scopes that allow the same");
            return self.warning(place, advice);
        }
        self.error(place, format!("{advice}, or {}", granular.join(" and ")));
    }

    fn filter(&mut self, place: &str, filter: &Filter) {
        let Filter { ignore_self, expression, on_error, app_is_licensed } = filter;
        if ignore_self.is_none() && expression.is_none() && app_is_licensed.is_none() {
            let advice = "the filter has no ignoreSelf, expression or appIsLicensed; add one";
            self.error(place, advice);
        }
        if expression.as_ref().is_some_and(|text| text.chars().count() > MAX_EXPRESSION) {
            let advice =
                format!("the expression has more than {MAX_EXPRESSION} characters; shorten it");
            self.error(place, advice);
        }
        if let Some(on_error) = on_error {
            if !ON_ERROR.contains(&on_error.as_str()) {
                let known = ON_ERROR.join(", ");
                self.error(place, format!("onError is not one of {known}; correct it"));
            }
            if expression.is_none() {
                self.error(place, "onError is for an expression, and there is none; delete it");
            }
        }
    }

    fn repeated_events(&mut self) {
        for endpoint in &self.manifest.modules.endpoint {
            let mut seen = BTreeSet::new();
            let events = self.manifest.modules.events_of(&endpoint.key);
            let twice: BTreeSet<_> = events.filter(|event| !seen.insert(*event)).collect();
            for event in twice {
                self.warning(
                    &format!("modules.endpoint: {}", endpoint.key),
                    format!("{event} is sent to it more than once; delete it from one trigger"),
                );
            }
        }
    }

    fn invocations(&mut self, module: &str, invocations: &[Invocation]) {
        for Invocation { key, endpoint, function } in invocations {
            let place = format!("modules.{module}: {key}");
            self.target(&place, endpoint.as_deref(), function.as_deref());
        }
    }

    fn uninstall(&mut self) {
        let modules = &self.manifest.modules;
        if modules.pre_uninstall.is_empty() && !modules.trigger.is_empty() {
            self.warning(
                "modules.preUninstall",
                "without it the app does not learn of uninstalls; add one with an endpoint",
            );
        }
    }

    /// Keys that are well-formed and there once. Those of endpoints and remotes have a limit.
    fn keys<'k>(&mut self, place: &str, keys: impl Iterator<Item = &'k str>, is_limited: bool) {
        let mut seen = BTreeSet::new();
        for key in keys {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let is_key = !key.is_empty() && key.bytes().all(plain);
            if !is_key || (is_limited && key.parse::<EndpointKey>().is_err()) {
                let limit = if is_limited {
                    format!("1 to {}", EndpointKey::MAX_LEN)
                } else {
                    "only".into()
                };
                self.error(
                    &format!("{place}: {key}"),
                    format!("the key must have {limit} letters, digits, `-` and `_`; correct it"),
                );
            }
            if !seen.insert(key) {
                self.error(&format!("{place}: {key}"), "the key is there twice; rename one");
            }
        }
    }

    /// What sends to an endpoint without a user.
    fn users_of(&self, endpoint: &str) -> Vec<String> {
        let modules = &self.manifest.modules;
        let triggers = modules.trigger.iter().map(|t| ("trigger", &t.key, &t.endpoint));
        let invocations =
            |name, list: &'_ [Invocation]| -> Vec<(&'static str, String, Option<String>)> {
                list.iter().map(|i| (name, i.key.clone(), i.endpoint.clone())).collect()
            };
        triggers
            .map(|(name, key, endpoint)| (name, key.clone(), endpoint.clone()))
            .chain(invocations("scheduledTrigger", &modules.scheduled_trigger))
            .chain(invocations("preUninstall", &modules.pre_uninstall))
            .filter(|(_, _, named)| named.as_deref() == Some(endpoint))
            .map(|(module, key, _)| format!("the {module} {key}"))
            .collect()
    }

    /// The other modules that name an endpoint, as their own or in their resolver.
    fn pages_of(&self, endpoint: &str) -> Vec<String> {
        let names = |module: &Value| {
            let names = |value: &Value| value.as_str() == Some(endpoint);
            module.get("endpoint").is_some_and(names)
                || module.pointer("/resolver/endpoint").is_some_and(names)
        };
        let modules = self.manifest.modules.other.iter().filter_map(|(kind, list)| {
            let module = list.as_array()?.iter().find(|module| names(module))?;
            let key = module.get("key").and_then(Value::as_str).unwrap_or_default();
            Some(format!("the {kind} {key}"))
        });
        modules.collect()
    }
}

/// A document in which a key without a value is as if it were absent.
fn without_nulls(document: Value) -> Value {
    match document {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            members.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// What to do about a key that does not exist.
fn one_of<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    let closest = known.min_by_key(|key| strsim::damerau_levenshtein(key, written));
    match closest {
        Some(key) if strsim::damerau_levenshtein(key, written) <= 2 + written.len() / 8 => {
            format!("did you mean {key}?")
        }
        _ => "add it, or correct the key".into(),
    }
}

/// What to do about an event that Forge does not have.
fn closest_advice(event: &str) -> String {
    // Connect has `jira:issue_created` where Forge has `avi:jira:created:issue`.
    let words = |name: &str| {
        let words = name.trim_start_matches("avi:").to_ascii_lowercase();
        let mut words: Vec<_> =
            words.split([':', '_', '-']).filter(|word| *word != "v2").map(str::to_owned).collect();
        words.sort();
        words.dedup();
        words.concat()
    };
    let written = words(event);
    // Names of Connect have no product but for some of Jira's.
    let distance = |spec: &&EventSpec| {
        let plain = |name: &str| {
            let names =
                [Product::Jira, Product::Confluence].map(|p| format!("avi:{}:", p.as_str()));
            names.iter().fold(name.to_owned(), |name, prefix| name.replace(prefix, ""))
        };
        let known = [words(spec.name), words(&plain(spec.name))];
        known.iter().map(|known| strsim::damerau_levenshtein(known, &written)).min()
    };
    let closest = TABLE
        .iter()
        .min_by_key(distance)
        .filter(|spec| distance(spec).is_some_and(|edits| edits <= 2 + written.len() / 8));
    match closest {
        Some(spec) => format!("did you mean {}?", spec.name),
        None => "see Atlassian's documentation, \"Events reference\"".into(),
    }
}
