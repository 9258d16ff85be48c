//! The demo sites of a local stack, and what somebody can do with them.

mod sites;

pub use sites::DemoSite;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::event::EventName;
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::tenant::SharedSecret;
use atlassian_simulator::samples::fresh;
use atlassian_simulator::{Answer, Atlassian, Site, qsh_of};
use contract::variable;
use inspector::{Control, Handlers, Install, Journey, Journeys, Tampering};
use jiff::Timestamp;
use reqwest::StatusCode;
use sam_template_runner::Stack;
use sam_template_runner::deployment::Deployment;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::dead_letters::{Filter, Pair, Queues, Replay, replay};
use crate::session::{LocalTenants, Published, Session};

/// The demo sites of a local stack. A clone is the same sites.
#[derive(Clone, Debug)]
pub struct Demo {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    descriptor: Descriptor,
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
    pub fn serve(
        self,
        stack: &Stack,
        descriptor: &Descriptor,
        demo: &Demo,
        base_path: &str,
    ) -> (String, Journeys) {
        let handlers = Handlers::of(stack.deployment());
        let journeys = Journeys::new(descriptor.clone(), handlers, base_path);
        let (following, exchanges, lines) =
            (journeys.clone(), stack.exchanges(), stack.subscribe());
        tokio::spawn(async move { following.follow(exchanges, lines).await });
        let (shown, demo, key) = (journeys.clone(), demo.clone(), descriptor.key.clone());
        let never = std::future::pending();
        tokio::spawn(inspector::serve(self.listener, shown, demo, key, never));
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
    /// The sites that are kept in the folder of the state, or these new ones.
    ///
    /// # Errors
    ///
    /// Fails if the folder of the state cannot be read or written.
    pub fn open(
        descriptor: Descriptor,
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
        let inner = Inner {
            descriptor,
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
        let Inner { descriptor, atlassian, base_url, .. } = &*self.inner;
        let Some(webhook) = descriptor.modules.webhooks.first() else { return Ok(false) };
        let empty = atlassian_simulator::Webhook {
            base_url,
            url: &webhook.url,
            body: String::new(),
            identifier: None,
        };
        let is_installed = atlassian.send(empty, site).await?.status == StatusCode::BAD_REQUEST;
        if is_installed {
            atlassian.has_installed(&descriptor.key, site);
        }
        Ok(is_installed)
    }

    /// Sends the callback `installed` or `uninstalled` of a site.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor declares no URL for it, or the request got no answer.
    pub async fn call_back(&self, callback: Callback, site: &Site) -> anyhow::Result<Answer> {
        let Inner { descriptor, atlassian, base_url, .. } = &*self.inner;
        let url = descriptor.lifecycle.callbacks().find(|(declared, _)| *declared == callback);
        let (_, url) = url.with_context(|| {
            format!("the descriptor has no lifecycle.{callback}; run `cargo hooks check`")
        })?;
        atlassian.call_back(callback, &descriptor.key, base_url, url, site).await
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
        let Inner { descriptor, atlassian, base_url, .. } = &*self.inner;
        let webhooks = &descriptor.modules.webhooks;
        let webhook = webhooks.iter().find(|webhook| webhook.event == *event);
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
        let qsh = qsh_of(&target_of_token, base_url)?;
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

    /// The site with this client key.
    fn site(&self, tenant: &str) -> anyhow::Result<Site> {
        let sites = self.lock();
        let site = sites.iter().find(|site| site.client_key.as_str() == tenant);
        site.cloned().with_context(|| format!("no demo site has the client key {tenant}"))
    }

    async fn install_again(&self, install: &Install) -> anyhow::Result<()> {
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
        Session::new(base_url, sqs, page, &self.sites()).with_tenants(tenants.clone())
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
        shown.collect()
    }

    fn events(&self, site: &inspector::Site) -> Vec<String> {
        let Ok(site) = self.site(&site.tenant) else { return Vec::new() };
        let webhooks = self.inner.descriptor.modules.webhooks.iter();
        let names = webhooks.filter(|webhook| webhook.event.may_come_from(site.product));
        let mut names: Vec<String> = names.map(|webhook| webhook.event.to_string()).collect();
        names.dedup();
        names
    }

    fn sample(&self, site: &inspector::Site, event: &str) -> String {
        let Ok(site) = self.site(&site.tenant) else { return String::new() };
        fresh(site.product, &EventName::from(event), Timestamp::now())
            .map_or_else(|| "{}".into(), |body| format!("{body:#}"))
    }

    async fn send(&self, send: inspector::Send) -> Result<(), String> {
        let sent = async {
            let site = self.site(&send.tenant)?;
            let event = EventName::from(send.event.as_str());
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
