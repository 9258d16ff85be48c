//! The keys that sign installs, from Atlassian's key server.
//!
//! Atlassian's documentation, "Security for Connect apps": `GET <server>/<kid>` answers with the
//! public key in PEM. A key never changes under its name, so one that was fetched is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    known: HashMap<KeyId, Known>,
    /// When the server was last asked, [`InstallKeys::REQUESTS`] times at the most.
    asked: VecDeque<Timestamp>,
}

/// What the server said of a name.
#[derive(Clone, Debug)]
enum Known {
    Key(Arc<InstallKey>),
    /// There was none, and it is not asked again before then.
    Missing(Timestamp),
}

/// So many names that are not known that the server is not asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "tokens named more than {} keys that are not known within {} s, most of them invented; the key \
     server is asked again after that",
    InstallKeys::REQUESTS,
    InstallKeys::ABSENCE.as_secs()
)]
pub struct TooManyNames;

impl InstallKeys {
    /// How long a name is believed to have no key. It is short: a new key is used soon after it is
    /// published.
    pub const ABSENCE: Duration = Duration::from_secs(30);
    /// How many requests the server gets in that time, whatever they ask for. Anybody can invent
    /// names, and a server that limits or blocks us for them would make real installs fail.
    ///
    /// Atlassian has a handful of keys, and one that is known needs no request.
    pub const REQUESTS: usize = 10;

    /// How many names are remembered. Atlassian has a handful of keys; strangers can invent names.
    const MOST: usize = 64;

    /// The keys of one server. It is configured, never chosen by what a request says.
    pub fn new(server: &str) -> Self {
        Self {
            server: server.trim_end_matches('/').into(),
            client: Client::new(Duration::from_secs(3)),
            memory: Mutex::default(),
        }
    }

    /// The key of this name.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownKey`] if the server says that it does not exist,
    /// [`Rejection::KeysUnavailable`] if it cannot say, or is not asked: [`TooManyNames`].
    pub async fn find(&self, id: &KeyId, now: Timestamp) -> Result<Arc<InstallKey>, Rejection> {
        let unknown = || Rejection::UnknownKey { key_id: id.as_str().into() };
        match self.memory().known.get(id) {
            Some(Known::Key(key)) => return Ok(Arc::clone(key)),
            Some(Known::Missing(until)) if now < *until => return Err(unknown()),
            _ => {}
        }
        if !self.memory().may_ask(now) {
            return Err(Rejection::KeysUnavailable(TooManyNames.into()));
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
            // Whatever else it says, it does not say that there is no such key.
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
        if self.known.len() >= InstallKeys::MOST {
            // Real keys stay, unless there are that many.
            self.known.retain(|_, known| matches!(known, Known::Key(_)));
            if self.known.len() >= InstallKeys::MOST {
                self.known.clear();
            }
        }
        self.known.insert(id.clone(), what);
    }
}
