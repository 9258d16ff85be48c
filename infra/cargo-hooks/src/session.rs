//! What running local stacks tell the commands beside them: their URLs, the secrets of their demo
//! sites and tenants, and the key of their Forge, all of which are valid only there.
//!
//! Each stack has a file of its own, and holds a lock on it. The lock ends with the process, so what
//! a stack that was killed has left is known by its lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use contract::variable;
use inspector::Journey;
use runtime::environment;
use sam_template_runner::Stack;
use sam_template_runner::deployment::Function;
use serde::{Deserialize, Serialize};
use signed_webhooks::Kind;

use crate::app::App;
use atlassian_simulator::Site;
use atlassian_simulator::forge::{Installation, SigningKey};
use atlassian_simulator::signed::SignedTenant;

/// A local stack that runs.
#[derive(Debug, Deserialize, Serialize)]
pub struct Session {
    /// Its base URL.
    pub url: String,
    /// The URL of its SQS.
    pub sqs: String,
    /// The URL of its page, which also tells what became of a webhook.
    pub page: String,
    /// Its table of tenants, if it has one.
    pub(crate) tenants: Option<LocalTenants>,
    sites: Vec<DemoSite>,
    /// Its Forge, if the app has a manifest.
    #[serde(default)]
    pub(crate) forge: Option<LocalForge>,
    /// Its demo tenants that sign their webhooks.
    #[serde(default)]
    signed: Vec<DemoTenant>,
}

/// The Forge of a local stack: what signs events for it, and for whom.
#[derive(Clone, Deserialize, Serialize)]
pub struct LocalForge {
    key_id: String,
    key: String,
    installations: Vec<Installation>,
}

impl LocalForge {
    /// What a Forge signs with, and these installations.
    pub fn new(key: &SigningKey, installations: &[Installation]) -> Self {
        Self {
            key_id: key.id().to_owned(),
            key: key.private().to_owned(),
            installations: installations.to_vec(),
        }
    }

    /// The key that signs.
    ///
    /// # Errors
    ///
    /// Fails if the file has been changed.
    pub(crate) fn key(&self) -> anyhow::Result<SigningKey> {
        SigningKey::from_pem(&self.key_id, &self.key)
    }

    /// The installation with this id, or the first that sends the event.
    pub(crate) fn installation(
        &self,
        id: Option<&str>,
        event: &EventName,
    ) -> Option<&Installation> {
        self.installations.iter().find(|installation| match id {
            Some(id) => installation.id == id,
            None => installation.may_send(event),
        })
    }
}

impl std::fmt::Debug for LocalForge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalForge").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The table of tenants of a local stack.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LocalTenants {
    pub(crate) dynamodb: String,
    pub(crate) kms: String,
    pub(crate) table: String,
    pub(crate) key: Option<String>,
    /// Separated by commas.
    pub(crate) hosts: String,
}

impl LocalTenants {
    /// The table that the stack's lifecycle function writes, or that its receivers read; `None` without
    /// such functions.
    pub fn of(stack: &Stack) -> Option<Self> {
        let functions = stack.deployment().functions.values();
        // The lifecycle function knows the hosts as well.
        let has_hosts =
            |function: &&Function| function.environment.contains_key(variable::TENANT_HOSTS);
        let lifecycle = functions.clone().filter(has_hosts);
        lifecycle.chain(functions).find_map(|function| {
            let variable = |name| function.environment.get(name).cloned();
            Some(Self {
                hosts: variable(variable::TENANT_HOSTS).unwrap_or_default(),
                table: variable(variable::TENANTS_TABLE)?,
                key: variable(variable::TENANTS_KEY),
                dynamodb: stack.dynamodb_endpoint().into(),
                kms: stack.kms_endpoint().into(),
            })
        })
    }
}

/// A demo site as it is written down.
#[derive(Deserialize, Serialize)]
pub(crate) struct DemoSite {
    product: Product,
    client_key: ClientKey,
    secret: String,
    base_url: String,
}

impl DemoSite {
    pub(crate) fn of(site: &Site) -> Self {
        Self {
            product: site.product,
            client_key: site.client_key.clone(),
            secret: site.secret.expose().into(),
            base_url: site.base_url.clone(),
        }
    }

    pub(crate) fn site(&self) -> Site {
        Site {
            product: self.product,
            client_key: self.client_key.clone(),
            secret: SharedSecret::new(&*self.secret),
            base_url: self.base_url.clone(),
        }
    }
}

impl std::fmt::Debug for DemoSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoSite").field("client_key", &self.client_key).finish_non_exhaustive()
    }
}

/// A demo tenant that signs its webhooks, as it is written down.
#[derive(Deserialize, Serialize)]
struct DemoTenant {
    name: String,
    kind: Kind,
    secret: String,
}

impl DemoTenant {
    fn of(tenant: &SignedTenant) -> Self {
        let SignedTenant { name, kind, secret } = tenant;
        Self { name: name.to_string(), kind: *kind, secret: secret.expose().into() }
    }

    /// `None` if the file has been changed.
    fn tenant(&self) -> Option<SignedTenant> {
        let (name, secret) = (self.name.parse().ok()?, SharedSecret::new(&*self.secret));
        Some(SignedTenant { name, kind: self.kind, secret })
    }
}

impl std::fmt::Debug for DemoTenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoTenant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A session that other commands can read, until this is dropped or the process ends.
#[derive(Debug)]
#[must_use]
pub struct Published {
    path: PathBuf,
    /// Locked.
    file: File,
}

impl Published {
    /// Replaces what other commands read.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn replace(&mut self, session: &Session) -> anyhow::Result<()> {
        self.file = write_private(&self.path, &serde_json::to_vec_pretty(session)?)?;
        Ok(())
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = fs::remove_file(&self.path);
    }
}

impl Session {
    /// A session with these demo sites.
    pub fn new<'a>(
        url: &str,
        sqs: &str,
        page: &str,
        sites: impl IntoIterator<Item = &'a Site>,
    ) -> Self {
        let sites = sites.into_iter().map(DemoSite::of).collect();
        Self {
            url: url.into(),
            sqs: sqs.into(),
            page: page.into(),
            tenants: None,
            sites,
            forge: None,
            signed: Vec::new(),
        }
    }

    /// The session with the stack's table of tenants.
    #[must_use]
    pub fn with_tenants(self, tenants: Option<LocalTenants>) -> Self {
        Self { tenants, ..self }
    }

    /// The session with the stack's Forge.
    #[must_use]
    pub fn with_forge(self, forge: Option<LocalForge>) -> Self {
        Self { forge, ..self }
    }

    /// The session with the stack's demo tenants that sign their webhooks.
    #[must_use]
    pub fn with_signed<'a>(self, tenants: impl IntoIterator<Item = &'a SignedTenant>) -> Self {
        Self { signed: tenants.into_iter().map(DemoTenant::of).collect(), ..self }
    }

    /// The session of the stack that runs on this port, or of the only one that runs.
    ///
    /// # Errors
    ///
    /// Fails if there is no such stack, or several and no port.
    pub fn read(port: Option<u16>) -> anyhow::Result<Self> {
        Self::chosen(Self::running(&folder()?)?, port)
    }

    /// Writes the session to a file that only its owner can read.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn publish(&self) -> anyhow::Result<Published> {
        self.publish_in(&folder()?)
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

    /// The demo tenants that sign their webhooks.
    pub fn signed(&self) -> impl Iterator<Item = SignedTenant> {
        self.signed.iter().filter_map(DemoTenant::tenant)
    }

    /// Writes the session to a file in a folder, as [`publish`](Self::publish) does.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn publish_in(&self, folder: &Path) -> anyhow::Result<Published> {
        let port = self.port().with_context(|| format!("{} has no port", self.url))?;
        let path = folder.join(format!("{PREFIX}{port}{SUFFIX}"));
        let file = write_private(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(Published { path, file })
    }

    /// The sessions in a folder whose stacks run. What others have left there is removed.
    fn running(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let mut sessions = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with(PREFIX) || !name.ends_with(SUFFIX) {
                continue;
            }
            let path = entry.path();
            let Ok(file) = File::open(&path) else { continue };
            match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => {}
                Ok(()) => {
                    let _ = fs::remove_file(&path);
                    continue;
                }
                Err(TryLockError::Error(error)) => {
                    let what = "cannot be locked; set HOOKS_HOME to a folder on a local disk";
                    return Err(error).context(format!("{} {what}", path.display()));
                }
            }
            let session = io::read_to_string(file).map_err(anyhow::Error::from);
            let session = session.and_then(|text| Ok(serde_json::from_str::<Self>(&text)?));
            sessions.push(session.with_context(|| {
                format!("{} is damaged; stop that local stack and start it again", path.display())
            })?);
        }
        sessions.sort_by_key(Self::port);
        Ok(sessions)
    }

    fn chosen(mut running: Vec<Self>, port: Option<u16>) -> anyhow::Result<Self> {
        let urls: Vec<String> = running.iter().map(|session| session.url.clone()).collect();
        let urls = urls.join(" and ");
        if running.is_empty() {
            bail!(
                "no local stack is running; start one with `cargo hooks local`, or name a deployed \
                 one (`cargo hooks send` takes --url, the other commands --stack)"
            );
        }
        if let Some(port) = port {
            let found = running.into_iter().find(|session| session.port() == Some(port));
            return found.with_context(|| {
                format!("no local stack runs on port {port}; give --port the port of {urls}")
            });
        }
        if running.len() > 1 {
            bail!("several local stacks run, at {urls}; name the one that you mean with --port");
        }
        Ok(running.remove(0))
    }

    fn port(&self) -> Option<u16> {
        self.url.rsplit(':').next()?.trim_end_matches('/').parse().ok()
    }
}

/// What to do when a local stack does not answer.
pub(crate) const RESTART: &str = "start the local stack again with `cargo hooks local`";

/// Calls `each` with every journey that the local stack remembers, and then with every change; those of
/// one request, if one is given.
///
/// # Errors
///
/// Fails if the stack does not answer or stops, or `each` fails.
pub(crate) async fn follow(
    client: &reqwest::Client,
    session: &Session,
    request: Option<&str>,
    mut each: impl FnMut(&Journey) -> anyhow::Result<ControlFlow<()>>,
) -> anyhow::Result<()> {
    let query = request.map(|request| format!("?{request}")).unwrap_or_default();
    let url = format!("{}/api/stream{query}", session.page);
    // Without the client's timeout, which would end a stream that goes on.
    let response = client.get(&url).timeout(Duration::from_secs(24 * 60 * 60)).send().await;
    let mut response = response.with_context(|| format!("{url} does not answer; {RESTART}"))?;
    let mut received = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        received.extend_from_slice(&chunk);
        while let Some(end) = received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            if each(&serde_json::from_slice(data.trim_ascii())?)?.is_break() {
                return Ok(());
            }
        }
    }
    bail!("the local stack stopped; {RESTART}")
}

/// The names of the files: `local-PORT.json`.
const PREFIX: &str = "local-";
const SUFFIX: &str = ".json";

/// Writes a file that nobody else can read, and that is never seen half written or unlocked. It is
/// locked as long as what is returned is open.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<File> {
    let written = || -> io::Result<File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        // One that is there might be readable for others.
        let _ = fs::remove_file(&unfinished);
        let mut file =
            fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished)?;
        file.lock()?;
        file.write_all(content)?;
        fs::rename(&unfinished, path)?;
        Ok(file)
    };
    written().with_context(|| {
        format!("{} cannot be written; make its folder writable, or use another", path.display())
    })
}

/// `HOOKS_HOME`, or a folder of the app.
fn folder() -> anyhow::Result<PathBuf> {
    match environment::optional("HOOKS_HOME") {
        Some(home) => Ok(home.into()),
        None => Ok(App::find()?.state_path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(port: u16) -> Session {
        let site = Site::new(Product::Jira, "demo");
        let url = format!("http://127.0.0.1:{port}");
        Session::new(&url, "http://127.0.0.1:1", "http://127.0.0.1:2", [&site])
    }

    fn read(folder: &Path, port: Option<u16>) -> Result<String, String> {
        let chosen = Session::chosen(Session::running(folder).unwrap(), port);
        chosen.map(|session| session.url).map_err(|error| error.to_string())
    }

    #[test]
    fn two_stacks_have_a_session_each() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(read(folder, None).unwrap_err().contains("start one with `cargo hooks local`"));

        let first = session(3000).publish_in(folder).unwrap();
        assert_eq!(read(folder, None).unwrap(), "http://127.0.0.1:3000");
        let second = session(3001).publish_in(folder).unwrap();
        let error = read(folder, None).unwrap_err();
        assert!(error.contains(":3000 and http://127.0.0.1:3001; name the one"), "{error}");
        assert_eq!(read(folder, Some(3000)).unwrap(), "http://127.0.0.1:3000");
        let error = read(folder, Some(3002)).unwrap_err();
        assert!(error.contains("no local stack runs on port 3002; give --port"), "{error}");

        drop(second);
        assert_eq!(read(folder, None).unwrap(), "http://127.0.0.1:3000");
        drop(first);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_stack_has_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let killed = session(3000).publish_in(folder).unwrap();
        let left = fs::read(&killed.path).unwrap();
        let path = killed.path.clone();
        drop(killed);
        fs::write(&path, left).unwrap();

        assert!(read(folder, None).unwrap_err().contains("no local stack is running"));
        assert!(!path.exists());
    }
}
