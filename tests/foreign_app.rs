//! The tests beside an app that is not the one this repository has.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// Changes the app of a copy of this checkout as its users do: other webhooks, other handlers, the
/// samples deleted. Then the parts of the tests that run an app, in the copy.
#[test]
#[ignore = "compiles a copy of the checkout, which takes minutes"]
fn the_tests_run_beside_any_app() {
    let copy = copy_of_the_checkout();
    let at = |path: &str| copy.path().join(path);

    let handlers = at("functions/handlers/src/bin");
    std::fs::remove_dir_all(&handlers).unwrap();
    std::fs::create_dir(&handlers).unwrap();
    let handler = |payload: &str| {
        format!(
            "use atlassian_hooks::{{Delivery, Error, jira}};\n\
             async fn handle(_: Delivery<{payload}>) -> Result<(), Error> {{ Ok(()) }}\n\
             fn main() -> std::process::ExitCode {{ atlassian_hooks::run(handle) }}\n"
        )
    };
    std::fs::write(handlers.join("sprints.rs"), handler("jira::SprintEvent")).unwrap();
    std::fs::write(handlers.join("issue-created.rs"), handler("jira::IssueEvent")).unwrap();

    let descriptor = at("infra/atlassian-connect.json");
    let text = std::fs::read_to_string(&descriptor).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["key"] = "com.example.another-app".into();
    document["modules"]["webhooks"] = json!([
        { "event": "sprint_started", "url": "/sprint", "params": { "handler": "sprints" } },
        { "event": "sprint_closed", "url": "/sprint", "params": { "handler": "sprints" } },
        { "event": "jira:issue_updated", "url": "/issue", "params": { "handler": "issue-created" } },
    ]);
    std::fs::write(descriptor, document.to_string()).unwrap();
    std::fs::write(at("infra/atlassian-hooks.yaml"), "").unwrap();

    cargo(copy.path(), &["run", "--quiet", "-p", "cargo-hooks", "--", "template"]);
    cargo(copy.path(), &["run", "--quiet", "-p", "cargo-hooks", "--", "check"]);
    cargo(copy.path(), &["test", "-p", "cargo-hooks", "--lib"]);
    cargo(copy.path(), &["test", "-p", "tests", "--", "command::", "end_to_end::"]);
}

/// The files that git knows of, as they are.
fn copy_of_the_checkout() -> tempfile::TempDir {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().unwrap();
    assert!(listed.status.success(), "this needs git, and a checkout");
    let copy = tempfile::tempdir().unwrap();
    for path in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        // One that was deleted since is still listed.
        if root.join(path).exists() {
            let to = copy.path().join(path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(root.join(path), to).unwrap();
        }
    }
    copy
}

/// Runs cargo in the copy. What both have in common is compiled once.
fn cargo(folder: &Path, arguments: &[&str]) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().map(PathBuf::from);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target.unwrap());
    // Of this package; build scripts would take them for a change.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_")
            || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
        {
            cargo.env_remove(name);
        }
    }
    assert!(cargo.status().unwrap().success(), "cargo {arguments:?} fails beside another app");
}
