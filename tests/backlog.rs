//! Handlers that take their time, with more waiting than they can handle at once.
//!
//! The template's own batch size, attempts and receives; only the seconds are fewer, in the same
//! proportion, so that a test can wait for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::alarms::Alarms;
use crate::harness::app::{TestApp, with_variables};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;
use crate::retries::{delivery_of, reason};

/// The timeout of a handler here, in seconds. One of them is the runner's own.
const TIMEOUT: u64 = 5;

const BACKLOG: usize = 200;

fn is_poisoned(number: usize) -> bool {
    number % 10 == 3
}

/// Works through a backlog, one in ten of which always fails, with a handler that takes so much of
/// its time for each.
async fn gives_up_no_healthy_event(percent: u64, mode: &str) {
    let app = TestApp::with_concurrency(20, |template| {
        let template = with_variables(template, &[("HANDLER_MODE", mode)]);
        template
            .tamper("RETRY_DELAY: !Ref RetryDelay", "RETRY_DELAY: '0'")
            .tamper("VisibilityTimeout: 180", &format!("VisibilityTimeout: {}", 6 * TIMEOUT))
            .tamper("Timeout: 30", &format!("Timeout: {TIMEOUT}"))
    })
    .await;
    let takes = (TIMEOUT - 1) * 1000 * percent / 100;
    let numbers: Vec<usize> = (0..BACKLOG).collect();
    for numbers in numbers.chunks(10) {
        let mut request = app.sqs().send_message_batch().queue_url(app.queue("ScriptedQueue"));
        for number in numbers {
            let order = if is_poisoned(*number) { "fail" } else { "succeed" };
            let order = json!({ "do": order, "takes": takes, "number": number });
            let entry = SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_group_id(format!("tenant-{}", number % 5))
                .message_body(delivery_of(&app, order));
            request = request.entries(entry.build().unwrap());
        }
        assert!(request.send().await.unwrap().failed.is_empty());
    }
    app.drained_within("ScriptedQueue", Duration::from_secs(400)).await;

    let mut dead = BTreeSet::new();
    for message in app.all("ScriptedDeadLetterQueue").await {
        assert_eq!(reason(&message), Some("as scripted"), "{percent} % {mode}: {message:?}");
        let attempts = message.message_attributes.as_ref().unwrap()["receives"].string_value();
        assert_eq!(attempts, Some("5"), "{percent} % {mode}");
        dead.insert(number(&body(&message)));
    }
    let expected = |poisoned: bool| -> BTreeSet<usize> {
        (0..BACKLOG).filter(|number| is_poisoned(*number) == poisoned).collect()
    };
    assert_eq!(dead, expected(true), "{percent} % {mode}");
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for line in app.logged(Logged::ScriptDone, 1).await {
        let payload: Value = serde_json::from_str(line["payload"].as_str().unwrap()).unwrap();
        *times.entry(number(&payload)).or_default() += 1;
    }
    assert_eq!(times, expected(false).into_iter().map(|number| (number, 1)).collect());
    app.stack.stop().await;
}

fn number(payload: &Value) -> usize {
    usize::try_from(payload["number"].as_u64().unwrap()).unwrap()
}

fn body(message: &aws_sdk_sqs::types::Message) -> Value {
    let delivery =
        atlassian_connect::delivery::Delivery::from_message(message.body().unwrap()).unwrap();
    delivery.payload.read().unwrap()
}

/// One test for each row, so that as many run at once as the machine has cores.
macro_rules! gives_up_no_healthy_event {
    ($($name:ident: $percent:literal, $mode:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                gives_up_no_healthy_event($percent, $mode).await;
            }
        )*
    };
}

gives_up_no_healthy_event! {
    that_takes_a_tenth_of_its_time: 10, "";
    that_takes_two_fifths_of_its_time: 40, "";
    that_takes_nine_tenths_of_its_time: 90, "";
    that_takes_two_fifths_in_order_and_claims_once: 40, "claim_once in_order";
    that_takes_two_fifths_every_time: 40, "every_time";
    that_takes_nine_tenths_every_time_and_three_at_once: 90, "every_time 3";
}

/// A delivery that waits for too long is counted, and then dead-lettered without being handled.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_delivery_is_counted_as_late_and_then_dead_lettered() {
    let app = TestApp::with(|template| template.tamper("Timeout: 30", "Timeout: 5")).await;
    let ago = |minutes: i64| jiff::Timestamp::now() - SignedDuration::from_mins(minutes);
    // One batch: the first takes all of its time.
    let rows = [(5 * 24 * 60, 3600), (4 * 24 * 60, 0), (20, 0), (0, 0)];
    let mut request = app.sqs().send_message_batch().queue_url(app.queue("ScriptedQueue"));
    for (number, (minutes, takes)) in rows.into_iter().enumerate() {
        let order = json!({ "do": "succeed", "takes": takes, "number": number });
        let sent = ago(minutes).as_millisecond().to_string();
        let sent = MessageAttributeValue::builder().data_type("Number").string_value(sent);
        let entry = SendMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .message_attributes("sent", sent.build().unwrap())
            .message_body(delivery_of(&app, order));
        request = request.entries(entry.build().unwrap());
    }
    assert!(request.send().await.unwrap().failed.is_empty());
    let dead = app.receive("ScriptedDeadLetterQueue").await;
    assert!(reason(&dead).unwrap().contains("not handled within three days"), "{dead:?}");
    assert_eq!(number(&body(&dead)), 1);
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptDone, 3).await.len(), 3);
    let late = app.logged(Logged::Metric, 1).await.into_iter().filter(|line| line["Late"] == 1);
    assert_eq!(late.count(), 1, "the one that has waited for twenty minutes");
    let alarms = Alarms::new();
    assert_eq!(alarms.raised_by(&alarms.counted(&app)), ["HandlersFail"]);
    app.stack.stop().await;
}
