//! Checks that descriptor, events, handlers and template agree.

mod descriptor;
mod handlers;
mod payloads;
mod spelling;
mod template;
mod versions;

pub use spelling::closest_event;
pub use template::invariants;

use std::fmt;
use std::path::Path;

use atlassian_connect::descriptor::Descriptor;
use serde_json::Value;

/// The files of an app.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The app descriptor.
    pub descriptor: &'a Path,
    /// The template that was written from it.
    pub template: &'a Path,
    /// The folder of the handlers, one file each.
    pub handlers: &'a Path,
    /// What `cargo metadata` says of the workspace, for its manifests.
    pub metadata: &'a Value,
    /// The lock file of the workspace, for the versions of its crates.
    pub lock: &'a Path,
}

/// Something that is wrong, or looks wrong, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Whether it stops a deployment.
    pub severity: Severity,
    /// The file, and the entry in it.
    pub place: String,
    /// What is wrong, and what to do.
    pub advice: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// It would not work.
    Error,
    /// It would work; perhaps not as meant.
    Warning,
}

impl Finding {
    pub(crate) fn error(place: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.into(), advice: advice.into() }
    }

    pub(crate) fn warning(place: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place: place.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}", self.place, self.advice)
    }
}

/// Checks everything.
pub fn check(files: &Files<'_>) -> Vec<Finding> {
    let mut findings = misspelt(files.descriptor);
    let descriptor = match read_descriptor(files.descriptor) {
        Ok(descriptor) => descriptor,
        Err(finding) => {
            findings.push(finding);
            return findings;
        }
    };
    findings.extend(descriptor::check(&descriptor));
    // A template made from a descriptor that is wrong would only repeat its faults.
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(handlers::check(&descriptor, files.handlers));
        findings.extend(template::check(files, &descriptor));
        findings.extend(versions::check(files.lock));
    }
    findings
}

/// Reads a descriptor that a template can be made from.
///
/// # Errors
///
/// Returns the findings if there is an error among them.
pub fn sound_descriptor(path: &Path) -> Result<Descriptor, Vec<Finding>> {
    let descriptor = read_descriptor(path).map_err(|finding| vec![finding])?;
    let findings = descriptor::check(&descriptor);
    let sound = findings.iter().all(|finding| finding.severity == Severity::Warning);
    if sound { Ok(descriptor) } else { Err(findings) }
}

/// Warns of names of members in a descriptor's file that are almost known ones, and have no effect.
pub fn misspelt(path: &Path) -> Vec<Finding> {
    // A file that cannot be read is a finding of others.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let descriptor = serde_json::from_str(&text).unwrap_or_default();
    spelling::check(&shown(path), &descriptor)
}

/// Checks a descriptor alone.
pub fn check_descriptor(descriptor: &Descriptor) -> Vec<Finding> {
    descriptor::check(descriptor)
}

/// Reads a descriptor.
///
/// # Errors
///
/// Returns a finding that says what is wrong with the file.
fn read_descriptor(path: &Path) -> Result<Descriptor, Finding> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Finding::error(shown(path), format!("the file cannot be read: {error}; check the path"))
    })?;
    Descriptor::parse(&text).map_err(|error| {
        let place = format!("{}:{}:{}", shown(path), error.line(), error.column());
        Finding::error(place, format!("it is not an app descriptor: {error}"))
    })
}

/// The version of the framework's crates in the text of a `Cargo.lock`.
pub fn framework_version(lock: &str) -> Option<&str> {
    versions::framework(lock)
}

/// A path as a person in the current folder would write it.
pub fn shown(path: &Path) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// An app in which everything agrees, before a test spoils it.
    fn app() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join(HANDLERS)).unwrap();
        for name in ["issue-created.rs", "page-created.rs"] {
            fs::write(at.join(HANDLERS).join(name), "").unwrap();
        }
        fs::create_dir(at.join("infra")).unwrap();
        fs::write(at.join("infra/atlassian-connect.json"), DESCRIPTOR).unwrap();
        let descriptor = Descriptor::parse(DESCRIPTOR).unwrap();
        fs::write(at.join("template.yaml"), crate::render(&descriptor).unwrap()).unwrap();
        folder
    }

    const HANDLERS: &str = "functions/handlers/src/bin";

    const DESCRIPTOR: &str = r#"{
        "key": "com.example.checked", "authentication": {"type": "jwt"}, "scopes": ["READ"],
        "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
        "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
        "modules": {"webhooks": [
            {"event": "jira:issue_created", "url": "/issue-created"},
            {"event": "page_created", "url": "/page-created"}
        ]}
    }"#;

    fn findings(folder: &TempDir) -> Vec<String> {
        let files = Files {
            descriptor: &folder.path().join("infra/atlassian-connect.json"),
            template: &folder.path().join("template.yaml"),
            handlers: &folder.path().join(HANDLERS),
            metadata: &metadata("receiver", crate::HTTP_TIMEOUT),
            lock: &folder.path().join("Cargo.lock"),
        };
        check(&files).iter().map(Finding::to_string).collect()
    }

    /// What cargo says of a workspace with one function.
    fn metadata(binary: &str, timeout: u32) -> Value {
        let deploy = json!({"memory": crate::MEMORY, "timeout": timeout, "tracing": "active"});
        json!({"packages": [{
            "name": binary,
            "targets": [{"kind": ["bin"], "name": binary}],
            "metadata": {"lambda": {"deploy": deploy}},
        }]})
    }

    #[test]
    fn finds_nothing_where_all_agrees() {
        assert_eq!(findings(&app()), Vec::<String>::new());
    }

    #[test]
    fn finds_each_disagreement_by_its_file() {
        type Spoil = fn(&Path);
        let rows: [(Spoil, &[&str]); 9] = [
            (
                |at| {
                    let taken = "use atlassian_hooks::{Delivery, jira};\n\
                                 async fn handle(_: Delivery<jira::IssueEvent>) {}\n\
                                 fn main() { atlassian_hooks::run(handle) }";
                    for name in ["issue-created.rs", "page-created.rs"] {
                        fs::write(at.join(HANDLERS).join(name), taken).unwrap();
                    }
                },
                &["page-created.rs", "jira::IssueEvent", "page_created", "confluence::PageEvent"],
            ),
            (
                |at| {
                    let path = at.join("template.yaml");
                    let text = fs::read_to_string(&path).unwrap();
                    let old = text.replacen(crate::VERSION, "0.0.9", 1);
                    assert_ne!(old, text);
                    fs::write(path, old).unwrap();
                },
                &["template.yaml", "version 0.0.9", "cargo hooks template"],
            ),
            (
                |at| {
                    let crates = "[[package]]\nname = \"atlassian-hooks\"\nversion = \"0.0.9\"\n";
                    fs::write(at.join("Cargo.lock"), crates).unwrap();
                },
                &["Cargo.lock", "version 0.0.9", "cargo update"],
            ),
            (
                |at| {
                    fs::remove_file(at.join("functions/handlers/src/bin/page-created.rs")).unwrap()
                },
                &["page-created.rs", "missing", "/page-created"],
            ),
            (
                |at| fs::write(at.join("functions/handlers/src/bin/idle.rs"), "").unwrap(),
                &["idle.rs", "no webhook"],
            ),
            (
                |at| fs::write(at.join("template.yaml"), "{}").unwrap(),
                &["template.yaml", "line 1 on", "cargo hooks template"],
            ),
            (
                |at| fs::remove_file(at.join("template.yaml")).unwrap(),
                &["template.yaml", "cannot be read", "cargo hooks template"],
            ),
            (
                |at| {
                    fs::write(at.join("infra/atlassian-connect.json"), "{\n  \"key\": 1\n}")
                        .unwrap()
                },
                &["atlassian-connect.json:2:10", "not an app descriptor"],
            ),
            (
                |at| fs::remove_file(at.join("infra/atlassian-connect.json")).unwrap(),
                &["atlassian-connect.json", "cannot be read"],
            ),
        ];
        for (spoil, words) in rows {
            let app = app();
            spoil(app.path());
            let findings = findings(&app);
            let [finding] = &findings[..] else { panic!("{words:?}: {findings:?}") };
            assert!(words.iter().all(|word| finding.contains(word)), "{finding}");
        }
    }
}
