//! A service of AWS is away for a while.

use std::collections::BTreeSet;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::{Site, Webhook};
use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;
use crate::harness::process::kill;
use crate::harness::tamper::Tamper as _;

async fn webhook(app: &TestApp, url: &str, site: &Site) -> u16 {
    let event = if url == "/scripted" { "jira:issue_updated" } else { "jira:issue_created" };
    app.send(url, json!({ "webhookEvent": event }), site).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn known_tenants_are_served_without_the_table() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::without_handlers_behind(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    proxy.forward_to(app.stack.dynamodb_endpoint());
    let known = app.installed(Product::Jira).await;
    assert_eq!(webhook(&app, "/issue-created", &known).await, 204);
    let mut taken = 1;
    for fault in [Fault::Refuse, Fault::Blackhole, Fault::DropResponse] {
        let late = app.installed(Product::Jira).await;
        proxy.inject(fault);
        assert_eq!(webhook(&app, "/issue-created", &known).await, 204, "{fault:?}");
        // Nobody has read this one. It is not refused: Jira sends it again.
        let away = Site::new(Product::Jira, "away");
        let (sent, install) = tokio::join!(
            webhook(&app, "/issue-created", &late),
            app.call_back(Callback::Installed, &away),
        );
        assert_eq!((sent, install.status.as_u16()), (503, 503), "{fault:?}");

        proxy.inject(Fault::None);
        assert_eq!(webhook(&app, "/issue-created", &late).await, 204, "{fault:?}");
        assert_eq!(app.call_back(Callback::Installed, &away).await.status, 204, "{fault:?}");
        taken += 2;
    }
    assert_eq!(app.depth("IssueCreatedQueue").await, taken);
    app.stack.stop().await;
}

/// A function that knows the data key needs no KMS for an hour, and one that starts does.
#[tokio::test(flavor = "multi_thread")]
async fn warm_functions_go_on_without_kms_and_cold_ones_ask_to_try_again() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::without_handlers_behind(&[("AWS_ENDPOINT_URL_KMS", proxy.url())]).await;
    let mut app = app.on_disk().await;
    proxy.forward_to(app.stack.kms_endpoint());
    let known = app.installed(Product::Jira).await;
    assert_eq!(webhook(&app, "/issue-created", &known).await, 204);
    let mut taken = 1;
    for fault in [Fault::Refuse, Fault::Blackhole, Fault::DropResponse] {
        proxy.inject(fault);
        // Tenants that the receiver has not read yet as well.
        let late = app.installed(Product::Jira).await;
        assert_eq!(webhook(&app, "/issue-created", &late).await, 204, "{fault:?}");
        assert_eq!(
            webhook(&app, "/issue-created", &late.with_new_secret()).await,
            401,
            "{fault:?}"
        );

        app = app.restarted().await;
        proxy.forward_to(app.stack.kms_endpoint());
        let (forger, away) = (late.with_new_secret(), Site::new(Product::Jira, "away"));
        let (sent, forged, install) = tokio::join!(
            webhook(&app, "/issue-created", &late),
            webhook(&app, "/issue-created", &forger),
            app.call_back(Callback::Installed, &away),
        );
        assert_eq!((sent, forged, install.status.as_u16()), (503, 503, 503), "{fault:?}");

        proxy.inject(Fault::None);
        assert_eq!(webhook(&app, "/issue-created", &late).await, 204, "{fault:?}");
        // The lifecycle function knows the data key again, too.
        app.installed(Product::Jira).await;
        taken += 2;
    }
    assert_eq!(app.depth("IssueCreatedQueue").await, taken);
    app.stack.stop().await;
}

/// Jira sends again what it got 503 for. Confluence does not: for its events the receiver tries as
/// long as it can.
#[tokio::test(flavor = "multi_thread")]
async fn retries_longer_for_events_that_are_not_sent_again() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::without_handlers_behind(&[("AWS_ENDPOINT_URL_SQS", proxy.url())]).await;
    proxy.forward_to(app.stack.sqs_endpoint());
    let jira = app.installed(Product::Jira).await;
    let confluence = app.installed(Product::Confluence).await;
    assert_eq!(webhook(&app, "/issue-created", &jira).await, 204);
    assert_eq!(app.send("/page-created", json!({}), &confluence).await.status, 204);

    proxy.inject(Fault::Refuse);
    let page = app.send("/page-created", json!({}), &confluence);
    let issue = async {
        let status = webhook(&app, "/issue-created", &jira).await;
        // It took its time, and the other has some left.
        proxy.inject(Fault::None);
        status
    };
    let (page, issue) = tokio::join!(page, issue);
    assert_eq!((page.status.as_u16(), issue), (204, 503));
    assert_eq!(app.depth("IssueCreatedQueue").await, 1);
    assert_eq!(app.depth("PageCreatedQueue").await, 2);

    // The sender gets no 204 if it is unknown whether the event is queued.
    proxy.inject(Fault::DropResponse);
    let page = app.send("/page-created", json!({}), &confluence).await;
    assert_eq!(page.status, 503);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_rotation_under_load_rejects_no_webhook() {
    let app = TestApp::without_handlers().await;
    let mut site = app.jira.clone();
    let mut sent = 0;
    for _ in 0..5 {
        let new = site.with_new_secret();
        let webhooks = |site: Site| {
            let app = &app;
            async move {
                for _ in 0..10 {
                    for url in ["/issue-created", "/scripted"] {
                        assert_eq!(webhook(app, url, &site).await, 204);
                    }
                }
            }
        };
        // Before, while and after the install is on its way.
        let before = webhooks(site.clone());
        let install = async {
            assert_eq!(app.call_back(Callback::Installed, &new).await.status, 204);
            webhooks(new.clone()).await;
        };
        tokio::join!(before, install);
        sent += 40;
        site = new;
    }
    assert_eq!(app.total_depth().await, sent);
    app.stack.stop().await;
}

/// The queue has the webhook, and the receiver is killed before it can say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_killed_before_its_response_causes_one_repetition() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::empty(|template| {
        template.tamper(
            "QUEUE_URL: !Ref ScriptedQueue\n          TENANTS_KEY:",
            &format!(
                "QUEUE_URL: !Ref ScriptedQueue\n          AWS_ENDPOINT_URL_SQS: '{}'\n          \
                 TENANTS_KEY:",
                proxy.url()
            ),
        )
    })
    .await;
    proxy.forward_to(app.stack.sqs_endpoint());
    let site = app.installed(Product::Jira).await;
    let send = async || {
        let webhook = Webhook {
            base_url: app.stack.url(),
            url: "/scripted",
            body: json!({ "webhookEvent": "jira:issue_updated" }).to_string(),
            identifier: Some("the-one".into()),
        };
        app.atlassian.send(webhook, &site).await.unwrap().status.as_u16()
    };
    let other = json!({ "webhookEvent": "jira:issue_updated" });
    assert_eq!(app.send("/scripted", &other, &site).await.status, 204);
    app.logged(Logged::ScriptDone, 1).await;

    proxy.inject(Fault::HoldResponse);
    let killed = async {
        app.logged(Logged::ScriptDone, 2).await;
        kill("app-receiver", proxy.url());
        proxy.inject(Fault::None);
    };
    let (status, ()) = tokio::join!(send(), killed);
    assert!(status >= 500, "{status}: Jira sends it again");
    assert_eq!(send().await, 204);
    app.logged(Logged::DeliveryDuplicate, 1).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 2).await.len(), 2);
    app.stack.stop().await;
}

/// Everything stops while messages are queued, under way and locked, and starts again from disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing_that_was_queued() {
    let app = TestApp::in_haste().await.on_disk().await;
    let site = app.installed(Product::Jira).await;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..60 {
        // Some are in the middle of it when everything stops.
        let once = folder.path().join(number.to_string());
        let what = if number % 20 == 9 { "hang" } else { "succeed" };
        let order = json!({
            "webhookEvent": "jira:issue_updated", "do": what, "once": once, "number": number,
        });
        assert_eq!(app.send("/scripted", order, &site).await.status, 204);
    }
    app.logged(Logged::ScriptDone, 10).await;
    let app = app.restarted().await;
    app.logged(Logged::ScriptDone, 60).await;
    app.drained("ScriptedQueue").await;
    let done = app.logged(Logged::ScriptDone, 60).await;
    let payloads = done.iter().map(|line| line["payload"].as_str().unwrap());
    assert_eq!(payloads.collect::<BTreeSet<_>>().len(), 60, "none is missing");
    app.stack.stop().await;
}
