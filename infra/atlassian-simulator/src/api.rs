//! The REST API of the simulated sites: the comments of issues, for the apps that are installed there.
//!
//! A request is answered as its site would: by the host it names, after its token was verified. Every
//! issue exists. Requests for anything but comments get 404.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlassian_connect::impersonation::{AUTHORIZATION_SERVER, Assertion, GRANT_TYPE, TOKEN_PATH};
use atlassian_connect::jwt::Unverified;
use atlassian_connect::qsh;
use atlassian_connect::tenant::ClientKey;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::Site;

/// The API of all sites, and the authorization server. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Api(Arc<Shared>);

/// A request to the API of a site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// The base URL of the site.
    pub site: String,
    /// The HTTP method.
    pub method: String,
    /// The path below the base URL.
    pub path: String,
    /// Who sent it.
    pub caller: Caller,
    /// The HTTP status that it was answered with.
    pub status: StatusCode,
}

/// The sender of a request to the API of a site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// The app, by a token that the secret of the site has signed.
    App,
    /// A user, by an access token. The account id.
    User(String),
    /// Nobody the site knows. What is wrong with the token.
    Stranger(&'static str),
}

/// What a site does instead of answering a request as usual. A GET is always answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disturbance {
    /// Does nothing, and answers with 429. `Retry-After` has this many seconds.
    TooManyRequests {
        /// The value of `Retry-After`.
        retry_after: u32,
    },
    /// Does what was asked, and never answers.
    NoAnswer,
}

#[derive(Debug)]
struct Shared {
    served: Mutex<Served>,
    calls: broadcast::Sender<Call>,
}

#[derive(Debug, Default)]
struct Served {
    installs: HashMap<ClientKey, Install>,
    /// Tenants and users by their access tokens.
    tokens: HashMap<String, (ClientKey, String)>,
    /// Comments by tenant and issue.
    comments: HashMap<(ClientKey, String), Vec<Value>>,
    disturbances: VecDeque<Disturbance>,
    calls: Vec<Call>,
}

/// An app on a site.
#[derive(Clone, Debug)]
struct Install {
    app_key: String,
    site: Site,
}

/// What a site answers.
type Answer = (StatusCode, HeaderMap, Value);

impl Api {
    pub(crate) fn new() -> Self {
        let calls = broadcast::channel(1000).0;
        Self(Arc::new(Shared { served: Mutex::default(), calls }))
    }

    /// Serves requests to any host and path.
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }

    /// Lets an app call a site, and returns what it could call before.
    pub(crate) fn install(&self, app_key: &str, site: &Site) -> Before {
        let install = Install { app_key: app_key.to_owned(), site: site.clone() };
        let key = site.client_key.clone();
        Before(key.clone(), self.0.served().installs.insert(key, install))
    }

    /// Undoes an install.
    pub(crate) fn restore(&self, Before(key, before): Before) {
        let installs = &mut self.0.served().installs;
        match before {
            Some(install) => installs.insert(key, install),
            None => installs.remove(&key),
        };
    }

    pub(crate) fn uninstall(&self, key: &ClientKey) {
        let mut served = self.0.served();
        served.installs.remove(key);
        served.tokens.retain(|_, (tenant, _)| tenant != key);
    }

    pub(crate) fn disturb(&self, disturbances: impl IntoIterator<Item = Disturbance>) {
        self.0.served().disturbances.extend(disturbances);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.served().calls.clone()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Call> {
        self.0.calls.subscribe()
    }

    pub(crate) fn comments(&self, tenant: &ClientKey, issue: &str) -> Vec<Value> {
        let comments = &self.0.served().comments;
        comments.get(&(tenant.clone(), issue.to_owned())).cloned().unwrap_or_default()
    }
}

/// The install that another one replaced.
pub(crate) struct Before(ClientKey, Option<Install>);

async fn serve(State(Api(shared)): State<Api>, head: Parts, body: Bytes) -> Response {
    let text = |name: HeaderName| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    };
    let host = text(HOST);
    if Some(host) == AUTHORIZATION_SERVER.strip_prefix("https://") && head.uri.path() == TOKEN_PATH
    {
        return shared.served().grant(&body);
    }
    match shared.answer(&head, host, text(AUTHORIZATION), &body) {
        Some((status, headers, body)) => {
            let json = [(CONTENT_TYPE, "application/json")];
            (status, json, headers, body.to_string()).into_response()
        }
        None => std::future::pending().await,
    }
}

impl Shared {
    /// The answer to a request; `None` if there never is one.
    fn answer(&self, head: &Parts, host: &str, authorization: &str, body: &[u8]) -> Option<Answer> {
        let mut served = self.served();
        let Some((install, path)) = served.at(host, head.uri.path()) else {
            let why = "no simulated site with the app has this host";
            return Some(error(StatusCode::NOT_FOUND, why));
        };
        let caller = served.caller(&install, head, authorization);
        let disturbance = match caller {
            Caller::App | Caller::User(_) if head.method != Method::GET => {
                served.disturbances.pop_front()
            }
            _ => None,
        };
        let (status, headers, body) = match (&caller, disturbance) {
            (Caller::Stranger(why), _) => error(StatusCode::UNAUTHORIZED, why),
            (_, Some(Disturbance::TooManyRequests { retry_after })) => {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, retry_after.into())]);
                (StatusCode::TOO_MANY_REQUESTS, headers, json!({}))
            }
            _ => served.resource(&install, head, &path, body),
        };
        let method = head.method.to_string();
        let call = Call { site: install.site.base_url, method, path, caller, status };
        served.calls.push(call.clone());
        // Nobody may be listening.
        let _ = self.calls.send(call);
        (disturbance != Some(Disturbance::NoAnswer)).then_some((status, headers, body))
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// The app on the site that a URL belongs to, and the path below the site's base URL.
    fn at(&self, host: &str, path: &str) -> Option<(Install, String)> {
        let url = format!("https://{host}{path}");
        let below = |install: &Install| {
            let path = url.strip_prefix(&install.site.base_url)?;
            path.starts_with('/').then(|| path.to_owned())
        };
        // A Confluence is below the URL of the Jira beside it.
        let found = self.installs.values().filter_map(|install| Some((install, below(install)?)));
        let (install, path) = found.min_by_key(|(_, path)| path.len())?;
        Some((install.clone(), path))
    }

    fn caller(&self, install: &Install, head: &Parts, authorization: &str) -> Caller {
        let Install { app_key, site } = install;
        if let Some(token) = authorization.strip_prefix("Bearer ") {
            return match self.tokens.get(token) {
                Some((tenant, user)) if *tenant == site.client_key => Caller::User(user.clone()),
                _ => Caller::Stranger("the access token is not one of this site"),
            };
        }
        let Some(token) = authorization.strip_prefix("JWT ") else {
            return Caller::Stranger("it has neither a JWT nor a bearer token");
        };
        let base_path = site.product.base_path();
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let request = qsh::Request { method: head.method.as_str(), path, query, base_path };
        let Ok(token) = Unverified::webhook(token) else {
            return Caller::Stranger("the JWT cannot be read");
        };
        let Ok(token) = token.screen(&request, Timestamp::now()) else {
            return Caller::Stranger("qsh, exp or iat of the JWT is not that of this request");
        };
        match token.verify(&site.secret) {
            Ok(claims) if claims.issuer() == app_key => Caller::App,
            Ok(_) => Caller::Stranger("the issuer of the JWT is not the key of the app"),
            Err(_) => Caller::Stranger("the secret of this site has not signed the JWT"),
        }
    }

    fn resource(&mut self, install: &Install, head: &Parts, path: &str, body: &[u8]) -> Answer {
        let Install { app_key, site } = install;
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let ["rest", "api", version @ ("2" | "3"), "issue", issue, "comment"] = segments[..] else {
            let advice = "the simulator serves the comments of issues alone; test other calls with \
                          atlassian_hooks::testing::FakeSite";
            return error(StatusCode::NOT_FOUND, advice);
        };
        let at = (site.client_key.clone(), issue.to_owned());
        let comments = self.comments.entry(at).or_default();
        match head.method.as_str() {
            "GET" => {
                let mut shown = comments.clone();
                if head.uri.query().unwrap_or_default().contains("orderBy=-created") {
                    shown.reverse();
                }
                let total = shown.len();
                let page = json!({
                    "startAt": 0, "maxResults": total, "total": total, "comments": shown,
                });
                (StatusCode::OK, HeaderMap::new(), page)
            }
            "POST" => {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                // A document of Atlassian's in version 3, wiki markup in version 2.
                let is_text = if version == "3" { Value::is_object } else { Value::is_string };
                let Some(text) = body.get("body").filter(|body| is_text(body)) else {
                    return error(StatusCode::BAD_REQUEST, "Comment body is not valid!");
                };
                let id = (10_100 + comments.len()).to_string();
                let comment = json!({
                    "self": format!("{}{path}/{id}", site.base_url),
                    "id": id,
                    "author": { "accountType": "app", "displayName": app_key },
                    "body": text,
                    "created": Timestamp::now().to_string(),
                });
                comments.push(comment.clone());
                (StatusCode::CREATED, HeaderMap::new(), comment)
            }
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST"),
        }
    }

    /// Exchanges an assertion for an access token.
    fn grant(&mut self, form: &[u8]) -> Response {
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(form).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let granted = self.installs.values().find_map(|Install { site, .. }| {
            let assertion = Assertion::verify(field("assertion"), &site.secret)?;
            let client = site.oauth_client_id();
            let user = assertion.account_id(&client, &site.base_url, Timestamp::now())?;
            Some((site.client_key.clone(), user.to_owned()))
        });
        let Some(user) = granted.filter(|_| field("grant_type") == GRANT_TYPE) else {
            let error = json!({ "error": "invalid_grant" }).to_string();
            return (StatusCode::BAD_REQUEST, error).into_response();
        };
        let token = Uuid::new_v4().to_string();
        self.tokens.insert(token.clone(), user);
        let granted = json!({ "access_token": token, "expires_in": 900, "token_type": "Bearer" });
        granted.to_string().into_response()
    }
}

fn error(status: StatusCode, why: &str) -> Answer {
    (status, HeaderMap::new(), json!({ "errorMessages": [why], "errors": {} }))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use atlassian_connect::event::Product;
    use atlassian_connect::jwt::{self, ClaimsToSign};
    use atlassian_connect::tenant::SharedSecret;
    use tokio::net::TcpListener;

    use super::*;

    const COMMENTS: &str = "/rest/api/2/issue/A-1/comment";

    struct Client {
        api: Api,
        url: String,
        http: reqwest::Client,
    }

    impl Client {
        async fn new() -> Self {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let api = Api::new();
            let router = api.router();
            tokio::spawn(async move { axum::serve(listener, router).await });
            Self { api, url, http: crate::client().unwrap() }
        }

        /// Posts a comment to the site that a base URL names.
        async fn comment(&self, base_url: &str, authorization: String) -> (u16, Value) {
            let url = reqwest::Url::parse(base_url).unwrap();
            let path = url.path().trim_end_matches('/');
            let request = self.http.post(format!("{}{path}{COMMENTS}", self.url));
            let request = request.header("host", url.host_str().unwrap());
            let request = request.header("authorization", authorization);
            let response = request.body(r#"{"body":"Seen."}"#).send().await.unwrap();
            let status = response.status().as_u16();
            (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
        }
    }

    fn signed(issuer: &str, path: &str, secret: &SharedSecret) -> String {
        let hash = qsh::Request::of_url("POST", path, "").hash().unwrap();
        format!("JWT {}", jwt::sign(&ClaimsToSign::new(issuer, &hash, Timestamp::now()), secret))
    }

    #[tokio::test]
    async fn knows_the_app_by_secret_key_and_request() {
        let client = Client::new().await;
        let [jira, wiki] =
            [Product::Jira, Product::Confluence].map(|product| Site::new(product, "demo"));
        for site in [&jira, &wiki] {
            client.api.install("app", site);
        }
        let good = || signed("app", COMMENTS, &jira.secret);
        let (status, comment) = client.comment(&jira.base_url, good()).await;
        assert_eq!((status, &comment["body"]), (201, &json!("Seen.")));
        assert_eq!(client.api.comments(&jira.client_key, "A-1"), [comment]);
        for (site, token) in [
            (&jira, String::new()),
            (&jira, signed("app", COMMENTS, &wiki.secret)),
            (&jira, signed("other", COMMENTS, &jira.secret)),
            (&jira, signed("app", "/rest/api/2/myself", &jira.secret)),
            (&wiki, good()),
        ] {
            assert_eq!(client.comment(&site.base_url, token).await.0, 401);
        }
        assert_eq!(client.comment("https://other.atlassian.net", good()).await.0, 404);
        client.api.uninstall(&jira.client_key);
        assert_eq!(client.comment(&jira.base_url, good()).await.0, 404);
        let callers: Vec<Caller> = client.api.calls().into_iter().map(|call| call.caller).collect();
        assert_eq!(callers[0], Caller::App);
        assert!(callers[1..].iter().all(|caller| matches!(caller, Caller::Stranger(_))));
    }

    #[tokio::test]
    async fn grants_a_token_of_a_user_for_one_site() {
        let client = Client::new().await;
        let [site, other] = ["demo", "other"].map(|name| Site::new(Product::Jira, name));
        client.api.install("app", &site);
        client.api.install("app", &other);
        let now = Timestamp::now();
        let grant = async |secret: &SharedSecret| {
            let id = site.oauth_client_id();
            let assertion = Assertion::new(&id, "mia", &site.base_url, now).sign(secret);
            let form = [("grant_type", GRANT_TYPE), ("assertion", &assertion)];
            let request = client.http.post(format!("{}{TOKEN_PATH}", client.url));
            let host = AUTHORIZATION_SERVER.trim_start_matches("https://");
            let body =
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let response = request.header("host", host).body(body).send().await.unwrap();
            serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap()
        };
        assert_eq!(grant(&other.secret).await["error"], "invalid_grant");
        let granted = grant(&site.secret).await;
        let bearer = || format!("Bearer {}", granted["access_token"].as_str().unwrap());
        assert_eq!(client.comment(&site.base_url, bearer()).await.0, 201);
        assert_eq!(client.comment(&other.base_url, bearer()).await.0, 401);
        assert_eq!(client.api.calls()[0].caller, Caller::User("mia".into()));
    }

    #[tokio::test]
    async fn is_disturbed_once_for_each_time_it_was_told() {
        let client = Client::new().await;
        let site = Site::new(Product::Jira, "demo");
        client.api.install("app", &site);
        let good = || signed("app", COMMENTS, &site.secret);
        client.api.disturb([Disturbance::TooManyRequests { retry_after: 1 }]);
        // A stranger is no part of the story.
        assert_eq!(client.comment(&site.base_url, String::new()).await.0, 401);
        assert_eq!(client.comment(&site.base_url, good()).await.0, 429);
        assert_eq!(client.comment(&site.base_url, good()).await.0, 201);
        assert_eq!(client.api.comments(&site.client_key, "A-1").len(), 1);
    }
}
