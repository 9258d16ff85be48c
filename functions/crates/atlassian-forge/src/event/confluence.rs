//! Payload types of Confluence.
//!
//! Atlassian's documentation, "Confluence events". Every type only needs to be a JSON object.
//!
//! Names, email addresses and other personal data of users are replaced by their account id before
//! an event is sent.

pub use atlassian_connect::event::confluence::{
    ContentStatus, Contributor, Icon, RestVersion, SpaceKind,
};

use atlassian_connect::event::object::object;
use atlassian_connect::event::string_enum::string_enum;
use atlassian_connect::event::{EventName, Id};

use super::{EventTime, payload_types};

/// Makes a payload type: its own fields, and those that all payloads have.
macro_rules! payload {
    ($(#[$doc:meta])+ pub struct $Name:ident { $($fields:tt)* }) => {
        object! {
            $(#[$doc])+
            pub struct $Name {
                $($fields)*
                /// The name of the event.
                "eventType" => event_type: Option<EventName>,
                /// When it happened.
                "eventCreatedDate" => event_created_date: Option<EventTime>,
                /// The account id of the user who did it; absent if the user was anonymous.
                "atlassianId" => atlassian_id: Option<String>,
                /// Whether the app itself did it.
                "selfGenerated" => self_generated: Option<bool>,
                /// Whether notifications of it were suppressed.
                "suppressNotifications" => suppress_notifications: Option<bool>,
                /// The cause of an update in Confluence.
                "updateTrigger" => update_trigger: Option<String>,
            }
        }

        payload_types!("confluence::": $Name);
    };
}

payload! {
    /// An event of a page, a live doc, a blog post, a whiteboard, a database, a smart link in the
    /// content tree, a folder or custom content.
    pub struct ContentEvent {
        /// The content.
        "content" => content: Content,
        /// Of a move: the content before.
        "prevContent" => prev_content: Option<Content>,
        /// Of a copy: the original.
        "originContentId" => origin_content_id: Option<Id>,
        /// Of a reordering: the child pages in their order before.
        "oldSortedChildPageIds" => old_sorted_child_page_ids: Vec<Id>,
        /// Of a reordering: the child pages in their order now.
        "newSortedChildPageIds" => new_sorted_child_page_ids: Vec<Id>,
    }
}

payload! {
    /// A comment was created, updated, liked or deleted.
    pub struct CommentEvent {
        /// The comment, with the content that it is on as its `container`. Without its text.
        "content" => content: Content,
    }
}

payload! {
    /// An event of a space.
    pub struct SpaceEvent {
        /// The space.
        "space" => space: Space,
    }
}

payload! {
    /// A label was created, added, removed or deleted. It is on content, a space or a template.
    pub struct LabelEvent {
        /// The label.
        "label" => label: Label,
        /// The content that has it.
        "content" => content: Option<Content>,
        /// The space that has it.
        "space" => space: Option<Space>,
        /// The template that has it.
        "template" => template: Option<Template>,
    }
}

object! {
    /// A piece of content.
    pub struct Content {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The type.
        "type" => kind: Option<ContentType>,
        /// `live` for a live doc.
        "subType" => sub_type: Option<String>,
        /// The status.
        "status" => status: Option<ContentStatus>,
        /// The title.
        "title" => title: Option<String>,
        /// The space.
        "space" => space: Option<Space>,
        /// The history.
        "history" => history: Option<History>,
        /// The version.
        "version" => version: Option<RestVersion>,
        /// Of a comment: those that it answers, the nearest first.
        "ancestors" => ancestors: Vec<Content>,
        /// Of a comment or an attachment: the content that it is on.
        "container" => container: Option<Box<Content>>,
        /// Of a comment: where it is.
        "extensions" => extensions: Option<Extensions>,
        /// In an event of a label: all labels of the content.
        "labels" => labels: Vec<Label>,
    }
}

string_enum! {
    /// The type of a piece of content. The types of apps are written in full.
    pub enum ContentType {
        "attachment" => Attachment,
        "blogpost" => BlogPost,
        "comment" => Comment,
        "database" => Database,
        "embed" => Embed,
        "folder" => Folder,
        "page" => Page,
        "whiteboard" => Whiteboard,
    }
}

object! {
    /// What is particular to comments and attachments.
    pub struct Extensions {
        /// `footer` or `inline`.
        "location" => location: Option<String>,
        /// The media type.
        "mediaType" => media_type: Option<String>,
        /// The size, in bytes.
        "fileSize" => file_size: Option<Id>,
        /// The identifier of the file.
        "fileId" => file_id: Option<String>,
        /// The path of the file on the site.
        "downloadPath" => download_path: Option<String>,
    }
}

object! {
    /// The history of a piece of content.
    pub struct History {
        /// Whether this is the latest version.
        "latest" => latest: Option<bool>,
        /// The creator.
        "createdBy" => created_by: Option<Contributor>,
        /// The owner.
        "ownedBy" => owned_by: Option<Contributor>,
        /// When it was created.
        "createdDate" => created_date: Option<EventTime>,
    }
}

object! {
    /// A space.
    pub struct Space {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key, as in `/wiki/spaces/DOC`.
        "key" => key: Option<String>,
        /// The alias, which a URL can have in place of the key.
        "alias" => alias: Option<String>,
        /// The name.
        "name" => name: Option<String>,
        /// The type.
        "type" => kind: Option<SpaceKind>,
        /// The status.
        "status" => status: Option<ContentStatus>,
        /// The icon.
        "icon" => icon: Option<Icon>,
    }
}

object! {
    /// A label.
    pub struct Label {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// `global`, `my`, `team` or another.
        "prefix" => prefix: Option<String>,
    }
}

object! {
    /// A template of pages.
    pub struct Template {
        /// The identifier.
        "templateId" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The description.
        "description" => description: Option<String>,
        /// `page` or `blueprint`.
        "templateType" => kind: Option<String>,
        /// The space, unless it is a global template.
        "space" => space: Option<Space>,
    }
}
