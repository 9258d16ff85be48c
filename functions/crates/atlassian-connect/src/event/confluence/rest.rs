//! Content as the REST API writes it.

use super::content::ContentKind;
use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;
use crate::event::vocabulary::{AccountType, vocabulary};

object! {
    /// A piece of content.
    ///
    /// Confluence Cloud REST API, version 1, "Content". What it expands to is not read.
    pub struct RestContent {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is. Types of plugins are written in full, as in
        /// `com.atlassian.confluence.plugins.confluence-content-property-storage:content-property`.
        "type" => kind: Option<ContentKind>,
        /// Whether it is there.
        "status" => status: Option<ContentStatus>,
        /// What it is called.
        "title" => title: Option<String>,
        /// Where it is.
        "space" => space: Option<RestSpace>,
        /// How it came about.
        "history" => history: Option<History>,
        /// Which edition it is.
        "version" => version: Option<RestVersion>,
        /// What is known about it.
        "metadata" => metadata: Option<Metadata>,
        /// Where it is found.
        "_links" => links: Option<Links>,
    }
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

object! {
    /// A space.
    ///
    /// Confluence Cloud REST API, version 1, "Space".
    pub struct RestSpace {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key, as in `/wiki/spaces/DOC`.
        "key" => key: Option<String>,
        /// What it is called.
        "name" => name: Option<String>,
        /// Whose it is.
        "type" => kind: Option<SpaceKind>,
        /// Whether it is there.
        "status" => status: Option<ContentStatus>,
        /// Where it is found.
        "_links" => links: Option<Links>,
    }
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

object! {
    /// How a piece of content came about.
    pub struct History {
        /// Whether this is the newest edition.
        "latest" => latest: Option<bool>,
        /// Whoever created it.
        "createdBy" => created_by: Option<Contributor>,
        /// When it was created.
        "createdDate" => created_date: Option<Moment>,
        /// Where it is found.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// An edition of a piece of content.
    pub struct RestVersion {
        /// Which edition it is, from 1.
        "number" => number: Option<i64>,
        /// Whoever made it.
        "by" => by: Option<Contributor>,
        /// When it was made.
        "when" => when: Option<Moment>,
        /// When it was made, for people, as in `yesterday at 4:13 PM`.
        "friendlyWhen" => friendly_when: Option<String>,
        /// What was said about it.
        "message" => message: Option<String>,
        /// Whether watchers were not to be told.
        "minorEdit" => minor_edit: Option<bool>,
        /// Whether it became another type of content.
        "contentTypeModified" => content_type_modified: Option<bool>,
        /// Where it is found.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// Whoever made an edition.
    pub struct Contributor {
        /// The account.
        "accountId" => account_id: Option<String>,
        /// What kind of account it is.
        "accountType" => account_type: Option<AccountType>,
        /// `known`, `anonymous` or `user`.
        "type" => kind: Option<String>,
        /// What the user is called.
        "displayName" => display_name: Option<String>,
        /// What strangers may call the user.
        "publicName" => public_name: Option<String>,
        /// The address of the user; empty if hidden.
        "email" => email: Option<String>,
        /// Whether the user is a guest.
        "isExternalCollaborator" => is_external_collaborator: Option<bool>,
        /// The picture.
        "profilePicture" => profile_picture: Option<Icon>,
        /// Where it is found.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// A picture.
    pub struct Icon {
        /// Its address, relative to the site.
        "path" => path: Option<String>,
        /// How wide it is, in pixels.
        "width" => width: Option<i64>,
        /// How high it is, in pixels.
        "height" => height: Option<i64>,
        /// Whether nobody chose it.
        "isDefault" => is_default: Option<bool>,
    }
}

object! {
    /// What is known about a piece of content.
    pub struct Metadata {
        /// Its labels.
        "labels" => labels: Option<Labels>,
    }
}

object! {
    /// A page of labels.
    pub struct Labels {
        /// The labels.
        "results" => results: Vec<RestLabel>,
        /// How many come before.
        "start" => start: Option<i64>,
        /// How many fit on a page.
        "limit" => limit: Option<i64>,
        /// How many are on this one.
        "size" => size: Option<i64>,
        /// Where it is found.
        "_links" => links: Option<Links>,
    }
}

object! {
    /// A label.
    pub struct RestLabel {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it says.
        "name" => name: Option<String>,
        /// What it says, for people.
        "label" => label: Option<String>,
        /// `global`, `my` or `team`.
        "prefix" => prefix: Option<String>,
    }
}

object! {
    /// Where something is found.
    pub struct Links {
        /// The address in the REST API.
        "self" => self_url: Option<String>,
        /// The address of the site.
        "base" => base: Option<String>,
        /// What comes before every relative address, as in `/wiki`.
        "context" => context: Option<String>,
        /// The address for people, relative to the site.
        "webui" => webui: Option<String>,
        /// The address of all content in the REST API, relative to the site.
        "collection" => collection: Option<String>,
        /// The address of the next page.
        "next" => next: Option<String>,
    }
}
