//! Plays Atlassian: serves an install key, installs the app, signs webhooks.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use connect::event::Product;
use connect::jwt::{self, Statement};
use connect::lifecycle::Callback;
use connect::qsh;
use connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A site of a product that has the app installed: a tenant, seen from its own side.
#[derive(Clone, Debug)]
pub struct Site {
    /// The product.
    pub product: Product,
    /// The tenant's key.
    pub client_key: ClientKey,
    /// The secret it signs with.
    pub secret: SharedSecret,
    /// Where it is, as in `https://demo.atlassian.net`.
    pub base_url: String,
}

impl Site {
    /// A new site with a key and a secret that nobody had before.
    pub fn new(product: Product, name: &str) -> Self {
        let path = match product {
            Product::Jira => "",
            Product::Confluence => "/wiki",
        };
        Self {
            product,
            client_key: ClientKey::new(Uuid::new_v4().to_string()).expect("a UUID is a client key"),
            secret: SharedSecret::new(format!("{}{}", Uuid::new_v4(), Uuid::new_v4())),
            base_url: format!("https://{name}.atlassian.net{path}"),
        }
    }

    /// The same site with a new secret, as after a re-install.
    pub fn with_new_secret(&self) -> Self {
        Self { secret: Self::new(self.product, "").secret, ..self.clone() }
    }
}

/// A key of Atlassian's that signs installs.
#[derive(Clone)]
pub struct InstallKey {
    id: String,
    private: Zeroizing<String>,
    public: String,
}

impl InstallKey {
    /// Makes a new RSA key of 2048 bits, which takes a moment.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn generate() -> anyhow::Result<Self> {
        let private = RsaPrivateKey::new(&mut rand::thread_rng(), 2048)
            .context("no RSA key could be made")?;
        let public = RsaPublicKey::from(&private).to_public_key_pem(LineEnding::LF)?;
        let private = private.to_pkcs8_pem(LineEnding::LF)?;
        Ok(Self { id: Uuid::new_v4().to_string(), private, public })
    }

    /// Another key under the same name, as a forger would have.
    ///
    /// # Errors
    ///
    /// As [`InstallKey::generate`].
    pub fn forged(&self) -> anyhow::Result<Self> {
        Ok(Self { id: self.id.clone(), ..Self::generate()? })
    }

    /// Its name: what the key server knows it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, in PEM, as the key server hands it out.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The private half, in PEM, for tokens that Atlassian would never sign.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// Signs a statement with it.
    ///
    /// # Errors
    ///
    /// None in practice: the key is one that this type made.
    pub fn sign(&self, claims: &Statement<'_>) -> anyhow::Result<String> {
        Ok(jwt::sign_install(claims, &self.id, self.private.as_bytes())?)
    }
}

impl std::fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InstallKey({})", self.id)
    }
}

/// Atlassian, as far as an app can tell.
#[derive(Debug)]
pub struct Atlassian {
    client: reqwest::Client,
    keys_url: String,
    key: InstallKey,
    key_server: JoinHandle<()>,
    /// When the last callback of each tenant was signed.
    signed: Mutex<HashMap<ClientKey, i64>>,
}

/// What the app answered to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

/// A webhook to be sent.
#[derive(Clone, Debug)]
pub struct Webhook<'a> {
    /// The app's base URL.
    pub base_url: &'a str,
    /// The declared URL, relative to it, query included.
    pub url: &'a str,
    /// The body.
    pub body: String,
    /// `X-Atlassian-Webhook-Identifier`; Confluence sends none.
    pub identifier: Option<String>,
}

impl Atlassian {
    /// Serves an install key.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(key: InstallKey) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), key).await
    }

    /// Serves an install key on an address that was agreed before.
    ///
    /// # Errors
    ///
    /// When the address is taken.
    pub async fn start_on(address: SocketAddr, key: InstallKey) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let keys_url = format!("http://{}", listener.local_addr()?);
        let known = key.clone();
        let serve = async move |Path(id): Path<String>| {
            if id == known.id { Ok(known.public) } else { Err(StatusCode::NOT_FOUND) }
        };
        let router = Router::new().route("/{key_id}", get(serve));
        let key_server = tokio::spawn(async move {
            // It ends with the task; an error of one connection concerns its client.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { client: client()?, keys_url, key, key_server, signed: Mutex::default() })
    }

    /// Where the install key is served: the template's `InstallKeysUrl`.
    pub fn keys_url(&self) -> &str {
        &self.keys_url
    }

    /// Lets the key server go down.
    pub fn stop_serving_keys(&self) {
        self.key_server.abort();
    }

    /// The client that sends, for requests of one's own.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Makes a lifecycle callback to a URL of the app, signed as Atlassian signs it: RS256 for
    /// `installed` and `uninstalled`, the site's secret for the others.
    ///
    /// No two callbacks of a tenant are of the same second, as when people click: where it has to,
    /// it signs a little ahead of the time.
    ///
    /// # Errors
    ///
    /// When the request got no answer.
    pub async fn call_back(
        &self,
        callback: Callback,
        app_key: &str,
        base_url: &str,
        url: &str,
        site: &Site,
    ) -> anyhow::Result<Answer> {
        let mut body = json!({
            "key": app_key,
            "clientKey": site.client_key,
            "baseUrl": site.base_url,
            "productType": site.product,
            "description": format!("Atlassian {} at {} ", site.product, site.base_url),
            "eventType": callback.as_str(),
        });
        let target = format!("{}{url}", base_url.trim_end_matches('/'));
        let qsh = qsh_of(&target, base_url)?;
        let signed = self.next_second(&site.client_key)?;
        let mut claims = Statement::new(site.client_key.as_str(), &qsh, signed);
        let token = match callback {
            Callback::Installed | Callback::Uninstalled => {
                claims.audience = Some(base_url);
                self.sign_install(&claims)?
            }
            Callback::Enabled | Callback::Disabled => jwt::sign(&claims, &site.secret),
        };
        if callback == Callback::Installed {
            body["sharedSecret"] = site.secret.expose().into();
        }
        self.post(&target, Some(&token), body.to_string(), None).await
    }

    fn next_second(&self, tenant: &ClientKey) -> anyhow::Result<Timestamp> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let last = signed.entry(tenant.clone()).or_default();
        *last = Timestamp::now().as_second().max(*last + 1);
        Ok(Timestamp::from_second(*last)?)
    }

    /// The install key.
    pub fn key(&self) -> &InstallKey {
        &self.key
    }

    /// Signs a statement with the install key.
    ///
    /// # Errors
    ///
    /// As [`InstallKey::sign`].
    pub fn sign_install(&self, claims: &Statement<'_>) -> anyhow::Result<String> {
        self.key.sign(claims)
    }

    /// Sends a webhook as the site's product does.
    ///
    /// # Errors
    ///
    /// When the request got no answer.
    pub async fn send(&self, webhook: Webhook<'_>, site: &Site) -> anyhow::Result<Answer> {
        send(&self.client, webhook, &site.client_key, &site.secret).await
    }

    /// Posts a body with a token of one's own, or with none.
    ///
    /// # Errors
    ///
    /// When the request got no answer.
    pub async fn post(
        &self,
        target: &str,
        token: Option<&str>,
        body: String,
        identifier: Option<&str>,
    ) -> anyhow::Result<Answer> {
        post(&self.client, target, token, body, identifier).await
    }
}

impl Drop for Atlassian {
    fn drop(&mut self) {
        self.key_server.abort();
    }
}

/// A client that sends what Atlassian would: no redirects followed, TLS with the system's roots.
///
/// # Errors
///
/// When the system's certificates cannot be read.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // A second call finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .dns_resolver(Localhost)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()?;
    Ok(client)
}

/// The system's names, and every name below `localhost` as this machine (RFC 6761, section 6.3),
/// which not every system knows.
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

/// Signs and posts one webhook.
///
/// # Errors
///
/// When the request got no answer.
pub async fn send(
    client: &reqwest::Client,
    webhook: Webhook<'_>,
    client_key: &ClientKey,
    secret: &SharedSecret,
) -> anyhow::Result<Answer> {
    let target = format!("{}{}", webhook.base_url.trim_end_matches('/'), webhook.url);
    let qsh = qsh_of(&target, webhook.base_url)?;
    let claims = Statement::new(client_key.as_str(), &qsh, Timestamp::now());
    let token = jwt::sign(&claims, secret);
    post(client, &target, Some(&token), webhook.body, webhook.identifier.as_deref()).await
}

/// The hash of a POST to a URL of the app.
///
/// # Errors
///
/// When the base URL is not one, or the URL's query is malformed.
pub fn qsh_of(target: &str, base_url: &str) -> anyhow::Result<String> {
    let base_path = reqwest::Url::parse(base_url)
        .with_context(|| format!("{base_url} is not a base URL; write it as https://host/path"))?;
    Ok(qsh::Request::of_url("POST", target, base_path.path()).hash()?)
}

async fn post(
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
    let start = Instant::now();
    let response = request.send().await.with_context(|| {
        format!("{target} did not answer; is the base URL right, and reachable?")
    })?;
    let status = response.status();
    let body = response.text().await?;
    Ok(Answer { status, body, took: start.elapsed() })
}
