//! The page of a local stack: what it tells about requests, and what it does.

use std::sync::Arc;
use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::forge::Forge;
use atlassian_simulator::signed::sample;
use atlassian_simulator::{Atlassian, Site};
use cargo_hooks::demo::{Demo, Page};
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use inspector::{Declared, Journey, Journeys, Outcome, Verdict};
use reqwest::StatusCode;
use serde_json::{Value, json};
use signed_webhooks::Kind;
use tokio::sync::broadcast::Receiver;

use crate::harness::app::{DESCRIPTOR, FORGE_KEY, INSTALL_KEY, MANIFEST, TestApp};
use crate::signed::WEBHOOKS;

/// The page beside the app, with a Jira of its own.
struct Shown {
    app: TestApp,
    demo: Demo,
    url: String,
    journeys: Journeys,
    changes: Receiver<Arc<Journey>>,
    tenant: String,
}

impl Shown {
    async fn new() -> Self {
        let site = Site::new(Product::Jira, "shown");
        let tenant = site.client_key.to_string();
        let declared = Declared::from(DESCRIPTOR.clone());
        let shown = Self { tenant, ..Self::of(TestApp::new().await, declared, vec![site]).await };
        let answer = shown.demo.call_back(Callback::Installed, &shown.demo.sites()[0]).await;
        assert!(answer.unwrap().status.is_success());
        shown
    }

    /// The page beside the endpoints of a Forge app, with a Jira of its own.
    async fn of_forge() -> Self {
        let app = TestApp::with_endpoints(|template| template).await;
        let declared = Declared { manifest: Some(MANIFEST.clone()), ..Declared::default() };
        let shown = Self::of(app, declared, Vec::new()).await;
        let tenant = shown.demo.installations()[0].id.clone();
        Self { tenant, ..shown }
    }

    /// The page beside URLs of signed webhooks, with a tenant of each kind.
    async fn of_signed() -> Self {
        let configuration = Configuration::parse(WEBHOOKS).unwrap();
        let template = render(&*DESCRIPTOR, &configuration).unwrap();
        let app = TestApp::with(|_| template).await;
        let descriptor = Some(DESCRIPTOR.clone());
        let signed = configuration.signed();
        let declared = Declared { descriptor, signed, ..Declared::default() };
        let shown = Self::of(app, declared, Vec::new()).await;
        shown.demo.add_signed().await.unwrap();
        shown
    }

    async fn of(app: TestApp, declared: Declared, sites: Vec<Site>) -> Self {
        let atlassian = Atlassian::start(INSTALL_KEY.clone()).await.unwrap();
        atlassian.forge().rotate(FORGE_KEY.clone());
        let page = Page::bind(0).await.unwrap();
        let (addresses, deployment) = (page.beside(&app.stack), app.stack.deployment());
        let demo = Demo::open(declared, atlassian, addresses, deployment, sites, None).unwrap();
        let (url, journeys) = page.serve(&app.stack, &demo, "/");
        let changes = journeys.subscribe();
        Self { app, demo, url, journeys, changes, tenant: String::new() }
    }

    async fn post(&self, path: &str, body: Value) -> StatusCode {
        let client = self.demo.atlassian().client();
        let request = client.post(format!("{}{path}", self.url)).body(body.to_string());
        request.send().await.unwrap().status()
    }

    /// Sends an event with the page's button, and waits for its end.
    async fn send(&mut self, event: &str, body: Value, tampering: &str) -> Arc<Journey> {
        let tenant = &self.tenant;
        let body = body.to_string();
        let send = json!({"tenant": tenant, "event": event, "body": body, "tampering": tampering});
        assert_eq!(self.post("/api/send", send).await, StatusCode::NO_CONTENT);
        self.ended(|journey| journey.sent.body == body).await
    }

    async fn ended(&mut self, is_meant: impl Fn(&Journey) -> bool) -> Arc<Journey> {
        let ended = async {
            loop {
                let journey = self.changes.recv().await.unwrap();
                if journey.is_settled() && is_meant(&journey) {
                    return journey;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap()
    }
}

fn issue(key: &str, script: &str) -> Value {
    json!({"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "key": key}, "do": script})
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_became_of_what_it_sends() {
    let mut shown = Shown::new().await;
    let handled = shown.send("jira:issue_updated", issue("A-1", ""), "none").await;
    assert_eq!((handled.verdict, handled.outcome), (Verdict::Verified, Outcome::Handled));
    assert_eq!(handled.reading.as_ref().unwrap().word, "read");
    assert_eq!(handled.handler.as_deref(), Some("ScriptedHandler"));
    assert!(handled.lines.iter().any(|line| line.function == "ScriptedHandler"));

    for (number, (tampering, reason)) in [
        ("expired", "expired"),
        ("wrong_secret", "signature"),
        ("wrong_qsh", "qsh"),
        ("browser", "qsh"),
        ("no_token", "no_token"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = issue(&format!("B-{number}"), "");
        let refused = shown.send("jira:issue_updated", body, tampering).await;
        assert_eq!((refused.verdict, refused.status), (Verdict::NotTrusted, 401));
        assert_eq!(refused.reason.as_deref(), Some(reason));
    }

    // With a new secret; the old one is honoured for a while, so the new one has to be used at once.
    let old = shown.demo.sites()[0].secret.expose().to_owned();
    let install = json!({"tenant": shown.tenant});
    assert_eq!(shown.post("/api/install", install).await, StatusCode::NO_CONTENT);
    let new = shown.demo.sites()[0].secret.expose().to_owned();
    assert_ne!(new, old);
    let handled = shown.send("jira:issue_updated", issue("C-1", ""), "none").await;
    assert_eq!(handled.outcome, Outcome::Handled);

    let uninstall = json!({"tenant": shown.tenant, "uninstall": true});
    assert_eq!(shown.post("/api/install", uninstall).await, StatusCode::NO_CONTENT);
    let uninstalled = |journey: &Journey| journey.event.as_deref() == Some("uninstalled");
    let uninstalled = shown.ended(uninstalled).await;
    assert_eq!((uninstalled.verdict, uninstalled.outcome), (Verdict::Verified, Outcome::Answered));

    let all = serde_json::to_string(&shown.journeys.all()).unwrap();
    assert!(!all.contains(&old) && !all.contains(&new), "no secret is kept");
    shown.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_became_of_events_of_forge() {
    let mut shown = Shown::of_forge().await;
    let installation = shown.demo.installations()[0].clone();
    let event = "avi:jira:updated:issue";
    let body = || Forge::sample(&installation, &event.into());
    let handled = shown.send(event, body(), "none").await;
    assert_eq!((handled.verdict, handled.outcome), (Verdict::Verified, Outcome::Handled));
    assert_eq!(handled.sender.as_deref(), Some("forge"));
    assert_eq!(handled.tenant.as_deref(), Some(&*installation.id));
    assert_eq!(handled.reading.as_ref().unwrap().word, "read");
    let wrapped = shown.send(event, json!({ "payload": body() }), "none").await;
    assert_eq!((wrapped.event.as_deref(), wrapped.outcome), (Some(event), Outcome::Handled));
    assert_eq!(wrapped.reading.as_ref().unwrap().word, "read");

    for (tampering, reason) in [
        ("expired", "expired"),
        ("wrong_secret", "signature"),
        ("wrong_qsh", "other_endpoint"),
        ("browser", "user"),
        ("no_token", "no_token"),
    ] {
        let refused = shown.send(event, body(), tampering).await;
        assert_eq!((refused.verdict, refused.status), (Verdict::NotTrusted, 401), "{tampering}");
        assert_eq!(refused.reason.as_deref(), Some(reason));
        assert_eq!(refused.sender.as_deref(), Some("forge"));
    }
    shown.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_became_of_signed_webhooks() {
    let mut shown = Shown::of_signed().await;
    let secrets: Vec<String> =
        shown.demo.signed().iter().map(|one| one.secret.expose().to_owned()).collect();
    for (tenant, kind, event) in [
        ("demo-jira", Kind::Jira, "jira:issue_deleted"),
        ("demo-jira-oauth", Kind::JiraOauth, "jira:issue_created"),
        ("demo-bitbucket", Kind::Bitbucket, "repo:push"),
    ] {
        shown.tenant = tenant.to_owned();
        let body = |number: u32| {
            let mut body = sample(kind, &event.into());
            body["number"] = number.into();
            body
        };
        let handled = shown.send(event, body(1), "none").await;
        assert_eq!((handled.verdict, handled.outcome), (Verdict::Verified, Outcome::Handled));
        assert_eq!(handled.event.as_deref(), Some(event));
        for (number, tampering) in [(2, "wrong_secret"), (3, "no_token")] {
            let refused = shown.send(event, body(number), tampering).await;
            assert_eq!(
                (refused.verdict, refused.status),
                (Verdict::NotTrusted, 401),
                "{tampering}"
            );
            assert_eq!(refused.sender.as_deref(), Some("signed"));
            assert_eq!(refused.tenant.as_deref(), Some(tenant));
            assert_eq!(refused.event.as_deref(), Some(event));
        }
    }
    let all = serde_json::to_string(&shown.journeys.all()).unwrap();
    assert!(secrets.iter().all(|secret| !all.contains(secret)), "no secret is kept");
    assert!(!all.contains("sha256="), "and no signature");

    // A signature has no time that could be over.
    let send = json!({"tenant": "demo-jira", "event": "jira:issue_deleted", "body": "{}", "tampering": "expired"});
    assert_eq!(shown.post("/api/send", send).await, StatusCode::UNPROCESSABLE_ENTITY);
    shown.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_a_dead_letter() {
    let mut shown = Shown::new().await;
    let body = issue("A-1", "give up");
    let dead = shown.send("jira:issue_updated", body.clone(), "none").await;
    assert_eq!(dead.outcome, Outcome::DeadLettered);
    let other = shown.send("jira:issue_updated", issue("A-2", "give up"), "none").await;
    assert_eq!(other.outcome, Outcome::DeadLettered);

    let replay = format!("/api/journeys/{}/replay", dead.id);
    assert_eq!(shown.post(&replay, json!({})).await, StatusCode::NO_CONTENT);
    let again = shown.ended(|journey| journey.id == dead.id && journey.attempts.len() > 1).await;
    assert_eq!((again.outcome, again.attempts.len()), (Outcome::DeadLettered, 2));
    let other = shown.journeys.get(&other.id).unwrap();
    assert_eq!(other.attempts.len(), 1, "only what was asked for");
    shown.app.stack.stop().await;
}
