//! Projects and what they are divided into.

use serde::Deserialize;

use super::user::{AvatarUrls, User};
use crate::event::Id;
use crate::event::moment::Day;
use crate::event::vocabulary::vocabulary;

/// A project.
///
/// Jira Cloud platform REST API, "Projects". An issue names fewer of these fields than an event of
/// the project itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Project {
    /// The identifier.
    pub id: Id,
    /// The key, as in `DEMO-42`. It can change.
    pub key: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// What it is for.
    pub project_type_key: Option<ProjectType>,
    /// Whether a team manages it, and not an administrator.
    pub simplified: Option<bool>,
    /// What it belongs to.
    pub project_category: Option<ProjectCategory>,
    /// Whoever leads it; in events of the project only.
    pub project_lead: Option<User>,
    /// Who gets a new issue; in events of the project only.
    pub assignee_type: Option<AssigneeType>,
    /// Pictures.
    pub avatar_urls: Option<AvatarUrls>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// A group of projects.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ProjectCategory {
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

vocabulary! {
    /// What a project is for.
    pub enum ProjectType {
        "business" => Business,
        "product_discovery" => ProductDiscovery,
        "service_desk" => ServiceDesk,
        "software" => Software,
    }
}

vocabulary! {
    /// Who gets a new issue of a project.
    pub enum AssigneeType {
        "admin.assignee.type.project.lead" => ProjectLead,
        "admin.assignee.type.unassigned" => Unassigned,
    }
}

/// A part of a project.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Component {
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

/// A version of a project.
///
/// Jira Cloud platform REST API, "Project versions".
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Version {
    /// The identifier.
    pub id: Id,
    /// What it is called.
    pub name: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// The project.
    pub project_id: Option<Id>,
    /// Whether it is no longer offered.
    pub archived: Option<bool>,
    /// Whether it is out.
    pub released: Option<bool>,
    /// Whether it should be out by now.
    pub overdue: Option<bool>,
    /// When work on it begins.
    pub start_date: Option<Day>,
    /// When it is to come out.
    pub release_date: Option<Day>,
    /// When work on it begins, as the site writes dates.
    pub user_start_date: Option<String>,
    /// When it is to come out, as the site writes dates.
    pub user_release_date: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}
