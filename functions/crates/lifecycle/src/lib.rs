//! Lifecycle callbacks: from a request to a row in the tenants table, and to an event on a queue if
//! the app has a handler for them.
//!
//! The event follows the row, and the response follows both. If the queue does not take the event,
//! the callback fails, and its repetition sends the event again: recording a callback twice changes
//! nothing. Repetitions of one callback are one event to the handler, because they have the same
//! identity: the tenant, the callback's name, and when its token was signed.
//!
//! An app that moves has an [`existing_server`], which gets the callback between the two.

pub mod existing_server;
pub mod install_keys;

use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::descriptor::Lifecycle;
use atlassian_connect::event::{EventName, LifecycleEvent, Product, Reading};
use atlassian_connect::jwt::{Claims, Untrusted, Unverified};
use atlassian_connect::lifecycle::{Callback, Expected, LifecycleBody, SiteDetails};
use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::ClientKey;
use contract::metric;
use gateway::{Rejection, Request};
use jiff::Timestamp;
use receiver::Enqueue;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use tenants::{
    Find, Install, Installation, MAX_SECRET_LEN, Recorded, SignedAt, Switch, Unavailable, Uninstall,
};

use crate::existing_server::ExistingServer;
use crate::install_keys::{InstallKeys, TooManyUnknownKeys};

/// What the lifecycle function knows of the app.
#[derive(Clone, Debug)]
pub struct App {
    /// Its key.
    pub key: String,
    /// Where its callbacks go.
    pub lifecycle: Lifecycle,
    /// Where its tenants live.
    pub tenant_hosts: Vec<String>,
    /// Further base URLs that an install can be addressed to. While an app moves from one domain
    /// to another, it has two.
    pub other_base_urls: Vec<String>,
    /// The server that recorded callbacks are forwarded to.
    pub existing_server: Option<ExistingServer>,
}

impl App {
    /// The callback that belongs to a path.
    fn callback(&self, path: &str) -> Option<Callback> {
        self.lifecycle.callbacks().find(|(_, url)| *url == path).map(|(callback, _)| callback)
    }
}

/// Authenticates a callback, records it, forwards it to the existing server if there is one, and
/// sends it to the queue if there is one.
///
/// # Errors
///
/// Returns a [`Rejection`] if nothing was written, or if the existing server or the queue did not
/// take the callback after it was recorded.
pub async fn receive<T>(
    call: Request,
    app: &App,
    keys: &InstallKeys,
    tenants: &T,
    queue: Option<&impl Enqueue>,
    now: Timestamp,
) -> Result<(), Rejection>
where
    T: Find + Install + Switch + Uninstall + Sync,
{
    let callback = app
        .callback(call.declared_path())
        .ok_or_else(|| Rejection::UnknownPath { path: call.declared_path().into() })?;
    let id = call.id.clone();
    let claims = authenticate(&call, callback, keys, tenants, now).await;
    let is_atlassians = claims.is_ok() && callback.is_signed_by_atlassian();
    let recorded = match claims {
        Ok(claims) => record(call, callback, &claims, app, tenants, queue, now).await,
        Err(rejection) => Err(rejection),
    };
    // This metric has an alarm, because a site whose install failed sends no webhooks. Other
    // refused requests do not count, because anyone can send them.
    if recorded.as_ref().is_err_and(|rejection| is_atlassians || is_failure(rejection)) {
        tracing::error!(
            metric = metric::INSTALL_REJECTED,
            request.id = id,
            callback = %callback,
            "install rejected"
        );
    }
    recorded
}

/// Whether the rejection is caused by this app or a service that it depends on.
fn is_failure(rejection: &Rejection) -> bool {
    match rejection {
        // The budget of requests was used up by names that anyone can invent.
        Rejection::KeysUnavailable(source) if source.is::<TooManyUnknownKeys>() => false,
        _ => rejection.status().is_server_error(),
    }
}

async fn record(
    call: Request,
    callback: Callback,
    claims: &Claims,
    app: &App,
    tenants: &(impl Install + Switch + Uninstall + Sync),
    queue: Option<&impl Enqueue>,
    now: Timestamp,
) -> Result<(), Rejection> {
    let base_url = call.base_url.clone();
    let (id, deadline) = (call.id.clone(), call.deadline);
    let existing = app.existing_server.as_ref().map(|server| (server, server.forwarded(&call)));
    let text = Zeroizing::new(call.into_text()?);
    let tenancy: LifecycleBody = read(&text)?;
    let base_urls: Vec<&str> =
        std::iter::once(base_url.as_str()).chain(listed(&app.other_base_urls)).collect();
    let hosts: Vec<&str> = listed(&app.tenant_hosts).collect();
    let expected =
        Expected { callback, app_key: &app.key, base_urls: &base_urls, tenant_hosts: &hosts };
    tenancy.check(claims, &expected)?;

    let tenant = tenancy.client_key.clone();
    // Without an `iat`, a replayed callback would be newer than all before it.
    let signed = claims.issued_at().ok_or(Untrusted::MissingIssuedAt)?;
    let at = SignedAt { signed, now };
    let product = Product::parse(&tenancy.product_type);
    let base_url = tenancy.base_url.clone();
    let recorded = match callback {
        Callback::Installed => tenants.install(&installation(tenancy, read(&text)?)?, at).await,
        Callback::Uninstalled => tenants.uninstall(&tenant, at).await,
        Callback::Enabled => tenants.switch(&tenant, true, at).await,
        Callback::Disabled => tenants.switch(&tenant, false, at).await,
    };
    if recorded.map_err(unavailable)? == Recorded::Outdated {
        return Err(Rejection::OutdatedCallback);
    }
    tracing::info!(tenant.key = %tenant, callback = %callback, "tenant recorded");
    // Before the queue: the handler hears of an install that the whole app has taken.
    if let Some((server, forwarded)) = existing {
        server.send(forwarded, &text, deadline).await?;
        tracing::info!(tenant.key = %tenant, callback = %callback, "callback forwarded");
    }
    let Some(queue) = queue else { return Ok(()) };
    // Only now: an uninstall that does not say its product removes the secret all the same.
    let product = product.ok_or_else(unknown_product)?;
    let delivery =
        Delivery { base_url: Some(base_url), ..event(id, callback, product, tenant, at, &text)? };
    let patience = receiver::time_until(deadline).min(runtime::aws::CALL_TIMEOUT);
    receiver::send(&delivery, queue, patience).await
}

/// The event of a recorded callback.
fn event(
    id: String,
    callback: Callback,
    product: Product,
    tenant: ClientKey,
    at: SignedAt,
    text: &str,
) -> Result<Delivery, Rejection> {
    let event = EventName::from(callback.as_str());
    let payload = Payload::from_body(LifecycleEvent::payload_of(text).map_err(malformed)?)?;
    // A repetition has the same token, or one that was signed in the same second. A later callback
    // of the same kind is another event.
    let identifier = format!("{callback} {}", at.signed.as_second());
    Ok(Delivery {
        id,
        product,
        sender: Sender::Connect,
        tenant,
        base_url: None,
        received_at: at.now,
        webhook: Webhook { identifier: Some(identifier), ..Webhook::default() },
        params: [].into(),
        reading: Reading::Unread,
        event,
        payload,
    })
}

/// Verifies the token with the key that the callback requires: Atlassian's or the tenant's.
async fn authenticate(
    call: &Request,
    callback: Callback,
    keys: &InstallKeys,
    tenants: &(impl Find + Sync),
    now: Timestamp,
) -> Result<Claims, Rejection> {
    let token = call.token()?;
    let request = call.signed(call.base_url.path());
    if callback.is_signed_by_atlassian() {
        let token = Unverified::install(token)?.screen(&request, now)?;
        let key = keys.find(&token.key_id()?, now).await?;
        return Ok(token.verify(&key)?);
    }
    let token = Unverified::webhook(token)?.screen(&request, now)?;
    let tenant = tenants.find(token.issuer(), now).await.map_err(unavailable)?;
    let unknown = || Rejection::UnknownTenant { tenant: token.issuer().clone() };
    Ok(tenant.ok_or_else(unknown)?.verify(&token, now)?)
}

/// Reads what only an install has: the product and the secret.
fn installation(
    tenancy: LifecycleBody,
    particulars: SiteDetails,
) -> Result<Installation, Rejection> {
    let product = Product::parse(&tenancy.product_type).ok_or_else(unknown_product)?;
    let secret = tenancy
        .shared_secret
        .filter(|secret| (1..=MAX_SECRET_LEN).contains(&secret.expose().len()))
        .ok_or_else(|| not_a_callback("it has no sharedSecret, or one that is too long"))?;
    let LifecycleBody { client_key: key, base_url, .. } = tenancy;
    Ok(Installation { key, product, secret, base_url, particulars })
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Rejection> {
    serde_json::from_str(text).map_err(malformed)
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn malformed(error: serde_json::Error) -> Rejection {
    not_a_callback(format!("line {}, column {}", error.line(), error.column()))
}

fn unknown_product() -> Rejection {
    not_a_callback("its productType is neither jira nor confluence")
}

fn listed(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(String::as_str)
}

fn not_a_callback(wrong: impl Into<String>) -> Rejection {
    Rejection::NotACallback { wrong: wrong.into() }
}

fn unavailable(error: Unavailable) -> Rejection {
    Rejection::TenantsUnavailable(error.into())
}
