//! The changes of the queues, as the journal records them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::attributes::QueueAttributes;
use crate::message::{Delivery, Message};
use crate::timestamp::Timestamp;

/// A step that a restart repeats.
#[derive(Serialize, Deserialize)]
pub(crate) enum Change {
    /// A queue was made, or its attributes or tags were changed.
    Queue {
        name: String,
        created: Timestamp,
        modified: Timestamp,
        attributes: Box<QueueAttributes>,
        tags: BTreeMap<String, String>,
    },
    DeleteQueue {
        name: String,
    },
    Purge {
        queue: String,
    },
    /// A message was sent.
    Put {
        queue: String,
        message: Box<Message>,
    },
    /// A message was received, or its visibility changed.
    Deliver {
        queue: String,
        id: Uuid,
        delivery: Delivery,
    },
    /// A message was deleted or has expired.
    Remove {
        queue: String,
        id: Uuid,
    },
    /// A message went to another queue, where it may have another id.
    Move {
        from: String,
        id: Uuid,
        to: String,
        message: Box<Message>,
    },
}
