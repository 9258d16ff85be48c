//! What AWS documents about standard queues, asked of a server by the real SDK client.
//!
//! Each test starts a server of its own. With `SQS_ENDPOINT=http://host:port` all of them ask that
//! server instead, each with queues of its own; `SQS_IMPLEMENTATION` then names the implementation,
//! for the table of [`DEPARTURES`]. `peers.sh` does both.

use std::collections::{BTreeSet, HashMap};
use std::env::var_os;
use std::fmt::Debug;
use std::future::{Future, pending};
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::change_message_visibility::{
    ChangeMessageVisibilityError, ChangeMessageVisibilityOutput,
};
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::operation::set_queue_attributes::{
    SetQueueAttributesError, SetQueueAttributesOutput,
};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, ListMessageMoveTasksResultEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_sdk_sqs::{Client, Config};
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Where other implementations depart from AWS: they are not asked for that behaviour.
///
/// Each entry names the implementations, the tests, and what AWS documents and they do not do.
const DEPARTURES: &[(&[&str], &[&str], &str)] = &[
    (
        BOTH,
        &[
            "a_move_task_returns_each_message_to_the_queue_it_came_from",
            "a_moved_message_starts_anew",
            "a_move_task_can_have_a_destination",
            "a_move_task_keeps_to_its_rate_and_can_be_cancelled",
            "move_tasks_are_listed_latest_first",
            "a_move_task_needs_a_dead_letter_queue_and_queues_that_exist",
            "a_message_sent_to_the_dead_letter_queue_itself_has_nowhere_to_return_to",
            "a_move_task_fails_when_its_destination_is_deleted",
        ],
        "StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask exist",
    ),
    (
        BOTH,
        &[
            "a_queue_is_not_created_with_an_unknown_attribute",
            "an_unknown_queue_attribute_can_be_neither_set_nor_read",
        ],
        "CreateQueue and SetQueueAttributes: InvalidAttributeName",
    ),
    (
        BOTH,
        &[
            "a_queue_says_which_queues_may_use_it_for_dead_letters",
            "only_a_complete_redrive_allow_policy_is_taken",
        ],
        "RedriveAllowPolicy decides which queues can name this one in their RedrivePolicy",
    ),
    (
        BOTH,
        &["a_message_has_10_attributes_at_most"],
        "Amazon SQS message attributes: a message can have 10",
    ),
    (
        BOTH,
        &["attribute_names_are_taken_in_the_documented_form_only"],
        "Amazon SQS message attributes: characters, length, periods and reserved prefixes of names",
    ),
    (
        BOTH,
        &["attribute_values_fit_their_type"],
        "Amazon SQS message attributes: the types String, Number and Binary, and no empty value",
    ),
    (
        BOTH,
        &["an_attribute_value_with_a_forbidden_character_is_refused"],
        "MessageAttributeValue: strings have the same restrictions as the message body",
    ),
    (
        BOTH,
        &[
            "names_types_and_values_of_attributes_count_towards_the_size",
            "attributes_count_towards_the_size_of_a_batch",
        ],
        "MessageAttributeValue: name, type and value are part of the message size",
    ),
    (
        BOTH,
        &["a_message_group_id_has_1_to_128_alphanumeric_and_punctuation_characters"],
        "SendMessage: the characters and the length of MessageGroupId",
    ),
    (
        BOTH,
        &["a_deduplication_id_is_refused_on_a_standard_queue"],
        "SendMessage: MessageDeduplicationId applies only to FIFO queues",
    ),
    (
        BOTH,
        &["no_other_system_attribute_can_be_sent", "system_attributes_have_a_digest_of_their_own"],
        "SendMessage: AWSTraceHeader alone can be sent, and MD5OfMessageSystemAttributes returned",
    ),
    (BOTH, &["a_delay_has_15_minutes_at_most"], "SendMessage: DelaySeconds from 0 to 900"),
    (
        BOTH,
        &[
            "a_receive_hides_messages_for_12_hours_at_most",
            "a_message_is_hidden_for_12_hours_at_most",
        ],
        "ReceiveMessage and ChangeMessageVisibility: VisibilityTimeout from 0 to 43200",
    ),
    (
        BOTH,
        &["the_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed"],
        "ChangeMessageVisibility: MessageNotInflight",
    ),
    (
        BOTH,
        &["a_receipt_handle_from_before_the_latest_receive_deletes_nothing"],
        "DeleteMessage: an old handle succeeds, and the message might not be deleted",
    ),
    (
        BOTH,
        &["the_sources_of_a_dead_letter_queue_are_listed_in_pages"],
        "ListDeadLetterSourceQueues: MaxResults and NextToken",
    ),
    (
        MOTO,
        &[
            "a_body_with_a_forbidden_character_is_refused",
            "a_batch_reports_every_message_on_its_own",
        ],
        "SendMessage: InvalidMessageContents",
    ),
    (MOTO, &["an_empty_body_is_refused"], "SendMessage: a body has one character at least"),
    (
        MOTO,
        &["the_size_is_counted_in_bytes_of_utf_8"],
        "SendMessage: the largest message has 1,048,576 bytes, not characters",
    ),
    (
        MOTO,
        &["a_batch_reports_the_message_that_is_too_large_for_the_queue"],
        "SendMessageBatch: the result of each message is reported individually",
    ),
    (
        MOTO,
        &[
            "a_batch_of_deletions_out_of_order_is_refused_as_a_whole",
            "a_batch_of_visibility_changes_out_of_order_is_refused_as_a_whole",
        ],
        "DeleteMessageBatch and ChangeMessageVisibilityBatch: the errors about entries and ids",
    ),
    (
        MOTO,
        &["queue_attributes_are_taken_within_their_ranges_only"],
        "SetQueueAttributes: the ranges of the attributes",
    ),
    (
        MOTO,
        &["only_a_complete_redrive_policy_is_taken", "a_dead_letter_queue_must_exist"],
        "SetQueueAttributes: InvalidAttributeValue for a RedrivePolicy that is none",
    ),
    (
        MOTO,
        &["a_dead_letter_names_the_queue_it_came_from"],
        "ReceiveMessage: DeadLetterQueueSourceArn",
    ),
    (
        MINISTACK,
        &["the_sources_of_a_dead_letter_queue_are_listed"],
        "ListDeadLetterSourceQueues exists",
    ),
    (
        MINISTACK,
        &["a_queue_name_has_80_alphanumeric_characters_hyphens_and_underscores_at_most"],
        "CreateQueue: the characters and the length of QueueName",
    ),
    (
        MINISTACK,
        &["a_new_queue_is_encrypted_with_keys_of_sqs"],
        "GetQueueAttributes: SqsManagedSseEnabled",
    ),
    (
        MINISTACK,
        &["no_queue_attributes_are_returned_if_none_are_asked_for"],
        "GetQueueAttributes: without AttributeNames the request returns empty results",
    ),
    (MINISTACK, &["a_wait_has_20_seconds_at_most"], "ReceiveMessage: WaitTimeSeconds from 0 to 20"),
    (
        MINISTACK,
        &["a_batch_reports_the_visibility_timeout_out_of_range"],
        "ChangeMessageVisibilityBatch: VisibilityTimeout from 0 to 43200",
    ),
    (
        MINISTACK,
        &["a_message_can_be_deleted_again"],
        "DeleteMessage: a request with an old handle succeeds",
    ),
    (MINISTACK, &["a_queue_is_purged_once_in_60_seconds"], "PurgeQueue: PurgeQueueInProgress"),
];

const MOTO: &[&str] = &["moto"];
const MINISTACK: &[&str] = &["ministack"];
const BOTH: &[&str] = &["moto", "ministack"];

const MEBIBYTE: usize = 1_048_576;

#[test]
fn every_departure_names_a_test_of_this_file() {
    for test in DEPARTURES.iter().flat_map(|(_, tests, _)| *tests) {
        let declaration = format!("async fn {test}()");
        assert!(include_str!("behaviour.rs").contains(&declaration), "there is no test {test}");
    }
}

// Queues

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

// Messages

#[tokio::test]
async fn a_message_arrives_as_it_was_sent() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for body in ["plain", "{\"quoted\":\"\\n\"}", "tab\t cr\r\nlf", "grüße 𝄞 \u{FFFD}", " "] {
        let sent = sqs.send(&url, body).await;
        let received = sqs.receive_one(&url).await;
        assert_eq!(received.body(), Some(body));
        assert_eq!(received.message_id(), sent.message_id());
        assert_eq!(received.md5_of_body(), sent.md5_of_message_body());
        assert_eq!(received.md5_of_message_attributes(), None);
        sqs.delete(&url, &received).await;
    }
}

#[tokio::test]
async fn the_digests_are_those_of_aws() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let sent = sqs
        .message(&url, "msg")
        .message_attributes("Help.Me", text("String", "Me"))
        .message_attributes("Hello", text("String", "There"))
        .message_attributes("General", text("String", "Kenobi"))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("6e2baaf3b97dbeef01c0043275f9a0e7"));
    assert_eq!(sent.md5_of_message_attributes(), Some("4c360f3fdafd970e05fae2f149d997f5"));
    assert_eq!(sent.md5_of_message_system_attributes(), None);

    let sent = sqs
        .message(&url, "msg")
        .message_attributes("b", bytes("Binary.gzip", &[0, 255, 1]))
        .message_attributes("a", text("Number.int", "-7.5"))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_attributes(), Some("32afe8698e6b951d0c2b70c8485b43cb"));
}

#[tokio::test]
async fn system_attributes_have_a_digest_of_their_own() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let sent = sqs
        .message(&url, "msg")
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_system_attributes(), Some("5ae4d5d7636402d80f4eb6d213245a88"));
    assert_eq!(sent.md5_of_message_attributes(), None);
}

#[tokio::test]
async fn message_attributes_arrive_when_they_are_asked_for() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let attributes = HashMap::from([
        ("order.id".to_owned(), text("Number", "17")),
        ("order.kind".to_owned(), text("String.label", "new")),
        ("ordering".to_owned(), text("String", "x")),
        ("raw".to_owned(), bytes("Binary", &[0, 159, 146, 150])),
    ]);
    let sent = sqs.message(&url, "x").set_message_attributes(Some(attributes.clone()));
    let sent = sent.send().await.unwrap();

    let asked = async |names: &[&str]| {
        let receive = sqs.client.receive_message().queue_url(&url).visibility_timeout(0);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let receive = receive.set_message_attribute_names(Some(names));
        only(receive.send().await.unwrap())
    };
    let all = asked(&["All"]).await;
    assert_eq!(all.message_attributes(), Some(&attributes));
    assert_eq!(all.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(asked(&[".*"]).await.message_attributes(), Some(&attributes));

    for (names, expected) in [
        (&["order.*"][..], &["order.id", "order.kind", "ordering"][..]),
        (&["order..*"], &["order.id", "order.kind"]),
        (&["raw", "ordering", "absent"], &["ordering", "raw"]),
        (&["order"], &[]),
        (&[], &[]),
    ] {
        let message = asked(names).await;
        let arrived = message.message_attributes().cloned().unwrap_or_default();
        let arrived: BTreeSet<_> = arrived.keys().map(String::as_str).collect();
        assert_eq!(arrived, expected.iter().copied().collect(), "{names:?}");
    }
}

#[tokio::test]
async fn the_digest_of_received_attributes_covers_those_received() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let message = sqs.message(&url, "msg").message_attributes("Hello", text("String", "There"));
    message.message_attributes("Other", text("String", "x")).send().await.unwrap();
    let receive = sqs.client.receive_message().queue_url(&url).message_attribute_names("Hello");
    let received = only(receive.send().await.unwrap());
    assert_eq!(received.md5_of_message_attributes(), Some("a311262e065454b75da111d535b8dacd"));
}

#[tokio::test]
async fn system_attributes_arrive_when_they_are_asked_for() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.message(&url, "x")
        .message_group_id("tenant-1")
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace())
        .send()
        .await
        .unwrap();
    let asked = async |names: &[&str]| {
        let receive = sqs.client.receive_message().queue_url(&url).visibility_timeout(0);
        let names = names.iter().map(|name| (*name).into()).collect();
        let receive = receive.set_message_system_attribute_names(Some(names));
        let message = only(receive.send().await.unwrap());
        let attributes = message.attributes.unwrap_or_default().into_keys();
        attributes.map(|name| name.to_string()).collect::<BTreeSet<_>>()
    };
    let all = [
        "AWSTraceHeader",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
    ];
    assert_eq!(asked(&["All"]).await, all.iter().map(|name| (*name).to_owned()).collect());
    for name in all {
        assert_eq!(asked(&[name]).await, BTreeSet::from([name.to_owned()]));
    }
    assert!(asked(&[]).await.is_empty());
}

#[tokio::test]
async fn system_attributes_can_be_asked_for_by_the_older_parameter() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.send(&url, "x").await;
    #[expect(deprecated, reason = "older clients use it, and AWS still takes it")]
    let receive =
        sqs.client.receive_message().queue_url(&url).attribute_names("SentTimestamp".into());
    let message = only(receive.send().await.unwrap());
    assert!(system(&message, "SentTimestamp").is_some());
    assert_eq!(message.attributes.unwrap().len(), 1);
}

#[tokio::test]
async fn timestamps_and_the_receive_count_tell_the_history_of_a_message() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("VisibilityTimeout", "0")]).await;
    let before = millis_now();
    sqs.send(&url, "x").await;
    let first = sqs.receive_one(&url).await;
    let second = sqs.receive_one(&url).await;
    let third = sqs.receive_one(&url).await;
    let number = |message, name| system(message, name).unwrap().parse::<u64>().unwrap();
    for (message, count) in [(&first, 1), (&second, 2), (&third, 3)] {
        assert_eq!(number(message, "ApproximateReceiveCount"), count);
        assert_eq!(number(message, "SentTimestamp"), number(&first, "SentTimestamp"));
        let received = number(message, "ApproximateFirstReceiveTimestamp");
        assert_eq!(received, number(&first, "ApproximateFirstReceiveTimestamp"));
        assert!(received >= number(message, "SentTimestamp"));
    }
    assert!((before..=millis_now()).contains(&number(&first, "SentTimestamp")));
}

#[tokio::test]
async fn the_trace_header_arrives_unchanged() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.message(&url, "x")
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace())
        .send()
        .await
        .unwrap();
    assert_eq!(system(&sqs.receive_one(&url).await, "AWSTraceHeader"), Some(TRACE_HEADER));
}

#[tokio::test]
async fn no_other_system_attribute_can_be_sent() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let other = sqs.message(&url, "x").message_system_attributes("SenderId".into(), trace());
    assert_eq!(refused(other.send()).await.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn messages_of_one_group_are_received_together_from_a_standard_queue() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for body in ["1", "2"] {
        sqs.message(&url, body).message_group_id("tenant").send().await.unwrap();
    }
    let first = sqs.receive_one(&url).await;
    let second = sqs.receive_one(&url).await;
    assert_eq!(system(&first, "MessageGroupId"), Some("tenant"));
    assert_ne!(first.message_id(), second.message_id());
}

#[tokio::test]
async fn a_message_group_id_has_1_to_128_alphanumeric_and_punctuation_characters() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let punctuation = "aZ09!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    for id in [punctuation, "a", &"g".repeat(128)] {
        sqs.message(&url, "x").message_group_id(id).send().await.unwrap();
    }
    for id in ["", "two words", "ümlaut", "tab\t", &"g".repeat(129)] {
        let error = refused(sqs.message(&url, "x").message_group_id(id).send()).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{id:?}");
    }
}

#[tokio::test]
async fn a_deduplication_id_is_refused_on_a_standard_queue() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let send = sqs.message(&url, "x").message_deduplication_id("once").send();
    assert_eq!(refused(send).await.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn an_empty_body_is_refused() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    assert_eq!(refused(sqs.message(&url, "").send()).await.code(), Some("MissingParameter"));
}

#[tokio::test]
async fn every_allowed_character_arrives() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let ends = "\u{9}\u{A}\u{D}\u{20}\u{7F}\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{1FFFF}\u{10FFFF}";
    sqs.message(&url, ends).message_attributes("a", text("String", ends)).send().await.unwrap();
    let received = sqs.receive_one(&url).await;
    assert_eq!(received.body(), Some(ends));
    assert_eq!(received.message_attributes().unwrap()["a"].string_value(), Some(ends));
}

const FORBIDDEN: [&str; 8] =
    ["\0", "\u{1}", "\u{8}", "\u{B}", "\u{C}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"];

#[tokio::test]
async fn a_body_with_a_forbidden_character_is_refused() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for character in FORBIDDEN {
        let error = refused(sqs.message(&url, &format!("a{character}b")).send()).await;
        assert!(error.is_invalid_message_contents(), "{character:?}: {error:?}");
    }
    assert_eq!(sqs.counts(&url).await, Counts::default());
}

#[tokio::test]
async fn an_attribute_value_with_a_forbidden_character_is_refused() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    for character in FORBIDDEN {
        let value = text("String", &format!("a{character}b"));
        let error = refused(sqs.message(&url, "x").message_attributes("a", value).send()).await;
        assert!(error.is_invalid_message_contents(), "{character:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_message_has_1_mebibyte_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let mut largest = "x".repeat(MEBIBYTE);
    sqs.send(&url, &largest).await;
    assert_eq!(sqs.receive_one(&url).await.body(), Some(largest.as_str()));
    largest.push('x');
    let error = refused(sqs.message(&url, &largest).send()).await;
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn the_size_is_counted_in_bytes_of_utf_8() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let largest = "ü".repeat(MEBIBYTE / 2);
    sqs.send(&url, &largest).await;
    assert_eq!(sqs.receive_one(&url).await.body(), Some(largest.as_str()));
    let error = refused(sqs.message(&url, &format!("{largest}x")).send()).await;
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn names_types_and_values_of_attributes_count_towards_the_size() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let attributes = |extra: &str| {
        HashMap::from([
            ("four".to_owned(), text("String", &format!("value{extra}"))),
            ("five5".to_owned(), bytes("Binary.x", &[0; 100])),
        ])
    };
    let body = "x".repeat(MEBIBYTE - (4 + 6 + 5) - (5 + 8 + 100));
    let send = async |attributes| {
        sqs.message(&url, &body).set_message_attributes(Some(attributes)).send().await
    };
    send(attributes("")).await.unwrap();
    let error = refused(send(attributes("1"))).await;
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn the_trace_header_does_not_count_towards_the_size() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.message(&url, &"x".repeat(MEBIBYTE))
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace())
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_queue_can_have_a_smaller_size_limit() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("MaximumMessageSize", "1024")]).await;
    sqs.send(&url, &"x".repeat(1024)).await;
    let error = refused(sqs.message(&url, &"x".repeat(1025)).send()).await;
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn a_batch_reports_the_message_that_is_too_large_for_the_queue() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("MaximumMessageSize", "1024")]).await;
    let batch = sqs.client.send_message_batch().queue_url(&url);
    let batch = batch.entries(entry("small", "x")).entries(entry("large", &"x".repeat(1025)));
    let batch = batch.send().await.unwrap();
    assert_eq!(batch.successful()[0].id(), "small");
    assert_eq!(failures(batch.failed()), [("large", "InvalidParameterValue")]);
}

#[tokio::test]
async fn a_message_has_10_attributes_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let attributes = |count| {
        (0..count).map(|n| (format!("a{n}"), text("String", "x"))).collect::<HashMap<_, _>>()
    };
    let send =
        |count| sqs.message(&url, "x").set_message_attributes(Some(attributes(count))).send();
    send(10).await.unwrap();
    assert_eq!(refused(send(11)).await.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn attribute_names_are_taken_in_the_documented_form_only() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let send =
        |name: &str| sqs.message(&url, "x").message_attributes(name, text("String", "x")).send();
    for name in ["a", "A-z_0.9", "awsome", &"n".repeat(256)] {
        send(name).await.unwrap();
    }
    let too_long = "n".repeat(257);
    for name in
        ["", ".a", "a.", "a..b", "AWS.a", "aws.a", "Amazon.a", "amaZON.a", "a b", "a!", &too_long]
    {
        assert_eq!(refused(send(name)).await.code(), Some("InvalidParameterValue"), "{name:?}");
    }
}

#[tokio::test]
async fn attribute_values_fit_their_type() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let send = |value| sqs.message(&url, "x").message_attributes("a", value).send();
    for value in [text("Number", "-1.5e10"), text("Number.float", "0"), bytes("Binary.png", &[0])] {
        send(value).await.unwrap();
    }
    for value in [
        text("String", ""),
        text("Number", "ten"),
        text("Binary", "x"),
        bytes("String", &[1]),
        text("Text", "x"),
        text("", "x"),
    ] {
        let error = refused(send(value.clone())).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{value:?}");
    }
}

#[tokio::test]
async fn a_message_can_be_delayed() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    let started = Instant::now();
    sqs.message(&url, "later").delay_seconds(1).send().await.unwrap();
    assert!(sqs.receive(&url).await.is_empty());
    assert_eq!(sqs.counts(&url).await, Counts { delayed: 1, ..Counts::default() });
    let received = sqs.wait(&url, 10).await;
    assert_eq!(received[0].body(), Some("later"));
    assert!((900..5000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_queue_can_delay_all_messages_that_do_not_say_otherwise() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[("DelaySeconds", "900")]).await;
    sqs.send(&url, "later").await;
    sqs.message(&url, "now").delay_seconds(0).send().await.unwrap();
    assert_eq!(sqs.counts(&url).await, Counts { visible: 1, in_flight: 0, delayed: 1 });
    assert_eq!(sqs.receive_one(&url).await.body(), Some("now"));
}

#[tokio::test]
async fn a_delay_has_15_minutes_at_most() {
    let Some(sqs) = service!() else { return };
    let url = sqs.queue(&[]).await;
    sqs.message(&url, "x").delay_seconds(900).send().await.unwrap();
    for delay in [-1, 901] {
        let error = refused(sqs.message(&url, "x").delay_seconds(delay).send()).await;
        assert_eq!(error.code(), Some("InvalidParameterValue"));
    }
}

// Batches

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

// Receiving

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
    let url = sqs.queue(&[("ReceiveMessageWaitTimeSeconds", "1")]).await;
    let receive = || sqs.client.receive_message().queue_url(&url);
    let started = Instant::now();
    receive().wait_time_seconds(0).send().await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    receive().send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
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

// Receipt handles

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

// Visibility

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

// Counters and purging

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

// Dead-letter queues

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
    assert_eq!(list(&dead).await.unwrap().queue_urls(), [source.clone()]);
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

// Message move tasks

#[tokio::test]
async fn a_move_task_returns_each_message_to_the_queue_it_came_from() {
    let Some(sqs) = service!() else { return };
    let (one, dead) = sqs.dead_letter_pair(1).await;
    let policy = redrive_policy(&sqs.arn(&dead).await, 1);
    let two = sqs.queue(&[("RedrivePolicy", &policy)]).await;
    for source in [&one, &two] {
        sqs.dead_letter(source, &["x"]).await;
    }
    let arn = sqs.arn(&dead).await;
    let start = sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    assert!(start.task_handle().is_some());
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.source_arn(), Some(arn.as_str()));
    assert_eq!(task.destination_arn(), None);
    assert_eq!(task.approximate_number_of_messages_moved(), 2);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(2));
    assert_eq!(task.task_handle(), None, "only a running task can be cancelled");
    assert_eq!(sqs.counts(&dead).await, Counts::default());
    for source in [&one, &two] {
        assert_eq!(sqs.counts(source).await.visible, 1);
    }
}

/// "All redriven messages are considered new messages with a new messageID and enqueueTime": the
/// Developer Guide on dead-letter queue redrive.
#[tokio::test]
async fn a_moved_message_starts_anew() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    let sent = sqs.dead_letter(&source, &["x"]).await.remove(0);
    let arn = sqs.arn(&dead).await;
    sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    sqs.finished_move(&arn).await;
    let moved = sqs.receive_one(&source).await;
    assert_eq!(moved.body(), Some("x"));
    assert_ne!(moved.message_id(), Some(sent.as_str()));
    assert_eq!(system(&moved, "ApproximateReceiveCount"), Some("1"));
    assert_eq!(system(&moved, "DeadLetterQueueSourceArn"), None);
}

#[tokio::test]
async fn a_move_task_can_have_a_destination() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.dead_letter(&source, &["a", "b"]).await;
    let (other, arn) = (sqs.queue(&[]).await, sqs.arn(&dead).await);
    let destination = sqs.arn(&other).await;
    let start = sqs.client.start_message_move_task().source_arn(&arn);
    start.destination_arn(&destination).send().await.unwrap();
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.destination_arn(), Some(destination.as_str()));
    assert_eq!(sqs.counts(&other).await.visible, 2);
    assert_eq!(sqs.counts(&source).await, Counts::default());
}

#[tokio::test]
async fn a_move_task_keeps_to_its_rate_and_can_be_cancelled() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.dead_letter(&source, &["1", "2", "3", "4", "5", "6"]).await;
    let arn = sqs.arn(&dead).await;
    let start = || {
        let start = sqs.client.start_message_move_task().source_arn(&arn);
        start.max_number_of_messages_per_second(1).send()
    };
    let handle = start().await.unwrap().task_handle.unwrap();
    let running = sqs.moves(&arn, 1).await.remove(0);
    assert_eq!(running.status(), Some("RUNNING"));
    assert_eq!(running.task_handle(), Some(handle.as_str()));
    assert_eq!(running.max_number_of_messages_per_second(), Some(1));
    assert_eq!(refused(start()).await.code(), Some("InvalidParameterValue"), "one at a time");

    let empty = sqs.queue(&[]).await;
    sqs.wait(&empty, 2).await;
    let cancel = || sqs.client.cancel_message_move_task().task_handle(&handle).send();
    let moved = cancel().await.unwrap().approximate_number_of_messages_moved();
    assert!((1..=4).contains(&moved), "{moved} in two seconds");
    let cancelled = sqs.finished_move(&arn).await;
    assert_eq!(cancelled.status(), Some("CANCELLED"));
    assert_eq!(cancelled.approximate_number_of_messages_moved(), moved);
    assert_eq!(i64::from(sqs.counts(&source).await.visible), moved);
    assert_eq!(i64::from(sqs.counts(&dead).await.visible), 6 - moved);
    refused(cancel()).await;
}

#[tokio::test]
async fn move_tasks_are_listed_latest_first() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    let arn = sqs.arn(&dead).await;
    assert!(sqs.moves(&arn, 10).await.is_empty());
    for bodies in [&["a"][..], &["b", "c"]] {
        sqs.dead_letter(&source, bodies).await;
        sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
        sqs.finished_move(&arn).await;
        sqs.client.purge_queue().queue_url(&source).send().await.ok();
    }
    let moved = |tasks: Vec<ListMessageMoveTasksResultEntry>| {
        let moved = tasks.iter().map(|task| task.approximate_number_of_messages_moved());
        moved.collect::<Vec<_>>()
    };
    assert_eq!(moved(sqs.moves(&arn, 10).await), [2, 1]);
    let default = sqs.client.list_message_move_tasks().source_arn(&arn).send().await.unwrap();
    assert_eq!(moved(default.results.unwrap()), [2]);
}

#[tokio::test]
async fn a_move_task_needs_a_dead_letter_queue_and_queues_that_exist() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    let (source, dead) = (sqs.arn(&source).await, sqs.arn(&dead).await);
    let missing = format!("{source}-missing");
    let start = |source: &str, destination: Option<&String>| {
        let start = sqs.client.start_message_move_task().source_arn(source);
        start.set_destination_arn(destination.cloned()).send()
    };
    assert_eq!(refused(start(&source, None)).await.code(), Some("InvalidParameterValue"));
    assert!(refused(start(&missing, None)).await.is_resource_not_found_exception());
    assert!(refused(start(&dead, Some(&missing))).await.is_resource_not_found_exception());
    let list = sqs.client.list_message_move_tasks().source_arn(&missing).send();
    assert!(refused(list).await.is_resource_not_found_exception());
    for rate in [0, 501] {
        let start = sqs.client.start_message_move_task().source_arn(&dead);
        let start = start.max_number_of_messages_per_second(rate).send();
        assert_eq!(refused(start).await.code(), Some("InvalidParameterValue"));
    }
    let cancel = sqs.client.cancel_message_move_task().task_handle("garbage").send();
    assert_eq!(refused(cancel).await.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn a_message_sent_to_the_dead_letter_queue_itself_has_nowhere_to_return_to() {
    let Some(sqs) = service!() else { return };
    let (_, dead) = sqs.dead_letter_pair(1).await;
    sqs.send(&dead, "direct").await;
    let arn = sqs.arn(&dead).await;
    sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(task.failure_reason(), Some("CouldNotDetermineMessageSource"));
    assert_eq!(sqs.counts(&dead).await.visible, 1);
}

#[tokio::test]
async fn a_move_task_fails_when_its_destination_is_deleted() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.dead_letter(&source, &["1", "2", "3"]).await;
    let (other, arn) = (sqs.queue(&[]).await, sqs.arn(&dead).await);
    let start = sqs.client.start_message_move_task().source_arn(&arn);
    let start = start.destination_arn(sqs.arn(&other).await).max_number_of_messages_per_second(1);
    start.send().await.unwrap();
    sqs.client.delete_queue().queue_url(&other).send().await.unwrap();
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(task.failure_reason(), Some("AWS.SimpleQueueService.NonExistentQueue"));
}

// The server under test

/// The server to ask, unless it is known to depart from AWS in the test this is in.
macro_rules! service {
    () => {{
        fn here() {}
        Service::for_test(std::any::type_name_of_val(&here)).await
    }};
}
use service;

struct Service {
    client: Client,
    endpoint: String,
    prefix: String,
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    visible: u32,
    in_flight: u32,
    delayed: u32,
}

impl Service {
    /// `here` is the path of a function inside the test.
    async fn for_test(here: &str) -> Option<Self> {
        let test = here.split("::").nth(1).expect("a test is a function of this file");
        let endpoint = match variable("SQS_ENDPOINT") {
            Some(endpoint) => {
                let implementation = variable("SQS_IMPLEMENTATION");
                let name = implementation.as_deref().unwrap_or_default();
                for (implementations, tests, documented) in DEPARTURES {
                    if implementations.contains(&name) && tests.contains(&test) {
                        eprintln!("not asked of {name}: {documented}");
                        return None;
                    }
                }
                endpoint
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                tokio::spawn(sqs::serve(listener, sqs::Sqs::memory(), pending()));
                format!("http://{address}")
            }
        };
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled())
            .endpoint_url(&endpoint)
            .build();
        let prefix = uuid::Uuid::new_v4().simple().to_string();
        Some(Self { client: Client::from_conf(config), endpoint, prefix })
    }

    /// A name that no other test uses.
    fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.prefix)
    }

    /// The URL of a new queue.
    async fn queue(&self, attributes: &[(&str, &str)]) -> String {
        let name = self.name(&uuid::Uuid::new_v4().simple().to_string());
        let create = self.client.create_queue().queue_name(name);
        let create = create.set_attributes(Some(queue_attributes(attributes)));
        create.send().await.unwrap().queue_url.unwrap()
    }

    async fn attributes(&self, url: &str, names: &[&str]) -> HashMap<String, String> {
        let names = names.iter().map(|name| (*name).into()).collect();
        let get = self.client.get_queue_attributes().queue_url(url);
        let got = get.set_attribute_names(Some(names)).send().await.unwrap();
        let attributes = got.attributes.unwrap_or_default().into_iter();
        attributes.map(|(name, value)| (name.to_string(), value)).collect()
    }

    async fn attribute(&self, url: &str, name: &str) -> String {
        self.attributes(url, &[name]).await.remove(name).unwrap()
    }

    async fn arn(&self, url: &str) -> String {
        self.attribute(url, "QueueArn").await
    }

    fn set(
        &self,
        url: &str,
        name: &str,
        value: &str,
    ) -> impl Future<Output = Result<SetQueueAttributesOutput, SdkError<SetQueueAttributesError>>> + use<>
    {
        self.client.set_queue_attributes().queue_url(url).attributes(name.into(), value).send()
    }

    async fn counts(&self, url: &str) -> Counts {
        let attributes = self.attributes(url, &["All"]).await;
        let count =
            |kind: &str| attributes[&format!("ApproximateNumberOfMessages{kind}")].parse().unwrap();
        Counts { visible: count(""), in_flight: count("NotVisible"), delayed: count("Delayed") }
    }

    fn message(&self, url: &str, body: &str) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(url).message_body(body)
    }

    async fn send(&self, url: &str, body: &str) -> SendMessageOutput {
        self.message(url, body).send().await.unwrap()
    }

    /// What can be received, with all attributes.
    async fn receive(&self, url: &str) -> Vec<Message> {
        self.everything(url).send().await.unwrap().messages.unwrap_or_default()
    }

    /// The same, leaving it visible.
    async fn receive_and_release(&self, url: &str) -> Vec<Message> {
        let receive = self.everything(url).visibility_timeout(0).send();
        receive.await.unwrap().messages.unwrap_or_default()
    }

    /// The same, after at most that many seconds.
    async fn wait(&self, url: &str, seconds: i32) -> Vec<Message> {
        let receive = self.everything(url).wait_time_seconds(seconds).send();
        receive.await.unwrap().messages.unwrap_or_default()
    }

    async fn receive_one(&self, url: &str) -> Message {
        only(self.everything(url).max_number_of_messages(1).send().await.unwrap())
    }

    fn everything(&self, url: &str) -> ReceiveMessageFluentBuilder {
        self.client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
    }

    async fn delete(&self, url: &str, message: &Message) {
        let handle = message.receipt_handle().unwrap();
        let delete = self.client.delete_message().queue_url(url).receipt_handle(handle);
        delete.send().await.unwrap();
    }

    fn hide(
        &self,
        url: &str,
        message: &Message,
        seconds: i32,
    ) -> impl Future<
        Output = Result<ChangeMessageVisibilityOutput, SdkError<ChangeMessageVisibilityError>>,
    > + use<> {
        let handle = message.receipt_handle().unwrap();
        let change = self.client.change_message_visibility().queue_url(url).receipt_handle(handle);
        change.visibility_timeout(seconds).send()
    }

    /// A queue and the queue that its messages go to after so many receives.
    async fn dead_letter_pair(&self, max_receive_count: u32) -> (String, String) {
        let dead = self.queue(&[]).await;
        let policy = redrive_policy(&self.arn(&dead).await, max_receive_count);
        (self.queue(&[("RedrivePolicy", &policy)]).await, dead)
    }

    /// Sends messages to a queue that moves them at the second receive, and has them moved.
    async fn dead_letter(&self, source: &str, bodies: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for body in bodies {
            ids.push(self.send(source, body).await.message_id.unwrap());
        }
        assert_eq!(self.receive_and_release(source).await.len(), bodies.len());
        assert!(self.receive(source).await.is_empty());
        ids
    }

    async fn moves(&self, source_arn: &str, most: i32) -> Vec<ListMessageMoveTasksResultEntry> {
        let list = self.client.list_message_move_tasks().source_arn(source_arn);
        list.max_results(most).send().await.unwrap().results.unwrap_or_default()
    }

    /// The latest move task, once it has ended.
    async fn finished_move(&self, source_arn: &str) -> ListMessageMoveTasksResultEntry {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let task = self.moves(source_arn, 1).await.remove(0);
            if !matches!(task.status(), Some("RUNNING" | "CANCELLING")) {
                return task;
            }
            assert!(Instant::now() < deadline, "the task does not end: {task:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The error of a request that must be refused.
async fn refused<T: Debug, E: Debug>(request: impl Future<Output = Result<T, SdkError<E>>>) -> E {
    match request.await {
        Err(SdkError::ServiceError(error)) => error.into_err(),
        other => panic!("the request must be refused by the service: {other:?}"),
    }
}

/// Whether a policy was refused: AWS does not document which of the two codes it uses.
fn is_invalid(error: &SetQueueAttributesError) -> bool {
    matches!(error.code(), Some("InvalidAttributeValue" | "InvalidParameterValue"))
}

fn variable(name: &str) -> Option<String> {
    var_os(name).map(|value| value.into_string().expect("the variable is text"))
}

fn queue_attributes(attributes: &[(&str, &str)]) -> HashMap<QueueAttributeName, String> {
    attributes.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect()
}

fn strings(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn redrive_policy(arn: &str, max_receive_count: u32) -> String {
    format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receive_count}}}"#)
}

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type(data_type).string_value(value);
    value.build().unwrap()
}

fn bytes(data_type: &str, value: &[u8]) -> MessageAttributeValue {
    let value =
        MessageAttributeValue::builder().data_type(data_type).binary_value(Blob::new(value));
    value.build().unwrap()
}

const TRACE_HEADER: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn trace() -> MessageSystemAttributeValue {
    let value = MessageSystemAttributeValue::builder().data_type("String");
    value.string_value(TRACE_HEADER).build().unwrap()
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

fn visibility(id: &str, handle: &str, timeout: i32) -> ChangeMessageVisibilityBatchRequestEntry {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
    entry.visibility_timeout(timeout).build().unwrap()
}

fn failures(failed: &[BatchResultErrorEntry]) -> Vec<(&str, &str)> {
    assert!(failed.iter().all(|entry| entry.sender_fault()));
    failed.iter().map(|entry| (entry.id(), entry.code())).collect()
}

fn only(received: ReceiveMessageOutput) -> Message {
    let mut messages = received.messages.unwrap_or_default();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

fn only_body(messages: &[Message]) -> &str {
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages[0].body().unwrap()
}

fn system<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.attributes()?.get(&name.into()).map(String::as_str)
}

fn millis_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
