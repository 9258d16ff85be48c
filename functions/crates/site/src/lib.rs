//! The REST API of a tenant's site, for handlers.
//!
//! A handler that the configuration lets call a product (`calls: [jira]`) makes [`Sites`] as its
//! state, and gets a [`Client`] for the site of each delivery:
//!
//! ```no_run
//! # use atlassian_connect::delivery::Delivery;
//! # use handler::{Error, Runner};
//! # use atlassian_hooks_site::Sites;
//! # use serde_json::json;
//! async fn handle(delivery: Delivery, sites: Sites) -> Result<(), Error> {
//!     let site = sites.of(&delivery);
//!     site.post("/rest/api/2/issue/DEMO-1/comment").json(&json!({ "body": "Seen." })).send().await?;
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Runner::new().run_with(Sites::from_env, handle)
//! }
//! ```
//!
//! Requests are signed as the app: a JWT with the tenant's secret and the hash of the request.
//! [`Client::as_user`] sends them as a user instead, with an access token.
//!
//! Only paths of the tenant's own site can be requested, and redirects are not followed, so no other
//! server gets a token. The base URL comes from the tenants table, and never from a message.

mod error;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
mod target;
mod tokens;

pub use error::Error;
pub use target::segment;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlassian_connect::delivery::Delivery;
use atlassian_connect::impersonation::{AUTHORIZATION_SERVER, Assertion, GRANT_TYPE, TOKEN_PATH};
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::tenant::ClientKey;
use contract::variable;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, HeaderName, Method};
use jiff::Timestamp;
use runtime::environment::{optional, required};
use runtime::https;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tenants::{Cached, Find, Secrets, Table, Tenant, Unavailable};
use zeroize::Zeroizing;

use target::Target;
use tokens::Tokens;

/// The sites of all tenants of the app. A handler's state: each clone shares the tenants that were
/// read, the connections and the access tokens.
#[derive(Clone)]
pub struct Sites(Arc<Inner>);

struct Inner {
    app_key: String,
    tenants: Cached<Store>,
    http: https::Client,
    /// A simulated Atlassian, where all requests go instead.
    simulated: Option<String>,
    tokens: Tokens,
}

/// Prints no tenant and no token.
impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sites").field("app_key", &self.0.app_key).finish_non_exhaustive()
    }
}

impl Sites {
    /// The timeout of a request, with its response.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The maximum length of a response body, in bytes.
    pub const MAX_BODY: usize = 5 * 1024 * 1024;

    /// The sites in the tenants table, by the variables that the template sets for a handler that
    /// declares `calls`.
    ///
    /// # Errors
    ///
    /// Fails if one of the variables is missing.
    pub async fn from_env() -> Result<Self, runtime::Error> {
        let undeclared = |error| {
            format!("{error}. For a handler, its entry in infra/atlassian-hooks.yaml needs `calls`")
        };
        let app_key = required(variable::APP_KEY).map_err(undeclared)?;
        let table = required(variable::TENANTS_TABLE).map_err(undeclared)?;
        let aws = runtime::aws::config()?;
        let secrets = Secrets::new(&aws, optional(variable::TENANTS_KEY), &app_key);
        let table = Table::for_callers(&aws, table, secrets);
        table.warm_up().await;
        Ok(Self::new(app_key, Store::Table(Box::new(table)), optional(variable::ATLASSIAN_URL)))
    }

    fn new(app_key: String, tenants: Store, simulated: Option<String>) -> Self {
        Self(Arc::new(Inner {
            app_key,
            tenants: Cached::new(tenants),
            http: https::Client::new(Self::TIMEOUT).max_body(Self::MAX_BODY),
            simulated,
            tokens: Tokens::default(),
        }))
    }

    /// The site that sent a delivery.
    pub fn of<T>(&self, delivery: &Delivery<T>) -> Client {
        self.tenant(&delivery.tenant)
    }

    /// The site of a tenant.
    pub fn tenant(&self, tenant: &ClientKey) -> Client {
        Client { sites: self.clone(), tenant: tenant.clone(), user: None }
    }
}

/// Where tenants come from.
enum Store {
    Table(Box<Table>),
    #[cfg(any(test, feature = "testing"))]
    Fake(Arc<fake::Installed>),
}

impl Find for Store {
    async fn find(&self, key: &ClientKey, now: Timestamp) -> Result<Option<Tenant>, Unavailable> {
        match self {
            Self::Table(table) => table.find(key, now).await,
            #[cfg(any(test, feature = "testing"))]
            Self::Fake(installed) => Ok(installed.find(key)),
        }
    }
}

/// A client of one site's REST API, as the app or as a user.
#[derive(Clone, Debug)]
pub struct Client {
    sites: Sites,
    tenant: ClientKey,
    user: Option<String>,
}

impl Client {
    /// The same site with the permissions of a user, by the Atlassian account id. The descriptor needs
    /// the scope `ACT_AS_USER`.
    ///
    /// The access token is kept until it expires. It has all scopes of the app.
    #[must_use]
    pub fn as_user(&self, account_id: impl Into<String>) -> Self {
        Self { user: Some(account_id.into()), ..self.clone() }
    }

    /// A GET request.
    pub fn get(&self, path: impl Into<String>) -> Request {
        self.request(Method::GET, path)
    }

    /// A POST request.
    pub fn post(&self, path: impl Into<String>) -> Request {
        self.request(Method::POST, path)
    }

    /// A PUT request.
    pub fn put(&self, path: impl Into<String>) -> Request {
        self.request(Method::PUT, path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: impl Into<String>) -> Request {
        self.request(Method::DELETE, path)
    }

    /// A request with any method.
    ///
    /// The path begins with a slash and may have a query, as in `/rest/api/3/search?maxResults=5`. For
    /// Confluence it may begin with `/wiki` or not. What comes from a payload goes through [`segment`]
    /// or [`Request::query`] first.
    pub fn request(&self, method: Method, path: impl Into<String>) -> Request {
        Request {
            client: self.clone(),
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Ok(Vec::new()),
        }
    }
}

/// A request to a site. [`Request::send`] sends it.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Result<Vec<u8>, serde_json::Error>,
}

impl Request {
    /// Adds a parameter to the query, and encodes it.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        let (name, value) = (target::encoded(name), target::encoded(&value.to_string()));
        self.path.push_str(&format!("{separator}{name}={value}"));
        self
    }

    /// Sets a header, such as `X-Atlassian-Token` for an upload. `Authorization` and `Host` are set by
    /// [`Request::send`].
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets a JSON body.
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body);
        Self { body, ..self.header(CONTENT_TYPE, HeaderValue::from_static("application/json")) }
    }

    /// Sets a body of another type, for which a header `Content-Type` belongs.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Ok(body.into()), ..self }
    }

    /// Sends the request, and returns a response with a status from 200 to 299.
    ///
    /// If the site refuses the secret or the access token, they are read or requested again, and the
    /// request is sent once more.
    ///
    /// # Errors
    ///
    /// Returns an [`Error`] for any other status, and if there is no response. Returned from the
    /// handler with `?`, it says whether the event is attempted again: after the site's `Retry-After`,
    /// not at all for a tenant that uninstalled the app, and like any other error in all other cases.
    pub async fn send(self) -> Result<Response, Error> {
        let sites = &*self.client.sites.0;
        let key = &self.client.tenant;
        let not_installed = || Error::not_installed(key);
        let tenant = sites.tenants.get(key, Timestamp::now()).await?;
        let tenant = tenant.ok_or_else(not_installed)?;
        match self.attempt(sites, &tenant).await {
            Err(Error::Unauthorized { .. }) => {}
            result => return result,
        }
        // The install may have brought a new secret since the tenant was read, and the token is older.
        if let Some(user) = &self.client.user {
            sites.tokens.forget(key, user);
        }
        let tenant = sites.tenants.get_again(key, Timestamp::now()).await?;
        let tenant = tenant.ok_or_else(not_installed)?;
        self.attempt(sites, &tenant).await
    }

    async fn attempt(&self, sites: &Inner, tenant: &Tenant) -> Result<Response, Error> {
        let name = self.name();
        let base_url = tenant.base_url.as_deref().unwrap_or_default();
        let target = Target::new(base_url, &self.path, &self.client.tenant)?;
        let authorization = match &self.client.user {
            Some(user) => {
                let token = self.access_token(sites, tenant, user).await?;
                Zeroizing::new(format!("Bearer {}", *token))
            }
            None => {
                let hash = target.hash(self.method.as_str())?;
                let claims = ClaimsToSign::new(&sites.app_key, &hash, Timestamp::now());
                Zeroizing::new(format!("JWT {}", jwt::sign(&claims, &tenant.secret)))
            }
        };
        let mut headers = self.headers.clone();
        let mut secret = HeaderValue::from_str(&authorization).map_err(|_| {
            Error::no_answer(
                &name,
                "the token cannot be a header; install the app on the site again",
            )
        })?;
        secret.set_sensitive(true);
        headers.insert(AUTHORIZATION, secret);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let body = match &self.body {
            Ok(body) => body.clone(),
            Err(error) => return Err(Error::no_answer(&name, format!("no JSON body: {error}"))),
        };
        let url = (target.origin(), target.path_and_query());
        let answer = sites.send(self.method.clone(), url, headers, body, &name).await?;
        if (200..300).contains(&answer.status) {
            return Ok(Response { request: name, answer });
        }
        Err(Error::of(name, &self.method, self.client.user.is_some(), &answer, Timestamp::now()))
    }

    /// The access token of a user, from the cache or the authorization server.
    async fn access_token(
        &self,
        sites: &Inner,
        tenant: &Tenant,
        user: &str,
    ) -> Result<Zeroizing<String>, Error> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: Zeroizing<String>,
            expires_in: u32,
        }
        let key = &self.client.tenant;
        let now = Timestamp::now();
        if let Some(token) = sites.tokens.find(key, user, now) {
            return Ok(token);
        }
        let (Some(client), Some(base_url)) = (&tenant.oauth_client_id, &tenant.base_url) else {
            return Err(Error::NoOauthClient { tenant: key.clone() });
        };
        let assertion = Assertion::new(client, user, base_url, now).sign(&tenant.secret);
        let form = format!("grant_type={}&assertion={assertion}", target::encoded(GRANT_TYPE));
        let mut headers = HeaderMap::new();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form_type);
        let name = format!("POST {AUTHORIZATION_SERVER}{TOKEN_PATH}");
        let url = (AUTHORIZATION_SERVER, TOKEN_PATH);
        let mut answer = sites.send(Method::POST, url, headers, form.into(), &name).await?;
        if answer.status != 200 {
            return Err(Error::of_exchange(name, key, &answer, now));
        }
        let body = Zeroizing::new(std::mem::take(&mut answer.body));
        let granted: Granted = serde_json::from_slice(&body)
            // Without the text, which quotes the body.
            .map_err(|_| Error::no_answer(&name, "the response has no access token"))?;
        let until = now + Duration::from_secs(granted.expires_in.into());
        sites.tokens.keep(key, user, &granted.access_token, until, now);
        Ok(granted.access_token)
    }

    /// The method and the path, for errors. A query can contain what a user wrote.
    fn name(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {}", self.method, error::plain(path, 200))
    }
}

impl Inner {
    /// Sends a request to an origin, or to the simulated Atlassian with the host of the origin.
    async fn send(
        &self,
        method: Method,
        (origin, path): (&str, &str),
        mut headers: HeaderMap,
        body: Vec<u8>,
        name: &str,
    ) -> Result<https::Answer, Error> {
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let (_, host) = origin.split_once("://").unwrap_or_default();
        headers.insert(
            HOST,
            HeaderValue::from_str(host).map_err(|error| Error::no_answer(name, error))?,
        );
        let server = self.simulated.as_deref().unwrap_or(origin).trim_end_matches('/');
        let request = http::Request::builder().method(method).uri(format!("{server}{path}"));
        let mut request = request.body(body).map_err(|error| Error::no_answer(name, error))?;
        *request.headers_mut() = headers;
        self.http.send(request).await.map_err(|error| Error::no_answer(name, error))
    }
}

const AGENT: &str = concat!("atlassian-hooks/", env!("CARGO_PKG_VERSION"));

/// A response with a status from 200 to 299.
pub struct Response {
    request: String,
    answer: https::Answer,
}

/// Prints no body.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.answer.status;
        f.debug_struct("Response").field("status", &status).finish_non_exhaustive()
    }
}

impl Response {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// A header, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.answer.body
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Json`] if the body is not what the type needs.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.bytes()).map_err(|error| Error::Json {
            request: self.request.clone(),
            line: error.line(),
            column: error.column(),
        })
    }
}
