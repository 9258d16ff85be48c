//! Actions on the tags of a queue.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Done, QueueUrl, RequestContext};
use crate::error::Error;
use crate::queues::Queues;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagQueue {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Action for TagQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<Done, Error> {
        queues.change_tags(self.queue_url.name()?, |tags| tags.extend(self.tags))?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UntagQueue {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    tag_keys: Vec<String>,
}

impl Action for UntagQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<Done, Error> {
        queues.change_tags(self.queue_url.name()?, |tags| {
            tags.retain(|key, _| !self.tag_keys.contains(key));
        })?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueueTags {
    #[serde(default)]
    queue_url: QueueUrl,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueueTags {
    tags: BTreeMap<String, String>,
}

impl Action for ListQueueTags {
    type Answer = QueueTags;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<QueueTags, Error> {
        Ok(QueueTags { tags: queues.queue(self.queue_url.name()?)?.tags.clone() })
    }
}
