//! Actions on queues: create, find, list, delete, purge.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Done, QueueUrl, RequestContext, required};
use crate::error::Error;
use crate::message::within;
use crate::queue_url;
use crate::queues::Queues;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateQueue {
    #[serde(default)]
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OneQueueUrl {
    queue_url: String,
}

impl Action for CreateQueue {
    type Answer = OneQueueUrl;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<OneQueueUrl, Error> {
        let name = required("QueueName", &self.queue_name)?;
        queues.create(name, &self.attributes, self.tags, context.now)?;
        Ok(OneQueueUrl { queue_url: queue_url(&context.host, name) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueUrl {
    #[serde(default)]
    queue_name: String,
}

impl Action for GetQueueUrl {
    type Answer = OneQueueUrl;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<OneQueueUrl, Error> {
        let name = required("QueueName", &self.queue_name)?;
        queues.queue(name)?;
        Ok(OneQueueUrl { queue_url: queue_url(&context.host, name) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteQueue {
    #[serde(default)]
    queue_url: QueueUrl,
}

impl Action for DeleteQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, _: &RequestContext) -> Result<Done, Error> {
        queues.delete(self.queue_url.name()?)?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PurgeQueue {
    #[serde(default)]
    queue_url: QueueUrl,
}

impl Action for PurgeQueue {
    type Answer = Done;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<Done, Error> {
        queues.purge(self.queue_url.name()?, context.now)?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
    #[serde(flatten)]
    page: PageRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueueUrls {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Action for ListQueues {
    type Answer = QueueUrls;

    fn perform(self, queues: &mut Queues, context: &RequestContext) -> Result<QueueUrls, Error> {
        let names = queues.names().filter(|name| name.starts_with(&self.queue_name_prefix));
        let (queue_urls, next_token) = self.page.take(names, context)?;
        Ok(QueueUrls { queue_urls, next_token })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListDeadLetterSourceQueues {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(flatten)]
    page: PageRequest,
}

#[derive(Serialize)]
pub(crate) struct SourceQueueUrls {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Action for ListDeadLetterSourceQueues {
    type Answer = SourceQueueUrls;

    fn perform(
        self,
        queues: &mut Queues,
        context: &RequestContext,
    ) -> Result<SourceQueueUrls, Error> {
        let name = self.queue_url.name()?;
        queues.queue(name)?;
        let (queue_urls, next_token) = self.page.take(queues.dead_letter_sources(name), context)?;
        Ok(SourceQueueUrls { queue_urls, next_token })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageRequest {
    max_results: Option<i64>,
    /// The last name of the page before.
    next_token: Option<String>,
}

impl PageRequest {
    /// The URLs of the names on this page, and the token of the next.
    ///
    /// Without `MaxResults` there is one page of 1,000 and no token, as on AWS.
    fn take<'a>(
        self,
        names: impl Iterator<Item = &'a str>,
        context: &RequestContext,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let most = within("MaxResults", self.max_results.unwrap_or(1000), 1, 1000)? as usize;
        let after = self.next_token.unwrap_or_default();
        let mut names = names.skip_while(|name| *name <= after.as_str());
        let page: Vec<&str> = names.by_ref().take(most).collect();
        let more = self.max_results.is_some() && names.next().is_some();
        let next_token = page.last().filter(|_| more).map(|name| (*name).to_owned());
        Ok((page.iter().map(|name| queue_url(&context.host, name)).collect(), next_token))
    }
}
