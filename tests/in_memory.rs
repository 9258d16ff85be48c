//! Receiver and lifecycle function with tables and queues in memory: every attack, in milliseconds each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atlassian_connect::delivery::Delivery;
use atlassian_connect::event::{LifecycleEvent, Product, Reading};
use atlassian_connect::jwt;
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use atlassian_simulator::{Atlassian, Site, qsh_of};
use gateway::{Rejection, Request};
use jiff::Timestamp;
use lifecycle::install_keys::InstallKeys;
use receiver::{Declared, Enqueue, Refused};
use serde_json::json;
use tenants::{
    Cached, Find, Install, Installation, Recorded, SignedAt, Switch, Tenant, Unavailable, Uninstall,
};

use crate::attacks::table::{Attack, EVENT, Takeover, URL, takeovers, webhooks};
use crate::harness::app::{DESCRIPTOR, INSTALL_KEY};

const DOMAIN: &str = "hooks.example.com";
const BASE: &str = "https://hooks.example.com";

/// A request as API Gateway hands it over.
fn call(url: &str, authorization: Option<&str>, body: &str) -> Request {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let event = json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "authorization": authorization },
        "requestContext": {
            "domainName": DOMAIN, "stage": "$default", "http": { "method": "POST" },
        },
        "body": body,
        "isBase64Encoded": false,
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    Request::from_event(&event.to_string(), "id", deadline, None).unwrap()
}

/// The tenants, and how often they were asked for.
#[derive(Default)]
struct Tenants {
    rows: Mutex<BTreeMap<String, Row>>,
    reads: AtomicUsize,
    is_down: AtomicBool,
}

/// A tenant's row; without a tenant once it has left.
struct Row {
    tenant: Option<Tenant>,
    enabled: bool,
    /// When the last callback was signed that counted.
    signed: Timestamp,
}

impl Tenants {
    fn of(sites: &[&Site]) -> Self {
        let tenants = Self::default();
        for site in sites {
            let tenant = Tenant {
                product: site.product,
                secret: site.secret.clone(),
                previous: None,
                base_url: None,
                oauth_client_id: None,
            };
            tenants.write(&site.client_key, Some(tenant), true, Timestamp::now());
        }
        tenants
    }

    fn write(&self, key: &ClientKey, tenant: Option<Tenant>, enabled: bool, signed: Timestamp) {
        let row = Row { tenant, enabled, signed };
        self.rows.lock().unwrap().insert(key.as_str().into(), row);
    }

    /// Writes, unless the row has a later word.
    fn record(
        &self,
        key: &ClientKey,
        at: SignedAt,
        change: impl FnOnce(&mut Row),
    ) -> Result<Recorded, Unavailable> {
        let mut rows = self.rows.lock().unwrap();
        let new = Row { tenant: None, enabled: true, signed: Timestamp::MIN };
        let row = rows.entry(key.as_str().into()).or_insert(new);
        // The `iat` of a token has whole seconds.
        if at.signed.as_second() < row.signed.as_second() {
            return Ok(Recorded::Outdated);
        }
        row.signed = at.signed;
        change(row);
        Ok(Recorded::Yes)
    }

    /// Client key, secret and whether it is enabled, of those who have the app installed.
    fn installed(&self) -> Vec<(String, String, bool)> {
        let rows = self.rows.lock().unwrap();
        let installed = rows.iter().filter_map(|(key, row)| {
            let secret = row.tenant.as_ref()?.secret.expose().to_owned();
            Some((key.clone(), secret, row.enabled))
        });
        installed.collect()
    }
}

impl Find for &Tenants {
    async fn find(&self, key: &ClientKey, _: Timestamp) -> Result<Option<Tenant>, Unavailable> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Unavailable::Table { table: "memory".into(), source: "is down".into() });
        }
        Ok(self.rows.lock().unwrap().get(key.as_str()).and_then(|row| row.tenant.clone()))
    }
}

impl Install for &Tenants {
    async fn install(&self, it: &Installation, at: SignedAt) -> Result<Recorded, Unavailable> {
        let tenant = Tenant {
            product: it.product,
            secret: it.secret.clone(),
            previous: None,
            base_url: None,
            oauth_client_id: None,
        };
        self.record(&it.key, at, |row| row.tenant = Some(tenant))
    }
}

impl Switch for &Tenants {
    async fn switch(
        &self,
        key: &ClientKey,
        enabled: bool,
        at: SignedAt,
    ) -> Result<Recorded, Unavailable> {
        self.record(key, at, |row| row.enabled = enabled)
    }
}

impl Uninstall for &Tenants {
    async fn uninstall(&self, key: &ClientKey, at: SignedAt) -> Result<Recorded, Unavailable> {
        self.record(key, at, |row| row.tenant = None)
    }
}

/// A queue that takes everything, or nothing.
#[derive(Default)]
struct Queue {
    deliveries: Mutex<Vec<Delivery>>,
    is_down: bool,
}

impl Enqueue for Queue {
    async fn enqueue(&self, delivery: &Delivery, _: Duration) -> Result<String, Refused> {
        if self.is_down {
            return Err(Refused::Unavailable("is down".into()));
        }
        let mut deliveries = self.deliveries.lock().unwrap();
        deliveries.push(delivery.clone());
        Ok(deliveries.len().to_string())
    }
}

async fn send(attack: &Attack, tenants: &Tenants, queue: &Queue) -> Result<(), Rejection> {
    let declared: Declared =
        format!(r#"[{{"event":"jira:issue_created","url":"{URL}"}}]"#).parse().unwrap();
    let call = call(&attack.url, attack.authorization.as_deref(), EVENT);
    receiver::receive(call, &declared, &Cached::new(tenants), queue, Timestamp::now()).await
}

/// Status and reason; 204 for what is taken.
fn told(result: &Result<(), Rejection>) -> (u16, &'static str) {
    match result {
        Ok(()) => (204, ""),
        Err(rejection) => (rejection.status().as_u16(), rejection.reason()),
    }
}

struct Cast {
    jira: Site,
    confluence: Site,
    attacks: Vec<Attack>,
}

fn cast() -> Cast {
    let jira = Site::new(Product::Jira, "jira");
    let confluence = Site::new(Product::Confluence, "confluence");
    let attacks = webhooks(BASE, &jira, &confluence, &INSTALL_KEY);
    assert!(attacks.len() >= 80, "{}", attacks.len());
    Cast { jira, confluence, attacks }
}

#[tokio::test]
async fn no_forged_webhook_is_queued_and_every_valid_one_is() {
    let Cast { jira, confluence, attacks } = cast();
    let (tenants, queue) = (Tenants::of(&[&jira, &confluence]), Queue::default());
    let mut taken = 0;
    let mut wrong = Vec::new();
    for attack in &attacks {
        let expected = attack.refused.map_or((204, ""), |reason| (401, reason));
        taken += usize::from(attack.refused.is_none());
        let told = told(&send(attack, &tenants, &queue).await);
        if told != expected {
            wrong.push(format!("{}: {told:?}, not {expected:?}", attack.what));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let deliveries = queue.deliveries.into_inner().unwrap();
    assert_eq!(deliveries.len(), taken, "only what is valid is queued");
    assert!(deliveries.iter().all(|delivery| delivery.tenant == jira.client_key));
    assert!(deliveries.iter().all(|delivery| delivery.payload.as_str() == EVENT));
}

#[tokio::test]
async fn requests_rejected_before_the_read_cost_no_read() {
    let Cast { jira, confluence, attacks } = cast();
    let queue = Queue::default();
    let mut wrong = Vec::new();
    for attack in &attacks {
        let tenants = Tenants::of(&[&jira, &confluence]);
        tenants.is_down.store(true, Ordering::SeqCst);
        let status = told(&send(attack, &tenants, &queue).await).0;
        let reads = tenants.reads.into_inner();
        let expected = if attack.costs_no_read() { (401, 0) } else { (503, 1) };
        if (status, reads) != expected {
            wrong.push(format!("{}: {status} after {reads} reads", attack.what));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(queue.deliveries.into_inner().unwrap().len(), 0);
}

#[tokio::test]
async fn nothing_is_taken_that_the_queue_does_not_have() {
    let Cast { jira, confluence, attacks } = cast();
    let tenants = Tenants::of(&[&jira, &confluence]);
    let queue = Queue { is_down: true, ..Queue::default() };
    let mut valid = 0;
    for attack in attacks.iter().filter(|attack| attack.refused.is_none()) {
        valid += 1;
        let told = told(&send(attack, &tenants, &queue).await);
        assert_eq!(told, (503, "queue_unavailable"), "{}", attack.what);
    }
    assert!(valid > 5, "{valid}");
}

/// The lifecycle function, with the key server of a simulated Atlassian.
struct Lifecycle {
    app: lifecycle::App,
    keys: InstallKeys,
    atlassian: Atlassian,
    queue: Option<Queue>,
}

impl Lifecycle {
    async fn new() -> Self {
        let atlassian = Atlassian::start(INSTALL_KEY.clone()).await.unwrap();
        let app = lifecycle::App {
            key: DESCRIPTOR.key.clone(),
            lifecycle: DESCRIPTOR.lifecycle.clone(),
            tenant_hosts: vec![".atlassian.net".into()],
            other_base_urls: Vec::new(),
            existing_server: None,
        };
        Self { app, keys: InstallKeys::new(atlassian.url()), atlassian, queue: None }
    }

    async fn receive(
        &self,
        url: &str,
        token: Option<&str>,
        body: &str,
        tenants: &Tenants,
    ) -> Result<(), Rejection> {
        let authorization = token.map(|token| format!("JWT {token}"));
        let call = call(url, authorization.as_deref(), body);
        let queue = self.queue.as_ref();
        lifecycle::receive(call, &self.app, &self.keys, &tenants, queue, Timestamp::now()).await
    }

    /// The callback as Atlassian sends it, signed by whoever signs it.
    async fn call_back(
        &self,
        callback: Callback,
        site: &Site,
        tenants: &Tenants,
    ) -> Result<(), Rejection> {
        self.call_back_at(Timestamp::now(), callback, site, tenants).await
    }

    /// The callback, signed at this time.
    async fn call_back_at(
        &self,
        signed: Timestamp,
        callback: Callback,
        site: &Site,
        tenants: &Tenants,
    ) -> Result<(), Rejection> {
        let url = format!("/{callback}");
        let qsh = qsh_of(&format!("{BASE}{url}"), BASE).unwrap();
        let mut claims = jwt::ClaimsToSign::new(site.client_key.as_str(), &qsh, signed);
        let token = if callback.is_signed_by_atlassian() {
            claims.audience = Some(BASE);
            self.atlassian.sign_install(&claims).unwrap()
        } else {
            jwt::sign(&claims, &site.secret)
        };
        let body = json!({
            "key": DESCRIPTOR.key, "clientKey": site.client_key, "eventType": callback.to_string(),
            "sharedSecret": site.secret.expose(), "baseUrl": site.base_url,
            "productType": site.product.to_string(),
        });
        self.receive(&url, Some(&token), &body.to_string(), tenants).await
    }
}

#[tokio::test]
async fn no_forged_callback_changes_a_tenant() {
    let lifecycle = Lifecycle::new().await;
    let victim = Site::new(Product::Jira, "victim");
    let thief = Site::new(Product::Confluence, "thief");
    let newcomer = Site::new(Product::Jira, "newcomer");
    let tenants = Tenants::of(&[&victim, &thief]);
    let before = tenants.installed();
    let rows = takeovers(BASE, lifecycle.atlassian.key(), &victim, &thief, &newcomer);
    assert!(rows.len() >= 40, "{}", rows.len());
    let mut wrong = Vec::new();
    for Takeover { what, url, token, body, status } in rows {
        let result = lifecycle.receive(url, token.as_deref(), &body, &tenants).await;
        if told(&result).0 != status {
            wrong.push(format!("{what}: {:?}, not {status}", told(&result)));
        }
        if tenants.installed() != before {
            wrong.push(format!("{what}: the tenants are others"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The same request without a fault is taken.
    lifecycle.call_back(Callback::Installed, &newcomer, &tenants).await.unwrap();
    assert_eq!(tenants.installed().len(), 3);
}

#[tokio::test]
async fn a_tenant_is_installed_disabled_enabled_and_uninstalled() {
    let lifecycle = Lifecycle::new().await;
    let tenants = Tenants::default();
    let site = Site::new(Product::Jira, "site");
    let row = |enabled| {
        let secret: &SharedSecret = &site.secret;
        vec![(site.client_key.as_str().to_owned(), secret.expose().to_owned(), enabled)]
    };
    let early = lifecycle.call_back(Callback::Enabled, &site, &tenants).await;
    assert_eq!(told(&early), (401, "unknown_tenant"));
    for (callback, then) in [
        (Callback::Installed, row(true)),
        (Callback::Disabled, row(false)),
        (Callback::Enabled, row(true)),
        (Callback::Uninstalled, Vec::new()),
    ] {
        lifecycle.call_back(callback, &site, &tenants).await.unwrap();
        assert_eq!(tenants.installed(), then, "{callback}");
    }
}

/// What the queue of a lifecycle function has: callback and identity of each event.
fn events(lifecycle: &Lifecycle) -> Vec<(String, String)> {
    let deliveries = lifecycle.queue.as_ref().unwrap().deliveries.lock().unwrap();
    deliveries.iter().map(|delivery| (delivery.event.to_string(), delivery.identity())).collect()
}

#[tokio::test]
async fn every_recorded_callback_is_queued_without_the_secret() {
    let lifecycle = Lifecycle { queue: Some(Queue::default()), ..Lifecycle::new().await };
    let tenants = Tenants::default();
    let site = Site::new(Product::Confluence, "site");
    let callbacks =
        [Callback::Installed, Callback::Enabled, Callback::Disabled, Callback::Uninstalled];
    for callback in callbacks {
        lifecycle.call_back(callback, &site, &tenants).await.unwrap();
    }
    let forged = lifecycle.receive("/installed", Some("a.b.c"), "{}", &tenants).await;
    assert_eq!(told(&forged).0, 401);

    let deliveries = lifecycle.queue.unwrap().deliveries.into_inner().unwrap();
    assert_eq!(deliveries.len(), callbacks.len(), "a forged one is not queued");
    for (delivery, callback) in deliveries.into_iter().zip(callbacks) {
        let message = delivery.to_message();
        assert!(!message.contains(site.secret.expose()), "{message}");
        assert!(!message.contains("ecret"), "{message}");
        assert_eq!(delivery.reading, Reading::Unread);
        assert_eq!((delivery.product, &delivery.tenant), (site.product, &site.client_key));
        let delivery: Delivery<LifecycleEvent> = delivery.read().unwrap();
        assert_eq!(delivery.payload.callback, callback);
        assert_eq!(delivery.payload.base_url, site.base_url);
        assert_eq!(delivery.payload.client_key.as_deref(), Some(site.client_key.as_str()));
    }
}

#[tokio::test]
async fn a_repeated_callback_is_the_same_event_and_a_later_one_another() {
    use Callback::{Installed, Uninstalled};
    let lifecycle = Lifecycle { queue: Some(Queue::default()), ..Lifecycle::new().await };
    let tenants = Tenants::default();
    let site = Site::new(Product::Jira, "site");
    let at = |second| Timestamp::from_second(Timestamp::now().as_second() - 60 + second).unwrap();
    let (first, second, third) = (at(0), at(10), at(20));
    for (signed, callback) in [
        (first, Installed),
        (first, Installed),
        (second, Uninstalled),
        (third, Installed),
        (third, Installed),
    ] {
        lifecycle.call_back_at(signed, callback, &site, &tenants).await.unwrap();
    }
    let outdated = lifecycle.call_back_at(second, Uninstalled, &site, &tenants).await;
    assert_eq!(told(&outdated), (401, "outdated_callback"));

    let queued = events(&lifecycle);
    let names: Vec<&str> = queued.iter().map(|(name, _)| &**name).collect();
    let expected = ["installed", "installed", "uninstalled", "installed", "installed"];
    assert_eq!(names, expected, "the outdated one is not queued");
    let identities: Vec<&String> = queued.iter().map(|(_, identity)| identity).collect();
    assert_eq!(identities[0], identities[1]);
    assert_eq!(identities[3], identities[4]);
    let distinct: BTreeSet<_> = identities.into_iter().collect();
    assert_eq!(distinct.len(), 3);
}

#[tokio::test]
async fn a_callback_that_the_queue_does_not_take_can_be_repeated() {
    let down = Queue { is_down: true, ..Queue::default() };
    let mut lifecycle = Lifecycle { queue: Some(down), ..Lifecycle::new().await };
    let tenants = Tenants::default();
    let site = Site::new(Product::Jira, "site");
    let signed = Timestamp::now();
    let failed = lifecycle.call_back_at(signed, Callback::Installed, &site, &tenants).await;
    assert_eq!(told(&failed), (503, "queue_unavailable"));
    assert_eq!(tenants.installed().len(), 1, "the tenant is recorded first");

    lifecycle.queue = Some(Queue::default());
    lifecycle.call_back_at(signed, Callback::Installed, &site, &tenants).await.unwrap();
    assert_eq!(events(&lifecycle).len(), 1);
}
