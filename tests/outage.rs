//! A service of AWS is away for a while.

use std::collections::BTreeSet;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::{Site, Webhook};
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

/// The queue has the webhook, and the receiver is killed before it can say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_killed_before_its_answer_costs_a_repetition_and_nothing_else() {
    let wire = Wire::new().await;
    let stage = Stage::empty(|template| {
        template.replace(
            "QUEUE_URL: !Ref ObedientQueue\n          TENANTS_KEY:",
            &format!(
                "QUEUE_URL: !Ref ObedientQueue\n          AWS_ENDPOINT_URL_SQS: '{}'\n          \
                 TENANTS_KEY:",
                wire.url()
            ),
        )
    })
    .await;
    wire.leads_to(stage.stack.sqs_endpoint());
    let site = stage.installed(Product::Jira).await;
    let send = async || {
        let webhook = Webhook {
            base_url: stage.stack.url(),
            url: "/orders",
            body: json!({ "webhookEvent": "jira:issue_updated" }).to_string(),
            identifier: Some("the-one".into()),
        };
        stage.atlassian.send(webhook, &site).await.unwrap().status.as_u16()
    };
    let other = json!({ "webhookEvent": "jira:issue_updated" });
    assert_eq!(stage.send("/orders", &other, &site).await.status, 204);
    stage.logged("obeyed", 1).await;

    wire.becomes(Line::Held);
    let killed = async {
        stage.logged("obeyed", 2).await;
        kill("receiver", wire.url());
        wire.becomes(Line::Whole);
    };
    let (status, ()) = tokio::join!(send(), killed);
    assert!(status >= 500, "{status}: Jira sends it again");
    assert_eq!(send().await, 204);
    stage.logged("delivery repeated", 1).await;
    assert_eq!(stage.logged("obeyed", 2).await.len(), 2);
    stage.drained("ObedientQueue").await;
    stage.stack.stop().await;
}

/// Kills the processes of a binary that were told of a service at this URL.
fn kill(binary: &str, url: &str) {
    let mut killed = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = process.path();
        let runs = std::fs::read_link(path.join("exe")).is_ok_and(|exe| exe.ends_with(binary));
        let told = std::fs::read(path.join("environ"))
            .is_ok_and(|environ| String::from_utf8_lossy(&environ).contains(url));
        if runs && told {
            let id = process.file_name();
            let status = std::process::Command::new("kill").arg("-9").arg(id).status().unwrap();
            killed += usize::from(status.success());
        }
    }
    assert!(killed > 0, "no process of {binary} was there to be killed");
}

/// Everything stops while messages are queued, under way and locked, and starts again from disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing_that_was_queued() {
    let stage = Stage::in_haste().await.on_disk().await;
    let site = stage.installed(Product::Jira).await;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..60 {
        // Some are in the middle of it when everything stops.
        let once = folder.path().join(number.to_string());
        let what = if number % 20 == 9 { "hang" } else { "succeed" };
        let order = json!({
            "webhookEvent": "jira:issue_updated", "do": what, "once": once, "number": number,
        });
        assert_eq!(stage.send("/orders", order, &site).await.status, 204);
    }
    stage.logged("obeyed", 10).await;
    let stage = stage.restarted().await;
    stage.logged("obeyed", 60).await;
    stage.drained("ObedientQueue").await;
    let obeyed = stage.logged("obeyed", 60).await;
    let payloads = obeyed.iter().map(|line| line["payload"].as_str().unwrap());
    assert_eq!(payloads.collect::<BTreeSet<_>>().len(), 60, "none is missing");
    stage.stack.stop().await;
}
