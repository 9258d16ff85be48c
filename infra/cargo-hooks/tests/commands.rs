//! The commands that write an app, as a user types them.

#![expect(clippy::unwrap_used, reason = "a helper of tests is test code as well")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use atlassian_connect::event::EventName;
use tempfile::TempDir;

/// Runs `cargo hooks …` in a folder: whether it succeeded, and all that it printed.
fn hooks(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-hooks"))
        .arg("hooks")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// A new app in a folder of its own.
fn app(arguments: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (created, text) = hooks(folder.path(), &[&["new", "my-app"], arguments].concat());
    assert!(created && text.contains("cargo hooks local"), "{text}");
    let app = folder.path().join("my-app");
    (folder, app)
}

fn files(app: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![app.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(app).unwrap().display().to_string());
            }
        }
    }
    // It is there if cargo finds the released crates on this machine.
    files.retain(|file| file != "Cargo.lock");
    files.sort();
    files
}

/// Editors complete the configuration of this repository's own app from it.
#[test]
fn the_committed_schema_is_that_of_the_configuration() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let committed = fs::read_to_string(root.join("infra/atlassian-hooks.schema.json")).unwrap();
    let (_, printed) = hooks(root, &["schema", "configuration"]);
    assert_eq!(committed, printed, "write it with `cargo hooks schema configuration`");
}

#[test]
fn creates_an_app_in_which_everything_agrees() {
    let (_folder, app) = app(&["--key", "com.example.mine"]);
    let wanted = [
        ".checkov.yaml",
        ".github/dependabot.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/deploy.yml",
        ".gitignore",
        ".vscode/settings.json",
        "Cargo.toml",
        "README.md",
        "functions/descriptor/Cargo.toml",
        "functions/descriptor/src/main.rs",
        "functions/handlers/Cargo.toml",
        "functions/handlers/src/bin/issue-created.rs",
        "functions/handlers/src/bin/page-created.rs",
        "functions/lifecycle/Cargo.toml",
        "functions/lifecycle/src/main.rs",
        "functions/receiver/Cargo.toml",
        "functions/receiver/src/main.rs",
        "infra/atlassian-connect.json",
        "infra/atlassian-connect.schema.json",
        "infra/atlassian-hooks.schema.json",
        "infra/atlassian-hooks.yaml",
        "infra/deployer.yaml",
        "infra/operator.yaml",
        "samconfig.toml",
        "template.yaml",
        "tests/events/confluence/page_created.json",
        "tests/events/jira/jira_issue_created.json",
    ];
    assert_eq!(files(&app), wanted);
    let descriptor = fs::read_to_string(app.join("infra/atlassian-connect.json")).unwrap();
    assert!(descriptor.contains(r#""key": "com.example.mine""#), "{descriptor}");
    let (agrees, text) = hooks(&app.join("functions/handlers"), &["check"]);
    assert!(agrees && !text.contains("warning"), "{text}");
    // What the versions are is said by the lock file and by the template, and nowhere else.
    let manifest = fs::read_to_string(app.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("[workspace.metadata.atlassian-hooks]\n\n"), "{manifest}");
}

/// The files of one sender are not those of the other.
#[test]
fn creates_a_forge_app_in_which_everything_agrees() {
    let (_folder, app) = app(&["--sender", "forge", "--product", "jira"]);
    let wanted = [
        ".checkov.yaml",
        ".github/dependabot.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/deploy.yml",
        ".gitignore",
        "Cargo.toml",
        "README.md",
        "functions/forge-receiver/Cargo.toml",
        "functions/forge-receiver/src/main.rs",
        "functions/handlers/Cargo.toml",
        "functions/handlers/src/bin/issue-created.rs",
        "functions/handlers/src/bin/uninstall.rs",
        "infra/atlassian-hooks.schema.json",
        "infra/atlassian-hooks.yaml",
        "infra/deployer.yaml",
        "infra/manifest.yml",
        "infra/operator.yaml",
        "samconfig.toml",
        "template.yaml",
        "tests/events/forge/avi_jira_created_issue.json",
        "tests/events/forge/preUninstall.json",
    ];
    assert_eq!(files(&app), wanted);
    let (agrees, text) = hooks(&app, &["check"]);
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("warning")).collect();
    let [warning] = &warnings[..] else { panic!("{text}") };
    assert!(agrees && warning.contains("run `forge register`"), "{text}");
    for file in ["README.md", "infra/operator.yaml", "infra/deployer.yaml", "template.yaml"] {
        let text = fs::read_to_string(app.join(file)).unwrap();
        let is_of_connect = ["Connect", "atlassian-connect", "TenantsTable", "kms:CreateKey"]
            .iter()
            .any(|word| text.contains(word));
        assert!(!is_of_connect, "{file}");
    }

    // With its id, and another event that has the handler of the first.
    let path = app.join("infra/manifest.yml");
    let manifest = fs::read_to_string(&path).unwrap();
    let id = "8db33809-1f32-48bb-8c52-5877dab48107";
    let manifest = manifest.replace("00000000-0000-0000-0000-000000000000", id);
    let events = "      events:\n";
    let manifest =
        manifest.replacen(events, &format!("{events}        - avi:jira:updated:issue\n"), 1);
    fs::write(&path, manifest).unwrap();
    let (agrees, text) = hooks(&app, &["check"]);
    assert!(!agrees && text.contains("not what the manifest and the configuration"), "{text}");
    let (written, text) = hooks(&app, &["template"]);
    assert!(written, "{text}");
    let (agrees, text) = hooks(&app, &["check"]);
    assert!(agrees && !text.contains("warning"), "{text}");
    let template = fs::read_to_string(app.join("template.yaml")).unwrap();
    assert!(template.contains(id) && template.contains("avi:jira:updated:issue"), "{template}");
    let (costs, text) = hooks(&app, &["cost"]);
    assert!(costs && text.contains("usage and idle"), "{text}");
    let (planned, text) = hooks(&app, &["plan"]);
    assert!(planned && text.contains("/forge/issue-created"), "{text}");
    let (doctored, text) = hooks(&app, &["doctor"]);
    assert!(text.contains(id), "{doctored} {text}");
    let (sent, text) = hooks(&app, &["send", "jira:issue_created"]);
    assert!(!sent && text.contains("this command is for Connect apps"), "{text}");
}

#[test]
fn a_forge_app_has_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = ["new", "my-app", "--sender", "forge", "--key", "com.example.mine"];
    let (created, text) = hooks(folder.path(), &key);
    assert!(!created && text.contains("forge register"), "{text}");
    let (created, text) = hooks(folder.path(), &["new", "x", "--sender", "forge", "--inspector"]);
    assert!(!created && text.contains("Connect app"), "{text}");
}

/// A manifest for a list of events, printed or written.
#[test]
fn writes_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let url = ["forge", "manifest", "--url", "https://hooks.example.com"];
    let event = "avi:jira:created:issue";
    let (printed, text) = hooks(folder.path(), &[&url[..], &[event]].concat());
    assert!(printed && text.contains("        - avi:jira:created:issue\n"), "{text}");
    let output = [&url[..], &[event, "--output", "manifest.yml"]].concat();
    let (written, text) = hooks(folder.path(), &output);
    assert!(written, "{text}");
    let (again, text) = hooks(folder.path(), &output);
    assert!(!again && text.contains("manifest.yml exists"), "{text}");
    let (other, text) = hooks(folder.path(), &[&url[..], &["jira:issue_created"]].concat());
    assert!(!other && text.contains("did you mean avi:jira:created:issue?"), "{text}");
}

/// The policies allow what `--help` says that the commands need, and nothing else.
#[test]
fn creates_policies_for_the_commands_of_operators() {
    let (folder, app) = app(&[]);
    let policies = fs::read_to_string(app.join("infra/operator.yaml")).unwrap();
    let commands: [&[&str]; 11] = [
        &["dead"],
        &["logs"],
        &["recover"],
        &["replay"],
        &["tenants", "add"],
        &["tenants", "export"],
        &["tenants", "import"],
        &["tenants", "list"],
        &["tenants", "remove"],
        &["tenants", "reseal"],
        &["tenants", "rotate"],
    ];
    let mut needed = BTreeSet::new();
    for command in commands {
        let (_, help) = hooks(folder.path(), &[command, &["--help"]].concat());
        let (_, permissions) = help.split_once("AWS permissions:").unwrap_or_default();
        let before = needed.len();
        needed.extend(actions(permissions));
        assert!(before < needed.len() || !actions(permissions).is_empty(), "{command:?}");
    }
    let statements = policies.lines().filter(|line| line.contains("Action:"));
    let allowed: BTreeSet<String> = statements.flat_map(actions).collect();
    assert_eq!(allowed, needed);
}

/// The words that are actions of IAM, such as `sqs:SendMessage`.
fn actions(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
    let is_action = |word: &&str| {
        let (service, action) = word.split_once(':').unwrap_or_default();
        !service.is_empty() && action.starts_with(|c: char| c.is_ascii_uppercase())
    };
    words.filter(is_action).map(str::to_owned).collect()
}

#[test]
fn creates_an_app_for_one_product() {
    for (product, handler) in [("jira", "issue-created.rs"), ("confluence", "page-created.rs")] {
        let (_folder, app) = app(&["--product", product]);
        let handlers = fs::read_dir(app.join("functions/handlers/src/bin")).unwrap();
        let handlers: Vec<_> = handlers.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(handlers, [handler]);
        assert!(hooks(&app, &["check"]).0);
    }
}

#[test]
fn creates_nothing_from_what_is_wrong() {
    let (folder, app) = app(&[]);
    let before = files(&app);
    let rows: [(&[&str], &str); 4] = [
        (&["new", "my-app"], "not an empty folder"),
        (&["new", "other", "--key", "no key"], "atlassian-connect.json: key"),
        (&["new", "other", "--framework", "/nowhere"], "no checkout"),
        (&["new", "other", "--product", "bitbucket"], "possible values: jira, confluence, both"),
    ];
    for (arguments, words) in rows {
        let (created, text) = hooks(folder.path(), arguments);
        assert!(!created && text.contains(words), "{arguments:?}: {text}");
    }
    assert_eq!(files(&app), before);
    assert!(!folder.path().join("other").exists());
}

#[test]
fn adds_webhooks_from_any_folder_and_keeps_what_is_there() {
    let (_folder, app) = app(&[]);
    let handler = app.join("functions/handlers/src/bin/issue-created.rs");
    fs::write(&handler, "// mine\nfn main() {}\n").unwrap();
    let inside = app.join("functions");
    let arguments = ["add", "jira:issue_updated", "sprint_started", "page_created"];
    let (added, text) = hooks(&inside, &arguments);
    assert!(added && text.contains("page_created is declared already"), "{text}");
    let (added, text) = hooks(&inside, &["add", "jira:issue_deleted", "--url", "/issue-created"]);
    assert!(added && text.contains("issue-created.rs stays as it is"), "{text}");
    assert_eq!(fs::read_to_string(&handler).unwrap(), "// mine\nfn main() {}\n");
    let updated = app.join("functions/handlers/src/bin/issue-updated.rs");
    assert!(fs::read_to_string(updated).unwrap().contains("Delivery<jira::IssueEvent>"));
    assert!(app.join("tests/events/jira/sprint_started.json").exists());
    let (agrees, text) = hooks(&inside, &["check"]);
    assert!(agrees, "{text}");

    let before = (files(&app), fs::read(app.join("infra/atlassian-connect.json")).unwrap());
    let (added, text) = hooks(&inside, &["add", "jira:issue_assigned", "page_updatd"]);
    assert!(!added && text.contains("jira:issue_assigned"), "{text}");
    assert_eq!((files(&app), fs::read(app.join("infra/atlassian-connect.json")).unwrap()), before);
}

/// A handler that does not compile is none: the test of a new one needs dependencies.
#[test]
fn adds_no_handler_whose_test_would_not_compile() {
    let rows = [
        ("atlassian-hooks = { workspace = true, features = [\"testing\"] }", "atlassian-hooks = {"),
        ("tokio.workspace = true", "tokio = {"),
        ("tracing.workspace = true", "tracing = \""),
    ];
    for (line, words) in rows {
        let (_folder, app) = app(&[]);
        let manifest = app.join("functions/handlers/Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(line), "there is no {line} to remove in:\n{text}");
        fs::write(&manifest, text.replace(line, "")).unwrap();
        let descriptor = app.join("infra/atlassian-connect.json");
        let before = (files(&app), fs::read(&descriptor).unwrap());

        let (added, text) = hooks(&app, &["add", "jira:issue_updated"]);
        assert!(
            !added && text.contains(&format!("functions/handlers/Cargo.toml has; add `{words}")),
            "{text}"
        );
        assert_eq!((text.lines().count(), text.contains(", and ")), (1, false), "{text}");
        assert_eq!((files(&app), fs::read(&descriptor).unwrap()), before);
        // A handler that is there needs nothing more.
        let shared = ["add", "jira:issue_updated", "--handler", "issue-created"];
        let (added, text) = hooks(&app, &shared);
        assert!(added, "{text}");
    }
}

/// What is wrong with the app, and words of the one sentence about it.
#[test]
fn says_in_one_sentence_what_is_wrong_with_an_app() {
    type Spoil = fn(&Path);
    let rows: [(Spoil, &[&str]); 4] = [
        (
            |app| fs::remove_file(app.join("infra/atlassian-connect.json")).unwrap(),
            &["descriptor", "restore it"],
        ),
        (
            |app| fs::write(app.join("Cargo.toml"), "[workspace\n").unwrap(),
            &["cannot read", "Cargo.toml:1", "correct that first"],
        ),
        (
            |app| {
                let text = fs::read_to_string(app.join("Cargo.toml")).unwrap();
                let other = text.replace("metadata.atlassian", "metadata.x");
                assert_ne!(other, text);
                fs::write(app.join("Cargo.toml"), other).unwrap();
            },
            &["is not an app", "cargo hooks new"],
        ),
        (|app| fs::remove_dir_all(app).unwrap(), &["there is no app in", "cargo hooks new"]),
    ];
    for (spoil, words) in rows {
        let (folder, app) = app(&[]);
        spoil(&app);
        let inside = app.join("functions");
        let inside = if inside.exists() { inside } else { folder.path().to_owned() };
        for command in [&["template"][..], &["add", "page_moved"], &["send", "page_created"]] {
            let (ran, text) = hooks(&inside, command);
            assert!(!ran && words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

/// A change by hand is shown and kept, until it is overwritten on purpose.
#[test]
fn writes_no_template_over_what_was_changed_by_hand() {
    let (_folder, app) = app(&[]);
    let path = app.join("template.yaml");
    let written = fs::read_to_string(&path).unwrap();
    let edited = written.replacen("MemorySize: 256", "MemorySize: 512", 1);
    assert_ne!(edited, written);
    fs::write(&path, &edited).unwrap();

    for command in [&["template"][..], &["add", "page_moved"]] {
        let (ran, text) = hooks(&app, command);
        assert!(!ran && text.contains("changed by hand"), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    }
    let (_, text) = hooks(&app, &["template"]);
    for words in
        ["-    MemorySize: 512", "+    MemorySize: 256", "infra/atlassian-hooks.yaml", "--force"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (agrees, text) = hooks(&app, &["check"]);
    assert!(!agrees && text.contains("-    MemorySize: 512"), "{text}");
    // As it is, it is safe and whole.
    let (safe, text) = hooks(&app, &["check", "--template", "template.yaml"]);
    assert!(safe && text.contains("safe and whole"), "{text}");

    assert!(hooks(&app, &["template", "--force"]).0);
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
}

/// What the configuration says is in the template, and stays there when events are added.
#[test]
fn a_handler_gets_what_the_configuration_says() {
    let (_folder, app) = app(&[]);
    let configuration = "
handlers:
  issue-created:
    timeout: 60
    environment: { NOTES: !Ref Notes }
    statements: [{ Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt Notes.Arn }]
Resources:
  Notes: { Type: 'AWS::DynamoDB::Table', Properties: { BillingMode: PAY_PER_REQUEST } }
";
    fs::write(app.join("infra/atlassian-hooks.yaml"), configuration).unwrap();
    let (agrees, text) = hooks(&app, &["check"]);
    assert!(
        !agrees && text.contains("+  Notes:") && text.contains("`cargo hooks template`"),
        "{text}"
    );
    assert!(hooks(&app, &["template"]).0);

    // cargo-lambda has to deploy with the same timeout.
    let (agrees, text) = hooks(&app, &["check"]);
    assert!(!agrees && text.contains("package.metadata.lambda.bin.issue-created.deploy"), "{text}");
    let manifest = app.join("functions/handlers/Cargo.toml");
    let own = "\n[package.metadata.lambda.bin.issue-created.deploy]\ntimeout = 60\n";
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + own).unwrap();
    let (agrees, text) = hooks(&app, &["check"]);
    let note = "note: template.yaml: IssueCreatedHandlerRole: may dynamodb:PutItem on ${Notes.Arn}";
    assert!(agrees && text.contains(note), "{text}");

    assert!(hooks(&app, &["add", "page_moved"]).0);
    let template = fs::read_to_string(app.join("template.yaml")).unwrap();
    for words in [
        "  # From infra/atlassian-hooks.yaml\n  Notes:\n",
        "VisibilityTimeout: 360",
        "NOTES: !Ref Notes",
    ] {
        assert!(template.contains(words), "{words}");
    }
}

/// `local` reads the descriptor in the same way, after minutes of building.
#[test]
fn template_warns_of_what_check_warns_of() {
    let (_folder, app) = app(&["--product", "jira"]);
    let path = app.join("infra/atlassian-connect.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut descriptor: serde_json::Value = serde_json::from_str(&text).unwrap();
    let webhooks = descriptor["modules"]["webhooks"].as_array_mut().unwrap();
    webhooks.push(serde_json::json!({
        "event": "jira:issue_craeted", "url": "/x", "excludebody": true,
    }));
    webhooks.push(serde_json::json!({
        "event": "jira:issue_deleted", "url": "/y?version=${version.id}",
    }));
    fs::write(&path, descriptor.to_string()).unwrap();
    for command in [&["template", "--print"][..], &["check"]] {
        let (_, text) = hooks(&app, command);
        for words in [
            "did you mean jira:issue_created?",
            "did you mean \"excludeBody\"?",
            "jira:issue_deleted has no variable version.id, so Jira removes it from the URL; it has \
             issue.id, issue.key, project.id, project.key",
        ] {
            assert!(text.contains(words), "{command:?} does not say {words:?}: {text}");
        }
    }
}

#[test]
fn creates_an_inspector_of_every_event_that_hides_bodies() {
    let (_folder, app) = app(&["--inspector"]);
    let (agrees, text) = hooks(&app, &["check"]);
    assert!(agrees, "{text}");
    let descriptor = fs::read_to_string(app.join("infra/atlassian-connect.json")).unwrap();
    for event in EventName::ALL {
        assert!(descriptor.contains(&format!("\"event\": \"{event}\"")), "{event}");
    }
    let template = fs::read_to_string(app.join("template.yaml")).unwrap();
    assert!(template.contains("  ShowBodies:\n    Type: String\n    Default: \"false\"\n"));
    assert!(template.contains("SHOW_BODIES: !Ref ShowBodies"));
    let (again, _) = hooks(&app, &["template"]);
    assert!(again);
    assert_eq!(fs::read_to_string(app.join("template.yaml")).unwrap(), template);

    let (_folder, other) = self::app(&[]);
    let configuration = "template: { inspector: true }\n";
    fs::write(other.join("infra/atlassian-hooks.yaml"), configuration).unwrap();
    let (written, text) = hooks(&other, &["template"]);
    assert!(!written && text.contains("new webhook-inspector --inspector"), "{text}");
}
