//! What Jira sends.
//!
//! Atlassian's documentation, "Webhooks" of Jira Cloud, shows one body in full, that of an issue
//! event, and says of the others that they hold "information about the entity associated with the
//! event". What a type rests on is the `basis` of its lines in [`TABLE`](super::TABLE); "Inferred" in
//! a type's own documentation means that no such body was at hand.
//!
//! An [`Issue`] needs its `id` and `key`, and an [`IssueEvent`] an issue. No other type needs
//! anything but to be an object.

mod agile;
mod issue;
mod project;
mod user;

pub use super::{AddonEvent, PluginEvent, UnconfirmedEvent, UpgradeEvent};
pub use agile::{
    Board, BoardColumn, BoardColumns, BoardConfiguration, BoardFilter, BoardLocation, BoardStatus,
    BoardType, Ranking, Sprint, SprintState,
};
pub use issue::{
    Attachment, Change, Changelog, Comment, Comments, FieldLink, FieldLinkType, FieldType, Fields,
    Issue, IssueEventType, IssueLink, IssueLinkType, IssueType, LinkedFields, LinkedIssue,
    OptionProperty, Priority, Progress, Resolution, Status, StatusCategory, StatusCategoryKey,
    TimeTracking, UpdatedField, Visibility, VisibilityType, Votes, Watches, Worklog, Worklogs,
};
pub use project::{AssigneeType, Component, Project, ProjectCategory, ProjectType, Version};
pub use user::{AvatarUrls, User};

use serde_json::value::RawValue;

use super::moment::Moment;
use super::object::object;
use super::read::{FromPayload, PayloadType, Reading, Unreadable, decode};
use super::table::jira_events;
use super::{EventName, Id, Product, tables};
use crate::payload::Payload;

tables!(jira_events!);

/// Makes a payload type: its own fields, and those that stand around every one of them.
macro_rules! payload {
    ($(#[$doc:meta])+ pub struct $Name:ident { $($fields:tt)* }) => {
        object! {
            $(#[$doc])+
            pub struct $Name {
                $($fields)*
                /// When it happened; on the wire in milliseconds since 1970.
                "timestamp" => timestamp: Option<Moment>,
                /// The name of the event. Absent from `user_deleted`.
                "webhookEvent" => webhook_event: Option<EventName>,
                /// The webhooks that matched, of those registered by REST.
                "matchedWebhookIds" => matched_webhook_ids: Option<Vec<Id>>,
            }
        }

        impl PayloadType for $Name {}
    };
}

payload! {
    /// Something happened to an issue. It needs the issue, with its `id` and `key`.
    ///
    /// Atlassian's documentation, "Webhooks", section "Example callback for an issue related event".
    pub struct IssueEvent {
        /// The issue, as it is now; as it last was, if it was deleted.
        "issue" => issue: Issue,
        /// Whoever did it.
        "user" => user: Option<User>,
        /// What kind of change it was.
        "issue_event_type_name" => issue_event_type_name: Option<IssueEventType>,
        /// What changed; absent if the issue was deleted.
        "changelog" => changelog: Option<Changelog>,
        /// The comment that came with the change.
        "comment" => comment: Option<Comment>,
        /// What changed, in 2014.
        "updatedFields" => updated_fields: Option<Vec<UpdatedField>>,
    }
}

payload! {
    /// Somebody wrote, edited or deleted a comment. Observed.
    pub struct CommentEvent {
        /// The comment.
        "comment" => comment: Comment,
        /// The issue, with a few of its fields. Absent on Jira Server.
        "issue" => issue: Option<Issue>,
    }
}

payload! {
    /// Somebody logged work on an issue, or changed the log. Observed.
    pub struct WorklogEvent {
        /// The entry.
        "worklog" => worklog: Worklog,
        /// Whether Jira did it itself, to keep an issue within its limits. Since 2026.
        "isFromIssueLimitTransformation" => is_from_issue_limit_transformation: Option<bool>,
    }
}

payload! {
    /// Somebody attached a file to an issue, or deleted it. Observed.
    pub struct AttachmentEvent {
        /// The file.
        "attachment" => attachment: Attachment,
        /// The issue. Seen once, and absent since.
        "issue" => issue: Option<Issue>,
    }
}

payload! {
    /// Somebody linked two issues, or removed the link. Observed.
    pub struct IssueLinkEvent {
        /// The link.
        "issueLink" => issue_link: IssueLink,
    }
}

payload! {
    /// Something happened to a project. Observed; inferred for archiving, trashing and restoring.
    pub struct ProjectEvent {
        /// The project.
        "project" => project: Project,
    }
}

payload! {
    /// Something happened to a version of a project. Observed.
    pub struct VersionEvent {
        /// The version.
        "version" => version: Version,
        /// Where its issues went, if it was merged. Such a merge is a `jira:version_deleted`.
        "mergedTo" => merged_to: Option<Version>,
    }
}

payload! {
    /// Something happened to a user. Observed.
    pub struct UserEvent {
        /// The user; absent from `user_deleted`.
        "user" => user: Option<User>,
        /// The account that was deleted.
        "accountId" => account_id: Option<String>,
        /// What the deleted user was called.
        "username" => username: Option<String>,
    }
}

payload! {
    /// Something happened to a sprint. Observed.
    pub struct SprintEvent {
        /// The sprint.
        "sprint" => sprint: Sprint,
        /// The sprint before `sprint_updated`.
        "oldValue" => old_value: Option<Sprint>,
    }
}

payload! {
    /// Something happened to a board. Observed.
    pub struct BoardEvent {
        /// The board.
        "board" => board: Board,
    }
}

payload! {
    /// Somebody changed what a board shows. Observed.
    pub struct BoardConfigurationEvent {
        /// The configuration.
        "configuration" => configuration: BoardConfiguration,
    }
}

payload! {
    /// An issue went through a transition that tells an app.
    ///
    /// Inferred. The sources of Connect 1.0.1 name the configuration, the issue and the transition.
    pub struct PostFunctionEvent {
        /// The issue.
        "issue" => issue: Option<Issue>,
        /// Whoever did it.
        "user" => user: Option<User>,
        /// What changed.
        "changelog" => changelog: Option<Changelog>,
        /// The comment that came with the transition: its text and nothing else.
        "comment" => comment: Option<Comment>,
        /// The transition, as it came.
        "transition" => transition: Option<Box<RawValue>>,
        /// The app's configuration of the post function, as it came.
        "configuration" => configuration: Option<Box<RawValue>>,
    }
}

/// Makes a payload type of which little is known.
macro_rules! open_payload {
    ($(#[$doc:meta])+ pub struct $Name:ident { $($fields:tt)* }) => {
        object! {
            $(#[$doc])+
            ///
            /// Inferred: no such body was at hand. What is not listed is in `rest`.
            #[derive(Default)]
            pub struct $Name {
                /// When it happened; on the wire in milliseconds since 1970.
                "timestamp" => timestamp: Option<Moment>,
                /// The name of the event.
                "webhookEvent" => webhook_event: Option<EventName>,
                $($fields)*
                ..rest
            }
        }

        impl PayloadType for $Name {}
    };
}

open_payload! {
    /// An app set or deleted a property of an issue.
    pub struct IssuePropertyEvent {
        /// The property, with its `key` and `value`.
        "property" => property: Option<Box<RawValue>>,
        /// The issue.
        "issue" => issue: Option<LinkedIssue>,
    }
}

open_payload! {
    /// Something happened to a type of issue.
    pub struct IssueTypeEvent {
        /// The type.
        "issueType" => issue_type: Option<IssueType>,
    }
}

open_payload! {
    /// Something happened to a saved filter.
    pub struct FilterEvent {
        /// The filter, as it came.
        "filter" => filter: Option<Box<RawValue>>,
    }
}

open_payload! {
    /// An administrator switched an option of the site, such as voting, on or off.
    pub struct OptionEvent {
        /// The option.
        "property" => property: Option<OptionProperty>,
    }
}

open_payload! {
    /// An app was enabled or disabled in one project.
    pub struct ProjectAppEvent {
        /// The project, as it came.
        "project" => project: Option<Box<RawValue>>,
    }
}
