//! Queue attributes: their names, ranges and defaults.
//!
//! Source: `CreateQueue` in the Amazon SQS API Reference.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// The attributes of a queue that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct QueueAttributes {
    numbers: BTreeMap<String, u32>,
    redrive_policy: Option<RedrivePolicy>,
    redrive_allow_policy: Option<RedriveAllowPolicy>,
    /// Attributes that are returned as they were set, and have no effect.
    kept: BTreeMap<String, String>,
}

impl Default for QueueAttributes {
    fn default() -> Self {
        Self {
            numbers: NUMBERS
                .iter()
                .map(|number| (number.name.to_owned(), number.default))
                .collect(),
            redrive_policy: None,
            redrive_allow_policy: None,
            kept: BTreeMap::from([("SqsManagedSseEnabled".to_owned(), "true".to_owned())]),
        }
    }
}

impl QueueAttributes {
    /// Sets one attribute; an empty policy or key removes it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if let Some(number) = NUMBERS.iter().find(|number| number.name == name) {
            self.numbers.insert(name.to_owned(), number.parse(value)?);
            return Ok(());
        }
        match name {
            "RedrivePolicy" => self.redrive_policy = unless_empty(value, RedrivePolicy::parse)?,
            "RedriveAllowPolicy" => {
                self.redrive_allow_policy = unless_empty(value, RedriveAllowPolicy::parse)?;
            }
            "SqsManagedSseEnabled" if !matches!(value, "true" | "false") => {
                return Err(Error::InvalidAttributeValue {
                    attribute: name.to_owned(),
                    reason: "use true or false".to_owned(),
                });
            }
            "Policy" | "KmsMasterKeyId" | "SqsManagedSseEnabled" => {
                if value.is_empty() {
                    self.kept.remove(name);
                } else {
                    self.kept.insert(name.to_owned(), value.to_owned());
                }
            }
            "FifoQueue"
            | "ContentBasedDeduplication"
            | "DeduplicationScope"
            | "FifoThroughputLimit" => {
                return Err(Error::UnsupportedOperation(NO_FIFO));
            }
            _ => return Err(Error::InvalidAttributeName(name.to_owned())),
        }
        Ok(())
    }

    /// An attribute in the form that SQS returns.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match name {
            "RedrivePolicy" => self.redrive_policy.as_ref().map(to_json),
            "RedriveAllowPolicy" => self.redrive_allow_policy.as_ref().map(to_json),
            "KmsDataKeyReusePeriodSeconds" if !self.kept.contains_key("KmsMasterKeyId") => None,
            _ => {
                let number = self.numbers.get(name).map(u32::to_string);
                number.or_else(|| self.kept.get(name).cloned())
            }
        }
    }

    /// The names that [`get`](Self::get) may know.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        NUMBERS.iter().map(|number| number.name).chain([
            "RedrivePolicy",
            "RedriveAllowPolicy",
            "Policy",
            "KmsMasterKeyId",
            "SqsManagedSseEnabled",
        ])
    }

    /// Seconds for which a new message is not delivered.
    pub(crate) fn delay_seconds(&self) -> u32 {
        self.number(&DELAY_SECONDS)
    }

    /// The maximum size of a message, in bytes.
    pub(crate) fn maximum_message_size(&self) -> usize {
        self.number(&MAXIMUM_MESSAGE_SIZE) as usize
    }

    /// Seconds after which an undeleted message is dropped.
    pub(crate) fn message_retention_period(&self) -> u32 {
        self.number(&MESSAGE_RETENTION_PERIOD)
    }

    /// Seconds a receive waits for a message unless it says otherwise.
    pub(crate) fn receive_message_wait_time_seconds(&self) -> u32 {
        self.number(&RECEIVE_MESSAGE_WAIT_TIME_SECONDS)
    }

    /// Seconds a received message is hidden unless the receive says otherwise.
    pub(crate) fn visibility_timeout(&self) -> u32 {
        self.number(&VISIBILITY_TIMEOUT)
    }

    /// The redrive policy.
    pub(crate) fn redrive_policy(&self) -> Option<&RedrivePolicy> {
        self.redrive_policy.as_ref()
    }

    /// Whether the queue with that ARN may use this one as its dead-letter queue.
    pub(crate) fn allows_redrive_from(&self, arn: &str) -> bool {
        self.redrive_allow_policy.as_ref().is_none_or(|policy| policy.allows(arn))
    }

    fn number(&self, number: &Number) -> u32 {
        self.numbers.get(number.name).copied().unwrap_or(number.default)
    }
}

/// The redrive policy: when a message is moved to a dead-letter queue, and to which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedrivePolicy {
    /// The ARN of the dead-letter queue.
    pub(crate) dead_letter_target_arn: String,
    /// How often a message is received before the next receive moves it.
    pub(crate) max_receive_count: u32,
}

impl RedrivePolicy {
    fn parse(value: &str) -> Result<Self, Error> {
        let refused = |reason: &str| Error::parameter("RedrivePolicy", reason);
        let policy: Value =
            serde_json::from_str(value).map_err(|_| refused("it must be a JSON object"))?;
        let target = policy["deadLetterTargetArn"]
            .as_str()
            .ok_or_else(|| refused("it must name a deadLetterTargetArn"))?;
        // CloudFormation sends the count as a number, the console as a string.
        let count = match &policy["maxReceiveCount"] {
            Value::String(count) => count.parse().ok(),
            count => count.as_u64(),
        };
        let max_receive_count = count
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(|| refused("it must have a maxReceiveCount from 1 to 1000"))?;
        Ok(Self { dead_letter_target_arn: target.to_owned(), max_receive_count })
    }
}

/// The error for everything about FIFO queues.
pub(crate) const NO_FIFO: &str =
    "FIFO queues are not supported by this server; create a standard queue";

/// Which queues may use this one as their dead-letter queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedriveAllowPolicy {
    redrive_permission: RedrivePermission,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    source_queue_arns: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RedrivePermission {
    AllowAll,
    DenyAll,
    ByQueue,
}

impl RedriveAllowPolicy {
    fn parse(value: &str) -> Result<Self, Error> {
        let refused = |reason: &str| Error::parameter("RedriveAllowPolicy", reason);
        let policy: Self = serde_json::from_str(value).map_err(|_| {
            refused("it must have a redrivePermission of allowAll, denyAll or byQueue")
        })?;
        let sources = policy.source_queue_arns.len();
        match policy.redrive_permission {
            RedrivePermission::ByQueue if !(1..=10).contains(&sources) => {
                Err(refused("byQueue takes 1 to 10 sourceQueueArns"))
            }
            RedrivePermission::AllowAll | RedrivePermission::DenyAll if sources > 0 => {
                Err(refused("only byQueue takes sourceQueueArns"))
            }
            _ => Ok(policy),
        }
    }

    fn allows(&self, arn: &str) -> bool {
        match self.redrive_permission {
            RedrivePermission::AllowAll => true,
            RedrivePermission::DenyAll => false,
            RedrivePermission::ByQueue => self.source_queue_arns.iter().any(|source| source == arn),
        }
    }
}

/// An attribute whose value is a whole number.
struct Number {
    name: &'static str,
    least: u32,
    most: u32,
    default: u32,
}

const DELAY_SECONDS: Number = Number { name: "DelaySeconds", least: 0, most: 900, default: 0 };
const KMS_DATA_KEY_REUSE_PERIOD_SECONDS: Number =
    Number { name: "KmsDataKeyReusePeriodSeconds", least: 60, most: 86_400, default: 300 };
const MAXIMUM_MESSAGE_SIZE: Number =
    Number { name: "MaximumMessageSize", least: 1024, most: 1_048_576, default: 1_048_576 };
const MESSAGE_RETENTION_PERIOD: Number =
    Number { name: "MessageRetentionPeriod", least: 60, most: 1_209_600, default: 345_600 };
const RECEIVE_MESSAGE_WAIT_TIME_SECONDS: Number =
    Number { name: "ReceiveMessageWaitTimeSeconds", least: 0, most: 20, default: 0 };
const VISIBILITY_TIMEOUT: Number =
    Number { name: "VisibilityTimeout", least: 0, most: 43_200, default: 30 };

const NUMBERS: [Number; 6] = [
    DELAY_SECONDS,
    KMS_DATA_KEY_REUSE_PERIOD_SECONDS,
    MAXIMUM_MESSAGE_SIZE,
    MESSAGE_RETENTION_PERIOD,
    RECEIVE_MESSAGE_WAIT_TIME_SECONDS,
    VISIBILITY_TIMEOUT,
];

impl Number {
    fn parse(&self, value: &str) -> Result<u32, Error> {
        let number = value.parse().ok().filter(|number| (self.least..=self.most).contains(number));
        number.ok_or_else(|| Error::InvalidAttributeValue {
            attribute: self.name.to_owned(),
            reason: format!("use a whole number from {} to {}", self.least, self.most),
        })
    }
}

fn unless_empty<T>(
    value: &str,
    parse: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if value.is_empty() { Ok(None) } else { parse(value).map(Some) }
}

fn to_json(policy: &impl Serialize) -> String {
    serde_json::to_string(policy).expect("a policy has string keys only")
}
