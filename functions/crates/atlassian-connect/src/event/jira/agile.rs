//! Boards and sprints.

use serde::Deserialize;

use crate::event::Id;
use crate::event::moment::Moment;
use crate::event::vocabulary::vocabulary;

/// A sprint.
///
/// Jira Software Cloud REST API, "Sprint".
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Sprint {
    /// The identifier.
    pub id: Id,
    /// What it is called.
    pub name: Option<String>,
    /// How far it is.
    pub state: Option<SprintState>,
    /// When it begins.
    pub start_date: Option<Moment>,
    /// When it is to end.
    pub end_date: Option<Moment>,
    /// When it ended.
    pub complete_date: Option<Moment>,
    /// The board it was made on.
    pub origin_board_id: Option<Id>,
    /// What it is for.
    pub goal: Option<String>,
    /// The address in the REST API. Absent once it is deleted.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

vocabulary! {
    /// How far a sprint is.
    pub enum SprintState {
        "active" => Active,
        "closed" => Closed,
        "future" => Future,
    }
}

/// A board.
///
/// Jira Software Cloud REST API, "Board".
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Board {
    /// The identifier.
    pub id: Id,
    /// What it is called.
    pub name: Option<String>,
    /// What kind of board it is.
    #[serde(rename = "type")]
    pub kind: Option<BoardType>,
    /// The address in the REST API. Absent once it is deleted.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

vocabulary! {
    /// What kind of board it is.
    pub enum BoardType {
        "kanban" => Kanban,
        "scrum" => Scrum,
        "simple" => Simple,
    }
}

/// What a board shows.
///
/// Jira Software Cloud REST API, "Get configuration" of a board.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BoardConfiguration {
    /// The identifier of the board.
    pub id: Id,
    /// What it is called.
    pub name: Option<String>,
    /// What kind of board it is.
    #[serde(rename = "type")]
    pub kind: Option<BoardType>,
    /// Whose it is.
    pub location: Option<BoardLocation>,
    /// The saved filter that chooses its issues.
    pub filter: Option<BoardFilter>,
    /// Its columns.
    pub column_config: Option<BoardColumns>,
    /// How its issues are ordered.
    pub ranking: Option<Ranking>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// Whose a board is.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct BoardLocation {
    /// The identifier.
    pub id: Option<Id>,
    /// The key of the project.
    pub key: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// `project` or `user`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// The saved filter of a board.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct BoardFilter {
    /// The identifier.
    pub id: Option<Id>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// The columns of a board.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BoardColumns {
    /// From left to right.
    #[serde(default)]
    pub columns: Vec<BoardColumn>,
    /// What is limited: `none`, `issueCount` or `issueCountExclSubs`.
    pub constraint_type: Option<String>,
}

/// A column of a board.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct BoardColumn {
    /// What it is called.
    pub name: Option<String>,
    /// The issues in it have one of these.
    #[serde(default)]
    pub statuses: Vec<BoardStatus>,
}

/// A status in a column.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct BoardStatus {
    /// The identifier.
    pub id: Option<Id>,
    /// The address in the REST API.
    #[serde(rename = "self")]
    pub self_url: Option<String>,
}

/// How the issues of a board are ordered.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ranking {
    /// The number of the custom field that holds the rank.
    pub rank_custom_field_id: Option<Id>,
}
