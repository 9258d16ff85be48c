//! Actions on message move tasks.

use serde::{Deserialize, Serialize};

use super::{Action, RequestContext, required};
use crate::error::Error;
use crate::message::within;
use crate::move_task::{MoveTask, Status, TaskHandle};
use crate::queues::Queues;
use crate::timestamp::Timestamp;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartMessageMoveTask {
    #[serde(default)]
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartedMoveTask {
    task_handle: String,
}

impl From<&MoveTask> for StartedMoveTask {
    fn from(task: &MoveTask) -> Self {
        Self { task_handle: handle(task) }
    }
}

impl StartMessageMoveTask {
    /// Makes the task; moving the messages is left to the caller.
    pub(crate) fn start(self, queues: &mut Queues, now: Timestamp) -> Result<&MoveTask, Error> {
        let rate = self
            .max_number_of_messages_per_second
            .map(|rate| within("MaxNumberOfMessagesPerSecond", rate, 1, 500));
        let source = required("SourceArn", &self.source_arn)?;
        queues.start_move(source, self.destination_arn, rate.transpose()?, now)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMessageMoveTasks {
    #[serde(default)]
    source_arn: String,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MoveTasks {
    results: Vec<MoveTaskEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MoveTaskEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: usize,
    approximate_number_of_messages_to_move: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    started_timestamp: u64,
}

impl From<&MoveTask> for MoveTaskEntry {
    fn from(task: &MoveTask) -> Self {
        Self {
            // Only a running task can be cancelled, so only that one has a handle.
            task_handle: (task.status == Status::Running).then(|| handle(task)),
            status: task.status.name(),
            source_arn: task.source_arn.clone(),
            destination_arn: task.destination_arn.clone(),
            max_number_of_messages_per_second: task.messages_per_second,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: match task.status {
                Status::Failed(reason) => Some(reason),
                _ => None,
            },
            started_timestamp: task.started.millis(),
        }
    }
}

impl Action for ListMessageMoveTasks {
    type Answer = MoveTasks;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<MoveTasks, Error> {
        let most = within("MaxResults", self.max_results.unwrap_or(1), 1, 10)?;
        let source = required("SourceArn", &self.source_arn)?;
        queues
            .name_of(source)
            .ok_or(Error::ResourceNotFound("the queue that SourceArn names does not exist"))?;
        let tasks = queues.move_tasks(source).take(most as usize);
        Ok(MoveTasks { results: tasks.map(MoveTaskEntry::from).collect() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CancelMessageMoveTask {
    #[serde(default)]
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CancelledMoveTask {
    approximate_number_of_messages_moved: usize,
}

impl Action for CancelMessageMoveTask {
    type Answer = CancelledMoveTask;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<CancelledMoveTask, Error> {
        let moved = queues.cancel_move(required("TaskHandle", &self.task_handle)?)?;
        Ok(CancelledMoveTask { approximate_number_of_messages_moved: moved })
    }
}

fn handle(task: &MoveTask) -> String {
    TaskHandle { task_id: task.id, source_arn: task.source_arn.clone() }.encode()
}
