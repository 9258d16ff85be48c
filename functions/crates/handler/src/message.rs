//! The batch of messages that Lambda passes to a handler function.
//!
//! AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", section "Example event". Every
//! member is optional here: a record with an unexpected shape is a message without that member, and
//! does not fail the batch.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contract::message_attribute::{ATTEMPTS, ORIGIN, REPLAY, SENT};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The records of one invocation.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch {
    #[serde(rename = "Records")]
    pub(crate) messages: Vec<Message>,
}

/// A message of the handler's queue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Value")]
pub struct Message {
    /// The message id of SQS. A copy has another one, see [`Message::origin`].
    pub(crate) id: Option<String>,
    /// The receipt handle, with which the message is deleted or its visibility changed.
    pub(crate) receipt_handle: Option<String>,
    pub(crate) body: String,
    /// The message group: the tenant.
    pub(crate) group: Option<String>,
    /// How often SQS has delivered it, this time included.
    pub(crate) receives: u32,
    sent: Option<Timestamp>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

/// A message attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    pub(crate) value: AttributeValue,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

impl Message {
    /// The id of the message that first carried the delivery. Copies and replays keep it.
    pub(crate) fn origin(&self) -> &str {
        self.text(ORIGIN).or(self.id.as_deref()).unwrap_or_default()
    }

    /// The id of the replay, if an operator replayed the message.
    pub(crate) fn replay(&self) -> Option<&str> {
        self.text(REPLAY)
    }

    /// When the delivery was first queued.
    pub(crate) fn first_sent(&self) -> Option<Timestamp> {
        let first = self.text(SENT).and_then(|sent| sent.parse().ok());
        first.and_then(|sent| Timestamp::from_millisecond(sent).ok()).or(self.sent)
    }

    /// The number of attempts according to its receives, this one included. A copy starts with the
    /// attempts of the message that it replaces.
    pub(crate) fn attempts(&self) -> u32 {
        let earlier = self.text(ATTEMPTS).and_then(|attempts| attempts.parse().ok());
        earlier.unwrap_or(0_u32).saturating_add(self.receives)
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name) {
            Some(Attribute { value: AttributeValue::Text(text), .. }) => Some(text),
            _ => None,
        }
    }
}

impl From<Value> for Message {
    /// A record without an id or a body is none of SQS's. All that it says is kept as the body, which is
    /// no delivery, so it ends in the dead-letter queue.
    fn from(mut record: Value) -> Self {
        let is_whole = record["messageId"].is_string() && record["body"].is_string();
        let body = if is_whole {
            text(record.get_mut("body")).unwrap_or_default()
        } else {
            record.to_string()
        };
        let mut system = object(&mut record, "attributes");
        let attributes = object(&mut record, "messageAttributes").into_iter();
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Self {
            id: text(record.get_mut("messageId")),
            receipt_handle: text(record.get_mut("receiptHandle")),
            body,
            group: text(system.get_mut("MessageGroupId")),
            receives: number(text(system.get_mut("ApproximateReceiveCount")))
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(1),
            sent: number(text(system.get_mut("SentTimestamp")))
                .and_then(|sent| Timestamp::from_millisecond(sent).ok()),
            attributes: attributes
                .filter_map(|(name, value)| Some((name, Attribute::read(value)?)))
                .collect(),
        }
    }
}

impl Attribute {
    /// A string attribute.
    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self { data_type: "String".into(), value: AttributeValue::Text(text.into()) }
    }

    /// A number attribute.
    pub(crate) fn number(number: impl ToString) -> Self {
        let value = AttributeValue::Text(number.to_string());
        Self { data_type: "Number".into(), value }
    }

    fn read(mut value: Value) -> Option<Self> {
        let data_type = text(value.get_mut("dataType"))?;
        let value = match text(value.get_mut("stringValue")) {
            Some(text) => AttributeValue::Text(text),
            None => {
                let base64 = text(value.get_mut("binaryValue"))?;
                AttributeValue::Binary(BASE64.decode(base64).ok()?)
            }
        };
        Some(Self { data_type, value })
    }
}

fn text(value: Option<&mut Value>) -> Option<String> {
    match value.map(Value::take) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn object(record: &mut Value, name: &str) -> Map<String, Value> {
    match record.get_mut(name).map(Value::take) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_members_that_a_record_has() {
        let message = Message::from(json!({
            "messageId": "m", "receiptHandle": "r", "body": "b", "awsRegion": null, "new": [],
            "attributes": {
                "ApproximateReceiveCount": "3", "SentTimestamp": "1795600000123",
                "MessageGroupId": "tenant",
            },
            "messageAttributes": {
                "attempts": {"dataType": "Number", "stringValue": "2"},
                "origin": {"dataType": "String", "stringValue": "first"},
                "data": {"dataType": "Binary", "binaryValue": "AQI="},
                "odd": {"dataType": 7}, "none": null,
            },
        }));
        assert_eq!((message.origin(), message.attempts(), message.replay()), ("first", 5, None));
        assert_eq!(message.first_sent().unwrap().as_millisecond(), 1_795_600_000_123);
        assert_eq!(message.group.as_deref(), Some("tenant"));
        assert_eq!(message.attributes.len(), 3);
        assert_eq!(message.attributes["data"].value, AttributeValue::Binary(vec![1, 2]));
    }

    #[test]
    fn takes_a_record_of_any_shape() {
        for record in [
            json!(null),
            json!("text"),
            json!([]),
            json!({}),
            json!({"messageId": 7, "body": null, "attributes": [], "messageAttributes": "x"}),
            json!({"attributes": {"ApproximateReceiveCount": "-1", "SentTimestamp": "soon"}}),
        ] {
            let message = Message::from(record.clone());
            assert_eq!((message.origin(), message.attempts()), ("", 1), "{record}");
            assert_eq!((&*message.body, message.first_sent()), (&*record.to_string(), None));
        }
    }
}
