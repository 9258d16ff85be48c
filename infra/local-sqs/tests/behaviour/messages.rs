//! What can be sent, and how it arrives.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::MessageSystemAttributeNameForSends;
use tokio::time::Instant;

use crate::service::{
    Counts, MEBIBYTE, TRACE_HEADER, bytes, entry, failures, millis_now, only, refused, service,
    system, text, trace,
};

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
