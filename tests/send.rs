//! `cargo hooks send` against a running app.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use atlassian_connect::event::{EventName, Product};
use atlassian_simulator::Site;
use atlassian_simulator::forge::Installation;
use atlassian_simulator::samples::sample;
use cargo_hooks::session::{LocalForge, Published, Session};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{hooks_at, hooks_of_both};
use crate::harness::app::{FORGE_KEY, MANIFEST, TestApp, in_haste};
use crate::harness::log::Logged;

/// A folder with a session of the app and some sites, which lasts as long as this.
struct Home {
    folder: TempDir,
    _session: Published,
}

impl Home {
    fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn session(app: &TestApp, sites: &[Site]) -> Home {
    let folder = tempfile::tempdir().unwrap();
    // No page: what becomes of a delivery is read from the log here.
    let session = Session::new(app.stack.url(), app.stack.sqs_endpoint(), "http://none", sites);
    let _session = session.publish_in(folder.path()).unwrap();
    Home { folder, _session }
}

/// Runs `cargo hooks send …`.
async fn send(home: &Home, arguments: &[&str]) -> Output {
    let mut command = hooks_at(home.path(), &[&["send", "--no-wait"], arguments].concat());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_is_handled_twice() {
    let app = TestApp::new().await;
    let home = session(&app, &[app.jira.clone(), app.confluence.clone()]);
    let sent = async |arguments: &[&str]| {
        let output = send(&home, arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output
    };
    for _ in 0..2 {
        sent(&["page_created"]).await;
        let output =
            sent(&["jira:issue_created", "--set", "issue.key=ABC-1", "--set", "note=1"]).await;
        let note = stderr(&output);
        assert!(note.starts_with("note: note is added to the body, beside "), "{note}");
    }
    app.logged(Logged::PageCreated, 2).await;
    let issues = app.logged(Logged::IssueCreated, 2).await;
    assert!(issues.iter().all(|line| line["issue.key"] == "ABC-1"), "{issues:?}");

    // A file is what it is, unless it is told to be new.
    let file = home.path().join("body.json");
    let body = sample(Product::Confluence, &EventName::PageCreated).unwrap();
    std::fs::write(&file, body).unwrap();
    let file = file.to_str().unwrap();
    sent(&["page_created", "--body", file, "--fresh", "--count", "2"]).await;
    sent(&["page_created", "--body", file]).await;
    app.logged(Logged::DeliveryHandled, 7).await;
    sent(&["page_created", "--body", file]).await;
    app.logged(Logged::DeliveryDuplicate, 1).await;
    app.drained("PageCreatedQueue").await;
    assert_eq!(app.logged(Logged::PageCreated, 5).await.len(), 5);
    assert_eq!(app.logged(Logged::DeliveryDuplicate, 1).await.len(), 1);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_forge_are_sent_as_forge_does_and_as_it_never_would() {
    let app = TestApp::with_endpoints(in_haste).await;
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::new(Product::Jira, &MANIFEST.app.id);
    let forge = LocalForge::new(&FORGE_KEY, std::slice::from_ref(&installation));
    let none: [&Site; 0] = [];
    let session = Session::new(app.stack.url(), app.stack.sqs_endpoint(), "http://none", none);
    let _session = session.with_forge(Some(forge)).publish_in(folder.path()).unwrap();
    let send = async |arguments: &[&str]| {
        let arguments = [&["send", "--no-wait"], arguments].concat();
        let mut command = hooks_of_both(folder.path(), &arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let event = "avi:jira:updated:issue";
    let output = send(&[event, "--count", "2", "--retry", "1", "--set", "issue.key=TEA-9"]).await;
    assert!(output.status.success(), "{}", stderr(&output));
    app.logged(Logged::DeliveryQueued, 4).await;
    app.drained("ScriptedQueue").await;
    let done = app.logged(Logged::ScriptDone, 2).await;
    assert_eq!(done.len(), 2);
    assert!(done.iter().all(|line| line["payload"].as_str().unwrap().contains("TEA-9")));
    assert_eq!(app.logged(Logged::DeliveryDuplicate, 2).await.len(), 2);
    let queued = app.logged(Logged::DeliveryQueued, 4).await;
    assert!(queued.iter().all(|line| line["tenant.key"] == installation.id.as_str()));

    let reasons = [
        ("browser", "user"),
        ("other-app", "other_app"),
        ("other-endpoint", "other_endpoint"),
        ("expired", "expired"),
        ("stranger", "unknown_key"),
    ];
    for (number, (holder, reason)) in reasons.into_iter().enumerate() {
        let output = send(&[event, "--as", holder]).await;
        assert!(output.status.success(), "{holder}: {}", stderr(&output));
        let refused = app.logged(Logged::RequestRejected, number + 1).await;
        assert_eq!(refused[number]["reason"], reason, "{holder}");
    }
    assert_eq!(app.logged(Logged::DeliveryQueued, 4).await.len(), 4);

    for (arguments, advice) in [
        (&[event, "--url", "https://hooks.example.com"][..], "only Atlassian can sign"),
        (&["avi:jira:deleted:issue"], "the manifest sends avi:jira:deleted:issue to no endpoint"),
        (&["jira:issue_created", "--as", "browser"], "--as and --retry are for events of Forge"),
        (&[event, "--tenant", "nobody"], "the local stack has no installation nobody"),
        (&[event, "--rate", "5"], "one after the other"),
    ] {
        let output = send(arguments).await;
        assert!(!output.status.success() && stderr(&output).contains(advice), "{output:?}");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_counts_what_the_app_counts() {
    let app = TestApp::new().await;
    let sites =
        [app.jira.clone(), app.installed(Product::Jira).await, app.installed(Product::Jira).await];
    let home = session(&app, &[&sites[..], std::slice::from_ref(&app.confluence)].concat());
    let load = ["--count", "200", "--rate", "100", "--tenants", "3", "--json"];
    let output = send(&home, &[&["jira:issue_updated"], &load[..]].concat()).await;
    let report = report(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(report["statuses"], json!({ "204": 200 }));
    assert_eq!((&report["sent"], &report["accepted"]), (&json!(200), &json!(200)));
    // The last of them was due then.
    assert!(report["seconds"].as_f64().unwrap() >= 1.99, "{report}");
    let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap();
    assert!(0.0 < latency("p50") && latency("p50") <= latency("p99"), "{report}");
    assert!(latency("p99") <= latency("max"), "{report}");

    app.logged(Logged::DeliveryQueued, 200).await;
    app.logged(Logged::DeliveryHandled, 200).await;
    app.drained("ScriptedQueue").await;
    let mut handled = BTreeMap::<String, usize>::new();
    for line in app.logged(Logged::DeliveryHandled, 200).await {
        *handled.entry(line["tenant.key"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let wanted = sites.iter().map(|site| site.client_key.to_string()).zip([67, 67, 66]);
    assert_eq!(handled, wanted.collect());
    assert!(app.logged(Logged::DeliveryDuplicate, 0).await.is_empty());

    let mix = home.path().join("mix");
    std::fs::write(&mix, "6 jira:issue_updated\n3 page_created\n1 jira:issue_deleted\n").unwrap();
    let output = send(&home, &["--mix", mix.to_str().unwrap(), "--count", "20"]).await;
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(text.starts_with("20 deliveries of 2 tenants in "), "{text}");
    for line in ["204  20\n", "12  jira:issue_updated", "6  page_created", "2  jira:issue_deleted"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    app.logged(Logged::PageCreated, 6).await;
    let handled = app.logged(Logged::DeliveryHandled, 220).await;
    let deleted = handled.iter().filter(|line| line["delivery.event"] == "jira:issue_deleted");
    assert_eq!((handled.len(), deleted.count()), (220, 2));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_to_do_about_a_refusal() {
    let app = TestApp::new().await;
    let stranger = Site::new(Product::Jira, "stranger");
    let home = session(&app, &[stranger, app.confluence.clone()]);
    let output = send(&home, &["jira:issue_updated"]).await;
    let error = stderr(&output);
    assert!(!output.status.success() && error.lines().count() == 1, "{error}");
    assert!(error.contains("refused with 401") && error.contains("cargo hooks local"), "{error}");

    let output = send(&home, &["jira:issue_updated", "--count", "12", "--json"]).await;
    assert!(!output.status.success());
    assert_eq!(report(&output)["statuses"], json!({ "401": 12 }));
    assert!(stderr(&output).contains("12 of 12: refused with 401"), "{}", stderr(&output));

    let body = home.path().join("text");
    std::fs::write(&body, "kettle").unwrap();
    let output = send(&home, &["page_created", "--body", body.to_str().unwrap()]).await;
    assert!(stderr(&output).contains("refused with 400"), "{}", stderr(&output));
    assert!(stderr(&output).contains("correct the body"), "{}", stderr(&output));

    let output = send(&home, &["page_created", "--tenants", "2"]).await;
    assert!(stderr(&output).contains("cargo hooks local --sites 2"), "{}", stderr(&output));
    let output = send(&home, &["page_created", "--tenant", "nobody"]).await;
    assert!(stderr(&output).contains("no demo site nobody"), "{}", stderr(&output));

    app.stack.stop().await;
    let output = send(&home, &["page_created"]).await;
    assert!(
        stderr(&output).contains("start it again with `cargo hooks local`"),
        "{}",
        stderr(&output)
    );
}
