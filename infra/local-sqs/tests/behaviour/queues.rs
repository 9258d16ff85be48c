//! Queues: names, attributes, tags, counters, purging.

use std::collections::BTreeSet;

use aws_sdk_sqs::error::ProvideErrorMetadata;

use crate::service::{Counts, entry, queue_attributes, refused, service, strings};

#[tokio::test]
async fn creating_a_queue_again_with_the_same_attributes_returns_it() {
    let Some(sqs) = service!() else { return };
    let create = |attributes: &[(&str, &str)]| {
        let request = sqs.client.create_queue().queue_name(sqs.name("again"));
        request.set_attributes(Some(queue_attributes(attributes))).send()
    };
    let url = create(&[("DelaySeconds", "1"), ("VisibilityTimeout", "7")]).await.unwrap().queue_url;
    for same in [&[][..], &[("DelaySeconds", "1")], &[("MessageRetentionPeriod", "345600")]] {
        assert_eq!(create(same).await.unwrap().queue_url, url);
    }
}

#[tokio::test]
async fn creating_a_queue_again_with_other_attributes_is_refused() {
    let Some(sqs) = service!() else { return };
    let name = sqs.name("again");
    sqs.client.create_queue().queue_name(&name).send().await.unwrap();
    let other = queue_attributes(&[("DelaySeconds", "1")]);
    let again = sqs.client.create_queue().queue_name(&name).set_attributes(Some(other)).send();
    assert!(refused(again).await.is_queue_name_exists());
}

#[tokio::test]
async fn a_queue_name_has_80_alphanumeric_characters_hyphens_and_underscores_at_most() {
    let Some(sqs) = service!() else { return };
    let longest = format!("{:_<80}", sqs.name("Az-9"));
    sqs.client.create_queue().queue_name(&longest).send().await.unwrap();
    for name in [format!("{longest}_"), "with space".into(), "dot.ted".into(), "ümlaut".into()] {
        let error = refused(sqs.client.create_queue().queue_name(&name).send()).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{name}");
    }
}

#[tokio::test]
async fn a_queue_is_not_created_with_an_unknown_attribute() {
    let Some(sqs) = service!() else { return };
    let unknown = queue_attributes(&[("VisibilityTimeOut", "1")]);
    let create = sqs.client.create_queue().queue_name(sqs.name("unknown"));
    let create = create.set_attributes(Some(unknown)).send();
    assert!(refused(create).await.is_invalid_attribute_name());
}

#[tokio::test]
async fn an_unknown_queue_attribute_can_be_neither_set_nor_read() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    assert!(refused(sqs.set(&url, "VisibilityTimeOut", "1")).await.is_invalid_attribute_name());
    let get = sqs.client.get_queue_attributes().queue_url(&url).attribute_names("Age".into());
    assert!(refused(get.send()).await.is_invalid_attribute_name());
}

#[tokio::test]
async fn queue_attributes_are_taken_within_their_ranges_only() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for (name, least, most) in [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
    ] {
        for taken in [least, most] {
            sqs.set(&url, name, &taken.to_string()).await.unwrap();
            assert_eq!(sqs.attribute(&url, name).await, taken.to_string());
        }
        for value in [(least - 1).to_string(), (most + 1).to_string(), "many".into()] {
            let error = refused(sqs.set(&url, name, &value)).await;
            assert!(error.is_invalid_attribute_value(), "{name} {value}: {error:?}");
        }
        assert_eq!(sqs.attribute(&url, name).await, most.to_string());
    }
}

#[tokio::test]
async fn a_new_queue_has_the_documented_attributes() {
    let Some(sqs) = service!() else { return };
    let name = sqs.name("new");
    let url = sqs.client.create_queue().queue_name(&name).send().await.unwrap().queue_url.unwrap();
    let attributes = sqs.attributes(&url, &["All"]).await;
    for (name, value) in [
        ("ApproximateNumberOfMessages", "0"),
        ("ApproximateNumberOfMessagesDelayed", "0"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
        ("DelaySeconds", "0"),
        ("MaximumMessageSize", "1048576"),
        ("MessageRetentionPeriod", "345600"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("VisibilityTimeout", "30"),
    ] {
        assert_eq!(attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let arn = &attributes["QueueArn"];
    assert!(
        arn.starts_with("arn:aws:sqs:us-east-1:") && arn.ends_with(&format!(":{name}")),
        "{arn}"
    );
    assert_eq!(attributes["CreatedTimestamp"], attributes["LastModifiedTimestamp"]);
    let created: f64 = attributes["CreatedTimestamp"].parse().unwrap();
    assert!((1.7e9..1e11).contains(&created), "{created} seconds since the epoch");
    assert!(!attributes.contains_key("RedrivePolicy"));
}

#[tokio::test]
async fn a_new_queue_is_encrypted_with_keys_of_sqs() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    assert_eq!(sqs.attribute(&url, "SqsManagedSseEnabled").await, "true");
}

#[tokio::test]
async fn only_the_queue_attributes_asked_for_are_returned() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let two = sqs.attributes(&url, &["DelaySeconds", "QueueArn"]).await;
    let names: BTreeSet<&str> = two.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["DelaySeconds", "QueueArn"]));
}

#[tokio::test]
async fn no_queue_attributes_are_returned_if_none_are_asked_for() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    assert!(sqs.attributes(&url, &[]).await.is_empty());
}

#[tokio::test]
async fn every_action_on_an_unknown_queue_says_that_it_does_not_exist() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.client.delete_queue().queue_url(&url).send().await.unwrap();
    let c = &sqs.client;
    let get_url = c.get_queue_url().queue_name(sqs.name("unknown")).send();
    assert!(refused(get_url).await.is_queue_does_not_exist());
    let attributes = c.get_queue_attributes().queue_url(&url).attribute_names("All".into()).send();
    assert!(refused(attributes).await.is_queue_does_not_exist());
    let send = c.send_message().queue_url(&url).message_body("x").send();
    assert!(refused(send).await.is_queue_does_not_exist());
    let send = c.send_message_batch().queue_url(&url).entries(entry("a", "x")).send();
    assert!(refused(send).await.is_queue_does_not_exist());
    assert!(refused(c.receive_message().queue_url(&url).send()).await.is_queue_does_not_exist());
    let delete = c.delete_message().queue_url(&url).receipt_handle("x").send();
    assert!(refused(delete).await.is_queue_does_not_exist());
    assert!(refused(c.purge_queue().queue_url(&url).send()).await.is_queue_does_not_exist());
    assert!(refused(c.delete_queue().queue_url(&url).send()).await.is_queue_does_not_exist());
    assert!(refused(sqs.set(&url, "DelaySeconds", "1")).await.is_queue_does_not_exist());
}

#[tokio::test]
async fn a_queue_is_found_by_its_name() {
    let Some(sqs) = service!() else { return };
    let name = sqs.name("named");
    let created = sqs.client.create_queue().queue_name(&name).send().await.unwrap().queue_url;
    let found = sqs.client.get_queue_url().queue_name(&name).send().await.unwrap().queue_url;
    assert_eq!(found, created);
    let url = found.unwrap();
    assert!(url.starts_with(&sqs.endpoint) && url.ends_with(&format!("/{name}")), "{url}");
}

#[tokio::test]
async fn queues_are_listed_by_prefix_and_in_pages() {
    let Some(sqs) = service!() else { return };
    let mut created = BTreeSet::new();
    for suffix in ["a", "b", "c"] {
        let create = sqs.client.create_queue().queue_name(sqs.name(suffix));
        created.insert(create.send().await.unwrap().queue_url.unwrap());
    }
    let list = || sqs.client.list_queues().queue_name_prefix(sqs.name(""));
    let all = list().send().await.unwrap();
    assert_eq!(all.queue_urls().iter().cloned().collect::<BTreeSet<_>>(), created);
    assert_eq!(all.next_token(), None);

    let first = list().max_results(2).send().await.unwrap();
    assert_eq!(first.queue_urls().len(), 2);
    let token = first.next_token().unwrap();
    let second = list().max_results(2).next_token(token).send().await.unwrap();
    assert_eq!(second.next_token(), None);
    let pages = first.queue_urls().iter().chain(second.queue_urls());
    assert_eq!(pages.cloned().collect::<BTreeSet<_>>(), created);
}

#[tokio::test]
async fn tags_are_kept_replaced_and_removed() {
    let Some(sqs) = service!() else { return };
    let create = sqs.client.create_queue().queue_name(sqs.name("tags")).tags("a", "1");
    let url = create.send().await.unwrap().queue_url.unwrap();
    let tag = sqs.client.tag_queue().queue_url(&url).tags("a", "2").tags("b", "3");
    tag.send().await.unwrap();
    let tags = async || {
        sqs.client.list_queue_tags().queue_url(&url).send().await.unwrap().tags.unwrap_or_default()
    };
    assert_eq!(tags().await, strings(&[("a", "2"), ("b", "3")]));
    let untag = sqs.client.untag_queue().queue_url(&url).tag_keys("a").tag_keys("none");
    untag.send().await.unwrap();
    assert_eq!(tags().await, strings(&[("b", "3")]));
}

#[tokio::test]
async fn the_counters_follow_every_message() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let counts = async |visible, in_flight, delayed| {
        assert_eq!(sqs.counts(&url).await, Counts { visible, in_flight, delayed });
    };
    for n in 0..5 {
        sqs.send(&url, &n.to_string()).await;
    }
    sqs.message(&url, "later").delay_seconds(900).send().await.unwrap();
    counts(5, 0, 1).await;
    let received = sqs.client.receive_message().queue_url(&url).max_number_of_messages(3);
    let received = received.send().await.unwrap().messages.unwrap();
    counts(2, 3, 1).await;
    sqs.delete(&url, &received[0]).await;
    counts(2, 2, 1).await;
    sqs.hide(&url, &received[1], 0).await.unwrap();
    counts(3, 1, 1).await;
}

#[tokio::test]
async fn purging_removes_messages_that_are_visible_in_flight_or_delayed() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "1")]).await;
    sqs.send(&url, "in flight").await;
    sqs.receive_one(&url).await;
    sqs.send(&url, "visible").await;
    sqs.message(&url, "delayed").delay_seconds(1).send().await.unwrap();
    sqs.client.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(sqs.counts(&url).await, Counts::default());
    assert!(sqs.wait(&url, 2).await.is_empty());
    let sent = sqs.send(&url, "after").await;
    assert_eq!(sqs.receive_one(&url).await.message_id(), sent.message_id());
}

#[tokio::test]
async fn a_queue_is_purged_once_in_60_seconds() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let purge = || sqs.client.purge_queue().queue_url(&url).send();
    purge().await.unwrap();
    assert!(refused(purge()).await.is_purge_queue_in_progress());
}
