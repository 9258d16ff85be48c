//! Issues and what hangs on them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::project::{Component, Project, Version};
use super::user::User;
use crate::event::Id;
use crate::event::moment::{Day, Moment};
use crate::event::open::open;
use crate::event::vocabulary::vocabulary;

/// An issue.
///
/// Jira Cloud platform REST API, version 2, "Get issue".
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Issue {
    /// The identifier. It never changes.
    pub id: Id,
    /// The key, as in `DEMO-42`. It changes when the issue moves to another project.
    pub key: String,
    /// What it holds.
    #[serde(default)]
    pub fields: Fields,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

open! {
    /// The fields of an issue.
    ///
    /// Which are there depends on the event, on the project and on the site. The custom fields,
    /// `customfield_10020` and the like, are in `rest`, to be read with [`Rest::read`].
    ///
    /// [`Rest::read`]: crate::event::Rest::read
    pub struct Fields {
        /// The title.
        "summary" => summary: Option<String>,
        /// What it is about, in wiki markup.
        "description" => description: Option<String>,
        /// Where it happens, in wiki markup.
        "environment" => environment: Option<String>,
        /// What kind of issue it is.
        "issuetype" => issue_type: Option<IssueType>,
        /// The project it is in.
        "project" => project: Option<Project>,
        /// How far it is.
        "status" => status: Option<Status>,
        /// How important it is.
        "priority" => priority: Option<Priority>,
        /// How it ended.
        "resolution" => resolution: Option<Resolution>,
        /// Whoever is to do it.
        "assignee" => assignee: Option<User>,
        /// Whoever asked for it.
        "reporter" => reporter: Option<User>,
        /// Whoever wrote it down.
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
        /// Its labels.
        "labels" => labels: Vec<String>,
        /// The parts of the project it is about.
        "components" => components: Vec<Component>,
        /// The versions it is about.
        "versions" => versions: Vec<Version>,
        /// The versions it is to be done in.
        "fixVersions" => fix_versions: Vec<Version>,
        /// The issue it is a part of.
        "parent" => parent: Option<LinkedIssue>,
        /// Its parts.
        "subtasks" => subtasks: Vec<LinkedIssue>,
        /// Its links to other issues.
        "issuelinks" => issue_links: Vec<FieldLink>,
        /// Its files.
        "attachment" => attachment: Vec<Attachment>,
        /// Its comments; seen where an issue is deleted.
        "comment" => comment: Option<Comments>,
        /// The work logged on it; seen where an issue is deleted.
        "worklog" => worklog: Option<Worklogs>,
        /// Votes for it.
        "votes" => votes: Option<Votes>,
        /// Whoever watches it.
        "watches" => watches: Option<Watches>,
        /// Work spent on it.
        "progress" => progress: Option<Progress>,
        /// Work spent on it and its parts.
        "aggregateprogress" => aggregate_progress: Option<Progress>,
        /// Work spent and estimated, for people and in seconds.
        "timetracking" => time_tracking: Option<TimeTracking>,
        /// Work spent, in seconds.
        "timespent" => time_spent: Option<i64>,
        /// Work left, in seconds.
        "timeestimate" => time_estimate: Option<i64>,
        /// Work estimated at first, in seconds.
        "timeoriginalestimate" => time_original_estimate: Option<i64>,
        /// Work spent on it and its parts, in seconds.
        "aggregatetimespent" => aggregate_time_spent: Option<i64>,
        /// Work left on it and its parts, in seconds.
        "aggregatetimeestimate" => aggregate_time_estimate: Option<i64>,
        /// Work estimated at first for it and its parts, in seconds.
        "aggregatetimeoriginalestimate" => aggregate_time_original_estimate: Option<i64>,
        /// Work spent, in percent of the first estimate; -1 without one.
        "workratio" => work_ratio: Option<i64>,
    }
}

/// What kind of issue it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IssueType {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub name: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// Whether its issues are parts of others.
    pub subtask: Option<bool>,
    /// -1 for a part, 0 for an ordinary issue, 1 for an epic.
    pub hierarchy_level: Option<i64>,
    /// The identifier of a type of a team-managed project.
    pub entity_id: Option<String>,
    /// The picture.
    pub avatar_id: Option<Id>,
    /// The address of the picture.
    pub icon_url: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// How far an issue is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub name: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// What it amounts to.
    pub status_category: Option<StatusCategory>,
    /// The address of the picture.
    pub icon_url: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// What a status amounts to, on every site.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StatusCategory {
    /// The identifier.
    pub id: Option<Id>,
    /// Which of the few it is.
    pub key: Option<StatusCategoryKey>,
    /// What it is called.
    pub name: Option<String>,
    /// Its colour, as in `blue-gray`.
    pub color_name: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

vocabulary! {
    /// What a status amounts to.
    pub enum StatusCategoryKey {
        "done" => Done,
        "indeterminate" => InProgress,
        "new" => ToDo,
        "undefined" => Undefined,
    }
}

/// How important an issue is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Priority {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub name: Option<String>,
    /// The address of the picture.
    pub icon_url: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// How an issue ended.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Resolution {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub name: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// Votes for an issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Votes {
    /// How many.
    pub votes: Option<i64>,
    /// Whether the user of the event voted.
    pub has_voted: Option<bool>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// Whoever watches an issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Watches {
    /// How many.
    pub watch_count: Option<i64>,
    /// Whether the user of the event does.
    pub is_watching: Option<bool>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// Work spent on an issue, in seconds.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// Spent.
    pub progress: Option<i64>,
    /// Spent and left.
    pub total: Option<i64>,
    /// Spent, in percent of the total.
    pub percent: Option<i64>,
}

/// Work spent on an issue, for people (`3h 20m`) and in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimeTracking {
    /// Estimated at first.
    pub original_estimate: Option<String>,
    /// Left.
    pub remaining_estimate: Option<String>,
    /// Spent.
    pub time_spent: Option<String>,
    /// Estimated at first, in seconds.
    pub original_estimate_seconds: Option<i64>,
    /// Left, in seconds.
    pub remaining_estimate_seconds: Option<i64>,
    /// Spent, in seconds.
    pub time_spent_seconds: Option<i64>,
}

/// An issue as another one names it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct LinkedIssue {
    /// The identifier.
    pub id: Option<Id>,
    /// The key.
    pub key: Option<String>,
    /// A few of its fields.
    pub fields: Option<LinkedFields>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// What another issue says of an issue that it names.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct LinkedFields {
    /// The title.
    pub summary: Option<String>,
    /// What kind of issue it is.
    #[serde(rename = "issuetype")]
    pub issue_type: Option<IssueType>,
    /// How far it is.
    pub status: Option<Status>,
    /// How important it is.
    pub priority: Option<Priority>,
}

/// A link as a field of an issue: to the one issue or from the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FieldLink {
    /// The identifier.
    pub id: Option<Id>,
    /// What the link says.
    #[serde(rename = "type")]
    pub kind: Option<FieldLinkType>,
    /// The issue from which the link comes.
    pub inward_issue: Option<LinkedIssue>,
    /// The issue to which the link goes.
    pub outward_issue: Option<LinkedIssue>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// What a link says, as a field of an issue spells it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct FieldLinkType {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub name: Option<String>,
    /// Read backwards, as in `is blocked by`.
    pub inward: Option<String>,
    /// Read forwards, as in `blocks`.
    pub outward: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// A link between two issues, as its own event spells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IssueLink {
    /// The identifier.
    pub id: Id,
    /// The issue from which it goes.
    pub source_issue_id: Option<Id>,
    /// The issue to which it goes.
    pub destination_issue_id: Option<Id>,
    /// What it says.
    pub issue_link_type: Option<IssueLinkType>,
    /// Whether Jira made it, and not a person.
    pub system_link: Option<bool>,
}

/// What a link says, as the event of the link spells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IssueLinkType {
    /// The identifier.
    pub id: Option<Id>,
    /// What it is called.
    pub name: Option<String>,
    /// Read backwards, as in `is blocked by`.
    pub inward_name: Option<String>,
    /// Read forwards, as in `blocks`.
    pub outward_name: Option<String>,
    /// Whether it links a part to its whole.
    pub is_sub_task_link_type: Option<bool>,
    /// Whether it is Jira's own.
    pub is_system_link_type: Option<bool>,
}

/// What changed in an issue.
///
/// Atlassian's documentation, "Webhooks", section "Changelog".
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Changelog {
    /// The identifier.
    pub id: Option<Id>,
    /// One for each field that changed.
    #[serde(default)]
    pub items: Vec<Change>,
}

/// A field of an issue that changed.
///
/// `from` and `to` are what Jira stores, such as an identifier; `from_string` and `to_string` are
/// what people see.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Change {
    /// What the field is called.
    pub field: String,
    /// Who defines the field.
    #[serde(rename = "fieldtype")]
    pub field_type: Option<FieldType>,
    /// The identifier of the field.
    pub field_id: Option<String>,
    /// The value before.
    pub from: Option<String>,
    /// The value before, for people.
    pub from_string: Option<String>,
    /// The value now.
    pub to: Option<String>,
    /// The value now, for people.
    pub to_string: Option<String>,
    /// The account before, where the field holds a user.
    pub tmp_from_account_id: Option<String>,
    /// The account now, where the field holds a user.
    pub tmp_to_account_id: Option<String>,
}

vocabulary! {
    /// Who defines a field.
    pub enum FieldType {
        "custom" => Custom,
        "jira" => Jira,
    }
}

vocabulary! {
    /// What kind of change an issue event is about. Administrators can add their own.
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

/// A field of an issue that changed, as it was spelt in 2014.
///
/// The sources of Connect 1.0.1, `IssueEventMapper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UpdatedField {
    /// What the field is called.
    pub name: Option<String>,
    /// The value before.
    pub old_value: Option<String>,
    /// The value now.
    pub new_value: Option<String>,
}

/// A comment on an issue.
///
/// Jira Cloud platform REST API, version 2, "Issue comments".
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comment {
    /// The identifier.
    pub id: Id,
    /// What it says, in wiki markup.
    pub body: Option<String>,
    /// Whoever wrote it.
    pub author: Option<User>,
    /// Whoever last edited it.
    pub update_author: Option<User>,
    /// When it was written.
    pub created: Option<Moment>,
    /// When it was last edited.
    pub updated: Option<Moment>,
    /// Who may read it; everybody who may read the issue, if there is none.
    pub visibility: Option<Visibility>,
    /// Whether the customers of a service project may read it.
    pub jsd_public: Option<bool>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// Who may read a comment or a worklog.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Visibility {
    /// What `value` names.
    #[serde(rename = "type")]
    pub kind: Option<VisibilityType>,
    /// The name of a role or a group.
    pub value: Option<String>,
    /// The identifier of the group.
    pub identifier: Option<String>,
}

vocabulary! {
    /// Whether a role or a group may read something.
    pub enum VisibilityType {
        "group" => Group,
        "role" => Role,
    }
}

/// A page of the comments on an issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comments {
    /// The comments.
    #[serde(default)]
    pub comments: Vec<Comment>,
    /// How many fit on a page.
    pub max_results: Option<i64>,
    /// How many come before.
    pub start_at: Option<i64>,
    /// How many there are.
    pub total: Option<i64>,
}

/// Work logged on an issue.
///
/// Jira Cloud platform REST API, version 2, "Issue worklogs".
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Worklog {
    /// The identifier.
    pub id: Id,
    /// The identifier of the issue.
    pub issue_id: Option<Id>,
    /// What was done, in wiki markup.
    pub comment: Option<String>,
    /// Whoever did it.
    pub author: Option<User>,
    /// Whoever last edited the entry.
    pub update_author: Option<User>,
    /// When the work began.
    pub started: Option<Moment>,
    /// How long it took, for people, as in `3h 20m`.
    pub time_spent: Option<String>,
    /// How long it took, in seconds.
    pub time_spent_seconds: Option<i64>,
    /// When the entry was made.
    pub created: Option<Moment>,
    /// When the entry was last edited.
    pub updated: Option<Moment>,
    /// Who may read it; everybody who may read the issue, if there is none.
    pub visibility: Option<Visibility>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// A page of the work logged on an issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Worklogs {
    /// The entries.
    #[serde(default)]
    pub worklogs: Vec<Worklog>,
    /// How many fit on a page.
    pub max_results: Option<i64>,
    /// How many come before.
    pub start_at: Option<i64>,
    /// How many there are.
    pub total: Option<i64>,
}

/// A file on an issue.
///
/// Jira Cloud platform REST API, "Issue attachments".
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Attachment {
    /// The identifier.
    pub id: Id,
    /// What it is called.
    pub filename: Option<String>,
    /// Whoever attached it.
    pub author: Option<User>,
    /// When it was attached.
    pub created: Option<Moment>,
    /// How large it is, in bytes.
    pub size: Option<i64>,
    /// What it is, as in `image/png`.
    pub mime_type: Option<String>,
    /// The address of the file.
    pub content: Option<String>,
    /// The address of a small picture of it.
    pub thumbnail: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// An option of the site. Inferred.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct OptionProperty {
    /// What it is called, as in `jira.option.voting`.
    pub key: Option<String>,
    /// What it is now, as it came.
    pub value: Option<Box<RawValue>>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}
