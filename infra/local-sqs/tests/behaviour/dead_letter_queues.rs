//! Dead-letter queues.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeNameForSends;
use tokio::time::Instant;

use crate::service::{
    Counts, is_invalid, only_body, redrive_policy, refused, service, system, text, trace,
};

#[tokio::test]
async fn a_message_goes_to_the_dead_letter_queue_instead_of_being_received_once_more() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(2).await;
    sqs.send(&source, "poison").await;
    for _ in 0..2 {
        assert_eq!(sqs.receive_and_release(&source).await.len(), 1);
        assert_eq!(sqs.counts(&dead).await, Counts::default());
    }
    assert!(sqs.receive(&source).await.is_empty());
    assert_eq!(sqs.counts(&source).await, Counts::default());
    assert_eq!(sqs.counts(&dead).await, Counts { visible: 1, ..Counts::default() });
}

#[tokio::test]
async fn a_dead_letter_is_the_message_that_was_sent() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.message(&source, "poison")
        .message_attributes("Hello", text("String", "There"))
        .message_group_id("tenant")
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace())
        .send()
        .await
        .unwrap();
    let before = sqs.receive_and_release(&source).await.remove(0);
    assert!(sqs.receive(&source).await.is_empty());
    let after = sqs.receive_one(&dead).await;
    assert_eq!(after.message_id(), before.message_id());
    assert_eq!(after.body(), before.body());
    assert_eq!(after.message_attributes(), before.message_attributes());
    assert_eq!(after.md5_of_message_attributes(), before.md5_of_message_attributes());
    for kept in ["SentTimestamp", "SenderId", "MessageGroupId", "AWSTraceHeader"] {
        assert_eq!(system(&after, kept), system(&before, kept), "{kept}");
    }
    // "The number of times a message has been received across all queues but not deleted."
    assert_eq!(system(&after, "ApproximateReceiveCount"), Some("2"));
}

#[tokio::test]
async fn a_dead_letter_names_the_queue_it_came_from() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.send(&source, "poison").await;
    let before = sqs.receive_and_release(&source).await.remove(0);
    assert_eq!(system(&before, "DeadLetterQueueSourceArn"), None);
    assert!(sqs.receive(&source).await.is_empty());
    let after = sqs.receive_one(&dead).await;
    let arn = sqs.arn(&source).await;
    assert_eq!(system(&after, "DeadLetterQueueSourceArn"), Some(arn.as_str()));
}

#[tokio::test]
async fn a_healthy_message_is_received_in_the_poll_that_moves_a_poison_one() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.send(&source, "poison").await;
    sqs.receive_and_release(&source).await;
    sqs.send(&source, "healthy").await;
    assert_eq!(only_body(&sqs.receive(&source).await), "healthy");
    assert_eq!(only_body(&sqs.receive(&dead).await), "poison");
}

#[tokio::test]
async fn a_consumer_waiting_on_the_dead_letter_queue_gets_the_message() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.send(&source, "poison").await;
    let started = Instant::now();
    let later = async {
        sqs.client.receive_message().queue_url(&source).visibility_timeout(1).send().await.unwrap();
        assert!(sqs.wait(&source, 2).await.is_empty());
    };
    let (received, ()) = tokio::join!(sqs.wait(&dead, 20), later);
    assert_eq!(only_body(&received), "poison");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn only_a_complete_redrive_policy_is_taken() {
    let Some(sqs) = service!() else { return };
    let (url, dead) = (sqs.queue(&[]).await, sqs.queue(&[]).await);
    let arn = sqs.arn(&dead).await;
    for policy in [
        "yes".to_owned(),
        "[]".to_owned(),
        format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#),
        r#"{"maxReceiveCount":3}"#.to_owned(),
        redrive_policy(&arn, 0),
        redrive_policy(&arn, 1001),
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"many"}}"#),
    ] {
        let error = refused(sqs.set(&url, "RedrivePolicy", &policy)).await;
        assert!(is_invalid(&error), "{policy}: {error:?}");
    }
    for count in [1, 1000] {
        sqs.set(&url, "RedrivePolicy", &redrive_policy(&arn, count)).await.unwrap();
    }
    let text = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"5"}}"#);
    sqs.set(&url, "RedrivePolicy", &text).await.unwrap();
    let policy = sqs.attribute(&url, "RedrivePolicy").await;
    assert!(policy.contains(&arn) && policy.contains("maxReceiveCount"), "{policy}");
    sqs.set(&url, "RedrivePolicy", "").await.unwrap();
    assert!(!sqs.attributes(&url, &["All"]).await.contains_key("RedrivePolicy"));
}

#[tokio::test]
async fn a_dead_letter_queue_must_exist() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let arn = format!("{}-missing", sqs.arn(&url).await);
    let error = refused(sqs.set(&url, "RedrivePolicy", &redrive_policy(&arn, 3))).await;
    assert!(is_invalid(&error), "{error:?}");
}

#[tokio::test]
async fn a_queue_says_which_queues_may_use_it_for_dead_letters() {
    let Some(sqs) = service!() else { return };
    let (url, other, dead) = (sqs.queue(&[]).await, sqs.queue(&[]).await, sqs.queue(&[]).await);
    let policy = redrive_policy(&sqs.arn(&dead).await, 3);
    let allow = async |policy: &str| sqs.set(&dead, "RedriveAllowPolicy", policy).await.unwrap();

    allow(r#"{"redrivePermission":"denyAll"}"#).await;
    let denied = refused(sqs.set(&url, "RedrivePolicy", &policy)).await;
    assert!(is_invalid(&denied), "{denied:?}");

    let arn = sqs.arn(&url).await;
    allow(&format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{arn}"]}}"#)).await;
    sqs.set(&url, "RedrivePolicy", &policy).await.unwrap();
    let denied = refused(sqs.set(&other, "RedrivePolicy", &policy)).await;
    assert!(is_invalid(&denied), "{denied:?}");

    allow(r#"{"redrivePermission":"allowAll"}"#).await;
    sqs.set(&other, "RedrivePolicy", &policy).await.unwrap();
}

#[tokio::test]
async fn only_a_complete_redrive_allow_policy_is_taken() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for policy in [
        "yes",
        "{}",
        r#"{"redrivePermission":"everyone"}"#,
        r#"{"redrivePermission":"allowAll","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:q"]}"#,
    ] {
        let error = refused(sqs.set(&url, "RedriveAllowPolicy", policy)).await;
        assert!(is_invalid(&error), "{policy}: {error:?}");
    }
}

#[tokio::test]
async fn the_sources_of_a_dead_letter_queue_are_listed() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(3).await;
    let list = |url| sqs.client.list_dead_letter_source_queues().queue_url(url).send();
    assert_eq!(list(&dead).await.unwrap().queue_urls(), [source.as_str()]);
    assert!(list(&source).await.unwrap().queue_urls().is_empty());
    sqs.client.delete_queue().queue_url(&dead).send().await.unwrap();
    assert!(refused(list(&dead)).await.is_queue_does_not_exist());
}

#[tokio::test]
async fn the_sources_of_a_dead_letter_queue_are_listed_in_pages() {
    let Some(sqs) = service!() else { return };
    let dead = sqs.queue(&[]).await;
    let policy = redrive_policy(&sqs.arn(&dead).await, 3);
    let mut sources = BTreeSet::new();
    for _ in 0..3 {
        sources.insert(sqs.queue(&[("RedrivePolicy", &policy)]).await);
    }
    let list = || sqs.client.list_dead_letter_source_queues().queue_url(&dead);
    let first = list().max_results(2).send().await.unwrap();
    assert_eq!(first.queue_urls().len(), 2);
    let second = list().max_results(2).next_token(first.next_token().unwrap());
    let second = second.send().await.unwrap();
    let pages = first.queue_urls().iter().chain(second.queue_urls());
    assert_eq!(pages.cloned().collect::<BTreeSet<_>>(), sources);
    assert_eq!(second.next_token(), None);
}
