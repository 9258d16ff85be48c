//! The demo sites of a local stack, the demo installations of its Forge app, the demo tenants that sign
//! their webhooks, and what somebody can do with them.

mod signed;
mod sites;

pub(crate) use signed::undeclared;
pub use signed::{signed_events, signed_url_of};
pub use sites::DemoSite;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::tenant::SharedSecret;
use atlassian_simulator::forge::{Forge, Installation, SigningKey};
use atlassian_simulator::samples::{fresh, renew};
use atlassian_simulator::signed::SignedTenant;
use atlassian_simulator::{Answer, Atlassian, Site, qsh_of};
use contract::variable;
use inspector::{Control, Declared, Handlers, Install, Journey, Journeys, Tampering};
use jiff::Timestamp;
use reqwest::StatusCode;
use sam_template_runner::Stack;
use sam_template_runner::deployment::Deployment;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::dead_letters::{Filter, Pair, Queues, Replay, replay};
use crate::session::{LocalForge, LocalTenants, Published, Session};

/// The demo sites of a local stack. A clone is the same sites.
#[derive(Clone, Debug)]
pub struct Demo {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    declared: Declared,
    installations: Vec<Installation>,
    signed: Vec<SignedTenant>,
    atlassian: Atlassian,
    base_url: String,
    sqs: String,
    page: String,
    tenants: Option<LocalTenants>,
    queues: Vec<Pair>,
    opened: Vec<DemoSite>,
    sites: Mutex<Vec<Site>>,
    state: Option<PathBuf>,
    session: Mutex<Option<Published>>,
}

/// The page of a local stack, before it is served.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    url: String,
}

impl Page {
    /// Binds a port on loopback; 0 takes any free one.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use.
    pub async fn bind(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
            format!("port {port} is in use; choose another with --page-port, or 0")
        })?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url })
    }

    /// The addresses of a stack and this page.
    pub fn beside(&self, stack: &Stack) -> Addresses {
        Addresses {
            base_url: stack.url().into(),
            sqs: stack.sqs_endpoint().into(),
            page: self.url.clone(),
            tenants: LocalTenants::of(stack),
        }
    }

    /// Serves the page until the process ends, and returns its URL with what it shows.
    pub fn serve(self, stack: &Stack, demo: &Demo, base_path: &str) -> (String, Journeys) {
        let handlers = Handlers::of(stack.deployment());
        let declared = demo.declared();
        let app = declared.app().to_owned();
        let journeys = Journeys::new(declared.clone(), handlers, base_path);
        let (following, exchanges, lines) =
            (journeys.clone(), stack.exchanges(), stack.subscribe());
        tokio::spawn(async move { following.follow(exchanges, lines).await });
        let (shown, demo) = (journeys.clone(), demo.clone());
        let never = std::future::pending();
        tokio::spawn(inspector::serve(self.listener, shown, demo, app, never));
        (self.url, journeys)
    }
}

/// Where a local stack can be reached.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The app's base URL.
    pub base_url: String,
    /// The SQS service.
    pub sqs: String,
    /// The page of the inspector.
    pub page: String,
    /// The table of tenants.
    pub tenants: Option<LocalTenants>,
}

impl Demo {
    /// The sites that are kept in the folder of the state, or these new ones. A Forge app also gets
    /// new installations, which have nothing that could be kept, and URLs of signed webhooks new secrets.
    ///
    /// # Errors
    ///
    /// Fails if the folder of the state cannot be read or written, or the system has no random numbers.
    pub fn open(
        declared: impl Into<Declared>,
        atlassian: Atlassian,
        addresses: Addresses,
        deployment: &Deployment,
        sites: Vec<Site>,
        state: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let Addresses { base_url, sqs, page, tenants } = addresses;
        let queues = pairs(deployment);
        let opened = sites::open(state, sites)?;
        let sites = Mutex::new(opened.iter().map(|demo| demo.site.clone()).collect());
        let declared = declared.into();
        let installations = installations(&declared);
        let signed = signed::tenants(&declared)?;
        let inner = Inner {
            declared,
            installations,
            signed,
            atlassian,
            base_url,
            sqs,
            page,
            tenants,
            queues,
            opened,
            sites,
            state: state.map(Path::to_owned),
            session: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the app declares.
    pub fn declared(&self) -> &Declared {
        &self.inner.declared
    }

    /// The installations of a Forge app. There are none of another app.
    pub fn installations(&self) -> &[Installation] {
        &self.inner.installations
    }

    /// The tenants that sign their webhooks, one of each declared kind.
    pub fn signed(&self) -> &[SignedTenant] {
        &self.inner.signed
    }

    /// The sites as they were opened.
    pub fn opened(&self) -> &[DemoSite] {
        &self.inner.opened
    }

    /// The sites as they are now.
    pub fn sites(&self) -> Vec<Site> {
        self.lock().clone()
    }

    /// The simulated Atlassian.
    pub fn atlassian(&self) -> &Atlassian {
        &self.inner.atlassian
    }

    /// Writes the addresses and the sites to the session that other commands read.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn publish(&self) -> anyhow::Result<()> {
        let published = self.session().publish()?;
        *self.published() = Some(published);
        Ok(())
    }

    /// Removes the session.
    pub fn close(&self) {
        self.published().take();
    }

    /// Whether the app knows a site and its secret. If so, it may call the site.
    ///
    /// A webhook without a body finds out. It is refused anyway: as one that cannot be read if it
    /// comes from a tenant, and as one that is not trusted otherwise.
    ///
    /// # Errors
    ///
    /// Fails if the request got no answer.
    pub async fn is_installed(&self, site: &Site) -> anyhow::Result<bool> {
        let Inner { declared, atlassian, base_url, .. } = &*self.inner;
        let Some(webhook) = declared.webhooks().first() else { return Ok(false) };
        let empty = atlassian_simulator::Webhook {
            base_url,
            url: &webhook.url,
            body: String::new(),
            identifier: None,
        };
        let is_installed = atlassian.send(empty, site).await?.status == StatusCode::BAD_REQUEST;
        if is_installed {
            atlassian.has_installed(declared.app(), site);
        }
        Ok(is_installed)
    }

    /// Sends the callback `installed` or `uninstalled` of a site.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor declares no URL for it, or the request got no answer.
    pub async fn call_back(&self, callback: Callback, site: &Site) -> anyhow::Result<Answer> {
        let Inner { declared, atlassian, base_url, .. } = &*self.inner;
        let mut urls = declared.descriptor.iter().flat_map(|one| one.lifecycle.callbacks());
        let url = urls.find(|(declared, _)| *declared == callback);
        let (_, url) = url.with_context(|| {
            format!("the descriptor has no lifecycle.{callback}; run `cargo hooks check`")
        })?;
        atlassian.call_back(callback, declared.app(), base_url, url, site).await
    }

    /// Sends a webhook of a site, or one that is not to be trusted.
    ///
    /// # Errors
    ///
    /// Fails if the app does not declare the event, or the request got no answer.
    pub async fn send(
        &self,
        site: &Site,
        event: &EventName,
        body: String,
        tampering: Tampering,
    ) -> anyhow::Result<Answer> {
        let Inner { declared, atlassian, base_url, .. } = &*self.inner;
        let webhook = declared.webhooks().iter().find(|webhook| webhook.event == *event);
        let webhook = webhook.with_context(|| {
            format!("the descriptor does not declare {event}; `cargo hooks add {event}` does")
        })?;
        let target = format!("{base_url}{}", webhook.url);
        let now = Timestamp::now();
        let (signed, target_of_token) = match tampering {
            Tampering::Expired => (now - jiff::SignedDuration::from_hours(1), target.clone()),
            Tampering::WrongQsh => (now, format!("{base_url}/another-url")),
            _ => (now, target.clone()),
        };
        let qsh = match tampering {
            Tampering::Browser => CONTEXT_QSH.to_owned(),
            _ => qsh_of(&target_of_token, base_url)?,
        };
        let claims = ClaimsToSign::new(site.client_key.as_str(), &qsh, signed);
        let token = match tampering {
            Tampering::NoToken => None,
            Tampering::WrongSecret => {
                Some(jwt::sign(&claims, &SharedSecret::new(Uuid::new_v4().to_string())))
            }
            _ => Some(jwt::sign(&claims, &site.secret)),
        };
        let identifier = atlassian_simulator::Webhook::identifier(site.product);
        atlassian.post(&target, token.as_deref(), body, identifier.as_deref()).await
    }

    /// Sends an event of an installation to the endpoint that the manifest declares for it, or one
    /// that is not to be trusted.
    ///
    /// # Errors
    ///
    /// Fails if the manifest sends the event to no endpoint, or the request got no answer.
    pub async fn invoke(
        &self,
        installation: &Installation,
        event: &EventName,
        body: String,
        tampering: Tampering,
    ) -> anyhow::Result<Answer> {
        let Inner { declared, atlassian, base_url, .. } = &*self.inner;
        let forge = atlassian.forge();
        let (key, path) = endpoint_of(declared, event)?;
        let now = Timestamp::now();
        let claims = match tampering {
            Tampering::Expired => {
                installation.event_claims(key, now - jiff::SignedDuration::from_hours(1))
            }
            Tampering::WrongQsh => installation.event_claims("another-endpoint", now),
            Tampering::Browser => installation.browser_claims(key, now),
            _ => installation.event_claims(key, now),
        };
        let token = match tampering {
            Tampering::NoToken => None,
            Tampering::WrongSecret => {
                let stranger = tokio::task::spawn_blocking(SigningKey::generate).await??;
                let id = forge.key().map_or_else(SigningKey::new_id, |key| key.id().to_owned());
                Some(SigningKey::from_pem(&id, stranger.private())?.sign(&claims)?)
            }
            _ => Some(forge.sign(&claims)?),
        };
        let authorization = token.map(|token| format!("Bearer {token}"));
        forge.post(&format!("{base_url}{path}"), authorization.as_deref(), body).await
    }

    /// The installation with this id.
    fn installation(&self, tenant: &str) -> Option<&Installation> {
        self.inner.installations.iter().find(|installation| installation.id == tenant)
    }

    /// The site with this client key.
    fn site(&self, tenant: &str) -> anyhow::Result<Site> {
        let sites = self.lock();
        let site = sites.iter().find(|site| site.client_key.as_str() == tenant);
        site.cloned().with_context(|| format!("no demo site has the client key {tenant}"))
    }

    async fn install_again(&self, install: &Install) -> anyhow::Result<()> {
        if self.installation(&install.tenant).is_some() {
            bail!("an installation of Forge has no secret to renew; send it a lifecycle event");
        }
        if self.signed_tenant(&install.tenant).is_some() {
            bail!(
                "a tenant that signs its webhooks installs nothing; `cargo hooks tenants` has its secret"
            );
        }
        let site = self.site(&install.tenant)?;
        if install.uninstall {
            return accepted(self.call_back(Callback::Uninstalled, &site).await?);
        }
        let site = site.with_new_secret();
        accepted(self.call_back(Callback::Installed, &site).await?)?;
        if let Some(known) =
            self.lock().iter_mut().find(|known| known.client_key == site.client_key)
        {
            *known = site;
        }
        sites::keep(self.inner.state.as_deref(), &self.sites())?;
        match &mut *self.published() {
            Some(published) => published.replace(&self.session()),
            None => Ok(()),
        }
    }

    fn session(&self) -> Session {
        let Inner { base_url, sqs, page, tenants, .. } = &*self.inner;
        let session = Session::new(base_url, sqs, page, &self.sites());
        let key = self.inner.atlassian.forge().key();
        let key = key.filter(|_| !self.inner.installations.is_empty());
        let forge = key.map(|key| LocalForge::new(&key, &self.inner.installations));
        session.with_tenants(tenants.clone()).with_forge(forge).with_signed(&self.inner.signed)
    }

    fn published(&self) -> MutexGuard<'_, Option<Published>> {
        self.inner.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn replay_one(&self, journey: &Journey) -> anyhow::Result<()> {
        let queues = Queues::at(&self.inner.sqs, self.inner.queues.clone(), HELD);
        let filter = Filter { delivery: Some(journey.id.clone()), ..Filter::default() };
        let replay = replay(&queues, &Replay { filter, ..Replay::default() }).await?;
        if replay.moved == 0 {
            bail!("no dead-letter queue has this delivery any more");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Site>> {
        self.inner.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `qsh` of a token that a page of a Connect app gets in a user's browser.
const CONTEXT_QSH: &str = "context-qsh";

/// A new installation for each product that can send something to the app's endpoints.
fn installations(declared: &Declared) -> Vec<Installation> {
    let Some(manifest) = &declared.manifest else { return Vec::new() };
    let events: Vec<EventName> =
        declared.endpoints().flat_map(|(_, _, events)| events).map(EventName::from).collect();
    let of_product = |product| Installation::new(product, &manifest.app.id);
    let all = [Product::Jira, Product::Confluence, Product::Bitbucket].map(of_product);
    // Those of no product, such as an install, may come from either of the first two.
    let sends = |one: &Installation| match one.product {
        Product::Bitbucket => {
            events.iter().any(|event| event.as_str().starts_with("avi:bitbucket:"))
        }
        _ => true,
    };
    all.into_iter().filter(sends).collect()
}

/// The key and the path of the endpoint that an event is sent to.
///
/// # Errors
///
/// Fails if there is none, with the events that have one.
pub fn endpoint_of<'a>(
    declared: &'a Declared,
    event: &EventName,
) -> anyhow::Result<(&'a str, &'a str)> {
    let mut known = Vec::new();
    for (endpoint, path, events) in declared.endpoints() {
        if events.contains(&event.as_str()) {
            return Ok((&endpoint.key, path));
        }
        known.extend(events);
    }
    if declared.manifest.is_none() {
        bail!("{event} is an event of Forge, and the app has no infra/manifest.yml");
    }
    bail!(
        "the manifest sends {event} to no endpoint; add it to a trigger in infra/manifest.yml, or name \
         one that it sends: {}",
        known.join(", "),
    )
}

/// How long a dead letter that is looked at stays hidden: nobody else looks here.
const HELD: Duration = Duration::from_secs(10);

/// Each handler's queue and its dead-letter queue.
fn pairs(deployment: &Deployment) -> Vec<Pair> {
    let sources = deployment.event_sources.iter().filter_map(|source| {
        let function = deployment.functions.get(&source.function)?;
        Some(Pair {
            handler: function.binary.clone(),
            queue: deployment.queues.get(&source.queue)?.url.clone(),
            dead_letters: function.environment.get(variable::DEAD_LETTER_QUEUE_URL)?.clone(),
        })
    });
    sources.collect()
}

fn accepted(answer: Answer) -> anyhow::Result<()> {
    if !answer.status.is_success() {
        bail!("the app answered {}; its row says why", answer.status);
    }
    Ok(())
}

impl Control for Demo {
    fn sites(&self) -> Vec<inspector::Site> {
        let sites = self.lock();
        let shown = sites.iter().map(|site| inspector::Site {
            tenant: site.client_key.as_str().to_owned(),
            product: site.product.to_string(),
            base_url: site.base_url.clone(),
        });
        let installed = self.inner.installations.iter().map(|one| inspector::Site {
            tenant: one.id.clone(),
            product: one.product.to_string(),
            base_url: format!("{} by Forge", one.cloud_id),
        });
        let signing = self.inner.signed.iter().map(|one| inspector::Site {
            tenant: one.name.to_string(),
            product: one.kind.product().to_string(),
            base_url: format!("signs as {}", one.kind),
        });
        shown.chain(installed).chain(signing).collect()
    }

    fn events(&self, site: &inspector::Site) -> Vec<String> {
        if let Some(installation) = self.installation(&site.tenant) {
            let events = self.inner.declared.endpoints().flat_map(|(_, _, events)| events);
            let sent = events.filter(|event| installation.may_send(&EventName::from(*event)));
            return sent.map(str::to_owned).collect();
        }
        if let Some(tenant) = self.signed_tenant(&site.tenant) {
            let urls = self.inner.declared.signed.iter().filter(|url| url.kind == tenant.kind);
            return urls.flat_map(signed_events).map(|event| event.to_string()).collect();
        }
        let Ok(site) = self.site(&site.tenant) else { return Vec::new() };
        let webhooks = self.inner.declared.webhooks().iter();
        let names = webhooks.filter(|webhook| webhook.event.may_come_from(site.product));
        let mut names: Vec<String> = names.map(|webhook| webhook.event.to_string()).collect();
        names.dedup();
        names
    }

    fn sample(&self, site: &inspector::Site, event: &str) -> String {
        if let Some(installation) = self.installation(&site.tenant) {
            return format!("{:#}", Forge::sample(installation, &event.into()));
        }
        if let Some(tenant) = self.signed_tenant(&site.tenant) {
            let mut body = atlassian_simulator::signed::sample(tenant.kind, &event.into());
            renew(&mut body, Timestamp::now());
            return format!("{body:#}");
        }
        let Ok(site) = self.site(&site.tenant) else { return String::new() };
        fresh(site.product, &EventName::from(event), Timestamp::now())
            .map_or_else(|| "{}".into(), |body| format!("{body:#}"))
    }

    async fn send(&self, send: inspector::Send) -> Result<(), String> {
        let sent = async {
            let event = EventName::from(send.event.as_str());
            if let Some(installation) = self.installation(&send.tenant) {
                return self
                    .invoke(installation, &event, send.body, send.tampering)
                    .await
                    .map(drop);
            }
            if let Some(tenant) = self.signed_tenant(&send.tenant) {
                let sent = self.send_signed(tenant, &event, send.body, send.tampering);
                return sent.await.map(drop);
            }
            let site = self.site(&send.tenant)?;
            // Refused is an answer as well: its row says why.
            Self::send(self, &site, &event, send.body, send.tampering).await.map(drop)
        };
        sent.await.map_err(|error| format!("{error:#}"))
    }

    async fn install(&self, install: Install) -> Result<(), String> {
        self.install_again(&install).await.map_err(|error| format!("{error:#}"))
    }

    async fn replay(&self, journey: Arc<Journey>) -> Result<(), String> {
        self.replay_one(&journey).await.map_err(|error| format!("{error:#}"))
    }
}
