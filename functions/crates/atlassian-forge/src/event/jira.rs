//! Payload types of Jira and Jira Software.
//!
//! Atlassian's documentation, "Jira events" and "Jira Software events". An [`IssueEvent`] and
//! a [`CommentEvent`] need the issue, with its `id` and `key`. Every other type only needs to be
//! a JSON object.

pub use atlassian_connect::event::jira::{
    Attachment, Board, Change, Changelog, Comment, Issue, Project, Sprint, Status, User, Version,
    Worklog,
};

use atlassian_connect::event::lenient::{At, Lenient};
use atlassian_connect::event::object::object;
use atlassian_connect::event::{EventName, Id};
use serde_json::value::RawValue;

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
                /// When it happened; on the wire in milliseconds since 1970, as text.
                "timestamp" => timestamp: Option<EventTime>,
                /// The account id of the user who did it.
                "atlassianId" => atlassian_id: Option<String>,
                /// Whether the app itself did it.
                "selfGenerated" => self_generated: Option<bool>,
                /// The value of `X-Atlassian-Webhook-Trace` in the app's request that caused it.
                "webhookTraceValue" => webhook_trace_value: Option<String>,
                /// The entity properties that the trigger includes, as they came.
                "payloadIncludeProperties" => payload_include_properties: Option<Box<RawValue>>,
            }
        }

        payload_types!("jira::": $Name);
    };
}

payload! {
    /// An issue was created, updated, deleted, assigned or viewed, or users were mentioned in its
    /// description. It needs the issue.
    pub struct IssueEvent {
        /// The issue as it is now, or as it was before it was deleted. With few of its fields.
        "issue" => issue: Issue,
        /// The changes, of an update or an assignment.
        "changelog" => changelog: Option<Changelog>,
        /// The kind of update, such as `issue_moved`.
        "jiraEventTypeName" => jira_event_type_name: Option<String>,
        /// The users that the change is about.
        "associatedUsers" => associated_users: Users,
        /// The status before and now, if it changed.
        "associatedStatuses" => associated_statuses: Statuses,
        /// The issue that this one is a copy of.
        "clonedFrom" => cloned_from: Option<IssueReference>,
        /// The account ids of the users who are mentioned.
        "mentionedAccountIds" => mentioned_account_ids: Vec<String>,
        /// The user who viewed it.
        "user" => user: Option<User>,
    }
}

payload! {
    /// A comment was written or edited, users were mentioned in it, or it was deleted. It needs the
    /// issue.
    ///
    /// A new comment and an edited one are the same event, `avi:jira:commented:issue`; compare
    /// `created` and `updated`.
    pub struct CommentEvent {
        /// The comment. Its text is a document.
        "comment" => comment: Comment,
        /// The issue, with few of its fields.
        "issue" => issue: Issue,
        /// The author.
        "associatedUsers" => associated_users: Users,
        /// The account ids of the users who are mentioned.
        "mentionedAccountIds" => mentioned_account_ids: Vec<String>,
    }
}

payload! {
    /// A link between two issues was created or deleted. The link is the event itself.
    pub struct IssueLinkEvent {
        /// The identifier of the link.
        "id" => id: Option<Id>,
        /// The identifier of the issue that the link goes out from.
        "sourceIssueId" => source_issue_id: Option<Id>,
        /// The identifier of the issue that the link leads to.
        "destinationIssueId" => destination_issue_id: Option<Id>,
        /// The project of the first issue.
        "sourceProjectId" => source_project_id: Option<Id>,
        /// The project of the second issue.
        "destinationProjectId" => destination_project_id: Option<Id>,
        /// The type.
        "issueLinkType" => issue_link_type: Option<IssueLinkType>,
    }
}

payload! {
    /// An event of a version of a project.
    pub struct VersionEvent {
        /// The version.
        "version" => version: Version,
        /// The version that was merged with it.
        "mergedVersion" => merged_version: Option<Version>,
        /// What stands in "Affects versions" instead of a version that was deleted.
        "newAffectsVersion" => new_affects_version: Option<Version>,
        /// What stands in "Fix versions" instead of it.
        "newFixVersion" => new_fix_version: Option<Version>,
        /// What stands in custom fields instead of it, as it came.
        "customFieldReplacements" => custom_field_replacements: Option<Box<RawValue>>,
    }
}

payload! {
    /// An event of a project.
    pub struct ProjectEvent {
        /// The project.
        "project" => project: Project,
    }
}

payload! {
    /// A worklog was created, updated or deleted.
    pub struct WorklogEvent {
        /// The entry.
        "worklog" => worklog: Worklog,
    }
}

payload! {
    /// An attachment of an issue was created or deleted.
    pub struct AttachmentEvent {
        /// The attachment.
        "attachment" => attachment: Attachment,
    }
}

payload! {
    /// A sprint was created, started, updated, closed or deleted. Its identifiers are texts.
    pub struct SprintEvent {
        /// The sprint.
        "sprint" => sprint: Sprint,
        /// Of an update: what it was before. Only with the members that changed.
        "oldValue" => old_value: Option<Sprint>,
    }
}

payload! {
    /// A board was created, updated or deleted.
    pub struct BoardEvent {
        /// The board.
        "board" => board: Board,
    }
}

object! {
    /// An issue that is referred to.
    pub struct IssueReference {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key.
        "key" => key: Option<String>,
    }
}

object! {
    /// The type of a link between issues.
    pub struct IssueLinkType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The inward text, as in `is blocked by`.
        "inward" => inward: Option<String>,
        /// The outward text, as in `blocks`.
        "outward" => outward: Option<String>,
    }
}

/// Makes a list that is written as a list, or as an object with a list in it.
macro_rules! list {
    ($(#[$doc:meta])+ pub struct $Name:ident($Item:ident in $member:literal);) => {
        $(#[$doc])+
        ///
        /// The documentation gives an object around a list, and code that is in use reads a list.
        /// Both are read.
        #[derive(Clone, Debug, Default)]
        pub struct $Name(Vec<$Item>);

        impl std::ops::Deref for $Name {
            type Target = [$Item];

            fn deref(&self) -> &[$Item] {
                &self.0
            }
        }

        impl Lenient for $Name {
            const EXPECTED: &'static str = "a list";
            const OPTIONAL: bool = true;

            fn list<'de, A: serde::de::SeqAccess<'de>>(
                list: A,
                at: &At<'_>,
            ) -> Result<Option<Self>, A::Error> {
                Ok(Vec::list(list, at)?.map(Self))
            }

            fn object<'de, A: serde::de::MapAccess<'de>>(
                map: A,
                at: &At<'_>,
            ) -> Result<Option<Self>, A::Error> {
                object! {
                    /// An object around the list.
                    struct Around {
                        /// The list.
                        $member => items: Vec<$Item>,
                    }
                }
                Ok(Lenient::object(map, at)?.map(|around: Around| Self(around.items)))
            }

            fn absent() -> Option<Self> {
                Some(Self::default())
            }
        }
    };
}

list! {
    /// Users.
    pub struct Users(User in "associatedUsers");
}

list! {
    /// Statuses.
    pub struct Statuses(Status in "associatedStatuses");
}
