//! Issues and what hangs on them.

use serde_json::value::RawValue;

use super::project::{Component, Project, Version};
use super::user::User;
use crate::event::moment::{Day, Moment};
use crate::event::object::object;
use crate::event::vocabulary::vocabulary;
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
        /// What it holds.
        "fields" => fields: Fields,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The fields of an issue.
    ///
    /// Which are there depends on the event, on the project and on the site. The custom fields,
    /// `customfield_10020` and the like, are in `rest`, to be read with [`Rest::read`].
    ///
    /// [`Rest::read`]: crate::event::Rest::read
    #[derive(Default)]
    pub struct Fields {
        /// The title.
        "summary" => summary: Option<String>,
        /// What it is about.
        "description" => description: Option<RichText>,
        /// Where it happens.
        "environment" => environment: Option<RichText>,
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
        ..rest
    }
}

object! {
    /// What kind of issue it is.
    pub struct IssueType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// What it is, in words.
        "description" => description: Option<String>,
        /// Whether its issues are parts of others.
        "subtask" => subtask: Option<bool>,
        /// -1 for a part, 0 for an ordinary issue, 1 for an epic.
        "hierarchyLevel" => hierarchy_level: Option<i64>,
        /// The identifier of a type of a team-managed project.
        "entityId" => entity_id: Option<String>,
        /// The picture.
        "avatarId" => avatar_id: Option<Id>,
        /// The address of the picture.
        "iconUrl" => icon_url: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// How far an issue is.
    pub struct Status {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// What it is, in words.
        "description" => description: Option<String>,
        /// What it amounts to.
        "statusCategory" => status_category: Option<StatusCategory>,
        /// The address of the picture.
        "iconUrl" => icon_url: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// What a status amounts to, on every site.
    pub struct StatusCategory {
        /// The identifier.
        "id" => id: Option<Id>,
        /// Which of the few it is.
        "key" => key: Option<StatusCategoryKey>,
        /// What it is called.
        "name" => name: Option<String>,
        /// Its colour, as in `blue-gray`.
        "colorName" => color_name: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
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

object! {
    /// How important an issue is.
    pub struct Priority {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// The address of the picture.
        "iconUrl" => icon_url: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// How an issue ended.
    pub struct Resolution {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// What it is, in words.
        "description" => description: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// Votes for an issue.
    pub struct Votes {
        /// How many.
        "votes" => votes: Option<i64>,
        /// Whether the user of the event voted.
        "hasVoted" => has_voted: Option<bool>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// Whoever watches an issue.
    pub struct Watches {
        /// How many.
        "watchCount" => watch_count: Option<i64>,
        /// Whether the user of the event does.
        "isWatching" => is_watching: Option<bool>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// Work spent on an issue, in seconds.
    pub struct Progress {
        /// Spent.
        "progress" => progress: Option<i64>,
        /// Spent and left.
        "total" => total: Option<i64>,
        /// Spent, in percent of the total.
        "percent" => percent: Option<i64>,
    }
}

object! {
    /// Work spent on an issue, for people (`3h 20m`) and in seconds.
    pub struct TimeTracking {
        /// Estimated at first.
        "originalEstimate" => original_estimate: Option<String>,
        /// Left.
        "remainingEstimate" => remaining_estimate: Option<String>,
        /// Spent.
        "timeSpent" => time_spent: Option<String>,
        /// Estimated at first, in seconds.
        "originalEstimateSeconds" => original_estimate_seconds: Option<i64>,
        /// Left, in seconds.
        "remainingEstimateSeconds" => remaining_estimate_seconds: Option<i64>,
        /// Spent, in seconds.
        "timeSpentSeconds" => time_spent_seconds: Option<i64>,
    }
}

object! {
    /// An issue as another one names it.
    pub struct LinkedIssue {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key.
        "key" => key: Option<String>,
        /// A few of its fields.
        "fields" => fields: Option<LinkedFields>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// What another issue says of an issue that it names.
    pub struct LinkedFields {
        /// The title.
        "summary" => summary: Option<String>,
        /// What kind of issue it is.
        "issuetype" => issue_type: Option<IssueType>,
        /// How far it is.
        "status" => status: Option<Status>,
        /// How important it is.
        "priority" => priority: Option<Priority>,
    }
}

object! {
    /// A link as a field of an issue: to the one issue or from the other.
    pub struct FieldLink {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What the link says.
        "type" => kind: Option<FieldLinkType>,
        /// The issue from which the link comes.
        "inwardIssue" => inward_issue: Option<LinkedIssue>,
        /// The issue to which the link goes.
        "outwardIssue" => outward_issue: Option<LinkedIssue>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// What a link says, as a field of an issue spells it.
    pub struct FieldLinkType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// Read backwards, as in `is blocked by`.
        "inward" => inward: Option<String>,
        /// Read forwards, as in `blocks`.
        "outward" => outward: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A link between two issues, as its own event spells it.
    pub struct IssueLink {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The issue from which it goes.
        "sourceIssueId" => source_issue_id: Option<Id>,
        /// The issue to which it goes.
        "destinationIssueId" => destination_issue_id: Option<Id>,
        /// What it says.
        "issueLinkType" => issue_link_type: Option<IssueLinkType>,
        /// Whether Jira made it, and not a person.
        "systemLink" => system_link: Option<bool>,
    }
}

object! {
    /// What a link says, as the event of the link spells it.
    pub struct IssueLinkType {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// Read backwards, as in `is blocked by`.
        "inwardName" => inward_name: Option<String>,
        /// Read forwards, as in `blocks`.
        "outwardName" => outward_name: Option<String>,
        /// Whether it links a part to its whole.
        "isSubTaskLinkType" => is_sub_task_link_type: Option<bool>,
        /// Whether it is Jira's own.
        "isSystemLinkType" => is_system_link_type: Option<bool>,
    }
}

object! {
    /// What changed in an issue.
    ///
    /// Atlassian's documentation, "Webhooks", section "Changelog".
    pub struct Changelog {
        /// The identifier.
        "id" => id: Option<Id>,
        /// One for each field that changed.
        "items" => items: Vec<Change>,
    }
}

object! {
    /// A field of an issue that changed.
    ///
    /// `from` and `to` are what Jira stores, such as an identifier; `from_string` and `to_string` are
    /// what people see.
    pub struct Change {
        /// What the field is called.
        "field" => field: Option<String>,
        /// Who defines the field.
        "fieldtype" => field_type: Option<FieldType>,
        /// The identifier of the field.
        "fieldId" => field_id: Option<String>,
        /// The value before.
        "from" => from: Option<String>,
        /// The value before, for people.
        "fromString" => from_string: Option<String>,
        /// The value now.
        "to" => to: Option<String>,
        /// The value now, for people.
        "toString" => to_string: Option<String>,
        /// The account before, where the field holds a user.
        "tmpFromAccountId" => tmp_from_account_id: Option<String>,
        /// The account now, where the field holds a user.
        "tmpToAccountId" => tmp_to_account_id: Option<String>,
    }
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

object! {
    /// A field of an issue that changed, as it was spelt in 2014.
    ///
    /// The sources of Connect 1.0.1, `IssueEventMapper`.
    pub struct UpdatedField {
        /// What the field is called.
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
    /// nothing else, which is then the `body`.
    pub struct Comment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it says.
        "body" => body: Option<RichText>,
        /// Whoever wrote it.
        "author" => author: Option<User>,
        /// Whoever last edited it.
        "updateAuthor" => update_author: Option<User>,
        /// When it was written.
        "created" => created: Option<Moment>,
        /// When it was last edited.
        "updated" => updated: Option<Moment>,
        /// Who may read it; everybody who may read the issue, if there is none.
        "visibility" => visibility: Option<Visibility>,
        /// Whether the customers of a service project may read it.
        "jsdPublic" => jsd_public: Option<bool>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
    text => Some(Self { body: Some(RichText::Text(text.into())), ..Self::absent()? })
}

object! {
    /// Who may read a comment or a worklog.
    pub struct Visibility {
        /// What `value` names.
        "type" => kind: Option<VisibilityType>,
        /// The name of a role or a group.
        "value" => value: Option<String>,
        /// The identifier of the group.
        "identifier" => identifier: Option<String>,
    }
}

vocabulary! {
    /// Whether a role or a group may read something.
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
        /// How many fit on a page.
        "maxResults" => max_results: Option<i64>,
        /// How many come before.
        "startAt" => start_at: Option<i64>,
        /// How many there are.
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
        /// What was done.
        "comment" => comment: Option<RichText>,
        /// Whoever did it.
        "author" => author: Option<User>,
        /// Whoever last edited the entry.
        "updateAuthor" => update_author: Option<User>,
        /// When the work began.
        "started" => started: Option<Moment>,
        /// How long it took, for people, as in `3h 20m`.
        "timeSpent" => time_spent: Option<String>,
        /// How long it took, in seconds.
        "timeSpentSeconds" => time_spent_seconds: Option<i64>,
        /// When the entry was made.
        "created" => created: Option<Moment>,
        /// When the entry was last edited.
        "updated" => updated: Option<Moment>,
        /// Who may read it; everybody who may read the issue, if there is none.
        "visibility" => visibility: Option<Visibility>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A page of the work logged on an issue.
    pub struct Worklogs {
        /// The entries.
        "worklogs" => worklogs: Vec<Worklog>,
        /// How many fit on a page.
        "maxResults" => max_results: Option<i64>,
        /// How many come before.
        "startAt" => start_at: Option<i64>,
        /// How many there are.
        "total" => total: Option<i64>,
    }
}

object! {
    /// A file on an issue.
    ///
    /// Jira Cloud platform REST API, "Issue attachments".
    pub struct Attachment {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "filename" => filename: Option<String>,
        /// Whoever attached it.
        "author" => author: Option<User>,
        /// When it was attached.
        "created" => created: Option<Moment>,
        /// How large it is, in bytes.
        "size" => size: Option<i64>,
        /// What it is, as in `image/png`.
        "mimeType" => mime_type: Option<String>,
        /// The address of the file.
        "content" => content: Option<String>,
        /// The address of a small picture of it.
        "thumbnail" => thumbnail: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// An option of the site. Inferred.
    pub struct OptionProperty {
        /// What it is called, as in `jira.option.voting`.
        "key" => key: Option<String>,
        /// What it is now, as it came.
        "value" => value: Option<Box<RawValue>>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}
