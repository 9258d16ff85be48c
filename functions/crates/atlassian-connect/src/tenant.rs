//! Tenants: their client keys and shared secrets.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The `clientKey` of a tenant: one installation of the app on one site of one product.
///
/// It is an opaque identifier of Atlassian's, and the `iss` claim of every token that the tenant
/// signs. The Jira and the Confluence of one site have different client keys.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientKey(String);

impl ClientKey {
    /// The maximum length of a client key, in bytes. Atlassian's are UUIDs.
    pub const MAX_LEN: usize = 128;

    /// Accepts a client key as Atlassian writes it.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidClientKey`] if it is empty, too long, or contains anything but visible
    /// ASCII. No tenant has such a key, so it need not be looked up. A valid key is also a valid
    /// message
    /// group of Amazon SQS (its API reference, `SendMessage`).
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidClientKey> {
        let key = key.into();
        let plausible = (1..=Self::MAX_LEN).contains(&key.len());
        if plausible && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(key))
        } else {
            Err(InvalidClientKey)
        }
    }

    /// The client key as Atlassian writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ClientKey {
    type Error = InvalidClientKey;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        Self::new(key)
    }
}

impl From<ClientKey> for String {
    fn from(key: ClientKey) -> Self {
        key.0
    }
}

/// A client key that no tenant can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the client key is not 1 to 128 characters of visible ASCII")]
pub struct InvalidClientKey;

/// The secret that a tenant and the app share, delivered by the `installed` callback.
///
/// It signs every webhook of the tenant: the HS256 key is its UTF-8 bytes, as received. It is wiped
/// when dropped, never printed, and accessible only through [`SharedSecret::expose`].
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SharedSecret(Zeroizing<String>);

impl SharedSecret {
    /// Wraps a secret as Atlassian wrote it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself, for signing and encrypting. Review every use with care.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_any_client_key_that_could_be_one() {
        for key in ["a", "4f2f4c1e-6a2e-4a8f-9d7b-0c1d2e3f4a5b", "jira:unit-test_1.2"] {
            assert_eq!(ClientKey::new(key).unwrap().as_str(), key);
        }
        for key in ["", "a b", "a\nb", "a\0b", "ключ", &"k".repeat(129)] {
            assert_eq!(ClientKey::new(key), Err(InvalidClientKey), "{key:?}");
        }
    }

    #[test]
    fn prints_no_secret() {
        let secret = SharedSecret::new("s3cr3t");
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("s3cr3t"));
    }
}
