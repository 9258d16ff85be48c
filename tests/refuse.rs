//! Each refusal: what the caller gets, and that nothing was queued.

use connect::event::Product;
use connect::jwt::{self, Statement};
use infra::atlassian::{Site, qsh_of};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::stage::Stage;

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
    let stage = Stage::without_handlers().await;
    for attempt in attempts(&stage) {
        let Attempt { what, url, token, body, status, sentence, reason } = attempt;
        let before = stage.logged("request refused", 0).await.len();
        let target = format!("{}{url}", stage.stack.url());
        let answer = stage.atlassian.post(&target, token.as_deref(), body, None).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, sentence), "{what}");
        assert_eq!(stage.total_depth().await, 0, "{what}");
        if !reason.is_empty() {
            let refused = stage.logged("request refused", before + 1).await;
            assert_eq!(refused[before]["reason"], reason, "{what}: {}", refused[before]);
        }
    }
    stage.stack.stop().await;
}

fn attempts(stage: &Stage) -> Vec<Attempt> {
    let base = stage.stack.url();
    let now = Timestamp::now();
    let body = || json!({ "webhookEvent": "jira:issue_created" }).to_string();
    let signed = |url: &str, site: &Site, change: &dyn Fn(&mut serde_json::Value)| {
        let qsh = qsh_of(&format!("{base}{url}"), base).unwrap();
        let claims = Statement::new(site.client_key.as_str(), &qsh, now);
        let mut claims = serde_json::to_value(claims).unwrap();
        change(&mut claims);
        jwt::sign(&claims, &site.secret)
    };
    let url = "/issue-created";
    let good = signed(url, &stage.jira, &|_| ());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let stranger = Site::new(Product::Jira, "stranger");
    let imposter = Site { secret: stranger.secret.clone(), ..stage.jira.clone() };
    let long_ago = now - SignedDuration::from_mins(10);

    let untrusted = |what, token: Option<String>, reason| Attempt {
        what,
        url,
        token,
        body: body(),
        status: 401,
        sentence: "not authorized",
        reason,
    };
    let mut attempts = vec![
        untrusted("no token", None, "no_token"),
        untrusted("an empty token", Some(String::new()), "no_token"),
        untrusted("no token at all", Some("hello".into()), "malformed_token"),
        untrusted("a token without its signature", Some(format!("{head}.")), "signature"),
        untrusted(
            "a signature cut short",
            Some(format!("{head}.{}", &signature[..signature.len() - 4])),
            "signature",
        ),
        untrusted("an unknown tenant", Some(signed(url, &stranger, &|_| ())), "unknown_tenant"),
        untrusted("another tenant's secret", Some(signed(url, &imposter, &|_| ())), "signature"),
        untrusted(
            "a token for another URL",
            Some(signed("/page-created", &stage.jira, &|_| ())),
            "qsh",
        ),
        untrusted(
            "a token for another query",
            Some(signed("/issue-created?a=b", &stage.jira, &|_| ())),
            "qsh",
        ),
        untrusted(
            "a context token",
            Some(signed(url, &stage.jira, &|claims| claims["qsh"] = "context-qsh".into())),
            "qsh",
        ),
        untrusted(
            "an expired token",
            Some(signed(url, &stage.jira, &|claims| claims["exp"] = long_ago.as_second().into())),
            "expired",
        ),
        untrusted(
            "a token without exp",
            Some(signed(url, &stage.jira, &|claims| {
                claims.as_object_mut().unwrap().remove("exp");
            })),
            "malformed_token",
        ),
        untrusted(
            "an unsigned token",
            Some(format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1)),
            "algorithm",
        ),
    ];
    attempts.push(Attempt {
        what: "two tokens",
        url: "/issue-created?jwt=a.b.c",
        ..untrusted("", Some(good.clone()), "two_tokens")
    });
    let failing = |what, url, site: &Site, body: String, status, sentence, reason| Attempt {
        what,
        url,
        token: Some(signed(url, site, &|_| ())),
        body,
        status,
        sentence,
        reason,
    };
    let wrong = "the body is not what this URL expects";
    attempts.extend([
        failing("no JSON", url, &stage.jira, "{".into(), 400, wrong, "not_json"),
        failing("no body", url, &stage.jira, String::new(), 400, wrong, "empty_body"),
        failing(
            "an undeclared event",
            url,
            &stage.jira,
            json!({ "webhookEvent": "jira:issue_deleted" }).to_string(),
            400,
            wrong,
            "undeclared_event",
        ),
        failing(
            "no event where two are declared",
            "/orders",
            &stage.jira,
            "{}".into(),
            400,
            wrong,
            "ambiguous_event",
        ),
        failing(
            "an event of the other product",
            url,
            &stage.confluence,
            body(),
            400,
            wrong,
            "undeclared_event",
        ),
        failing(
            "more than the queue takes",
            url,
            &stage.jira,
            json!({ "webhookEvent": "jira:issue_created", "x": "x".repeat(1 << 20) }).to_string(),
            413,
            "the body is too large",
            "too_large",
        ),
        // The gateway itself answers these two.
        failing(
            "an undeclared URL",
            "/nowhere",
            &stage.jira,
            body(),
            404,
            r#"{"message":"Not Found"}"#,
            "",
        ),
        failing(
            "more than Lambda takes",
            url,
            &stage.jira,
            "x".repeat(7 << 20),
            413,
            r#"{"message":"Request Entity Too Large"}"#,
            "",
        ),
    ]);
    attempts
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_to_try_again_when_the_queue_is_gone() {
    let stage = Stage::with(|template| {
        template.replace("!Ref IssueCreatedQueue", "http://localhost/000000000000/gone")
    })
    .await;
    let body = json!({ "webhookEvent": "jira:issue_created" });
    let answer = stage.send("/issue-created", body, &stage.jira).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (503, "try again later"));
    let failed = &stage.logged("request failed", 1).await[0];
    assert_eq!(failed["reason"], "queue_unavailable");
    // The operator learns what AWS said.
    assert!(failed["detail"].as_str().unwrap().contains("does not exist"), "{failed}");
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_to_try_again_when_the_tenants_are_gone() {
    let stage = Stage::empty(|template| {
        template.replace("TENANTS_TABLE: !Ref TenantsTable", "TENANTS_TABLE: gone")
    })
    .await;
    let body = json!({ "webhookEvent": "jira:issue_created" });
    let answer = stage.send("/issue-created", body, &stage.jira).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (503, "try again later"));
    let failed = &stage.logged("request failed", 1).await[0];
    assert_eq!(failed["reason"], "tenants_unavailable");
    stage.stack.stop().await;
}
