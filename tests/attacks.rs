//! The attacks, end to end: the requests that a receiver takes, and of what it refuses some of each
//! kind. All of them are in [`crate::in_memory`].

use std::collections::BTreeSet;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::{Site, qsh_of};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

pub(crate) mod table;

use table::{Attack, EVENT, Takeover, URL, takeovers, webhooks};

/// What is taken, the first of each reason to be refused, and a fifth of the others.
fn some(attacks: Vec<Attack>) -> Vec<Attack> {
    let mut seen = BTreeSet::new();
    let mut number = 0_usize;
    let chosen = attacks.into_iter().filter(|attack| {
        number += 1;
        attack.refused.is_none_or(|reason| seen.insert(reason)) || number.is_multiple_of(5)
    });
    chosen.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_every_valid_webhook_and_no_forged_one() {
    let app = TestApp::without_handlers().await;
    let base = app.stack.url();
    let attacks = some(webhooks(base, &app.jira, &app.confluence, app.atlassian.key()));
    let mut taken = 0;
    let mut wrong = Vec::new();
    for attack in &attacks {
        let before = app.logged(Logged::RequestRejected, 0).await.len();
        let (status, body) = send(&app, attack).await;
        let expected = if attack.refused.is_some() { 401 } else { 204 };
        if status != expected {
            wrong.push(format!("{}: {status}, not {expected}", attack.what));
        } else if let Some(reason) = attack.refused {
            assert_eq!(body, "not authorized", "{}", attack.what);
            let refused = app.logged(Logged::RequestRejected, before + 1).await;
            if refused[before]["reason"] != reason {
                wrong.push(format!("{}: {} ", attack.what, refused[before]));
            }
        } else {
            taken += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.total_depth().await, taken, "only what is valid is queued");
    let printed = app.printed();
    for secret in [&app.jira.secret, &app.confluence.secret] {
        assert!(!printed.contains(secret.expose()));
    }
    for attack in &attacks {
        let token = attack.authorization.as_deref().and_then(|value| value.split_once(' '));
        let signature = token.and_then(|(_, token)| token.rsplit_once('.')).map_or("", |(_, s)| s);
        assert!(signature.len() < 20 || !printed.contains(signature), "{}", attack.what);
    }
    app.stack.stop().await;
}

/// The tenants' table is gone: whatever asks it gets 503 instead of 401.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_cost_no_read() {
    let app = TestApp::empty(|template| {
        template.tamper(
            "TENANTS_TABLE: !If [MakesTenantsTable, !Ref TenantsTable, !Ref TenantsTableName]",
            "TENANTS_TABLE: gone",
        )
    })
    .await;
    let (jira, confluence) =
        (Site::new(Product::Jira, "jira"), Site::new(Product::Confluence, "confluence"));
    let mut wrong = Vec::new();
    for attack in some(webhooks(app.stack.url(), &jira, &confluence, app.atlassian.key())) {
        let expected = if attack.costs_no_read() { 401 } else { 503 };
        let (status, _) = send(&app, &attack).await;
        if status != expected {
            wrong.push(format!("{}: {status}, not {expected}", attack.what));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    app.stack.stop().await;
}

async fn send(app: &TestApp, attack: &Attack) -> (u16, String) {
    let target = format!("{}{}", app.stack.url(), attack.url);
    let request = app.atlassian.client().post(target).header("content-type", "application/json");
    let request = match &attack.authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    let response = request.body(EVENT).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forged_callback_changes_a_tenant() {
    let app = TestApp::without_handlers().await;
    let (victim, thief) = (app.jira.clone(), app.confluence.clone());
    let newcomer = Site::new(Product::Jira, "newcomer");
    let takeovers = takeovers(app.stack.url(), app.atlassian.key(), &victim, &thief, &newcomer);
    let mut wrong = Vec::new();
    let mut kinds = BTreeSet::new();
    for Takeover { what, url, token, body, status } in takeovers {
        // Of rows with one name, the first.
        if !kinds.insert(what) {
            continue;
        }
        let target = format!("{}{url}", app.stack.url());
        let answer = app.atlassian.post(&target, token.as_deref(), body, None).await.unwrap();
        if answer.status != status {
            wrong.push(format!("{what}: {}, not {status}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // The victim is unchanged, and there is no other tenant.
    let body = json!({ "webhookEvent": "jira:issue_created" });
    let impostor = Site { secret: thief.secret.clone(), ..victim.clone() };
    assert_eq!(app.send(URL, &body, &victim).await.status, 204);
    assert_eq!(app.send(URL, &body, &impostor).await.status, 401);
    assert_eq!(app.send(URL, &body, &newcomer).await.status, 401);
    // The same request without a fault is taken.
    assert_eq!(app.call_back(Callback::Installed, &newcomer).await.status, 204);
    assert_eq!(app.send(URL, &body, &newcomer).await.status, 204);
    let printed = app.printed();
    for secret in [&victim.secret, &thief.secret, &newcomer.secret] {
        assert!(!printed.contains(secret.expose()));
    }
    app.stack.stop().await;
}

/// Requests made to hurt. Each gets one clear answer, and the next webhook is taken.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_causes_a_panic() {
    let app = TestApp::without_handlers().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let event = |rest: &str| format!("{{\"webhookEvent\":\"jira:issue_created\",{rest}}}");
    let bodies: Vec<(&str, Vec<u8>, u16)> = vec![
        ("deep lists", deep.into_bytes(), 204),
        ("deep objects", "{\"a\":".repeat(50_000).into_bytes(), 400),
        ("a number without end", event(&format!("\"n\":{}", "9".repeat(100_000))).into(), 204),
        ("a number that is none", event("\"n\":1e999999").into(), 204),
        ("not UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec(), 400),
        ("half a surrogate", event(r#""s":"\ud800""#).into(), 204),
        ("controls", event(r#""s":"\u0000\u001f\uffff""#).into(), 204),
        ("a raw control", event("\"s\":\"\u{1}\"").into(), 400),
        ("the same name twice", event("\"webhookEvent\":\"jira:issue_deleted\"").into(), 204),
        ("a name as an object", b"{\"webhookEvent\":{}}".to_vec(), 204),
        (
            "many names",
            event(
                (0..50_000)
                    .map(|n| format!("\"{n}\":0,"))
                    .collect::<String>()
                    .trim_end_matches(','),
            )
            .into(),
            204,
        ),
        ("blanks", vec![b' '; 1000], 400),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec(), 400),
    ];
    let target = format!("{}{URL}", app.stack.url());
    let mut wrong = Vec::new();
    for content_type in ["application/json", "application/octet-stream"] {
        for (what, body, expected) in &bodies {
            let qsh = qsh_of(&target, app.stack.url()).unwrap();
            let claims = json!({
                "iss": app.jira.client_key, "exp": Timestamp::now().as_second() + 180, "qsh": qsh,
            });
            let request = app.atlassian.client().post(&target).body(body.clone());
            let token = atlassian_connect::jwt::sign(&claims, &app.jira.secret);
            let request = request.header("authorization", format!("JWT {token}"));
            let status =
                request.header("content-type", content_type).send().await.unwrap().status();
            if status != *expected {
                wrong.push(format!("{what} as {content_type}: {status}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Headers that no library would write.
    let client = app.atlassian.client();
    let odd = reqwest::header::HeaderValue::from_bytes(b"J\xc3\xbcrgen \xff").unwrap();
    let many = (0..60)
        .fold(client.post(&target), |request, n| request.header(format!("x-{n}"), "v".repeat(100)));
    for request in [client.post(&target).header("x-name", odd), many] {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    // API Gateway hands over a path decoded, and then it may hold anything.
    for page in ["a%20b", "%22%3C%3E%7B%7D", "%E2%82%AC", "a%252Fb", "caf\u{e9}"] {
        let url = format!("/page/{page}/gone");
        let answer = app.send(&url, json!({}), &app.confluence).await;
        assert_eq!(answer.status, 204, "{url}");
    }
    assert_eq!(app.send(URL, event("\"a\":1"), &app.jira).await.status, 204);
    assert_eq!(app.logged(Logged::RequestFailed, 0).await.len(), 0);
    let printed = app.printed();
    assert!(!printed.contains("panicked"), "{printed}");
    app.stack.stop().await;
}
