//! Projects and what they are divided into.

use super::user::{AvatarUrls, User};
use crate::event::Id;
use crate::event::moment::Day;
use crate::event::object::object;
use crate::event::vocabulary::vocabulary;

object! {
    /// A project.
    ///
    /// Jira Cloud platform REST API, "Projects". An issue names fewer of these fields than an event of
    /// the project itself.
    pub struct Project {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key, as in `DEMO-42`. It can change.
        "key" => key: Option<String>,
        /// What it is called.
        "name" => name: Option<String>,
        /// What it is for.
        "projectTypeKey" => project_type_key: Option<ProjectType>,
        /// Whether a team manages it, and not an administrator.
        "simplified" => simplified: Option<bool>,
        /// What it belongs to.
        "projectCategory" => project_category: Option<ProjectCategory>,
        /// Whoever leads it; in events of the project only.
        "projectLead" => project_lead: Option<User>,
        /// Who gets a new issue; in events of the project only.
        "assigneeType" => assignee_type: Option<AssigneeType>,
        /// Pictures.
        "avatarUrls" => avatar_urls: Option<AvatarUrls>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A group of projects.
    pub struct ProjectCategory {
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

object! {
    /// A part of a project.
    pub struct Component {
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
    /// A version of a project.
    ///
    /// Jira Cloud platform REST API, "Project versions".
    pub struct Version {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// What it is, in words.
        "description" => description: Option<String>,
        /// The project.
        "projectId" => project_id: Option<Id>,
        /// Whether it is no longer offered.
        "archived" => archived: Option<bool>,
        /// Whether it is out.
        "released" => released: Option<bool>,
        /// Whether it should be out by now.
        "overdue" => overdue: Option<bool>,
        /// When work on it begins.
        "startDate" => start_date: Option<Day>,
        /// When it is to come out.
        "releaseDate" => release_date: Option<Day>,
        /// When work on it begins, as the site writes dates.
        "userStartDate" => user_start_date: Option<String>,
        /// When it is to come out, as the site writes dates.
        "userReleaseDate" => user_release_date: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}
