//! Checks that the tool, the crates that the app depends on, and the template are of one version.

use std::cmp::Ordering;
use std::path::Path;

use semver::Version;

use super::Finding;
use crate::VERSION;

pub(super) fn check(lock: &Path) -> Vec<Finding> {
    // Where there is no lock yet, cargo takes the newest crates at the next build.
    let lock = std::fs::read_to_string(lock).unwrap_or_default();
    framework(&lock).and_then(disagreement).into_iter().collect()
}

/// What to do about a template of another version.
pub(super) fn advice(template: &str) -> String {
    match order(template) {
        Ordering::Greater => format!(
            "version {template} of the tool wrote it, and this is {VERSION}; update the tool with \
             `cargo install --locked cargo-hooks`"
        ),
        _ => format!(
            "version {template} of the tool wrote it, and this is {VERSION}; run `cargo hooks \
             template`, read the diff, and commit the result"
        ),
    }
}

/// The version of the framework's crates in the text of a `Cargo.lock`.
pub(super) fn framework(lock: &str) -> Option<&str> {
    locked(lock, FACADE)
}

const FACADE: &str = "atlassian-hooks";

/// The version of a package in the text of a `Cargo.lock`.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

/// What to do about crates of another version.
fn disagreement(crates: &str) -> Option<Finding> {
    let what = match order(crates) {
        Ordering::Equal => return None,
        Ordering::Less => {
            "update the crates with `cargo update`, and the version in Cargo.toml if it \
                           allows no newer one"
        }
        Ordering::Greater => "update the tool with `cargo install --locked cargo-hooks`",
    };
    let advice = format!("{FACADE} has version {crates}, and this tool {VERSION}; {what}");
    Some(Finding::warning("Cargo.lock", advice))
}

/// Whether a version is older or newer than this tool. What is no version is older.
fn order(version: &str) -> Ordering {
    Version::parse(version).ok().cmp(&Version::parse(VERSION).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_of_tool_and_crates_to_update() {
        let lock = |version: &str| {
            format!(
                "[[package]]\nname = \"{FACADE}-tenants\"\nversion = \"9.9.9\"\n\n\
                     [[package]]\nname = \"{FACADE}\"\nversion = \"{version}\"\n"
            )
        };
        let found = |version: &str| {
            let lock = lock(version);
            framework(&lock).and_then(disagreement).map(|finding| finding.advice)
        };
        assert_eq!(found(VERSION), None);
        assert!(found("0.0.9").unwrap().contains("`cargo update`"));
        assert!(found("99.10.0").unwrap().contains("`cargo install"));
        assert_eq!(locked("", FACADE), None);
    }

    #[test]
    fn says_which_of_tool_and_template_to_update() {
        assert!(advice("0.0.9").contains("cargo hooks template"));
        assert!(advice("99.0.0").contains("cargo install"));
    }
}
