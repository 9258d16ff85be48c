//! Payload types of Jira.
//!
//! Atlassian's documentation, "Webhooks" of Jira Cloud, shows one body in full, that of an issue
//! event, and says of the others that they contain "information about the entity associated with
//! the event". The source of a type is the `basis` of its events in [`TABLE`](super::TABLE).
//! "Inferred" in the documentation of a type means that no such body has been observed.
//!
//! An [`Issue`] needs its `id` and `key`, and an [`IssueEvent`] an issue. Every other type only
//! needs to be a JSON object.

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

/// Makes a payload type: its own fields, and those that all payloads have.
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
    /// An event of an issue. It needs the issue, with its `id` and `key`.
    ///
    /// Atlassian's documentation, "Webhooks", section "Example callback for an issue related
    /// event".
    pub struct IssueEvent {
        /// The issue as it is now, or as it was before it was deleted.
        "issue" => issue: Issue,
        /// The user who did it.
        "user" => user: Option<User>,
        /// The kind of change.
        "issue_event_type_name" => issue_event_type_name: Option<IssueEventType>,
        /// The changes. Absent if the issue was deleted.
        "changelog" => changelog: Option<Changelog>,
        /// The comment that came with the change.
        "comment" => comment: Option<Comment>,
        /// The changes. In 2014.
        "updatedFields" => updated_fields: Option<Vec<UpdatedField>>,
    }
}

payload! {
    /// A comment was created, updated or deleted. Observed.
    pub struct CommentEvent {
        /// The comment.
        "comment" => comment: Comment,
        /// The issue, with a few of its fields. Absent on Jira Server.
        "issue" => issue: Option<Issue>,
    }
}

payload! {
    /// A worklog was created, updated or deleted. Observed.
    pub struct WorklogEvent {
        /// The entry.
        "worklog" => worklog: Worklog,
        /// Whether Jira did it, to keep an issue within its limits. Since 2026.
        "isFromIssueLimitTransformation" => is_from_issue_limit_transformation: Option<bool>,
    }
}

payload! {
    /// An attachment of an issue was created or deleted. Observed.
    pub struct AttachmentEvent {
        /// The attachment.
        "attachment" => attachment: Attachment,
        /// The issue. Observed once, absent otherwise.
        "issue" => issue: Option<Issue>,
    }
}

payload! {
    /// A link between two issues was created or deleted. Observed.
    pub struct IssueLinkEvent {
        /// The link.
        "issueLink" => issue_link: IssueLink,
    }
}

payload! {
    /// An event of a project. Observed; inferred for archiving, trashing and restoring.
    pub struct ProjectEvent {
        /// The project.
        "project" => project: Project,
    }
}

payload! {
    /// An event of a version of a project. Observed.
    pub struct VersionEvent {
        /// The version.
        "version" => version: Version,
        /// The version that it was merged into, if it was. Such a merge is sent as a
        /// `jira:version_deleted`.
        "mergedTo" => merged_to: Option<Version>,
    }
}

payload! {
    /// An event of a user. Observed.
    pub struct UserEvent {
        /// The user; absent from `user_deleted`.
        "user" => user: Option<User>,
        /// The account id of the deleted user.
        "accountId" => account_id: Option<String>,
        /// The username of the deleted user.
        "username" => username: Option<String>,
    }
}

payload! {
    /// An event of a sprint. Observed.
    pub struct SprintEvent {
        /// The sprint.
        "sprint" => sprint: Sprint,
        /// The sprint before `sprint_updated`.
        "oldValue" => old_value: Option<Sprint>,
    }
}

payload! {
    /// An event of a board. Observed.
    pub struct BoardEvent {
        /// The board.
        "board" => board: Board,
    }
}

payload! {
    /// The configuration of a board was changed. Observed.
    pub struct BoardConfigurationEvent {
        /// The configuration.
        "configuration" => configuration: BoardConfiguration,
    }
}

payload! {
    /// A workflow transition with a post function of the app.
    ///
    /// Inferred. The sources of Connect 1.0.1 name the configuration, the issue and the transition.
    pub struct PostFunctionEvent {
        /// The issue.
        "issue" => issue: Option<Issue>,
        /// The user who did it.
        "user" => user: Option<User>,
        /// The changes.
        "changelog" => changelog: Option<Changelog>,
        /// The comment that came with the transition: only its text.
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
            /// Inferred: no such body has been observed. Other fields are in `extra`.
            #[derive(Default)]
            pub struct $Name {
                /// When it happened; on the wire in milliseconds since 1970.
                "timestamp" => timestamp: Option<Moment>,
                /// The name of the event.
                "webhookEvent" => webhook_event: Option<EventName>,
                $($fields)*
                ..extra
            }
        }

        impl PayloadType for $Name {}
    };
}

open_payload! {
    /// A property of an issue was set or deleted.
    pub struct IssuePropertyEvent {
        /// The property, with its `key` and `value`.
        "property" => property: Option<Box<RawValue>>,
        /// The issue.
        "issue" => issue: Option<LinkedIssue>,
    }
}

open_payload! {
    /// An event of an issue type.
    pub struct IssueTypeEvent {
        /// The type.
        "issueType" => issue_type: Option<IssueType>,
    }
}

open_payload! {
    /// An event of a saved filter.
    pub struct FilterEvent {
        /// The filter, as it came.
        "filter" => filter: Option<Box<RawValue>>,
    }
}

open_payload! {
    /// An option of the site, such as voting, was enabled or disabled.
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
