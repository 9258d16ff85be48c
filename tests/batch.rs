//! What fails, fails alone, and ends where it can be looked at.

use aws_sdk_sqs::types::{MessageSystemAttributeName, SendMessageBatchRequestEntry};
use connect::delivery::{Delivery, Payload, Webhook};
use connect::event::Reading;
use serde_json::json;
use uuid::Uuid;

use crate::stage::Stage;

fn delivery(stage: &Stage, order: &str) -> String {
    let delivery = Delivery {
        id: Uuid::new_v4().to_string(),
        event: "jira:issue_updated".into(),
        product: stage.jira.product,
        tenant: stage.jira.client_key.clone(),
        received_at: jiff::Timestamp::now(),
        webhook: Webhook::default(),
        params: [].into(),
        reading: Reading::Read,
        payload: Payload::from_body(json!({ "do": order }).to_string()).unwrap(),
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

#[tokio::test(flavor = "multi_thread")]
async fn handles_nine_good_messages_beside_a_poisoned_one() {
    let stage = Stage::in_haste().await;
    let good = (0..9).map(|_| delivery(&stage, "succeed"));
    enqueue(&stage, std::iter::once("poison".to_owned()).chain(good)).await;

    let dead = stage.receive("ObedientDeadLetterQueue").await;
    assert_eq!(dead.body.as_deref(), Some("poison"), "it is kept as it was");
    let source = &dead.attributes.unwrap()[&MessageSystemAttributeName::DeadLetterQueueSourceArn];
    assert_eq!(*source, stage.stack.deployment().queues["ObedientQueue"].arn);

    let failed = stage.logged("delivery failed", 5).await;
    assert_eq!(failed.len(), 5, "as often as the template allows, and not once more");
    let handled = stage.logged("delivery handled", 9).await;
    assert_eq!(handled.len(), 9, "no good message comes twice because of its neighbour");
    assert!(handled.iter().all(|line| line["message.receives"] == "1"));
    stage.drained("ObedientQueue").await;
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_a_panic_like_an_error() {
    let stage = Stage::in_haste().await;
    enqueue(&stage, ["panic", "succeed", "fail"].map(|order| delivery(&stage, order))).await;
    for _ in 0..2 {
        stage.receive("ObedientDeadLetterQueue").await;
    }
    assert_eq!(stage.logged("delivery handled", 1).await.len(), 1);
    let failed = stage.logged("delivery failed", 10).await;
    let panicked = |line: &&serde_json::Value| line["error"] == "the handler panicked: as ordered";
    assert_eq!(failed.iter().filter(panicked).count(), 5);
    assert_eq!(failed.iter().filter(|line| line["error"] == "as ordered").count(), 5);
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_handler_whose_process_ends() {
    let stage = Stage::in_haste().await;
    assert_eq!(stage.order(json!({ "do": "exit" })).await.status, 204);
    stage.receive("ObedientDeadLetterQueue").await;
    // A new environment does what the one that ended cannot.
    assert_eq!(stage.order(json!({ "do": "succeed" })).await.status, 204);
    stage.logged("obeyed", 1).await;
    stage.stack.stop().await;
}
