//! Events of a Forge app, end to end: from an invocation token to a handler.

use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::tenant::SharedSecret;
use atlassian_simulator::forge::{Endpoint as Target, Forge, Installation, SigningKey};
use atlassian_simulator::{Answer, Webhook};
use jiff::Timestamp;
use serde_json::{Value, json};
use signed_webhooks::{Kind, sign};

use crate::harness::app::{FORGE_KEY, NEXT_FORGE_KEY, TestApp, in_haste};
use crate::harness::log::Logged;
use crate::harness::process;
use crate::harness::tamper::Tamper as _;

mod table;

use table::{Attempt, attempts};

const APP: &str = "ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107";

/// An endpoint of the manifest.
pub(crate) struct Endpoint {
    pub(crate) key: &'static str,
    pub(crate) path: &'static str,
}

/// Takes several events of issues, one of which nobody knows.
pub(crate) const ISSUE: Endpoint = Endpoint { key: "issue-changed", path: "/forge/issue-changed" };

/// Takes the lifecycle, and the uninstall, whose body has no name.
const LIFE: Endpoint = Endpoint { key: "life", path: "/forge/life" };

/// Takes CloudEvents.
const POLICY: Endpoint = Endpoint { key: "policy", path: "/forge/policy" };

const BLOCKED: &str = "avi:ecosystem.app_policy:blocked:app_access_to_objects.v2";

/// The tests' app with its endpoints, and an installation.
pub(crate) struct ForgeApp {
    pub(crate) app: TestApp,
    pub(crate) installation: Installation,
}

impl ForgeApp {
    async fn new() -> Self {
        Self::with(in_haste).await
    }

    pub(crate) async fn without_handlers() -> Self {
        let off = "BatchSize: 10\n            Enabled: false";
        Self::with(|template| template.tamper("BatchSize: 10", off)).await
    }

    async fn with(tamper: impl FnOnce(String) -> String) -> Self {
        let app = TestApp::with_endpoints(tamper).await;
        Self { app, installation: Installation::new(Product::Jira, APP) }
    }

    fn forge(&self) -> &Forge {
        self.app.atlassian.forge()
    }

    fn url(&self, endpoint: &Endpoint) -> String {
        format!("{}{}", self.app.stack.url(), endpoint.path)
    }

    pub(crate) fn sample(&self, event: &str) -> Value {
        Forge::sample(&self.installation, &event.into())
    }

    /// Sends a body, byte for byte, with a token that is right.
    async fn send(&self, endpoint: &Endpoint, body: impl Into<String>) -> Answer {
        let claims = self.installation.event_claims(endpoint.key, Timestamp::now());
        let authorization = format!("Bearer {}", self.forge().sign(&claims).unwrap());
        let url = self.url(endpoint);
        self.forge().post(&url, Some(&authorization), body.into()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_an_event_to_its_handler_and_answers_as_forge_expects() {
    let ForgeApp { app, installation } = ForgeApp::new().await;
    let body = Forge::sample(&installation, &"avi:jira:created:issue".into());
    let claims = installation.event_claims(ISSUE.key, Timestamp::now());
    let token = app.atlassian.forge().sign(&claims).unwrap();
    let request = app.atlassian.client().post(format!("{}{}", app.stack.url(), ISSUE.path));
    let request = request.header("authorization", format!("Bearer {token}"));
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{}");

    let queued = &app.logged(Logged::DeliveryQueued, 1).await[0];
    assert_eq!(queued["function"], "ForgeIssueChangedReceiver");
    assert_eq!(queued["sender"], "forge");
    assert_eq!(queued["tenant.key"], installation.id);
    assert_eq!(queued["tenant.product"], "jira");
    let handled = &app.logged(Logged::DeliveryHandled, 1).await[0];
    assert_eq!(handled["delivery.event"], "avi:jira:created:issue");
    assert_eq!(handled["delivery.id"], queued["delivery.id"]);
    assert_eq!(app.logged(Logged::ScriptDone, 1).await[0]["payload"], body.to_string());
    assert!(!app.printed().contains(&token));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trusts_what_forge_signs_for_an_event_and_nothing_else() {
    let forge = ForgeApp::without_handlers().await;
    let ForgeApp { app, installation } = &forge;
    let site = app.installed(Product::Jira).await;
    let rows = attempts(installation, app.stack.url(), &site);
    let (mut taken, mut wrong) = (0, Vec::new());
    for Attempt { what, path, authorization, refused } in &rows {
        let before = app.logged(Logged::RequestRejected, 0).await.len();
        let target = format!("{}{path}", app.stack.url());
        let body = forge.sample("avi:jira:created:issue").to_string();
        let answer = forge.forge().post(&target, authorization.as_deref(), body).await.unwrap();
        let expected = if refused.is_some() { 401 } else { 200 };
        if answer.status != expected {
            wrong.push(format!("{what}: {}, not {expected}", answer.status));
        } else if let Some(reason) = refused {
            assert_eq!(answer.body, "not authorized", "{what}");
            let refused = app.logged(Logged::RequestRejected, before + 1).await;
            if refused[before]["reason"] != *reason {
                wrong.push(format!("{what}: {}", refused[before]));
            }
        } else {
            taken += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.total_depth().await, taken, "only what is trusted is queued");
    let printed = app.printed();
    for Attempt { what, authorization, .. } in &rows {
        let token = authorization.as_deref().and_then(|value| value.split_once(' '));
        let signature = token.and_then(|(_, token)| token.rsplit_once('.')).map_or("", |(_, s)| s);
        assert!(signature.len() < 20 || !printed.contains(signature), "{what}");
    }
    forge.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_every_form_of_a_body_and_no_event_that_is_not_declared() {
    let forge = ForgeApp::without_handlers().await;
    let app = &forge.app;
    let issue = forge.sample("avi:jira:updated:issue");
    let installed = forge.sample("avi:forge:installed:app");
    let mut nameless = installed.clone();
    nameless.as_object_mut().unwrap().remove("eventType");
    let policy = forge.sample(BLOCKED);
    let long = {
        let mut issue = issue.clone();
        issue["issue"]["fields"]["summary"] = "A kettle. ".repeat(20_000).into();
        issue.to_string()
    };
    assert!(long.len() > 200_000);
    let undeclared = forge.sample("avi:jira:deleted:issue");
    let rows: [(&str, &Endpoint, String, u16, &str); 16] = [
        ("an event as the body", &ISSUE, issue.to_string(), 200, ""),
        ("an event as the payload", &ISSUE, json!({ "payload": issue }).to_string(), 200, ""),
        (
            "another event of the endpoint",
            &ISSUE,
            forge.sample("avi:jira:created:issue").to_string(),
            200,
            "",
        ),
        ("a third one", &ISSUE, forge.sample("avi:jira:commented:issue").to_string(), 200, ""),
        (
            "an event that nobody knows",
            &ISSUE,
            forge.sample("avi:jira:new:thing").to_string(),
            200,
            "",
        ),
        ("200 KB", &ISSUE, long, 200, ""),
        ("an install", &LIFE, installed.to_string(), 200, ""),
        ("a CloudEvent", &POLICY, policy.to_string(), 200, ""),
        ("a CloudEvent as the payload", &POLICY, json!({ "payload": policy }).to_string(), 200, ""),
        ("an undeclared event", &ISSUE, undeclared.to_string(), 400, "undeclared_event"),
        (
            "an undeclared event as the payload",
            &ISSUE,
            json!({ "payload": undeclared }).to_string(),
            400,
            "undeclared_event",
        ),
        ("another endpoint's event", &ISSUE, installed.to_string(), 400, "undeclared_event"),
        ("one of two nameless events", &LIFE, nameless.to_string(), 400, "ambiguous_event"),
        ("no name", &ISSUE, "{}".into(), 400, "undeclared_event"),
        ("no body", &ISSUE, String::new(), 400, "undeclared_event"),
        ("no JSON", &ISSUE, "nonsense".into(), 400, "not_json"),
    ];
    let mut wrong = Vec::new();
    let mut taken = 0;
    for (what, endpoint, body, status, reason) in rows {
        let before = app.logged(Logged::RequestRejected, 0).await.len();
        let answer = forge.send(endpoint, body).await;
        if answer.status != status {
            wrong.push(format!("{what}: {}, not {status}", answer.status));
        } else if !reason.is_empty() {
            let refused = app.logged(Logged::RequestRejected, before + 1).await;
            if refused[before]["reason"] != reason {
                wrong.push(format!("{what}: {}", refused[before]));
            }
        } else {
            taken += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.total_depth().await, taken);
    forge.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_an_event_once_over_all_its_attempts() {
    let forge = ForgeApp::new().await;
    let app = &forge.app;
    let url = forge.url(&ISSUE);
    let endpoint = Target { key: ISSUE.key, url: &url };
    let event = forge.sample("avi:jira:updated:issue");
    let mut first = forge.forge().event(&forge.installation, endpoint, event.clone());
    // Its answers are lost, one after the other, and then the documentation's other form arrives.
    for attempt in 0..3 {
        let body: Value = serde_json::from_str(&first.next_body()).unwrap();
        assert_eq!(body["retryContext"]["retryCount"].as_u64().unwrap_or(0), attempt);
        assert_eq!(first.attempt().await.unwrap().status, 200);
    }
    assert_eq!(first.wrapped().attempt().await.unwrap().status, 200);
    app.logged(Logged::DeliveryQueued, 4).await;
    app.drained("ScriptedQueue").await;
    let done = app.logged(Logged::ScriptDone, 1).await;
    assert_eq!((done.len(), &done[0]["payload"]), (1, &event.to_string().into()));
    assert_eq!(app.logged(Logged::DeliveryDuplicate, 3).await.len(), 3);

    // The same event elsewhere is another one.
    let other = Installation::new(Product::Jira, APP);
    let mut again = forge.forge().event(&other, endpoint, event);
    assert_eq!(again.attempt().await.unwrap().status, 200);
    assert_eq!(app.logged(Logged::ScriptDone, 2).await.len(), 2);
    forge.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_each_key_of_the_set_and_a_new_one_at_the_next_fetch() {
    let forge = ForgeApp::without_handlers().await;
    let app = &forge.app;
    let event = || forge.sample("avi:jira:created:issue").to_string();
    forge.forge().rotate(NEXT_FORGE_KEY.clone());
    assert_eq!(forge.send(&ISSUE, event()).await.status, 200);
    let requests = forge.forge().requests();
    assert_eq!(requests, 1);
    // The function has both of them, and needs no other look at the set.
    forge.forge().rotate(FORGE_KEY.clone());
    forge.forge().withdraw_old_keys();
    assert_eq!(forge.send(&ISSUE, event()).await.status, 200);

    // A new one is found in the set at most once a minute, and Forge waits for a minute.
    let new = SigningKey::from_pem(
        "forge/invocation-token/wf-new",
        include_str!("harness/forged_key.pem"),
    );
    forge.forge().rotate(new.unwrap());
    let url = forge.url(&ISSUE);
    let endpoint = Target { key: ISSUE.key, url: &url };
    let event = forge.sample("avi:jira:created:issue");
    let mut event = forge.forge().event(&forge.installation, endpoint, event);
    assert_eq!(event.attempt().await.unwrap().status, 401);
    let refused = &app.logged(Logged::RequestRejected, 1).await[0];
    assert_eq!(refused["reason"], "unknown_key");
    assert_eq!(forge.forge().requests(), 1);
    // The next attempt says so, and finds another process here.
    process::kill("app-forge-receiver", forge.forge().key_set_url());
    assert!(event.next_body().contains("INVALID_FORGE_INVOCATION_TOKEN"));
    let answered = async {
        let mut poll = tokio::time::interval(Duration::from_millis(50));
        // A request that was sent to the process that was killed has no answer of its own.
        while event.attempt().await.unwrap().status != 200 {
            poll.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answered).await.unwrap();
    assert_eq!(forge.forge().requests(), 2);
    assert_eq!(app.total_depth().await, 3);
    forge.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_for_another_attempt_while_there_is_no_key_set() {
    let forge = ForgeApp::without_handlers().await;
    let app = &forge.app;
    forge.forge().set_down(true);
    let event = forge.sample("avi:jira:created:issue").to_string();
    let answer = forge.send(&ISSUE, event.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (503, "try again later"));
    let failed = &app.logged(Logged::RequestFailed, 1).await[0];
    assert_eq!(failed["reason"], "key_set_unavailable");
    // What can be refused without a key is refused all the same.
    let claims = forge.installation.browser_claims("panel", Timestamp::now());
    let authorization = format!("Bearer {}", forge.forge().sign(&claims).unwrap());
    let url = forge.url(&ISSUE);
    let answer = forge.forge().post(&url, Some(&authorization), event.clone()).await.unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(app.total_depth().await, 0);

    forge.forge().set_down(false);
    let recovered = async {
        let mut poll = tokio::time::interval(Duration::from_millis(200));
        while forge.send(&ISSUE, event.clone()).await.status != 200 {
            poll.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), recovered).await.unwrap();
    assert_eq!(app.total_depth().await, 1);
    forge.app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_handler_takes_the_same_event_from_every_sender() {
    let forge = ForgeApp::with(|template| {
        in_haste(template).tamper("Binary: scripted", "Binary: issue-change")
    })
    .await;
    let app = &forge.app;
    let site = app.installed(Product::Jira).await;
    let body = json!({
        "issue": { "id": "10042", "key": "DEMO-42", "fields": { "summary": "A kettle" } },
        "changelog": { "items": [{ "field": "summary", "fieldId": "summary" }] },
    });
    let of_connect = {
        let mut body = body.clone();
        body["webhookEvent"] = "jira:issue_updated".into();
        body["timestamp"] = 1_795_428_000_123_i64.into();
        body["user"] = json!({ "accountId": "5b10" });
        body.to_string()
    };
    let of_forge = {
        let mut body = body;
        body["eventType"] = "avi:jira:updated:issue".into();
        body["timestamp"] = "1795428000123".into();
        body["atlassianId"] = "5b10".into();
        body.to_string()
    };
    let webhook = Webhook {
        base_url: app.stack.url(),
        url: "/scripted",
        body: of_connect.clone(),
        identifier: Some("1234".into()),
    };
    let secret = SharedSecret::new("of an administrator");
    let (name, now) = ("acme".parse().unwrap(), Timestamp::now());
    app.tenants().add_signed(&name, Kind::Jira, &secret, now).await.unwrap();
    let signed = app.atlassian.client().post(format!("{}/hooks/acme/jira", app.stack.url()));
    let signed = signed.header("x-hub-signature", sign(of_connect.as_bytes(), &secret));
    let signed = signed.body(of_connect);

    assert_eq!(app.atlassian.send(webhook, &site).await.unwrap().status, 204);
    app.logged(Logged::IssueChanged, 1).await;
    assert_eq!(forge.send(&ISSUE, of_forge).await.status, 200);
    app.logged(Logged::IssueChanged, 2).await;
    assert_eq!(signed.send().await.unwrap().status(), 204);

    let changed = app.logged(Logged::IssueChanged, 3).await;
    let senders: Vec<&str> = changed.iter().map(|line| line["sender"].as_str().unwrap()).collect();
    assert_eq!(senders, ["connect", "forge", "signed"]);
    assert_eq!(changed[1]["issue.key"], "DEMO-42");
    assert_eq!(changed[1]["actor"], "5b10");
    // Nothing else tells them apart.
    let [connect, of_forge, signed] = [0, 1, 2].map(|number| {
        let mut line = changed[number].clone();
        for own in ["/sender", "/timestamp", "/span/delivery.id"] {
            *line.pointer_mut(own).unwrap() = Value::Null;
        }
        line
    });
    assert_eq!(connect, of_forge);
    assert_eq!(connect, signed);
    forge.app.stack.stop().await;
}
