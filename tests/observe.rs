//! Logs and metrics: what they contain, and what they never do.

use atlassian_connect::event::{EventName, Product};
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_simulator::samples::sample;
use atlassian_simulator::{Site, Webhook, qsh_of};
use cargo_hooks::template::cost::{Basis, Rates};
use handler::IdempotencyStore;
use jiff::Timestamp;
use lifecycle::install_keys::InstallKeys;
use serde_json::{Value, json};

use crate::harness::app::{DESCRIPTOR, FORGED_KEY, TestApp};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

/// In every part of a body that is not an identifier of what happened.
const CANARY: &str = "c4n4ry";

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_log_holds_a_secret_a_token_a_body_or_an_account() {
    let app = TestApp::new().await;
    let base = app.stack.url();
    let signed_by = |site: &Site, url: &str| {
        let qsh = qsh_of(&format!("{base}{url}"), base).unwrap();
        let claims = ClaimsToSign::new(app.jira.client_key.as_str(), &qsh, Timestamp::now());
        jwt::sign(&claims, &site.secret)
    };
    let post = async |url: &str, token: Option<&str>, body: String| {
        let target = format!("{base}{url}");
        app.atlassian.post(&target, token, body, None).await.unwrap().status.as_u16()
    };

    let sample = sample(Product::Jira, &EventName::IssueCreated).unwrap();
    let mut body: Value = serde_json::from_str(sample).unwrap();
    body["issue"]["fields"]["summary"] = CANARY.into();
    body["user"]["accountId"] = CANARY.into();
    body["user"]["displayName"] = CANARY.into();
    let token = signed_by(&app.jira, "/issue-created");
    let in_query = format!("/issue-created?jwt={token}");
    assert_eq!(post("/issue-created", Some(&token), body.to_string()).await, 204);
    assert_eq!(post(&in_query, None, body.to_string()).await, 204);
    // Refused: by its token, and by its body.
    let forged = signed_by(&Site::new(Product::Jira, "stranger"), "/issue-created");
    assert_eq!(post("/issue-created", Some(&forged), body.to_string()).await, 401);
    assert_eq!(post(&format!("/issue-created?jwt={forged}"), None, String::new()).await, 401);
    assert_eq!(post("/issue-created", Some(&token), format!("{{{CANARY}")).await, 400);
    // Taken, and given up by the handler: it is not what its event carries.
    let odd = json!({"webhookEvent": "jira:issue_created", "issue": {"fields": CANARY}});
    assert_eq!(post("/issue-created", Some(&token), odd.to_string()).await, 204);

    // Failed and panicked over by a handler.
    for what in ["fail", "panic"] {
        assert_eq!(app.script(json!({"do": what, "summary": CANARY})).await.status, 204);
    }
    // Installs: one without a signature, and one that Atlassian signed and the app refuses.
    let target = format!("{base}/installed");
    let qsh = qsh_of(&target, base).unwrap();
    let statement = ClaimsToSign {
        audience: Some(base),
        ..ClaimsToSign::new(app.jira.client_key.as_str(), &qsh, Timestamp::now())
    };
    let install = app.atlassian.sign_install(&statement).unwrap();
    for secret in [json!(CANARY), json!([CANARY]), json!(CANARY.repeat(500))] {
        let body = json!({"sharedSecret": secret, "clientKey": app.jira.client_key}).to_string();
        assert_eq!(post("/installed", None, body.clone()).await, 401);
        assert_eq!(post("/installed", Some(&install), body).await, 400);
    }

    app.logged(Logged::DeliveryHandled, 1).await;
    app.logged(Logged::DeliveryDuplicate, 1).await;
    app.logged(Logged::DeliveryFailed, 2).await;
    app.logged(Logged::DeliveryDeadLettered, 1).await;
    app.logged(Logged::RequestRejected, 9).await;
    let printed = app.printed();
    for kept in [CANARY, &token, &forged, &install, app.jira.secret.expose()] {
        assert!(!printed.contains(kept), "{kept} is in the log:\n{printed}");
    }
    // Nor a part of a token that could be put together again.
    for token in [&token, &forged, &install] {
        let signature = token.rsplit_once('.').unwrap().1;
        assert!(!printed.contains(signature), "{printed}");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_what_it_accepts_and_what_it_refuses_by_reason() {
    let app = TestApp::without_handlers().await;
    let body = json!({"webhookEvent": "jira:issue_teleported"});
    assert_eq!(app.send("/teleported", &body, &app.jira).await.status, 204);
    let stranger = Site::new(Product::Jira, "stranger");
    assert_eq!(app.send("/teleported", &body, &stranger).await.status, 401);

    let lines = app.logged(Logged::Metric, 2).await;
    let counted = |name: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line.get(name).is_some()).collect()
    };
    let [untyped] = counted("Untyped")[..] else { panic!("{lines:?}") };
    let [rejected] = counted("Rejected")[..] else { panic!("{lines:?}") };
    assert_eq!(rejected["reason"], "unknown_tenant");
    // One line says what happened and counts it, at the level that it deserves.
    let rows =
        [(untyped, "WARN", Logged::DeliveryUntyped), (rejected, "WARN", Logged::RequestRejected)];
    for (line, level, message) in rows {
        assert!(message.is(line) && line["level"] == level, "{line}");
        // One group for the whole stack: it is what an alarm is set on.
        assert_eq!(line["LogGroup"], "Logs", "{line}");
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{line}");
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(described["Namespace"], "AtlassianHooks");
        assert_eq!(described["Dimensions"][0], json!(["LogGroup"]));
    }
    // SQS counts what is usual, and nothing is charged for it.
    let queued = app.logged(Logged::DeliveryQueued, 1).await;
    assert!(queued[0]["level"] == "INFO" && queued[0].get("_aws").is_none(), "{queued:?}");
    app.stack.stop().await;
}

/// What `cargo hooks cost` takes from the code.
#[test]
fn the_cost_assumes_what_the_code_sets() {
    let assumptions = &Rates::us_east_1().assumptions;
    let tenant = tenants::Cached::<()>::LIFETIME.as_secs_f64();
    let rows = [
        // Up to a fifth is subtracted at random.
        (&assumptions.tenant_lifetime_s, 0.9 * tenant),
        (&assumptions.data_key_lifetime_s, tenants::Secrets::LIFETIME.as_secs_f64()),
        (&assumptions.idempotency_days, IdempotencyStore::WINDOW.as_secs_f64() / 86_400.0),
        (&assumptions.message_limit_kb, receiver::Queue::MAX_MESSAGE as f64 / 1024.0),
    ];
    for (assumed, set) in rows {
        assert!((assumed.value - set).abs() < 0.5, "{assumed:?}: {set}");
    }
    let of_code = assumptions.all().filter(|(_, assumed)| assumed.basis == Basis::Code);
    assert_eq!(of_code.count(), rows.len());
}

/// SQS takes over the trace of this header ("Amazon SQS and AWS X-Ray" in the X-Ray Developer Guide), so
/// that a trace of the receiver has the handler as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_receiver_to_the_queue() {
    let (sender, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let queue = axum::Router::new().fallback(move |headers: axum::http::HeaderMap| {
        let of = |name| Some(headers.get(name)?.to_str().unwrap().to_owned());
        sender.send((of("x-amz-target"), of("x-amzn-trace-id"))).unwrap();
        async { axum::http::StatusCode::BAD_REQUEST }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, queue).await });
    let app = TestApp::without_handlers_behind(&[("AWS_ENDPOINT_URL_SQS", &url)]).await;
    let jira = app.installed(Product::Jira).await;
    let body = json!({"webhookEvent": "jira:issue_created"});
    assert_eq!(app.send("/issue-created", &body, &jira).await.status, 503);
    app.stack.stop().await;
    let mut traces = Vec::new();
    while let Ok((target, trace)) = sent.try_recv() {
        if target.as_deref() == Some("AmazonSQS.SendMessage") {
            traces.push(trace.unwrap_or_default());
        }
    }
    assert!(!traces.is_empty(), "the receiver sent nothing");
    assert!(traces.iter().all(|trace| trace.starts_with("Root=1-")), "{traces:?}");
}

/// The lengths by which `cargo hooks cost` prices the logs.
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_as_long_as_their_price_assumes() {
    let app = TestApp::new().await;
    let webhook = Webhook {
        base_url: app.stack.url(),
        url: "/issue-created",
        body: sample(Product::Jira, &EventName::IssueCreated).unwrap().to_owned(),
        identifier: Some(uuid::Uuid::new_v4().to_string()),
    };
    assert_eq!(app.atlassian.send(webhook, &app.jira).await.unwrap().status, 204);
    let assumptions = &Rates::us_east_1().assumptions;
    for (what, assumed) in [
        (Logged::DeliveryQueued, &assumptions.queued_line_bytes),
        (Logged::DeliveryHandled, &assumptions.handled_line_bytes),
    ] {
        let mut line = app.logged(what, 1).await.remove(0);
        // The harness says who printed it.
        line.as_object_mut().unwrap().remove("function");
        let line = line.to_string();
        let differs = (line.len() as f64 / assumed.value - 1.0).abs();
        assert!(differs < 0.05, "{} bytes, and {} assumed: {line}", line.len(), assumed.value);
    }
    app.stack.stop().await;
}

/// The local stack drops the lines that Lambda would drop.
#[tokio::test(flavor = "multi_thread")]
async fn counts_at_every_level_and_calls_no_success_an_error() {
    for level in ["WARN", "ERROR"] {
        let given = format!("Default: {level}");
        let app = TestApp::with(|template| template.tamper("Default: INFO", &given)).await;
        assert_eq!(app.script(json!({"do": "fail"})).await.status, 204);
        assert_eq!(app.script(json!({"do": "succeed"})).await.status, 204);
        let stranger = Site::new(Product::Jira, "stranger");
        assert_eq!(app.send("/issue-created", "{}", &stranger).await.status, 401);
        // The handler's own lines are below the level, so this waits for the queue.
        app.logged(Logged::DeliveryFailed, 1).await;
        let lines = app.logged(Logged::Metric, 2).await;
        for (metric, times, its) in [("Rejected", 1, "WARN"), ("Failed", 1, "ERROR")] {
            let counted: Vec<_> = lines.iter().filter(|line| line[metric] == 1).collect();
            assert_eq!(counted.len(), times, "{metric}: {lines:#?}");
            assert!(counted.iter().all(|line| line["level"] == its), "{counted:#?}");
        }
        for usual in [Logged::DeliveryQueued, Logged::DeliveryHandled] {
            assert!(!app.printed().contains(usual.message()), "{level}");
        }
        app.stack.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_a_message_that_a_handler_does_not_handle() {
    let app = TestApp::new().await;
    // Not what its event carries: the handler gives it up.
    let odd = json!({"webhookEvent": "jira:issue_created", "issue": {"fields": 1}});
    assert_eq!(app.send("/issue-created", &odd, &app.jira).await.status, 204);
    assert_eq!(app.script(json!({"do": "fail"})).await.status, 204);

    app.logged(Logged::DeliveryDeadLettered, 1).await;
    app.logged(Logged::DeliveryFailed, 1).await;
    let lines = app.logged(Logged::Metric, 3).await;
    for name in ["Untyped", "DeadLetters", "Failed"] {
        assert_eq!(lines.iter().filter(|line| line[name] == 1).count(), 1, "{name}: {lines:?}");
    }
    app.stack.stop().await;
}

/// The alarm on refused installs is not for strangers to pull.
#[tokio::test(flavor = "multi_thread")]
async fn counts_the_installs_that_atlassian_signed_and_no_strangers() {
    let app = TestApp::without_handlers().await;
    let base = app.stack.url();
    let atlassian = app.atlassian.key();
    let forger = &*FORGED_KEY;
    let site = &app.jira;
    let token = |url: &str, audience: &str, sign: &dyn Fn(&ClaimsToSign<'_>) -> String| {
        let qsh = qsh_of(&format!("{base}{url}"), base).unwrap();
        let mut claims = ClaimsToSign::new(site.client_key.as_str(), &qsh, Timestamp::now());
        claims.audience = Some(audience);
        Some(sign(&claims))
    };
    let by_atlassian = |claims: &ClaimsToSign<'_>| atlassian.sign(claims).unwrap();
    let by_forger = |claims: &ClaimsToSign<'_>| forger.sign(claims).unwrap();
    let by_tenant = |claims: &ClaimsToSign<'_>| jwt::sign(claims, &site.secret);
    let invented = |number: usize| {
        token("/installed", base, &|claims| {
            let name = format!("invented-{number}");
            jwt::sign_install(claims, &name, forger.private().as_bytes()).unwrap()
        })
    };
    let body = |event: &str| {
        json!({
            "key": DESCRIPTOR.key, "clientKey": site.client_key, "eventType": event,
            "sharedSecret": "s3cr3t", "baseUrl": site.base_url, "productType": "jira",
        })
    };
    let installed = || body("installed");
    // URL, token, body; status, and whether it counts.
    let mut rows = vec![
        ("/installed", None, installed(), 401, false),
        ("/disabled", None, body("disabled"), 401, false),
        ("/installed", Some("a.b.c".into()), installed(), 401, false),
        ("/installed", token("/installed", base, &by_forger), installed(), 401, false),
        ("/installed", token("/installed", base, &by_tenant), installed(), 401, false),
        ("/enabled", token("/enabled", base, &by_tenant), installed(), 401, false),
        ("/installed", token("/installed", base, &by_atlassian), json!({}), 400, true),
        (
            "/installed",
            token("/installed", "https://x.test", &by_atlassian),
            installed(),
            401,
            true,
        ),
        ("/uninstalled", token("/uninstalled", base, &by_atlassian), installed(), 401, true),
    ];
    // The first request was for the key that Atlassian has.
    rows.extend((1..=12).map(|number| {
        let status = if number < InstallKeys::REQUESTS { 401 } else { 503 };
        ("/installed", invented(number), installed(), status, false)
    }));
    let mut expected = 0;
    for (number, (url, token, body, status, counts)) in rows.into_iter().enumerate() {
        let target = format!("{base}{url}");
        let answer = app.atlassian.post(&target, token.as_deref(), body.to_string(), None).await;
        assert_eq!(answer.unwrap().status, status, "{number}");
        expected += usize::from(counts);
        // The one is written before the other.
        let of = |lines: &[Value], name: &str| lines.iter().filter(|line| line[name] == 1).count();
        let mut lines = Vec::new();
        while of(&lines, "Rejected") <= number {
            lines = app.logged(Logged::Metric, lines.len() + 1).await;
        }
        assert_eq!(of(&lines, "InstallRejected"), expected, "{number}: {lines:#?}");
    }
    assert_eq!(expected, 3);
    app.stack.stop().await;
}
