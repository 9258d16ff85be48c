//! Receiving: polls, receipt handles and visibility timeouts.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::service::{Counts, refused, service};

#[tokio::test]
async fn a_receive_brings_one_message_or_as_many_as_it_asks_for() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for n in 0..12 {
        sqs.send(&url, &n.to_string()).await;
    }
    let receive = || sqs.client.receive_message().queue_url(&url);
    assert_eq!(receive().send().await.unwrap().messages().len(), 1);
    let mut seen = BTreeSet::new();
    for (most, expected) in [(3, 3), (10, 8)] {
        let received = receive().max_number_of_messages(most).send().await.unwrap();
        assert_eq!(received.messages().len(), expected);
        seen.extend(received.messages.unwrap().into_iter().map(|message| message.message_id));
    }
    assert_eq!(seen.len(), 11);
    for most in [0, 11, -1] {
        let error = refused(receive().max_number_of_messages(most).send()).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{most}");
    }
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_visibility_timeout_ends() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "1")]).await;
    sqs.send(&url, "x").await;
    let started = Instant::now();
    let first = sqs.receive_one(&url).await;
    assert!(sqs.receive(&url).await.is_empty());
    let second = sqs.wait(&url, 10).await;
    assert_eq!(second[0].message_id(), first.message_id());
    assert!((900..5000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_receive_can_have_a_visibility_timeout_of_its_own() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "0")]).await;
    sqs.send(&url, "x").await;
    sqs.receive_one(&url).await;
    let receive = sqs.client.receive_message().queue_url(&url).visibility_timeout(43_200);
    assert_eq!(receive.send().await.unwrap().messages().len(), 1);
    assert!(sqs.receive(&url).await.is_empty());
}

#[tokio::test]
async fn a_receive_hides_messages_for_12_hours_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for timeout in [-1, 43_201] {
        let receive = sqs.client.receive_message().queue_url(&url).visibility_timeout(timeout);
        let error = refused(receive.send()).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{timeout}");
    }
}

#[tokio::test]
async fn a_long_poll_of_an_empty_queue_waits_its_time() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let started = Instant::now();
    assert!(sqs.wait(&url, 1).await.is_empty());
    assert!((900..5000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_queue_can_make_all_polls_long_that_do_not_say_otherwise() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("ReceiveMessageWaitTimeSeconds", "3")]).await;
    let receive = || sqs.client.receive_message().queue_url(&url);
    let started = Instant::now();
    receive().wait_time_seconds(0).send().await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(2900), "{:?}", started.elapsed());
    let started = Instant::now();
    receive().send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(2900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_poll_brings_what_is_there_at_once() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let started = Instant::now();
    assert_eq!(sqs.wait(&url, 20).await.len(), 1);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_poll_brings_a_message_as_soon_as_it_is_sent() {
    let Some(sqs) = service!() else { return };
    let (url, empty) = (sqs.queue(&[]).await, sqs.queue(&[]).await);
    let started = Instant::now();
    let later = async {
        // A second that is known to pass while the other poll waits.
        sqs.wait(&empty, 1).await;
        sqs.send(&url, "x").await
    };
    let (received, sent) = tokio::join!(sqs.wait(&url, 20), later);
    assert_eq!(received[0].message_id(), sent.message_id());
    assert!((900..5000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_poll_brings_a_message_that_is_given_back() {
    let Some(sqs) = service!() else { return };
    let (url, empty) = (sqs.queue(&[]).await, sqs.queue(&[]).await);
    sqs.send(&url, "x").await;
    let held = sqs.receive_one(&url).await;
    let started = Instant::now();
    let later = async {
        sqs.wait(&empty, 1).await;
        sqs.hide(&url, &held, 0).await.unwrap();
    };
    let (received, ()) = tokio::join!(sqs.wait(&url, 20), later);
    assert_eq!(received[0].message_id(), held.message_id());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_wait_has_20_seconds_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for wait in [-1, 21] {
        let receive = sqs.client.receive_message().queue_url(&url).wait_time_seconds(wait);
        let error = refused(receive.send()).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{wait}");
    }
}

#[tokio::test]
async fn each_message_goes_to_one_of_the_waiting_consumers() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let consumers = join_all((0..8).map(|_| sqs.wait(&url, 2)));
    let producers = join_all((0..4).map(|n| {
        let (sqs, url) = (&sqs, &url);
        async move { sqs.send(url, &n.to_string()).await }
    }));
    let (received, _) = tokio::join!(consumers, producers);
    let ids: Vec<_> = received.iter().flatten().map(|message| message.message_id()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn every_receive_gives_a_new_receipt_handle() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "0")]).await;
    sqs.send(&url, "x").await;
    let mut handles = BTreeSet::new();
    for _ in 0..3 {
        handles.insert(sqs.receive_one(&url).await.receipt_handle);
    }
    assert_eq!(handles.len(), 3);
}

#[tokio::test]
async fn a_deleted_message_does_not_come_back() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "1")]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    sqs.delete(&url, &received).await;
    assert_eq!(sqs.counts(&url).await, Counts::default());
    assert!(sqs.wait(&url, 2).await.is_empty());
}

#[tokio::test]
async fn a_message_can_be_deleted_again() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    sqs.delete(&url, &received).await;
    sqs.delete(&url, &received).await;
}

/// `DeleteMessage`: "If you use an old ReceiptHandle, the request will succeed, but the message might
/// not be deleted." This server never deletes it then.
#[tokio::test]
async fn a_receipt_handle_from_before_the_latest_receive_deletes_nothing() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let old = sqs.receive_and_release(&url).await.remove(0);
    let latest = sqs.receive_one(&url).await;
    sqs.delete(&url, &old).await;
    assert_eq!(sqs.counts(&url).await.in_flight, 1);
    sqs.delete(&url, &latest).await;
    assert_eq!(sqs.counts(&url).await, Counts::default());
}

/// `DeleteMessage` asks for the handle of the most recent receive, not for one that is in time.
#[tokio::test]
async fn the_latest_receipt_handle_deletes_even_after_the_visibility_timeout() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_and_release(&url).await.remove(0);
    assert_eq!(sqs.counts(&url).await.visible, 1);
    sqs.delete(&url, &received).await;
    assert_eq!(sqs.counts(&url).await, Counts::default());
}

#[tokio::test]
async fn a_receipt_handle_that_the_queue_did_not_give_is_refused() {
    let Some(sqs) = service!() else { return };
    let (url, other) = (sqs.queue(&[]).await, sqs.queue(&[]).await);
    sqs.send(&other, "x").await;
    let received = sqs.receive_one(&other).await;
    for handle in ["garbage", received.receipt_handle().unwrap()] {
        let delete = sqs.client.delete_message().queue_url(&url).receipt_handle(handle).send();
        assert!(refused(delete).await.is_receipt_handle_is_invalid(), "{handle}");
        let change = sqs.client.change_message_visibility().queue_url(&url);
        let change = change.receipt_handle(handle).visibility_timeout(1).send();
        assert!(refused(change).await.is_receipt_handle_is_invalid(), "{handle}");
    }
    assert_eq!(sqs.counts(&other).await.in_flight, 1);
}

#[tokio::test]
async fn a_consumer_can_keep_a_message_longer() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "1")]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    sqs.hide(&url, &received, 30).await.unwrap();
    assert!(sqs.wait(&url, 2).await.is_empty());
    assert_eq!(sqs.counts(&url).await.in_flight, 1);
}

#[tokio::test]
async fn a_consumer_can_give_a_message_back() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    sqs.hide(&url, &received, 0).await.unwrap();
    assert_eq!(sqs.counts(&url).await.visible, 1);
    let again = sqs.receive_one(&url).await;
    assert_eq!(again.message_id(), received.message_id());
    // The change was for one receive: the queue's own timeout applies again.
    assert!(sqs.receive(&url).await.is_empty());
}

#[tokio::test]
async fn a_message_is_hidden_for_12_hours_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    // The 12 hours have begun with the receive.
    sqs.hide(&url, &received, 43_000).await.unwrap();
    for timeout in [-1, 43_201] {
        let error = refused(sqs.hide(&url, &received, timeout)).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{timeout}");
    }
}

#[tokio::test]
async fn the_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_and_release(&url).await.remove(0);
    assert!(refused(sqs.hide(&url, &received, 30)).await.is_message_not_inflight());
    assert_eq!(sqs.counts(&url).await.visible, 1);
}

#[tokio::test]
async fn the_visibility_of_a_deleted_message_cannot_be_changed() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    let received = sqs.receive_one(&url).await;
    sqs.delete(&url, &received).await;
    // The API Reference does not say which error it is.
    refused(sqs.hide(&url, &received, 30)).await;
}
