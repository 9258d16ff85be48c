//! A fake site for the tests of a handler: an HTTP server in the test's own process.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlassian_connect::event::Product;
use atlassian_connect::impersonation::{AUTHORIZATION_SERVER, Assertion, GRANT_TYPE, TOKEN_PATH};
use atlassian_connect::jwt::Unverified;
use atlassian_connect::qsh;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use tenants::Tenant;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Sites, Store};

/// A site that verifies what it is asked, and answers from a table.
///
/// It belongs to the tenant whose deliveries `testing::delivery` makes. A request that is not signed
/// as Atlassian requires gets 401, and one that the table does not list gets 404.
#[derive(Debug)]
pub struct FakeSite {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    product: Product,
    installed: Arc<Installed>,
    state: Mutex<Served>,
}

#[derive(Debug, Default)]
struct Served {
    answers: HashMap<(String, String), VecDeque<Answer>>,
    requests: Vec<Received>,
    /// The users by their access tokens.
    tokens: HashMap<String, String>,
    exchanges: usize,
    token_lifetime: Option<u32>,
}

/// The tenant of the site as the tenants table has it, which may be behind what the site knows.
#[derive(Debug)]
pub(crate) struct Installed {
    table: Mutex<Option<Tenant>>,
    site: Mutex<SharedSecret>,
}

impl Installed {
    pub(crate) fn find(&self, key: &ClientKey) -> Option<Tenant> {
        lock(&self.table).clone().filter(|_| key.as_str() == TENANT)
    }
}

/// A request that the fake site answered, and that was signed as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// The HTTP method.
    pub method: String,
    /// The path below the base URL, as it was sent.
    pub path: String,
    /// The query, as it was sent; empty if there is none.
    pub query: String,
    /// The account id of the user it was sent as; `None` for the app.
    pub user: Option<String>,
    /// The body.
    pub body: String,
}

/// What the fake site answers.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    /// An empty answer with a status.
    pub fn status(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: String::new() }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: serde_json::Value) -> Self {
        let answer = Self::status(status).header("content-type", "application/json");
        Self { body: body.to_string(), ..answer }
    }

    /// The same with a header.
    ///
    /// # Panics
    ///
    /// Panics if it is not a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a name of a header, such as retry-after");
        let value: HeaderValue = value.parse().expect("a value of a header, such as 7");
        self.headers.insert(name, value);
        self
    }
}

impl FakeSite {
    /// Starts the fake site of a product.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub async fn start(product: Product) -> Self {
        let (base_url, secret) = (base_url(product).to_owned(), SharedSecret::new("fake-secret-1"));
        let tenant = Tenant {
            product,
            base_url: Some(base_url),
            oauth_client_id: Some(OAUTH_CLIENT.into()),
            secret: secret.clone(),
            previous: None,
        };
        let installed = Installed { table: Mutex::new(Some(tenant)), site: Mutex::new(secret) };
        let shared =
            Arc::new(Shared { product, installed: installed.into(), state: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, shared, server }
    }

    /// The sites as a handler gets them in its state: this one.
    pub fn sites(&self) -> Sites {
        let store = Store::Fake(Arc::clone(&self.shared.installed));
        Sites::new(APP_KEY.into(), store, Some(self.url.clone()))
    }

    /// Answers requests with this method and path, in this order. The last answer is repeated.
    pub fn answers(&self, method: &str, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let place = (method.to_owned(), path.to_owned());
        lock(&self.shared.state).answers.insert(place, answers.into_iter().collect());
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.shared.state).requests.clone()
    }

    /// How many access tokens were granted.
    pub fn exchanges(&self) -> usize {
        lock(&self.shared.state).exchanges
    }

    /// Sets for how many seconds access tokens are granted from now on: 900 by default.
    pub fn grants_tokens_for(&self, seconds: u32) {
        lock(&self.shared.state).token_lifetime = Some(seconds);
    }

    /// Takes back all access tokens.
    pub fn revokes_tokens(&self) {
        lock(&self.shared.state).tokens.clear();
    }

    /// Changes the secret, as a new install does.
    pub fn changes_secret(&self, secret: &str) {
        self.changes_secret_unnoticed(secret);
        if let Some(tenant) = &mut *lock(&self.shared.installed.table) {
            tenant.secret = SharedSecret::new(secret);
        }
    }

    /// Changes the secret without an `installed` callback that was recorded.
    pub fn changes_secret_unnoticed(&self, secret: &str) {
        *lock(&self.shared.installed.site) = SharedSecret::new(secret);
    }

    /// Removes the app from the site.
    pub fn uninstalls(&self) {
        self.changes_secret_unnoticed("");
        *lock(&self.shared.installed.table) = None;
    }
}

impl Drop for FakeSite {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, head: Parts, body: Bytes) -> Response {
    let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    if AUTHORIZATION_SERVER.ends_with(host) && head.uri.path() == TOKEN_PATH {
        return shared.grant(&body);
    }
    let refused = |why: &str| (StatusCode::UNAUTHORIZED, why.to_owned()).into_response();
    let base_url = base_url(shared.product);
    let path = (!host.is_empty()).then(|| format!("https://{host}{}", head.uri.path()));
    let path = path.as_deref().and_then(|url| url.strip_prefix(base_url));
    let Some(path) = path.filter(|path| path.starts_with('/')) else {
        return refused("it is not below the base URL of this site");
    };
    let user = match shared.signer(&head) {
        Ok(user) => user,
        Err(why) => return refused(why),
    };
    let method = head.method.to_string();
    let mut state = lock(&shared.state);
    state.requests.push(Received {
        method: method.clone(),
        path: path.to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        user,
        body,
    });
    let answer = state.answers.get_mut(&(method, path.to_owned())).and_then(|answers| {
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    });
    let none = || Answer::json(404, json!({ "errorMessages": ["the fake site has no answer"] }));
    let Answer { status, headers, body } = answer.unwrap_or_else(none);
    let status = StatusCode::from_u16(status).expect("a test answers with an HTTP status");
    (status, headers, body).into_response()
}

impl Shared {
    /// The user that a request is sent as, or none for the app.
    fn signer(&self, head: &Parts) -> Result<Option<String>, &'static str> {
        let header = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let header = header.ok_or("it has no token")?;
        if let Some(token) = header.strip_prefix("Bearer ") {
            let users = &lock(&self.state).tokens;
            return users.get(token).cloned().map(Some).ok_or("the access token is unknown");
        }
        let token = header.strip_prefix("JWT ").ok_or("the scheme is neither JWT nor Bearer")?;
        let base_path = self.product.base_path();
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let request = qsh::Request { method: head.method.as_str(), path, query, base_path };
        let token = Unverified::webhook(token).map_err(|_| "the token is not one")?;
        let token = token.screen(&request, Timestamp::now()).map_err(|_| "qsh, exp or iat")?;
        let claims = token.verify(&lock(&self.installed.site)).map_err(|_| "the signature")?;
        if claims.issuer() == APP_KEY { Ok(None) } else { Err("the issuer is not the app") }
    }

    /// Exchanges an assertion for an access token.
    fn grant(&self, form: &str) -> Response {
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let assertion = Assertion::verify(field("assertion"), &lock(&self.installed.site))
            .filter(|_| field("grant_type") == GRANT_TYPE);
        let user = assertion.as_ref().and_then(|assertion| {
            assertion.account_id(OAUTH_CLIENT, base_url(self.product), Timestamp::now())
        });
        let Some(user) = user else {
            let error = json!({ "error": "invalid_grant", "assertion": form.get("assertion") });
            return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
        };
        let mut state = lock(&self.state);
        state.exchanges += 1;
        let token = format!("fake-access-token-{}", state.exchanges);
        state.tokens.insert(token.clone(), user.to_owned());
        let expires_in = state.token_lifetime.unwrap_or(900);
        let token =
            json!({ "access_token": token, "expires_in": expires_in, "token_type": "Bearer" });
        token.to_string().into_response()
    }
}

/// The base URL of the site.
pub fn base_url(product: Product) -> &'static str {
    match product {
        Product::Jira => "https://test.atlassian.net",
        Product::Confluence => "https://test.atlassian.net/wiki",
        Product::Bitbucket => "https://bitbucket.org",
    }
}

/// The client key of the site.
pub const TENANT: &str = "test";

const APP_KEY: &str = "com.example.test";
const OAUTH_CLIENT: &str = "test-client";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
