//! The events that Forge can send.
//!
//! The names are those of Atlassian's documentation, "Events reference", of 22 August 2026, and of
//! the list of scopes in Forge's own tool (`@forge/manifest` 13.7.0). The tool checks the scopes of
//! the events in its list, and takes any other name. The two agree on 139 of 184 names.

use super::{EventSpec, Product, Scopes, Source};

/// Makes the table from groups: product, family and payload type, the scopes, and the source and
/// name of each event.
macro_rules! table {
    ($($Product:ident $family:literal $payload:path, $scopes:expr => {
        $($Source:ident $name:literal;)+
    })+) => {
        /// The events that are known. Any other name passes as well.
        pub const TABLE: &[EventSpec] = &[$($(EventSpec {
            name: $name,
            product: Product::$Product,
            family: $family,
            source: Source::$Source,
            scopes: $scopes,
            payload: stringify!($payload),
        },)+)+];
    };
}

table! {
    Jira "attachment" jira::AttachmentEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:attachment:jira"] } => {
        Both "avi:jira:created:attachment";
        Both "avi:jira:deleted:attachment";
    }
    Jira "comment" jira::CommentEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:issue:jira", "read:issue-type:jira", "read:user:jira", "read:project:jira", "read:status:jira", "read:comment:jira"] } => {
        Both "avi:jira:commented:issue";
        Both "avi:jira:deleted:comment";
        Both "avi:jira:mentioned:comment";
    }
    Jira "component" OtherEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:project:jira", "read:user:jira"] } => {
        Both "avi:jira:created:component";
        Both "avi:jira:updated:component";
    }
    Jira "component" OtherEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:project:jira", "read:user:jira", "read:project.component:jira"] } => {
        Both "avi:jira:deleted:component";
    }
    Jira "configuration" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:instance-configuration:jira"] } => {
        Both "avi:jira:changed:configuration";
    }
    Jira "expression" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:workflow:jira", "read:issue:jira", "read:project:jira"] } => {
        Both "avi:jira:failed:expression";
    }
    Jira "field" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:field:jira"] } => {
        Both "avi:jira:created:field";
        Both "avi:jira:deleted:field";
        Both "avi:jira:restored:field";
        Both "avi:jira:trashed:field";
        Both "avi:jira:updated:field";
    }
    Jira "field context" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:field:jira"] } => {
        Both "avi:jira:created:field:context";
        Both "avi:jira:deleted:field:context";
        Both "avi:jira:updated:field:context";
    }
    Jira "field context configuration" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:custom-field-contextual-configuration:jira"] } => {
        Both "avi:jira:updated:field:context:configuration";
    }
    Jira "filter" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:filter:jira", "read:jql:jira"] } => {
        Both "avi:jira:created:filter";
        Both "avi:jira:deleted:filter";
        Both "avi:jira:updated:filter";
    }
    Jira "issue" jira::IssueEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:issue:jira", "read:issue-type:jira", "read:user:jira", "read:project:jira", "read:status:jira"] } => {
        Both "avi:jira:assigned:issue";
        Both "avi:jira:created:issue";
        Both "avi:jira:deleted:issue";
        Both "avi:jira:mentioned:issue";
        Both "avi:jira:updated:issue";
        Both "avi:jira:viewed:issue";
    }
    Jira "issue link" jira::IssueLinkEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:field:jira", "read:issue-link-type:jira", "read:issue:jira", "read:issue-type:jira", "read:priority:jira", "read:status:jira", "read:avatar:jira", "read:issue.time-tracking:jira", "read:project-category:jira", "read:project:jira", "read:user:jira"] } => {
        Both "avi:jira:created:issuelink";
        Both "avi:jira:deleted:issuelink";
    }
    Jira "issue property" OtherEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:issue.property:jira"] } => {
        Tool "avi:jira:deleted:issue-property";
        Tool "avi:jira:set:issue-property";
    }
    Jira "issue type" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:issue-type:jira"] } => {
        Both "avi:jira:created:issuetype";
        Both "avi:jira:deleted:issuetype";
        Both "avi:jira:updated:issuetype";
    }
    Jira "project" jira::ProjectEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:project:jira"] } => {
        Both "avi:jira:archived:project";
        Both "avi:jira:created:project";
        Both "avi:jira:deleted:project";
        Both "avi:jira:restored:project";
        Both "avi:jira:softdeleted:project";
        Both "avi:jira:unarchived:project";
        Both "avi:jira:updated:project";
    }
    Jira "time tracking provider" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:issue.time-tracking:jira"] } => {
        Both "avi:jira:timetracking:provider:changed";
    }
    Jira "user" OtherEvent, Scopes::AnyOf { classic: &["read:jira-user"], granular: &["read:application-role:jira", "read:group:jira", "read:user:jira", "read:avatar:jira"] } => {
        Both "avi:jira:created:user";
        Both "avi:jira:deleted:user";
        Both "avi:jira:updated:user";
    }
    Jira "version" jira::VersionEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:project-version:jira"] } => {
        Both "avi:jira:archived:version";
        Both "avi:jira:created:version";
        Both "avi:jira:deleted:version";
        Both "avi:jira:merged:version";
        Both "avi:jira:moved:version";
        Both "avi:jira:released:version";
        Both "avi:jira:unarchived:version";
        Both "avi:jira:unreleased:version";
        Both "avi:jira:updated:version";
    }
    Jira "worklog" jira::WorklogEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:issue-worklog.property:jira", "read:issue-worklog:jira", "read:project-role:jira", "read:comment:jira", "read:avatar:jira", "read:group:jira", "read:user:jira"] } => {
        Both "avi:jira:created:worklog";
        Both "avi:jira:deleted:worklog";
        Both "avi:jira:updated:worklog";
    }

    JiraSoftware "board" OtherEvent, Scopes::AnyOf { classic: &["read:jira-work", "read:jira-user"], granular: &["read:board-scope.admin:jira-software", "read:project:jira", "read:user:jira"] } => {
        Both "avi:jira-software:configuration-changed:board";
    }
    JiraSoftware "board" jira::BoardEvent, Scopes::AnyOf { classic: &["read:jira-work", "read:jira-user"], granular: &["read:board-scope:jira-software", "read:issue-details:jira", "read:project:jira", "read:user:jira"] } => {
        Both "avi:jira-software:created:board";
        Both "avi:jira-software:deleted:board";
        Both "avi:jira-software:updated:board";
    }
    JiraSoftware "sprint" jira::SprintEvent, Scopes::AnyOf { classic: &["read:jira-work"], granular: &["read:sprint:jira-software"] } => {
        Both "avi:jira-software:closed:sprint";
        Both "avi:jira-software:created:sprint";
        Both "avi:jira-software:deleted:sprint";
        Both "avi:jira-software:started:sprint";
        Both "avi:jira-software:updated:sprint";
    }

    JiraServiceManagement "portal" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:servicedesk:jira-service-management"] } => {
        Tool "avi:jsm-entity:created:portal";
        Tool "avi:jsm-entity:updated:portal";
    }
    JiraServiceManagement "request type" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:requesttype:jira-service-management"] } => {
        Both "avi:jsm-entity:created:request-type";
        Both "avi:jsm-entity:deleted:request-type";
        Both "avi:jsm-entity:updated:request-type";
    }
    JiraServiceManagement "request type group" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:requesttype:jira-service-management"] } => {
        Tool "avi:jsm-entity:created:request-type-group";
        Tool "avi:jsm-entity:deleted:request-type-group";
        Tool "avi:jsm-entity:updated:request-type-group";
    }
    JiraServiceManagement "service desk" OtherEvent, Scopes::AnyOf { classic: &["manage:jira-configuration"], granular: &["read:servicedesk:jira-service-management"] } => {
        Tool "avi:jsm-entity:created:service-desk";
        Tool "avi:jsm-entity:deleted:service-desk";
        Tool "avi:jsm-entity:updated:service-desk";
    }

    Confluence "attachment" OtherEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:attachment:confluence", "read:page:confluence", "read:blogpost:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:archived:attachment";
        Both "avi:confluence:created:attachment";
        Both "avi:confluence:deleted:attachment";
        Both "avi:confluence:restored:attachment";
        Both "avi:confluence:trashed:attachment";
        Both "avi:confluence:unarchived:attachment";
        Both "avi:confluence:updated:attachment";
        Both "avi:confluence:viewed:attachment";
    }
    Confluence "attachment" OtherEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:attachment:confluence", "read:page:confluence", "read:blogpost:confluence", "read:comment:confluence", "read:custom-content:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Tool "avi:confluence:permissions_updated:attachment";
    }
    Confluence "blog post" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:blogpost:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:created:blogpost";
        Both "avi:confluence:liked:blogpost";
        Both "avi:confluence:permissions_updated:blogpost";
        Both "avi:confluence:restored:blogpost";
        Both "avi:confluence:updated:blogpost";
        Both "avi:confluence:viewed:blogpost";
    }
    Confluence "blog post" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary", "write:confluence-content"], granular: &["read:blogpost:confluence", "write:blogpost:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:deleted:blogpost";
        Both "avi:confluence:trashed:blogpost";
    }
    Confluence "comment" confluence::CommentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:comment:confluence", "read:page:confluence", "read:blogpost:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:created:comment";
        Both "avi:confluence:deleted:comment";
        Both "avi:confluence:liked:comment";
        Both "avi:confluence:updated:comment";
    }
    Confluence "comment" confluence::CommentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:comment:confluence", "read:page:confluence", "read:blogpost:confluence", "read:custom-content:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Tool "avi:confluence:permissions_updated:comment";
    }
    Confluence "custom content" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:custom-content:confluence", "read:space:confluence", "read:blogpost:confluence", "read:page:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:created:custom_content";
        Both "avi:confluence:deleted:custom_content";
        Both "avi:confluence:permissions_updated:custom_content";
        Both "avi:confluence:restored:custom_content";
        Both "avi:confluence:trashed:custom_content";
        Both "avi:confluence:updated:custom_content";
    }
    Confluence "database" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &[] } => {
        Documentation "avi:confluence:copied:database";
        Documentation "avi:confluence:created:database";
        Documentation "avi:confluence:moved:database";
    }
    Confluence "database" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:database:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:permissions_updated:database";
    }
    Confluence "embed" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &[] } => {
        Documentation "avi:confluence:copied:embed";
        Documentation "avi:confluence:created:embed";
        Documentation "avi:confluence:moved:embed";
    }
    Confluence "embed" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:embed:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Tool "avi:confluence:permissions_updated:embed";
    }
    Confluence "folder" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &[] } => {
        Documentation "avi:confluence:copied:folder";
        Documentation "avi:confluence:created:folder";
        Documentation "avi:confluence:moved:folder";
    }
    Confluence "folder" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:folder:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:permissions_updated:folder";
    }
    Confluence "group" OtherEvent, Scopes::AnyOf { classic: &["read:confluence-groups"], granular: &["read:group:confluence"] } => {
        Both "avi:confluence:created:group";
        Both "avi:confluence:deleted:group";
    }
    Confluence "label" confluence::LabelEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary", "read:confluence-space.summary"], granular: &[] } => {
        Documentation "avi:confluence:added:label";
        Documentation "avi:confluence:created:label";
        Documentation "avi:confluence:deleted:label";
        Documentation "avi:confluence:removed:label";
    }
    Confluence "page" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:page:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:archived:page";
        Both "avi:confluence:children_reordered:page";
        Both "avi:confluence:copied:page";
        Both "avi:confluence:created:page";
        Both "avi:confluence:liked:page";
        Both "avi:confluence:moved:page";
        Both "avi:confluence:permissions_updated:page";
        Both "avi:confluence:restored:page";
        Both "avi:confluence:snapshotted:page";
        Both "avi:confluence:started:page";
        Both "avi:confluence:unarchived:page";
        Both "avi:confluence:updated:page";
        Both "avi:confluence:viewed:page";
    }
    Confluence "page" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary", "write:confluence-content"], granular: &["read:page:confluence", "write:page:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:deleted:page";
        Both "avi:confluence:trashed:page";
    }
    Confluence "page" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &[] } => {
        Documentation "avi:confluence:initialized:page";
        Documentation "avi:confluence:published:page";
    }
    Confluence "relation" OtherEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary", "read:confluence-space.summary", "read:confluence-user"], granular: &["read:page:confluence", "read:blogpost:confluence", "read:attachment:confluence", "read:custom-content:confluence", "read:database:confluence", "read:embed:confluence", "read:folder:confluence", "read:whiteboard:confluence", "read:content-details:confluence", "read:space:confluence", "read:user:confluence"] } => {
        Both "avi:confluence:created:relation";
        Both "avi:confluence:deleted:relation";
    }
    Confluence "search" OtherEvent, Scopes::Unknown => {
        Documentation "avi:confluence:performed:search";
    }
    Confluence "space" confluence::SpaceEvent, Scopes::AnyOf { classic: &["read:confluence-space.summary"], granular: &["read:space:confluence"] } => {
        Both "avi:confluence:created:space:V2";
        Both "avi:confluence:updated:space:V2";
    }
    Confluence "space" confluence::SpaceEvent, Scopes::AnyOf { classic: &["read:confluence-space.summary", "write:confluence-space"], granular: &["read:space:confluence", "write:space:confluence"] } => {
        Both "avi:confluence:deleted:space:V2";
    }
    Confluence "space" confluence::SpaceEvent, Scopes::AnyOf { classic: &["read:confluence-space.summary", "write:confluence-space"], granular: &[] } => {
        Documentation "avi:confluence:permissions_updated:space:V2";
    }
    Confluence "task" OtherEvent, Scopes::AnyOf { classic: &["read:confluence-content.all"], granular: &["read:inlinetask:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:created:task";
        Both "avi:confluence:removed:task";
        Both "avi:confluence:updated:task";
    }
    Confluence "user" OtherEvent, Scopes::AnyOf { classic: &["read:confluence-user"], granular: &["read:user:confluence"] } => {
        Both "avi:confluence:created:user";
        Both "avi:confluence:deleted:user";
    }
    Confluence "whiteboard" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &[] } => {
        Documentation "avi:confluence:copied:whiteboard";
        Documentation "avi:confluence:created:whiteboard";
        Documentation "avi:confluence:moved:whiteboard";
    }
    Confluence "whiteboard" confluence::ContentEvent, Scopes::AnyOf { classic: &["read:confluence-content.summary"], granular: &["read:whiteboard:confluence", "read:space:confluence", "read:user:confluence", "read:content.metadata:confluence"] } => {
        Both "avi:confluence:permissions_updated:whiteboard";
    }

    Bitbucket "build status" OtherEvent, Scopes::AnyOf { classic: &["read:repository:bitbucket"], granular: &[] } => {
        Documentation "avi:bitbucket:created:build-status";
        Documentation "avi:bitbucket:updated:build-status";
    }
    Bitbucket "commit comment" OtherEvent, Scopes::AnyOf { classic: &["read:repository:bitbucket"], granular: &[] } => {
        Documentation "avi:bitbucket:created:commit-comment";
    }
    Bitbucket "deployment" OtherEvent, Scopes::AnyOf { classic: &["read:pipeline:bitbucket"], granular: &[] } => {
        Both "avi:bitbucket:completed:deployment";
        Both "avi:bitbucket:pending:deployment";
        Both "avi:bitbucket:started:deployment";
    }
    Bitbucket "pull request" OtherEvent, Scopes::AnyOf { classic: &["read:pullrequest:bitbucket"], granular: &[] } => {
        Both "avi:bitbucket:created:pullrequest";
        Both "avi:bitbucket:fulfilled:pullrequest";
        Both "avi:bitbucket:rejected:pullrequest";
        Both "avi:bitbucket:updated:pullrequest";
    }
    Bitbucket "pull request comment" OtherEvent, Scopes::AnyOf { classic: &["read:pullrequest:bitbucket"], granular: &[] } => {
        Both "avi:bitbucket:created:pullrequest-comment";
        Both "avi:bitbucket:deleted:pullrequest-comment";
        Documentation "avi:bitbucket:reopened:pullrequest-comment";
        Documentation "avi:bitbucket:resolved:pullrequest-comment";
        Both "avi:bitbucket:updated:pullrequest-comment";
    }
    Bitbucket "pull request reviewer status" OtherEvent, Scopes::AnyOf { classic: &["read:pullrequest:bitbucket"], granular: &[] } => {
        Both "avi:bitbucket:updated:pullrequest-reviewer-status";
    }
    Bitbucket "repository" OtherEvent, Scopes::AnyOf { classic: &["read:repository:bitbucket"], granular: &[] } => {
        Both "avi:bitbucket:created:repository";
        Both "avi:bitbucket:deleted:repository";
        Both "avi:bitbucket:push:repository";
        Both "avi:bitbucket:updated:repository";
    }

    Compass "component link" OtherEvent, Scopes::AnyOf { classic: &["read:component:compass"], granular: &[] } => {
        Tool "avi:compass:created:component_link";
        Tool "avi:compass:deleted:component_link";
        Tool "avi:compass:updated:component_link";
    }

    AppPolicy "app access" OtherEvent, Scopes::None => {
        Documentation "avi:ecosystem.app_policy:blocked:app_access_to_objects.v2";
        Documentation "avi:ecosystem.app_policy:blocked:app_access_to_objects_in_container.v2";
    }

    Forge "app" LifecycleEvent, Scopes::None => {
        Documentation "avi:forge:installed:app";
        Documentation "avi:forge:upgraded:app";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn lists_every_name_once() {
        let names: HashSet<_> = TABLE.iter().map(|spec| spec.name).collect();
        assert_eq!((names.len(), TABLE.len()), (184, 184));
        let of = |source| TABLE.iter().filter(|spec| spec.source == source).count();
        assert_eq!((of(Source::Both), of(Source::Documentation), of(Source::Tool)), (139, 29, 16));
        let of = |product| TABLE.iter().filter(|spec| spec.product == product).count();
        let counts = Product::ALL.map(of);
        assert_eq!(counts, [58, 9, 11, 79, 20, 3, 2, 2]);
    }

    #[test]
    fn names_the_product_that_the_name_names() {
        for spec in TABLE {
            let prefix = format!("avi:{}:", spec.product.as_str());
            assert!(spec.name.starts_with(&prefix), "{} is not of {prefix}", spec.name);
        }
    }
}
