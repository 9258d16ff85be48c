//! A simulator of Jira and Confluence for a Connect app: signed installs, signed webhooks, and a
//! sample body for every event.

mod client;
mod install_key;
pub mod samples;
mod site;

pub use client::{Answer, Webhook, client, qsh_of, send};
pub use install_key::InstallKey;
pub use site::Site;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::tenant::ClientKey;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use client::post;

/// A simulated Atlassian: a server of install keys, and a client that signs.
#[derive(Debug)]
pub struct Atlassian {
    client: reqwest::Client,
    keys_url: String,
    key: InstallKey,
    key_server: JoinHandle<()>,
    /// When the last callback of each tenant was signed.
    signed: Mutex<HashMap<ClientKey, i64>>,
}

impl Atlassian {
    /// Serves an install key.
    ///
    /// # Errors
    ///
    /// Fails if no port is free.
    pub async fn start(key: InstallKey) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), key).await
    }

    /// Serves an install key on a given address.
    ///
    /// # Errors
    ///
    /// Fails if the address is in use.
    pub async fn start_on(address: SocketAddr, key: InstallKey) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let keys_url = format!("http://{}", listener.local_addr()?);
        let known = key.clone();
        let serve = async move |Path(id): Path<String>| {
            if id == known.id() {
                Ok(known.public().to_owned())
            } else {
                Err(StatusCode::NOT_FOUND)
            }
        };
        let router = Router::new().route("/{key_id}", get(serve));
        let key_server = tokio::spawn(async move {
            // It ends with the task; an error of one connection concerns its client.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { client: client()?, keys_url, key, key_server, signed: Mutex::default() })
    }

    /// The URL of the key server, for the template's parameter `InstallKeysUrl`.
    pub fn keys_url(&self) -> &str {
        &self.keys_url
    }

    /// Stops the key server.
    pub fn stop_serving_keys(&self) {
        self.key_server.abort();
    }

    /// The HTTP client, for other requests.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends a lifecycle callback to a URL of the app, signed as Atlassian signs it: with RS256 for
    /// `installed` and `uninstalled`, with the site's secret for the others.
    ///
    /// No two callbacks of a tenant are signed in the same second, as when people click. If
    /// necessary, the time of signing is a little ahead.
    ///
    /// # Errors
    ///
    /// Fails if the request got no response.
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
        let mut claims = ClaimsToSign::new(site.client_key.as_str(), &qsh, signed);
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

    /// Signs claims with the install key.
    ///
    /// # Errors
    ///
    /// Fails as [`InstallKey::sign`] does.
    pub fn sign_install(&self, claims: &ClaimsToSign<'_>) -> anyhow::Result<String> {
        self.key.sign(claims)
    }

    /// Sends a webhook of a site.
    ///
    /// # Errors
    ///
    /// Fails if the request got no response.
    pub async fn send(&self, webhook: Webhook<'_>, site: &Site) -> anyhow::Result<Answer> {
        send(&self.client, webhook, &site.client_key, &site.secret).await
    }

    /// Posts a body with any token, or without one.
    ///
    /// # Errors
    ///
    /// Fails if the request got no response.
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
