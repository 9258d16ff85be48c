//! A simulator of Forge: a key set, invocation tokens, and events that are sent to a remote.
//!
//! What it sends is what Atlassian documents, and where two pages of the documentation differ, either
//! can be chosen. It was never compared with a live site.

mod installation;
mod outgoing;
pub mod samples;
mod signing_key;

pub use installation::Installation;
pub use outgoing::{Endpoint, MAX_RETRIES, Outgoing};
pub use signing_key::SigningKey;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use atlassian_connect::event::EventName;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client::{Answer, answer_of};

/// The path of the key set on the server.
pub const KEY_SET_PATH: &str = "/.well-known/jwks.json";

/// A simulated Forge. A clone is the same.
#[derive(Clone, Debug)]
pub struct Forge {
    client: reqwest::Client,
    key_set_url: String,
    served: Arc<Mutex<Served>>,
}

#[derive(Debug, Default)]
struct Served {
    /// The last one signs.
    keys: Vec<SigningKey>,
    is_down: bool,
    requests: usize,
}

impl Forge {
    /// A Forge whose key set is served at a base URL, without a key. Whoever has its key can send
    /// with another one.
    pub fn new(client: reqwest::Client, base_url: &str) -> Self {
        let key_set_url = format!("{base_url}{KEY_SET_PATH}");
        Self { client, key_set_url, served: Arc::default() }
    }

    /// Serves the key set.
    pub(crate) fn router(&self) -> Router {
        Router::new().route(KEY_SET_PATH, get(key_set)).with_state(Arc::clone(&self.served))
    }

    /// The URL of the key set, for the template's parameter `KeySetUrl`.
    pub fn key_set_url(&self) -> &str {
        &self.key_set_url
    }

    /// Signs with a new key from now on. The key set still has the older ones.
    pub fn rotate(&self, key: SigningKey) {
        self.lock().keys.push(key);
    }

    /// Removes all keys but the one that signs from the key set.
    pub fn withdraw_old_keys(&self) {
        let keys = &mut self.lock().keys;
        let old = keys.len().saturating_sub(1);
        keys.drain(..old);
    }

    /// Answers requests of the key set with 503, or no longer.
    pub fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
    }

    /// How many times the key set was requested.
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    /// The key that signs, if there is one yet.
    pub fn key(&self) -> Option<SigningKey> {
        self.lock().keys.last().cloned()
    }

    /// Signs claims with the newest key.
    ///
    /// # Errors
    ///
    /// Fails if there is no key yet.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        self.key().context("Forge has no key to sign with; give it one with `rotate`")?.sign(claims)
    }

    /// An event on its way to an endpoint. Nothing is sent until its first attempt.
    pub fn event<'a>(
        &'a self,
        installation: &'a Installation,
        endpoint: Endpoint<'a>,
        body: Value,
    ) -> Outgoing<'a> {
        Outgoing::new(self, installation, endpoint, body)
    }

    /// A sample of an event, with new ids and a new time, and those of the installation. An event
    /// that is not known has a body that says no more than that it happened.
    pub fn sample(installation: &Installation, event: &EventName) -> Value {
        let now = Timestamp::now();
        samples::fresh(event, installation, now).unwrap_or_else(|| {
            let time = now.as_millisecond().to_string();
            json!({ "eventType": event, "timestamp": time, "selfGenerated": false })
        })
    }

    /// Posts a body to a URL with the headers of Forge, with any `Authorization` or without one.
    ///
    /// # Errors
    ///
    /// Fails if the request got no response.
    pub async fn post(
        &self,
        target: &str,
        authorization: Option<&str>,
        body: String,
    ) -> anyhow::Result<Answer> {
        let span = rand::random::<u64>();
        let mut request = self
            .client
            .post(target)
            .header(CONTENT_TYPE, "application/json")
            .header("x-b3-traceid", format!("{:032x}", rand::random::<u128>()))
            .header("x-b3-spanid", format!("{span:016x}"))
            .body(body);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        answer_of(request, target, Instant::now()).await
    }

    fn lock(&self) -> MutexGuard<'_, Served> {
        lock(&self.served)
    }
}

async fn key_set(State(served): State<Arc<Mutex<Served>>>) -> Response {
    let mut served = lock(&served);
    served.requests += 1;
    if served.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys: Vec<&Value> = served.keys.iter().map(SigningKey::public).collect();
    ([(CONTENT_TYPE, "application/json")], json!({ "keys": keys }).to_string()).into_response()
}

fn lock(served: &Mutex<Served>) -> MutexGuard<'_, Served> {
    served.lock().unwrap_or_else(PoisonError::into_inner)
}
