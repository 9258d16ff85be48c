//! The tool, as a user types it in an app's folder.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use atlassian_connect::event::{Era, Product, TABLE};
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::plan::Declarations;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::app::{
    DESCRIPTOR, DESCRIPTOR_FILE, MANIFEST, MANIFEST_FILE, OF_ENDPOINTS, functions,
};
use crate::harness::log::Logged;
use crate::signed::WEBHOOKS;

/// The folder of the tests' app, as a user has it, with its functions built.
struct Folder(TempDir);

impl Folder {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

static APP: LazyLock<Folder> = LazyLock::new(app);

/// The same with the manifest of a Forge app besides.
static APP_OF_BOTH: LazyLock<Folder> = LazyLock::new(|| {
    let app = app();
    let write = |path: &str, text: &str| std::fs::write(app.path().join(path), text).unwrap();
    let declared = Declarations { descriptor: Some(&DESCRIPTOR), manifest: Some(&MANIFEST) };
    let configuration = Configuration::parse(OF_ENDPOINTS).unwrap();
    write("infra/manifest.yml", MANIFEST_FILE);
    write("infra/atlassian-hooks.yaml", OF_ENDPOINTS);
    write("template.yaml", &cargo_hooks::template::render(declared, &configuration).unwrap());
    app
});

/// An app of signed webhooks alone.
static APP_OF_SIGNED: LazyLock<Folder> = LazyLock::new(|| {
    let app = app();
    std::fs::remove_file(app.path().join("infra/atlassian-connect.json")).unwrap();
    configure(&app, Declarations::default(), OF_SIGNED_ALONE);
    app
});

/// Its configuration.
const OF_SIGNED_ALONE: &str = "
app: signed-app
webhooks:
  /hooks/{tenant}/jira: { kind: jira, events: ['jira:issue_created'], handler: issue-created }
  /hooks/{tenant}/app: { kind: jira-oauth, events: all, handler: scripted }
  /hooks/{tenant}/code: { kind: bitbucket, events: all, handler: scripted }
";

/// The Connect app with URLs of signed webhooks besides.
static APP_BESIDE_SIGNED: LazyLock<Folder> = LazyLock::new(|| {
    let app = app();
    configure(&app, Declarations::from(&*DESCRIPTOR), WEBHOOKS);
    app
});

fn configure(app: &Folder, declared: Declarations<'_>, text: &str) {
    let configuration = Configuration::parse(text).unwrap();
    let template = cargo_hooks::template::render(declared, &configuration).unwrap();
    std::fs::write(app.path().join("infra/atlassian-hooks.yaml"), text).unwrap();
    std::fs::write(app.path().join("template.yaml"), template).unwrap();
}

fn app() -> Folder {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"functions/handlers\"]\n\
         [workspace.metadata.atlassian-hooks]\n",
    );
    // What a build would make is there already, so this package has nothing to build.
    write(
        "functions/handlers/Cargo.toml",
        "[package]\nname = \"handlers\"\nedition = \"2024\"\nautobins = false\n",
    );
    write("functions/handlers/src/lib.rs", "");
    for handler in ["scripted", "issue-created", "page-created"] {
        write(&format!("functions/handlers/src/bin/{handler}.rs"), "");
    }
    write("infra/atlassian-connect.json", DESCRIPTOR_FILE);
    write(
        "template.yaml",
        &cargo_hooks::template::render(&*DESCRIPTOR, &Configuration::default()).unwrap(),
    );
    std::fs::create_dir(folder.path().join("target")).unwrap();
    std::fs::create_dir(folder.path().join("target/debug")).unwrap();
    for function in std::fs::read_dir(functions()).unwrap() {
        let function = function.unwrap();
        let link = folder.path().join("target/debug").join(function.file_name());
        std::os::unix::fs::symlink(function.path(), link).unwrap();
    }
    Folder(folder)
}

/// The tool, which is a package of its own: cargo does not build it before these tests.
static TOOL: LazyLock<PathBuf> = LazyLock::new(|| {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Of the whole workspace, so that cargo settles on the features it has settled on before.
    build.args(["build", "--workspace", "--bin", "cargo-hooks", "--message-format", "json"]);
    let built = build.current_dir(workspace).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the tool could not be built; cargo says above why");
    let built = String::from_utf8(built.stdout).unwrap();
    let tool = built.lines().find_map(|line| {
        let artifact: serde_json::Value = serde_json::from_str(line).unwrap();
        let executable = artifact["executable"].as_str()?;
        (artifact["target"]["name"] == "cargo-hooks").then(|| PathBuf::from(executable))
    });
    tool.expect("cargo names the executable that it built")
});

/// `cargo hooks …`, without cargo.
fn hooks(arguments: &[&str]) -> Command {
    // A separate home, so that the tests do not use a stack of the developer's.
    static HOME: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    hooks_at(HOME.path(), arguments)
}

/// `cargo hooks …` with the local stack whose session is in a folder.
pub(crate) fn hooks_at(home: &Path, arguments: &[&str]) -> Command {
    hooks_of(&APP, home, arguments)
}

/// The same, of an app that is one of Forge as well.
pub(crate) fn hooks_of_both(home: &Path, arguments: &[&str]) -> Command {
    hooks_of(&APP_OF_BOTH, home, arguments)
}

/// The same, of an app that has URLs of signed webhooks as well.
pub(crate) fn hooks_beside_signed(home: &Path, arguments: &[&str]) -> Command {
    hooks_of(&APP_BESIDE_SIGNED, home, arguments)
}

fn hooks_of(app: &Folder, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(&*TOOL);
    command.args(arguments).current_dir(app.path()).env("HOOKS_HOME", home);
    command.env("CARGO_TARGET_DIR", app.path().join("target"));
    command
}

fn run(arguments: &[&str]) -> (Output, String) {
    let output = hooks(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stderr)
}

/// A command that runs until the test stops it, or ends in a panic.
struct Running(Child);

impl Running {
    fn interrupt(&self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // Not `kill`: its functions are processes of its own, and it stops them.
            let id = self.0.id().to_string();
            let _ = Command::new("kill").args(["-INT", &id]).status();
            let _ = self.0.wait();
        }
    }
}

#[test]
fn finds_that_the_files_of_an_app_agree() {
    let (output, stderr) = run(&["check"]);
    assert!(output.status.success() && !stderr.contains("error"), "{stderr}");
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
    let rows: [(&[&str], &[&str]); 14] = [
        (&["locale"], &["unrecognized subcommand", "local"]),
        (&["local", "--port", "x"], &["invalid value", "--port"]),
        (&["local", "--port", &port], &[&port, "in use"]),
        (&["local", "--template", "/nowhere.yaml"], &["/nowhere.yaml"]),
        (&["local", "--port", "0", "--parameter", "RetryDelai=1"], &["did you mean `RetryDelay`?"]),
        (&["local", "--port", "0", "--parameter", "LogLevel=LOUD"], &["not one of DEBUG, INFO"]),
        (&["send", "page_created", "--port", "1", "--url", url], &["cannot be used with"]),
        (&["send", "jira:issue_craeted"], &["does not declare", "jira:issue_created"]),
        (&["send"], &["required", "EVENT"]),
        (&["send", "page_created", "--set", "page.id"], &["PATH=VALUE", "issue.key=ABC-1"]),
        (&["send", "page_created", "--rate", "0"], &["from 0.001"]),
        (&["send", "page_created", "--tenants", "2", "--url", url], &["cannot be used with"]),
        (&["send", "jira:issue_created", "--url", url], &["--tenant"]),
        (&["send", "jira:issue_created", "--url", url, "--tenant", "t"], &["HOOKS_SHARED_SECRET"]),
    ];
    for (arguments, words) in rows {
        let (output, stderr) = run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("backtrace") && !stderr.contains("panicked"), "{stderr}");
    }
}

/// What a user of `send` gets wrong, and words of the one sentence about it.
#[test]
fn says_in_one_sentence_why_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = file("text", "kettle");
    let (line, other) = (file("line", "much page_created"), file("other", "1 sprint_started"));
    let (url, foreign) = ("http://127.0.0.1:1", "https://app.example.com");
    let rows: [(&[&str], &[&str]); 14] = [
        (&["page_updated"], &["does not declare page_updated", "cargo hooks add page_updated"]),
        (&["page_created", "--url", url, "--set", "pag.id=1"], &["no pag;", "nearest is page"]),
        (
            &["page_created", "--url", url, "--set", "page.id.x=1"],
            &["page.id has no x", "set the whole"],
        ),
        (
            &["page_created", "--url", url, "--body", "/none"],
            &["/none cannot be read", "give a file"],
        ),
        (
            &["page_created", "--url", url, "--body", &text, "--set", "a=1"],
            &["not JSON", "without --set"],
        ),
        (&["page_created", "--url", url, "--body", &text, "--fresh"], &["not JSON", "and --fresh"]),
        (&["--mix", "/none", "--url", url], &["/none cannot be read", "give a text file"]),
        (&["--mix", &line, "--url", url], &["line 1 is", "80 page_updated"]),
        (&["--mix", &other, "--url", url], &["does not declare sprint_started", "cargo hooks add"]),
        (&["page_created", "--url", foreign, "--count", "11"], &["--i-own app.example.com"]),
        (
            &["page_created", "--url", foreign, "--rate", "1"],
            &["app.example.com is not this machine"],
        ),
        (
            &["page_created", "--url", foreign, "--concurrency", "1", "--i-own", "example.com"],
            &["go to app.example.com", "if it is yours"],
        ),
        (&["page_created", "--url", "app", "--rate", "1"], &["https://host/path"]),
        (&["page_created", "--url", url], &["did not answer", "check the base URL"]),
    ];
    for (arguments, words) in rows {
        let arguments = [&["send", "--tenant", "t"], arguments].concat();
        let output = hooks(&arguments).env("HOOKS_SHARED_SECRET", "c4n4ry").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{arguments:?}: {stderr}");
        assert!(stderr.lines().count() == 1 && !stderr.contains("c4n4ry"), "{stderr}");
    }
}

/// The main command: the journey, then Ctrl-C, and no process left.
#[test]
fn shows_the_journey_and_leaves_no_process_behind() {
    let mut local = hooks(&["local", "--port", "0", "--sites", "2"]);
    let local = local.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut local = Running(local.unwrap());
    let mut lines = BufReader::new(local.0.stdout.take().unwrap()).lines().map(Result::unwrap);
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

    let (output, stderr) = run(&["send", "page_created", "--tenants", "2", "--count", "2"]);
    assert!(output.status.success(), "{stderr}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("2 deliveries of 2 tenants"));
    assert!(lines.by_ref().any(|line| line.contains("page created")));

    // What others wrote forges no line, and commands no terminal.
    let body = tempfile::NamedTempFile::new().unwrap();
    let forged = r#"{"webhookEvent":"a\nERROR forged \u001b[31m"}"#;
    std::fs::write(body.path(), forged).unwrap();
    let path = body.path().to_str().unwrap();
    let (output, stderr) = run(&["send", "jira:issue_created", "--body", path]);
    assert!(!output.status.success() && stderr.contains("refused"), "{stderr}");
    let refused = lines.by_ref().find(|line| line.contains("rejected")).unwrap();
    assert!(refused.contains(r"the event a\nERROR forged \u{1b}[31m is not"), "{refused}");

    let children = children_of(local.0.id());
    assert!(!children.is_empty(), "the functions are processes of their own");
    local.interrupt();
    lines.for_each(drop);
    assert!(local.0.wait().unwrap().success());
    for child in children {
        assert!(!PathBuf::from(format!("/proc/{child}/exe")).exists(), "{child} is still there");
    }
    let (output, stderr) = run(&["send", "page_created"]);
    assert!(!output.status.success());
    assert!(stderr.contains("cargo hooks local"), "{stderr}");
}

/// An app of both worlds: a webhook and an event of Forge, each to its handler.
#[test]
fn local_plays_forge_for_an_app_with_a_manifest() {
    let home = tempfile::tempdir().unwrap();
    let mut local = hooks_of_both(home.path(), &["local", "--port", "0"]);
    let local = local.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut local = Running(local.unwrap());
    let mut lines = BufReader::new(local.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let journey: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Stop ")).collect();
    let text = journey.join("\n");
    for step in [
        "by Forge in jira",
        "by Forge in confluence",
        "sent jira:issue_created to /issue-created: 204",
        "sent avi:jira:created:issue to /forge/issue-changed: 200",
        "verified for tenant ari:cloud:ecosystem::installation/",
        "cargo hooks send avi:forge:installed:app",
    ] {
        assert!(text.contains(step), "{step}: {text}");
    }

    let send = |arguments: &[&str]| {
        let output = hooks_of_both(home.path(), &[&["send"], arguments].concat()).output().unwrap();
        let (stdout, stderr) = (output.stdout, output.stderr);
        let text = [stdout, stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    // Followed to its handler, and to the refusal.
    let (is_sent, text) = send(&["avi:jira:updated:issue"]);
    assert!(is_sent && text.contains("handled by ScriptedHandler"), "{text}");
    let (is_sent, text) = send(&["avi:jira:updated:issue", "--retry", "1"]);
    assert!(is_sent && text.contains("duplicate of a webhook that was handled before"), "{text}");
    let (is_sent, text) = send(&["avi:jira:updated:issue", "--as", "browser"]);
    assert!(is_sent && text.contains("401") && text.contains("user"), "{text}");
    let (is_sent, text) = send(&["avi:forge:installed:app"]);
    assert!(is_sent && text.contains("handled"), "{text}");
    local.interrupt();
    lines.for_each(drop);
    assert!(local.0.wait().unwrap().success());
}

/// An app of signed webhooks alone: a tenant of each kind, whose webhooks come to their handlers.
#[test]
fn local_signs_for_an_app_of_signed_webhooks() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    let hooks = |arguments: &[&str]| hooks_of(&APP_OF_SIGNED, home.path(), arguments);
    // Twice in the same tables: the second stack has new secrets.
    let once = hooks(&["local", "--port", "0", "--once", "--state", state]).output().unwrap();
    let text = [once.stdout, once.stderr].concat();
    assert!(once.status.success(), "{}", String::from_utf8_lossy(&text));
    let mut local = hooks(&["local", "--port", "0", "--state", state]);
    let local = local.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut local = Running(local.unwrap());
    let mut lines = BufReader::new(local.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let journey: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Stop ")).collect();
    let text = journey.join("\n");
    for step in [
        "added tenant demo-jira, which signs webhooks as jira",
        "added tenant demo-bitbucket, which signs webhooks as bitbucket",
        "sent jira:issue_created to /hooks/demo-jira/jira: 204",
        "verified for tenant demo-jira",
        "handled by IssueCreatedHandler",
        "cargo hooks send repo:push",
    ] {
        assert!(text.contains(step), "{step}: {text}");
    }

    let send = |arguments: &[&str]| {
        let output = hooks(&[&["send"], arguments].concat()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    for (arguments, path, handler) in [
        (&["jira:issue_created"][..], "/hooks/demo-jira/jira", "IssueCreatedHandler"),
        (&["jira:issue_updated"], "/hooks/demo-jira-oauth/app", "ScriptedHandler"),
        (
            &["jira:issue_created", "--tenant", "demo-jira-oauth"],
            "/hooks/demo-jira-oauth/app",
            "ScriptedHandler",
        ),
        (
            &["repo:push", "--set", "repository.name=kettle"],
            "/hooks/demo-bitbucket/code",
            "ScriptedHandler",
        ),
    ] {
        let (is_sent, text) = send(arguments);
        let (sent, handled) = (format!("{path} signed as "), format!("handled by {handler}"));
        assert!(
            is_sent && text.contains(&sent) && text.contains(&handled),
            "{arguments:?}: {text}"
        );
    }
    for (arguments, words) in [
        (&["page_created"][..], "no URL of signed webhooks takes page_created"),
        (&["repo:push", "--tenant", "acme"], "no demo tenant acme"),
        (&["repo:push", "--tenant", "demo-jira"], "no URL of signed webhooks takes repo:push"),
        (&["repo:push", "--count", "11"], "one after the other"),
    ] {
        let (is_sent, text) = send(arguments);
        assert!(!is_sent && text.contains(words), "{arguments:?}: {text}");
    }
    local.interrupt();
    lines.for_each(drop);
    assert!(local.0.wait().unwrap().success());
}

/// A Connect app that has such URLs as well: its tenants are added, and its own webhook is what is shown.
#[test]
fn local_signs_beside_a_descriptor() {
    let home = tempfile::tempdir().unwrap();
    let output = hooks_beside_signed(home.path(), &["local", "--port", "0", "--once"]).output();
    let output = output.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("added tenant demo-confluence-data-center"), "{text}");
    let mut sent = text.lines().filter(|line| line.trim_start().starts_with("sent "));
    let webhook = sent.next().unwrap();
    assert!(webhook.contains("jira:issue_created to /issue-created: 204"), "{webhook}");
    assert_eq!(sent.next(), None);
}

/// What a stack is told while a handler is written: changed sources, failures, and a restart.
#[test]
fn follows_the_sources_and_keeps_its_sites() {
    let app = app();
    let home = tempfile::tempdir().unwrap();
    let tool = |arguments: &[&str]| {
        let mut tool = hooks(arguments);
        tool.current_dir(app.path()).env("HOOKS_HOME", home.path());
        tool.env("CARGO_TARGET_DIR", app.path().join("target"));
        tool
    };
    let start = |arguments: &[&str]| {
        let arguments = [&["local", "--port", "0"], arguments].concat();
        let local = tool(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut local = Running(local.unwrap());
        let lines = BufReader::new(local.0.stdout.take().unwrap()).lines();
        (local, lines.map(Result::unwrap))
    };
    let tenants = |lines: &mut dyn Iterator<Item = String>| -> Vec<(bool, String)> {
        let installed = lines.filter(|line| line.contains(" installed ")).take(2);
        installed
            .map(|line| {
                let key = line.split("as tenant ").nth(1).unwrap()[..36].to_owned();
                (line.contains("as before"), key)
            })
            .collect()
    };
    let send = |arguments: &[&str]| {
        let output = tool(&[&["send", "jira:issue_updated"], arguments].concat()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
    };
    let (mut local, mut lines) = start(&["--state", "kept", "--watch", "--fast"]);
    let first = tenants(&mut lines);
    assert!(lines.any(|line| line.contains("Stop ")));

    // With the template's delays this takes three quarters of an hour.
    let body = app.path().join("fail.json");
    std::fs::write(&body, r#"{"webhookEvent":"jira:issue_updated","do":"fail"}"#).unwrap();
    send(&["--body", body.to_str().unwrap()]);
    let mut begun = 0;
    for line in lines.by_ref() {
        begun += usize::from(line.contains(Logged::ScriptBegun.message()));
        if line.contains("dead-lettered") {
            break;
        }
    }
    assert_eq!(begun, 5);

    // Another binary, as a build would leave it.
    let binary = app.path().join("target/debug/scripted");
    let script = r#"cp -L "$1" "$1.new" && mv "$1.new" "$1""#;
    let mut replace = Command::new("sh");
    assert!(replace.args(["-c", script, "sh"]).arg(&binary).status().unwrap().success());
    std::fs::write(app.path().join("functions/handlers/src/lib.rs"), "// changed\n").unwrap();
    let restarted = lines.find(|line| line.contains("Restarted")).unwrap();
    assert!(restarted.contains("Restarted ScriptedHandler;"), "{restarted}");
    send(&[]);
    assert!(lines.any(|line| line.contains(Logged::ScriptDone.message())));

    let manifest = app.path().join("functions/handlers/Cargo.toml");
    let sound = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, "[package").unwrap();
    let failed = lines.find(|line| line.contains("Failed")).unwrap();
    assert!(failed.contains("correct the errors above; until then"), "{failed}");
    std::fs::write(&manifest, sound).unwrap();
    let restarted = lines.find(|line| line.contains("Restarted")).unwrap();
    assert!(restarted.contains("nothing"), "{restarted}");
    send(&[]);
    assert!(lines.any(|line| line.contains(Logged::ScriptDone.message())));
    local.interrupt();
    lines.for_each(drop);
    assert!(local.0.wait().unwrap().success());

    let (local, mut lines) = start(&["--state", "kept"]);
    let second = tenants(&mut lines);
    assert!(lines.any(|line| line.contains("Stop ")));
    assert!(first.iter().all(|(kept, _)| !kept) && second.iter().all(|(kept, _)| *kept));
    assert!(first.iter().map(|(_, key)| key).eq(second.iter().map(|(_, key)| key)));

    // Another stack has another session.
    let (_other, mut others) = start(&["--state", "other"]);
    assert!(others.any(|line| line.contains("Stop ")));
    let output = tool(&["dead"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("name the one"), "{stderr}");
    local.interrupt();
    lines.for_each(drop);
    send(&[]);
}

fn children_of(parent: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).unwrap();
    let children = tasks.map(|task| task.unwrap().path().join("children"));
    let lists = children.filter_map(|path| std::fs::read_to_string(path).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// On a machine with nothing but the tool: it needs no app, and builds nothing.
#[test]
fn inspect_shows_every_event_of_both_products() {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = hooks(&["inspect", "--json"]);
    let output = command.current_dir(nowhere.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains(&format!("events: {0} generated, {0} received", TABLE.len())),
        "{stderr}"
    );
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown = lines.iter().map(|line| {
        assert!(line["body"].is_object(), "{line}");
        assert_eq!((&line["verdict"], &line["outcome"]), (&"verified".into(), &"handled".into()));
        (line["product"].as_str().unwrap().to_owned(), line["event"].as_str().unwrap().to_owned())
    });
    let shown: BTreeSet<(String, String)> = shown.collect();
    let table = TABLE.iter().map(|line| (line.product.to_string(), line.event.to_string()));
    assert_eq!(shown, table.collect());
    // The two lists of the documentation that this project began with.
    for (product, count) in [(Product::Jira, 15), (Product::Confluence, 53)] {
        let legacy = TABLE.iter().filter(|line| line.product == product && line.era != Era::Today);
        let legacy = legacy
            .filter(|line| shown.contains(&(line.product.to_string(), line.event.to_string())));
        assert_eq!(legacy.count(), count);
    }
}

/// Without a site that sends: what is served, and what is printed of a request that is not trusted.
#[test]
fn inspect_listens_behind_a_tunnel() {
    let mut inspect = hooks(&["inspect", "--listen", "--base-url", "https://tunnel.test/app/"]);
    inspect.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut inspect = Running(inspect.arg("--json").spawn().unwrap());
    // Held until the end, because a program cannot write to a pipe that nobody reads.
    let mut errors = BufReader::new(inspect.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut lines = errors.by_ref().take(2);
    let page = lines.find_map(|line| line.strip_prefix("every delivery: ").map(str::to_owned));
    assert!(page.unwrap().starts_with("http://127.0.0.1:"));
    inspect.interrupt();
    assert!(inspect.0.wait().unwrap().success(), "{:?}", errors.collect::<Vec<_>>());
}

#[test]
fn inspect_says_what_is_wrong() {
    for (arguments, words) in [
        (&["inspect", "--event", "jira:isue_created"][..], "did you mean jira:issue_created?"),
        (&["inspect", "--product", "bamboo"], "name a product: jira or confluence"),
        (&["inspect", "--product", "jira", "--event", "page_created"], "leave --product out"),
        (&["inspect", "--json", "--quiet"], "cannot be used with"),
        (&["inspect", "--base-url", "https://a.test"], "--listen"),
    ] {
        let output = hooks(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(words), "{arguments:?}: {stderr}");
    }
}
