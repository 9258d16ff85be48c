//! Checks of the template: that it is what `cargo hooks template` writes, and that it works and is
//! safe.
//!
//! The second part reads only the file, so that it also covers a template that was edited by hand,
//! and the generator itself.

mod document;
mod limits;
mod manifests;
mod references;
mod roles;
mod state;
mod wiring;

pub(super) use document::Document;
pub(super) use limits::{MAX_RESOURCES, MAX_ROUTES};

use atlassian_connect::descriptor::Descriptor;

use super::{Files, Finding, shown};
use crate::check::versions;
use crate::{TemplateOptions, VERSION, render_with, version_of};
use sam_template::parse;
use serde_json::Value;

pub(super) fn check(files: &Files<'_>, descriptor: &Descriptor) -> Vec<Finding> {
    let path = files.template;
    let written = match std::fs::read_to_string(path) {
        Ok(written) => written,
        Err(error) => {
            let advice = format!("the file cannot be read: {error}; run `cargo hooks template`");
            return vec![Finding::error(shown(path), advice)];
        }
    };
    let wanted = match render_with(descriptor, TemplateOptions::of(&written)) {
        Ok(wanted) => wanted,
        Err(error) => return vec![Finding::error("template.yaml.j2", error.to_string())],
    };
    let mut findings = Vec::new();
    if let Some(version) = version_of(&written).filter(|version| *version != VERSION) {
        findings.push(Finding::error(shown(path), versions::advice(version)));
    } else if written != wanted {
        let same = written.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
        let advice = format!(
            "it differs from what the descriptor needs, from line {} on; run `cargo hooks template` \
             and commit the result",
            same + 1,
        );
        findings.push(Finding::error(shown(path), advice));
    }
    findings.extend(invariants(descriptor, &shown(path), &written));
    findings.extend(manifests(files.metadata, &shown(path), &written));
    findings
}

/// Checks that cargo-lambda would deploy the same functions.
fn manifests(metadata: &Value, file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A template that cannot be read is a finding already.
    if let Ok(document) = parse(text) {
        manifests::check(&Document::new(file, &document), metadata, &mut findings);
    }
    findings
}

/// Checks what must be true of any template of a descriptor, whoever wrote it. `file` is its name
/// in the findings.
pub fn invariants(descriptor: &Descriptor, file: &str, text: &str) -> Vec<Finding> {
    let document = match parse(text) {
        Ok(document) => document,
        Err(error) => return vec![Finding::error(file, error.to_string())],
    };
    let template = Document::new(file, &document);
    if template.resources().next().is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    references::check(&template, &mut findings);
    limits::check(&template, text.len(), &mut findings);
    wiring::check(&template, descriptor, &mut findings);
    state::check(&template, &mut findings);
    roles::check(&template, &mut findings);
    findings
}

#[cfg(test)]
mod tests {
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
        let findings = invariants(&descriptor(), "template.yaml", text);
        findings.iter().map(ToString::to_string).collect()
    }

    const BY_DEGREES: TemplateOptions =
        TemplateOptions { canary: true, bodies: false, inspector: false };

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
        let text = crate::render(&descriptor).unwrap();
        assert_eq!(invariants(&descriptor, "template.yaml", &text), []);
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
        let text = crate::render(&descriptor()).unwrap();
        let document = parse(&text).unwrap();
        let found = |key: &str, value: serde_json::Value| {
            let mut deploy = json!({"memory": 256, "timeout": 10, "tracing": "active"});
            deploy[key] = value;
            let target = json!({"kind": ["bin"], "name": "receiver"});
            let metadata = json!({"lambda": {"deploy": deploy}});
            let package = json!({"name": "receiver", "targets": [target], "metadata": metadata});
            let metadata = json!({"packages": [package]});
            let mut findings = Vec::new();
            manifests::check(&Document::new("template.yaml", &document), &metadata, &mut findings);
            findings
        };
        assert_eq!(found("memory", json!(256)), []);
        for (key, value) in
            [("memory", json!(128)), ("timeout", json!(null)), ("tracing", json!("passthrough"))]
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
            let text = crate::render(&descriptor).unwrap();
            let document = parse(&text).unwrap();
            Document::new("template.yaml", &document).expanded_resources()
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
        let text = render_with(&descriptor(), BY_DEGREES).unwrap();
        assert_eq!(TemplateOptions::of(&text), BY_DEGREES);
        assert_eq!(found(&text), Vec::<String>::new());

        let descriptor = every_event(|_| "everything".to_owned());
        let text = render_with(&descriptor, BY_DEGREES).unwrap();
        let findings = invariants(&descriptor, "template.yaml", &text);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert!(finding.advice.contains("--canary"), "{finding}");
    }
}
