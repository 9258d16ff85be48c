//! A fault on the local stack, and the alarm of the template that it raises.
//!
//! Lines of log are counted by the template's own metric filters. The API's metrics are derived from
//! its answers, and those of SQS from the attributes of its queues. A local stack has no age of a
//! message, no report of a killed function and no throttle: those are in the template's own tests.

use std::collections::BTreeMap;

use atlassian_connect::event::Product;
use atlassian_connect::jwt::ClaimsToSign;
use atlassian_simulator::{Site, qsh_of};
use cargo_hooks::template;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::resources::Resources;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::harness::alarm::{Samples, is_on};
use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_raises_its_alarm() {
    let app = TestApp::new().await;
    let alarms = Alarms::new();
    for _ in 0..9 {
        assert_eq!(app.script(json!({"do": "fail"})).await.status, 204);
    }
    assert_eq!(app.script(json!({"do": "succeed"})).await.status, 204);
    app.logged(Logged::DeliveryFailed, 9).await;
    app.logged(Logged::DeliveryHandled, 1).await;
    assert_eq!(alarms.raised_by(&alarms.counted(&app)), [""; 0]);

    assert_eq!(app.script(json!({"do": "fail"})).await.status, 204);
    app.logged(Logged::DeliveryFailed, 10).await;
    assert_eq!(alarms.raised_by(&alarms.counted(&app)), ["HandlersFail"]);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_letter_raises_the_alarm_of_its_handler() {
    let app = TestApp::new().await;
    let alarms = Alarms::new();
    // One value for each ten minutes.
    let mut samples = Samples::default();
    let mut now = NOON;
    let mut raised = async |samples: &mut Samples| {
        now += 600;
        for handler in ["IssueCreated", "PageCreated", "Scripted"] {
            let queue = format!("{handler}DeadLetterQueue");
            let letters = f64::from(app.depth(&queue).await);
            let name = format!("${{{queue}.QueueName}}");
            samples.add("AWS/SQS", "ApproximateNumberOfMessagesVisible", &name, now, letters);
        }
        alarms.raised_at(samples, now)
    };
    assert_eq!(raised(&mut samples).await, [""; 0]);
    for letters in 1..=2 {
        // Not what its event carries: the handler gives it up.
        let odd = json!({"webhookEvent": "jira:issue_created", "issue": {"fields": letters}});
        assert_eq!(app.send("/issue-created", &odd, &app.jira).await.status, 204);
        app.logged(Logged::DeliveryDeadLettered, letters).await;
        assert_eq!(raised(&mut samples).await, ["IssueCreatedDeadLetters"]);
        // The alarm looks at twenty minutes, and the letter stays.
        raised(&mut samples).await;
        assert_eq!(raised(&mut samples).await, [""; 0], "a letter that was there before");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_queued_raises_an_alarm_and_an_outage_another() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::without_handlers_behind(&[("AWS_ENDPOINT_URL_SQS", proxy.url())]).await;
    proxy.forward_to(app.stack.sqs_endpoint());
    let jira = app.installed(Product::Jira).await;
    let alarms = Alarms::new();
    let send = async || {
        let body = json!({"webhookEvent": "jira:issue_created"});
        app.send("/issue-created", &body, &jira).await.status.as_u16()
    };
    let mut answers = vec![send().await];
    assert_eq!(alarms.raised_by(&alarms.counted(&app)), [""; 0]);

    proxy.inject(Fault::Refuse);
    answers.push(send().await);
    app.logged(Logged::Metric, 1).await;
    let mut samples = alarms.counted(&app);
    answered(&mut samples, &answers);
    assert_eq!(answers, [204, 503]);
    assert_eq!(alarms.raised_by(&samples), ["NotTaken"], "it is sent again");

    answers.extend([send().await, send().await]);
    answered(&mut samples, &answers[2..]);
    assert_eq!(alarms.raised_by(&samples), ["NotAccepted", "NotTaken"]);
    proxy.inject(Fault::None);
    app.stack.stop().await;
}

/// As if the tenants table had been lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_made_of_refusals_raises_an_alarm() {
    let app = TestApp::without_handlers().await;
    let alarms = Alarms::new();
    let stranger = Site::new(Product::Jira, "stranger");
    let body = json!({"webhookEvent": "jira:issue_created"});
    let mut answers = Vec::new();
    for number in 1..=10 {
        assert_eq!(alarms.raised_by(&of(&answers)), [""; 0], "{number}");
        answers.push(app.send("/issue-created", &body, &stranger).await.status.as_u16());
    }
    assert_eq!(answers, [401; 10]);
    assert_eq!(alarms.raised_by(&of(&answers)), ["NotAccepted"]);
    // They are a tenth of what all send.
    for _ in 0..90 {
        answers.push(app.send("/issue-created", &body, &app.jira).await.status.as_u16());
    }
    assert_eq!(alarms.raised_by(&of(&answers)), [""; 0]);
    // Nor has anything been lost.
    assert_eq!(alarms.raised_by(&alarms.counted(&app)), [""; 0]);

    // An install that Atlassian signed, and that the app refuses.
    let base = app.stack.url();
    let target = format!("{base}/installed");
    let qsh = qsh_of(&target, base).unwrap();
    let statement = ClaimsToSign {
        audience: Some(base),
        ..ClaimsToSign::new(app.jira.client_key.as_str(), &qsh, Timestamp::now())
    };
    let token = app.atlassian.sign_install(&statement).unwrap();
    let refused = app.atlassian.post(&target, Some(&token), "{}".to_owned(), None).await.unwrap();
    assert_eq!(refused.status, 400);
    // Those of the strangers, the refusal and its count as an install.
    app.logged(Logged::RequestRejected, 11).await;
    app.logged(Logged::InstallRejected, 1).await;
    assert_eq!(alarms.raised_by(&alarms.counted(&app)), ["NotTaken"]);
    app.stack.stop().await;
}

/// A query over a field that no line has finds nothing, and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn saved_queries_ask_for_fields_that_lines_have() {
    let app = TestApp::new().await;
    assert_eq!(app.script(json!({"do": "fail"})).await.status, 204);
    assert_eq!(app.script(json!({"do": "succeed"})).await.status, 204);
    let stranger = Site::new(Product::Jira, "stranger");
    assert_eq!(app.send("/issue-created", "{}", &stranger).await.status, 401);
    app.logged(Logged::DeliveryFailed, 1).await;
    app.logged(Logged::DeliveryHandled, 1).await;
    app.logged(Logged::ScriptDone, 1).await;
    app.logged(Logged::RequestRejected, 1).await;
    let alarms = Alarms::new();
    let mut fields = Vec::new();
    for line in lines(&app) {
        for (name, value) in line.as_object().unwrap() {
            fields.push(name.clone());
            let inner = value.as_object().into_iter().flatten();
            fields.extend(inner.map(|(inner, _)| format!("{name}.{inner}")));
        }
    }
    let queries: Vec<_> = alarms.of_kind("AWS::Logs::QueryDefinition").collect();
    assert_eq!(queries.len(), 6);
    let api = alarms.of_kind("AWS::Serverless::HttpApi").next().unwrap().1;
    let format = api["AccessLogSettings"]["Format"].as_str().unwrap();
    let format: Value = serde_json::from_str(format).unwrap();
    fields.extend(format.as_object().unwrap().keys().cloned());
    for (id, query) in queries {
        let text = query["QueryString"].as_str().unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let by_name =
            ["reason", "path", "detail", "error", "metric", "routeKey", "responseLatency"];
        let by_name = by_name.into_iter().filter(|name| text.contains(name));
        for field in quoted.chain(by_name) {
            assert!(fields.iter().any(|known| known == field), "{id}: {field} of {fields:?}");
        }
    }
    app.stack.stop().await;
}

/// A Tuesday at noon, in UTC.
const NOON: i64 = 1_795_521_600;

/// What the functions have logged so far.
fn lines(app: &TestApp) -> Vec<Value> {
    app.printed().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of(answers: &[u16]) -> Samples {
    let mut samples = Samples::default();
    answered(&mut samples, answers);
    samples
}

/// Adds what API Gateway counts of answers.
fn answered(samples: &mut Samples, answers: &[u16]) {
    for status in answers {
        let is = |class| f64::from(u8::from(status / 100 == class));
        for (name, value) in [("Count", 1.0), ("4xx", is(4)), ("5xx", is(5))] {
            samples.add("AWS/ApiGateway", name, "${Api}", NOON, value);
        }
    }
}

/// The alarms of the app's template.
pub(crate) struct Alarms(Resources);

impl Alarms {
    pub(crate) fn new() -> Self {
        let text = template::render(&*DESCRIPTOR, &Configuration::default()).unwrap();
        let document = sam_template::parse(&text).unwrap();
        Self(Resources::of(&document, &BTreeMap::new()).unwrap())
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        let others = self.0.others.iter().filter(move |other| other.kind == kind);
        others.map(|other| (other.id.as_str(), &other.properties))
    }

    /// What the metric filters make of all lines so far.
    pub(crate) fn counted(&self, app: &TestApp) -> Samples {
        let mut samples = Samples::default();
        for line in lines(app) {
            let filters = self.of_kind("AWS::Logs::MetricFilter").map(|(_, filter)| filter);
            samples.count(filters, "${Logs}", &line, NOON);
        }
        samples
    }

    pub(crate) fn raised_by(&self, samples: &Samples) -> Vec<&str> {
        self.raised_at(samples, NOON)
    }

    fn raised_at(&self, samples: &Samples, now: i64) -> Vec<&str> {
        let alarms = self.of_kind("AWS::CloudWatch::Alarm");
        alarms.filter(|(_, alarm)| is_on(alarm, samples, now)).map(|(id, _)| id).collect()
    }
}
