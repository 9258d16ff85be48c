//! What Confluence sends.
//!
//! No body names its event: it is known by the URL that it was sent to. Atlassian no longer
//! documents any body. "Connect 1.0.1" and "Connect" name the sources that Atlassian published,
//! whose mappers spell out what the hosts of their time sent; the fields of today are observed.
//!
//! Until 2019 people went by username and key, since then by account. The types have both.
//!
//! No type needs anything but to be an object.

mod content;
mod rest;
mod space;

pub use super::{AddonEvent, PluginEvent, UnconfirmedEvent, UpgradeEvent};
pub use content::{
    Attachment, Blueprint, Content, ContentKind, ContentReference, Label, LabelName, Labeled,
    PersonalStatus,
};
pub use rest::{
    ContentStatus, Contributor, History, Icon, Labels, Links, Metadata, RestContent, RestLabel,
    RestSpace, RestVersion, SpaceKind,
};
pub use space::{Space, UserProfile};

use serde_json::value::RawValue;

use super::moment::Moment;
use super::object::object;
use super::read::{FromPayload, PayloadType, Reading, Unreadable, decode};
use super::table::confluence_events;
use super::vocabulary::{AccountType, vocabulary};
use super::{EventName, Product, tables};
use crate::payload::Payload;

tables!(confluence_events!);

/// Makes a payload type: its own fields, and those that stand around every one of them.
macro_rules! payload {
    ($(#[$doc:meta])+ pub struct $Name:ident { $($fields:tt)* }) => {
        object! {
            $(#[$doc])+
            pub struct $Name {
                $($fields)*
                /// When it happened; on the wire in milliseconds since 1970.
                "timestamp" => timestamp: Option<Moment>,
                /// The account of whoever did it. Since 2019.
                "userAccountId" => user_account_id: Option<String>,
                /// What kind of account that is. Since 2019.
                "accountType" => account_type: Option<AccountType>,
                /// What made Confluence do it.
                "updateTrigger" => update_trigger: Option<UpdateTrigger>,
                /// Whether nobody is to be notified. Since 2026.
                "suppressNotifications" => suppress_notifications: Option<bool>,
                /// The username of whoever did it; empty for nobody. Until 2019.
                "username" => username: Option<String>,
                /// The key of whoever did it; empty for nobody. Until 2019.
                "userKey" => user_key: Option<String>,
                /// As `username`; deprecated already in 2014.
                "user" => user: Option<String>,
            }
        }

        impl PayloadType for $Name {}
    };
}

vocabulary! {
    /// What made Confluence change something.
    pub enum UpdateTrigger {
        "create_page" => CreatePage,
        "edit_page" => EditPage,
        "link_refactoring" => LinkRefactoring,
        "move_page" => MovePage,
        "page_rename" => PageRename,
        "revert" => Revert,
        "unknown" => Unknown,
    }
}

payload! {
    /// Something happened to a page. Observed; inferred for the events that came after 2014.
    pub struct PageEvent {
        /// The page.
        "page" => page: Content,
    }
}

payload! {
    /// Somebody moved a page. Observed; the parents as in Connect 1.0.1, absent today.
    pub struct PageMoveEvent {
        /// The page.
        "page" => page: Content,
        /// The page above it before.
        "oldParent" => old_parent: Option<Content>,
        /// The page above it now.
        "newParent" => new_parent: Option<Content>,
    }
}

payload! {
    /// Somebody put the pages below a page into another order. Connect 1.0.1.
    pub struct PageOrderEvent {
        /// The page above them.
        "page" => page: Content,
        /// The pages in their order before.
        "oldSortedChildren" => old_sorted_children: Vec<Content>,
        /// The pages in their order now.
        "newSortedChildren" => new_sorted_children: Vec<Content>,
    }
}

payload! {
    /// Somebody copied a page. Inferred.
    pub struct PageCopyEvent {
        /// The copy.
        "page" => page: Content,
        /// What it was copied from.
        "origin" => origin: Option<Content>,
    }
}

payload! {
    /// Something happened to a blog post. Connect 1.0.1.
    pub struct BlogEvent {
        /// The blog post.
        "blog" => blog: Content,
    }
}

payload! {
    /// Somebody created a page from a blueprint. Connect.
    pub struct BlueprintPageEvent {
        /// The page.
        "page" => page: Content,
        /// The blueprint.
        "blueprint" => blueprint: Option<Blueprint>,
        /// Whoever created the page.
        "creator" => creator: Option<UserProfile>,
        /// What the blueprint was given, as it came.
        "blueprintContext" => blueprint_context: Option<Box<RawValue>>,
    }
}

payload! {
    /// Somebody wrote, edited or removed a comment. Observed.
    pub struct CommentEvent {
        /// The comment; its `parent` is what it is about.
        "comment" => comment: Content,
    }
}

payload! {
    /// Something happened to files on a page, a blog post or a comment. Connect 1.0.1.
    pub struct AttachmentsEvent {
        /// The files.
        "attachments" => attachments: Vec<Attachment>,
        /// What they hang on.
        "attachedTo" => attached_to: Option<Content>,
    }
}

payload! {
    /// Something happened to a label, or to what it is stuck on. Connect 1.0.1.
    pub struct LabelEvent {
        /// The label.
        "label" => label: Label,
        /// What it is stuck on; absent if the event is about the label alone.
        "labeled" => labeled: Option<Labeled>,
    }
}

payload! {
    /// A group was created or removed. Connect 1.0.1, which does not say which.
    pub struct GroupEvent {}
}

payload! {
    /// Something happened to a space. Connect 1.0.1.
    pub struct SpaceEvent {
        /// The space.
        "space" => space: Option<Space>,
    }
}

payload! {
    /// Something happened to a user. Connect 1.0.1, which does not say which; the profile as in
    /// Connect.
    pub struct UserEvent {
        /// The user.
        "userProfile" => user_profile: Option<UserProfile>,
    }
}

payload! {
    /// Somebody logged in or out, or failed to. Connect 1.0.1.
    pub struct LoginEvent {
        /// The name of the computer.
        "remoteHost" => remote_host: Option<String>,
        /// The address of the computer.
        "remoteIP" => remote_ip: Option<String>,
    }
}

payload! {
    /// Somebody searched. Connect 1.0.1.
    pub struct SearchEvent {
        /// How many results there were.
        "results" => results: Option<i64>,
        /// What was searched for.
        "query" => query: Option<String>,
        /// The spaces that were searched.
        "spaceKeys" => space_keys: Option<Vec<String>>,
        /// The categories of spaces that were searched.
        "spaceCategories" => space_categories: Option<Vec<String>>,
    }
}

payload! {
    /// Somebody said, or took back, what they were doing. Connect 1.0.1.
    pub struct StatusEvent {
        /// What they said.
        "status" => status: Option<PersonalStatus>,
    }
}

/// Content changed: the body is the content itself, as the REST API writes it. Observed.
///
/// A property of a piece of content is content too, of a type of its own.
pub type ContentEvent = RestContent;

impl PayloadType for RestContent {}

object! {
    /// Content was trashed or restored, or others may now see it.
    ///
    /// Inferred: no such body was at hand. What is not listed is in `rest`.
    #[derive(Default)]
    pub struct ContentStateEvent {
        /// The content, as it came: of the form of [`Content`], or of [`RestContent`].
        "content" => content: Option<Box<RawValue>>,
        /// When it happened; on the wire in milliseconds since 1970.
        "timestamp" => timestamp: Option<Moment>,
        /// The account of whoever did it.
        "userAccountId" => user_account_id: Option<String>,
        /// What kind of account that is.
        "accountType" => account_type: Option<AccountType>,
        ..rest
    }
}

impl PayloadType for ContentStateEvent {}

object! {
    /// Two things were related, as by a like or a favourite, or no longer are.
    ///
    /// Inferred: no such body was at hand. What is not listed is in `rest`.
    #[derive(Default)]
    pub struct RelationEvent {
        /// What the relation is called.
        "relationName" => relation_name: Option<String>,
        /// From what it goes, as it came.
        "source" => source: Option<Box<RawValue>>,
        /// To what it goes, as it came.
        "target" => target: Option<Box<RawValue>>,
        /// When it happened; on the wire in milliseconds since 1970.
        "timestamp" => timestamp: Option<Moment>,
        /// The account of whoever did it.
        "userAccountId" => user_account_id: Option<String>,
        /// What kind of account that is.
        "accountType" => account_type: Option<AccountType>,
        ..rest
    }
}

impl PayloadType for RelationEvent {}
