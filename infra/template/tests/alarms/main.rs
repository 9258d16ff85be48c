//! The alarms' own arithmetic, over series that were made by hand.
//!
//! Those of which a local stack has the metric are tried on one as well, in the end-to-end tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod evaluation;

use std::collections::BTreeMap;

use atlassian_connect::descriptor::Descriptor;
use atlassian_hooks_template::configuration::Configuration;
use atlassian_hooks_template::render;
use atlassian_hooks_template::resources::Resources;
use evaluation::{Samples, is_on};
use serde_json::{Map, Value, json};

/// A Tuesday at noon, in UTC.
const NOON: i64 = 1_795_521_600;

/// In seconds.
const MINUTE: i64 = 60;

#[test]
fn requests_that_are_not_accepted_alarm_by_their_share() {
    // Requests, 5xx, 4xx, and whether it alarms.
    let rows = [
        (1000, 0, 0, false),
        (1000, 10, 0, false),
        (1000, 11, 0, true),
        // A single failure among few requests is retried.
        (50, 2, 0, false),
        (3, 3, 0, true),
        (1000, 0, 100, false),
        (1000, 0, 101, true),
        // A scanner that tries a few paths.
        (9, 0, 9, false),
        (10, 0, 10, true),
        (1000, 200, 800, true),
        (0, 0, 0, false),
    ];
    let alarms = Alarms::new("");
    for (requests, failed, refused, expected) in rows {
        let mut samples = Samples::default();
        for number in 0..requests {
            let api = |samples: &mut Samples, name, value: bool| {
                samples.add("AWS/ApiGateway", name, "${Api}", NOON, f64::from(u8::from(value)));
            };
            api(&mut samples, "Count", true);
            api(&mut samples, "5xx", number < failed);
            api(&mut samples, "4xx", number >= failed && number < failed + refused);
        }
        let on = alarms.is_on("NotAccepted", &samples, NOON);
        assert_eq!(on, expected, "{requests} requests, {failed} failed, {refused} refused");
        assert!(!alarms.is_on("NotAccepted", &samples, NOON + 10 * MINUTE), "it is over");
    }
}

/// Which lines count, and for which alarm one is enough.
#[test]
fn lines_alarm_by_what_they_say() {
    let metric = |name: &str| json!({"message": "whatever", "metric": name, name: 1});
    let report = |status: &str| json!({"type": "platform.report", "record": {"status": status}});
    let answer = |status: &str, route: &str| json!({"status": status, "routeKey": route});
    let rows = [
        ("${Logs}", metric("EnqueueFailed"), "NotTaken", 1),
        ("${Logs}", metric("InstallRejected"), "NotTaken", 1),
        ("${AccessLogs}", answer("429", "POST /issue-created"), "NotTaken", 1),
        ("${AccessLogs}", answer("413", "POST /issue-created"), "NotTaken", 1),
        ("${Logs}", metric("Failed"), "HandlersFail", 10),
        ("${Logs}", metric("Late"), "HandlersFail", 1),
        ("${Logs}", report("timeout"), "HandlersFail", 1),
        ("${Logs}", report("error"), "HandlersFail", 1),
    ];
    let alarms = Alarms::new("");
    for (group, line, alarm, needed) in rows {
        let mut samples = Samples::default();
        for number in 1..=needed {
            alarms.count(&mut samples, group, &line, NOON);
            let on = alarms.is_on(alarm, &samples, NOON);
            assert_eq!(on, number == needed, "{alarm}: {line}, {number} times");
        }
        // Within five minutes, and then no longer.
        assert!(!alarms.is_on(alarm, &samples, NOON + 5 * MINUTE), "{alarm}: {line}");
        let other = if alarm == "NotTaken" { "HandlersFail" } else { "NotTaken" };
        assert!(!alarms.is_on(other, &samples, NOON), "{other}: {line}");
    }
    let usual = [
        ("${Logs}", json!({"message": "delivery handled"})),
        ("${Logs}", metric("Duplicates")),
        ("${Logs}", metric("Rejected")),
        ("${Logs}", report("success")),
        // A function that prints what the access log would.
        ("${Logs}", answer("429", "POST /issue-created")),
        ("${AccessLogs}", answer("204", "POST /issue-created")),
        ("${AccessLogs}", answer("401", "POST /issue-created")),
        // Of a server that the app ran on before.
        ("${AccessLogs}", answer("429", "$default")),
    ];
    let mut samples = Samples::default();
    for (group, line) in &usual {
        (0..100).for_each(|_| alarms.count(&mut samples, group, line, NOON));
    }
    for alarm in ["NotTaken", "HandlersFail"] {
        assert!(!alarms.is_on(alarm, &samples, NOON), "{alarm}: {samples:?}");
    }
}

/// A local stack throttles nobody.
#[test]
fn throttles_alarm_by_their_number() {
    let alarms = Alarms::new("");
    for (number, expected) in [(0, false), (9, false), (10, true)] {
        let mut samples = Samples::default();
        (0..number).for_each(|_| samples.add("AWS/Lambda", "Throttles", "", NOON, 1.0));
        assert_eq!(alarms.is_on("Throttled", &samples, NOON), expected, "{number}");
    }
}

/// A local stack does not say how long a message has waited.
#[test]
fn a_backlog_alarms_by_its_age() {
    let thresholds = "handlers: { page-created: { alarms: { backlog: 60 } } }";
    let alarms = Alarms::new(thresholds);
    let rows = [
        ("IssueCreated", 900.0, false),
        ("IssueCreated", 901.0, true),
        ("PageCreated", 61.0, true),
    ];
    for (handler, age, expected) in rows {
        let mut samples = Samples::default();
        let queue = format!("${{{handler}Queue.QueueName}}");
        samples.add("AWS/SQS", "ApproximateAgeOfOldestMessage", &queue, NOON, age);
        assert_eq!(alarms.is_on(&format!("{handler}Backlog"), &samples, NOON), expected, "{age}");
    }
    assert!(!alarms.is_on("IssueCreatedBacklog", &Samples::default(), NOON));
}

/// One row a ten minutes: the letters that are visible, if SQS says so, and whether it alarms. An alarm
/// stays on for two rows.
#[test]
fn dead_letters_alarm_when_they_arrive() {
    let run = |configuration: &str, start: i64, rows: &[(Option<u32>, bool)]| {
        let alarms = Alarms::new(configuration);
        let mut samples = Samples::default();
        for (number, (letters, expected)) in rows.iter().enumerate() {
            let at = start + number as i64 * 10 * MINUTE;
            if let Some(letters) = letters {
                let queue = "${IssueCreatedDeadLetterQueue.QueueName}";
                let name = "ApproximateNumberOfMessagesVisible";
                samples.add("AWS/SQS", name, queue, at, f64::from(*letters));
                // Hidden for five minutes by a command that looks at them.
                samples.add("AWS/SQS", name, queue, at + 5 * MINUTE, 0.0);
            }
            let on = alarms.is_on("IssueCreatedDeadLetters", &samples, at);
            assert_eq!(on, *expected, "{configuration} row {number} of {rows:?}");
            assert!(!alarms.is_on("PageCreatedDeadLetters", &samples, at), "another handler");
        }
    };
    // From nothing, as SQS has no values of an idle queue; and a second incident behind an old letter.
    let arrivals = [
        (None, false),
        (None, false),
        (Some(1), true),
        (Some(1), true),
        (Some(1), false),
        (Some(1), false),
        (Some(4), true),
        (Some(4), true),
        (Some(4), false),
        // Replayed.
        (Some(0), false),
        (Some(0), false),
    ];
    run("", NOON, &arrivals);
    let third = "handlers: { issue-created: { alarms: { deadLetters: 3 } } }";
    let rows =
        [(Some(1), false), (Some(2), false), (Some(3), true), (Some(3), true), (Some(3), false)];
    run(third, NOON, &[&[(None, false)][..], &rows].concat());
    // The next Monday at eight, and not if nothing is left.
    let monday = NOON + 6 * 24 * 60 * MINUTE - 4 * 60 * MINUTE;
    let reminded = [(Some(2), false), (Some(2), true), (Some(2), true), (Some(2), false)];
    let rows = [&[(Some(2), true), (Some(2), true)][..], &reminded].concat();
    run("", monday - 30 * MINUTE, &rows);
    let gone = [(Some(0), false), (Some(0), false), (Some(0), false), (Some(0), false)];
    run("", monday - 20 * MINUTE, &gone);
    let tuesday = monday + 24 * 60 * MINUTE;
    run("", tuesday - 20 * MINUTE, &[(Some(0), false), (Some(0), false), (Some(0), false)]);
}

/// Every alarm of the template has a row above.
#[test]
fn no_alarm_is_left_out() {
    let alarms = Alarms::new("");
    let ids: Vec<&str> = alarms.of_kind("AWS::CloudWatch::Alarm").map(|(id, _)| id).collect();
    let known = [
        "HandlersFail",
        "IssueCreatedBacklog",
        "IssueCreatedDeadLetters",
        "NotAccepted",
        "NotTaken",
        "PageCreatedBacklog",
        "PageCreatedDeadLetters",
        "Throttled",
    ];
    assert_eq!(ids, known);
}

/// An address gets every alarm, by a topic of the stack or by one's own.
#[test]
fn alarms_go_to_whoever_is_named() {
    let (email, own) = ("a@example.com", "arn:aws:sns:us-east-1:123456789012:pages");
    for (values, expected) in [
        (vec![], json!([])),
        (vec![("AlarmEmail", email)], json!(["${AlarmTopic}"])),
        (vec![("AlarmTopicArn", own)], json!([own])),
        (vec![("AlarmEmail", email), ("AlarmTopicArn", own)], json!(["${AlarmTopic}", own])),
    ] {
        let alarms = Alarms::with("", &values);
        for (id, alarm) in alarms.of_kind("AWS::CloudWatch::Alarm") {
            assert_eq!(alarm["AlarmActions"], expected, "{id}");
        }
        let has_topic = values.iter().any(|(name, _)| *name == "AlarmEmail");
        for kind in ["AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SNS::Subscription"] {
            assert_eq!(alarms.of_kind(kind).count(), usize::from(has_topic), "{kind}");
        }
    }
}

/// The alarms and metric filters of a template.
struct Alarms(Resources);

impl Alarms {
    fn new(configuration: &str) -> Self {
        Self::with(configuration, &[])
    }

    fn with(configuration: &str, values: &[(&str, &str)]) -> Self {
        let document = json!({
            "key": "com.example.hooks",
            "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
            "modules": {"webhooks": [
                {"event": "jira:issue_created", "url": "/issue-created"},
                {"event": "page_created", "url": "/page-created"},
            ]},
        });
        let descriptor = Descriptor::parse(&document.to_string()).unwrap();
        let configuration = Configuration::parse(configuration).unwrap();
        let text = render(&descriptor, &configuration).unwrap();
        let values = values.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let values: BTreeMap<String, String> = values.collect();
        Self(Resources::of(&sam_template::parse(&text).unwrap(), &values).unwrap())
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        let others = self.0.others.iter().filter(move |other| other.kind == kind);
        others.map(|other| (other.id.as_str(), &other.properties))
    }

    fn is_on(&self, id: &str, samples: &Samples, now: i64) -> bool {
        let (_, alarm) =
            self.of_kind("AWS::CloudWatch::Alarm").find(|(other, _)| *other == id).unwrap();
        is_on(alarm, samples, now)
    }

    fn count(&self, samples: &mut Samples, group: &str, line: &Value, at: i64) {
        let filters = self.of_kind("AWS::Logs::MetricFilter").map(|(_, filter)| filter);
        samples.count(filters, group, line, at);
    }
}
