//! A simulator of Jira and Confluence for a Connect app: signed installs, signed webhooks, a sample
//! body for every event, and the REST API of the sites that have the app. [`forge`] is the same for
//! a Forge app: a key set, invocation tokens, and events. [`signed`] sends what a product signs with a
//! secret.

mod api;
mod client;
pub mod forge;
mod install_key;
pub mod samples;
pub mod signed;
mod site;

pub use api::{Call, Caller, Disturbance};
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
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use api::Api;
use client::post;
use forge::Forge;

/// A simulated Atlassian: a server of install keys and of the sites' API, and a client that signs.
#[derive(Debug)]
pub struct Atlassian {
    client: reqwest::Client,
    url: String,
    key: InstallKey,
    api: Api,
    forge: Forge,
    server: JoinHandle<()>,
    /// When the last callback of each tenant was signed.
    signed: Mutex<HashMap<ClientKey, i64>>,
}

impl Atlassian {
    /// Serves an install key and the sites.
    ///
    /// # Errors
    ///
    /// Fails if no port is free.
    pub async fn start(key: InstallKey) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), key).await
    }

    /// Serves an install key and the sites on a given address.
    ///
    /// # Errors
    ///
    /// Fails if the address is in use.
    pub async fn start_on(address: SocketAddr, key: InstallKey) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let known = key.clone();
        let serve = async move |Path(id): Path<String>| {
            if id == known.id() {
                Ok(known.public().to_owned())
            } else {
                Err(StatusCode::NOT_FOUND)
            }
        };
        let api = Api::new();
        // No resource of a site has a path of one segment.
        let client = client()?;
        let forge = Forge::new(client.clone(), &url);
        let router = Router::new().route("/{key_id}", get(serve));
        let router = router.merge(forge.router()).merge(api.router());
        let server = tokio::spawn(async move {
            // It ends with the task; an error of one connection concerns its client.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { client, url, key, api, forge, server, signed: Mutex::default() })
    }

    /// The URL of the server, for the template's parameters `InstallKeysUrl` and `AtlassianUrl`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The simulated Forge.
    pub fn forge(&self) -> &Forge {
        &self.forge
    }

    /// Lets an app call a site that has it from an earlier run. [`Atlassian::call_back`] does it for
    /// an install.
    pub fn has_installed(&self, app_key: &str, site: &Site) {
        self.api.install(app_key, site);
    }

    /// The requests to sites that have the app, so far.
    pub fn calls(&self) -> Vec<Call> {
        self.api.calls()
    }

    /// The requests to sites that have the app, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Call> {
        self.api.subscribe()
    }

    /// The comments of an issue that were created through the API, oldest first.
    pub fn comments(&self, site: &Site, issue: &str) -> Vec<Value> {
        self.api.comments(&site.client_key, issue)
    }

    /// Disturbs the next requests to sites, one each. A GET is not disturbed.
    pub fn disturb(&self, disturbances: impl IntoIterator<Item = Disturbance>) {
        self.api.disturb(disturbances);
    }

    /// Stops the server.
    pub fn stop_serving(&self) {
        self.server.abort();
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
            "oauthClientId": site.oauth_client_id(),
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
        // Before the response: the app may call the site as soon as it has the secret.
        let before = (callback == Callback::Installed).then(|| self.api.install(app_key, site));
        let answer = self.post(&target, Some(&token), body.to_string(), None).await;
        let is_accepted = answer.as_ref().is_ok_and(|answer| answer.status.is_success());
        match before {
            Some(before) if !is_accepted => self.api.restore(before),
            None if callback == Callback::Uninstalled => self.api.uninstall(&site.client_key),
            _ => {}
        }
        answer
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
        self.server.abort();
    }
}
