//! Users.

use crate::event::object::object;
use crate::event::string_enum::AccountType;

object! {
    /// A user.
    ///
    /// Jira Cloud platform REST API, "Users". What it holds depends on the privacy settings of the
    /// person. In 2014 it could be only a username, which is then the `name`.
    #[derive(Default)]
    pub struct User {
        /// The account id, the same on every site.
        "accountId" => account_id: Option<String>,
        /// The type of account.
        "accountType" => account_type: Option<AccountType>,
        /// The display name of the user.
        "displayName" => display_name: Option<String>,
        /// Whether the user may log in.
        "active" => active: Option<bool>,
        /// The time zone of the user, as in `Australia/Sydney`.
        "timeZone" => time_zone: Option<String>,
        /// The avatars.
        "avatarUrls" => avatar_urls: Option<AvatarUrls>,
        /// The email address of the user.
        "emailAddress" => email_address: Option<String>,
        /// The username. Until 2019, and on Jira Server.
        "name" => name: Option<String>,
        /// The key. Until 2019, and on Jira Server.
        "key" => key: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
    text => Some(Self { name: Some(text.into()), ..Self::default() })
}

object! {
    /// The URLs of an avatar, by its size in pixels.
    #[derive(Default)]
    pub struct AvatarUrls {
        /// The URL of the 16-pixel avatar.
        "16x16" => x16: Option<String>,
        /// The URL of the 24-pixel avatar.
        "24x24" => x24: Option<String>,
        /// The URL of the 32-pixel avatar.
        "32x32" => x32: Option<String>,
        /// The URL of the 48-pixel avatar.
        "48x48" => x48: Option<String>,
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
