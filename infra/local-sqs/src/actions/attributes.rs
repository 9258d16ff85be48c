//! Actions on the attributes of a queue.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Done, QueueUrl, RequestContext};
use crate::attributes::QueueAttributes;
use crate::error::Error;
use crate::queues::Queues;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueAttributes {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SomeQueueAttributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

impl Action for GetQueueAttributes {
    type Answer = SomeQueueAttributes;

    fn perform(
        self,
        queues: &mut Queues,
        context: &RequestContext,
    ) -> Result<SomeQueueAttributes, Error> {
        let name = self.queue_url.name()?;
        let arn = queues.arn(name);
        let queue = queues.settled(name, context.now)?;
        let read_only = BTreeMap::from([
            ("QueueArn", arn),
            ("CreatedTimestamp", queue.created.seconds().to_string()),
            ("LastModifiedTimestamp", queue.modified.seconds().to_string()),
            ("ApproximateNumberOfMessages", queue.visible().to_string()),
            ("ApproximateNumberOfMessagesNotVisible", queue.in_flight().to_string()),
            ("ApproximateNumberOfMessagesDelayed", queue.delayed().to_string()),
        ]);
        let known = || QueueAttributes::names().chain(read_only.keys().copied());
        if let Some(unknown) =
            self.attribute_names.iter().find(|name| *name != "All" && known().all(|k| k != *name))
        {
            return Err(Error::InvalidAttributeName(unknown.clone()));
        }
        let wanted = |name: &str| self.attribute_names.iter().any(|n| n == "All" || n == name);
        let attributes = known().filter(|name| wanted(name)).filter_map(|name| {
            let value = read_only.get(name).cloned().or_else(|| queue.attributes.get(name))?;
            Some((name.to_owned(), value))
        });
        Ok(SomeQueueAttributes { attributes: attributes.collect() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetQueueAttributes {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

impl Action for SetQueueAttributes {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<Done, Error> {
        queues.set_attributes(self.queue_url.name()?, &self.attributes, context.now)?;
        Ok(Done {})
    }
}
