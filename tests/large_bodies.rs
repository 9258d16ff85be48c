//! Bodies of every size arrive byte for byte.

use std::time::Duration;

use atlassian_connect::delivery::{Delivery, QueueMessage, Sender, Webhook};
use atlassian_connect::event::{EventName, Product, Reading};
use atlassian_connect::payload::Payload;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use receiver::Enqueue as _;
use serde_json::json;
use uuid::Uuid;

use crate::harness::app::{DESCRIPTOR, TestApp, with_variables};
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

/// A body of so many bytes, with what is awkward in JSON, in SQS and in UTF-8.
fn body(bytes: usize) -> String {
    let start = "{\"webhookEvent\":\"jira:issue_updated\", \"n\" : 1.10,\"odd\":\"\u{FFFF}\u{FFFE}\u{7f}\\u0000\\ud83d ключ\",\"text\":\"";
    let end = "\"}\n";
    let words = "the quick brown fox 0123456789 jumps over ";
    let fill = bytes - start.len() - end.len();
    let text: String = words.chars().cycle().take(fill).collect();
    format!("{start}{text}{end}")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_size_are_queued_byte_for_byte() {
    let app = TestApp::without_handlers().await;
    let mib = 1 << 20;
    for bytes in [
        1 << 10,
        (64 << 10) - 1,
        64 << 10,
        (64 << 10) + 1,
        256 << 10,
        mib - 1,
        mib,
        mib + 1,
        3_000_000,
        5_000_000,
    ] {
        let body = body(bytes);
        assert_eq!(body.len(), bytes);
        assert_eq!(app.send("/scripted", &body, &app.jira).await.status, 204, "{bytes}");
        let message = app.receive("ScriptedQueue").await;
        let text = message.body.unwrap();
        assert!(text.len() <= mib - 4096, "{bytes}: {}", text.len());
        let delivery = Delivery::from_message(&text).unwrap();
        assert!(delivery.payload.as_str() == body, "{bytes} bytes are not what they were");
        let delete = app.sqs().delete_message().queue_url(app.queue("ScriptedQueue"));
        delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_reaches_its_handler_and_the_dead_letter_queue() {
    let app = TestApp::in_haste().await;
    assert_eq!(app.send("/scripted", body(3_000_000), &app.jira).await.status, 204);
    assert_eq!(app.logged(Logged::ScriptDone, 1).await[0]["bytes"], 3_000_000);
    let order = json!({ "do": "give up", "text": "long ".repeat(400_000) });
    assert_eq!(app.script(order).await.status, 204);
    let dead = app.receive("ScriptedDeadLetterQueue").await;
    let delivery = Delivery::from_message(&dead.body.unwrap()).unwrap();
    assert!(delivery.payload.as_str().len() > 2_000_000);
    app.stack.stop().await;
}

/// The longest message that is sent as it is, and the shortest that is not: a dead letter has its
/// reason in either case.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_leaves_room_for_its_dead_letter_attributes() {
    let app = TestApp::in_haste().await;
    let queue = receiver::Queue::new(app.sqs(), app.queue("ScriptedQueue"));
    let delivery = |fill: usize| {
        let order = json!({ "do": "give up at length", "fill": "x".repeat(fill) });
        Delivery {
            id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".into(),
            event: EventName::IssueUpdated,
            product: Product::Jira,
            sender: Sender::Connect,
            tenant: app.jira.client_key.clone(),
            base_url: None,
            received_at: "2026-11-23T10:00:00Z".parse().unwrap(),
            webhook: Webhook::default(),
            params: [].into(),
            reading: Reading::Read,
            payload: Payload::from_body(order.to_string()).unwrap(),
        }
    };
    let attributes = "eventString".len()
        + EventName::IssueUpdated.as_str().len()
        + "tenantString".len()
        + app.jira.client_key.as_str().len();
    let longest = (1 << 20) - 4096 - attributes - delivery(0).to_message().len();
    for (number, (fill, version)) in [(longest, 1), (longest + 1, 2)].into_iter().enumerate() {
        queue.enqueue(&delivery(fill), Duration::from_secs(20)).await.unwrap();
        let dead = app.receive("ScriptedDeadLetterQueue").await;
        let reason = dead.message_attributes.unwrap()["reason"].string_value.clone().unwrap();
        assert_eq!((reason.chars().count(), reason.len()), (500, 2000));
        assert!(dead.body.unwrap().starts_with(&format!("{{\"version\":{version},")));
        let given_up = app.logged(Logged::DeliveryDeadLettered, number + 1).await;
        assert_eq!(given_up[number]["message.attempts"], 1);
    }
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::DeliveryDeadLettered, 2).await.len(), 2, "once each");
    app.stack.stop().await;
}

/// So many bytes that no compression makes much shorter.
pub(crate) fn noise(bytes: usize) -> String {
    let words = std::iter::repeat_with(|| Uuid::new_v4().simple().to_string());
    let mut noise: String = words.take(bytes / 32 + 1).collect();
    noise.truncate(bytes);
    noise
}

/// The app's template with a bucket, and with everything in a hurry.
fn with_a_bucket(s3: &FaultProxy) -> String {
    let configuration = Configuration::parse("template: { bodies: true }").unwrap();
    let template = render(&*DESCRIPTOR, &configuration).unwrap();
    with_variables(&template, &[("AWS_ENDPOINT_URL_S3", s3.url())])
        .tamper("RETRY_DELAY: !Ref RetryDelay", "RETRY_DELAY: '0'")
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_deliveries_over_the_queue_limit_in_the_bucket() {
    let s3 = FaultProxy::new().await;
    let app = TestApp::empty(|_| with_a_bucket(&s3)).await;
    s3.forward_to(app.stack.s3_endpoint());
    let site = app.installed(Product::Jira).await;
    for (number, bytes) in [2_000_000, 5_000_000].into_iter().enumerate() {
        let body = json!({ "webhookEvent": "jira:issue_updated", "noise": noise(bytes) });
        let length = body.to_string().len();
        assert_eq!(app.send("/scripted", &body, &site).await.status, 204);
        assert_eq!(app.logged(Logged::ScriptDone, number + 1).await[number]["bytes"], length);
    }

    // Not stored: the sender gets no 204, and nothing is queued.
    let body = json!({ "webhookEvent": "jira:issue_updated", "noise": noise(2_000_000) });
    s3.inject(Fault::Refuse);
    assert_eq!(app.send("/scripted", &body, &site).await.status, 503);
    assert_eq!(app.depth("ScriptedQueue").await, 0);
    s3.inject(Fault::None);
    assert_eq!(app.send("/scripted", &body, &site).await.status, 204);
    app.logged(Logged::ScriptDone, 3).await;
    app.drained("ScriptedQueue").await;
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_missing_objects_and_fetches_no_foreign_ones() {
    let s3 = FaultProxy::new().await;
    let template = with_a_bucket(&s3);
    // The handler's way to the bucket is cut, and the receivers' is not.
    let app = TestApp::empty(|_| {
        template.tamper("BatchSize: 10", "BatchSize: 10\n            Enabled: false")
    })
    .await;
    s3.forward_to(app.stack.s3_endpoint());
    let site = app.installed(Product::Jira).await;
    let body = json!({ "webhookEvent": "jira:issue_updated", "noise": noise(2_000_000) });
    assert_eq!(app.send("/scripted", &body, &site).await.status, 204);
    let message = app.receive("ScriptedQueue").await.body.unwrap();
    let Ok(QueueMessage::ObjectRef(stored)) = QueueMessage::open(&message) else {
        panic!("{message}")
    };
    assert!(stored.object().starts_with("bodies/20"), "{stored:?}");
    app.stack.stop().await;

    let s3 = FaultProxy::new().await;
    let app = TestApp::empty(|_| with_a_bucket(&s3)).await;
    s3.forward_to(app.stack.s3_endpoint());
    let send = async |body: String| {
        let send = app.sqs().send_message().queue_url(app.queue("ScriptedQueue"));
        send.message_body(body).send().await.unwrap();
    };
    // Of another stack: this one's bucket does not have it, and may have it in a moment.
    send(message.clone()).await;
    let failed = app.logged(Logged::DeliveryFailed, 2).await;
    let error = failed[0]["error"].as_str().unwrap();
    assert!(error.contains("BodiesBucket") && error.contains("NoSuchKey"), "{error}");
    // One that leads elsewhere is not followed.
    send(message.tamper("bodies/20", "others/20")).await;
    let given_up = app.logged(Logged::DeliveryDeadLettered, 1).await;
    let error = given_up[0]["error"].as_str().unwrap();
    assert!(error.contains("no receiver wrote"), "{error}");
    app.stack.stop().await;
}
