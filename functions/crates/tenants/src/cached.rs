//! A cache of tenants in a receiver's memory.
//!
//! A warm receiver does not read the table for a tenant it knows. A read costs $0.125 a million and
//! some milliseconds of each webhook, and depends on one more service. Lambda freezes an
//! environment between requests, so nothing happens in the background: a request that finds an
//! expired entry reads it again.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlassian_connect::jwt::{Hs256, Screened};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;

use crate::{Find, NotVerified, Tenant, Unavailable};

/// A cache in front of a [`Find`].
///
/// A token that does not match the cached secret causes one more read of its tenant before it is
/// refused, so that no webhook is lost after a first install or a new secret.
///
/// These extra reads have a budget: [`Cached::REREADS`] at once, then one every [`Cached::REREAD_INTERVAL`].
/// While forged tokens use it up, an environment with the previous secret refuses webhooks with the
/// new one until the next read, and Jira does not repeat a webhook that got 401. Answering 503
/// instead would save those webhooks, but would let any stranger trigger the alarms.
#[derive(Debug)]
pub struct Cached<F> {
    tenants: F,
    entries: Mutex<HashMap<ClientKey, Arc<tokio::sync::Mutex<Entry>>>>,
    jitter: RandomState,
}

impl<F> Cached<F> {
    /// The maximum lifetime of an entry. For this long a receiver can accept a tenant after its
    /// uninstall, or a previous secret after its grace.
    ///
    /// Up to a fifth is subtracted at random, so that environments that started together do not
    /// read together.
    pub const LIFETIME: Duration = Duration::from_secs(5 * 60);
    /// The lifetime of an entry for an unknown tenant. It bounds the cost of invented issuers.
    pub const ABSENCE: Duration = Duration::from_secs(30);
    /// How long after its last read a tenant is used while the table does not answer. It does not
    /// apply to a tenant that was last seen uninstalled.
    pub const STALE: Duration = Duration::from_secs(60 * 60);
    /// How many extra reads refused tokens can cause for one tenant at once.
    pub const REREADS: u32 = 5;
    /// The interval between further extra reads, so that not every forged token costs a read. Also
    /// the interval between reads of a table that does not answer.
    pub const REREAD_INTERVAL: Duration = Duration::from_secs(5);
    /// The maximum number of entries. They take less than ten megabytes.
    pub const MAX_TENANTS: usize = 10_000;

    /// An empty cache.
    pub fn new(tenants: F) -> Self {
        Self { tenants, entries: Mutex::default(), jitter: RandomState::new() }
    }

    /// The entry of a tenant. The request that holds its lock reads for all that wait.
    fn entry(&self, key: &ClientKey) -> Arc<tokio::sync::Mutex<Entry>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key) {
            return Arc::clone(entry);
        }
        if entries.len() >= Self::MAX_TENANTS {
            // Unknown tenants are evicted first, because anyone can invent thousands of them. If less
            // than half becomes free, all are evicted: otherwise every request would search again.
            entries.retain(|_, entry| entry.try_lock().is_ok_and(|entry| entry.is_tenant()));
            if entries.len() > Self::MAX_TENANTS / 2 {
                entries.clear();
            }
        }
        Arc::clone(entries.entry(key.clone()).or_default())
    }
}

impl<F: Find> Cached<F> {
    /// Verifies a token, and returns the tenant that signed it.
    ///
    /// # Errors
    ///
    /// Returns [`NotVerified::Unknown`] if the issuer has not installed the app,
    /// [`NotVerified::Untrusted`] if the signature is not valid, and [`NotVerified::Unavailable`] if
    /// the table does not answer and the cache is not sufficient.
    pub async fn verify(
        &self,
        token: &Screened<'_, Hs256>,
        now: Timestamp,
    ) -> Result<Arc<Tenant>, NotVerified> {
        let verify = |secret: &SharedSecret| token.verify(secret).map(drop);
        let (tenant, ()) = self.verify_with(token.issuer(), now, verify).await?;
        Ok(tenant)
    }

    /// Verifies what a tenant signed with its current secret, or with the previous one while it is
    /// valid. Returns the tenant, and what was verified.
    ///
    /// # Errors
    ///
    /// Returns [`NotVerified::Unknown`] if there is no tenant with this key,
    /// [`NotVerified::Untrusted`] if no secret verifies it, and [`NotVerified::Unavailable`] if the table
    /// does not answer and the cache is not sufficient.
    pub async fn verify_with<T, E>(
        &self,
        key: &ClientKey,
        now: Timestamp,
        verify: impl Fn(&SharedSecret) -> Result<T, E>,
    ) -> Result<(Arc<Tenant>, T), NotVerified<E>> {
        let entry = self.entry(key);
        let mut entry = entry.lock().await;
        let is_new = self.refresh(&mut entry, key, now).await?;
        let verified = entry.verify(key, now, &verify);
        if verified.is_ok() || is_new || !entry.may_reread(now) {
            return verified;
        }
        // Not 401 if the table fails here: the secret may be new, and a refused webhook is lost.
        entry.seen = Some(self.read(key, now).await?);
        entry.verify(key, now, &verify)
    }

    /// The tenant with this key; `None` if it has not installed the app.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table does not answer and the cache is not sufficient.
    pub async fn get(
        &self,
        key: &ClientKey,
        now: Timestamp,
    ) -> Result<Option<Arc<Tenant>>, Unavailable> {
        let entry = self.entry(key);
        let mut entry = entry.lock().await;
        self.refresh(&mut entry, key, now).await?;
        Ok(entry.tenant().cloned())
    }

    /// The same after a site refused the tenant's secret: read again, within the budget of extra
    /// reads.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table does not answer.
    pub async fn get_again(
        &self,
        key: &ClientKey,
        now: Timestamp,
    ) -> Result<Option<Arc<Tenant>>, Unavailable> {
        let entry = self.entry(key);
        let mut entry = entry.lock().await;
        if entry.may_reread(now) {
            entry.seen = Some(self.read(key, now).await?);
        }
        Ok(entry.tenant().cloned())
    }

    /// Makes an entry usable, and returns whether it was read for that.
    async fn refresh(
        &self,
        entry: &mut Entry,
        key: &ClientKey,
        now: Timestamp,
    ) -> Result<bool, Unavailable> {
        if entry.seen.as_ref().is_some_and(|seen| now < seen.until) {
            return Ok(false);
        }
        match (self.read(key, now).await, &mut entry.seen) {
            (Ok(seen), _) => {
                entry.seen = Some(seen);
                Ok(true)
            }
            (Err(error), Some(seen)) if seen.tenant.is_some() && now < seen.at + Self::STALE => {
                tracing::warn!(
                    tenant.key = %key,
                    read.at = %seen.at,
                    detail = &error as &dyn std::error::Error,
                    "tenant not read, cached tenant used"
                );
                seen.until = (now + Self::REREAD_INTERVAL).min(seen.at + Self::STALE);
                Ok(false)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn read(&self, key: &ClientKey, now: Timestamp) -> Result<Seen, Unavailable> {
        let tenant = self.tenants.find(key, now).await?;
        let lifetime = if tenant.is_some() { Self::LIFETIME } else { Self::ABSENCE };
        let chance = self.jitter.hash_one((key, now.as_nanosecond())) % 1000;
        let until = now + lifetime.mul_f64(1.0 - chance as f64 / 5000.0);
        Ok(Seen { tenant: tenant.map(Arc::new), at: now, until })
    }
}

/// What is cached for one client key.
#[derive(Debug, Default)]
struct Entry {
    seen: Option<Seen>,
    /// When the budget of extra reads is full again (a token bucket as in GCRA): one read per
    /// [`Cached::REREAD_INTERVAL`].
    paid: Timestamp,
}

/// The result of a read.
#[derive(Debug)]
struct Seen {
    tenant: Option<Arc<Tenant>>,
    at: Timestamp,
    until: Timestamp,
}

impl Entry {
    fn is_tenant(&self) -> bool {
        self.tenant().is_some()
    }

    fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.seen.as_ref()?.tenant.as_ref()
    }

    fn verify<T, E>(
        &self,
        key: &ClientKey,
        now: Timestamp,
        verify: impl Fn(&SharedSecret) -> Result<T, E>,
    ) -> Result<(Arc<Tenant>, T), NotVerified<E>> {
        let unknown = || NotVerified::Unknown { tenant: key.clone() };
        let tenant = self.tenant().ok_or_else(unknown)?;
        let verified = tenant.try_secrets(now, verify).map_err(NotVerified::Untrusted)?;
        Ok((Arc::clone(tenant), verified))
    }

    fn may_reread(&mut self, now: Timestamp) -> bool {
        let (pause, burst) = (Cached::<()>::REREAD_INTERVAL, Cached::<()>::REREADS);
        let paid = self.paid.max(now) + pause;
        let may = paid <= now + pause * burst;
        if may {
            self.paid = paid;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use atlassian_connect::event::Product;
    use atlassian_connect::jwt::{self, ClaimsToSign, Unverified};
    use atlassian_connect::qsh;

    use super::*;
    use crate::PREVIOUS_SECRET_GRACE;

    /// A table of one tenant, which counts its reads.
    #[derive(Debug, Default)]
    struct Table {
        row: Mutex<Option<Tenant>>,
        down: Mutex<bool>,
        reads: AtomicUsize,
    }

    impl Find for &Table {
        async fn find(&self, key: &ClientKey, _: Timestamp) -> Result<Option<Tenant>, Unavailable> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if *self.down.lock().unwrap() {
                return Err(Unavailable::Table { table: "t".into(), source: "down".into() });
            }
            let known = key.as_str() == "tenant";
            Ok(self.row.lock().unwrap().clone().filter(|_| known))
        }
    }

    impl Table {
        fn holds(&self, secret: &str) {
            let secret = SharedSecret::new(secret);
            let tenant = Tenant {
                product: Product::Jira,
                secret,
                previous: None,
                base_url: None,
                oauth_client_id: None,
            };
            *self.row.lock().unwrap() = Some(tenant);
        }

        fn rotates(&self, secret: &str, at: Timestamp) {
            let before = self.row.lock().unwrap().take().unwrap().secret;
            self.holds(secret);
            self.row.lock().unwrap().as_mut().unwrap().previous =
                Some((before, at + PREVIOUS_SECRET_GRACE));
        }

        fn is_left(&self) {
            *self.row.lock().unwrap() = None;
        }

        fn is_down(&self, down: bool) {
            *self.down.lock().unwrap() = down;
        }

        fn reads(&self) -> usize {
            self.reads.load(Ordering::SeqCst)
        }
    }

    type Cache<'a> = Cached<&'a Table>;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// Verifies a webhook of `issuer` that is signed with `secret`. Returns the reason if it fails.
    async fn webhook_of(
        cache: &Cache<'_>,
        issuer: &str,
        secret: &str,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let request = qsh::Request::of_url("POST", "/hook", "");
        let hash = request.hash().unwrap();
        let token = jwt::sign(&ClaimsToSign::new(issuer, &hash, now), &SharedSecret::new(secret));
        let token = Unverified::webhook(&token).unwrap().screen(&request, now).unwrap();
        cache.verify(&token, now).await.map(drop).map_err(|error| match error {
            NotVerified::Unknown { .. } => "unknown",
            NotVerified::Untrusted(_) => "untrusted",
            NotVerified::Unavailable(_) => "unavailable",
        })
    }

    async fn webhook(cache: &Cache<'_>, secret: &str, seconds: i64) -> Result<(), &'static str> {
        webhook_of(cache, "tenant", secret, at(seconds)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_once_for_a_hundred_first_requests() {
        let table = Table::default();
        table.holds("a");
        let cache = Cached::new(&table);
        let requests = (0..100).map(|_| webhook(&cache, "a", 0));
        let answers = futures_util::future::join_all(requests).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(table.reads(), 1);
    }

    #[tokio::test]
    async fn believes_a_tenant_for_its_lifetime_and_no_longer() {
        let table = Table::default();
        table.holds("a");
        let cache = Cached::new(&table);
        for seconds in [0, 1, 239] {
            assert_eq!(webhook(&cache, "a", seconds).await, Ok(()));
        }
        assert_eq!(table.reads(), 1);
        table.is_left();
        assert_eq!(webhook(&cache, "a", 300).await, Err("unknown"));
        assert_eq!(table.reads(), 2);
    }

    #[tokio::test]
    async fn takes_a_new_secret_at_once_and_the_old_one_for_its_grace() {
        let table = Table::default();
        table.holds("a");
        let cache = Cached::new(&table);
        assert_eq!(webhook(&cache, "a", 0).await, Ok(()));
        table.rotates("b", at(1));
        assert_eq!(webhook(&cache, "a", 1).await, Ok(()), "on its way");
        assert_eq!(webhook(&cache, "b", 1).await, Ok(()));
        assert_eq!(webhook(&cache, "a", 2).await, Ok(()), "in its grace");
        assert_eq!(table.reads(), 2);
        assert_eq!(webhook(&cache, "a", 901).await, Err("untrusted"));
    }

    #[tokio::test]
    async fn takes_the_first_webhook_after_an_install() {
        let table = Table::default();
        let cache = Cached::new(&table);
        assert_eq!(webhook(&cache, "a", 0).await, Err("unknown"));
        table.holds("a");
        assert_eq!(webhook(&cache, "a", 0).await, Ok(()));
    }

    #[tokio::test]
    async fn reads_for_a_few_forged_tokens_and_not_for_each() {
        for secret in [None, Some("a")] {
            let table = Table::default();
            secret.into_iter().for_each(|secret| table.holds(secret));
            let cache = Cached::new(&table);
            for _ in 0..100 {
                assert!(webhook(&cache, "forged", 0).await.is_err());
            }
            assert_eq!(table.reads(), 1 + 5);
            for _ in 0..100 {
                assert!(webhook(&cache, "forged", 5).await.is_err());
            }
            assert_eq!(table.reads(), 1 + 5 + 1);
        }
    }

    #[tokio::test]
    async fn goes_on_for_an_hour_without_the_table() {
        let table = Table::default();
        table.holds("a");
        let cache = Cached::new(&table);
        assert_eq!(webhook(&cache, "a", 0).await, Ok(()));
        table.is_down(true);
        assert_eq!(webhook(&cache, "a", 1000).await, Ok(()));
        assert_eq!(webhook(&cache, "a", 1004).await, Ok(()));
        assert_eq!(table.reads(), 2, "a table that does not answer is not asked by every request");
        assert_eq!(webhook(&cache, "b", 1004).await, Err("unavailable"));
        let stranger = webhook_of(&cache, "stranger", "a", at(1004)).await;
        assert_eq!(stranger, Err("unavailable"));
        assert_eq!(webhook(&cache, "a", 3599).await, Ok(()));
        assert_eq!(webhook(&cache, "a", 3600).await, Err("unavailable"));
    }

    #[tokio::test]
    async fn never_serves_an_uninstalled_tenant_from_the_cache() {
        let table = Table::default();
        table.holds("a");
        let cache = Cached::new(&table);
        assert_eq!(webhook(&cache, "a", 0).await, Ok(()));
        table.is_left();
        assert_eq!(webhook(&cache, "a", 300).await, Err("unknown"));
        table.is_down(true);
        assert_eq!(webhook(&cache, "a", 400).await, Err("unavailable"));
    }

    #[tokio::test]
    async fn lets_strangers_crowd_out_no_tenant() {
        let table = Table::default();
        table.holds("a");
        let cache = Cached::new(&table);
        assert_eq!(webhook(&cache, "a", 0).await, Ok(()));
        for number in 0..Cache::MAX_TENANTS {
            cache.entry(&ClientKey::new(format!("stranger-{number}")).unwrap());
            assert!(cache.entries.lock().unwrap().len() <= Cache::MAX_TENANTS);
        }
        assert_eq!(webhook(&cache, "a", 0).await, Ok(()));
        assert_eq!(table.reads(), 1);
    }
}
