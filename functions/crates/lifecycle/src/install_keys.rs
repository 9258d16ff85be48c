//! The keys that sign installs, from Atlassian's key server.
//!
//! Atlassian's documentation, "Security for Connect apps": `GET <server>/<kid>` answers with the
//! public key in PEM. A key never changes under its name, so one that was fetched is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlassian_connect::jwt::{InstallKey, KeyId};
use gateway::Rejection;
use jiff::Timestamp;
use runtime::https::Client;

/// A key server, and what it has said.
#[derive(Debug)]
pub struct InstallKeys {
    server: String,
    client: Client,
    known: Mutex<HashMap<KeyId, Known>>,
}

/// What the server said of a name.
#[derive(Clone, Debug)]
enum Known {
    Key(Arc<InstallKey>),
    /// There was none, and it is not asked again before then.
    Missing(Timestamp),
}

impl InstallKeys {
    /// The variable that names the server.
    pub const VARIABLE: &str = "INSTALL_KEYS_URL";
    /// Atlassian's.
    pub const ATLASSIAN: &str = "https://connect-install-keys.atlassian.com";

    /// How long a name is believed to have no key. It bounds what a stranger's tokens cost the
    /// server, and is short: a new key is used soon after it is published.
    pub const ABSENCE: Duration = Duration::from_secs(30);

    /// How many names are remembered. Atlassian has a handful of keys; strangers can invent names.
    const MOST: usize = 64;

    /// The keys of one server. It is configured, never chosen by what a request says.
    pub fn new(server: &str) -> Self {
        Self {
            server: server.trim_end_matches('/').into(),
            client: Client::new(Duration::from_secs(3)),
            known: Mutex::default(),
        }
    }

    /// The key of this name.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownKey`] if the server does not have it, [`Rejection::KeysUnavailable`] if
    /// it cannot say.
    pub async fn find(&self, id: &KeyId, now: Timestamp) -> Result<Arc<InstallKey>, Rejection> {
        let unknown = || Rejection::UnknownKey { key_id: id.as_str().into() };
        match self.known().get(id) {
            Some(Known::Key(key)) => return Ok(Arc::clone(key)),
            Some(Known::Missing(until)) if now < *until => return Err(unknown()),
            _ => {}
        }
        let url = format!("{}/{}", self.server, id.as_str());
        let answer = self.client.get(&url).await.map_err(Rejection::KeysUnavailable)?;
        match answer.status {
            200 => {
                let key = InstallKey::from_pem(&answer.body)
                    .map_err(|error| Rejection::KeysUnavailable(error.into()))?;
                let key = Arc::new(key);
                self.remember(id, Known::Key(Arc::clone(&key)));
                Ok(key)
            }
            400..=499 if answer.status != 408 && answer.status != 429 => {
                self.remember(id, Known::Missing(now + Self::ABSENCE));
                Err(unknown())
            }
            status => {
                let unexpected = format!("{} answered with status {status}", self.server);
                Err(Rejection::KeysUnavailable(unexpected.into()))
            }
        }
    }

    fn remember(&self, id: &KeyId, what: Known) {
        let mut known = self.known();
        if known.len() >= Self::MOST {
            // Real keys stay, unless there are that many.
            known.retain(|_, known| matches!(known, Known::Key(_)));
            if known.len() >= Self::MOST {
                known.clear();
            }
        }
        known.insert(id.clone(), what);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
