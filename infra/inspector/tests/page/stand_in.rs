//! A stand-in for the local stack: its requests and its log lines, and what the page asks it to do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::qsh;
use atlassian_hooks_inspector::{Control, Handlers, Install, Journey, Journeys, Send, Site, serve};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sam_template_runner::deployment::{Deployment, Endpoints};
use sam_template_runner::{Exchange, Invocation, LogLine, LogStream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The client key of the Jira site.
pub(crate) const JIRA: &str = "11c1f0a2-6c1e-4f57-9d53-5b1d2f1a7e01";
/// The client key of the Confluence site.
pub(crate) const CONFLUENCE: &str = "22c1f0a2-6c1e-4f57-9d53-5b1d2f1a7e02";
/// The signature of every token.
pub(crate) const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";

const ISSUE: &str = r#"{"timestamp":1772614800000,"webhookEvent":"jira:issue_created","issue_event_type_name":"issue_created","user":{"accountId":"557058:demo","displayName":"Ada Example","active":true},"issue":{"id":"10001","key":"ABC-1","fields":{"summary":"The invoice has the wrong date","priority":{"id":"2","name":"High"},"labels":["billing","urgent"],"customfield_10010":12345678901234567890}}}"#;

/// A request to the stack.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    pub(crate) function: &'static str,
    pub(crate) tenant: &'static str,
    pub(crate) body: String,
    pub(crate) status: u16,
    /// The claims, unless there is no token.
    pub(crate) claims: Option<Value>,
}

impl Request {
    /// A webhook of the Jira site that is queued.
    pub(crate) fn issue() -> Self {
        Self::to("/issue-created", "", "IssueCreatedReceiver", JIRA, ISSUE)
    }

    /// A webhook of the Confluence site that is queued.
    pub(crate) fn page() -> Self {
        let body = r#"{"timestamp":1772614800000,"userAccountId":"557058:demo","page":{"id":9001,"title":"Minutes","spaceKey":"TEAM"}}"#;
        Self::to("/page-created", "", "PageCreatedReceiver", CONFLUENCE, body)
    }

    pub(crate) fn to(
        path: &'static str,
        query: &'static str,
        function: &'static str,
        tenant: &'static str,
        body: &str,
    ) -> Self {
        let request = qsh::Request { method: "POST", path, query, base_path: "" };
        let claims = json!({
            "iss": tenant, "iat": 1_772_614_800, "exp": 1_772_614_980,
            "qsh": request.hash().expect("the query is percent-encoded"),
        });
        let body = body.to_owned();
        Self { path, query, function, tenant, body, status: 204, claims: Some(claims) }
    }

    pub(crate) fn refused(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// The stand-in.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) journeys: Journeys,
    requests: Arc<Mutex<i64>>,
}

impl Stack {
    pub(crate) fn new() -> Self {
        let descriptor: Result<Descriptor, _> = serde_json::from_value(json!({
            "key": "com.example.invoices",
            "name": "Invoices",
            "baseUrl": "https://example.com",
            "authentication": { "type": "jwt" },
            "lifecycle": { "installed": "/installed", "uninstalled": "/uninstalled" },
            "modules": { "webhooks": [
                { "event": "jira:issue_created", "url": "/issue-created" },
                { "event": "page_created", "url": "/page-created" },
            ] },
        }));
        let journeys = Journeys::new(descriptor.expect("it is a descriptor"), handlers(), "");
        Self { journeys, requests: Arc::default() }
    }

    /// Takes a request, and answers it after 12 milliseconds. Requests arrive a second apart.
    pub(crate) fn request(&self, id: &str, request: &Request) {
        let mut requests = self.requests.lock().expect("no test panicked");
        *requests += 1;
        let received_at = arrival(*requests);
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().expect("it is a value"));
        headers.insert("user-agent", "Atlassian HttpClient".parse().expect("it is a value"));
        if let Some(claims) = &request.claims {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let header = part(&json!({ "alg": "HS256", "typ": "JWT" }));
            let token = format!("JWT {header}.{}.{SIGNATURE}", part(claims));
            headers.insert("authorization", token.parse().expect("it is a value"));
        }
        let uri = match request.query {
            "" => request.path.to_owned(),
            query => format!("{}?{query}", request.path),
        };
        self.journeys.exchange(&Exchange {
            received_at,
            took: Duration::from_millis(12),
            request_id: format!("request of {id}"),
            method: axum::http::Method::POST,
            uri: uri.parse().expect("it is a path"),
            headers,
            body: request.body.clone().into(),
            invocation: Some(Invocation {
                function: request.function.to_owned(),
                request_id: id.to_owned(),
            }),
            status: axum::http::StatusCode::from_u16(request.status).expect("it is a status"),
        });
    }

    /// Logs a line, `at` milliseconds after the arrival of the latest request.
    pub(crate) fn log(&self, function: &str, at: i64, level: &str, message: &str, fields: Value) {
        let requests = *self.requests.lock().expect("no test panicked");
        let mut line = fields;
        line["timestamp"] =
            (arrival(requests) + SignedDuration::from_millis(at)).to_string().into();
        line["level"] = level.into();
        line["message"] = message.into();
        let line = LogLine {
            function: function.into(),
            stream: LogStream::Stdout,
            text: line.to_string(),
        };
        assert!(self.journeys.line(&line), "{message} belongs to no journey");
    }

    /// Takes a request that is queued.
    pub(crate) fn queued(&self, id: &str, request: &Request) {
        self.request(id, request);
        let (event, product) = match request.tenant {
            JIRA => ("jira:issue_created", "jira"),
            _ => ("page_created", "confluence"),
        };
        let fields = json!({
            "delivery.id": id, "delivery.event": event, "tenant.key": request.tenant,
            "tenant.product": product, "message.id": format!("message-of-{id}"),
        });
        self.log(request.function, 9, "INFO", "delivery queued", fields);
    }

    /// Handles a delivery at its first attempt.
    pub(crate) fn handled(&self, id: &str) {
        let fields = json!({ "delivery.id": id, "message.attempts": 1 });
        self.log(&self.handler(id), 84, "INFO", "delivery handled", fields);
    }

    /// Fails an attempt, to be tried again.
    pub(crate) fn failed(&self, id: &str, attempt: u64, error: &str) {
        let fields = json!({
            "message.id": format!("message-of-{id}"), "message.attempts": attempt,
            "retry.seconds": 30 * attempt, "error": error,
        });
        self.log(&self.handler(id), 90 * attempt as i64, "ERROR", "delivery failed", fields);
    }

    /// Fails the last attempt.
    pub(crate) fn dead_lettered(&self, id: &str, attempt: u64, error: &str) {
        let fields = json!({
            "delivery.id": id, "message.id": format!("message-of-{id}"),
            "message.attempts": attempt, "error": error,
        });
        self.log(&self.handler(id), 90_250, "ERROR", "delivery dead-lettered", fields);
    }

    /// Refuses a request.
    pub(crate) fn rejected(&self, id: &str, request: &Request, reason: &str, detail: &str) {
        self.request(id, request);
        let fields = json!({ "request.id": id, "reason": reason, "detail": detail });
        self.log(request.function, 6, "WARN", "request rejected", fields);
    }

    fn handler(&self, id: &str) -> String {
        let handler = self.journeys.get(id).and_then(|journey| journey.handler.clone());
        handler.expect("its receiver has a handler")
    }

    /// The only journey.
    pub(crate) fn only(&self) -> Arc<Journey> {
        let all = self.journeys.all();
        assert_eq!(all.len(), 1);
        Arc::clone(&all[0])
    }
}

fn arrival(requests: i64) -> Timestamp {
    let start: Timestamp = "2026-03-04T09:00:00.25Z".parse().expect("it is a time");
    start + SignedDuration::from_secs(requests)
}

fn handlers() -> Handlers {
    let template = r"
Transform: AWS::Serverless-2016-10-31
Resources:
  JiraQueue:
    Type: AWS::SQS::Queue
  ConfluenceQueue:
    Type: AWS::SQS::Queue
  IssueCreatedReceiver:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: receiver } }
    Properties:
      { CodeUri: ., Handler: bootstrap, Runtime: provided.al2023, Environment: { Variables: { QUEUE_URL: !Ref JiraQueue } } }
  PageCreatedReceiver:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: receiver } }
    Properties:
      { CodeUri: ., Handler: bootstrap, Runtime: provided.al2023, Environment: { Variables: { QUEUE_URL: !Ref ConfluenceQueue } } }
  OnIssueCreated:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: handlers } }
    Properties:
      { CodeUri: ., Handler: bootstrap, Runtime: provided.al2023, Events: { Queue: { Type: SQS, Properties: { Queue: !GetAtt JiraQueue.Arn } } } }
  OnPageCreated:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: handlers } }
    Properties:
      { CodeUri: ., Handler: bootstrap, Runtime: provided.al2023, Events: { Queue: { Type: SQS, Properties: { Queue: !GetAtt ConfluenceQueue.Arn } } } }
";
    let endpoint = || "http://127.0.0.1:1".to_owned();
    let endpoints = Endpoints {
        http_api: endpoint(),
        sqs: endpoint(),
        dynamodb: endpoint(),
        kms: endpoint(),
        s3: endpoint(),
    };
    let deployment = Deployment::read(template, &BTreeMap::new(), None, &endpoints);
    Handlers::of(&deployment.expect("it is a template"))
}

/// Records what the page asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    calls: Arc<Mutex<Vec<String>>>,
    /// What everything is answered with instead.
    refusal: Arc<Mutex<Option<String>>>,
}

impl Recorded {
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("no test panicked").clone()
    }

    pub(crate) fn refuse(&self, why: &str) {
        *self.refusal.lock().expect("no test panicked") = Some(why.to_owned());
    }

    fn record(&self, call: String) -> Result<(), String> {
        self.calls.lock().expect("no test panicked").push(call);
        self.refusal.lock().expect("no test panicked").clone().map_or(Ok(()), Err)
    }
}

impl Control for Recorded {
    fn sites(&self) -> Vec<Site> {
        let site = |tenant: &str, product: &str| Site {
            tenant: tenant.to_owned(),
            product: product.to_owned(),
            base_url: format!("https://{product}.example"),
        };
        vec![site(JIRA, "jira"), site(CONFLUENCE, "confluence")]
    }

    fn events(&self, site: &Site) -> Vec<String> {
        let events: &[&str] = match site.product.as_str() {
            "jira" => &["jira:issue_created", "jira:issue_updated"],
            _ => &["page_created"],
        };
        events.iter().map(|&event| event.to_owned()).collect()
    }

    fn sample(&self, site: &Site, event: &str) -> String {
        json!({ "sample": event, "product": site.product }).to_string()
    }

    async fn send(&self, send: Send) -> Result<(), String> {
        let Send { tenant, event, body, tampering } = send;
        self.record(format!("send {tenant} {event} {tampering:?} {body}"))
    }

    async fn install(&self, install: Install) -> Result<(), String> {
        let Install { tenant, uninstall } = install;
        self.record(format!("{} {tenant}", if uninstall { "uninstall" } else { "install" }))
    }

    async fn replay(&self, journey: Arc<Journey>) -> Result<(), String> {
        self.record(format!("replay {}", journey.id))
    }
}

/// The served page. It ends with this value.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) control: Recorded,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(stack: &Stack) -> Self {
        Self::start_at(stack, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn start_at(stack: &Stack, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let control = Recorded::default();
        let (shutdown, ended) = oneshot::channel();
        let task = tokio::spawn(serve(
            listener,
            stack.journeys.clone(),
            control.clone(),
            "Invoices".to_owned(),
            async {
                // A dropped sender ends it as well.
                let _ = ended.await;
            },
        ));
        Self { address, control, shutdown: Some(shutdown), task }
    }

    /// Ends it, and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        drop(self.shutdown.take());
        self.task.await.expect("the page was served");
    }
}
