//! The client that sends webhooks and lifecycle callbacks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atlassian_connect::event::Product;
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::qsh;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use axum::http::StatusCode;
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use uuid::Uuid;

/// A webhook to send.
#[derive(Clone, Debug)]
pub struct Webhook<'a> {
    /// The app's base URL.
    pub base_url: &'a str,
    /// The declared URL with its query, relative to the base URL.
    pub url: &'a str,
    /// The body.
    pub body: String,
    /// `X-Atlassian-Webhook-Identifier`; Confluence sends none.
    pub identifier: Option<String>,
}

impl Webhook<'_> {
    /// A new identifier, if webhooks of the product have one.
    pub fn identifier(product: Product) -> Option<String> {
        (product == Product::Jira).then(|| Uuid::new_v4().to_string())
    }
}

/// The response of the app.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
    /// The id that API Gateway gave the request, which is in its access log.
    pub request_id: Option<String>,
    /// The duration of the request.
    pub took: Duration,
}

/// An HTTP client like Atlassian's: it follows no redirects, and trusts the system's root
/// certificates.
///
/// # Errors
///
/// Fails if the system's certificates cannot be read.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // On a second call the provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .dns_resolver(Localhost)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()?;
    Ok(client)
}

/// Signs and posts one webhook.
///
/// # Errors
///
/// Fails if the request got no response.
pub async fn send(
    client: &reqwest::Client,
    webhook: Webhook<'_>,
    client_key: &ClientKey,
    secret: &SharedSecret,
) -> anyhow::Result<Answer> {
    let target = format!("{}{}", webhook.base_url.trim_end_matches('/'), webhook.url);
    let qsh = qsh_of(&target, webhook.base_url)?;
    let claims = ClaimsToSign::new(client_key.as_str(), &qsh, Timestamp::now());
    let token = jwt::sign(&claims, secret);
    post(client, &target, Some(&token), webhook.body, webhook.identifier.as_deref()).await
}

/// The query string hash of a POST to a URL of the app.
///
/// # Errors
///
/// Fails if the base URL is not valid, or the query is malformed.
pub fn qsh_of(target: &str, base_url: &str) -> anyhow::Result<String> {
    let base_path = reqwest::Url::parse(base_url)
        .with_context(|| format!("{base_url} is not a base URL; write it as https://host/path"))?;
    Ok(qsh::Request::of_url("POST", target, base_path.path()).hash()?)
}

/// Posts a body with or without a token.
pub(crate) async fn post(
    client: &reqwest::Client,
    target: &str,
    token: Option<&str>,
    body: String,
    identifier: Option<&str>,
) -> anyhow::Result<Answer> {
    let mut request = client.post(target).header("content-type", "application/json").body(body);
    if let Some(token) = token {
        request = request.header("authorization", format!("JWT {token}"));
    }
    if let Some(identifier) = identifier {
        request = request
            .header("x-atlassian-webhook-identifier", identifier)
            .header("x-atlassian-webhook-flow", "Primary");
    }
    answer_of(request, target, Instant::now()).await
}

/// Sends a request, and reads the whole response.
pub(crate) async fn answer_of(
    request: reqwest::RequestBuilder,
    target: &str,
    start: Instant,
) -> anyhow::Result<Answer> {
    let response = request
        .send()
        .await
        .with_context(|| format!("{target} did not answer; check the base URL and the network"))?;
    let status = response.status();
    let request_id = response.headers().get("apigw-requestid");
    let request_id = request_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let body = response.text().await?;
    Ok(Answer { status, body, request_id, took: start.elapsed() })
}

/// A resolver that uses the system's, and resolves every name below `localhost` to this machine
/// (RFC 6761, section 6.3), which not every system does.
#[derive(Debug)]
struct Localhost;

impl Resolve for Localhost {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let host = if host.ends_with(".localhost") { "127.0.0.1" } else { host };
            // The port is the URL's, whatever stands here.
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
