//! A service of AWS is away for a while.

use connect::event::Product;
use connect::lifecycle::Callback;
use infra::atlassian::Site;
use serde_json::json;

use crate::line::{Line, Wire};
use crate::stage::Stage;

async fn webhook(stage: &Stage, url: &str, site: &Site) -> u16 {
    let event = if url == "/orders" { "jira:issue_updated" } else { "jira:issue_created" };
    stage.send(url, json!({ "webhookEvent": event }), site).await.status.as_u16()
}

/// DynamoDB and KMS, one after the other, in each way of being away.
#[tokio::test(flavor = "multi_thread")]
async fn known_tenants_go_on_without_the_table_or_the_key_and_no_other_is_turned_away() {
    let wires = [Wire::new().await, Wire::new().await];
    let stage = Stage::without_handlers_behind(&[
        ("AWS_ENDPOINT_URL_DYNAMODB", wires[0].url()),
        ("AWS_ENDPOINT_URL_KMS", wires[1].url()),
    ])
    .await;
    wires[0].leads_to(stage.stack.dynamodb_endpoint());
    wires[1].leads_to(stage.stack.kms_endpoint());
    let known = stage.installed(Product::Jira).await;
    assert_eq!(webhook(&stage, "/issue-created", &known).await, 204);
    let mut taken = 1;
    for wire in &wires {
        for line in [Line::Cut, Line::Silent, Line::Deaf] {
            let late = stage.installed(Product::Jira).await;
            wire.becomes(line);
            assert_eq!(webhook(&stage, "/issue-created", &known).await, 204, "{line:?}");
            // Nobody has read this one. It is not refused: Jira sends it again.
            assert_eq!(webhook(&stage, "/issue-created", &late).await, 503, "{line:?}");
            let away = Site::new(Product::Jira, "away");
            assert_eq!(stage.call_back(Callback::Installed, &away).await.status, 503, "{line:?}");

            wire.becomes(Line::Whole);
            assert_eq!(webhook(&stage, "/issue-created", &late).await, 204, "{line:?}");
            assert_eq!(stage.call_back(Callback::Installed, &away).await.status, 204, "{line:?}");
            taken += 2;
        }
    }
    assert_eq!(stage.depth("IssueCreatedQueue").await, taken);
    stage.stack.stop().await;
}

/// Jira sends again what it got 503 for. Confluence does not: for its events the receiver tries as
/// long as it can.
#[tokio::test(flavor = "multi_thread")]
async fn tries_harder_to_queue_what_nobody_sends_again() {
    let wire = Wire::new().await;
    let stage = Stage::without_handlers_behind(&[("AWS_ENDPOINT_URL_SQS", wire.url())]).await;
    wire.leads_to(stage.stack.sqs_endpoint());
    let jira = stage.installed(Product::Jira).await;
    let confluence = stage.installed(Product::Confluence).await;
    assert_eq!(webhook(&stage, "/issue-created", &jira).await, 204);
    assert_eq!(stage.send("/page-created", json!({}), &confluence).await.status, 204);

    wire.becomes(Line::Cut);
    let page = stage.send("/page-created", json!({}), &confluence);
    let issue = async {
        let status = webhook(&stage, "/issue-created", &jira).await;
        // It took its time, and the other has some left.
        wire.becomes(Line::Whole);
        status
    };
    let (page, issue) = tokio::join!(page, issue);
    assert_eq!((page.status.as_u16(), issue), (204, 503));
    assert_eq!(stage.depth("IssueCreatedQueue").await, 1);
    assert_eq!(stage.depth("PageCreatedQueue").await, 2);

    // Nobody is told that it is queued if nobody knows.
    wire.becomes(Line::Deaf);
    let page = stage.send("/page-created", json!({}), &confluence).await;
    assert_eq!(page.status, 503);
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_turns_no_webhook_away() {
    let stage = Stage::without_handlers().await;
    let mut site = stage.jira.clone();
    let mut sent = 0;
    for _ in 0..5 {
        let new = site.with_new_secret();
        let webhooks = |site: Site| {
            let stage = &stage;
            async move {
                for _ in 0..10 {
                    for url in ["/issue-created", "/orders"] {
                        assert_eq!(webhook(stage, url, &site).await, 204);
                    }
                }
            }
        };
        // Before, while and after the install is on its way.
        let before = webhooks(site.clone());
        let install = async {
            assert_eq!(stage.call_back(Callback::Installed, &new).await.status, 204);
            webhooks(new.clone()).await;
        };
        tokio::join!(before, install);
        sent += 40;
        site = new;
    }
    assert_eq!(stage.total_depth().await, sent);
    stage.stack.stop().await;
}
