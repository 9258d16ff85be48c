//! Keys of tenants' rows.

use std::fmt;

use atlassian_connect::tenant::ClientKey;
use contract::tenants_table::SIGNED_PREFIX;
use signed_webhooks::TenantName;

/// The partition key of a tenant's row: the client key of one that installed the app, or a prefix and
/// the name of one that signs its webhooks. The prefix has a space, which no client key has.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RowKey(String);

impl RowKey {
    /// The partition key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Accepts the key of a tenant's row. That of a data key is none.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let is_client_key = || ClientKey::new(key).is_ok();
        (is_client_key() || Self::signed(key).is_some()).then(|| Self(key.to_owned()))
    }

    /// The name of a tenant that signs its webhooks.
    pub(crate) fn signed(key: &str) -> Option<TenantName> {
        key.strip_prefix(SIGNED_PREFIX)?.parse().ok()
    }
}

impl From<&ClientKey> for RowKey {
    fn from(key: &ClientKey) -> Self {
        Self(key.as_str().to_owned())
    }
}

impl From<&TenantName> for RowKey {
    fn from(name: &TenantName) -> Self {
        Self(format!("{SIGNED_PREFIX}{name}"))
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_tenants_apart() {
        let name: TenantName = "acme".parse().unwrap();
        let (signed, client_key) = (RowKey::from(&name), ClientKey::new("acme").unwrap());
        assert_eq!(signed.as_str(), "signed acme");
        assert_ne!(signed, RowKey::from(&client_key));
        assert!(ClientKey::new(signed.as_str()).is_err(), "no token can name it");
        assert_eq!(RowKey::parse("signed acme"), Some(signed));
        assert_eq!(RowKey::parse("acme"), Some(RowKey::from(&client_key)));
        for other in ["data-key 2026", "signed ", "signed Acme", "signed a b", "Signed acme", ""] {
            assert_eq!(RowKey::parse(other), None, "{other}");
        }
    }
}
