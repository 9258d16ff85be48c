//! Boards and sprints.

use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;
use crate::event::string_enum::string_enum;

object! {
    /// A sprint.
    ///
    /// Jira Software Cloud REST API, "Sprint".
    pub struct Sprint {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The state.
        "state" => state: Option<SprintState>,
        /// The start date.
        "startDate" => start_date: Option<Moment>,
        /// The planned end date.
        "endDate" => end_date: Option<Moment>,
        /// The actual end date.
        "completeDate" => complete_date: Option<Moment>,
        /// The board that it was created on.
        "originBoardId" => origin_board_id: Option<Id>,
        /// The goal.
        "goal" => goal: Option<String>,
        /// The URL in the REST API. Absent after deletion.
        "self" => self_url: Option<String>,
    }
}

string_enum! {
    /// The state of a sprint.
    pub enum SprintState {
        "active" => Active,
        "closed" => Closed,
        "future" => Future,
    }
}

object! {
    /// A board.
    ///
    /// Jira Software Cloud REST API, "Board".
    pub struct Board {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The type of board.
        "type" => kind: Option<BoardType>,
        /// The URL in the REST API. Absent after deletion.
        "self" => self_url: Option<String>,
    }
}

string_enum! {
    /// The type of board.
    pub enum BoardType {
        "kanban" => Kanban,
        "scrum" => Scrum,
        "simple" => Simple,
    }
}

object! {
    /// The configuration of a board.
    ///
    /// Jira Software Cloud REST API, "Get configuration" of a board.
    pub struct BoardConfiguration {
        /// The identifier of the board.
        "id" => id: Option<Id>,
        /// The name.
        "name" => name: Option<String>,
        /// The type of board.
        "type" => kind: Option<BoardType>,
        /// The owner.
        "location" => location: Option<BoardLocation>,
        /// The saved filter that selects its issues.
        "filter" => filter: Option<BoardFilter>,
        /// Its columns.
        "columnConfig" => column_config: Option<BoardColumns>,
        /// The ranking of its issues.
        "ranking" => ranking: Option<Ranking>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The project or user that a board belongs to.
    pub struct BoardLocation {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key of the project.
        "key" => key: Option<String>,
        /// The name.
        "name" => name: Option<String>,
        /// `project` or `user`.
        "type" => kind: Option<String>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The saved filter of a board.
    pub struct BoardFilter {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The columns of a board.
    pub struct BoardColumns {
        /// The columns, from left to right.
        "columns" => columns: Vec<BoardColumn>,
        /// The kind of limit: `none`, `issueCount` or `issueCountExclSubs`.
        "constraintType" => constraint_type: Option<String>,
    }
}

object! {
    /// A column of a board.
    pub struct BoardColumn {
        /// The name.
        "name" => name: Option<String>,
        /// The statuses of the issues in it.
        "statuses" => statuses: Vec<BoardStatus>,
    }
}

object! {
    /// A status in a column.
    pub struct BoardStatus {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The URL in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The ranking of the issues of a board.
    pub struct Ranking {
        /// The number of the custom field that holds the rank.
        "rankCustomFieldId" => rank_custom_field_id: Option<Id>,
    }
}
