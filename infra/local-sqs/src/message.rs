//! Messages: their limits, their digests, and their state in a queue.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
use crate::timestamp::Timestamp;

/// The maximum size of a message, or of all messages of a batch: 1 MiB.
pub(crate) const MAXIMUM_SIZE: usize = 1_048_576;

/// A message as it is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewMessage {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, AttributeValue>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, AttributeValue>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

impl NewMessage {
    /// The bytes that count towards the size limits: the body and the user's attributes.
    pub(crate) fn size(&self) -> usize {
        let attributes = self.message_attributes.iter();
        self.message_body.len()
            + attributes.map(|(name, value)| name.len() + value.size()).sum::<usize>()
    }

    /// Validates the message.
    pub(crate) fn accept(
        self,
        maximum_size: usize,
        queue_delay: u32,
        now: Timestamp,
    ) -> Result<Message, Error> {
        if self.message_body.is_empty() {
            return Err(Error::MissingParameter("MessageBody"));
        }
        if self.size() > maximum_size {
            return Err(Error::parameter(
                "MessageBody",
                format!("the message with its attributes must have at most {maximum_size} bytes"),
            ));
        }
        check_characters(&self.message_body)?;
        check_attributes(&self.message_attributes)?;
        let trace_header = trace_header(&self.message_system_attributes)?;
        if self.message_group_id.as_deref().is_some_and(|id| !is_group_id(id)) {
            return Err(Error::parameter(
                "MessageGroupId",
                "use 1 to 128 alphanumeric and punctuation characters",
            ));
        }
        if self.message_deduplication_id.is_some() {
            return Err(Error::parameter(
                "MessageDeduplicationId",
                "it is not valid for this queue type; leave it out for a standard queue",
            ));
        }
        let delay = match self.delay_seconds {
            Some(delay) => within("DelaySeconds", delay, 0, 900)?,
            None => queue_delay,
        };
        let standing = match delay {
            0 => Standing::Visible { since: now },
            _ => Standing::Delayed { until: now.plus_seconds(delay) },
        };
        Ok(Message {
            // Version 7 ids sort by the moment they were made, so a queue keeps the order of
            // arrival by keeping the order of its ids.
            id: Uuid::now_v7(),
            body: self.message_body,
            attributes: self.message_attributes,
            trace_header,
            group_id: self.message_group_id,
            sent_at: now,
            dead_letter_source: None,
            delivery: Delivery::new(standing),
        })
    }
}

/// A message in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    /// `MessageId`.
    pub(crate) id: Uuid,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, AttributeValue>,
    /// `AWSTraceHeader`.
    pub(crate) trace_header: Option<AttributeValue>,
    /// `MessageGroupId`.
    pub(crate) group_id: Option<String>,
    /// `SentTimestamp`; retention is counted from here, in a dead-letter queue too.
    pub(crate) sent_at: Timestamp,
    /// `DeadLetterQueueSourceArn`.
    pub(crate) dead_letter_source: Option<String>,
    pub(crate) delivery: Delivery,
}

impl Message {
    /// `MD5OfMessageBody`.
    pub(crate) fn md5_of_body(&self) -> String {
        format!("{:x}", Md5::digest(&self.body))
    }

    /// `MD5OfMessageSystemAttributes`.
    pub(crate) fn md5_of_system_attributes(&self) -> Option<String> {
        md5_of_attributes(self.trace_header.iter().map(|value| (TRACE_HEADER, value)))
    }

    /// The message as it arrives in the dead-letter queue of `source`.
    ///
    /// It keeps its id, attributes, sent timestamp and count of receives: see "Using dead-letter
    /// queues in Amazon SQS" and `ApproximateReceiveCount` of `ReceiveMessage`.
    pub(crate) fn dead_lettered(&self, source: String, now: Timestamp) -> Self {
        Self {
            dead_letter_source: Some(source),
            delivery: Delivery {
                standing: Standing::Visible { since: now },
                receives_here: 0,
                ..self.delivery
            },
            ..self.clone()
        }
    }

    /// The message as a move task returns it to a queue.
    ///
    /// It is a new message with a new id and enqueue time: see "Learn how to configure a
    /// dead-letter queue redrive in Amazon SQS".
    pub(crate) fn redriven(&self, now: Timestamp) -> Self {
        Self {
            id: Uuid::now_v7(),
            sent_at: now,
            dead_letter_source: None,
            delivery: Delivery::new(Standing::Visible { since: now }),
            ..self.clone()
        }
    }
}

/// The part of a message that changes while it is in a queue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) standing: Standing,
    /// How often it was received, in all queues: `ApproximateReceiveCount`.
    pub(crate) receives: u32,
    /// How often it was received from the queue it is in now.
    pub(crate) receives_here: u32,
    /// `ApproximateFirstReceiveTimestamp`.
    pub(crate) first_received_at: Option<Timestamp>,
    /// When it was last received.
    pub(crate) last_received_at: Option<Timestamp>,
}

impl Delivery {
    fn new(standing: Standing) -> Self {
        Self {
            standing,
            receives: 0,
            receives_here: 0,
            first_received_at: None,
            last_received_at: None,
        }
    }
}

/// Whether a message can be received.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// It is visible.
    Visible {
        /// When it became visible.
        since: Timestamp,
    },
    /// It was sent with a delay.
    Delayed {
        /// When it becomes visible.
        until: Timestamp,
    },
    /// It is in flight: a consumer has received it.
    InFlight {
        /// When it becomes visible again.
        until: Timestamp,
    },
}

/// `MessageAttributeValue` and `MessageSystemAttributeValue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributeValue {
    data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_base64")]
    binary_value: Option<Vec<u8>>,
}

impl AttributeValue {
    fn size(&self) -> usize {
        self.data_type.len()
            + self.string_value.as_ref().map_or(0, String::len)
            + self.binary_value.as_ref().map_or(0, Vec::len)
    }

    /// The logical type, without the custom label that may follow it.
    fn logical_type(&self) -> &str {
        self.data_type.split_once('.').map_or(self.data_type.as_str(), |(logical, _)| logical)
    }
}

/// The digest that SDKs compare: see "Calculating the MD5 message digest for message attributes".
///
/// The attributes come sorted by name. There is no digest of no attributes.
pub(crate) fn md5_of_attributes<'a>(
    attributes: impl Iterator<Item = (&'a str, &'a AttributeValue)>,
) -> Option<String> {
    let mut attributes = attributes.peekable();
    attributes.peek()?;
    let mut md5 = Md5::new();
    let mut part = |bytes: &[u8], transport_type: Option<u8>| {
        md5.update(transport_type.as_slice());
        md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        md5.update(bytes);
    };
    for (name, value) in attributes {
        part(name.as_bytes(), None);
        part(value.data_type.as_bytes(), None);
        if let Some(string) = &value.string_value {
            part(string.as_bytes(), Some(1));
        } else if let Some(binary) = &value.binary_value {
            part(binary, Some(2));
        }
    }
    Some(format!("{:x}", md5.finalize()))
}

/// A receipt handle: one receive of a message.
#[derive(Debug, PartialEq)]
pub(crate) struct ReceiptHandle {
    /// The message received.
    pub(crate) message: Uuid,
    /// The number of the receive, from 1.
    pub(crate) receive: u32,
}

impl ReceiptHandle {
    /// The handle as the consumer of `queue` sees it.
    pub(crate) fn encode(&self, queue: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{queue}/{}/{}", self.message, self.receive))
    }

    /// Parses a handle of `queue`.
    pub(crate) fn decode(handle: &str, queue: &str) -> Result<Self, Error> {
        if handle.is_empty() {
            return Err(Error::MissingParameter("ReceiptHandle"));
        }
        let decoded = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(handle).ok()?).ok()?;
            let (message, receive) =
                text.strip_prefix(queue)?.strip_prefix('/')?.split_once('/')?;
            Some(Self { message: message.parse().ok()?, receive: receive.parse().ok()? })
        };
        decoded().ok_or(Error::ReceiptHandleIsInvalid)
    }
}

/// The number, if it lies in the range the parameter takes.
pub(crate) fn within(
    parameter: &'static str,
    value: i64,
    least: u32,
    most: u32,
) -> Result<u32, Error> {
    let number = u32::try_from(value).ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| Error::parameter(parameter, format!("use {least} to {most}")))
}

const TRACE_HEADER: &str = "AWSTraceHeader";

fn check_characters(text: &str) -> Result<(), Error> {
    let forbidden = |character: char| {
        !matches!(character,
            '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}'
            | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
    };
    match text.chars().find(|character| forbidden(*character)) {
        Some(character) => Err(Error::InvalidMessageContents(character.into())),
        None => Ok(()),
    }
}

/// The rules of "Amazon SQS message attributes" in the Developer Guide.
fn check_attributes(attributes: &BTreeMap<String, AttributeValue>) -> Result<(), Error> {
    let refused = |reason: String| Error::parameter("MessageAttributes", reason);
    if attributes.len() > 10 {
        let given = attributes.len();
        return Err(refused(format!("a message has at most 10 attributes, not {given}")));
    }
    for (name, value) in attributes {
        if !is_attribute_name(name) {
            return Err(refused(format!(
                "the name {name:?} is not allowed; use 1 to 256 alphanumeric characters, \
                 underscores, hyphens and single inner periods, and do not start with AWS. or Amazon."
            )));
        }
        check_value(name, value)?;
    }
    Ok(())
}

fn check_value(name: &str, value: &AttributeValue) -> Result<(), Error> {
    let refused = |reason: &str| {
        Err(Error::parameter("MessageAttributes", format!("the attribute {name:?} {reason}")))
    };
    if value.data_type.len() > 256 {
        return refused("must have a type of at most 256 bytes");
    }
    let string = value.string_value.as_deref().filter(|string| !string.is_empty());
    let binary = value.binary_value.as_ref().filter(|binary| !binary.is_empty());
    match (value.logical_type(), string, binary) {
        ("String", Some(string), None) => check_characters(string),
        ("Number", Some(string), None) if string.parse().is_ok_and(f64::is_finite) => Ok(()),
        ("Binary", None, Some(_)) => Ok(()),
        ("String", ..) => refused("must have a non-empty StringValue and nothing else"),
        ("Number", ..) => refused("must have a number as its StringValue and nothing else"),
        ("Binary", ..) => refused("must have a non-empty BinaryValue and nothing else"),
        _ => refused("must have the type String, Number or Binary, with or without .label"),
    }
}

fn is_attribute_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    (1..=256).contains(&name.chars().count())
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

fn is_group_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn trace_header(
    attributes: &BTreeMap<String, AttributeValue>,
) -> Result<Option<AttributeValue>, Error> {
    let refused = |reason: &str| Error::parameter("MessageSystemAttributes", reason);
    if attributes.keys().any(|name| name != TRACE_HEADER) {
        return Err(refused("AWSTraceHeader is the only one that can be sent"));
    }
    let Some(header) = attributes.get(TRACE_HEADER) else { return Ok(None) };
    if header.data_type != "String" {
        return Err(refused("AWSTraceHeader must have the type String"));
    }
    check_value(TRACE_HEADER, header)?;
    Ok(Some(header.clone()))
}

mod optional_base64 {
    use super::{Deserialize, Engine, STANDARD};
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text)).transpose().map_err(D::Error::custom)
    }
}
