//! The events of Forge that an app gets in place of those of Connect.
//!
//! Atlassian publishes no such list. This one compares what both documentations say of each event.

/// The events of Connect that Forge sends as well, each with the names that Forge has for it. An event
/// with several is sent under one or more of them: those of two products, or what Forge tells apart.
///
/// Not in the list, because Forge has nothing like it, are changes of the options of attachments and time
/// tracking, apps that are enabled or disabled, logins, and in Confluence moved blog posts, blueprints,
/// logos, statuses, themes, trashed spaces, and users who are followed or deactivated.
pub const COUNTERPARTS: &[(&str, &[&str])] = &[
    ("jira:issue_created", &["avi:jira:created:issue"]),
    ("jira:issue_updated", &["avi:jira:updated:issue", "avi:jira:assigned:issue"]),
    ("jira:issue_deleted", &["avi:jira:deleted:issue"]),
    ("comment_created", &["avi:jira:commented:issue", "avi:confluence:created:comment"]),
    ("comment_updated", &["avi:jira:commented:issue", "avi:confluence:updated:comment"]),
    ("comment_deleted", &["avi:jira:deleted:comment"]),
    ("comment_removed", &["avi:confluence:deleted:comment"]),
    ("worklog_created", &["avi:jira:created:worklog"]),
    ("worklog_updated", &["avi:jira:updated:worklog"]),
    ("worklog_deleted", &["avi:jira:deleted:worklog"]),
    ("jira:worklog_updated", &["avi:jira:updated:worklog"]),
    ("attachment_created", &["avi:jira:created:attachment", "avi:confluence:created:attachment"]),
    ("attachment_deleted", &["avi:jira:deleted:attachment"]),
    ("attachment_removed", &["avi:confluence:deleted:attachment"]),
    ("attachment_archived", &["avi:confluence:archived:attachment"]),
    ("attachment_restored", &["avi:confluence:restored:attachment"]),
    ("attachment_trashed", &["avi:confluence:trashed:attachment"]),
    ("attachment_unarchived", &["avi:confluence:unarchived:attachment"]),
    ("attachment_updated", &["avi:confluence:updated:attachment"]),
    ("attachment_viewed", &["avi:confluence:viewed:attachment"]),
    ("issuelink_created", &["avi:jira:created:issuelink"]),
    ("issuelink_deleted", &["avi:jira:deleted:issuelink"]),
    ("issuetype_created", &["avi:jira:created:issuetype"]),
    ("issuetype_updated", &["avi:jira:updated:issuetype"]),
    ("issuetype_deleted", &["avi:jira:deleted:issuetype"]),
    ("filter_created", &["avi:jira:created:filter"]),
    ("filter_updated", &["avi:jira:updated:filter"]),
    ("filter_deleted", &["avi:jira:deleted:filter"]),
    ("issue_property_set", &["avi:jira:set:issue-property"]),
    ("issue_property_deleted", &["avi:jira:deleted:issue-property"]),
    ("user_created", &["avi:jira:created:user", "avi:confluence:created:user"]),
    ("user_updated", &["avi:jira:updated:user"]),
    ("user_deleted", &["avi:jira:deleted:user"]),
    ("user_removed", &["avi:confluence:deleted:user"]),
    ("project_created", &["avi:jira:created:project"]),
    ("project_updated", &["avi:jira:updated:project"]),
    ("project_deleted", &["avi:jira:deleted:project"]),
    ("project_soft_deleted", &["avi:jira:softdeleted:project"]),
    ("project_restored_deleted", &["avi:jira:restored:project"]),
    ("project_archived", &["avi:jira:archived:project"]),
    ("project_restored_archived", &["avi:jira:unarchived:project"]),
    ("jira:version_created", &["avi:jira:created:version"]),
    ("jira:version_updated", &["avi:jira:updated:version"]),
    ("jira:version_released", &["avi:jira:released:version"]),
    ("jira:version_unreleased", &["avi:jira:unreleased:version"]),
    ("jira:version_moved", &["avi:jira:moved:version"]),
    ("jira:version_merged", &["avi:jira:merged:version"]),
    ("jira:version_deleted", &["avi:jira:deleted:version", "avi:jira:merged:version"]),
    ("option_voting_changed", &["avi:jira:changed:configuration"]),
    ("option_watching_changed", &["avi:jira:changed:configuration"]),
    ("option_unassigned_issues_changed", &["avi:jira:changed:configuration"]),
    ("option_subtasks_changed", &["avi:jira:changed:configuration"]),
    ("option_issuelinks_changed", &["avi:jira:changed:configuration"]),
    ("option_timetracking_provider_changed", &["avi:jira:timetracking:provider:changed"]),
    ("sprint_created", &["avi:jira-software:created:sprint"]),
    ("sprint_updated", &["avi:jira-software:updated:sprint"]),
    ("sprint_started", &["avi:jira-software:started:sprint"]),
    ("sprint_closed", &["avi:jira-software:closed:sprint"]),
    ("sprint_deleted", &["avi:jira-software:deleted:sprint"]),
    ("board_created", &["avi:jira-software:created:board"]),
    ("board_updated", &["avi:jira-software:updated:board"]),
    ("board_deleted", &["avi:jira-software:deleted:board"]),
    ("board_configuration_changed", &["avi:jira-software:configuration-changed:board"]),
    ("jira_expression_evaluation_failed", &["avi:jira:failed:expression"]),
    (
        "app_access_to_objects_blocked",
        &["avi:ecosystem.app_policy:blocked:app_access_to_objects.v2"],
    ),
    (
        "app_access_to_objects_in_container_blocked",
        &["avi:ecosystem.app_policy:blocked:app_access_to_objects_in_container.v2"],
    ),
    ("page_archived", &["avi:confluence:archived:page"]),
    ("page_children_reordered", &["avi:confluence:children_reordered:page"]),
    ("page_copied", &["avi:confluence:copied:page"]),
    ("page_created", &["avi:confluence:created:page"]),
    ("page_initialized", &["avi:confluence:initialized:page"]),
    ("page_moved", &["avi:confluence:moved:page"]),
    ("page_published", &["avi:confluence:published:page"]),
    ("page_restored", &["avi:confluence:restored:page"]),
    ("page_snapshotted", &["avi:confluence:snapshotted:page"]),
    ("page_started", &["avi:confluence:started:page"]),
    ("page_trashed", &["avi:confluence:trashed:page"]),
    ("page_unarchived", &["avi:confluence:unarchived:page"]),
    ("page_updated", &["avi:confluence:updated:page"]),
    ("page_viewed", &["avi:confluence:viewed:page"]),
    ("page_removed", &["avi:confluence:deleted:page"]),
    ("blog_created", &["avi:confluence:created:blogpost"]),
    ("blog_restored", &["avi:confluence:restored:blogpost"]),
    ("blog_trashed", &["avi:confluence:trashed:blogpost"]),
    ("blog_updated", &["avi:confluence:updated:blogpost"]),
    ("blog_viewed", &["avi:confluence:viewed:blogpost"]),
    ("blog_removed", &["avi:confluence:deleted:blogpost"]),
    ("content_created", &["avi:confluence:created:custom_content"]),
    ("content_restored", &["avi:confluence:restored:custom_content"]),
    ("content_trashed", &["avi:confluence:trashed:custom_content"]),
    ("content_updated", &["avi:confluence:updated:custom_content"]),
    ("content_permissions_updated", &["avi:confluence:permissions_updated:custom_content"]),
    ("content_removed", &["avi:confluence:deleted:custom_content"]),
    ("label_added", &["avi:confluence:added:label"]),
    ("label_created", &["avi:confluence:created:label"]),
    ("label_deleted", &["avi:confluence:deleted:label"]),
    ("label_removed", &["avi:confluence:removed:label"]),
    ("relation_created", &["avi:confluence:created:relation"]),
    ("relation_deleted", &["avi:confluence:deleted:relation"]),
    ("group_created", &["avi:confluence:created:group"]),
    ("group_removed", &["avi:confluence:deleted:group"]),
    ("search_performed", &["avi:confluence:performed:search"]),
    ("space_created", &["avi:confluence:created:space:V2"]),
    ("space_updated", &["avi:confluence:updated:space:V2"]),
    ("space_permissions_updated", &["avi:confluence:permissions_updated:space:V2"]),
    ("space_removed", &["avi:confluence:deleted:space:V2"]),
];

/// What Forge sends where a Connect app gets an event. Empty if it sends nothing.
pub fn counterparts(connect: &str) -> &'static [&'static str] {
    let found = COUNTERPARTS.iter().find(|(event, _)| *event == connect);
    found.map_or(&[], |(_, forge)| forge)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use atlassian_connect::event::EventName;

    use super::*;
    use crate::event::EventSpec;

    #[test]
    fn names_only_events_that_both_tables_have() {
        let mut seen = BTreeSet::new();
        for (connect, forge) in COUNTERPARTS {
            assert!(EventName::from(*connect).is_known(), "{connect}");
            assert!(seen.insert(connect), "{connect} is there twice");
            assert!(!forge.is_empty(), "{connect}");
            for event in *forge {
                assert!(EventSpec::find(event).is_some(), "{connect}: {event}");
            }
        }
        assert_eq!(counterparts("jira:issue_created"), ["avi:jira:created:issue"]);
        assert!(counterparts("theme_enabled").is_empty());
    }
}
