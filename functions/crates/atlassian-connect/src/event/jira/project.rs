//! Projects, components and versions.

use super::user::{AvatarUrls, User};
use crate::event::Id;
use crate::event::moment::Day;
use crate::event::object::object;
use crate::event::string_enum::string_enum;

object! {
    /// A project.
    ///
    /// Jira Cloud platform REST API, "Projects". An issue names fewer of these fields than an event
    /// of the project itself.
    pub struct Project {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key, as in `DEMO-42`. It can change.
        "key" => key: Option<String>,
        /// The name.
        "name" => name: Option<String>,
        /// The project type.
        "projectTypeKey" => project_type_key: Option<ProjectType>,
        /// Whether it is a team-managed project.
        "simplified" => simplified: Option<bool>,
        /// The project category.
        "projectCategory" => project_category: Option<ProjectCategory>,
        /// The project lead. Only in events of the project.
        "projectLead" => project_lead: Option<User>,
        /// The default assignee. Only in events of the project.
        "assigneeType" => assignee_type: Option<AssigneeType>,
        /// The avatars.
        "avatarUrls" => avatar_urls: Option<AvatarUrls>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// A project category.
    pub struct ProjectCategory {
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

string_enum! {
    /// The type of a project.
    pub enum ProjectType {
        "business" => Business,
        "product_discovery" => ProductDiscovery,
        "service_desk" => ServiceDesk,
        "software" => Software,
    }
}

string_enum! {
    /// The default assignee of a project.
    pub enum AssigneeType {
        "admin.assignee.type.project.lead" => ProjectLead,
        "admin.assignee.type.unassigned" => Unassigned,
    }
}

object! {
    /// A component of a project.
    pub struct Component {
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
    /// A version of a project.
    ///
    /// Jira Cloud platform REST API, "Project versions".
    pub struct Version {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The description.
        "description" => description: Option<String>,
        /// The project.
        "projectId" => project_id: Option<Id>,
        /// Whether it is archived.
        "archived" => archived: Option<bool>,
        /// Whether it is released.
        "released" => released: Option<bool>,
        /// Whether its release date has passed.
        "overdue" => overdue: Option<bool>,
        /// The start date.
        "startDate" => start_date: Option<Day>,
        /// The release date.
        "releaseDate" => release_date: Option<Day>,
        /// The start date, in the site's format.
        "userStartDate" => user_start_date: Option<String>,
        /// The release date, in the site's format.
        "userReleaseDate" => user_release_date: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}
