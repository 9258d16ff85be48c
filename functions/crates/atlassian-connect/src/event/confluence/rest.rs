//! Content in the format of the REST API.

use super::content::ContentKind;
use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;
use crate::event::string_enum::{AccountType, string_enum};

object! {
    /// A piece of content.
    ///
    /// Confluence Cloud REST API, version 1, "Content". What it expands to is not read.
    pub struct RestContent {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The type. Types of plugins are written in full, as in
        /// `com.atlassian.confluence.plugins.confluence-content-property-storage:content-property`.
        "type" => kind: Option<ContentKind>,
        /// The status.
        "status" => status: Option<ContentStatus>,
        /// The title.
        "title" => title: Option<String>,
        /// The space.
        "space" => space: Option<RestSpace>,
        /// The history.
        "history" => history: Option<History>,
        /// The version.
        "version" => version: Option<RestVersion>,
        /// The metadata.
        "metadata" => metadata: Option<Metadata>,
        /// The links.
        "_links" => links: Option<Links>,
    }
}

string_enum! {
    /// The status of a piece of content or a space.
    pub enum ContentStatus {
        "archived" => Archived,
        "current" => Current,
        "deleted" => Deleted,
        "draft" => Draft,
        "historical" => Historical,
        "trashed" => Trashed,
    }
}

object! {
    /// A space.
    ///
    /// Confluence Cloud REST API, version 1, "Space".
    pub struct RestSpace {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key, as in `/wiki/spaces/DOC`.
        "key" => key: Option<String>,
        /// The name.
        "name" => name: Option<String>,
        /// The owner.
        "type" => kind: Option<SpaceKind>,
        /// The status.
        "status" => status: Option<ContentStatus>,
        /// The links.
        "_links" => links: Option<Links>,
    }
}

string_enum! {
    /// The type of a space.
    pub enum SpaceKind {
        "collaboration" => Collaboration,
        "global" => Global,
        "knowledge_base" => KnowledgeBase,
        "personal" => Personal,
    }
}

object! {
    /// The history of a piece of content.
    pub struct History {
        /// Whether this is the latest version.
        "latest" => latest: Option<bool>,
        /// The creator.
        "createdBy" => created_by: Option<Contributor>,
        /// When it was created.
        "createdDate" => created_date: Option<Moment>,
        /// The links.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// A version of a piece of content.
    pub struct RestVersion {
        /// The version number, from 1.
        "number" => number: Option<i64>,
        /// The author.
        "by" => by: Option<Contributor>,
        /// When it was created.
        "when" => when: Option<Moment>,
        /// When it was created, as displayed, as in `yesterday at 4:13 PM`.
        "friendlyWhen" => friendly_when: Option<String>,
        /// The comment.
        "message" => message: Option<String>,
        /// Whether watchers were not notified.
        "minorEdit" => minor_edit: Option<bool>,
        /// Whether the type of the content changed.
        "contentTypeModified" => content_type_modified: Option<bool>,
        /// The links.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// The author of a version.
    pub struct Contributor {
        /// The account id.
        "accountId" => account_id: Option<String>,
        /// The type of account.
        "accountType" => account_type: Option<AccountType>,
        /// `known`, `anonymous` or `user`.
        "type" => kind: Option<String>,
        /// The display name of the user.
        "displayName" => display_name: Option<String>,
        /// The public name of the user.
        "publicName" => public_name: Option<String>,
        /// The email address of the user; empty if hidden.
        "email" => email: Option<String>,
        /// Whether the user is a guest.
        "isExternalCollaborator" => is_external_collaborator: Option<bool>,
        /// The avatar.
        "profilePicture" => profile_picture: Option<Icon>,
        /// The links.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// An avatar or icon.
    pub struct Icon {
        /// The URL, relative to the site.
        "path" => path: Option<String>,
        /// The width, in pixels.
        "width" => width: Option<i64>,
        /// The height, in pixels.
        "height" => height: Option<i64>,
        /// Whether it is the default.
        "isDefault" => is_default: Option<bool>,
    }
}

object! {
    /// The metadata of a piece of content.
    pub struct Metadata {
        /// The labels.
        "labels" => labels: Option<Labels>,
    }
}

object! {
    /// A page of labels.
    pub struct Labels {
        /// The labels.
        "results" => results: Vec<RestLabel>,
        /// The offset of the page.
        "start" => start: Option<i64>,
        /// The page size.
        "limit" => limit: Option<i64>,
        /// The number on this page.
        "size" => size: Option<i64>,
        /// The links.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// A label.
    pub struct RestLabel {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The text, as displayed.
        "label" => label: Option<String>,
        /// `global`, `my` or `team`.
        "prefix" => prefix: Option<String>,
    }
}

object! {
    /// The links of an object.
    pub struct Links {
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
        /// The URL of the site.
        "base" => base: Option<String>,
        /// The prefix of relative URLs, as in `/wiki`.
        "context" => context: Option<String>,
        /// The web URL, relative to the site.
        "webui" => webui: Option<String>,
        /// The URL of the collection in the REST API, relative to the site.
        "collection" => collection: Option<String>,
        /// The URL of the next page.
        "next" => next: Option<String>,
    }
}
