//! A new manifest of a Forge app: a remote, and for a list of events their endpoints, triggers and scopes;
//! and the handlers that it needs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use atlassian_connect::descriptor::slug;
use atlassian_forge::event::{EventSpec, PRE_UNINSTALL, Scopes, payload_type};
use atlassian_forge::token::EndpointKey;
use atlassian_simulator::forge::samples::sample;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;
use template::check::{Finding, Severity};
use template::configuration::Configuration;
use template::forge::{self, PATH};
use template::plan::Plan;

use crate::addition::HANDLERS;
use crate::scaffold;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The id of the app.
    pub app: &'a str,
    /// The base URL that the app is deployed at.
    pub url: &'a str,
    /// The names of the events.
    pub events: &'a [String],
    /// Whether each event has an endpoint of its own, instead of one for all.
    pub each: bool,
}

/// Writes a manifest, with what looks wrong in it.
///
/// # Errors
///
/// Fails if an event is one that Forge does not send, or the manifest would be wrong otherwise.
pub fn manifest(wanted: Wanted<'_>) -> anyhow::Result<(String, Vec<Finding>)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-/".contains(&byte);
    if let Some(event) = wanted.events.iter().find(|event| !event.bytes().all(plain)) {
        bail!(
            "{event} is not the name of an event; `cargo hooks events --sender forge` lists them"
        );
    }
    let text = written(wanted)?;
    let file = Path::new(PATH);
    let findings = match forge::read(&text, file) {
        Ok(manifest) => forge::check(&manifest, file),
        Err(finding) => vec![finding],
    };
    let (errors, others): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    if !errors.is_empty() {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        bail!("nothing was written, because the manifest would be wrong:\n{}", errors.join("\n"));
    }
    Ok((text, others))
}

/// The handlers of a manifest's endpoints with their tests, and the bodies that the tests read, by their
/// paths in the app.
///
/// # Errors
///
/// Fails if it is not a manifest.
pub fn handlers(text: &str) -> anyhow::Result<Vec<(PathBuf, String)>> {
    #[derive(Serialize)]
    struct Test {
        name: String,
        body: String,
        delivery: String,
    }
    let manifest = forge::read(text, Path::new(PATH)).map_err(|finding| anyhow!("{finding}"))?;
    let mut files = Vec::new();
    for url in Plan::of(&manifest, &Configuration::default()).urls {
        let types: BTreeSet<_> = url.events.iter().map(|event| payload_type(event)).collect();
        let payload = match (types.len(), types.first()) {
            (1, Some(Some(payload))) => format!("forge::{payload}"),
            _ => "()".to_owned(),
        };
        let mut tests = Vec::new();
        for event in &url.events {
            let Some(sample) = sample(&event.as_str().into()) else { continue };
            let body = format!("{BODIES}/{}.json", event.replace(':', "_"));
            let name = if event == PRE_UNINSTALL { UNINSTALL.to_owned() } else { key_of(event) };
            let name = name.replace('-', "_");
            let delivery = format!("delivery({event:?}, body)");
            files.push((PathBuf::from(&body), serde_json::to_string_pretty(&sample.body)? + "\n"));
            tests.push(Test { name: format!("handles_{name}"), body, delivery });
        }
        let imports = ["Delivery", "Error", "forge"].into_iter();
        let imports: Vec<_> = imports.filter(|name| *name != "forge" || payload != "()").collect();
        let text = scaffold::handler(context! {
            events => url.events.join(", "),
            imports => imports.join(", "),
            payload,
            is_enum => false,
            from_both => false,
            constructors => "delivery",
            tests => Value::from(Serde(&tests)),
        })?;
        files.push((Path::new(HANDLERS).join(format!("{}.rs", url.handler.name)), text));
    }
    Ok(files)
}

/// The folder of the bodies that the handlers' tests read.
const BODIES: &str = "tests/events/forge";

/// The endpoint that learns of uninstalls.
const UNINSTALL: &str = "uninstall";

/// The endpoint of all events, if they share one.
const EVENTS: &str = "events";

fn written(wanted: Wanted<'_>) -> Result<String, std::fmt::Error> {
    let mut seen = BTreeSet::new();
    let events = wanted.events.iter().map(String::as_str).filter(|event| seen.insert(*event));
    let mut endpoints: Vec<(String, Vec<&str>)> = Vec::new();
    for event in events {
        if !wanted.each && !endpoints.is_empty() {
            endpoints[0].1.push(event);
            continue;
        }
        let key = if wanted.each { unique(&key_of(event), &endpoints) } else { EVENTS.to_owned() };
        endpoints.push((key, vec![event]));
    }
    let scopes: BTreeSet<&str> = seen.iter().flat_map(|event| scopes(event)).copied().collect();

    let mut text = String::new();
    writeln!(text, "app:\n  id: {}\n  runtime:\n    name: {RUNTIME}", wanted.app)?;
    if !scopes.is_empty() {
        writeln!(text, "permissions:\n  scopes:")?;
        scopes.iter().try_for_each(|scope| writeln!(text, "    - {scope}"))?;
    }
    let url = serde_json::Value::from(wanted.url.trim_end_matches('/'));
    writeln!(text, "remotes:\n  - key: hooks\n    baseUrl: {url}\n    operations: [compute]")?;
    writeln!(text, "modules:\n  endpoint:")?;
    for key in endpoints.iter().map(|(key, _)| key.as_str()).chain([UNINSTALL]) {
        writeln!(text, "    - key: {key}\n      remote: hooks\n      route:")?;
        writeln!(text, "        path: /forge/{key}")?;
    }
    if !endpoints.is_empty() {
        writeln!(text, "  trigger:")?;
    }
    for (key, events) in &endpoints {
        writeln!(text, "    - key: on-{key}\n      endpoint: {key}\n      events:")?;
        events.iter().try_for_each(|event| writeln!(text, "        - {event}"))?;
    }
    writeln!(text, "  preUninstall:\n    - key: on-{UNINSTALL}\n      endpoint: {UNINSTALL}")?;
    Ok(text)
}

/// The runtime of an app's functions, which a manifest has to name also where there are none.
const RUNTIME: &str = "nodejs24.x";

fn scopes(event: &str) -> &'static [&'static str] {
    match EventSpec::find(event).map(|spec| spec.scopes) {
        Some(Scopes::AnyOf { classic, .. }) => classic,
        _ => &[],
    }
}

/// The key of an event's endpoint: `issue-created` for `avi:jira:created:issue`.
pub(crate) fn key_of(event: &str) -> String {
    let name = event.strip_prefix("avi:").and_then(|rest| rest.split_once(':'));
    let name = name.map_or(event, |(_, name)| name).trim_end_matches(":V2");
    let key = match name.split_once(':') {
        Some((verb, noun)) => slug(&format!("{noun}-{verb}")),
        None => slug(name),
    };
    let key = &key[..key.len().min(EndpointKey::MAX_LEN)];
    key.trim_end_matches('-').to_owned()
}

/// A key that no other endpoint has.
fn unique(key: &str, endpoints: &[(String, Vec<&str>)]) -> String {
    let is_free = |key: &str| key != UNINSTALL && endpoints.iter().all(|(other, _)| other != key);
    let numbered = (2..).map(|number| {
        let number = format!("-{number}");
        let kept = key.len().min(EndpointKey::MAX_LEN - number.len());
        format!("{}{number}", &key[..kept])
    });
    let mut keys = std::iter::once(key.to_owned()).chain(numbered);
    keys.find(|key| is_free(key)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use atlassian_forge::event::TABLE;

    use super::*;

    const APP: &str = "ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107";

    fn wanted(events: &[&str], each: bool) -> anyhow::Result<(String, Vec<Finding>)> {
        let events: Vec<String> = events.iter().map(|&event| event.to_owned()).collect();
        manifest(Wanted { app: APP, url: "https://hooks.example.com/", events: &events, each })
    }

    /// The endpoints with their events, as a template has them.
    fn endpoints(text: &str) -> Vec<(String, Vec<String>)> {
        let manifest = forge::read(text, Path::new(PATH)).unwrap();
        let plan = Plan::of(&manifest, &Configuration::default());
        plan.urls.into_iter().map(|url| (url.route, url.events)).collect()
    }

    #[test]
    fn every_event_has_an_endpoint_its_scopes_and_nothing_to_complain_of() {
        let documented = TABLE.iter().filter(|spec| {
            spec.source != atlassian_forge::event::Source::Tool
                && !matches!(&spec.scopes, Scopes::AnyOf { classic, .. } if classic.is_empty())
        });
        let all: Vec<&str> = documented.map(|spec| spec.name).collect();
        let (text, findings) = wanted(&all, true).unwrap();
        assert_eq!(findings, [], "{text}");
        let endpoints = endpoints(&text);
        assert_eq!(endpoints.len(), all.len() + 1);
        for (event, (_, sent)) in all.iter().zip(&endpoints) {
            assert_eq!(sent, &[*event]);
        }
    }

    #[test]
    fn events_share_an_endpoint() {
        let events =
            ["avi:jira:created:issue", "avi:confluence:created:page", "avi:jira:created:issue"];
        let (text, findings) = wanted(&events, false).unwrap();
        assert_eq!(findings, []);
        let sent = events[..2].iter().map(|&event| event.to_owned()).collect();
        let life = vec!["preUninstall".to_owned()];
        let wanted = [("/forge/events".to_owned(), sent), ("/forge/uninstall".to_owned(), life)];
        assert_eq!(endpoints(&text), wanted);
        assert!(text.contains("    - read:confluence-content.summary\n    - read:jira-work\n"));
        assert!(text.contains("baseUrl: \"https://hooks.example.com\"\n"), "{text}");
    }

    #[test]
    fn refuses_what_forge_does_not_send() {
        let rows = [
            (["jira:issue_created"], "did you mean avi:jira:created:issue?"),
            (["avi:forge:uninstalled:app"], "preUninstall"),
            (["a: b"], "is not the name of an event"),
        ];
        for (events, words) in rows {
            let error = wanted(&events, true).unwrap_err().to_string();
            assert!(error.contains(words), "{events:?}: {error}");
        }
    }

    #[test]
    fn names_an_endpoint_by_its_event() {
        let rows = [
            ("avi:jira:created:issue", "issue-created"),
            ("avi:jira:commented:issue", "issue-commented"),
            ("avi:confluence:created:space:V2", "space-created"),
            ("avi:jira:deleted:field:context", "field-context-deleted"),
            ("avi:confluence:permissions_updated:custom_content", "custom-content-permissi"),
        ];
        for (event, key) in rows {
            assert_eq!(key_of(event), key);
        }
        let twice = [("issue-created".to_owned(), vec![])];
        assert_eq!(unique("issue-created", &twice), "issue-created-2");
    }
}
