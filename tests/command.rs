//! The tool, as a user types it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::stage::functions;

/// `cargo hooks …`, without cargo.
fn hooks(arguments: &[&str]) -> Command {
    // A home of its own, so that the tests do not talk to a stack that somebody runs.
    static HOME: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    let mut command = Command::new(functions().join("cargo-hooks"));
    command.args(arguments).env("HOOKS_HOME", HOME.path());
    command
}

fn run(arguments: &[&str]) -> (Output, String) {
    let output = hooks(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stderr)
}

#[test]
fn finds_that_the_committed_files_agree() {
    let (output, stderr) = run(&["check"]);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn explains_itself() {
    for command in [
        &["--help"][..],
        &["local", "--help"],
        &["send", "--help"],
        &["template", "--help"],
        &["check", "--help"],
    ] {
        let (output, _) = run(command);
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains("Usage: cargo hooks"), "{command:?}");
    }
}

/// What a user gets wrong, and words of what the tool says about it.
#[test]
fn says_what_is_wrong_and_what_to_do() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let url = "http://127.0.0.1:1";
    let rows: [(&[&str], &[&str]); 7] = [
        (&["locale"], &["unrecognized subcommand", "local"]),
        (&["local", "--port", "x"], &["invalid value", "--port"]),
        (&["local", "--port", &port], &[&port, "in use"]),
        (&["local", "--template", "/nowhere.yaml"], &["/nowhere.yaml"]),
        (&["send", "jira:issue_craeted"], &["does not declare", "jira:issue_created"]),
        (&["send", "jira:issue_created", "--url", url], &["--tenant"]),
        (&["send", "jira:issue_created", "--url", url, "--tenant", "t"], &["HOOKS_SHARED_SECRET"]),
    ];
    for (arguments, words) in rows {
        let (output, stderr) = run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("backtrace") && !stderr.contains("panicked"), "{stderr}");
    }
    let mut unreachable = hooks(&["send", "jira:issue_created", "--url", url, "--tenant", "t"]);
    let output = unreachable.env("HOOKS_SHARED_SECRET", "c4n4ry").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("did not answer") && !stderr.contains("c4n4ry"), "{stderr}");
    let mut bodiless =
        hooks(&["send", "jira:issue_created", "--url", url, "--tenant", "t", "--body", "/none"]);
    let output = bodiless.env("HOOKS_SHARED_SECRET", "s").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("/none cannot be read"));
}

/// The main command: the journey, then Ctrl-C, and no process left.
#[test]
fn shows_the_journey_and_leaves_no_process_behind() {
    let mut local = hooks(&["local", "--port", "0"]);
    let mut local = local.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(local.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut journey = String::new();
    for line in lines.by_ref() {
        journey += &line;
        journey.push('\n');
        if line.contains("Stop ") {
            break;
        }
    }
    let steps = ["installed", "sent", "received", "verified", "queued", "handled", "Ready"];
    let mut rest = journey.as_str();
    for step in steps {
        let (_, after) = rest.split_once(step).unwrap_or_else(|| panic!("{step}: {journey}"));
        rest = after;
    }

    let (output, stderr) = run(&["send", "page_created", "--count", "2"]);
    assert!(output.status.success(), "{stderr}");
    assert!(lines.by_ref().any(|line| line.contains("page created")));

    // What others wrote forges no line, and gives the terminal no order.
    let body = tempfile::NamedTempFile::new().unwrap();
    let forged = r#"{"webhookEvent":"a\nERROR forged \u001b[31m"}"#;
    std::fs::write(body.path(), forged).unwrap();
    let path = body.path().to_str().unwrap();
    let (output, stderr) = run(&["send", "jira:issue_created", "--body", path]);
    assert!(!output.status.success() && stderr.contains("refused"), "{stderr}");
    let refused = lines.by_ref().find(|line| line.contains("request refused")).unwrap();
    assert!(refused.contains(r"the event a\nERROR forged \u{1b}[31m is not"), "{refused}");

    let children = children_of(local.id());
    assert!(!children.is_empty(), "the functions are processes of their own");
    let interrupt = Command::new("kill").args(["-INT", &local.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    lines.for_each(drop);
    assert!(local.wait().unwrap().success());
    for child in children {
        assert!(!PathBuf::from(format!("/proc/{child}/exe")).exists(), "{child} is still there");
    }
    let (output, stderr) = run(&["send", "page_created"]);
    assert!(!output.status.success());
    assert!(stderr.contains("cargo hooks local"), "{stderr}");
}

fn children_of(parent: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).unwrap();
    let children = tasks.map(|task| task.unwrap().path().join("children"));
    let lists = children.filter_map(|path| std::fs::read_to_string(path).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
