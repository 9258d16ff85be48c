//! Install keys: the public keys that verify installs, from Atlassian's key server.
//!
//! Atlassian's documentation, "Security for Connect apps": `GET <server>/<kid>` answers with the
//! public key in PEM. A key never changes under its name, so a fetched key is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlassian_connect::jwt::{InstallKey, KeyId};
use gateway::Rejection;
use jiff::Timestamp;
use runtime::https::Client;

/// A key server with a cache of its answers.
#[derive(Debug)]
pub struct InstallKeys {
    server: String,
    client: Client,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    known: HashMap<KeyId, Known>,
    /// The times of the latest requests, at most [`InstallKeys::REQUESTS`].
    asked: VecDeque<Timestamp>,
}

/// A cached answer of the server.
#[derive(Clone, Debug)]
enum Known {
    Key(Arc<InstallKey>),
    /// There is no such key. The server is not asked again before this time.
    Missing(Timestamp),
}

/// Too many unknown key names in a short time: the server is not asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "tokens named more than {} unknown keys within {} s, most of them probably invented; the key \
     server is asked again after that time",
    InstallKeys::REQUESTS,
    InstallKeys::ABSENCE.as_secs()
)]
pub struct TooManyUnknownKeys;

impl InstallKeys {
    /// How long an unknown name is cached. The time is short, because a new key is used soon after
    /// it is published.
    pub const ABSENCE: Duration = Duration::from_secs(30);
    /// The maximum number of requests in that time, for all names together. Anyone can invent
    /// names, and if the server limits or blocks this app for them, real installs fail.
    ///
    /// Atlassian has a handful of keys, and a cached key needs no request.
    pub const REQUESTS: usize = 10;

    /// The maximum number of cached names. Atlassian has a handful of keys; anyone can invent
    /// names.
    const MAX_KEYS: usize = 64;

    /// The keys of one server. The server is configured, and never chosen by a request.
    pub fn new(server: &str) -> Self {
        Self {
            server: server.trim_end_matches('/').into(),
            client: Client::new(Duration::from_secs(3)),
            memory: Mutex::default(),
        }
    }

    /// Finds a key by its name.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::UnknownKey`] if the server answers that the key does not exist, and
    /// [`Rejection::KeysUnavailable`] if it does not answer, or is not asked because of
    /// [`TooManyUnknownKeys`].
    pub async fn find(&self, id: &KeyId, now: Timestamp) -> Result<Arc<InstallKey>, Rejection> {
        let unknown = || Rejection::UnknownKey { key_id: id.as_str().into() };
        match self.memory().known.get(id) {
            Some(Known::Key(key)) => return Ok(Arc::clone(key)),
            Some(Known::Missing(until)) if now < *until => return Err(unknown()),
            _ => {}
        }
        if !self.memory().may_ask(now) {
            return Err(Rejection::KeysUnavailable(TooManyUnknownKeys.into()));
        }
        let url = format!("{}/{}", self.server, id.as_str());
        let answer = self.client.get(&url).await.map_err(Rejection::KeysUnavailable)?;
        match answer.status {
            200 => {
                let key = InstallKey::from_pem(&answer.body)
                    .map_err(|error| Rejection::KeysUnavailable(error.into()))?;
                let key = Arc::new(key);
                self.memory().remember(id, Known::Key(Arc::clone(&key)));
                Ok(key)
            }
            404 => {
                self.memory().remember(id, Known::Missing(now + Self::ABSENCE));
                Err(unknown())
            }
            // Only 404 means that there is no such key.
            status => {
                let unexpected = format!("{} answered with status {status}", self.server);
                Err(Rejection::KeysUnavailable(unexpected.into()))
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn may_ask(&mut self, now: Timestamp) -> bool {
        if self.asked.len() == InstallKeys::REQUESTS {
            let oldest = self.asked.front().copied().unwrap_or(now);
            if now < oldest + InstallKeys::ABSENCE {
                return false;
            }
            self.asked.pop_front();
        }
        self.asked.push_back(now);
        true
    }

    fn remember(&mut self, id: &KeyId, what: Known) {
        if self.known.len() >= InstallKeys::MAX_KEYS {
            // Keys are kept, unless they alone fill the cache.
            self.known.retain(|_, known| matches!(known, Known::Key(_)));
            if self.known.len() >= InstallKeys::MAX_KEYS {
                self.known.clear();
            }
        }
        self.known.insert(id.clone(), what);
    }
}
