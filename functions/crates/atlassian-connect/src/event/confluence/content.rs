//! Pages, blog posts, comments, and what hangs on them.

use serde::Deserialize;

use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::vocabulary::vocabulary;

/// A page, a blog post or a comment.
///
/// Observed, and Connect 1.0.1, `ConfluenceEventMapper`. Where one is named within another, all but
/// the identifier may be missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Content {
    /// The identifier: a number until 2024, a string since.
    pub id: Id,
    /// The identifier as a string. Since 2021.
    pub id_as_string: Option<String>,
    /// What it is. Since 2019.
    pub content_type: Option<ContentKind>,
    /// What it is called; a comment is not.
    pub title: Option<String>,
    /// The key of the space, as in `/wiki/spaces/DOC`.
    pub space_key: Option<String>,
    /// The identifier of the space. Since 2021.
    pub space_id: Option<Id>,
    /// Which edition it is, from 1.
    pub version: Option<i64>,
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
    /// What a comment is about: a page, a blog post, or another comment.
    pub parent: Option<Box<Self>>,
    /// The comment that a comment answers.
    pub in_reply_to: Option<ContentReference>,
    /// The address for people.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

vocabulary! {
    /// What a piece of content is.
    pub enum ContentKind {
        "attachment" => Attachment,
        "blogpost" => BlogPost,
        "comment" => Comment,
        "page" => Page,
    }
}

/// The identifier of a piece of content, and nothing else.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ContentReference {
    /// The identifier.
    pub id: Id,
}

/// A file on a piece of content.
///
/// Connect 1.0.1, `AttachmentEventMapper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Attachment {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub file_name: Option<String>,
    /// How large it is, in bytes.
    pub file_size: Option<i64>,
    /// What was said about it.
    pub comment: Option<String>,
    /// Which edition it is, from 1.
    pub version: Option<i64>,
    /// When it was attached; on the wire in milliseconds since 1970, or empty.
    pub creation_date: Option<Moment>,
    /// When it was last changed; on the wire in milliseconds since 1970, or empty.
    pub modification_date: Option<Moment>,
    /// The account of whoever attached it. Since 2019.
    pub creator_account_id: Option<String>,
    /// The account of whoever last changed it. Since 2019.
    pub last_modifier_account_id: Option<String>,
    /// The username of whoever attached it. Until 2019.
    pub creator_name: Option<String>,
    /// The key of whoever attached it. Until 2019.
    pub creator_key: Option<String>,
    /// The username of whoever last changed it. Until 2019.
    pub last_modifier_name: Option<String>,
    /// The key of whoever last changed it. Until 2019.
    pub last_modifier_key: Option<String>,
    /// The address for people.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// A label.
///
/// Connect 1.0.1, `LabelEventMapper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Label {
    /// What it says.
    pub name: Option<String>,
    /// What it says, for people.
    pub title: Option<String>,
    /// The username of whoever it belongs to. Until 2019.
    pub owner: Option<String>,
    /// The key of whoever it belongs to. Until 2019.
    pub owner_key: Option<String>,
    /// The account of whoever it belongs to. Since 2019, inferred.
    pub owner_account_id: Option<String>,
    /// The address for people.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// What a label is stuck on: a piece of content or a file.
///
/// Connect 1.0.1, `LabelEventMapper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Labeled {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is. Since 2019.
    pub content_type: Option<ContentKind>,
    /// What it is called, if it is content.
    pub title: Option<String>,
    /// What it is called, if it is a file.
    pub file_name: Option<String>,
    /// The key of the space.
    pub space_key: Option<String>,
    /// Which edition it is, from 1.
    pub version: Option<i64>,
    /// Every label on it.
    #[serde(default)]
    pub labels: Vec<LabelName>,
    /// The address for people.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// What a label says, and nothing else.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct LabelName {
    /// What it says.
    pub name: Option<String>,
}

/// A blueprint: what new pages are made from.
///
/// Connect, `BlueprintEventMapper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Blueprint {
    /// The identifier.
    pub id: Option<Id>,
    /// The key of the index of its pages.
    pub index_key: Option<String>,
    /// The key of the space, if it is for one alone.
    pub space_key: Option<String>,
    /// The key of its name in the translations.
    #[serde(rename = "i18nNameKey")]
    pub i18n_name_key: Option<String>,
    /// The key of the title of its index in the translations.
    #[serde(rename = "indexTitleI18nKey")]
    pub index_title_i18n_key: Option<String>,
    /// The module that defines it.
    pub module_complete_key: Option<String>,
    /// Where whoever creates a page is sent, as in `view`.
    pub create_result: Option<String>,
    /// The template that explains it.
    pub how_to_use_template: Option<String>,
}

/// What somebody says they are doing.
///
/// Connect 1.0.1, `StatusEventMapper`. Confluence has no such thing any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PersonalStatus {
    /// The identifier.
    pub id: Option<Id>,
    /// What they said.
    pub content: Option<String>,
    /// Whether they still say it.
    pub is_current: Option<bool>,
    /// When they said it; on the wire in milliseconds since 1970, or empty.
    pub creation_date: Option<Moment>,
    /// The username.
    pub creator_name: Option<String>,
    /// The key of the user.
    pub creator_key: Option<String>,
    /// The address for people.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}
