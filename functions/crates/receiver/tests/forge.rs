//! The receiver of Forge events: requests of API Gateway, a key server over HTTP, and a queue in
//! memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use atlassian_connect::delivery::{Delivery, QueueMessage};
use atlassian_connect::event::Product;
use atlassian_forge::event::{LifecycleEvent, PreUninstallEvent, jira};
use atlassian_forge::keys::{FetchKeys, KeyId, KeySet};
use atlassian_forge::token;
use atlassian_hooks_receiver::forge::{Endpoint, ForgeKeys, KeyServer, NoKey, receive};
use atlassian_hooks_receiver::{Enqueue, Refused};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use gateway::{Rejection, Request};
use jiff::Timestamp;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const KID: &str = "forge/invocation-token/wf-0e50fccb-239d-4991-a5db-dc850ba3f236";
const APP: &str = "ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107";
const INSTALLATION: &str = "ari:cloud:ecosystem::installation/0a3a7799-53ae-4a5b-9e7e-03338980abb5";
const API: &str = "https://api.atlassian.com/ex/jira/d0d52620-3203-4cfa-8db5-f2587155f0dd";

static KEY: LazyLock<rsa::RsaPrivateKey> =
    LazyLock::new(|| rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap());

/// A server of a key set, which counts its requests.
#[derive(Default)]
struct Server {
    kids: Mutex<Vec<String>>,
    is_down: AtomicBool,
    requests: AtomicUsize,
}

impl Server {
    async fn start(kids: &[&str]) -> (Arc<Self>, ForgeKeys<KeyServer>) {
        let server = Arc::new(Self::default());
        *server.kids.lock().unwrap() = kids.iter().map(|kid| (*kid).to_owned()).collect();
        let app = Router::new().route("/jwks.json", get(key_set)).with_state(Arc::clone(&server));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = tokio::net::TcpListener::bind(any).await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        (server, ForgeKeys::new(KeyServer::new(url)))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// The key set, with the status of a server that is down if it is.
async fn key_set(State(server): State<Arc<Server>>) -> (StatusCode, String) {
    server.requests.fetch_add(1, Ordering::SeqCst);
    let is_down = server.is_down.load(Ordering::SeqCst);
    let status = if is_down { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    (status, key_set_of(&server.kids.lock().unwrap()))
}

fn key_set_of(kids: &[String]) -> String {
    let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let (n, e) = (number(KEY.n()), number(KEY.e()));
    let keys = kids.iter().map(|kid| json!({"kty": "RSA", "kid": kid, "n": n, "e": e}));
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

/// A key set that takes its time, so that others ask for it meanwhile.
struct Slow(AtomicUsize);

impl FetchKeys for &Slow {
    type Error = runtime::Error;

    async fn fetch(&self) -> Result<KeySet, runtime::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Ok(KeySet::from_json(key_set_of(&[KID.to_owned()]).as_bytes())?)
    }
}

/// A queue in memory, with what SQS would carry.
#[derive(Default)]
struct Queue {
    messages: Mutex<Vec<String>>,
    is_down: AtomicBool,
}

impl Queue {
    fn deliveries(&self) -> Vec<Delivery> {
        let messages = self.messages.lock().unwrap();
        let opened = messages.iter().map(|message| match QueueMessage::open(message).unwrap() {
            QueueMessage::Delivery(delivery) => delivery,
            QueueMessage::ObjectRef(_) => panic!("nothing was stored"),
        });
        opened.collect()
    }
}

impl Enqueue for &Queue {
    async fn enqueue(&self, delivery: &Delivery, _: Duration) -> Result<String, Refused> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Refused::Unavailable("down".into()));
        }
        self.messages.lock().unwrap().push(delivery.to_message());
        Ok("message".into())
    }
}

fn claims() -> Value {
    json!({
        "iss": token::ISSUER, "aud": APP, "iat": NOW, "nbf": NOW, "exp": NOW + 25,
        "app": {
            "id": APP, "appVersion": "2.0.0", "installationId": INSTALLATION, "apiBaseUrl": API,
            "environment": {"type": "PRODUCTION"},
            "module": {"type": token::ENDPOINT_MODULE, "key": "issue-changed"},
        },
    })
}

fn sign(claims: &Value, kid: &str) -> String {
    let pem = KEY.to_pkcs1_pem(LineEnding::LF).unwrap();
    token::sign(claims, kid, pem.as_bytes()).unwrap()
}

/// A request as API Gateway hands it over.
fn call(authorization: &str, body: &str) -> Request {
    let event = json!({
        "rawPath": "/forge/issue-changed",
        "headers": { "authorization": authorization, "content-type": "application/json" },
        "requestContext": {
            "domainName": "hooks.example.com", "stage": "$default", "http": { "method": "POST" },
        },
        "body": body,
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    Request::from_event(&event.to_string(), "id", deadline, None).unwrap()
}

fn endpoint(events: &[&str]) -> Endpoint {
    json!({"app": APP, "key": "issue-changed", "events": events}).to_string().parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

async fn send(
    keys: &ForgeKeys<KeyServer>,
    queue: &Queue,
    events: &[&str],
    body: &str,
) -> Result<(), (u16, &'static str)> {
    let call = call(&format!("Bearer {}", sign(&claims(), KID)), body);
    outcome(receive(call, &endpoint(events), keys, &queue, at(0)).await)
}

fn outcome(received: Result<(), Rejection>) -> Result<(), (u16, &'static str)> {
    received.map_err(|rejection| (rejection.status().as_u16(), rejection.reason()))
}

const EVENT: &str = "avi:jira:updated:issue";
const BODY: &str = r#"{"eventType":"avi:jira:updated:issue","timestamp":"1795428000123",
    "selfGenerated":false,"issue":{"id":"10421","key":"TEA-7"}}"#;

#[tokio::test]
async fn queues_what_a_handler_reads() {
    let (_, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    assert_eq!(send(&keys, &queue, &[EVENT], BODY).await, Ok(()));
    let delivery = queue.deliveries().remove(0);
    assert_eq!(delivery.event.as_str(), EVENT);
    assert_eq!(delivery.tenant.as_str(), INSTALLATION);
    assert_eq!(delivery.product, Product::Jira);
    assert_eq!(delivery.payload.as_str(), BODY);
    assert_eq!(delivery.webhook.retry, None);
    let delivery = delivery.read::<jira::IssueEvent>().unwrap();
    assert_eq!(delivery.payload.issue.key, "TEA-7");
}

#[tokio::test]
async fn gives_every_attempt_the_same_identity() {
    let (_, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    let mut again: Value = serde_json::from_str(BODY).unwrap();
    again["retryContext"] =
        json!({"retryCount": 1, "retryReason": "TIMEOUT_ERROR", "retryData": null});
    let wrapped = json!({ "payload": again });
    for body in [BODY.to_owned(), again.to_string(), wrapped.to_string()] {
        assert_eq!(send(&keys, &queue, &[EVENT], &body).await, Ok(()));
    }
    let deliveries = queue.deliveries();
    let identities: Vec<_> = deliveries.iter().map(Delivery::identity).collect();
    assert!(identities[0].starts_with("forge ") && identities[0].len() == 6 + 64);
    assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");
    let retries: Vec<_> = deliveries.iter().map(|d| d.webhook.retry.as_deref()).collect();
    assert_eq!(retries, [None, Some("1"), Some("1")]);
    // The handler gets the event, whatever it was wrapped in.
    assert_eq!(deliveries[2].payload.as_str(), again.to_string());
}

#[tokio::test]
async fn refuses_what_is_not_to_be_trusted_and_fetches_nothing_for_it() {
    let (server, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    let with = |change: fn(&mut Value)| {
        let mut claims = claims();
        change(&mut claims);
        format!("Bearer {}", sign(&claims, KID))
    };
    let rows = [
        ("".into(), "no_token"),
        (format!("JWT {}", sign(&claims(), KID)), "no_token"),
        ("Bearer a.b.c".into(), "malformed_token"),
        (format!("Bearer {}", sign(&claims(), "../k")), "malformed_token"),
        (with(|c| c["aud"] = "ari:cloud:ecosystem::app/other".into()), "other_app"),
        (with(|c| c["app"]["module"]["key"] = "other".into()), "other_endpoint"),
        (with(|c| c["app"]["module"]["type"] = "jira:issuePanel".into()), "user"),
        (with(|c| c["principal"] = "5b10".into()), "user"),
        (with(|c| c["exp"] = (NOW - 11).into()), "expired"),
        (with(|c| c["nbf"] = (NOW + 11).into()), "not_yet_valid"),
        (with(|c| c["icLabel"] = "orange".into()), "malformed_token"),
    ];
    for (authorization, reason) in rows {
        let call = call(&authorization, BODY);
        let received = receive(call, &endpoint(&[EVENT]), &keys, &&queue, at(0)).await;
        assert_eq!(outcome(received), Err((401, reason)), "{authorization}");
    }
    assert_eq!((server.requests(), queue.deliveries().len()), (0, 0));
    // The scheme is written in any case, and the same token is trusted once it is right.
    let call = call(&format!("bearer {}", sign(&claims(), KID)), BODY);
    assert!(receive(call, &endpoint(&[EVENT]), &keys, &&queue, at(0)).await.is_ok());
    assert_eq!((server.requests(), queue.deliveries().len()), (1, 1));
}

#[tokio::test]
async fn finds_a_new_key_and_fetches_for_an_invented_one_once_a_minute() {
    let (server, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    let send = async |kid: &str, seconds: i64| {
        let mut claims = claims();
        for name in ["iat", "nbf", "exp"] {
            claims[name] = (claims[name].as_i64().unwrap() + seconds).into();
        }
        let call = call(&format!("Bearer {}", sign(&claims, kid)), BODY);
        outcome(receive(call, &endpoint(&[EVENT]), &keys, &&queue, at(seconds)).await)
    };
    assert_eq!(send(KID, 0).await, Ok(()));
    for seconds in [0, 1, 59] {
        assert_eq!(send(&format!("invented/{seconds}"), seconds).await, Err((401, "unknown_key")));
    }
    assert_eq!(server.requests(), 1);
    server.kids.lock().unwrap().push("new".into());
    assert_eq!(send("new", 60).await, Ok(()));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn asks_for_another_attempt_while_the_key_set_cannot_be_fetched() {
    let (server, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    server.is_down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(send(&keys, &queue, &[EVENT], BODY).await, Err((503, "key_set_unavailable")));
    }
    assert_eq!(server.requests(), 1);
    server.is_down.store(false, Ordering::SeqCst);
    let again = call(&format!("Bearer {}", sign(&claims(), KID)), BODY);
    assert!(receive(again, &endpoint(&[EVENT]), &keys, &&queue, at(5)).await.is_ok());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn fetches_once_for_a_hundred_first_events() {
    let slow = Slow(AtomicUsize::new(0));
    let keys = ForgeKeys::new(&slow);
    let queue = Queue::default();
    let token = format!("Bearer {}", sign(&claims(), KID));
    let endpoint = endpoint(&[EVENT]);
    let to = &queue;
    let events = (0..100).map(|_| receive(call(&token, BODY), &endpoint, &keys, &to, at(0)));
    let answers = futures_util::future::join_all(events).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((slow.0.load(Ordering::SeqCst), queue.deliveries().len()), (1, 100));
}

/// Lambda can end an invocation at any moment.
#[tokio::test]
async fn lets_others_go_on_after_a_fetch_that_was_cut_off() {
    let slow = Slow(AtomicUsize::new(0));
    let keys = ForgeKeys::new(&slow);
    let id = KeyId::new(KID).unwrap();
    let mut cut_off = Box::pin(keys.find(&id, at(0)));
    assert!((&mut cut_off).now_or_never().is_none());
    let mut waiting = Box::pin(keys.find(&id, at(1)));
    assert!((&mut waiting).now_or_never().is_none());
    drop(cut_off);
    assert!(matches!(waiting.await, Err(NoKey::Unavailable(_))));
    assert!(keys.find(&id, at(5)).await.is_ok());
    assert_eq!(slow.0.load(Ordering::SeqCst), 2);
}

/// The events of the endpoint, a body, and what comes of it.
type Row<'a> = (&'a [&'a str], &'a str, Result<(), (u16, &'a str)>);

#[tokio::test]
async fn takes_the_events_of_its_endpoint_and_no_others() {
    let (_, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    let installed = "avi:forge:installed:app";
    let life = [EVENT, installed];
    let nameless = r#"{"id":"0a3a7799","app":{"id":"8db33809","version":"2.0.0"}}"#;
    let goodbye = r#"{"context":{"cloudId":"d0d5","moduleKey":"bye"},"contextToken":"t"}"#;
    let rows: &[Row<'_>] = &[
        (&["avi:jira:created:issue"], BODY, Err((400, "undeclared_event"))),
        (&[], BODY, Err((400, "undeclared_event"))),
        (&[EVENT], "", Err((400, "undeclared_event"))),
        (&[EVENT], "{}", Err((400, "undeclared_event"))),
        (&life, "", Err((400, "undeclared_event"))),
        (&life, "{", Err((400, "not_json"))),
        (&[EVENT], "nonsense", Err((400, "not_json"))),
        (&[installed, "preUninstall"], nameless, Err((400, "ambiguous_event"))),
        (
            &["avi:compass:updated:component"],
            r#"{"eventType":"avi:compass:updated:component"}"#,
            Err((400, "other_product")),
        ),
        (&life, nameless, Ok(())),
        (&["preUninstall", EVENT], goodbye, Ok(())),
        (&["avi:jira:new:thing"], r#"{"eventType":"avi:jira:new:thing"}"#, Ok(())),
        (
            &["avi:bitbucket:push:repository"],
            r#"{"eventType":"avi:bitbucket:push:repository"}"#,
            Ok(()),
        ),
    ];
    for (events, body, expected) in rows {
        assert_eq!(send(&keys, &queue, events, body).await, *expected, "{events:?} {body}");
    }
    let mut deliveries = queue.deliveries().into_iter();
    let mut next = || deliveries.next().unwrap();
    let installed = next().read::<LifecycleEvent>().unwrap();
    assert_eq!(installed.payload.app.version.as_deref(), Some("2.0.0"));
    let goodbye = next().read::<PreUninstallEvent>().unwrap();
    assert_eq!(goodbye.payload.context.module_key.as_deref(), Some("bye"));
    let unknown = next();
    assert_eq!((unknown.reading.as_str(), unknown.product), ("unknown", Product::Jira));
    assert_eq!(next().product, Product::Bitbucket);
}

#[tokio::test]
async fn asks_for_another_attempt_if_the_queue_does_not_answer() {
    let (_, keys) = Server::start(&[KID]).await;
    let queue = Queue::default();
    queue.is_down.store(true, Ordering::SeqCst);
    assert_eq!(send(&keys, &queue, &[EVENT], BODY).await, Err((503, "queue_unavailable")));
}
