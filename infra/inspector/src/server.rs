//! The page and its API, on loopback.
//!
//! The page is reached by a browser, in which other sites run as well. Therefore every request must
//! name a loopback host (a name that a foreign site has bound to this address does not: DNS
//! rebinding), and a request that does something must not come from another origin.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::future::ready;
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::journey::Journey;
use crate::journeys::Journeys;

/// What somebody can do on the page.
pub trait Control: std::marker::Send + Sync + 'static {
    /// The sites that can send.
    fn sites(&self) -> Vec<Site>;

    /// The names of the events that a site can send, each declared by the app.
    fn events(&self, site: &Site) -> Vec<String>;

    /// A new sample body of an event.
    fn sample(&self, site: &Site, event: &str) -> String;

    /// Sends a webhook. The answer is the id of nothing: what became of it arrives as a journey.
    fn send(&self, send: Send) -> impl Future<Output = Result<(), String>> + std::marker::Send;

    /// Sends a lifecycle callback.
    fn install(
        &self,
        install: Install,
    ) -> impl Future<Output = Result<(), String>> + std::marker::Send;

    /// Puts a dead letter back on its queue.
    fn replay(
        &self,
        journey: Arc<Journey>,
    ) -> impl Future<Output = Result<(), String>> + std::marker::Send;
}

/// A site that can send.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// The client key, or the id of an installation in Forge.
    pub tenant: String,
    /// The product: `jira` or `confluence`.
    pub product: String,
    /// The base URL of the site.
    pub base_url: String,
}

/// A webhook to send.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Send {
    /// The client key of the site.
    pub tenant: String,
    /// The name of the event.
    pub event: String,
    /// The body.
    pub body: String,
    /// What is wrong with it.
    #[serde(default)]
    pub tampering: Tampering,
}

/// What is wrong with a webhook that is sent on purpose.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Tampering {
    /// Nothing.
    #[default]
    None,
    /// The token has expired.
    Expired,
    /// The token is signed with another secret.
    WrongSecret,
    /// The token was made for another request; in Forge, for another endpoint.
    WrongQsh,
    /// There is no token.
    NoToken,
    /// The token is one that a page of the app gets in a user's browser.
    Browser,
}

/// A lifecycle callback to send.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Install {
    /// The client key of the site.
    pub tenant: String,
    /// Whether the site uninstalls the app. Otherwise it installs it again with a new secret.
    #[serde(default)]
    pub uninstall: bool,
}

/// Serves the page until `shutdown`.
///
/// The listener has to be bound to a loopback address.
pub async fn serve(
    listener: TcpListener,
    journeys: Journeys,
    control: impl Control,
    app: String,
    shutdown: impl Future<Output = ()> + std::marker::Send + 'static,
) {
    let Ok(address) = listener.local_addr() else { return };
    let (end, ended) = watch::channel(());
    let page = Arc::new(Page { journeys, control, app, address, ended });
    let shutdown = async {
        shutdown.await;
        drop(end);
    };
    let router = Router::new()
        .route("/", get(|| async { file("text/html", include_str!("page/index.html")) }))
        .route("/page.css", get(|| async { file("text/css", include_str!("page/page.css")) }))
        .route("/page.js", get(|| async { file("text/javascript", include_str!("page/page.js")) }))
        .route("/api/app", get(about))
        .route("/api/journeys", get(all))
        .route("/api/journeys/{id}", get(one))
        .route("/api/journeys/{id}/replay", post(replay))
        .route("/api/stream", get(changes))
        .route("/api/samples/{tenant}/{event}", get(sample))
        .route("/api/send", post(send))
        .route("/api/install", post(install))
        .layer(from_fn_with_state(address, guard))
        .with_state(page);
    // It ends by the shutdown alone.
    let _ = axum::serve(listener, router).with_graceful_shutdown(shutdown).await;
}

#[derive(Debug)]
struct Page<C> {
    journeys: Journeys,
    control: C,
    app: String,
    address: SocketAddr,
    /// Closed at the shutdown, which would otherwise wait for every open stream.
    ended: watch::Receiver<()>,
}

type Shared<C> = State<Arc<Page<C>>>;

/// Refuses what does not come from this machine's own page or tools.
async fn guard(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    if !is_own(request.headers(), address.port()) {
        return (
            StatusCode::FORBIDDEN,
            format!("open the page by its own address: http://{address}/\n"),
        )
            .into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_own(headers: &HeaderMap, port: u16) -> bool {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let is_here = headers.get(HOST).is_some_and(|named| hosts.iter().any(|host| named == host));
    let is_own_origin = headers
        .get(ORIGIN)
        .is_none_or(|origin| hosts.iter().any(|host| *origin == format!("http://{host}")));
    is_here && is_own_origin
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, format!("{kind}; charset=utf-8"))], text).into_response()
}

fn json_of(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn failed(status: StatusCode, error: &str) -> Response {
    let body = json!({ "error": error }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn done(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(StatusCode::UNPROCESSABLE_ENTITY, &error),
    }
}

async fn about<C: Control>(State(page): Shared<C>) -> Response {
    let sites = page.control.sites().into_iter().map(|site| {
        let events = page.control.events(&site);
        json!({ "tenant": site.tenant, "product": site.product, "baseUrl": site.base_url, "events": events })
    });
    json_of(&json!({
        "app": page.app,
        "url": format!("http://{}", page.address),
        "sites": sites.collect::<Vec<_>>(),
    }))
}

async fn all<C: Control>(State(page): Shared<C>) -> Response {
    json_of(&page.journeys.all().iter().map(|journey| &**journey).collect::<Vec<_>>())
}

async fn one<C: Control>(State(page): Shared<C>, Path(id): Path<String>) -> Response {
    match page.journeys.get(&id) {
        Some(journey) => json_of(&*journey),
        None => failed(StatusCode::NOT_FOUND, "this delivery is not kept any more"),
    }
}

/// Every journey that is kept, then every change; of one request, if the query is its id.
async fn changes<C: Control>(
    State(page): Shared<C>,
    RawQuery(request): RawQuery,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // In this order: what changes in between is sent twice, and nothing is missed.
    let receiver = page.journeys.subscribe();
    let kept = stream::iter(page.journeys.all());
    // A page that is too slow has missed changes: it connects again, and gets all that are kept.
    let later = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.ok().map(|journey| (journey, receiver))
    });
    let mut ended = page.ended.clone();
    let end = Box::pin(async move { while ended.changed().await.is_ok() {} });
    let asked = kept.chain(later).filter(move |journey| {
        ready(request.as_ref().is_none_or(|request| journey.request == *request))
    });
    let events = asked.take_until(end).map(|journey| {
        Ok(Event::default().data(serde_json::to_string(&*journey).unwrap_or_default()))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn sample<C: Control>(
    State(page): Shared<C>,
    Path((tenant, event)): Path<(String, String)>,
) -> Response {
    match page.control.sites().into_iter().find(|site| site.tenant == tenant) {
        Some(site) => page.control.sample(&site, &event).into_response(),
        None => failed(StatusCode::NOT_FOUND, "no site has this client key"),
    }
}

async fn send<C: Control>(State(page): Shared<C>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(webhook) => done(page.control.send(webhook).await),
        Err(error) => failed(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn install<C: Control>(State(page): Shared<C>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(callback) => done(page.control.install(callback).await),
        Err(error) => failed(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn replay<C: Control>(State(page): Shared<C>, Path(id): Path<String>) -> Response {
    match page.journeys.get(&id) {
        Some(journey) => done(page.control.replay(journey).await),
        None => failed(StatusCode::NOT_FOUND, "this delivery is not kept any more"),
    }
}
