//! Signed webhooks, end to end: from a signature or a token of an OAuth 2.0 app to a handler.

use std::time::Duration;

use atlassian_connect::delivery::{Delivery, Sender};
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use atlassian_simulator::samples::fresh;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use jiff::Timestamp;
use serde_json::{Value, json};
use signed_webhooks::{Kind, TenantName, sign, sign_token};
use tenants::{Added, Changed, Find as _, Secrets, Table};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

mod table;
mod tool;

/// The URLs of signed webhooks.
pub(crate) const WEBHOOKS: &str = "
webhooks:
  /hooks/{tenant}/jira: { kind: jira, events: [jira:issue_created, jira:issue_updated], handler: issue-change }
  /hooks/{tenant}/deleted: { kind: jira, events: [jira:issue_deleted], handler: scripted }
  /hooks/{tenant}/app: { kind: jira-oauth, events: all, handler: issue-change }
  /hooks/{tenant}/confluence: { kind: confluence-data-center, events: all, handler: page-created }
  /hooks/{tenant}/bitbucket: { kind: bitbucket, events: ['repo:push', 'pullrequest:created'], handler: scripted }
";

/// A tenant that signs its webhooks.
struct Tenant {
    name: &'static str,
    kind: Kind,
    secret: SharedSecret,
}

impl Tenant {
    fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, secret: SharedSecret::new(format!("the secret of {name}")) }
    }

    fn name(&self) -> TenantName {
        self.name.parse().unwrap()
    }

    /// The header that proves that this tenant sent a body.
    fn proof(&self, body: &[u8]) -> (&'static str, String) {
        match self.kind {
            Kind::JiraOauth => {
                let now = Timestamp::now().as_second();
                let claims = json!({ "iat": now, "exp": now + 180 });
                ("Authorization", format!("Bearer {}", sign_token(&claims, &self.secret)))
            }
            _ => (SIGNATURE, sign(body, &self.secret)),
        }
    }
}

const SIGNATURE: &str = "X-Hub-Signature";

/// What a product sends: nothing is added to it but what HTTP needs.
struct Request<'a> {
    path: String,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
}

impl<'a> Request<'a> {
    /// What a tenant sends.
    fn of(tenant: &Tenant, path: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let path = path.replace("{tenant}", tenant.name);
        Self { path, headers: vec![tenant.proof(&body)], body }
    }

    fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The bytes on the connection.
    fn bytes(&self, host: &str, is_chunked: bool) -> Vec<u8> {
        let mut headers = String::new();
        for (name, value) in &self.headers {
            headers += &format!("{name}: {value}\r\n");
        }
        if !self.headers.iter().any(|(name, _)| *name == "Content-Type") {
            headers += "Content-Type: application/json; charset=UTF-8\r\n";
        }
        let mut body = self.body.clone();
        if is_chunked {
            headers += "Transfer-Encoding: chunked\r\n";
            let (one, two) = self.body.split_at(self.body.len() / 2);
            let chunk =
                |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
            body = [chunk(one), chunk(two), b"0\r\n\r\n".to_vec()].concat();
        } else {
            headers += &format!("Content-Length: {}\r\n", self.body.len());
        }
        let path = &self.path;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        [head.as_bytes(), &body].concat()
    }
}

/// The status and the body of the answer.
async fn send(app: &TestApp, request: &Request<'_>) -> (u16, String) {
    send_bytes(app, &request.bytes(host(app), false)).await
}

fn host(app: &TestApp) -> &str {
    app.stack.url().trim_start_matches("http://")
}

async fn send_bytes(app: &TestApp, bytes: &[u8]) -> (u16, String) {
    let (mut reading, mut writing) = TcpStream::connect(host(app)).await.unwrap().into_split();
    let mut answer = Vec::new();
    let talk = async {
        tokio::join!(
            // A server that refuses a head need not read the rest.
            async { drop(writing.write_all(bytes).await) },
            async { drop(reading.read_to_end(&mut answer).await) },
        )
    };
    tokio::time::timeout(Duration::from_secs(30), talk).await.expect("the connection ends");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn template() -> String {
    let configuration = Configuration::parse(WEBHOOKS).unwrap();
    assert_eq!(configuration.problems(&*DESCRIPTOR), []);
    render(&*DESCRIPTOR, &configuration).unwrap()
}

/// The tests' app with the URLs besides, and these tenants.
async fn app_with(tamper: impl FnOnce(String) -> String, tenants: &[&Tenant]) -> TestApp {
    let app = TestApp::with(|_| tamper(template())).await;
    let table = app.tenants();
    for tenant in tenants {
        let name = tenant.name();
        let added = table.add_signed(&name, tenant.kind, &tenant.secret, Timestamp::now()).await;
        assert_eq!(added.unwrap(), Added::Yes);
    }
    app
}

fn without_handlers(template: String) -> String {
    template.tamper("BatchSize: 10", "BatchSize: 10\n            Enabled: false")
}

fn body(event: EventName) -> Value {
    fresh(Product::Jira, &event, Timestamp::now()).unwrap()
}

/// The same handler gets an event of Connect and of each signing product of Jira's, and only the field
/// for the sender tells them apart.
#[tokio::test(flavor = "multi_thread")]
async fn handlers_read_what_signing_products_send() {
    let acme = Tenant::new("acme", Kind::Jira);
    let partner = Tenant::new("partner", Kind::JiraOauth);
    let wiki = Tenant::new("wiki", Kind::ConfluenceDataCenter);
    let code = Tenant::new("code", Kind::Bitbucket);
    let app = app_with(|template| template, &[&acme, &partner, &wiki, &code]).await;

    let created = body(EventName::IssueCreated);
    for (tenant, path) in [(&acme, "/hooks/{tenant}/jira"), (&partner, "/hooks/{tenant}/app")] {
        let request = Request::of(tenant, path, created.to_string());
        assert_eq!(send(&app, &request).await.0, 204, "{path}");
    }
    let changed = app.logged(Logged::IssueChanged, 2).await;
    for line in &changed {
        assert_eq!(line["sender"], "signed", "{line}");
        assert_eq!(line["issue.key"], created["issue"]["key"], "{line}");
        assert_eq!(line["action"], "Created", "{line}");
    }

    let mut page = fresh(Product::Confluence, &EventName::PageCreated, Timestamp::now()).unwrap();
    page["event"] = "page_created".into();
    let request = Request::of(&wiki, "/hooks/{tenant}/confluence", page.to_string());
    assert_eq!(send(&app, &request).await.0, 204);
    app.logged(Logged::PageCreated, 1).await;

    let push = json!({ "push": { "changes": [] }, "repository": { "name": "code" } }).to_string();
    let request = Request::of(&code, "/hooks/{tenant}/bitbucket", push)
        .with("X-Event-Key", "repo:push")
        .with("X-Request-UUID", "d3b0")
        .with("X-Attempt-Number", "2");
    assert_eq!(send(&app, &request).await.0, 204);
    let done = app.logged(Logged::ScriptDone, 1).await;
    let webhook = done[0]["webhook"].as_str().unwrap();
    assert!(webhook.contains("\"d3b0\"") && webhook.contains("retry: Some(\"1\")"), "{webhook}");

    let queued = app.logged(Logged::DeliveryQueued, 4).await;
    let of = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let described: Vec<_> = queued
        .iter()
        .map(|line| [of(line, "tenant.key"), of(line, "tenant.product"), of(line, "sender")])
        .collect();
    assert_eq!(
        described,
        [
            ["acme", "jira", "signed"],
            ["partner", "jira", "signed"],
            ["wiki", "confluence", "signed"],
            ["code", "bitbucket", "signed"],
        ]
    );
    app.stack.stop().await;
}

/// The sender's own identifier is the identity of a delivery. Where there is none, the body is.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_sent_again_is_handled_once() {
    let acme = Tenant::new("acme", Kind::Jira);
    let code = Tenant::new("code", Kind::Bitbucket);
    let app = app_with(|template| template, &[&acme, &code]).await;
    let created = body(EventName::IssueCreated).to_string();
    let jira = |identifier: &str, retry: Option<&str>| {
        let request = Request::of(&acme, "/hooks/{tenant}/jira", &created)
            .with("X-Atlassian-Webhook-Identifier", identifier);
        match retry {
            Some(retry) => request.with("X-Atlassian-Webhook-Retry", retry),
            None => request,
        }
    };
    let push = |identifier: &str| {
        Request::of(&code, "/hooks/{tenant}/bitbucket", r#"{"push":{}}"#)
            .with("X-Event-Key", "repo:push")
            .with("X-Request-UUID", identifier)
    };
    // One after the other: the copy must find the first one completed.
    assert_eq!(send(&app, &jira("one", None)).await.0, 204);
    app.logged(Logged::IssueChanged, 1).await;
    app.logged(Logged::DeliveryHandled, 1).await;
    assert_eq!(send(&app, &jira("one", Some("1"))).await.0, 204);
    app.logged(Logged::DeliveryDuplicate, 1).await;
    assert_eq!(send(&app, &push("a")).await.0, 204);
    app.logged(Logged::DeliveryHandled, 2).await;
    assert_eq!(send(&app, &push("a")).await.0, 204);
    app.logged(Logged::DeliveryDuplicate, 2).await;
    // Another identifier is another delivery, whatever the body is: no signature covers it.
    assert_eq!(send(&app, &jira("two", None)).await.0, 204);
    app.logged(Logged::DeliveryHandled, 3).await;
    assert_eq!(app.logged(Logged::IssueChanged, 2).await.len(), 2);

    // Without an identifier the body tells them apart, by its timestamp.
    let updated = body(EventName::IssueUpdated).to_string();
    let request = Request::of(&acme, "/hooks/{tenant}/jira", &updated);
    assert_eq!(send(&app, &request).await.0, 204);
    app.logged(Logged::DeliveryHandled, 4).await;
    assert_eq!(send(&app, &request).await.0, 204);
    app.logged(Logged::DeliveryDuplicate, 3).await;
    let retries = app.logged(Logged::DeliveryQueued, 7).await;
    assert_eq!(retries[1]["webhook.retry"], "1");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_are_valid_until_the_previous_one_is_not() {
    let acme = Tenant::new("acme", Kind::Jira);
    let app = app_with(without_handlers, &[&acme]).await;
    let table = app.tenants();
    let name = acme.name();
    let body = json!({ "webhookEvent": "jira:issue_created" }).to_string();
    let with = async |secret: &SharedSecret| {
        let (path, headers) =
            ("/hooks/acme/jira".to_owned(), vec![(SIGNATURE, sign(body.as_bytes(), secret))]);
        send(&app, &Request { path, headers, body: body.clone().into_bytes() }).await.0
    };
    let [second, third] = ["the second secret", "the third secret"].map(SharedSecret::new);
    let hour = Duration::from_secs(60 * 60);
    assert_eq!(with(&acme.secret).await, 204);

    let now = Timestamp::now();
    assert_eq!(table.rotate_signed(&name, &second, hour, now).await.unwrap(), Changed::Yes);
    // The receiver still knows the old one alone, and looks again before it refuses: it may five times
    // at once.
    assert_eq!(with(&acme.secret).await, 204);
    assert_eq!(with(&second).await, 204);
    assert_eq!(with(&acme.secret).await, 204, "until then");

    // The previous one was valid for an hour, two hours ago.
    let changed = table.rotate_signed(&name, &third, hour, now - 2 * hour).await.unwrap();
    assert_eq!(changed, Changed::Yes);
    assert_eq!(with(&third).await, 204);
    assert_eq!(with(&second).await, 401, "after that");
    assert_eq!(with(&acme.secret).await, 401, "two before");

    // At once, for one that others know.
    let fourth = SharedSecret::new("the fourth secret");
    let none = Duration::ZERO;
    assert_eq!(table.rotate_signed(&name, &fourth, none, now).await.unwrap(), Changed::Yes);
    assert_eq!(with(&fourth).await, 204);
    assert_eq!(with(&third).await, 401);
    app.stack.stop().await;
}

/// The rows of the table keep tenants of Connect and signed ones apart, whatever they are called.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_one_of_connect_or_a_signed_one() {
    let mut acme = Tenant::new("acme", Kind::Jira);
    let app = app_with(without_handlers, &[&acme]).await;
    let (name, now) = (acme.name(), Timestamp::now());
    let connect = app.tenants();
    // With the name of a tenant of Connect.
    let key = app.jira.client_key.clone();
    let same: TenantName = key.as_str().parse().unwrap();
    connect.add_signed(&same, Kind::Jira, &acme.secret, now).await.unwrap();
    let found = connect.find(&key, now).await.unwrap().unwrap();
    assert_eq!(found.secret.expose(), app.jira.secret.expose());

    let lifecycle = &app.stack.deployment().functions["Lifecycle"].environment;
    let signed = |kind| {
        let kms = app.aws(app.stack.kms_endpoint());
        let secrets = Secrets::new(&kms, lifecycle.get("TENANTS_KEY").cloned(), &DESCRIPTOR.key);
        let dynamodb = app.aws(app.stack.dynamodb_endpoint());
        Table::for_signed(&dynamodb, &lifecycle["TENANTS_TABLE"], secrets, kind)
    };
    let found = signed(Kind::Jira).find(&key, now).await.unwrap().unwrap();
    assert_eq!(found.secret.expose(), acme.secret.expose());
    assert!(signed(Kind::JiraOauth).find(&key, now).await.unwrap().is_none(), "another kind");
    assert!(connect.find(name.as_key(), now).await.unwrap().is_none(), "not one of Connect");
    assert!(ClientKey::new("signed acme").is_err(), "no token can name the row");

    // All are encrypted anew, and none is taken for a data key.
    let resealed = connect.reseal(now).await.unwrap();
    assert_eq!((resealed.tenants, resealed.unreadable.len()), (4, 0));
    let found = signed(Kind::Jira).find(name.as_key(), now).await.unwrap().unwrap();
    assert_eq!(found.secret.expose(), acme.secret.expose());

    // One that was removed is refused as soon as the receiver looks again, and can be added again.
    let body = json!({ "webhookEvent": "jira:issue_created" }).to_string();
    let path = "/hooks/{tenant}/jira";
    assert_eq!(send(&app, &Request::of(&acme, path, &body)).await.0, 204);
    let again = connect.add_signed(&name, Kind::JiraOauth, &acme.secret, now).await.unwrap();
    assert_eq!(again, Added::Exists);
    assert_eq!(connect.remove_signed(&name, now).await.unwrap(), Changed::Yes);
    assert_eq!(connect.remove_signed(&name, now).await.unwrap(), Changed::Unknown);
    let other = SharedSecret::new("another secret");
    let hour = Duration::from_secs(60 * 60);
    let rotated = connect.rotate_signed(&name, &other, hour, now).await.unwrap();
    assert_eq!(rotated, Changed::Unknown);
    let secret = std::mem::replace(&mut acme.secret, other);
    assert_eq!(send(&app, &Request::of(&acme, path, &body)).await.0, 401, "looks again");
    let old = Tenant { secret, ..Tenant::new("acme", Kind::Jira) };
    assert_eq!(send(&app, &Request::of(&old, path, &body)).await.0, 401);
    let added = connect.add_signed(&name, Kind::Jira, &acme.secret, now).await.unwrap();
    assert_eq!(added, Added::Yes);
    assert_eq!(send(&app, &Request::of(&acme, path, &body)).await.0, 204);
    assert_eq!(send(&app, &Request::of(&old, path, &body)).await.0, 401);
    app.stack.stop().await;
}

/// What was queued is the body as it arrived, from a sender that is named.
#[tokio::test(flavor = "multi_thread")]
async fn the_body_arrives_as_it_was_signed() {
    let acme = Tenant::new("acme", Kind::Jira);
    let app = app_with(without_handlers, &[&acme]).await;
    let body = "{\n  \"webhookEvent\": \"jira:issue_created\",\t\"a\": \"\\ud800 \u{1F600}\" }\r\n";
    let request = Request::of(&acme, "/hooks/{tenant}/jira", body);
    for is_chunked in [false, true] {
        let bytes = request.bytes(host(&app), is_chunked);
        assert_eq!(send_bytes(&app, &bytes).await.0, 204);
        let message = app.receive("IssueChangeQueue").await.body.unwrap();
        let delivery = Delivery::from_message(&message).unwrap();
        assert_eq!(delivery.payload.as_str(), body);
        assert_eq!(delivery.sender, Sender::Signed);
        assert_eq!(delivery.tenant.as_str(), "acme");
        assert_eq!((delivery.base_url, delivery.event), (None, EventName::IssueCreated));
    }
    app.stack.stop().await;
}
