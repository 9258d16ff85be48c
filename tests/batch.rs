//! What fails, fails alone, and ends where it can be looked at.

use std::time::Duration;

use atlassian_connect::delivery::{Delivery, Webhook};
use atlassian_connect::event::{Product, Reading};
use atlassian_connect::payload::Payload;
use atlassian_simulator::Site;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, SendMessageBatchRequestEntry};
use serde_json::json;
use uuid::Uuid;

use crate::line::{Line, Wire};
use crate::stage::{Stage, with_variables};

fn delivery(stage: &Stage, order: &str) -> String {
    delivery_of(stage, json!({ "do": order }))
}

/// A message that carries an order to the obedient handler.
pub(crate) fn delivery_of(stage: &Stage, order: serde_json::Value) -> String {
    let delivery = Delivery {
        id: Uuid::new_v4().to_string(),
        event: "jira:issue_updated".into(),
        product: stage.jira.product,
        tenant: stage.jira.client_key.clone(),
        received_at: jiff::Timestamp::now(),
        webhook: Webhook::default(),
        params: [].into(),
        reading: Reading::Read,
        payload: Payload::from_body(order.to_string()).unwrap(),
    };
    delivery.to_message()
}

/// Puts messages on the obedient handler's queue at once, so that one batch can hold them all.
async fn enqueue(stage: &Stage, bodies: impl IntoIterator<Item = String>) {
    let mut request = stage.sqs().send_message_batch().queue_url(stage.queue("ObedientQueue"));
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
    let stage = Stage::in_haste().await;
    let good = (0..9).map(|_| delivery(&stage, "succeed"));
    enqueue(&stage, std::iter::once("poison".to_owned()).chain(good)).await;

    let dead = stage.receive("ObedientDeadLetterQueue").await;
    assert_eq!(dead.body.as_deref(), Some("poison"), "it is kept as it was");
    assert!(reason(&dead).unwrap().contains("not a delivery"), "{dead:?}");
    let given_up = stage.logged("delivery given up", 1).await;
    assert_eq!(given_up[0]["message.attempts"], 1, "nobody tries what cannot be read");

    let handled = stage.logged("delivery handled", 9).await;
    assert_eq!(handled.len(), 9, "no good message comes twice because of its neighbour");
    assert!(handled.iter().all(|line| line["message.attempts"] == 1));
    stage.drained("ObedientQueue").await;
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_as_often_as_the_template_says_and_keeps_the_reason() {
    let stage = Stage::in_haste().await;
    enqueue(&stage, ["panic", "succeed", "fail"].map(|order| delivery(&stage, order))).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let dead = stage.receive("ObedientDeadLetterQueue").await;
        reasons.push(reason(&dead).unwrap().to_owned());
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["as ordered", "the handler panicked: as ordered"]);
    assert_eq!(stage.logged("delivery handled", 1).await.len(), 1);
    let failed = stage.logged("delivery failed", 8).await;
    assert_eq!(failed.iter().filter(|line| line["error"] == "as ordered").count(), 4);
    let given_up = stage.logged("delivery given up", 2).await;
    assert!(given_up.iter().all(|line| line["message.attempts"] == 5), "{given_up:#?}");
    stage.drained("ObedientQueue").await;
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_at_once_and_waits_as_long_as_it_is_asked_to() {
    let stage = Stage::in_haste().await;
    assert_eq!(stage.order(json!({ "do": "give up", "key": "kept" })).await.status, 204);
    let dead = stage.receive("ObedientDeadLetterQueue").await;
    assert_eq!(reason(&dead), Some("as ordered, for good"));
    let attributes = dead.message_attributes.as_ref().unwrap();
    assert_eq!(attributes["event"].string_value(), Some("jira:issue_updated"));
    assert_eq!(attributes["tenant"].string_value(), Some(stage.jira.client_key.as_str()));
    let group = &dead.attributes.as_ref().unwrap()[&MessageSystemAttributeName::MessageGroupId];
    assert_eq!(group, stage.jira.client_key.as_str());
    assert!(dead.body.unwrap().contains("kept"));

    let folder = tempfile::tempdir().unwrap();
    let order = json!({ "do": "later", "once": folder.path().join("later") });
    assert_eq!(stage.order(order).await.status, 204);
    stage.logged("obeyed", 1).await;
    let failed = stage.logged("delivery failed", 1).await;
    assert_eq!(failed[0]["retry.seconds"], 1);
    assert_eq!(stage.logged("delivery given up", 1).await.len(), 1);
    stage.stack.stop().await;
}

/// Jira sends again what it got no answer for.
#[tokio::test(flavor = "multi_thread")]
async fn handles_a_webhook_once_however_often_it_is_sent() {
    let stage = Stage::in_haste().await;
    let other = stage.installed(stage.jira.product).await;
    let folder = tempfile::tempdir().unwrap();
    let send = async |identifier: Option<&str>, body: &serde_json::Value, site: &Site| {
        let webhook = atlassian_simulator::Webhook {
            base_url: stage.stack.url(),
            url: "/orders",
            body: body.to_string(),
            identifier: identifier.map(str::to_owned),
        };
        assert_eq!(stage.atlassian.send(webhook, site).await.unwrap().status, 204);
    };
    // The first attempt fails: that is not a handling.
    let once = folder.path().join("once");
    let body = json!({ "webhookEvent": "jira:issue_updated", "do": "fail", "once": once });
    for _ in 0..3 {
        send(Some("one"), &body, &stage.jira).await;
    }
    stage.logged("delivery repeated", 2).await;
    assert_eq!(stage.logged("obeyed", 1).await.len(), 1);

    // Another webhook, and the same identifier of another tenant.
    send(Some("two"), &body, &stage.jira).await;
    send(Some("one"), &body, &other).await;
    assert_eq!(stage.logged("obeyed", 3).await.len(), 3);

    // Without an identifier: a timestamp tells two events from one that comes twice.
    let timed = |time: u64| json!({ "webhookEvent": "jira:issue_updated", "timestamp": time });
    for time in [1, 1, 2] {
        send(None, &timed(time), &stage.jira).await;
    }
    stage.logged("delivery repeated", 3).await;
    let untimed = json!({ "webhookEvent": "jira:issue_updated" });
    for _ in 0..2 {
        send(None, &untimed, &stage.jira).await;
    }
    assert_eq!(stage.logged("obeyed", 7).await.len(), 7);
    stage.drained("ObedientQueue").await;
    assert_eq!(stage.logged("delivery repeated", 3).await.len(), 3);
    stage.stack.stop().await;
}

/// An identifier that says nothing tells nothing apart, and a long one is as good as any.
#[tokio::test(flavor = "multi_thread")]
async fn takes_no_two_webhooks_for_one_because_their_identifier_is_odd() {
    let stage = Stage::in_haste().await;
    let send = async |identifier: &str, time: u64| {
        let webhook = atlassian_simulator::Webhook {
            base_url: stage.stack.url(),
            url: "/orders",
            body: json!({ "webhookEvent": "jira:issue_updated", "timestamp": time }).to_string(),
            identifier: Some(identifier.to_owned()),
        };
        assert_eq!(stage.atlassian.send(webhook, &stage.jira).await.unwrap().status, 204);
    };
    for time in [1, 2, 2] {
        send("", time).await;
    }
    stage.logged("delivery repeated", 1).await;
    assert_eq!(stage.logged("obeyed", 2).await.len(), 2);

    let (one, two) = ("x".repeat(9000), format!("{}y", "x".repeat(8999)));
    for identifier in [&one, &one, &two] {
        send(identifier, 3).await;
    }
    stage.logged("delivery repeated", 2).await;
    assert_eq!(stage.logged("obeyed", 4).await.len(), 4);
    stage.drained("ObedientQueue").await;
    assert_eq!(stage.logged("delivery repeated", 2).await.len(), 2);
    assert_eq!(stage.depth("ObedientDeadLetterQueue").await, 0);
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_handler_whose_process_ends() {
    let stage = Stage::in_haste().await;
    let folder = tempfile::tempdir().unwrap();
    // Killed half-way: its lock is left behind, and is over when the message comes again.
    let order = json!({ "do": "exit", "once": folder.path().join("exit") });
    assert_eq!(stage.order(order).await.status, 204);
    stage.logged("obeyed", 1).await;
    // Killed every time: it is given up without a sixth.
    assert_eq!(stage.order(json!({ "do": "exit" })).await.status, 204);
    let dead = stage.receive("ObedientDeadLetterQueue").await;
    assert!(reason(&dead).unwrap().contains("the function was killed"), "{dead:?}");
    assert_eq!(stage.logged("begun", 2 + 5).await.len(), 2 + 5);
    // A new environment does what the one that ended cannot.
    assert_eq!(stage.order(json!({ "do": "succeed" })).await.status, 204);
    assert_eq!(stage.logged("obeyed", 2).await.len(), 2);
    stage.stack.stop().await;
}

/// Without the table nothing is handled, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn waits_while_it_cannot_know_what_was_handled() {
    let wire = Wire::new().await;
    let stage = Stage::empty(|template| {
        template.replace("RETRY_DELAY: !Ref RetryDelay", "RETRY_DELAY: '0'").replace(
            "RETRY_DELAY:",
            &format!("AWS_ENDPOINT_URL_DYNAMODB: '{}'\n          RETRY_DELAY:", wire.url()),
        )
    })
    .await;
    wire.leads_to(stage.stack.dynamodb_endpoint());
    wire.becomes(Line::Cut);
    let site = stage.installed(Product::Jira).await;
    let body = json!({ "webhookEvent": "jira:issue_updated" });
    assert_eq!(stage.send("/orders", body, &site).await.status, 204);
    let failed = stage.logged("delivery failed", 2).await;
    assert!(failed[0]["error"].as_str().unwrap().contains("IdempotencyTable"), "{failed:#?}");
    assert_eq!(stage.logged("obeyed", 0).await.len(), 0);
    wire.becomes(Line::Whole);
    stage.logged("obeyed", 1).await;
    stage.drained("ObedientQueue").await;
    stage.stack.stop().await;
}

/// An effect that must rather be missing than happen twice, and functions that are killed.
#[tokio::test(flavor = "multi_thread")]
async fn passes_no_claim_though_functions_are_killed() {
    let stage = Stage::with(|template| {
        with_variables(template, &[("HANDLER_MODE", "claim_once")])
            .replace("VisibilityTimeout: 180", "VisibilityTimeout: 6")
            .replace("Timeout: 30", "Timeout: 6")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let orders = (0..20).map(|number| {
        let what = if number % 4 == 1 { "exit" } else { "succeed" };
        let once = folder.path().join(number.to_string());
        let once = if what == "exit" { json!(once) } else { json!(null) };
        json!({ "do": what, "once": once, "number": number }).to_string()
    });
    // Each comes twice.
    let orders: Vec<String> = orders.collect();
    for _ in 0..2 {
        for (number, order) in orders.iter().enumerate() {
            let mut body: serde_json::Value = serde_json::from_str(order).unwrap();
            body["webhookEvent"] = "jira:issue_updated".into();
            let webhook = atlassian_simulator::Webhook {
                base_url: stage.stack.url(),
                url: "/orders",
                body: body.to_string(),
                identifier: Some(number.to_string()),
            };
            assert_eq!(stage.atlassian.send(webhook, &stage.jira).await.unwrap().status, 204);
        }
    }
    stage.drained_within("ObedientQueue", Duration::from_secs(120)).await;
    assert_eq!(stage.logged("begun", 20).await.len(), 20, "no effect was begun twice");
    assert_eq!(stage.logged("obeyed", 15).await.len(), 15);
    let dead = stage.all("ObedientDeadLetterQueue").await;
    assert_eq!(dead.len(), 5, "what was begun and did not end is reported");
    for dead in &dead {
        assert!(reason(dead).unwrap().contains("whether its effect happened is unknown"));
    }
    // Somebody has looked, and says so.
    let queues = crate::dead::queues(&stage, stage.stack.sqs_endpoint());
    stage.visible("ObedientDeadLetterQueue", &dead).await;
    assert_eq!(cargo_hooks::dead::replay(&queues, &Default::default()).await.unwrap().moved, 5);
    assert_eq!(stage.logged("obeyed", 20).await.len(), 20);
    stage.drained("ObedientQueue").await;
    assert_eq!(stage.logged("begun", 25).await.len(), 25);
    assert_eq!(stage.depth("ObedientDeadLetterQueue").await, 0);
    stage.stack.stop().await;
}

/// Messages that no receiver wrote, and that have no room for the attributes of a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn gives_up_once_on_what_has_no_room_for_its_reason() {
    let stage = Stage::new().await;
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
        let mut send = stage
            .sqs()
            .send_message()
            .queue_url(stage.queue("ObedientQueue"))
            .message_body("x".repeat(bytes));
        for (name, value) in attributes {
            let value = aws_sdk_sqs::types::MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value);
            send = send.message_attributes(name, value.build().unwrap());
        }
        send.send().await.unwrap();
    }
    let given_up = stage.logged("delivery given up", count).await;
    assert!(given_up.iter().all(|line| line["message.attempts"] == 1), "{given_up:#?}");
    stage.drained("ObedientQueue").await;
    assert_eq!(stage.logged("delivery given up", count).await.len(), count);
    let dead = stage.all("ObedientDeadLetterQueue").await;
    assert_eq!(dead.len(), count);
    let without_a_reason = dead.iter().filter(|dead| reason(dead).is_none()).count();
    assert_eq!(without_a_reason, 1, "only where there is not one byte left");
    stage.stack.stop().await;
}
