//! Checks of the template: that it is what `cargo hooks template` writes, and that it works and is
//! safe.
//!
//! The second part reads only the file, so that it also covers a template that was edited by hand,
//! and the generator itself.

mod address;
mod adoption;
mod alarms;
mod canary;
mod document;
mod existing_server;
mod limits;
mod manifests;
mod own;
mod references;
mod roles;
mod state;
mod wiring;

pub(super) use document::Document;
pub(super) use limits::{MAX_RESOURCES, MAX_ROUTES};

use std::path::Path;

use super::{Finding, shown};
use crate::check::versions;
use crate::configuration::Configuration;
use crate::plan::{Declarations, Plan};
use crate::{VERSION, is_edited, render, version_of};
use sam_template::parse;
use serde_json::Value;

/// Compares a template with what declarations and configuration ask for.
pub(super) fn agreement(
    path: &Path,
    written: &str,
    declared: Declarations<'_>,
    configuration: &Configuration,
) -> Vec<Finding> {
    let wanted = match render(declared, configuration) {
        Ok(wanted) => wanted,
        Err(error) => return vec![Finding::error("template.yaml.j2", error.to_string())],
    };
    if let Some(version) = version_of(written).filter(|version| *version != VERSION) {
        return vec![Finding::error(shown(path), versions::advice(version))];
    }
    if written == wanted {
        return Vec::new();
    }
    let files = match (declared.descriptor, declared.manifest) {
        (Some(_), Some(_)) => "the descriptor, the manifest",
        (None, Some(_)) => "the manifest",
        _ => "the descriptor",
    };
    let why = if is_edited(written) {
        format!(
            "it was changed by hand; make the change in {files} or in the configuration, and run \
             `cargo hooks template --force`"
        )
    } else {
        format!(
            "it is not what {files} and the configuration ask for; run `cargo hooks template` and \
             commit the result"
        )
    };
    let advice = format!("{why}. What would change:\n{}", difference(written, &wanted));
    vec![Finding::error(shown(path), advice)]
}

/// What would change in a template, as a unified diff.
pub fn difference(written: &str, wanted: &str) -> String {
    let diff = similar::TextDiff::from_lines(written, wanted);
    let diff = diff.unified_diff().context_radius(2).to_string();
    let lines: Vec<&str> = diff.lines().collect();
    match lines.get(..MAX_LINES) {
        Some(first) => {
            let rest = lines.len() - first.len();
            format!("{}\n… and {rest} more lines", first.join("\n"))
        }
        None => lines.join("\n"),
    }
}

/// The maximum length of a difference, in lines.
const MAX_LINES: usize = 80;

/// Checks that cargo-lambda would deploy the same functions.
pub(super) fn manifests(
    metadata: &Value,
    file: &str,
    text: &str,
    configuration: &Configuration,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A template that cannot be read is a finding already.
    if let Ok(document) = parse(text) {
        let document = Document::new(file, &document, configuration);
        manifests::check(&document, metadata, &mut findings);
    }
    findings
}

/// Checks what must be true of any template of an app, whoever wrote it: that it is safe and whole.
/// `file` is its name in the findings.
pub fn invariants<'a>(
    declared: impl Into<Declarations<'a>>,
    configuration: &Configuration,
    file: &str,
    text: &str,
) -> Vec<Finding> {
    let document = match parse(text) {
        Ok(document) => document,
        Err(error) => return vec![Finding::error(file, error.to_string())],
    };
    let template = Document::new(file, &document, configuration);
    if template.resources().next().is_none() {
        return vec![Finding::error(file, "it has no resources; run `cargo hooks template`")];
    }
    let plan = Plan::of(declared, configuration);
    let mut findings = Vec::new();
    references::check(&template, &mut findings);
    limits::check(&template, text.len(), configuration.concurrency_quota, &mut findings);
    wiring::check(&template, &plan, &mut findings);
    address::check(&template, &mut findings);
    adoption::check(&template, &mut findings);
    canary::check(&template, &mut findings);
    existing_server::check(&template, &mut findings);
    state::check(&template, &mut findings);
    roles::check(&template, &plan, &mut findings);
    alarms::check(&template, &mut findings);
    own::check(&template, &mut findings);
    findings
}

#[cfg(test)]
mod tests {
    use atlassian_connect::descriptor::Descriptor;
    use atlassian_connect::event::EventName;
    use serde_json::json;

    use super::*;

    fn descriptor() -> Descriptor {
        let document = json!({
            "key": "com.example.hooks", "authentication": {"type": "jwt"}, "scopes": ["READ"],
            "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
            "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
            "modules": {"webhooks": [
                {"event": "jira:issue_created", "url": "/issue-created"},
                {"event": "page_created", "url": "/page-created"},
            ]},
        });
        Descriptor::parse(&document.to_string()).unwrap()
    }

    fn found(text: &str) -> Vec<String> {
        let findings = invariants(&descriptor(), &Configuration::default(), "template.yaml", text);
        findings.iter().map(ToString::to_string).collect()
    }

    fn by_degrees() -> Configuration {
        Configuration::parse("template: { canary: true }").unwrap()
    }

    fn every_event(handler: impl Fn(usize) -> String) -> Descriptor {
        let webhooks: Vec<_> = EventName::ALL
            .iter()
            .enumerate()
            .map(|(number, event)| {
                let url = format!("/{number}-{}", event.as_str().replace(':', "-"));
                json!({"event": event, "url": url, "params": {"handler": handler(number)}})
            })
            .collect();
        let document = json!({
            "key": "com.example.hooks", "authentication": {"type": "jwt"}, "scopes": ["READ"],
            "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
            "lifecycle": {
                "installed": "/installed", "uninstalled": "/uninstalled",
                "enabled": "/enabled", "disabled": "/disabled",
            },
            "modules": {"webhooks": webhooks},
        });
        Descriptor::parse(&document.to_string()).unwrap()
    }

    #[test]
    fn every_event_of_both_products_fits_one_stack() {
        let descriptor = every_event(|_| "everything".to_owned());
        assert_eq!(super::super::descriptor::check(&descriptor), []);
        let text = render(&descriptor, &Configuration::default()).unwrap();
        let plain = Configuration::default();
        assert_eq!(invariants(&descriptor, &plain, "template.yaml", &text), []);
    }

    #[test]
    fn refuses_what_does_not_fit_and_says_what_to_do() {
        let descriptor = every_event(|number| format!("handler-{number}"));
        let findings = super::super::descriptor::check(&descriptor);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert!(finding.advice.contains("of the 500 resources"), "{finding}");
        assert!(finding.advice.contains("share a handler"), "{finding}");
    }

    #[test]
    fn finds_a_manifest_that_says_something_else() {
        let text = render(&descriptor(), &Configuration::default()).unwrap();
        let document = parse(&text).unwrap();
        let found = |key: &str, value: serde_json::Value| {
            let mut deploy = json!({"memory": 256, "timeout": 10, "tracing": "passthrough"});
            deploy[key] = value;
            let target = json!({"kind": ["bin"], "name": "receiver"});
            let metadata = json!({"lambda": {"deploy": deploy}});
            let package = json!({"name": "receiver", "targets": [target], "metadata": metadata});
            let metadata = json!({"packages": [package]});
            let mut findings = Vec::new();
            let plain = Configuration::default();
            let document = Document::new("template.yaml", &document, &plain);
            manifests::check(&document, &metadata, &mut findings);
            findings
        };
        assert_eq!(found("memory", json!(256)), []);
        for (key, value) in
            [("memory", json!(128)), ("timeout", json!(null)), ("tracing", json!("active"))]
        {
            let findings = found(key, value);
            assert_eq!(findings.len(), 2, "{key}: one for each receiver");
            assert!(findings[0].place.starts_with("receiver: package.metadata"), "{findings:?}");
            assert!(findings[0].advice.starts_with(key), "{findings:?}");
        }
    }

    /// The figures that `crate::generator` states.
    #[test]
    fn a_url_takes_two_resources_and_a_handler_eight() {
        let count = |webhooks: serde_json::Value| {
            let document = json!({"key": "app", "modules": {"webhooks": webhooks}});
            let descriptor = Descriptor::parse(&document.to_string()).unwrap();
            let text = render(&descriptor, &Configuration::default()).unwrap();
            let document = parse(&text).unwrap();
            let plain = Configuration::default();
            Document::new("template.yaml", &document, &plain).expanded_resources()
        };
        let a = json!({"event": "page_created", "url": "/a"});
        let shared = json!({"event": "page_moved", "url": "/b", "params": {"handler": "a"}});
        let own = json!({"event": "page_moved", "url": "/b"});
        let one = count(json!([a]));
        assert_eq!(count(json!([a, shared])) - one, 2);
        assert_eq!(count(json!([a, own])) - one, 10);
    }

    #[test]
    fn a_rollout_by_degrees_is_sound_and_counted() {
        let text = render(&descriptor(), &by_degrees()).unwrap();
        assert_eq!(found(&text), Vec::<String>::new());

        let descriptor = every_event(|_| "everything".to_owned());
        let text = render(&descriptor, &by_degrees()).unwrap();
        let findings = invariants(&descriptor, &by_degrees(), "template.yaml", &text);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert!(finding.advice.contains("canary"), "{finding}");
    }
}
