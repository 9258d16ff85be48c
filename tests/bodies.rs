//! Bodies of every size arrive byte for byte.

use connect::delivery::Delivery;
use serde_json::json;

use crate::stage::Stage;

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
    let stage = Stage::without_handlers().await;
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
        assert_eq!(stage.send("/orders", &body, &stage.jira).await.status, 204, "{bytes}");
        let message = stage.receive("ObedientQueue").await;
        let text = message.body.unwrap();
        assert!(text.len() <= mib, "{bytes}: {}", text.len());
        let delivery = Delivery::from_message(&text).unwrap();
        assert!(delivery.payload.as_str() == body, "{bytes} bytes are not what they were");
        let delete = stage.sqs().delete_message().queue_url(stage.queue("ObedientQueue"));
        delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
    }
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_reaches_its_handler_and_the_dead_letter_queue() {
    let stage = Stage::in_haste().await;
    assert_eq!(stage.send("/orders", body(3_000_000), &stage.jira).await.status, 204);
    assert_eq!(stage.logged("obeyed", 1).await[0]["bytes"], 3_000_000);
    let order = json!({ "do": "give up", "text": "long ".repeat(400_000) });
    assert_eq!(stage.order(order).await.status, 204);
    let dead = stage.receive("ObedientDeadLetterQueue").await;
    let delivery = Delivery::from_message(&dead.body.unwrap()).unwrap();
    assert!(delivery.payload.as_str().len() > 2_000_000);
    stage.stack.stop().await;
}
