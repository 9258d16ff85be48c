//! What can never succeed, and what may later: what the caller gets, and that nothing was queued.

use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_simulator::{Site, qsh_of};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;
use crate::large_bodies::noise;

/// A request that has to be refused.
struct Attempt {
    what: &'static str,
    url: &'static str,
    token: Option<String>,
    body: String,
    status: u16,
    sentence: &'static str,
    reason: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_without_a_word_more_than_needed_and_queues_nothing() {
    let app = TestApp::without_handlers().await;
    for attempt in attempts(&app) {
        let Attempt { what, url, token, body, status, sentence, reason } = attempt;
        let before = app.logged(Logged::RequestRejected, 0).await.len();
        let target = format!("{}{url}", app.stack.url());
        let answer = app.atlassian.post(&target, token.as_deref(), body, None).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, sentence), "{what}");
        assert_eq!(app.total_depth().await, 0, "{what}");
        if !reason.is_empty() {
            let refused = app.logged(Logged::RequestRejected, before + 1).await;
            assert_eq!(refused[before]["reason"], reason, "{what}: {}", refused[before]);
        }
    }
    app.stack.stop().await;
}

fn attempts(app: &TestApp) -> Vec<Attempt> {
    let base = app.stack.url();
    let now = Timestamp::now();
    let body = || json!({ "webhookEvent": "jira:issue_created" }).to_string();
    let signed = |url: &str, site: &Site| {
        let qsh = qsh_of(&format!("{base}{url}"), base).unwrap();
        jwt::sign(&ClaimsToSign::new(site.client_key.as_str(), &qsh, now), &site.secret)
    };
    let url = "/issue-created";
    let failing = |what, url, site: &Site, body: String, status, sentence, reason| Attempt {
        what,
        url,
        token: Some(signed(url, site)),
        body,
        status,
        sentence,
        reason,
    };
    let wrong = "the body is not what this URL expects";
    vec![
        failing("no JSON", url, &app.jira, "{".into(), 400, wrong, "not_json"),
        failing("no body", url, &app.jira, String::new(), 400, wrong, "empty_body"),
        failing(
            "an undeclared event",
            url,
            &app.jira,
            json!({ "webhookEvent": "jira:issue_deleted" }).to_string(),
            400,
            wrong,
            "undeclared_event",
        ),
        failing(
            "no event where two are declared",
            "/scripted",
            &app.jira,
            "{}".into(),
            400,
            wrong,
            "ambiguous_event",
        ),
        failing(
            "an event of the other product",
            url,
            &app.confluence,
            body(),
            400,
            wrong,
            "undeclared_event",
        ),
        failing(
            "more than the queue takes",
            url,
            &app.jira,
            json!({ "webhookEvent": "jira:issue_created", "x": noise(2_000_000) }).to_string(),
            413,
            "the body is too large",
            "too_large",
        ),
        // The gateway itself answers these two.
        failing(
            "an undeclared URL",
            "/nowhere",
            &app.jira,
            body(),
            404,
            r#"{"message":"Not Found"}"#,
            "",
        ),
        failing(
            "more than Lambda takes",
            url,
            &app.jira,
            "x".repeat(7 << 20),
            413,
            r#"{"message":"Request Entity Too Large"}"#,
            "",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_to_try_again_when_the_queue_is_gone() {
    let app = TestApp::with(|template| {
        template.tamper("!Ref IssueCreatedQueue", "http://localhost/000000000000/gone")
    })
    .await;
    let body = json!({ "webhookEvent": "jira:issue_created" });
    let answer = app.send("/issue-created", body, &app.jira).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (503, "try again later"));
    let failed = &app.logged(Logged::RequestFailed, 1).await[0];
    assert_eq!(failed["reason"], "queue_unavailable");
    // The operator learns what AWS said.
    assert!(failed["detail"].as_str().unwrap().contains("does not exist"), "{failed}");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_to_try_again_when_the_tenants_are_gone() {
    let app = TestApp::empty(|template| {
        template.tamper(
            "TENANTS_TABLE: !If [MakesTenantsTable, !Ref TenantsTable, !Ref TenantsTableName]",
            "TENANTS_TABLE: gone",
        )
    })
    .await;
    let body = json!({ "webhookEvent": "jira:issue_created" });
    let answer = app.send("/issue-created", body, &app.jira).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (503, "try again later"));
    let failed = &app.logged(Logged::RequestFailed, 1).await[0];
    assert_eq!(failed["reason"], "tenants_unavailable");
    app.stack.stop().await;
}
