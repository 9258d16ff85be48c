//! The keys that sign installs, from Atlassian's key server.
//!
//! Atlassian's documentation, "Security for Connect apps": `GET <server>/<kid>` answers with the
//! public key in PEM. A key never changes under its name, so one that was fetched is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connect::jwt::{InstallKey, KeyId};
use gateway::Rejection;
use lambda::https::Client;

/// A key server, and what it has handed out.
#[derive(Debug)]
pub struct InstallKeys {
    server: String,
    client: Client,
    known: Mutex<HashMap<KeyId, Arc<InstallKey>>>,
}

impl InstallKeys {
    /// The variable that names the server.
    pub const VARIABLE: &str = "INSTALL_KEYS_URL";
    /// Atlassian's.
    pub const ATLASSIAN: &str = "https://connect-install-keys.atlassian.com";

    /// How many keys are kept. Atlassian has a handful; the bound is for the day it has not.
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
    pub async fn find(&self, id: &KeyId) -> Result<Arc<InstallKey>, Rejection> {
        if let Some(key) = self.known().get(id) {
            return Ok(Arc::clone(key));
        }
        let url = format!("{}/{}", self.server, id.as_str());
        let answer = self.client.get(&url).await.map_err(Rejection::KeysUnavailable)?;
        let key = match answer.status {
            200 => InstallKey::from_pem(&answer.body)
                .map_err(|error| Rejection::KeysUnavailable(error.into()))?,
            status @ 400..=499 if status != 408 && status != 429 => {
                return Err(Rejection::UnknownKey { key_id: id.as_str().into() });
            }
            status => {
                let unexpected = format!("{} answered with status {status}", self.server);
                return Err(Rejection::KeysUnavailable(unexpected.into()));
            }
        };
        let key = Arc::new(key);
        let mut known = self.known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(id.clone(), Arc::clone(&key));
        Ok(key)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, Arc<InstallKey>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
