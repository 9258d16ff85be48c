//! The actions of the API: their requests, effects and responses.
//!
//! Source: the Amazon SQS API Reference, in the AWS JSON 1.0 form.

mod attributes;
mod batch;
mod messages;
mod move_tasks;
mod queues;
mod receive;
mod tags;

pub(crate) use attributes::{GetQueueAttributes, SetQueueAttributes};
pub(crate) use messages::{
    ChangeMessageVisibility, ChangeMessageVisibilityBatch, DeleteMessage, DeleteMessageBatch,
    SendMessage, SendMessageBatch,
};
pub(crate) use move_tasks::{
    CancelMessageMoveTask, ListMessageMoveTasks, StartMessageMoveTask, StartedMoveTask,
};
pub(crate) use queues::{
    CreateQueue, DeleteQueue, GetQueueUrl, ListDeadLetterSourceQueues, ListQueues, PurgeQueue,
};
pub(crate) use receive::{Poll, ReceiveMessage, ReceivedMessages};
pub(crate) use tags::{ListQueueTags, TagQueue, UntagQueue};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::queues::Queues;
use crate::timestamp::Timestamp;

/// An action that completes at once.
pub(crate) trait Action: DeserializeOwned {
    /// The body of the response.
    type Answer: Serialize;

    /// Performs the action on the queues.
    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<Self::Answer, Error>;
}

/// The context of a request.
pub(crate) struct RequestContext {
    /// The host and port that the client used.
    pub(crate) host: String,
    /// When the request arrived.
    pub(crate) now: Timestamp,
}

/// The empty response.
#[derive(Serialize)]
pub(crate) struct Done {}

/// A queue URL, or a queue name, which SQS takes in its place.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct QueueUrl(String);

impl QueueUrl {
    fn name(&self) -> Result<&str, Error> {
        let url = required("QueueUrl", &self.0)?;
        Ok(url.rsplit('/').next().unwrap_or(url))
    }
}

fn required<'a>(parameter: &'static str, value: &'a str) -> Result<&'a str, Error> {
    if value.is_empty() { Err(Error::MissingParameter(parameter)) } else { Ok(value) }
}
