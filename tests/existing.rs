//! An app that moves: webhooks come here, and pages stay on the server that it ran on before.

use std::sync::{Arc, Mutex};

use atlassian_connect::event::Product;
use atlassian_connect::jwt::ClaimsToSign;
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::{Site, qsh_of};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use jiff::Timestamp;
use serde_json::json;
use tenants::Find as _;

use crate::harness::app::{DESCRIPTOR, FORGED_KEY, TestApp};
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

/// A request as the existing server got it.
#[derive(Clone)]
struct Received {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// The server that the app ran on before. It answers everything with the same status.
#[derive(Clone)]
struct ExistingServer {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    status: Arc<Mutex<StatusCode>>,
}

impl ExistingServer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let server = Self { url, received: Arc::default(), status };
        let router = Router::new().fallback(Self::answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    async fn answer(State(server): State<Self>, request: Request) -> impl IntoResponse {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
        server.received.lock().unwrap().push(Received { method, uri, headers, body });
        let headers = [("set-cookie", "session=1"), ("location", "/elsewhere?a=%2B")];
        (*server.status.lock().unwrap(), headers, "<p>a page</p>")
    }

    fn answers_with(&self, status: StatusCode) {
        *self.status.lock().unwrap() = status;
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// The app with an existing server, before any site installed it. Its handlers read nothing, and
/// one of them gets lifecycle callbacks.
async fn app(existing_server: &str) -> TestApp {
    let configuration =
        format!("existingServer: '{existing_server}'\nlifecycle: {{ handler: scripted }}");
    let configuration = Configuration::parse(&configuration).unwrap();
    TestApp::empty(|_| {
        let template = render(&*DESCRIPTOR, &configuration).unwrap();
        template.tamper("BatchSize: 10", "BatchSize: 10\n            Enabled: false")
    })
    .await
}

/// The queue of the handler of lifecycle callbacks.
const QUEUE: &str = "ScriptedQueue";

/// A callback as it was sent, to send it again.
struct Sent {
    target: String,
    token: String,
    body: String,
}

impl Sent {
    /// An install, with what Atlassian's JSON has and a serializer would write otherwise.
    fn install(app: &TestApp, site: &Site) -> Self {
        let target = format!("{}/installed?user_key=a%20b&x=%7e", app.stack.url());
        let qsh = qsh_of(&target, app.stack.url()).unwrap();
        let mut claims = ClaimsToSign::new(site.client_key.as_str(), &qsh, Timestamp::now());
        claims.audience = Some(app.stack.url());
        let token = app.atlassian.sign_install(&claims).unwrap();
        let body = format!(
            "{{\n\t\"sharedSecret\" : \"{}\", \"key\":\"{}\", \"clientKey\":\"{}\",\
             \"baseUrl\":\"{}\", \"productType\":\"{}\", \"eventType\":\"installed\",\
             \"description\":\"\\u00e9 é 1.0e1\" }}\n",
            site.secret.expose(),
            DESCRIPTOR.key,
            site.client_key,
            site.base_url,
            site.product,
        );
        Self { target, token, body }
    }

    async fn send(&self, app: &TestApp) -> u16 {
        let post = app.atlassian.post(&self.target, Some(&self.token), self.body.clone(), None);
        post.await.unwrap().status.as_u16()
    }
}

async fn is_recorded(app: &TestApp, site: &Site) -> bool {
    let found = app.tenants().find(&site.client_key, Timestamp::now()).await.unwrap();
    found.is_some_and(|tenant| tenant.secret.expose() == site.secret.expose())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_from_the_existing_server_and_webhooks_do_not_reach_it() {
    let old = ExistingServer::start().await;
    let app = app(&old.url).await;
    let client = app.atlassian.client();
    let page = format!("{}/issue/a%20b?jwt=a.b.c&x=%7e&x=%2B+&y", app.stack.url());
    for status in [StatusCode::OK, StatusCode::FOUND, StatusCode::INTERNAL_SERVER_ERROR] {
        old.answers_with(status);
        let request = client.put(&page).header("cookie", "a=1").header("x-own", "1").body("{}");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "a redirect is the caller's");
        assert_eq!(response.headers()["set-cookie"], "session=1");
        assert_eq!(response.headers()["location"], "/elsewhere?a=%2B");
        assert_eq!(response.text().await.unwrap(), "<p>a page</p>");
        let received = old.received().pop().unwrap();
        assert_eq!((received.method, &*received.body), (Method::PUT, &b"{}"[..]));
        assert_eq!(received.uri, "/issue/a%20b?jwt=a.b.c&x=%7e&x=%2B+&y");
        assert_eq!(received.headers["cookie"], "a=1");
        assert_eq!(received.headers["x-own"], "1");
        assert_eq!(received.headers["host"], *old.url.trim_start_matches("http://"));
    }
    old.answers_with(StatusCode::OK);
    let site = app.installed(Product::Jira).await;
    let before = old.received().len();

    let event = json!({ "webhookEvent": "jira:issue_created" });
    assert_eq!(app.send("/issue-created", event.clone(), &site).await.status, 204);
    let stranger = Site::new(Product::Jira, "stranger");
    assert_eq!(app.send("/issue-created", event, &stranger).await.status, 401);
    let descriptor = client.get(format!("{}/atlassian-connect.json", app.stack.url()));
    let descriptor = descriptor.send().await.unwrap().text().await.unwrap();
    assert!(descriptor.contains(&DESCRIPTOR.key), "{descriptor}");
    assert_eq!(app.depth("IssueCreatedQueue").await, 1);
    assert_eq!(old.received().len(), before);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_callback_is_forwarded_byte_for_byte() {
    let old = ExistingServer::start().await;
    let app = app(&old.url).await;
    let site = Site::new(Product::Jira, "site");
    let install = Sent::install(&app, &site);
    assert_eq!(install.send(&app).await, 204);
    assert!(is_recorded(&app, &site).await);
    let [received] = &old.received()[..] else { panic!("one callback is one request") };
    assert_eq!(received.method, Method::POST);
    assert_eq!(received.uri, "/installed?user_key=a%20b&x=%7e");
    assert_eq!(received.body, install.body);
    assert_eq!(received.headers["authorization"], format!("JWT {}", install.token));
    assert_eq!(received.headers["content-type"], "application/json");

    let others = [Callback::Enabled, Callback::Disabled, Callback::Uninstalled];
    for callback in others {
        let mut exchanges = app.stack.exchanges();
        assert_eq!(app.call_back(callback, &site).await.status, 204, "{callback}");
        let sent = exchanges.recv().await.unwrap();
        let received = old.received().pop().unwrap();
        assert_eq!((&received.uri, &received.body), (&sent.uri, &sent.body), "{callback}");
        assert_eq!(received.headers["authorization"], sent.headers["authorization"]);
    }
    assert_eq!(old.received().len(), 1 + others.len());
    assert_eq!(app.depth(QUEUE).await, 1 + 3, "the handler gets them too");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_is_not_trusted_is_not_forwarded() {
    let old = ExistingServer::start().await;
    let app = app(&old.url).await;
    let site = Site::new(Product::Jira, "site");
    let install = Sent::install(&app, &site);
    let qsh = qsh_of(&install.target, app.stack.url()).unwrap();
    let mut claims = ClaimsToSign::new(site.client_key.as_str(), &qsh, Timestamp::now());
    claims.audience = Some(app.stack.url());
    let forged = FORGED_KEY.sign(&claims).unwrap();
    for token in [Some(&*forged), Some("a.b.c"), None] {
        let post = app.atlassian.post(&install.target, token, install.body.clone(), None);
        assert_eq!(post.await.unwrap().status, 401);
    }
    let other = Sent { body: install.body.replace(&DESCRIPTOR.key, "another"), ..install };
    assert_eq!(other.send(&app).await, 401, "the body contradicts the app");
    assert_eq!(app.call_back(Callback::Enabled, &site).await.status, 401, "nobody installed it");
    let early = Sent::install(&app, &site);
    assert_eq!(app.call_back(Callback::Uninstalled, &site).await.status, 204);
    assert_eq!(old.received().len(), 1, "the uninstall");
    assert_eq!(early.send(&app).await, 401, "the uninstall was signed in the same second or later");
    assert_eq!(old.received().len(), 1);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_the_existing_server_refuses_fails_and_can_be_repeated() {
    let old = ExistingServer::start().await;
    let app = app(&old.url).await;
    let site = Site::new(Product::Confluence, "site");
    let install = Sent::install(&app, &site);
    let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FOUND, StatusCode::INTERNAL_SERVER_ERROR];
    for status in refusals {
        old.answers_with(status);
        assert_eq!(install.send(&app).await, 503, "{status}");
        assert!(is_recorded(&app, &site).await);
    }
    assert_eq!(app.depth(QUEUE).await, 0, "a handler hears of what the whole app has taken");
    let failed = app.logged(Logged::RequestFailed, refusals.len()).await;
    assert_eq!(failed[0]["reason"], "not_forwarded");
    assert!(failed[0]["detail"].as_str().unwrap().contains("status 401"), "{failed:?}");

    old.answers_with(StatusCode::NO_CONTENT);
    assert_eq!(install.send(&app).await, 204);
    let received = old.received();
    assert_eq!(received.len(), refusals.len() + 1);
    assert!(received.iter().all(|received| received.body == install.body));
    assert_eq!(app.depth(QUEUE).await, 1);
    for callback in [Callback::Enabled, Callback::Disabled, Callback::Uninstalled] {
        old.answers_with(StatusCode::BAD_GATEWAY);
        let mut exchanges = app.stack.exchanges();
        assert_eq!(app.call_back(callback, &site).await.status, 503, "{callback}");
        let sent = exchanges.recv().await.unwrap();
        old.answers_with(StatusCode::OK);
        let again = app.atlassian.client().post(format!("{}{}", app.stack.url(), sent.uri));
        let again = again.headers(sent.headers.clone()).body(sent.body.clone());
        assert_eq!(again.send().await.unwrap().status(), 204, "{callback}");
    }
    assert_eq!(old.received().len(), refusals.len() + 1 + 2 * 3);
    let printed = app.printed();
    assert!(!printed.contains(site.secret.expose()) && !printed.contains(&install.token));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_fails_while_the_existing_server_is_down() {
    let (old, proxy) = (ExistingServer::start().await, FaultProxy::new().await);
    proxy.forward_to(&old.url);
    let app = app(proxy.url()).await;
    let site = Site::new(Product::Jira, "site");
    let install = Sent::install(&app, &site);
    for fault in [Fault::Refuse, Fault::DropResponse, Fault::HoldResponse] {
        proxy.inject(fault);
        assert_eq!(install.send(&app).await, 503, "{fault:?}");
    }
    let failed = app.logged(Logged::RequestFailed, 3).await;
    for (line, words) in failed.iter().zip(["be reached", "be reached", "did not answer within"]) {
        assert!(line["detail"].as_str().unwrap().contains(words), "{line}");
    }
    proxy.inject(Fault::None);
    assert_eq!(install.send(&app).await, 204);
    assert_eq!(old.received().last().unwrap().body, install.body);
    let printed = app.printed();
    assert!(!printed.contains(site.secret.expose()) && !printed.contains(&install.token));

    let page = app.atlassian.client().get(format!("{}/page", app.stack.url()));
    proxy.inject(Fault::Refuse);
    assert_eq!(page.send().await.unwrap().status(), 503);
    app.stack.stop().await;
}
