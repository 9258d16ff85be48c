//! Access tokens of users, until they expire.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlassian_connect::tenant::ClientKey;
use jiff::Timestamp;
use zeroize::Zeroizing;

/// A cache of access tokens, by tenant and user.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<(ClientKey, String), Kept>>);

struct Kept {
    token: Zeroizing<String>,
    until: Timestamp,
}

impl Tokens {
    /// How long before its end a token is not used any more: the longest request, and some difference
    /// between the clocks.
    const MARGIN: Duration = Duration::from_secs(30);
    /// The maximum number of tokens. They take a few megabytes.
    const MAX_TOKENS: usize = 1000;

    pub(crate) fn find(
        &self,
        tenant: &ClientKey,
        user: &str,
        now: Timestamp,
    ) -> Option<Zeroizing<String>> {
        let kept = self.kept();
        let kept = kept.get(&(tenant.clone(), user.to_owned()))?;
        (now + Self::MARGIN < kept.until).then(|| kept.token.clone())
    }

    pub(crate) fn keep(
        &self,
        tenant: &ClientKey,
        user: &str,
        token: &Zeroizing<String>,
        until: Timestamp,
        now: Timestamp,
    ) {
        let mut kept = self.kept();
        if kept.len() >= Self::MAX_TOKENS {
            kept.retain(|_, kept| now < kept.until);
            if kept.len() >= Self::MAX_TOKENS {
                kept.clear();
            }
        }
        let token = token.clone();
        kept.insert((tenant.clone(), user.to_owned()), Kept { token, until });
    }

    pub(crate) fn forget(&self, tenant: &ClientKey, user: &str) {
        self.kept().remove(&(tenant.clone(), user.to_owned()));
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<(ClientKey, String), Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn keeps_a_token_for_its_user_until_shortly_before_its_end() {
        let (tenant, other) = (ClientKey::new("a").unwrap(), ClientKey::new("b").unwrap());
        let tokens = Tokens::default();
        tokens.keep(&tenant, "mia", &Zeroizing::new("token".into()), at(900), at(0));
        let found = |tenant, user, now| tokens.find(tenant, user, at(now)).is_some();
        assert!(found(&tenant, "mia", 869));
        assert!(!found(&tenant, "mia", 870));
        assert!(!found(&tenant, "bob", 0));
        assert!(!found(&other, "mia", 0));
        tokens.forget(&tenant, "mia");
        assert!(!found(&tenant, "mia", 0));
    }

    #[test]
    fn keeps_no_more_than_its_limit() {
        let tenant = ClientKey::new("a").unwrap();
        let tokens = Tokens::default();
        for user in 0..=Tokens::MAX_TOKENS {
            let token = Zeroizing::new("token".to_owned());
            tokens.keep(&tenant, &user.to_string(), &token, at(900), at(0));
            assert!(tokens.kept().len() <= Tokens::MAX_TOKENS);
        }
    }
}
