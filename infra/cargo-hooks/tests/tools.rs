//! `schema`, `completions` and `doctor`, as a user types them.

#![expect(clippy::unwrap_used, reason = "a helper of tests is test code as well")]

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use atlassian_connect::event::EventName;
use serde_json::{Value, json};
use tempfile::TempDir;

/// `cargo hooks …` in a folder, on a machine whose owner has set up nothing.
fn hooks(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hooks"));
    command.args(arguments).current_dir(folder).env("HOOKS_HOME", folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    // Neither is there.
    command.env("AWS_CONFIG_FILE", folder.join("no-config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", folder.join("no-credentials"));
    command
}

/// Runs it: whether it succeeded, its output, and its errors.
fn run(command: &mut Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// A new app in a folder of its own.
fn app() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (created, _, errors) = run(&mut hooks(folder.path(), &["new", "my-app"]));
    assert!(created, "{errors}");
    folder
}

/// The rows that `doctor --json` prints, whether it succeeded, and its errors.
fn examined(command: &mut Command) -> (Vec<Value>, bool, String) {
    let (succeeded, output, errors) = run(command);
    (output.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), succeeded, errors)
}

fn row<'r>(rows: &'r [Value], name: &str) -> &'r Value {
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {rows:?}"))
}

/// Judges a value by the keywords that the schema has. A crate for all of JSON Schema would change the
/// features of crates that the SDKs depend on, and have them compiled twice.
fn judge(schema: &Value, value: &Value) -> Result<(), String> {
    let refused = |keyword: &str| Err(format!("{keyword} of {schema} refuses {value}"));
    let keywords = schema.as_object().unwrap();
    for (keyword, wanted) in keywords {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match wanted.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64(),
                other => panic!("{other} is not judged here"),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "anyOf" => wanted.as_array().unwrap().iter().any(|one| judge(one, value).is_ok()),
            "required" => value.as_object().is_none_or(|object| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                for (name, member) in wanted.as_object().unwrap() {
                    value.get(name).map_or(Ok(()), |value| judge(member, value))?;
                }
                true
            }
            "additionalProperties" => value.as_object().is_none_or(|object| {
                let named = |name: &String| keywords["properties"].get(name).is_some();
                object.iter().all(|(name, value)| named(name) || judge(wanted, value).is_ok())
            }),
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|item| judge(wanted, item))?;
                true
            }
            "minItems" => {
                value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap())
            }
            "minLength" => {
                value.as_str().is_none_or(|text| text.len() as u64 >= wanted.as_u64().unwrap())
            }
            "maxLength" => {
                value.as_str().is_none_or(|text| text.len() as u64 <= wanted.as_u64().unwrap())
            }
            "pattern" => value.as_str().is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
            other => panic!("{other} is not judged here"),
        };
        if !holds {
            return refused(keyword);
        }
    }
    Ok(())
}

/// Whether an extended regular expression matches, by `grep`: those of the schema mean the same to it
/// as to JavaScript.
fn matches(pattern: &str, text: &str) -> bool {
    let mut grep = Command::new("grep")
        .args(["-Eq", "-e", pattern])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(grep.stdin.take().unwrap(), "{text}").unwrap();
    grep.wait().unwrap().success()
}

#[test]
fn the_schema_takes_what_is_right_and_nothing_that_is_wrong() {
    let folder = app();
    let app = folder.path().join("my-app");
    let (printed, schema, _) = run(&mut hooks(folder.path(), &["schema"]));
    assert!(printed);
    let beside = fs::read_to_string(app.join("infra/atlassian-connect.schema.json")).unwrap();
    assert_eq!(beside, schema);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let judged = |descriptor: &Value| judge(&schema, descriptor);

    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let files = [
        Path::new(root).join("infra/atlassian-connect.json"),
        Path::new(root).join("tests/app/atlassian-connect.json"),
        app.join("infra/atlassian-connect.json"),
    ];
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        judged(&serde_json::from_str(&text).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    let right: Value = serde_json::from_str(&fs::read_to_string(&files[2]).unwrap()).unwrap();
    for event in EventName::ALL.iter().map(EventName::as_str).chain(["future_event"]) {
        let mut other = right.clone();
        other["modules"]["webhooks"][0]["event"] = event.into();
        other["modules"]["generalPages"] = json!([{ "key": "page" }]);
        judged(&other).unwrap();
    }
    let wrong = [
        ("/key", json!("no key")),
        ("/scopes", json!("READ")),
        ("/authentication/type", json!("none")),
        ("/lifecycle/installed", json!("installed")),
        ("/modules/webhooks", json!({})),
        ("/modules/webhooks/0/event", json!("")),
        ("/modules/webhooks/0/event", json!(["page_created"])),
        ("/modules/webhooks/0/url", json!("https://example.com/page-created")),
        ("/modules/webhooks/0/url", json!("/page created")),
        ("/modules/webhooks/0/excludeBody", json!("yes")),
        ("/modules/webhooks/0/propertyKeys", json!("key")),
        ("/modules/webhooks/0/params", json!({ "handler": "Not a name" })),
    ];
    for (place, value) in wrong {
        let mut other = right.clone();
        let (parent, member) = place.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[member] = value;
        assert!(judged(&other).is_err(), "{place}: {other}");
    }
    for (parent, member) in
        [("", "key"), ("/lifecycle", "installed"), ("/modules/webhooks/0", "url")]
    {
        let mut other = right.clone();
        other.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member);
        assert!(judged(&other).is_err(), "without {parent}/{member}");
    }
}

#[test]
fn a_new_apps_editor_finds_the_schema() {
    let folder = app();
    let app = folder.path().join("my-app");
    let settings = fs::read_to_string(app.join(".vscode/settings.json")).unwrap();
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let entry = &settings["json.schemas"][0];
    let matched = entry["fileMatch"][0].as_str().unwrap().trim_start_matches('/');
    assert!(app.join(matched).is_file(), "{matched}");
    assert!(app.join(entry["url"].as_str().unwrap()).is_file(), "{entry}");
    let descriptor = fs::read_to_string(app.join(matched)).unwrap();
    assert!(!descriptor.contains("$schema"), "Atlassian documents no such member: {descriptor}");
}

#[test]
fn completes_the_commands_in_bash_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("completions");
    for shell in ["zsh", "fish", "elvish", "powershell", "bash"] {
        let (printed, text, errors) = run(&mut hooks(folder.path(), &["completions", shell]));
        assert!(printed && text.contains("cargo-hooks"), "{shell}: {errors}");
        let has_a_space = text.contains("(cargo hooks)");
        assert!(!has_a_space, "a name with a space is two words to {shell}");
        fs::write(&script, text).unwrap();
    }
    // As bash does it: the function that the script registers, with the words that are there.
    let typed = "source ./completions; COMP_WORDS=(cargo-hooks do); COMP_CWORD=1; \
                 registered=$(complete -p cargo-hooks); function=${registered#*-F }; \
                 ${function%% *} cargo-hooks do cargo-hooks; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", typed]).current_dir(folder.path()).output();
    let output = output.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "doctor", "{:?}", output.stderr);

    let (printed, _, errors) = run(&mut hooks(folder.path(), &["completions", "tcsh"]));
    assert!(!printed && errors.contains("[possible values: bash, elvish, fish"), "{errors}");
}

#[test]
fn the_doctor_finds_nothing_missing_where_an_app_can_run() {
    let folder = app();
    let app = folder.path().join("my-app");
    let port = free_port();
    let arguments = ["doctor", "--json", "--port", &port];
    let (rows, succeeded, errors) = examined(&mut hooks(&app, &arguments));
    assert!(succeeded, "{errors}{rows:#?}");
    for name in ["Rust", "C compiler", "port", "app descriptor", "template.yaml"] {
        assert_eq!(row(&rows, name)["state"], "ok", "{rows:#?}");
    }
    for name in ["AWS region", "AWS credentials", "local stack"] {
        assert_eq!(row(&rows, name)["state"], "optional", "{rows:#?}");
    }
    let unhelpful = rows.iter().find(|row| row["state"] != "ok" && row["advice"].is_null());
    assert_eq!(unhelpful, None);

    let (_, table, _) = run(&mut hooks(&app, &arguments[..1]));
    for title in ["To run locally", "To deploy", "To operate"] {
        assert!(table.contains(title), "{table}");
    }
    assert!(!table.contains('\u{1b}'), "a pipe gets no colour: {table}");
    let (_, coloured, _) = run(hooks(&app, &arguments[..1]).env("CLICOLOR_FORCE", "1"));
    assert!(coloured.contains("\u{1b}[32m"), "{coloured}");

    let (rows, _, _) = examined(hooks(&app, &arguments).env("AWS_REGION", "eu-west-1"));
    assert_eq!(row(&rows, "AWS region")["found"], "eu-west-1");
    let mut signed_in = hooks(&app, &arguments);
    signed_in.env("AWS_ACCESS_KEY_ID", "AKIACANARY").env("AWS_SECRET_ACCESS_KEY", "c4n4ry");
    let (rows, _, _) = examined(signed_in.env("AWS_REGION", "eu-west-1"));
    assert_eq!(row(&rows, "AWS credentials")["state"], "ok", "{rows:#?}");
    let printed = format!("{rows:?}");
    assert!(!printed.contains("c4n4ry") && !printed.contains("AKIACANARY"), "{printed}");
}

#[test]
fn the_doctor_works_outside_an_app() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, succeeded, errors) =
        examined(&mut hooks(folder.path(), &["doctor", "--json", "--port", &free_port()]));
    assert!(succeeded, "{errors}");
    let app = row(&rows, "app");
    assert_eq!(app["state"], "optional");
    assert!(app["advice"].as_str().unwrap().contains("cargo hooks new"), "{app}");
}

/// What is wrong, the row that says so, and words of its advice.
#[test]
fn the_doctor_says_what_to_type() {
    type Spoil = fn(&Path, &mut Command);
    let rows: [(Spoil, &str, &str, &str); 7] = [
        (|_, command| _ = command.env("RUSTC", "/none"), "Rust", "missing", "rustup.rs"),
        (|_, command| _ = command.env("CC", "/none"), "C compiler", "missing", "apt install gcc"),
        (
            |app, _| fs::remove_file(app.join("template.yaml")).unwrap(),
            "template.yaml",
            "missing",
            "cargo hooks template",
        ),
        (
            |app, _| {
                let path = app.join("template.yaml");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, text.replace("MemorySize: 256", "MemorySize: 512")).unwrap();
            },
            "template.yaml",
            "missing",
            "cargo hooks template",
        ),
        (
            |app, _| fs::write(app.join("infra/atlassian-connect.json"), "{}").unwrap(),
            "app descriptor",
            "missing",
            "cargo hooks check",
        ),
        (
            |app, _| {
                let gone = r#"{ "url": "http://127.0.0.1:1", "sqs": "", "sites": [] }"#;
                fs::write(app.join("local.json"), gone).unwrap();
            },
            "local stack",
            "optional",
            "cargo hooks local",
        ),
        (
            |app, _| {
                let path = app.join("template.yaml");
                let text = fs::read_to_string(&path).unwrap();
                let own = env!("CARGO_PKG_VERSION");
                fs::write(path, text.replacen(own, "0.0.1", 1)).unwrap();
            },
            "versions",
            "optional",
            "cargo hooks check",
        ),
    ];
    for (spoil, name, state, advice) in rows {
        let folder = app();
        let app = folder.path().join("my-app");
        let mut command = hooks(&app, &["doctor", "--json", "--port", &free_port()]);
        spoil(&app, &mut command);
        let (rows, succeeded, errors) = examined(&mut command);
        let row = row(&rows, name);
        assert_eq!(row["state"], state, "{name}: {rows:#?}");
        assert!(row["advice"].as_str().unwrap().contains(advice), "{row}");
        let is_missing = |row: &Value| row["group"] == "local" && row["state"] == "missing";
        assert_eq!(succeeded, !rows.iter().any(is_missing), "{rows:#?}");
        if !succeeded {
            assert_eq!(errors.lines().count(), 1, "{errors}");
            assert!(errors.contains("do what the rows above say"), "{errors}");
        }
    }
}

#[test]
fn the_doctor_says_that_a_port_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (rows, succeeded, errors) =
        examined(&mut hooks(folder.path(), &["doctor", "--json", "--port", &port]));
    assert!(succeeded, "another port does as well: {errors}");
    let row = row(&rows, "port");
    assert_eq!(row["state"], "optional");
    assert!(row["advice"].as_str().unwrap().contains("--port 0"), "{row}");
}

/// What other tools read is what the template says, with the values that they give.
#[test]
fn the_plan_has_every_function_of_the_template() {
    let folder = app();
    let app = folder.path().join("my-app");
    let json = &["plan", "--json", "--parameter", "HandlerConcurrency=7"];
    let (printed, plan, errors) = run(&mut hooks(&app, json));
    assert!(printed, "{errors}");
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["schema"], 1);
    let (_, for_people, _) = run(&mut hooks(&app, &["plan"]));
    let template = fs::read_to_string(app.join("template.yaml")).unwrap();
    let mut functions = 0;
    let mut lines = template.lines().peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_none_or(|next| next.trim() != "Type: AWS::Serverless::Function") {
            continue;
        }
        let id = line.trim().trim_end_matches(':');
        let found = plan["functions"].as_array().unwrap().iter().find(|found| found["id"] == id);
        let found = found.unwrap_or_else(|| panic!("{id} is missing: {plan:#}"));
        assert!(for_people.contains(&format!("\n{id}: ")) || for_people.starts_with(id));
        let role = &found["role"];
        assert!(plan["roles"].as_array().unwrap().iter().any(|one| one["id"] == *role), "{id}");
        if id.ends_with("Handler") {
            assert_eq!(found["eventSources"][0]["maximumConcurrency"], 7);
        } else {
            assert!(found["routes"][0]["path"].as_str().unwrap().starts_with('/'));
        }
        functions += 1;
    }
    assert_eq!((functions, plan["functions"].as_array().unwrap().len()), (6, 6));

    let wrong = &["plan", "--parameter", "HandlerConcurency=7"];
    let (printed, _, errors) = run(&mut hooks(&app, wrong));
    assert!(!printed && errors.contains("did you mean `HandlerConcurrency`?"), "{errors}");
    fs::remove_file(app.join("template.yaml")).unwrap();
    let (printed, _, errors) = run(&mut hooks(&app, &["plan"]));
    assert!(!printed && errors.contains("cargo hooks template"), "{errors}");
}

/// A reader that closes the pipe has seen enough.
#[test]
fn the_cost_follows_from_template_parameters_and_workload() {
    let app = app();
    let app = app.path().join("my-app");
    let totals = |arguments: &[&str]| {
        let arguments = [&["cost", "--json"], arguments].concat();
        let (printed, bill, errors) = run(&mut hooks(&app, &arguments));
        assert!(printed, "{errors}");
        let bill: Value = serde_json::from_str(&bill).unwrap();
        assert_eq!(bill["schema"], 1);
        let month_of = |line: &Value| line["month"].as_f64().unwrap();
        let sum: f64 = bill["lines"].as_array().unwrap().iter().map(month_of).sum();
        let month = bill["totals"]["month"].as_f64().unwrap();
        assert!((sum - month).abs() < 1e-6 && month > 1.0, "{bill:#}");
        month
    };
    let plain = totals(&[]);
    assert!(totals(&["--parameter", "Tracing=Active"]) > plain + 8.0);
    assert!(totals(&["--idempotency", "every-time"]) < plain - 1.0);
    assert!(totals(&["--events", "2000000"]) > plain + 2.0);
    assert!(totals(&["--urls", "4", "--tenants", "1000", "--size", "100"]) > plain + 1.0);
    // The template of another app, from anywhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let template = app.join("template.yaml");
    let arguments = ["cost", "--template", template.to_str().unwrap()];
    let (printed, table, errors) = run(&mut hooks(elsewhere.path(), &arguments));
    assert!(printed && table.contains("API Gateway") && table.contains("idle"), "{table}{errors}");

    let rows: [(&[&str], &str); 5] = [
        (&["--events", "0"], "the number of events must be more than 0"),
        (&["--size", "2000000"], "choose a smaller --size"),
        (&["--parameter", "Tracin=Active"], "Tracin"),
        (&["--parameter", "Tracing=Active", "--parameter", "Tracing=Active"], "given twice"),
        (&["--template", "nowhere.yaml"], "nowhere.yaml cannot be read; check the path"),
    ];
    for (arguments, words) in rows {
        let (printed, _, errors) = run(&mut hooks(&app, &[&["cost"], arguments].concat()));
        assert!(!printed && errors.contains(words), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["schema"][..], &["completions", "bash"]] {
        let mut command = hooks(folder.path(), arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}
