//! Queues of a template: `AWS::SQS::Queue`.

use std::collections::BTreeMap;

use super::properties::{Properties, known_keys};
use super::resources::Resource;
use super::{Endpoints, arn, queue_url, unsupported};
use sam_template::{Resolver, TemplateError};

/// A queue: `AWS::SQS::Queue`.
#[derive(Clone, Debug)]
pub struct Queue {
    /// `QueueName`, or the logical id without it.
    pub name: String,
    /// The URL at the local SQS service.
    pub url: String,
    /// Its ARN.
    pub arn: String,
    /// The attributes as SQS's API takes them.
    pub attributes: BTreeMap<String, String>,
}

/// Reads a queue.
pub(super) fn read(
    resource: &Resource<'_>,
    resolver: &Resolver,
    endpoints: &Endpoints,
) -> Result<Queue, TemplateError> {
    let name = resource.name("QueueName", resolver)?;
    let values = resource.properties.clone();
    let mut properties = Properties::new(&resource.place, "an SQS queue", values, resolver);
    let mut attributes = BTreeMap::new();
    for attribute in [
        "DelaySeconds",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    ] {
        if let Some(value) = properties.text(attribute)? {
            attributes.insert(attribute.to_owned(), value);
        }
    }
    for (attribute, known) in [
        ("RedrivePolicy", ["deadLetterTargetArn", "maxReceiveCount"]),
        ("RedriveAllowPolicy", ["redrivePermission", "sourceQueueArns"]),
    ] {
        if let Some(policy) = properties.value(attribute)? {
            known_keys(&format!("{}.{attribute}", resource.place), &policy, &known)?;
            attributes.insert(attribute.to_owned(), policy.to_string());
        }
    }
    properties.skip(unsupported::QUEUE);
    properties.finish()?;
    Ok(Queue { url: queue_url(endpoints, &name), arn: arn("sqs", &name), name, attributes })
}
