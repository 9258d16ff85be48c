//! Message move tasks: what `StartMessageMoveTask` started, and its progress.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
use crate::timestamp::Timestamp;

/// One message move task.
pub(crate) struct MoveTask {
    pub(crate) id: Uuid,
    pub(crate) source_arn: String,
    /// The destination. Without one, each message goes to the queue that it came from.
    pub(crate) destination_arn: Option<String>,
    pub(crate) messages_per_second: Option<u32>,
    pub(crate) started: Timestamp,
    pub(crate) moved: usize,
    /// How many messages could be moved when the task started.
    pub(crate) to_move: usize,
    pub(crate) status: Status,
}

/// `Status` of a message move task, with the reason if it failed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Status {
    Running,
    Completed,
    Cancelled,
    Failed(&'static str),
}

impl Status {
    /// The status as `ListMessageMoveTasks` names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// `TaskHandle`: opaque to clients.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskHandle {
    pub(crate) task_id: Uuid,
    pub(crate) source_arn: String,
}

impl TaskHandle {
    /// The handle as the client sees it.
    pub(crate) fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("a handle has string keys only");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Reads a handle.
    pub(crate) fn decode(handle: &str) -> Result<Self, Error> {
        let json = URL_SAFE_NO_PAD.decode(handle).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| Error::parameter("TaskHandle", "use the one StartMessageMoveTask gave"))
    }
}
