//! Checks the alarms: that each handler and each kind of failure has one, and that each tells somebody
//! what to do.

use contract::metric;
use sam_template::resource_type::{ALARM, FUNCTION, LOG_GROUP, METRIC_FILTER, QUEUE, TOPIC};
use serde_json::Value;

use super::Document;
use super::document::{Job, Resource, as_text, pointed};
use crate::check::Finding;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for alarm in template.of_kind(ALARM) {
        check_message(template, alarm, findings);
        check_expressions(template, alarm, findings);
    }
    for handler in template.of_kind(FUNCTION) {
        for event in handler.events().filter(|event| event.kind == "SQS") {
            if let Some(queue) = template.target(event.properties.get("Queue"), QUEUE) {
                check_handler(template, queue, findings);
            }
        }
        check_rollback(template, handler, findings);
    }
    for (namespace, name, what) in WATCHED {
        let reads = |alarm: &Resource<'_>| {
            watched(*alarm).any(|one| one.is(namespace, name) && one.is_of_the_stack(template))
        };
        if !template.of_kind(ALARM).any(|alarm| reads(&alarm)) {
            let advice = format!("no alarm reads {name} of {namespace}, so {what} tell nobody");
            findings.push(template.finding(ALL, advice));
        }
    }
    check_filters(template, findings);
    for topic in template.of_kind(TOPIC) {
        check_topic(template, topic, findings);
    }
}

/// What findings about an alarm that is missing name.
const ALL: &str = "the alarms";

/// The parameter with a topic of whoever deploys.
const TOPIC_PARAMETER: &str = "AlarmTopicArn";

/// The metrics of services that some alarm has to read: namespace, name, and what would tell nobody.
const WATCHED: [(&str, &str, &str); 4] = [
    ("AWS/ApiGateway", "5xx", "requests that fail"),
    ("AWS/ApiGateway", "4xx", "requests that are refused"),
    ("AWS/ApiGateway", "Count", "shares of requests"),
    ("AWS/Lambda", "Throttles", "throttled functions"),
];

/// What some metric filter has to count: a quoted word of its pattern, and what the line says.
const COUNTED: [(&str, &str); 7] = [
    (metric::ENQUEUE_FAILED, "a verified event was not queued"),
    (metric::INSTALL_REJECTED, "an install was refused"),
    ("429", "a request was throttled"),
    ("413", "a body was too large"),
    (metric::FAILED, "an attempt failed"),
    (metric::LATE, "an event was not attempted"),
    ("platform.report", "a function was killed"),
];

/// How soon failures of a handler must raise the alarm, in seconds.
const FAILS_WITHIN: u64 = 300;

/// How often the alarm on dead letters reminds, in seconds.
const REMINDER: u64 = 7 * 86_400;

/// The maximum length of a description ("PutMetricAlarm" in the CloudWatch API Reference).
const MAX_DESCRIPTION: usize = 1024;

/// A metric that an alarm reads.
struct Watched<'t> {
    namespace: String,
    name: &'t str,
    /// The value of its only dimension.
    dimension: Option<&'t Value>,
}

impl Watched<'_> {
    fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// Whether its dimension, if it has one, is a resource of the template.
    fn is_of_the_stack(&self, template: &Document<'_>) -> bool {
        let is_known = |value| pointed(value).is_some_and(|name| template.is_generated(name));
        self.dimension.is_none_or(is_known)
    }
}

/// The metrics that an alarm reads: that of its name, or those of its expression.
fn watched(alarm: Resource<'_>) -> impl Iterator<Item = Watched<'_>> {
    let of_expression = entries(alarm).filter_map(|entry| entry.pointer("/MetricStat/Metric"));
    let own =
        alarm.body.get("Properties").filter(|properties| properties["MetricName"].is_string());
    own.into_iter().chain(of_expression).map(|metric| Watched {
        namespace: metric.get("Namespace").and_then(as_text).unwrap_or_default(),
        name: metric["MetricName"].as_str().unwrap_or_default(),
        dimension: metric.pointer("/Dimensions/0/Value"),
    })
}

fn entries(alarm: Resource<'_>) -> impl Iterator<Item = &Value> {
    alarm.property("Metrics").and_then(Value::as_array).into_iter().flatten()
}

/// The expressions of an alarm, as one text.
fn expressions(alarm: Resource<'_>) -> String {
    let texts = entries(alarm).filter_map(|entry| entry["Expression"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// Checks that an alarm reaches every topic, and says what to type.
fn check_message(template: &Document<'_>, alarm: Resource<'_>, findings: &mut Vec<Finding>) {
    let mut find = |advice: String| findings.push(template.finding(alarm.id, advice));
    let mut named = Vec::new();
    collect_references(alarm.property("AlarmActions").unwrap_or(&Value::Null), &mut named);
    let topics = template.of_kind(TOPIC).map(|topic| topic.id);
    for topic in topics.chain([TOPIC_PARAMETER]) {
        if !named.contains(&topic) {
            find(format!("AlarmActions does not name {topic}, so the alarm tells nobody; add it"));
        }
    }
    let description = alarm.property("AlarmDescription").and_then(as_text).unwrap_or_default();
    if !["cargo hooks ", "aws "].iter().any(|command| description.contains(command)) {
        find("AlarmDescription must say what to type first, such as `cargo hooks logs`".to_owned());
    }
    if description.len() > MAX_DESCRIPTION {
        find(format!("AlarmDescription is longer than {MAX_DESCRIPTION} characters; shorten it"));
    }
    if alarm.property("TreatMissingData") != Some(&Value::from("notBreaching")) {
        find(
            "TreatMissingData must be notBreaching: what counts failures has no value without any"
                .to_owned(),
        );
    }
}

/// Checks that an expression names only metrics of its alarm, and that one of them is the alarm's.
fn check_expressions(template: &Document<'_>, alarm: Resource<'_>, findings: &mut Vec<Finding>) {
    let mut find = |advice: String| findings.push(template.finding(alarm.id, advice));
    let ids: Vec<&str> = entries(alarm).filter_map(|entry| entry["Id"].as_str()).collect();
    let text = expressions(alarm);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    // The names of functions and operators begin with a capital letter, and those of metrics must not.
    for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
        if !ids.contains(&word) {
            find(format!("an expression names {word}, which is no Id in Metrics; correct it"));
        }
    }
    let returned = entries(alarm).filter(|entry| entry.get("ReturnData") != Some(&false.into()));
    if !ids.is_empty() && returned.count() != 1 {
        find(
            "exactly one entry of Metrics must return data; set ReturnData of the others"
                .to_owned(),
        );
    }
}

/// Checks the alarms of a handler's queue and dead-letter queue.
fn check_handler(template: &Document<'_>, queue: Resource<'_>, findings: &mut Vec<Finding>) {
    let alarm_on = |queue: Resource<'_>, name: &str| {
        let reads = |one: Watched<'_>| {
            one.is("AWS/SQS", name) && one.dimension.and_then(pointed) == Some(queue.id)
        };
        template.of_kind(ALARM).find(|alarm| watched(*alarm).any(reads))
    };
    if alarm_on(queue, "ApproximateAgeOfOldestMessage").is_none() {
        let advice = "no alarm reads its ApproximateAgeOfOldestMessage, so events that wait tell \
                      nobody; add one";
        findings.push(template.finding(queue.id, advice));
    }
    let Some(dead) = template.target(queue.property("RedrivePolicy.deadLetterTargetArn"), QUEUE)
    else {
        // That is a finding of its own.
        return;
    };
    let Some(letters) = alarm_on(dead, "ApproximateNumberOfMessagesVisible") else {
        let advice = "no alarm reads its ApproximateNumberOfMessagesVisible, so dead letters tell \
                      nobody; add one";
        return findings.push(template.finding(dead.id, advice));
    };
    let text = expressions(letters);
    if !text.contains("DIFF(") {
        let advice = "it stays on while a letter is there, so a further one tells nobody; compare \
                      the number with the one before, by DIFF";
        findings.push(template.finding(letters.id, advice));
    }
    if !text.contains("DAY(") {
        let advice = "letters that nobody looks at expire without a further word; alarm once a week \
                      while some are there, by DAY";
        findings.push(template.finding(letters.id, advice));
    }
    let kept = |queue: Resource<'_>| template.number(queue.property("MessageRetentionPeriod"));
    if let (Some(dead_kept), Some(source_kept)) = (kept(dead), kept(queue))
        && dead_kept <= source_kept + REMINDER
    {
        let advice = format!(
            "a letter that SQS moved may be deleted {} s after it arrived, and the alarm reminds \
             every {REMINDER} s; raise MessageRetentionPeriod",
            dead_kept.saturating_sub(source_kept),
        );
        findings.push(template.finding(dead.id, advice));
    }
}

/// Checks that a new version is rolled back by the alarms that it can raise.
fn check_rollback(template: &Document<'_>, function: Resource<'_>, findings: &mut Vec<Finding>) {
    let Some(alarms) = function.property("DeploymentPreference.Alarms").and_then(Value::as_array)
    else {
        return;
    };
    let mut find = |advice: String| findings.push(template.finding(function.id, advice));
    for name in alarms.iter().filter(|alarm| pointed(alarm).is_none()).filter_map(as_text) {
        let has_name = |alarm: &Resource<'_>| {
            alarm.property("AlarmName").and_then(as_text).as_ref() == Some(&name)
        };
        if !template.of_kind(ALARM).any(|alarm| has_name(&alarm)) {
            find(format!("DeploymentPreference names the alarm {name}, which is not there"));
        }
    }
    let counts = |filter: Resource<'_>| {
        counted(filter).is_some_and(|(_, name)| {
            pattern(filter).contains(&quoted(metric::FAILED))
                && template.of_kind(ALARM).any(|alarm| {
                    alarms.iter().any(|one| pointed(one) == Some(alarm.id))
                        && watched(alarm).any(|one| one.name == name)
                })
        })
    };
    let is_handler = matches!(function.job(), Some(Job::Handler(_)));
    if is_handler && !template.of_kind(METRIC_FILTER).any(counts) {
        find(
            "DeploymentPreference has no alarm on failed attempts, so a version whose every attempt \
             fails would stay; add it to Alarms"
                .to_owned(),
        );
    }
}

/// Checks that metric filters count what nothing else does, and that alarms read what they count.
fn check_filters(template: &Document<'_>, findings: &mut Vec<Finding>) {
    for (word, what) in COUNTED {
        let word = quoted(word);
        if !template.of_kind(METRIC_FILTER).any(|filter| pattern(filter).contains(&word)) {
            let advice = format!("no metric filter counts {word}, so that {what} tells nobody");
            findings.push(template.finding(ALL, advice));
        }
    }
    for filter in template.of_kind(METRIC_FILTER) {
        let mut find = |advice: String| findings.push(template.finding(filter.id, advice));
        if template.target(filter.property("LogGroupName"), LOG_GROUP).is_none() {
            find("LogGroupName is not a log group of this template; correct it".to_owned());
        }
        let Some((namespace, name)) = counted(filter) else {
            find("it counts nothing; set MetricTransformations".to_owned());
            continue;
        };
        let reads = |alarm: &Resource<'_>| {
            watched(*alarm).any(|one| one.is(&namespace, name) && one.dimension.is_none())
        };
        let alarm = template.of_kind(ALARM).find(reads);
        if alarm.is_none() {
            find(format!("no alarm reads {name} of {namespace}, which it counts; correct either"));
        }
        let Some(alarm) = alarm.filter(|_| pattern(filter).contains(&quoted(metric::FAILED)))
        else {
            continue;
        };
        let number = |name| template.number(alarm.property(name));
        let periods = number("DatapointsToAlarm").or_else(|| number("EvaluationPeriods"));
        let takes = number("Period").unwrap_or_default() * periods.unwrap_or_default();
        if takes > FAILS_WITHIN {
            let advice = format!(
                "it takes {takes} s until a handler that fails tells somebody, and should take \
                 {FAILS_WITHIN} s; lower Period or EvaluationPeriods"
            );
            findings.push(template.finding(alarm.id, advice));
        }
    }
}

/// Checks that CloudWatch may send to a topic, and that somebody gets it.
fn check_topic(template: &Document<'_>, topic: Resource<'_>, findings: &mut Vec<Finding>) {
    let mut find = |advice: &str| findings.push(template.finding(topic.id, advice));
    let of_topic = |kind, path: &str| {
        template.of_kind(kind).filter_map(|one| one.property(path)).any(|value| {
            let mut named = Vec::new();
            collect_references(value, &mut named);
            named.contains(&topic.id)
        })
    };
    if !of_topic("AWS::SNS::Subscription", "TopicArn") {
        find("nobody subscribes to it; add an AWS::SNS::Subscription");
    }
    let policies = template.of_kind("AWS::SNS::TopicPolicy");
    let documents = policies.filter_map(|policy| policy.property("PolicyDocument"));
    let is_allowed = documents
        .filter_map(|document| document["Statement"].as_array())
        .flatten()
        .any(|statement| {
            statement["Principal"]["Service"] == "cloudwatch.amazonaws.com"
                && statement["Action"] == "sns:Publish"
                && pointed(&statement["Resource"]) == Some(topic.id)
        });
    if !is_allowed {
        find("CloudWatch may not send to it; allow it sns:Publish in an AWS::SNS::TopicPolicy");
    }
    let key = topic.property("KmsMasterKeyId").and_then(as_text);
    if key.is_some_and(|key| key.ends_with("alias/aws/sns")) {
        find(
            "CloudWatch may not use the key alias/aws/sns; remove KmsMasterKeyId, or use a key of yours",
        );
    }
}

fn pattern(filter: Resource<'_>) -> &str {
    filter.property("FilterPattern").and_then(Value::as_str).unwrap_or_default()
}

/// The namespace and name of the metric of a filter.
fn counted(filter: Resource<'_>) -> Option<(String, &str)> {
    let counts = filter.property("MetricTransformations")?.get(0)?;
    Some((as_text(counts.get("MetricNamespace")?)?, counts["MetricName"].as_str()?))
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

/// The names that `Ref` and `Fn::GetAtt` refer to anywhere in a value.
fn collect_references<'v>(value: &'v Value, names: &mut Vec<&'v str>) {
    if let Some(name) = pointed(value) {
        return names.push(name);
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, names)),
        Value::Object(entries) => {
            entries.values().for_each(|entry| collect_references(entry, names));
        }
        _ => {}
    }
}
