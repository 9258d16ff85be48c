//! The handler of the repository's own app that has an effect: a comment on an issue.

use atlassian_connect::event::{EventName, Product};
use atlassian_simulator::samples::fresh;
use atlassian_simulator::{Caller, Disturbance, Webhook};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use crate::harness::app::{TestApp, in_haste};
use crate::harness::process::kill;

/// Jira sends the webhook three times. Its API first asks to wait. Then it creates the comment, and
/// the handler is killed before it knows.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds the repository's own app, which other tests replace"]
async fn comments_once_whatever_happens() {
    let app = TestApp::of_the_repository(in_haste).await;
    let site = app.installed(Product::Jira).await;
    let wait = Disturbance::TooManyRequests { retry_after: 1 };
    app.atlassian.disturb([wait, Disturbance::NoAnswer]);
    let mut calls = app.atlassian.subscribe();

    let body = fresh(Product::Jira, &EventName::IssueUpdated, Timestamp::now()).unwrap();
    let key = body["issue"]["key"].as_str().unwrap();
    for _ in 0..3 {
        let webhook = Webhook {
            base_url: app.stack.url(),
            url: "/issue-updated",
            body: body.to_string(),
            identifier: Some("the-one".into()),
        };
        assert_eq!(app.atlassian.send(webhook, &site).await.unwrap().status, 204);
    }
    let mut statuses = Vec::new();
    while statuses.last() != Some(&201) {
        let call = calls.recv().await.unwrap();
        assert_eq!((call.caller, &*call.site), (Caller::App, &*site.base_url));
        statuses.push(call.status.as_u16());
    }
    kill("issue-updated", app.atlassian.url());
    app.drained("IssueUpdatedQueue").await;

    assert_eq!(statuses, [429, 200, 201]);
    let all: Vec<(String, u16)> =
        app.atlassian.calls().into_iter().map(|call| (call.method, call.status.as_u16())).collect();
    let expected = [("POST", 429), ("GET", 200), ("POST", 201), ("GET", 200)];
    assert_eq!(all, expected.map(|(method, status)| (method.to_owned(), status)));
    let comments = app.atlassian.comments(&site, key);
    assert_eq!(comments.len(), 1, "{comments:?}");
    let text = comments[0]["body"].as_str().unwrap();
    assert!(text.starts_with("Assigned to Emma Richards. Handover 1"), "{text}");

    let handovers = &app.stack.deployment().tables["Handovers"];
    let rows = app.dynamodb().scan().table_name(&handovers.name).send().await.unwrap();
    let [row] = rows.items() else { panic!("{rows:?}") };
    let changes = row["changes"].as_ss().unwrap();
    assert_eq!(changes.len(), 1);
    let issue = format!("{}/{}", site.client_key, body["issue"]["id"].as_str().unwrap());
    assert_eq!(row["issue"], AttributeValue::S(issue));
    assert_eq!(app.depth("IssueUpdatedDeadLetterQueue").await, 0);
    app.stack.stop().await;
}
