//! Events of other gateways, and malformed ones, passed to a receiver directly.

use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_simulator::qsh_of;
use jiff::Timestamp;
use sam_template_runner::LogLine;
use sam_template_runner::lambda::Function;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::harness::app::{TestApp, functions};
use crate::harness::log::Logged;

/// The stage's receiver of `/issue-created`, without the HTTP API before it.
struct Receiver {
    function: Function,
    log: broadcast::Receiver<LogLine>,
}

impl Receiver {
    fn of(app: &TestApp) -> Self {
        let (lines, log) = broadcast::channel(1000);
        let definition = app.stack.deployment().functions["IssueCreatedReceiver"].clone();
        let program = functions().join(&definition.binary);
        let variables = app.stack.aws_environment();
        Self { function: Function::new(definition, program, variables, 1, lines), log }
    }

    /// The status of the answer; a failed invocation is a failed test.
    async fn invoke(&self, event: &Value) -> u64 {
        let answer = self.function.invoke(event.to_string().into()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}, for {event}"));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["statusCode"].as_u64().unwrap()
    }

    /// The next line of its log with this message.
    async fn logged(&mut self, what: Logged) -> Value {
        loop {
            let line: Value = serde_json::from_str(&self.log.recv().await.unwrap().text).unwrap();
            if what.is(&line) {
                return line;
            }
        }
    }
}

/// A signed webhook as `sam local start-api` hands it over, names of headers as they were sent.
fn event(app: &TestApp) -> Value {
    let base = "https://localhost";
    let qsh = qsh_of(&format!("{base}/issue-created"), base).unwrap();
    let claims = ClaimsToSign::new(app.jira.client_key.as_str(), &qsh, Timestamp::now());
    let token = jwt::sign(&claims, &app.jira.secret);
    json!({
        "version": "2.0",
        "routeKey": "POST /issue-created",
        "rawPath": "/issue-created",
        "rawQueryString": "",
        "cookies": [],
        "headers": {
            "Host": "localhost:3001",
            "Content-Type": "application/json",
            "Authorization": format!("JWT {token}"),
            "X-Atlassian-Webhook-Identifier": "from-sam",
        },
        "queryStringParameters": {},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "1234567890",
            "http": { "method": "POST", "path": "/issue-created", "protocol": "HTTP/1.1",
                      "sourceIp": "127.0.0.1", "userAgent": "Atlassian" },
            "requestId": "r",
            "stage": "$default",
            "domainName": "localhost",
            "domainPrefix": "localhost",
        },
        "body": json!({ "webhookEvent": "jira:issue_created" }).to_string(),
        "pathParameters": {},
        "stageVariables": null,
        "isBase64Encoded": false,
    })
}

/// The event with another value in one place.
fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_headers_in_any_case_and_null_as_absent() {
    let app = TestApp::without_handlers().await;
    let mut receiver = Receiver::of(&app);
    let event = event(&app);
    assert_eq!(receiver.invoke(&event).await, 204);
    assert_eq!(receiver.logged(Logged::DeliveryQueued).await["webhook.identifier"], "from-sam");

    let mut lower = event.clone();
    let headers = event["headers"].as_object().unwrap().iter();
    lower["headers"] =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    assert_eq!(receiver.invoke(&lower).await, 204);
    assert_eq!(receiver.logged(Logged::DeliveryQueued).await["webhook.identifier"], "from-sam");

    // What the sender sees where that much is missing.
    let rows = [
        ("/rawQueryString", 204),
        ("/cookies", 204),
        ("/queryStringParameters", 204),
        ("/pathParameters", 204),
        ("/isBase64Encoded", 204),
        ("/headers/Content-Type", 204),
        ("/headers/X-Atlassian-Webhook-Identifier", 204),
        ("/requestContext/stage", 204),
        ("/requestContext/domainName", 204),
        ("/headers/Authorization", 401),
        ("/headers", 401),
        ("/body", 400),
    ];
    for (pointer, status) in rows {
        let null = with(&event, pointer, Value::Null);
        let mut absent = event.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        absent.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        for event in [null, absent] {
            assert_eq!(receiver.invoke(&event).await, status, "{pointer}: {event}");
        }
    }
    receiver.function.stop().await;
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_an_event_that_it_cannot_read_and_says_so() {
    let app = TestApp::without_handlers().await;
    let mut receiver = Receiver::of(&app);
    let event = event(&app);
    let mut rows = vec![
        Value::Null,
        json!({}),
        json!([]),
        json!("s3cr3t"),
        // A REST API's, payload format 1.0.
        json!({ "version": "1.0", "path": "/issue-created", "httpMethod": "POST",
                "headers": event["headers"], "requestContext": { "stage": "prod" } }),
        json!({ "Records": [{ "messageId": "1", "body": "{}" }] }),
        json!({ "detail-type": "Scheduled Event", "source": "aws.events" }),
    ];
    for (pointer, value) in [
        ("/rawPath", Value::Null),
        ("/rawPath", json!(1)),
        ("/requestContext", Value::Null),
        ("/requestContext/http", Value::Null),
        ("/requestContext/http/method", Value::Null),
        ("/headers", json!(["s3cr3t"])),
        ("/headers/Authorization", json!({ "s3cr3t": 1 })),
        ("/rawQueryString", json!({ "s3cr3t": 1 })),
        ("/body", json!({ "s3cr3t": 1 })),
        ("/isBase64Encoded", json!("s3cr3t")),
    ] {
        rows.push(with(&event, pointer, value));
    }
    for event in rows {
        assert_eq!(receiver.invoke(&event).await, 400, "{event}");
        let refused = receiver.logged(Logged::RequestRejected).await;
        assert_eq!(refused["reason"], "not_an_event", "{event}");
        assert!(refused["detail"].as_str().unwrap().contains("payload format 2.0"), "{refused}");
        assert!(!refused.to_string().contains("s3cr3t"), "{refused}");
        assert_eq!(refused["Rejected"], 1, "{refused}");
    }
    // The environment still works.
    assert_eq!(receiver.invoke(&event).await, 204);
    receiver.function.stop().await;
    app.stack.stop().await;
}
