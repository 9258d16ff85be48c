//! Names of tenants.

use std::fmt;
use std::str::FromStr;

use atlassian_connect::tenant::ClientKey;

/// The name of a tenant: whoever has one secret, such as a site or a workspace.
///
/// The operator chooses it, and the URL of the webhook contains it, because nothing else in a request
/// says which secret signed it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantName(ClientKey);

impl TenantName {
    /// The maximum length of a name, in characters.
    pub const MAX_LEN: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as deliveries carry it. It can also be the client key of some tenant of Connect.
    pub fn as_key(&self) -> &ClientKey {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TenantName {
    type Err = InvalidTenantName;

    fn from_str(name: &str) -> Result<Self, InvalidTenantName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_one = (1..=Self::MAX_LEN).contains(&name.len()) && name.bytes().all(plain);
        let key = ClientKey::new(name).ok().filter(|_| is_one);
        key.map(Self).ok_or(InvalidTenantName)
    }
}

/// A text that is not the name of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a tenant's name has 1 to {} lower-case letters, digits and `-`", TenantName::MAX_LEN)]
pub struct InvalidTenantName;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_a_path_can_contain_as_it_is() {
        for name in ["a", "acme", "acme-2", &"x".repeat(64)] {
            assert_eq!(name.parse::<TenantName>().unwrap().as_str(), name);
        }
        for name in ["", "Acme", "a b", "a/b", "..", "a.b", "a%20b", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(name.parse::<TenantName>(), Err(InvalidTenantName), "{name:?}");
        }
    }
}
