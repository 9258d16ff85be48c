//! Every event a product can send.
//!
//! The tables below are the only list of events in the project: the names, the products and the
//! checks all come from them. To support a new event, add one line.

mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A product that sends webhooks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// Jira.
    Jira,
    /// Confluence.
    Confluence,
}

impl Product {
    /// The name that Atlassian writes: the `productType` of a lifecycle callback.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jira => "jira",
            Self::Confluence => "confluence",
        }
    }

    /// Reads the `productType` of a lifecycle callback; `None` for a product that is neither.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Jira, Self::Confluence].into_iter().find(|product| product.as_str() == name)
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

table::events! {
    in [Jira, Confluence] {
        "connect_addon_disabled" => ConnectAddonDisabled,
        "connect_addon_enabled" => ConnectAddonEnabled,
        "plugin_enabled" => PluginEnabled,
        "plugins_upgraded" => PluginsUpgraded,
        "remote_plugin_disabled" => RemotePluginDisabled,
        "remote_plugin_enabled" => RemotePluginEnabled,
        "remote_plugin_installed" => RemotePluginInstalled,
        "server_upgraded" => ServerUpgraded,
    }

    in [Jira] {
        "jira-webhook-post-function" => JiraWebhookPostFunction,
        "jira:issue_created" => IssueCreated,
        "jira:issue_deleted" => IssueDeleted,
        "jira:issue_updated" => IssueUpdated,
        "jira:worklog_updated" => JiraWorklogUpdated,
        "remote_issue_link_aggregate_cleared_event" => RemoteIssueLinkAggregateCleared,
        "remote_workflow_post_function" => RemoteWorkflowPostFunction,
    }

    in [Confluence] {
        "attachment_created" => AttachmentCreated,
        "attachment_removed" => AttachmentRemoved,
        "attachment_updated" => AttachmentUpdated,
        "attachment_viewed" => AttachmentViewed,
        "blog_created" => BlogCreated,
        "blog_removed" => BlogRemoved,
        "blog_restored" => BlogRestored,
        "blog_trashed" => BlogTrashed,
        "blog_updated" => BlogUpdated,
        "blog_viewed" => BlogViewed,
        "cache_statistics_changed" => CacheStatisticsChanged,
        "comment_created" => CommentCreated,
        "comment_removed" => CommentRemoved,
        "comment_updated" => CommentUpdated,
        "group_created" => GroupCreated,
        "group_removed" => GroupRemoved,
        "label_added" => LabelAdded,
        "label_created" => LabelCreated,
        "label_deleted" => LabelDeleted,
        "label_removed" => LabelRemoved,
        "login" => Login,
        "login_failed" => LoginFailed,
        "logout" => Logout,
        "page_children_reordered" => PageChildrenReordered,
        "page_created" => PageCreated,
        "page_moved" => PageMoved,
        "page_removed" => PageRemoved,
        "page_restored" => PageRestored,
        "page_trashed" => PageTrashed,
        "page_updated" => PageUpdated,
        "page_viewed" => PageViewed,
        "search_performed" => SearchPerformed,
        "space_created" => SpaceCreated,
        "space_logo_updated" => SpaceLogoUpdated,
        "space_permissions_updated" => SpacePermissionsUpdated,
        "space_removed" => SpaceRemoved,
        "space_updated" => SpaceUpdated,
        "status_cleared" => StatusCleared,
        "status_created" => StatusCreated,
        "status_removed" => StatusRemoved,
        "user_created" => UserCreated,
        "user_deactivated" => UserDeactivated,
        "user_followed" => UserFollowed,
        "user_reactivated" => UserReactivated,
        "user_removed" => UserRemoved,
    }
}

impl EventName {
    /// Whether this product may send the event. An unknown event may come from any product.
    pub fn may_come_from(&self, product: Product) -> bool {
        self.products().is_empty() || self.products().contains(&product)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for EventName {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_events_that_the_documentation_lists() {
        let of = |product| EventName::ALL.iter().filter(move |e| e.products().contains(&product));
        assert_eq!(EventName::ALL.len(), 60);
        assert_eq!(of(Product::Jira).count(), 15);
        assert_eq!(of(Product::Confluence).count(), 53);
    }

    #[test]
    fn keeps_a_name_that_nobody_knows() {
        let name = EventName::from("jira:issue_teleported");
        assert_eq!(name.as_str(), "jira:issue_teleported");
        assert!(!name.is_known());
        assert!(name.may_come_from(Product::Jira) && name.may_come_from(Product::Confluence));
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<EventName>(&json).unwrap(), name);
    }
}
