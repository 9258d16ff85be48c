//! Who sends: a tenant, its key and its secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The `clientKey` of a tenant: one installation of the app on one site of one product.
///
/// Atlassian chooses it; it is opaque, and the `iss` claim of every token that the tenant signs. A
/// Jira and a Confluence on the same site have different ones.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientKey(String);

impl ClientKey {
    /// The longest key that is looked up, in bytes. Atlassian's are UUIDs.
    pub const MAX_LEN: usize = 128;

    /// Takes a key as Atlassian wrote it.
    ///
    /// # Errors
    ///
    /// [`InvalidClientKey`] if it is empty, too long, or holds anything but visible ASCII: no such
    /// tenant exists, so nobody need look it up. What is left is also what Amazon SQS takes as a
    /// message group (its API reference, `SendMessage`).
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidClientKey> {
        let key = key.into();
        let plausible = (1..=Self::MAX_LEN).contains(&key.len());
        if plausible && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(key))
        } else {
            Err(InvalidClientKey)
        }
    }

    /// The key as Atlassian wrote it.
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
#[error("a client key is 1 to 128 characters of visible ASCII")]
pub struct InvalidClientKey;

/// The secret that a tenant and the app share, delivered by the `installed` callback.
///
/// It signs every webhook of the tenant: the key of HS256 is its UTF-8 bytes, as received. It is
/// wiped when dropped, printed by nothing, and leaves this type only through
/// [`SharedSecret::expose`].
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SharedSecret(Zeroizing<String>);

impl SharedSecret {
    /// Takes a secret as Atlassian wrote it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself, for signing and storing. Every use is worth a second look.
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
