//! Whether descriptor, events, handlers and template agree, and what to do if not.

mod descriptor;
mod handlers;
mod template;

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

/// Reads a descriptor, for a template as for a check.
///
/// # Errors
///
/// A finding that says what is wrong with the file.
pub fn read_descriptor(path: &Path) -> Result<Descriptor, Finding> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Finding::error(shown(path), format!("it cannot be read: {error}"))
    })?;
    Descriptor::parse(&text).map_err(|error| {
        let place = format!("{}:{}:{}", shown(path), error.line(), error.column());
        Finding::error(place, format!("it is not an app descriptor: {error}"))
    })
}

/// A path as a person in the checkout would write it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root::workspace()).unwrap_or(path).display().to_string()
}
