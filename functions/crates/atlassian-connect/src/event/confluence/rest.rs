//! Content as the REST API writes it.

use serde::Deserialize;

use super::content::ContentKind;
use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::vocabulary::{AccountType, vocabulary};

/// A piece of content.
///
/// Confluence Cloud REST API, version 1, "Content". What it expands to is not read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RestContent {
    /// The identifier.
    pub id: Id,
    /// What it is. Types of plugins are written in full, as in
    /// `com.atlassian.confluence.plugins.confluence-content-property-storage:content-property`.
    #[serde(rename = "type")]
    pub kind: Option<ContentKind>,
    /// Whether it is there.
    pub status: Option<ContentStatus>,
    /// What it is called.
    pub title: Option<String>,
    /// Where it is.
    pub space: Option<RestSpace>,
    /// How it came about.
    pub history: Option<History>,
    /// Which edition it is.
    pub version: Option<RestVersion>,
    /// What is known about it.
    pub metadata: Option<Metadata>,
    /// Where it is found.
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

vocabulary! {
    /// Whether a piece of content, or a space, is there.
    pub enum ContentStatus {
        "archived" => Archived,
        "current" => Current,
        "deleted" => Deleted,
        "draft" => Draft,
        "historical" => Historical,
        "trashed" => Trashed,
    }
}

/// A space.
///
/// Confluence Cloud REST API, version 1, "Space".
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RestSpace {
    /// The identifier.
    pub id: Option<Id>,
    /// The key, as in `/wiki/spaces/DOC`.
    pub key: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// Whose it is.
    #[serde(rename = "type")]
    pub kind: Option<SpaceKind>,
    /// Whether it is there.
    pub status: Option<ContentStatus>,
    /// Where it is found.
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

vocabulary! {
    /// Whose a space is.
    pub enum SpaceKind {
        "collaboration" => Collaboration,
        "global" => Global,
        "knowledge_base" => KnowledgeBase,
        "personal" => Personal,
    }
}

/// How a piece of content came about.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct History {
    /// Whether this is the newest edition.
    pub latest: Option<bool>,
    /// Whoever created it.
    pub created_by: Option<Contributor>,
    /// When it was created.
    pub created_date: Option<Moment>,
    /// Where it is found.
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

/// An edition of a piece of content.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RestVersion {
    /// Which edition it is, from 1.
    pub number: Option<i64>,
    /// Whoever made it.
    pub by: Option<Contributor>,
    /// When it was made.
    pub when: Option<Moment>,
    /// When it was made, for people, as in `yesterday at 4:13 PM`.
    pub friendly_when: Option<String>,
    /// What was said about it.
    pub message: Option<String>,
    /// Whether watchers were not to be told.
    pub minor_edit: Option<bool>,
    /// Whether it became another type of content.
    pub content_type_modified: Option<bool>,
    /// Where it is found.
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

/// Whoever made an edition.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Contributor {
    /// The account.
    pub account_id: Option<String>,
    /// What kind of account it is.
    pub account_type: Option<AccountType>,
    /// `known`, `anonymous` or `user`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What the user is called.
    pub display_name: Option<String>,
    /// What strangers may call the user.
    pub public_name: Option<String>,
    /// The address of the user; empty if hidden.
    pub email: Option<String>,
    /// Whether the user is a guest.
    pub is_external_collaborator: Option<bool>,
    /// The picture.
    pub profile_picture: Option<Icon>,
    /// Where it is found.
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

/// A picture.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Icon {
    /// Its address, relative to the site.
    pub path: Option<String>,
    /// How wide it is, in pixels.
    pub width: Option<i64>,
    /// How high it is, in pixels.
    pub height: Option<i64>,
    /// Whether nobody chose it.
    pub is_default: Option<bool>,
}

/// What is known about a piece of content.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// Its labels.
    pub labels: Option<Labels>,
}

/// A page of labels.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Labels {
    /// The labels.
    #[serde(default)]
    pub results: Vec<RestLabel>,
    /// How many come before.
    pub start: Option<i64>,
    /// How many fit on a page.
    pub limit: Option<i64>,
    /// How many are on this one.
    pub size: Option<i64>,
    /// Where it is found.
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

/// A label.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RestLabel {
    /// The identifier.
    pub id: Option<Id>,
    /// What it says.
    pub name: Option<String>,
    /// What it says, for people.
    pub label: Option<String>,
    /// `global`, `my` or `team`.
    pub prefix: Option<String>,
}

/// Where something is found.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Links {
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
    /// The address of the site.
    pub base: Option<String>,
    /// What comes before every relative address, as in `/wiki`.
    pub context: Option<String>,
    /// The address for people, relative to the site.
    pub webui: Option<String>,
    /// The address of all content in the REST API, relative to the site.
    pub collection: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
}
