//! Checks that descriptor, events, handlers and template agree.

mod descriptor;
mod handlers;
mod template;

pub use template::invariants;

use std::fmt;
use std::path::Path;

use connect::descriptor::Descriptor;

use crate::root;

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

/// The files that have to agree.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The descriptor, `infra/atlassian-connect.json`.
    pub descriptor: &'a Path,
    /// The template, `template.yaml`.
    pub template: &'a Path,
    /// The folder of handlers, `functions/handlers/src/bin`.
    pub handlers: &'a Path,
}

/// Checks everything.
pub fn check(files: &Files<'_>) -> Vec<Finding> {
    let descriptor = match read_descriptor(files.descriptor) {
        Ok(descriptor) => descriptor,
        Err(finding) => return vec![finding],
    };
    let mut findings = descriptor::check(&descriptor);
    // A template made from a descriptor that is wrong would only repeat its faults.
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(handlers::check(&descriptor, files.handlers));
        findings.extend(template::check(&descriptor, files.template));
    }
    findings
}

/// Reads a descriptor that a template can be made from.
///
/// # Errors
///
/// The findings, if there is an error among them.
pub fn sound_descriptor(path: &Path) -> Result<Descriptor, Vec<Finding>> {
    let descriptor = read_descriptor(path).map_err(|finding| vec![finding])?;
    let findings = descriptor::check(&descriptor);
    let sound = findings.iter().all(|finding| finding.severity == Severity::Warning);
    if sound { Ok(descriptor) } else { Err(findings) }
}

/// Reads a descriptor.
///
/// # Errors
///
/// A finding that says what is wrong with the file.
fn read_descriptor(path: &Path) -> Result<Descriptor, Finding> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Finding::error(shown(path), format!("it cannot be read: {error}")))?;
    Descriptor::parse(&text).map_err(|error| {
        let place = format!("{}:{}:{}", shown(path), error.line(), error.column());
        Finding::error(place, format!("it is not an app descriptor: {error}"))
    })
}

/// A path as a person in the checkout would write it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root::workspace()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A checkout in which everything agrees, before a test spoils it.
    fn checkout() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("bin")).unwrap();
        for name in ["issue-created.rs", "page-created.rs"] {
            fs::write(at("bin").join(name), "").unwrap();
        }
        fs::copy(root::descriptor(), at("descriptor.json")).unwrap();
        let descriptor = read_descriptor(&at("descriptor.json")).unwrap();
        fs::write(at("template.yaml"), crate::template::render(&descriptor).unwrap()).unwrap();
        folder
    }

    fn findings(checkout: &TempDir) -> Vec<String> {
        let at = |name: &str| checkout.path().join(name);
        let files = Files {
            descriptor: &at("descriptor.json"),
            template: &at("template.yaml"),
            handlers: &at("bin"),
        };
        check(&files).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn finds_nothing_where_all_agrees() {
        assert_eq!(findings(&checkout()), Vec::<String>::new());
    }

    #[test]
    fn finds_each_disagreement_by_its_file() {
        type Spoil = fn(&Path);
        let rows: [(Spoil, &[&str]); 6] = [
            (
                |at| fs::remove_file(at.join("bin/page-created.rs")).unwrap(),
                &["page-created.rs", "missing", "/page-created"],
            ),
            (|at| fs::write(at.join("bin/idle.rs"), "").unwrap(), &["idle.rs", "no webhook"]),
            (
                |at| fs::write(at.join("template.yaml"), "{}").unwrap(),
                &["template.yaml", "line 1 on", "cargo hooks template"],
            ),
            (
                |at| fs::remove_file(at.join("template.yaml")).unwrap(),
                &["template.yaml", "cannot be read", "cargo hooks template"],
            ),
            (
                |at| fs::write(at.join("descriptor.json"), "{\n  \"key\": 1\n}").unwrap(),
                &["descriptor.json:2:10", "not an app descriptor"],
            ),
            (
                |at| fs::remove_file(at.join("descriptor.json")).unwrap(),
                &["descriptor.json", "cannot be read"],
            ),
        ];
        for (spoil, words) in rows {
            let checkout = checkout();
            spoil(checkout.path());
            let findings = findings(&checkout);
            let [finding] = &findings[..] else { panic!("{words:?}: {findings:?}") };
            assert!(words.iter().all(|word| finding.contains(word)), "{finding}");
        }
    }
}
