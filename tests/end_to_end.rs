//! From a signed POST to a handler.

use atlassian_connect::event::{EventName, Product};
use atlassian_simulator::Webhook;
use atlassian_simulator::samples::sample;
use serde_json::json;

use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::log::Logged;

#[tokio::test(flavor = "multi_thread")]
async fn takes_an_event_of_jira_to_its_handler() {
    let app = TestApp::new().await;
    let answer = app
        .atlassian
        .send(
            Webhook {
                base_url: app.stack.url(),
                url: "/issue-created",
                body: sample(Product::Jira, &EventName::IssueCreated).unwrap().into(),
                identifier: Some("1234".into()),
            },
            &app.jira,
        )
        .await
        .unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));

    let queued = &app.logged(Logged::DeliveryQueued, 1).await[0];
    assert_eq!(queued["function"], "IssueCreatedReceiver");
    assert_eq!(queued["tenant.key"], app.jira.client_key.as_str());
    assert_eq!(queued["webhook.identifier"], "1234");
    let created = &app.logged(Logged::IssueCreated, 1).await[0];
    assert_eq!(created["issue.key"], "DEMO-42");
    let handled = &app.logged(Logged::DeliveryHandled, 1).await[0];
    assert_eq!(handled["function"], "IssueCreatedHandler");
    assert_eq!(handled["delivery.id"], queued["delivery.id"]);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_an_event_of_confluence_to_its_handler() {
    let app = TestApp::new().await;
    let body = sample(Product::Confluence, &EventName::PageCreated).unwrap();
    assert_eq!(app.send("/page-created", body, &app.confluence).await.status, 204);
    assert_eq!(app.logged(Logged::PageCreated, 1).await[0]["page.space_key"], "DOC");
    let handled = &app.logged(Logged::DeliveryHandled, 1).await[0];
    assert_eq!(handled["delivery.event"], "page_created");
    assert_eq!(handled["tenant.key"], app.confluence.client_key.as_str());
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_over_the_body_byte_for_byte_with_params_and_headers() {
    let app = TestApp::new().await;
    let body = "\r\n{ \"webhookEvent\" :\"jira:issue_updated\", \"n\": 1.10, \"n\": 1e400, \
                \"odd\": \"\u{FFFE}\u{7f}\u{2028}\\u0000é\", \"unknown\": {} }\n";
    let answer = app
        .atlassian
        .send(
            Webhook {
                base_url: app.stack.url(),
                url: "/scripted?user_id=admin&user_key=a%20b",
                body: body.into(),
                identifier: Some("5678".into()),
            },
            &app.jira,
        )
        .await
        .unwrap();
    assert_eq!(answer.status, 204);
    let done = &app.logged(Logged::ScriptDone, 1).await[0];
    assert_eq!(done["payload"], body);
    assert_eq!(done["params"], r#"{"handler": "scripted", "note": "it's static"}"#);
    assert!(done["webhook"].as_str().unwrap().contains("5678"));
    assert!(done["webhook"].as_str().unwrap().contains("Primary"));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_two_events_on_one_url_apart() {
    let app = TestApp::new().await;
    for event in ["jira:issue_updated", "jira:issue_deleted"] {
        let body = json!({ "webhookEvent": event });
        assert_eq!(app.send("/scripted", body, &app.jira).await.status, 204);
    }
    let handled = app.logged(Logged::DeliveryHandled, 2).await;
    let mut events: Vec<&str> =
        handled.iter().map(|line| line["delivery.event"].as_str().unwrap()).collect();
    events.sort_unstable();
    assert_eq!(events, ["jira:issue_deleted", "jira:issue_updated"]);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_an_undocumented_event() {
    let app = TestApp::new().await;
    let body = json!({ "webhookEvent": "jira:issue_teleported", "to": "Mars" });
    assert_eq!(app.send("/teleported", &body, &app.jira).await.status, 204);
    assert_eq!(app.logged(Logged::ScriptDone, 1).await[0]["payload"], body.to_string());
    let handled = &app.logged(Logged::DeliveryHandled, 1).await[0];
    assert_eq!(handled["delivery.event"], "jira:issue_teleported");
    assert_eq!(app.logged(Logged::DeliveryUntyped, 1).await[0]["delivery.reading"], "unknown");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_a_body_that_it_cannot_read_and_says_where_it_is_odd() {
    let app = TestApp::new().await;
    let body = json!({ "webhookEvent": "jira:issue_updated", "issue": { "key": ["s3cr3t"] } });
    // A handler that takes the text gets all of it, and nobody else reads it.
    assert_eq!(app.send("/scripted", &body, &app.jira).await.status, 204);
    let done = &app.logged(Logged::ScriptDone, 1).await[0];
    assert_eq!(done["payload"], body.to_string());
    assert!(app.logged(Logged::Metric, 0).await.is_empty());
    let body = json!({ "webhookEvent": "jira:issue_created", "issue": { "key": ["s3cr3t"] } });
    assert_eq!(app.send("/issue-created", &body, &app.jira).await.status, 204);
    let odd = &app.logged(Logged::DeliveryUntyped, 1).await[0];
    assert_eq!(odd["delivery.reading"], "unreadable");
    assert!(odd["detail"].as_str().unwrap().contains("issue.key"), "{odd}");
    assert!(!odd.to_string().contains("s3cr3t"), "{odd}");
    assert_eq!(odd["Untyped"], 1);
    let dead = &app.logged(Logged::DeliveryDeadLettered, 1).await[0];
    assert_eq!((&dead["delivery.id"], &dead["error"]), (&odd["delivery.id"], &odd["detail"]));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_over_what_it_can_read_and_says_what_it_left_out() {
    let app = TestApp::new().await;
    let body = r#"{"webhookEvent":"jira:issue_created","issue":{"id":"10042","key":"DEMO-42",
        "fields":{"summary":"hot \ud83d","description":["s3cr3t"]}},"user":"s3cr3t"}"#;
    assert_eq!(app.send("/issue-created", body, &app.jira).await.status, 204);
    let partly = &app.logged(Logged::DeliveryPartlyTyped, 1).await[0];
    assert_eq!(partly["delivery.reading"], "partly");
    assert_eq!(partly["left_out"], "issue.fields.description");
    assert!(!partly.to_string().contains("s3cr3t"), "{partly}");
    assert_eq!(app.logged(Logged::Metric, 1).await[0]["PartlyTyped"], 1);
    // Its handler asks for the type, and is called.
    assert_eq!(app.logged(Logged::IssueCreated, 1).await[0]["issue.key"], "DEMO-42");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carries_half_of_a_surrogate_pair_byte_for_byte() {
    let app = TestApp::new().await;
    // The handler reads a type of its own from it.
    let body = r#"{"\ude00":1,"webhookEvent":"jira:issue_updated","do":"not\ud83d","issue":
        {"id":"10042","key":"DEMO-42","fields":{"summary":"\ud83d"}}}"#;
    assert_eq!(app.send("/scripted", body, &app.jira).await.status, 204);
    assert_eq!(app.logged(Logged::ScriptDone, 1).await[0]["payload"], body);
    app.logged(Logged::DeliveryHandled, 1).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::DeliveryHandled, 1).await.len(), 1);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_what_the_host_fills_into_the_path() {
    let app = TestApp::new().await;
    let sent = app.send("/page/98405/gone", json!({ "page": 1 }), &app.confluence).await;
    assert_eq!(sent.status, 204);
    assert_eq!(app.logged(Logged::DeliveryHandled, 1).await[0]["delivery.event"], "page_removed");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn describes_the_message_for_whoever_looks_at_the_queue() {
    let app = TestApp::without_handlers().await;
    let tenant = app.installed(Product::Jira).await;
    let body = json!({ "webhookEvent": "jira:issue_created" });
    assert_eq!(app.send("/issue-created", body, &tenant).await.status, 204);
    let message = app.receive("IssueCreatedQueue").await;
    let attributes = message.message_attributes.unwrap();
    let text = |name: &str| attributes[name].string_value.clone().unwrap();
    assert_eq!(text("event"), "jira:issue_created");
    assert_eq!(text("tenant"), tenant.client_key.as_str());
    // A group of its own, so that a tenant with a burst does not delay the others.
    let system = message.attributes.unwrap();
    let group = system[&aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId].as_str();
    assert_eq!(group, tenant.client_key.as_str());
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_the_descriptor_with_its_base_url() {
    let app = TestApp::empty(|template| template).await;
    let url = format!("{}/atlassian-connect.json", app.stack.url());
    let response = app.atlassian.client().get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = response.text().await.unwrap();
    let served: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(served["baseUrl"], app.stack.url());
    let webhooks = served["modules"]["webhooks"].as_array().unwrap();
    assert_eq!(served["key"], DESCRIPTOR.key.as_str());
    assert!(!webhooks.is_empty() && webhooks.iter().all(|webhook| webhook.get("params").is_none()));
    app.stack.stop().await;
}
