//! People and apps.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::event::vocabulary::AccountType;

/// A user.
///
/// Jira Cloud platform REST API, "Users". What it holds depends on the privacy settings of the
/// person. In 2014 it could be a username and nothing else, which is then the `name`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[non_exhaustive]
pub struct User {
    /// The account, the same on every site.
    pub account_id: Option<String>,
    /// What kind of account it is.
    pub account_type: Option<AccountType>,
    /// What the user is called.
    pub display_name: Option<String>,
    /// Whether the user may log in.
    pub active: Option<bool>,
    /// Where the user's clock is, as in `Australia/Sydney`.
    pub time_zone: Option<String>,
    /// Pictures.
    pub avatar_urls: Option<AvatarUrls>,
    /// The address of the user.
    pub email_address: Option<String>,
    /// The username. Until 2019, and on Jira Server.
    pub name: Option<String>,
    /// The key. Until 2019, and on Jira Server.
    pub key: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// The addresses of a picture, in pixels.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct AvatarUrls {
    /// The smallest.
    #[serde(rename = "16x16")]
    pub x16: Option<String>,
    /// A small one.
    #[serde(rename = "24x24")]
    pub x24: Option<String>,
    /// A larger one.
    #[serde(rename = "32x32")]
    pub x32: Option<String>,
    /// The largest.
    #[serde(rename = "48x48")]
    pub x48: Option<String>,
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = User;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user, as an object or a username")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<User, E> {
                Ok(User { name: Some(name.into()), ..User::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<User, A::Error> {
                // The inherent function that `remote = "Self"` derives.
                User::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_username_as_a_user() {
        let users: Vec<Option<User>> =
            serde_json::from_str(r#"["mia", {"accountId": "5b10", "x": []}, null]"#).unwrap();
        assert_eq!(users[0].as_ref().unwrap().name.as_deref(), Some("mia"));
        assert_eq!(users[1].as_ref().unwrap().account_id.as_deref(), Some("5b10"));
        assert!(users[2].is_none());
    }
}
