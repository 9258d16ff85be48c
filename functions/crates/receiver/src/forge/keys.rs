//! The key set of Forge, fetched over HTTPS.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlassian_forge::keys::{Answer, CachedKeys, FetchKeys, Key, KeyId, KeySet};
use jiff::Timestamp;
use runtime::https::Client;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The server of the key set.
#[derive(Debug)]
pub struct KeyServer {
    url: String,
    client: Client,
}

impl KeyServer {
    /// The time for a fetch. Forge waits for five seconds in total.
    pub const TIMEOUT: Duration = Duration::from_secs(3);

    /// The key set at a URL, which is configured and never chosen by a request. Production's is
    /// [`KEY_SET_URL`](atlassian_forge::keys::KEY_SET_URL).
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), client: Client::new(Self::TIMEOUT).max_body(KeySet::MAX_LEN) }
    }
}

impl FetchKeys for KeyServer {
    type Error = runtime::Error;

    async fn fetch(&self) -> Result<KeySet, runtime::Error> {
        let answer = self.client.get(&self.url).await?;
        if answer.status != 200 {
            return Err(format!("{} answered with status {}", self.url, answer.status).into());
        }
        Ok(KeySet::from_json(&answer.body)?)
    }
}

/// The keys of Forge, with a cache of the key set.
#[derive(Debug)]
pub struct ForgeKeys<F> {
    fetch: F,
    cached: Mutex<CachedKeys>,
    /// Whoever fetches has finished.
    finished: Notify,
}

/// Why there is no key for a token.
#[derive(Debug)]
pub enum NoKey {
    /// The key set is current and has no such key.
    Unknown,
    /// The key set could not be fetched, so it may have the key.
    Unavailable(runtime::Error),
}

impl<F: FetchKeys<Error = runtime::Error>> ForgeKeys<F> {
    /// An empty cache.
    pub fn new(fetch: F) -> Self {
        Self { fetch, cached: Mutex::default(), finished: Notify::new() }
    }

    /// Fetches the key set before the first event.
    ///
    /// It is not an error if that fails: the first event fetches it again.
    pub async fn warm_up(&self, now: Timestamp) {
        if let Some(id) = KeyId::new("none") {
            let _ = self.find(&id, now).await;
        }
    }

    /// Finds a key by its name.
    ///
    /// # Errors
    ///
    /// Returns [`NoKey`] if there is none.
    pub async fn find(&self, id: &KeyId, now: Timestamp) -> Result<Arc<Key>, NoKey> {
        let mut failed = None;
        loop {
            // Before the answer, so that a fetch that ends in between is not missed.
            let finished = self.finished.notified();
            let answer = self.cached().find(id, now);
            match answer {
                Answer::Key(key) => return Ok(key),
                Answer::Unknown => return Err(NoKey::Unknown),
                Answer::Unavailable => {
                    let recent = || "the key set could not be fetched a moment ago".into();
                    return Err(NoKey::Unavailable(failed.unwrap_or_else(recent)));
                }
                Answer::Fetch => failed = self.fetch(now).await.err(),
                Answer::Wait => {
                    if timeout(KeyServer::TIMEOUT, finished).await.is_err() {
                        return Err(NoKey::Unavailable(
                            "the key set is still being fetched".into(),
                        ));
                    }
                }
            }
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), runtime::Error> {
        /// Lets the others go on, even if this invocation is cut off.
        struct Unfinished<'a, F>(&'a ForgeKeys<F>, bool);

        impl<F> Drop for Unfinished<'_, F> {
            fn drop(&mut self) {
                if self.1 {
                    self.0.cached.lock().unwrap_or_else(PoisonError::into_inner).failed();
                }
                self.0.finished.notify_waiters();
            }
        }

        let mut unfinished = Unfinished(self, true);
        match self.fetch.fetch().await {
            Ok(keys) => {
                self.cached().fetched(keys, now);
                unfinished.1 = false;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(detail = &*error as &dyn std::error::Error, "key set not fetched");
                Err(error)
            }
        }
    }

    fn cached(&self) -> MutexGuard<'_, CachedKeys> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
