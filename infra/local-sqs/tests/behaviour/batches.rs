//! Batches: each entry has an outcome of its own.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};

use crate::service::{Counts, MEBIBYTE, entry, failures, refused, service, text, visibility};

#[tokio::test]
async fn a_batch_reports_every_message_on_its_own() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let batch = sqs.client.send_message_batch().queue_url(&url);
    let traced = SendMessageBatchRequestEntry::builder().id("traced").message_body("b");
    let traced = traced.message_attributes("Hello", text("String", "There")).message_group_id("g");
    let batch = batch
        .entries(entry("good", "a"))
        .entries(entry("bad", "\u{1}"))
        .entries(traced.build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(failures(batch.failed()), [("bad", "InvalidMessageContents")]);
    let [good, traced] = batch.successful() else { panic!("{batch:?}") };
    assert_eq!((good.id(), traced.id()), ("good", "traced"));
    assert_eq!(good.md5_of_message_body(), "0cc175b9c0f1b6a831c399e269772661");
    assert_eq!(traced.md5_of_message_attributes(), Some("a311262e065454b75da111d535b8dacd"));
    let received: BTreeSet<_> =
        sqs.receive(&url).await.into_iter().map(|message| message.message_id.unwrap()).collect();
    let sent = [good.message_id().to_owned(), traced.message_id().to_owned()];
    assert_eq!(received, BTreeSet::from(sent));
}

#[tokio::test]
async fn a_batch_out_of_order_is_refused_as_a_whole() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let send = |ids: &[&str]| {
        let entries = ids.iter().map(|id| entry(id, "x")).collect();
        sqs.client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    assert!(refused(send(&[])).await.is_empty_batch_request());
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    assert!(refused(send(&eleven)).await.is_too_many_entries_in_batch_request());
    assert!(refused(send(&["a", "b", "a"])).await.is_batch_entry_ids_not_distinct());
    for id in ["", "a b", "a.b", &"i".repeat(81)] {
        assert!(refused(send(&[id])).await.is_invalid_batch_entry_id(), "{id:?}");
    }
    assert_eq!(sqs.counts(&url).await, Counts::default());
    send(&eleven[..10]).await.unwrap();
    send(&[&"i".repeat(80)]).await.unwrap();
    assert_eq!(sqs.counts(&url).await.visible, 11);
}

#[tokio::test]
async fn the_messages_of_a_batch_have_1_mebibyte_together_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let half = "x".repeat(MEBIBYTE / 2);
    let send = |second: &str| {
        let batch = sqs.client.send_message_batch().queue_url(&url);
        batch.entries(entry("a", &half)).entries(entry("b", second)).send()
    };
    assert!(send(&half).await.unwrap().failed().is_empty());
    assert!(refused(send(&format!("{half}x"))).await.is_batch_request_too_long());
    assert_eq!(sqs.counts(&url).await.visible, 2);
}

#[tokio::test]
async fn attributes_count_towards_the_size_of_a_batch() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let half = "x".repeat(MEBIBYTE / 2);
    let send = |value: &str| {
        let less = &half[..half.len() - "name".len() - "String".len() - 1];
        let second = SendMessageBatchRequestEntry::builder().id("b").message_body(less);
        let second = second.message_attributes("name", text("String", value)).build().unwrap();
        let batch = sqs.client.send_message_batch().queue_url(&url).entries(entry("a", &half));
        batch.entries(second).send()
    };
    assert!(send("1").await.unwrap().failed().is_empty());
    assert!(refused(send("12")).await.is_batch_request_too_long());
}

#[tokio::test]
async fn messages_are_deleted_in_a_batch() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "1").await;
    sqs.send(&url, "2").await;
    let received = sqs.receive(&url).await;
    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let batch = sqs
        .client
        .delete_message_batch()
        .queue_url(&url)
        .entries(entry("a", received[0].receipt_handle().unwrap()))
        .entries(entry("b", "garbage"))
        .entries(entry("c", received[1].receipt_handle().unwrap()))
        .send()
        .await
        .unwrap();
    let deleted: Vec<&str> = batch.successful().iter().map(|entry| entry.id()).collect();
    assert_eq!(deleted, ["a", "c"]);
    assert_eq!(failures(batch.failed()), [("b", "ReceiptHandleIsInvalid")]);
    assert_eq!(sqs.counts(&url).await, Counts::default());
}

#[tokio::test]
async fn a_batch_of_deletions_out_of_order_is_refused_as_a_whole() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let delete = |ids: &[&str]| {
        let entry = |id: &&str| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(*id).receipt_handle("x");
            entry.build().unwrap()
        };
        let entries = ids.iter().map(entry).collect();
        sqs.client.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    assert!(refused(delete(&[])).await.is_empty_batch_request());
    assert!(refused(delete(&["a", "a"])).await.is_batch_entry_ids_not_distinct());
    assert!(refused(delete(&["a.b"])).await.is_invalid_batch_entry_id());
}

#[tokio::test]
async fn visibility_is_changed_in_a_batch() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "1").await;
    sqs.send(&url, "2").await;
    let received = sqs.receive(&url).await;
    let batch = sqs
        .client
        .change_message_visibility_batch()
        .queue_url(&url)
        .entries(visibility("a", received[0].receipt_handle().unwrap(), 0))
        .entries(visibility("b", "garbage", 0))
        .send()
        .await
        .unwrap();
    let changed: Vec<&str> = batch.successful().iter().map(|entry| entry.id()).collect();
    assert_eq!(changed, ["a"]);
    assert_eq!(failures(batch.failed()), [("b", "ReceiptHandleIsInvalid")]);
    assert_eq!(sqs.counts(&url).await, Counts { visible: 1, in_flight: 1, delayed: 0 });
}

#[tokio::test]
async fn a_batch_reports_the_visibility_timeout_out_of_range() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    let change = sqs.client.change_message_visibility_batch().queue_url(&url);
    let change = change.entries(visibility("a", received.receipt_handle().unwrap(), 43_201));
    let batch = change.send().await.unwrap();
    assert_eq!(failures(batch.failed()), [("a", "InvalidParameterValue")]);
}

#[tokio::test]
async fn a_batch_of_visibility_changes_out_of_order_is_refused_as_a_whole() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let change = |ids: Vec<String>| {
        let entries = ids.iter().map(|id| visibility(id, "x", 0)).collect();
        let change = sqs.client.change_message_visibility_batch().queue_url(&url);
        change.set_entries(Some(entries)).send()
    };
    assert!(refused(change(vec![])).await.is_empty_batch_request());
    let eleven = (0..11).map(|n| n.to_string()).collect();
    assert!(refused(change(eleven)).await.is_too_many_entries_in_batch_request());
    assert!(refused(change(vec!["a".into(); 2])).await.is_batch_entry_ids_not_distinct());
}
