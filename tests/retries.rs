//! What fails, fails alone, and ends where it can be looked at.

use std::path::Path;
use std::time::Duration;

use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::event::{Product, Reading};
use atlassian_connect::payload::Payload;
use atlassian_simulator::Site;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, SendMessageBatchRequestEntry};
use serde_json::json;
use uuid::Uuid;

use crate::harness::app::{TestApp, with_variables};
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

fn delivery(app: &TestApp, order: &str) -> String {
    delivery_of(app, json!({ "do": order }))
}

/// A message that carries an order to the scripted handler.
pub(crate) fn delivery_of(app: &TestApp, order: serde_json::Value) -> String {
    let delivery = Delivery {
        id: Uuid::new_v4().to_string(),
        event: "jira:issue_updated".into(),
        product: app.jira.product,
        sender: Sender::Connect,
        tenant: app.jira.client_key.clone(),
        base_url: None,
        received_at: jiff::Timestamp::now(),
        webhook: Webhook::default(),
        params: [].into(),
        reading: Reading::Read,
        payload: Payload::from_body(order.to_string()).unwrap(),
    };
    delivery.to_message()
}

/// Puts messages on the scripted handler's queue at once, so that one batch can hold them all.
pub(crate) async fn enqueue(app: &TestApp, bodies: impl IntoIterator<Item = String>) {
    let mut request = app.sqs().send_message_batch().queue_url(app.queue("ScriptedQueue"));
    for (number, body) in bodies.into_iter().enumerate() {
        let entry =
            SendMessageBatchRequestEntry::builder().id(number.to_string()).message_body(body);
        request = request.entries(entry.build().unwrap());
    }
    assert!(request.send().await.unwrap().failed.is_empty());
}

/// The reason of a dead letter.
pub(crate) fn reason(dead: &Message) -> Option<&str> {
    dead.message_attributes.as_ref()?.get("reason")?.string_value()
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_nine_good_messages_beside_a_poisoned_one() {
    let app = TestApp::in_haste().await;
    let good = (0..9).map(|_| delivery(&app, "succeed"));
    enqueue(&app, std::iter::once("poison".to_owned()).chain(good)).await;

    let dead = app.receive("ScriptedDeadLetterQueue").await;
    assert_eq!(dead.body.as_deref(), Some("poison"), "it is kept as it was");
    assert!(reason(&dead).unwrap().contains("not a delivery"), "{dead:?}");
    let given_up = app.logged(Logged::DeliveryDeadLettered, 1).await;
    assert_eq!(given_up[0]["message.attempts"], 1, "an unreadable message is not retried");

    app.logged(Logged::DeliveryHandled, 9).await;
    app.drained("ScriptedQueue").await;
    let handled = app.logged(Logged::DeliveryHandled, 9).await;
    assert_eq!(handled.len(), 9, "no good message comes twice because of its neighbour");
    assert!(handled.iter().all(|line| line["message.attempts"] == 1));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_as_often_as_the_template_says_and_keeps_the_reason() {
    let app = TestApp::in_haste().await;
    enqueue(&app, ["panic", "succeed", "fail"].map(|order| delivery(&app, order))).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let dead = app.receive("ScriptedDeadLetterQueue").await;
        reasons.push(reason(&dead).unwrap().to_owned());
    }
    app.drained("ScriptedQueue").await;
    reasons.sort_unstable();
    assert_eq!(reasons, ["as scripted", "the handler panicked: as scripted"]);
    assert_eq!(app.logged(Logged::DeliveryHandled, 1).await.len(), 1);
    let failed = app.logged(Logged::DeliveryFailed, 8).await;
    assert_eq!(failed.iter().filter(|line| line["error"] == "as scripted").count(), 4);
    let given_up = app.logged(Logged::DeliveryDeadLettered, 2).await;
    assert!(given_up.iter().all(|line| line["message.attempts"] == 5), "{given_up:#?}");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_at_once_and_says_how_long_it_was_asked_to_wait() {
    let app = TestApp::in_haste().await;
    assert_eq!(app.script(json!({ "do": "give up", "key": "kept" })).await.status, 204);
    let dead = app.receive("ScriptedDeadLetterQueue").await;
    assert_eq!(reason(&dead), Some("as scripted, for good"));
    let attributes = dead.message_attributes.as_ref().unwrap();
    assert_eq!(attributes["event"].string_value(), Some("jira:issue_updated"));
    assert_eq!(attributes["tenant"].string_value(), Some(app.jira.client_key.as_str()));
    let group = &dead.attributes.as_ref().unwrap()[&MessageSystemAttributeName::MessageGroupId];
    assert_eq!(group, app.jira.client_key.as_str());
    assert!(dead.body.unwrap().contains("kept"));

    let folder = tempfile::tempdir().unwrap();
    let order = json!({ "do": "later", "once": folder.path().join("later") });
    assert_eq!(app.script(order).await.status, 204);
    app.logged(Logged::ScriptDone, 1).await;
    app.drained("ScriptedQueue").await;
    let failed = app.logged(Logged::DeliveryFailed, 1).await;
    assert_eq!(failed[0]["retry.seconds"], 1);
    assert_eq!(app.logged(Logged::DeliveryDeadLettered, 1).await.len(), 1);
    app.stack.stop().await;
}

/// Jira sends again what it got no answer for.
#[tokio::test(flavor = "multi_thread")]
async fn handles_a_webhook_once_however_often_it_is_sent() {
    let app = TestApp::in_haste().await;
    let other = app.installed(app.jira.product).await;
    let folder = tempfile::tempdir().unwrap();
    let send = async |identifier: Option<&str>, body: &serde_json::Value, site: &Site| {
        let webhook = atlassian_simulator::Webhook {
            base_url: app.stack.url(),
            url: "/scripted",
            body: body.to_string(),
            identifier: identifier.map(str::to_owned),
        };
        assert_eq!(app.atlassian.send(webhook, site).await.unwrap().status, 204);
    };
    // The first attempt fails: that is not a handling.
    let once = folder.path().join("once");
    let body = json!({ "webhookEvent": "jira:issue_updated", "do": "fail", "once": once });
    for _ in 0..3 {
        send(Some("one"), &body, &app.jira).await;
    }
    app.logged(Logged::DeliveryDuplicate, 2).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 1).await.len(), 1);

    // Another webhook, and the same identifier of another tenant.
    send(Some("two"), &body, &app.jira).await;
    send(Some("one"), &body, &other).await;
    app.logged(Logged::ScriptDone, 3).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 3).await.len(), 3);

    // Without an identifier: a timestamp tells two events from one that comes twice.
    let timed = |time: u64| json!({ "webhookEvent": "jira:issue_updated", "timestamp": time });
    for time in [1, 1, 2] {
        send(None, &timed(time), &app.jira).await;
    }
    app.logged(Logged::DeliveryDuplicate, 3).await;
    let untimed = json!({ "webhookEvent": "jira:issue_updated" });
    for _ in 0..2 {
        send(None, &untimed, &app.jira).await;
    }
    app.logged(Logged::ScriptDone, 7).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 7).await.len(), 7);
    assert_eq!(app.logged(Logged::DeliveryDuplicate, 3).await.len(), 3);
    app.stack.stop().await;
}

/// Blank identifiers do not identify webhooks, and long ones do.
#[tokio::test(flavor = "multi_thread")]
async fn takes_no_two_webhooks_for_one_because_their_identifier_is_odd() {
    let app = TestApp::in_haste().await;
    let send = async |identifier: &str, time: u64| {
        let webhook = atlassian_simulator::Webhook {
            base_url: app.stack.url(),
            url: "/scripted",
            body: json!({ "webhookEvent": "jira:issue_updated", "timestamp": time }).to_string(),
            identifier: Some(identifier.to_owned()),
        };
        assert_eq!(app.atlassian.send(webhook, &app.jira).await.unwrap().status, 204);
    };
    for time in [1, 2, 2] {
        send("", time).await;
    }
    app.logged(Logged::DeliveryDuplicate, 1).await;
    app.logged(Logged::ScriptDone, 2).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 2).await.len(), 2);

    let (one, two) = ("x".repeat(9000), format!("{}y", "x".repeat(8999)));
    for identifier in [&one, &one, &two] {
        send(identifier, 3).await;
    }
    app.logged(Logged::DeliveryDuplicate, 2).await;
    app.logged(Logged::ScriptDone, 4).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 4).await.len(), 4);
    assert_eq!(app.logged(Logged::DeliveryDuplicate, 2).await.len(), 2);
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 0);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_handler_whose_process_ends() {
    let app = TestApp::in_haste().await;
    let folder = tempfile::tempdir().unwrap();
    // Killed half-way: its lock is left behind, and has ended when the message is received again.
    let order = json!({ "do": "exit", "once": folder.path().join("exit") });
    assert_eq!(app.script(order).await.status, 204);
    app.logged(Logged::ScriptDone, 1).await;
    // Killed every time: it is given up without a sixth.
    assert_eq!(app.script(json!({ "do": "exit" })).await.status, 204);
    let dead = app.receive("ScriptedDeadLetterQueue").await;
    assert!(reason(&dead).unwrap().contains("the function was killed"), "{dead:?}");
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptBegun, 2 + 5).await.len(), 2 + 5);
    // A new environment does what the one that ended cannot.
    assert_eq!(app.script(json!({ "do": "succeed" })).await.status, 204);
    app.logged(Logged::ScriptDone, 2).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 2).await.len(), 2);
    app.stack.stop().await;
}

/// Without the table nothing is handled, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn waits_while_the_idempotency_table_is_unavailable() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::empty(|template| {
        template.tamper("RETRY_DELAY: !Ref RetryDelay", "RETRY_DELAY: '0'").tamper(
            "RETRY_DELAY:",
            &format!("AWS_ENDPOINT_URL_DYNAMODB: '{}'\n          RETRY_DELAY:", proxy.url()),
        )
    })
    .await;
    proxy.forward_to(app.stack.dynamodb_endpoint());
    proxy.inject(Fault::Refuse);
    let site = app.installed(Product::Jira).await;
    let body = json!({ "webhookEvent": "jira:issue_updated" });
    assert_eq!(app.send("/scripted", body, &site).await.status, 204);
    let failed = app.logged(Logged::DeliveryFailed, 2).await;
    assert!(failed[0]["error"].as_str().unwrap().contains("IdempotencyTable"), "{failed:#?}");
    assert_eq!(app.logged(Logged::ScriptDone, 0).await.len(), 0);
    proxy.inject(Fault::None);
    app.logged(Logged::ScriptDone, 1).await;
    app.drained("ScriptedQueue").await;
    app.stack.stop().await;
}

/// An effect that must rather be missing than happen twice, and functions that are killed.
#[tokio::test(flavor = "multi_thread")]
async fn passes_no_claim_though_functions_are_killed() {
    let app = TestApp::with(|template| {
        with_variables(template, &[("HANDLER_MODE", "claim_once")])
            .tamper("VisibilityTimeout: 180", "VisibilityTimeout: 6")
            .tamper("Timeout: 30", "Timeout: 6")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    send_twenty_twice(&app, folder.path()).await;
    app.drained_within("ScriptedQueue", Duration::from_secs(120)).await;
    assert_eq!(app.logged(Logged::ScriptBegun, 20).await.len(), 20, "no effect was begun twice");
    assert_eq!(app.logged(Logged::ScriptDone, 15).await.len(), 15);
    let dead = app.all("ScriptedDeadLetterQueue").await;
    assert_eq!(dead.len(), 5, "what was begun and did not end is reported");
    for dead in &dead {
        assert!(reason(dead).unwrap().contains("it is unknown whether the event was handled"));
    }
    // Somebody has looked, and says so.
    let queues = crate::dead_letters::queues(&app, app.stack.sqs_endpoint());
    app.visible("ScriptedDeadLetterQueue", &dead).await;
    assert_eq!(
        cargo_hooks::dead_letters::replay(&queues, &Default::default()).await.unwrap().moved,
        5
    );
    app.logged(Logged::ScriptDone, 20).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 20).await.len(), 20);
    assert_eq!(app.logged(Logged::ScriptBegun, 25).await.len(), 25);
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 0);
    app.stack.stop().await;
}

/// Sends twenty webhooks, and each a second time. Every fourth kills its function in its first attempt,
/// which makes a file in the folder.
async fn send_twenty_twice(app: &TestApp, folder: &Path) {
    for _ in 0..2 {
        for number in 0..20 {
            let (what, once) = match number % 4 {
                1 => ("exit", json!(folder.join(number.to_string()))),
                _ => ("succeed", json!(null)),
            };
            let event = "jira:issue_updated";
            let body = json!({"webhookEvent": event, "do": what, "once": once, "number": number});
            let webhook = atlassian_simulator::Webhook {
                base_url: app.stack.url(),
                url: "/scripted",
                body: body.to_string(),
                identifier: Some(number.to_string()),
            };
            assert_eq!(app.atlassian.send(webhook, &app.jira).await.unwrap().status, 204);
        }
    }
}

/// With one write for most events: what is sent twice has one effect, and what is killed is done again.
#[tokio::test(flavor = "multi_thread")]
async fn deduplicates_with_fewer_writes_though_functions_are_killed() {
    let app = TestApp::with(|template| {
        with_variables(template, &[("HANDLER_MODE", "deduplicate")])
            .tamper("VisibilityTimeout: 180", "VisibilityTimeout: 6")
            .tamper("Timeout: 30", "Timeout: 6")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    send_twenty_twice(&app, folder.path()).await;
    app.drained_within("ScriptedQueue", Duration::from_secs(120)).await;
    assert_eq!(
        app.logged(Logged::ScriptDone, 20).await.len(),
        20,
        "none is lost, none comes twice"
    );
    assert_eq!(app.logged(Logged::ScriptBegun, 25).await.len(), 25, "five were killed");
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 0);
    let table = &app.stack.deployment().tables["IdempotencyTable"].name;
    let rows = app.dynamodb().scan().table_name(table).send().await.unwrap();
    assert_eq!(rows.count(), 20);
    let unrecorded = rows.items().iter().filter(|row| row.contains_key("lockedUntil")).count();
    assert!((1..20).contains(&unrecorded), "of {unrecorded} events completion was not written");
    app.stack.stop().await;
}

/// Messages that no receiver wrote, and that have no room for the attributes of a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_once_a_message_without_room_for_its_reason() {
    let app = TestApp::new().await;
    let most = 1024 * 1024;
    let crowded = (0..10).map(|number| (format!("a{number}"), "x".to_owned()));
    let rows: Vec<(usize, Vec<(String, String)>)> = vec![
        (most, vec![]),
        (most - 60, vec![]),
        (most - 150, vec![]),
        (10, crowded.collect()),
        (most - 40, vec![("a".into(), "x".repeat(30))]),
    ];
    let count = rows.len();
    for (bytes, attributes) in rows {
        let mut send = app
            .sqs()
            .send_message()
            .queue_url(app.queue("ScriptedQueue"))
            .message_body("x".repeat(bytes));
        for (name, value) in attributes {
            let value = aws_sdk_sqs::types::MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value);
            send = send.message_attributes(name, value.build().unwrap());
        }
        send.send().await.unwrap();
    }
    let given_up = app.logged(Logged::DeliveryDeadLettered, count).await;
    assert!(given_up.iter().all(|line| line["message.attempts"] == 1), "{given_up:#?}");
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::DeliveryDeadLettered, count).await.len(), count);
    let dead = app.all("ScriptedDeadLetterQueue").await;
    assert_eq!(dead.len(), count);
    let without_a_reason = dead.iter().filter(|dead| reason(dead).is_none()).count();
    assert_eq!(without_a_reason, 1, "only where there is not one byte left");
    app.stack.stop().await;
}
