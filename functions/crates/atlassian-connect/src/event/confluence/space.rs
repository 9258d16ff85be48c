//! Spaces and people.

use serde::Deserialize;

use super::content::ContentReference;
use crate::event::Id;
use crate::event::moment::Moment;

/// A space.
///
/// Connect 1.0.1, `SpaceEventMapper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Space {
    /// The identifier. Inferred.
    pub id: Option<Id>,
    /// The key, as in `/wiki/spaces/DOC`.
    pub key: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// Whether it belongs to one person.
    pub is_personal_space: Option<bool>,
    /// Its first page.
    pub home_page: Option<ContentReference>,
    /// When it was created; on the wire in milliseconds since 1970, or empty.
    pub creation_date: Option<Moment>,
    /// When it was last changed; on the wire in milliseconds since 1970, or empty.
    pub modification_date: Option<Moment>,
    /// The account of whoever created it. Since 2019.
    pub creator_account_id: Option<String>,
    /// The account of whoever last changed it. Since 2019.
    pub last_modifier_account_id: Option<String>,
    /// The username of whoever created it. Until 2019.
    pub creator_name: Option<String>,
    /// The key of whoever created it. Until 2019.
    pub creator_key: Option<String>,
    /// The username of whoever last changed it. Until 2019.
    pub last_modifier_name: Option<String>,
    /// The key of whoever last changed it. Until 2019.
    pub last_modifier_key: Option<String>,
    /// The address for people.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// A user.
///
/// Connect, `UserEventMapper`; the account inferred.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserProfile {
    /// The account. Since 2019.
    pub account_id: Option<String>,
    /// The key. Until 2019.
    pub user_key: Option<String>,
    /// The username. Until 2019.
    pub username: Option<String>,
    /// What the user is called.
    pub full_name: Option<String>,
    /// The address of the user.
    pub email: Option<String>,
}
