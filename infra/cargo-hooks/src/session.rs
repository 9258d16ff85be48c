//! What a running local stack tells the commands beside it: its URL, and the secrets of its demo
//! sites, which open nothing else.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use runtime::environment;
use serde::{Deserialize, Serialize};

use crate::app::App;
use atlassian_simulator::Site;

/// A local stack that runs, or did when this was written.
#[derive(Debug, Deserialize, Serialize)]
pub struct Session {
    /// Its base URL.
    pub url: String,
    /// The URL of its SQS.
    pub sqs: String,
    sites: Vec<DemoSite>,
}

#[derive(Deserialize, Serialize)]
struct DemoSite {
    product: Product,
    client_key: ClientKey,
    secret: String,
    base_url: String,
}

impl std::fmt::Debug for DemoSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoSite").field("client_key", &self.client_key).finish_non_exhaustive()
    }
}

impl Session {
    /// A session with these demo sites.
    pub fn new(url: &str, sqs: &str, sites: &[Site]) -> Self {
        let sites = sites.iter().map(|site| DemoSite {
            product: site.product,
            client_key: site.client_key.clone(),
            secret: site.secret.expose().into(),
            base_url: site.base_url.clone(),
        });
        Self { url: url.into(), sqs: sqs.into(), sites: sites.collect() }
    }

    /// The session of the stack that runs.
    ///
    /// # Errors
    ///
    /// When none does.
    pub fn read() -> anyhow::Result<Self> {
        let path = path()?;
        let text = fs::read_to_string(&path).context(
            "no local stack is running; start one with `cargo hooks local`, or name a deployed \
             base URL with --url",
        )?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; restart the local stack", path.display()))
    }

    /// Writes it down, readable for nobody else.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        let path = path()?;
        let written = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = fs::OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)
        };
        written().with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Removes it when the stack of this URL stops; another's is left alone.
    pub fn remove(url: &str) {
        if Self::read().is_ok_and(|session| session.url == url) {
            // Gone already is as good.
            let _ = path().map(fs::remove_file);
        }
    }

    /// The demo site with this client key, or the first that sends the event.
    pub fn site(&self, tenant: Option<&ClientKey>, event: &EventName) -> Option<Site> {
        match tenant {
            Some(tenant) => {
                self.sites.iter().find(|site| site.client_key == *tenant).map(DemoSite::site)
            }
            None => self.sites(event).into_iter().next(),
        }
    }

    /// The demo sites of the first product that sends the event.
    pub fn sites(&self, event: &EventName) -> Vec<Site> {
        let first = self.sites.iter().find(|site| event.may_come_from(site.product));
        let of_product = |site: &&DemoSite| Some(site.product) == first.map(|first| first.product);
        self.sites.iter().filter(of_product).map(DemoSite::site).collect()
    }
}

impl DemoSite {
    fn site(&self) -> Site {
        Site {
            product: self.product,
            client_key: self.client_key.clone(),
            secret: SharedSecret::new(&*self.secret),
            base_url: self.base_url.clone(),
        }
    }
}

/// In `HOOKS_HOME`, or in the app's folder.
fn path() -> anyhow::Result<PathBuf> {
    let home = match environment::optional("HOOKS_HOME") {
        Some(home) => home.into(),
        None => App::find()?.state_path(),
    };
    Ok(home.join("local.json"))
}
