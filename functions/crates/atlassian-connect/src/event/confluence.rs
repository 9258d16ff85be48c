//! What Confluence sends.
//!
//! No body names its event: it is known by the URL that it was sent to. Atlassian no longer
//! documents any body. "Connect 1.0.1" and "Connect" name the sources that Atlassian published,
//! whose mappers spell out what the hosts of their time sent; the fields of today are observed.
//!
//! Until 2019 users were identified by username and key, since then by account id. The types have
//! both. Every type only needs to be a JSON object.

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
use super::string_enum::{AccountType, string_enum};
use super::table::confluence_events;
use super::{EventName, Product, tables};
use crate::payload::Payload;

tables!(confluence_events!);

/// Makes a payload type: its own fields, and those that all payloads have.
macro_rules! payload {
    ($(#[$doc:meta])+ pub struct $Name:ident { $($fields:tt)* }) => {
        object! {
            $(#[$doc])+
            pub struct $Name {
                $($fields)*
                /// When it happened; on the wire in milliseconds since 1970.
                "timestamp" => timestamp: Option<Moment>,
                /// The account id of the user who did it. Since 2019.
                "userAccountId" => user_account_id: Option<String>,
                /// The type of that account. Since 2019.
                "accountType" => account_type: Option<AccountType>,
                /// The cause of the event in Confluence.
                "updateTrigger" => update_trigger: Option<UpdateTrigger>,
                /// Whether notifications are suppressed. Since 2026.
                "suppressNotifications" => suppress_notifications: Option<bool>,
                /// The username of the user who did it; empty if it was anonymous. Until 2019.
                "username" => username: Option<String>,
                /// The key of the user who did it; empty if it was anonymous. Until 2019.
                "userKey" => user_key: Option<String>,
                /// As `username`; deprecated already in 2014.
                "user" => user: Option<String>,
            }
        }

        impl PayloadType for $Name {}
    };
}

string_enum! {
    /// The cause of an event in Confluence.
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
    /// An event of a page. Observed; inferred for the events that came after 2014.
    pub struct PageEvent {
        /// The page.
        "page" => page: Content,
    }
}

payload! {
    /// A page was moved. Observed; the parents as in Connect 1.0.1, absent today.
    pub struct PageMoveEvent {
        /// The page.
        "page" => page: Content,
        /// The parent page before.
        "oldParent" => old_parent: Option<Content>,
        /// The parent page now.
        "newParent" => new_parent: Option<Content>,
    }
}

payload! {
    /// The children of a page were reordered. Connect 1.0.1.
    pub struct PageOrderEvent {
        /// The parent page.
        "page" => page: Content,
        /// The pages in their order before.
        "oldSortedChildren" => old_sorted_children: Vec<Content>,
        /// The pages in their order now.
        "newSortedChildren" => new_sorted_children: Vec<Content>,
    }
}

payload! {
    /// A page was copied. Inferred.
    pub struct PageCopyEvent {
        /// The copy.
        "page" => page: Content,
        /// The original page.
        "origin" => origin: Option<Content>,
    }
}

payload! {
    /// An event of a blog post. Connect 1.0.1.
    pub struct BlogEvent {
        /// The blog post.
        "blog" => blog: Content,
    }
}

payload! {
    /// A page was created from a blueprint. Connect.
    pub struct BlueprintPageEvent {
        /// The page.
        "page" => page: Content,
        /// The blueprint.
        "blueprint" => blueprint: Option<Blueprint>,
        /// The creator of the page.
        "creator" => creator: Option<UserProfile>,
        /// The input of the blueprint, as it came.
        "blueprintContext" => blueprint_context: Option<Box<RawValue>>,
    }
}

payload! {
    /// A comment was created, updated or removed. Observed.
    pub struct CommentEvent {
        /// The comment. Its `parent` is the page, blog post or comment that it belongs to.
        "comment" => comment: Content,
    }
}

payload! {
    /// An event of attachments of a page, a blog post or a comment. Connect 1.0.1.
    pub struct AttachmentsEvent {
        /// The attachments.
        "attachments" => attachments: Vec<Attachment>,
        /// The content that they are attached to.
        "attachedTo" => attached_to: Option<Content>,
    }
}

payload! {
    /// An event of a label, or of its use on content. Connect 1.0.1.
    pub struct LabelEvent {
        /// The label.
        "label" => label: Label,
        /// The content or attachment with the label. Absent for events of the label itself.
        "labeled" => labeled: Option<Labeled>,
    }
}

payload! {
    /// A group was created or removed. Connect 1.0.1, which does not name the group.
    pub struct GroupEvent {}
}

payload! {
    /// An event of a space. Connect 1.0.1.
    pub struct SpaceEvent {
        /// The space.
        "space" => space: Option<Space>,
    }
}

payload! {
    /// An event of a user. Connect 1.0.1, which does not name the user; the profile as in
    /// Connect.
    pub struct UserEvent {
        /// The user.
        "userProfile" => user_profile: Option<UserProfile>,
    }
}

payload! {
    /// A login, a logout or a failed login. Connect 1.0.1.
    pub struct LoginEvent {
        /// The host name of the client.
        "remoteHost" => remote_host: Option<String>,
        /// The IP address of the client.
        "remoteIP" => remote_ip: Option<String>,
    }
}

payload! {
    /// A search. Connect 1.0.1.
    pub struct SearchEvent {
        /// The number of results.
        "results" => results: Option<i64>,
        /// The query.
        "query" => query: Option<String>,
        /// The spaces that were searched.
        "spaceKeys" => space_keys: Option<Vec<String>>,
        /// The categories of spaces that were searched.
        "spaceCategories" => space_categories: Option<Vec<String>>,
    }
}

payload! {
    /// A status update of a user was created, cleared or removed. Connect 1.0.1.
    pub struct StatusEvent {
        /// The status.
        "status" => status: Option<PersonalStatus>,
    }
}

/// Content changed: the body is the content itself, as the REST API writes it. Observed.
///
/// A property of a piece of content is content too, of a type of its own.
pub type ContentEvent = RestContent;

impl PayloadType for RestContent {}

object! {
    /// Content was trashed or restored, or its permissions were changed.
    ///
    /// Inferred: no such body has been observed. Other fields are in `extra`.
    #[derive(Default)]
    pub struct ContentStateEvent {
        /// The content, as it came: of the form of [`Content`], or of [`RestContent`].
        "content" => content: Option<Box<RawValue>>,
        /// When it happened; on the wire in milliseconds since 1970.
        "timestamp" => timestamp: Option<Moment>,
        /// The account id of the user who did it.
        "userAccountId" => user_account_id: Option<String>,
        /// The type of that account.
        "accountType" => account_type: Option<AccountType>,
        ..extra
    }
}

impl PayloadType for ContentStateEvent {}

object! {
    /// A relation, such as a like or a favourite, was created or deleted.
    ///
    /// Inferred: no such body has been observed. Other fields are in `extra`.
    #[derive(Default)]
    pub struct RelationEvent {
        /// The name of the relation.
        "relationName" => relation_name: Option<String>,
        /// The source, as it came.
        "source" => source: Option<Box<RawValue>>,
        /// The target, as it came.
        "target" => target: Option<Box<RawValue>>,
        /// When it happened; on the wire in milliseconds since 1970.
        "timestamp" => timestamp: Option<Moment>,
        /// The account id of the user who did it.
        "userAccountId" => user_account_id: Option<String>,
        /// The type of that account.
        "accountType" => account_type: Option<AccountType>,
        ..extra
    }
}

impl PayloadType for RelationEvent {}
