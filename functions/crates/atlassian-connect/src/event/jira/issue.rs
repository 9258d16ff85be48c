//! Issues, comments, worklogs, attachments and links.

use serde_json::value::RawValue;

use super::project::{Component, Project, Version};
use super::user::User;
use crate::event::moment::{Day, Moment};
use crate::event::object::object;
use crate::event::string_enum::string_enum;
use crate::event::{Id, RichText};

object! {
    /// An issue. It needs an `id` and a `key`.
    ///
    /// Jira Cloud platform REST API, version 2, "Get issue".
    pub struct Issue {
        /// The identifier. It never changes.
        "id" => id: Id,
        /// The key, as in `DEMO-42`. It changes when the issue moves to another project.
        "key" => key: String,
        /// The fields.
        "fields" => fields: Fields,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The fields of an issue.
    ///
    /// The fields depend on the event, the project and the site. The custom fields,
    /// `customfield_10020` and the like, are in `extra`, to be read with [`ExtraFields::read`].
    ///
    /// [`ExtraFields::read`]: crate::event::ExtraFields::read
    #[derive(Default)]
    pub struct Fields {
        /// The title.
        "summary" => summary: Option<String>,
        /// The description.
        "description" => description: Option<RichText>,
        /// The environment.
        "environment" => environment: Option<RichText>,
        /// The type of issue.
        "issuetype" => issue_type: Option<IssueType>,
        /// The project.
        "project" => project: Option<Project>,
        /// The status.
        "status" => status: Option<Status>,
        /// The priority.
        "priority" => priority: Option<Priority>,
        /// The resolution.
        "resolution" => resolution: Option<Resolution>,
        /// The assignee.
        "assignee" => assignee: Option<User>,
        /// The reporter.
        "reporter" => reporter: Option<User>,
        /// The creator.
        "creator" => creator: Option<User>,
        /// When it was created.
        "created" => created: Option<Moment>,
        /// When it last changed.
        "updated" => updated: Option<Moment>,
        /// When it was resolved.
        "resolutiondate" => resolution_date: Option<Moment>,
        /// When its status last moved to another category.
        "statuscategorychangedate" => status_category_change_date: Option<Moment>,
        /// When the user of the event last saw it.
        "lastViewed" => last_viewed: Option<Moment>,
        /// When it is due.
        "duedate" => due_date: Option<Day>,
        /// The labels.
        "labels" => labels: Vec<String>,
        /// The components.
        "components" => components: Vec<Component>,
        /// The affected versions.
        "versions" => versions: Vec<Version>,
        /// The fix versions.
        "fixVersions" => fix_versions: Vec<Version>,
        /// The parent issue.
        "parent" => parent: Option<LinkedIssue>,
        /// The subtasks.
        "subtasks" => subtasks: Vec<LinkedIssue>,
        /// The links to other issues.
        "issuelinks" => issue_links: Vec<FieldLink>,
        /// The attachments.
        "attachment" => attachment: Vec<Attachment>,
        /// The comments. Observed when an issue is deleted.
        "comment" => comment: Option<Comments>,
        /// The worklog. Observed when an issue is deleted.
        "worklog" => worklog: Option<Worklogs>,
        /// The votes.
        "votes" => votes: Option<Votes>,
        /// The watchers.
        "watches" => watches: Option<Watches>,
        /// The time spent.
        "progress" => progress: Option<Progress>,
        /// The time spent, subtasks included.
        "aggregateprogress" => aggregate_progress: Option<Progress>,
        /// The time spent and estimated, as text and in seconds.
        "timetracking" => time_tracking: Option<TimeTracking>,
        /// The time spent, in seconds.
        "timespent" => time_spent: Option<i64>,
        /// The remaining estimate, in seconds.
        "timeestimate" => time_estimate: Option<i64>,
        /// The original estimate, in seconds.
        "timeoriginalestimate" => time_original_estimate: Option<i64>,
        /// The time spent, subtasks included, in seconds.
        "aggregatetimespent" => aggregate_time_spent: Option<i64>,
        /// The remaining estimate, subtasks included, in seconds.
        "aggregatetimeestimate" => aggregate_time_estimate: Option<i64>,
        /// The original estimate, subtasks included, in seconds.
        "aggregatetimeoriginalestimate" => aggregate_time_original_estimate: Option<i64>,
        /// The time spent in percent of the original estimate; -1 without one.
        "workratio" => work_ratio: Option<i64>,
        ..extra
    }
}

object! {
    /// The type of issue.
    pub struct IssueType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The description.
        "description" => description: Option<String>,
        /// Whether its issues are subtasks.
        "subtask" => subtask: Option<bool>,
        /// The level: -1 for a subtask, 0 for an ordinary issue, 1 for an epic.
        "hierarchyLevel" => hierarchy_level: Option<i64>,
        /// The identifier of a type of a team-managed project.
        "entityId" => entity_id: Option<String>,
        /// The avatar.
        "avatarId" => avatar_id: Option<Id>,
        /// The URL of the icon.
        "iconUrl" => icon_url: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The status of an issue.
    pub struct Status {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The description.
        "description" => description: Option<String>,
        /// The status category.
        "statusCategory" => status_category: Option<StatusCategory>,
        /// The URL of the icon.
        "iconUrl" => icon_url: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A status category, the same on every site.
    pub struct StatusCategory {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key.
        "key" => key: Option<StatusCategoryKey>,
        /// The name.
        "name" => name: Option<String>,
        /// Its colour, as in `blue-gray`.
        "colorName" => color_name: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

string_enum! {
    /// The key of a status category.
    pub enum StatusCategoryKey {
        "done" => Done,
        "indeterminate" => InProgress,
        "new" => ToDo,
        "undefined" => Undefined,
    }
}

object! {
    /// The priority of an issue.
    pub struct Priority {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The URL of the icon.
        "iconUrl" => icon_url: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The resolution of an issue.
    pub struct Resolution {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The description.
        "description" => description: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// Votes for an issue.
    pub struct Votes {
        /// The number.
        "votes" => votes: Option<i64>,
        /// Whether the user of the event voted.
        "hasVoted" => has_voted: Option<bool>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The watchers of an issue.
    pub struct Watches {
        /// The number.
        "watchCount" => watch_count: Option<i64>,
        /// Whether the user of the event watches it.
        "isWatching" => is_watching: Option<bool>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The time spent on an issue, in seconds.
    pub struct Progress {
        /// The time spent.
        "progress" => progress: Option<i64>,
        /// The time spent and the remaining estimate.
        "total" => total: Option<i64>,
        /// The time spent, in percent of the total.
        "percent" => percent: Option<i64>,
    }
}

object! {
    /// The time spent on an issue, as text (`3h 20m`) and in seconds.
    pub struct TimeTracking {
        /// The original estimate.
        "originalEstimate" => original_estimate: Option<String>,
        /// The remaining estimate.
        "remainingEstimate" => remaining_estimate: Option<String>,
        /// The time spent.
        "timeSpent" => time_spent: Option<String>,
        /// The original estimate, in seconds.
        "originalEstimateSeconds" => original_estimate_seconds: Option<i64>,
        /// The remaining estimate, in seconds.
        "remainingEstimateSeconds" => remaining_estimate_seconds: Option<i64>,
        /// The time spent, in seconds.
        "timeSpentSeconds" => time_spent_seconds: Option<i64>,
    }
}

object! {
    /// An issue that another issue refers to.
    pub struct LinkedIssue {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key.
        "key" => key: Option<String>,
        /// A few of its fields.
        "fields" => fields: Option<LinkedFields>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The fields of an issue that another issue refers to.
    pub struct LinkedFields {
        /// The title.
        "summary" => summary: Option<String>,
        /// The type of issue.
        "issuetype" => issue_type: Option<IssueType>,
        /// The status.
        "status" => status: Option<Status>,
        /// The priority.
        "priority" => priority: Option<Priority>,
    }
}

object! {
    /// A link in the form of an issue field: inward or outward.
    pub struct FieldLink {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The type of the link.
        "type" => kind: Option<FieldLinkType>,
        /// The source of an inward link.
        "inwardIssue" => inward_issue: Option<LinkedIssue>,
        /// The destination of an outward link.
        "outwardIssue" => outward_issue: Option<LinkedIssue>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The type of a link, in the form of an issue field.
    pub struct FieldLinkType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The inward text, as in `is blocked by`.
        "inward" => inward: Option<String>,
        /// The outward text, as in `blocks`.
        "outward" => outward: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A link between two issues, in the form of an event of the link.
    pub struct IssueLink {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The source issue.
        "sourceIssueId" => source_issue_id: Option<Id>,
        /// The destination issue.
        "destinationIssueId" => destination_issue_id: Option<Id>,
        /// The text.
        "issueLinkType" => issue_link_type: Option<IssueLinkType>,
        /// Whether Jira created it, rather than a user.
        "systemLink" => system_link: Option<bool>,
    }
}

object! {
    /// The type of a link, in the form of an event of the link.
    pub struct IssueLinkType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The inward text, as in `is blocked by`.
        "inwardName" => inward_name: Option<String>,
        /// The outward text, as in `blocks`.
        "outwardName" => outward_name: Option<String>,
        /// Whether it links a subtask to its parent.
        "isSubTaskLinkType" => is_sub_task_link_type: Option<bool>,
        /// Whether it is a type of Jira itself.
        "isSystemLinkType" => is_system_link_type: Option<bool>,
    }
}

object! {
    /// The changes of an issue.
    ///
    /// Atlassian's documentation, "Webhooks", section "Changelog".
    pub struct Changelog {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The changed fields.
        "items" => items: Vec<Change>,
    }
}

object! {
    /// A field of an issue that changed.
    ///
    /// `from` and `to` are what Jira stores, such as an identifier; `from_string` and `to_string`
    /// are what people see.
    pub struct Change {
        /// The name of the field.
        "field" => field: Option<String>,
        /// Whether the field is a field of Jira or a custom field.
        "fieldtype" => field_type: Option<FieldType>,
        /// The identifier of the field.
        "fieldId" => field_id: Option<String>,
        /// The value before.
        "from" => from: Option<String>,
        /// The value before, as displayed.
        "fromString" => from_string: Option<String>,
        /// The value now.
        "to" => to: Option<String>,
        /// The value now, as displayed.
        "toString" => to_string: Option<String>,
        /// The account id before, if the field is a user.
        "tmpFromAccountId" => tmp_from_account_id: Option<String>,
        /// The account id now, if the field is a user.
        "tmpToAccountId" => tmp_to_account_id: Option<String>,
    }
}

string_enum! {
    /// Whether a field is a field of Jira or a custom field.
    pub enum FieldType {
        "custom" => Custom,
        "jira" => Jira,
    }
}

string_enum! {
    /// The kind of change of an issue event. Administrators can add their own.
    pub enum IssueEventType {
        "issue_assigned" => Assigned,
        "issue_closed" => Closed,
        "issue_comment_deleted" => CommentDeleted,
        "issue_comment_edited" => CommentEdited,
        "issue_commented" => Commented,
        "issue_created" => Created,
        "issue_deleted" => Deleted,
        "issue_generic" => Generic,
        "issue_moved" => Moved,
        "issue_reopened" => Reopened,
        "issue_resolved" => Resolved,
        "issue_updated" => Updated,
        "issue_work_started" => WorkStarted,
        "issue_work_stopped" => WorkStopped,
        "issue_worklog_deleted" => WorklogDeleted,
        "issue_worklog_updated" => WorklogUpdated,
        "issue_work_logged" => WorkLogged,
    }
}

object! {
    /// A field of an issue that changed, as it was spelt in 2014.
    ///
    /// The sources of Connect 1.0.1, `IssueEventMapper`.
    pub struct UpdatedField {
        /// The name of the field.
        "name" => name: Option<String>,
        /// The value before.
        "oldValue" => old_value: Option<String>,
        /// The value now.
        "newValue" => new_value: Option<String>,
    }
}

object! {
    /// A comment on an issue.
    ///
    /// Jira Cloud platform REST API, version 2, "Issue comments". A transition has its text and
    /// no more, which is then the `body`.
    pub struct Comment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The text.
        "body" => body: Option<RichText>,
        /// The author.
        "author" => author: Option<User>,
        /// The last editor.
        "updateAuthor" => update_author: Option<User>,
        /// When it was written.
        "created" => created: Option<Moment>,
        /// When it was last edited.
        "updated" => updated: Option<Moment>,
        /// Who can read it. Everyone who can read the issue, if absent.
        "visibility" => visibility: Option<Visibility>,
        /// Whether the customers of a service project can read it.
        "jsdPublic" => jsd_public: Option<bool>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
    text => Some(Self { body: Some(RichText::Text(text.into())), ..Self::absent()? })
}

object! {
    /// Who can read a comment or a worklog.
    pub struct Visibility {
        /// Whether `value` is a role or a group.
        "type" => kind: Option<VisibilityType>,
        /// The name of a role or a group.
        "value" => value: Option<String>,
        /// The identifier of the group.
        "identifier" => identifier: Option<String>,
    }
}

string_enum! {
    /// A kind of visibility: role or group.
    pub enum VisibilityType {
        "group" => Group,
        "role" => Role,
    }
}

object! {
    /// A page of the comments on an issue.
    pub struct Comments {
        /// The comments.
        "comments" => comments: Vec<Comment>,
        /// The page size.
        "maxResults" => max_results: Option<i64>,
        /// The offset of the page.
        "startAt" => start_at: Option<i64>,
        /// The total number.
        "total" => total: Option<i64>,
    }
}

object! {
    /// Work logged on an issue.
    ///
    /// Jira Cloud platform REST API, version 2, "Issue worklogs".
    pub struct Worklog {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The identifier of the issue.
        "issueId" => issue_id: Option<Id>,
        /// The description of the work.
        "comment" => comment: Option<RichText>,
        /// The user who did it.
        "author" => author: Option<User>,
        /// The last editor of the entry.
        "updateAuthor" => update_author: Option<User>,
        /// When the work began.
        "started" => started: Option<Moment>,
        /// The duration, as in `3h 20m`.
        "timeSpent" => time_spent: Option<String>,
        /// The duration, in seconds.
        "timeSpentSeconds" => time_spent_seconds: Option<i64>,
        /// When the entry was made.
        "created" => created: Option<Moment>,
        /// When the entry was last edited.
        "updated" => updated: Option<Moment>,
        /// Who can read it. Everyone who can read the issue, if absent.
        "visibility" => visibility: Option<Visibility>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A page of the work logged on an issue.
    pub struct Worklogs {
        /// The entries.
        "worklogs" => worklogs: Vec<Worklog>,
        /// The page size.
        "maxResults" => max_results: Option<i64>,
        /// The offset of the page.
        "startAt" => start_at: Option<i64>,
        /// The total number.
        "total" => total: Option<i64>,
    }
}

object! {
    /// An attachment of an issue.
    ///
    /// Jira Cloud platform REST API, "Issue attachments".
    pub struct Attachment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The file name.
        "filename" => filename: Option<String>,
        /// The user who attached it.
        "author" => author: Option<User>,
        /// When it was attached.
        "created" => created: Option<Moment>,
        /// The size, in bytes.
        "size" => size: Option<i64>,
        /// The media type, as in `image/png`.
        "mimeType" => mime_type: Option<String>,
        /// The URL of the file.
        "content" => content: Option<String>,
        /// The URL of a thumbnail.
        "thumbnail" => thumbnail: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// An option of the site. Inferred.
    pub struct OptionProperty {
        /// The key, as in `jira.option.voting`.
        "key" => key: Option<String>,
        /// The current value, as it came.
        "value" => value: Option<Box<RawValue>>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}
