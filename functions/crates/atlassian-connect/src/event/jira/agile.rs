//! Boards and sprints.

use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::object::object;
use crate::event::vocabulary::vocabulary;

object! {
    /// A sprint.
    ///
    /// Jira Software Cloud REST API, "Sprint".
    pub struct Sprint {
        /// The identifier.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// How far it is.
        "state" => state: Option<SprintState>,
        /// When it begins.
        "startDate" => start_date: Option<Moment>,
        /// When it is to end.
        "endDate" => end_date: Option<Moment>,
        /// When it ended.
        "completeDate" => complete_date: Option<Moment>,
        /// The board it was made on.
        "originBoardId" => origin_board_id: Option<Id>,
        /// What it is for.
        "goal" => goal: Option<String>,
        /// The address in the REST API. Absent once it is deleted.
        "self" => self_url: Option<String>,
    }
}

vocabulary! {
    /// How far a sprint is.
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
        /// What it is called.
        "name" => name: Option<String>,
        /// What kind of board it is.
        "type" => kind: Option<BoardType>,
        /// The address in the REST API. Absent once it is deleted.
        "self" => self_url: Option<String>,
    }
}

vocabulary! {
    /// What kind of board it is.
    pub enum BoardType {
        "kanban" => Kanban,
        "scrum" => Scrum,
        "simple" => Simple,
    }
}

object! {
    /// What a board shows.
    ///
    /// Jira Software Cloud REST API, "Get configuration" of a board.
    pub struct BoardConfiguration {
        /// The identifier of the board.
        "id" => id: Option<Id>,
        /// What it is called.
        "name" => name: Option<String>,
        /// What kind of board it is.
        "type" => kind: Option<BoardType>,
        /// Whose it is.
        "location" => location: Option<BoardLocation>,
        /// The saved filter that chooses its issues.
        "filter" => filter: Option<BoardFilter>,
        /// Its columns.
        "columnConfig" => column_config: Option<BoardColumns>,
        /// How its issues are ordered.
        "ranking" => ranking: Option<Ranking>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// Whose a board is.
    pub struct BoardLocation {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The key of the project.
        "key" => key: Option<String>,
        /// What it is called.
        "name" => name: Option<String>,
        /// `project` or `user`.
        "type" => kind: Option<String>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The saved filter of a board.
    pub struct BoardFilter {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// The columns of a board.
    pub struct BoardColumns {
        /// From left to right.
        "columns" => columns: Vec<BoardColumn>,
        /// What is limited: `none`, `issueCount` or `issueCountExclSubs`.
        "constraintType" => constraint_type: Option<String>,
    }
}

object! {
    /// A column of a board.
    pub struct BoardColumn {
        /// What it is called.
        "name" => name: Option<String>,
        /// The issues in it have one of these.
        "statuses" => statuses: Vec<BoardStatus>,
    }
}

object! {
    /// A status in a column.
    pub struct BoardStatus {
        /// The identifier.
        "id" => id: Option<Id>,
        /// The address in the REST API.
        "self" => self_url: Option<String>,
    }
}

object! {
    /// How the issues of a board are ordered.
    pub struct Ranking {
        /// The number of the custom field that holds the rank.
        "rankCustomFieldId" => rank_custom_field_id: Option<Id>,
    }
}
