//! The wire format: deliveries as message bodies.
//!
//! A message body is a JSON object with a version. A handler that is older than the receiver fails
//! at an unknown version, instead of misreading it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Delivery, ObjectRef, Sender, Webhook, packed};
use crate::event::{EventName, LeftOut, Product, Reading};
use crate::payload::{Body, Payload, has_noncharacters};
use crate::tenant::ClientKey;

/// A delivery that is encoded for a queue.
pub enum Encoded {
    /// The message body, compressed if necessary.
    Message(String),
    /// The message body exceeds the limit even when compressed.
    TooLong {
        /// The length of the compressed message body, in bytes.
        bytes: usize,
        /// The text to store: the object that a [`ObjectRef`] refers to.
        text: String,
    },
}

/// Encodes a delivery as a message body with a limit in bytes.
pub fn encode(delivery: &Delivery, limit: usize) -> Encoded {
    let text = delivery.to_message();
    if text.len() <= limit {
        return Encoded::Message(text);
    }
    let message = compressed(&text);
    if message.len() <= limit {
        return Encoded::Message(message);
    }
    Encoded::TooLong { bytes: message.len(), text }
}

/// The content of a message body.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each message, opened at once")]
pub enum QueueMessage {
    /// A delivery.
    Delivery(Delivery),
    /// A reference to a stored delivery.
    ObjectRef(ObjectRef),
}

impl QueueMessage {
    /// Parses a message body.
    ///
    /// # Errors
    ///
    /// Returns [`Unreadable`] if it is neither, or has another version.
    pub fn open(message: &str) -> Result<Self, Unreadable> {
        match Delivery::from_plain_message(message) {
            Err(Unreadable::Version { version }) if version == Version::Compressed as u32 => {
                // A second compression is refused: only a decompression bomb would have one.
                Delivery::from_plain_message(&decompressed(message)?).map(Self::Delivery)
            }
            Err(Unreadable::Version { version }) if version == Version::ObjectRef as u32 => {
                #[derive(Deserialize)]
                struct Reference {
                    stored: ObjectRef,
                }
                let Reference { stored } = serde_json::from_str(message).map_err(not_a_delivery)?;
                Ok(Self::ObjectRef(stored.check()?))
            }
            plain => plain.map(Self::Delivery),
        }
    }
}

impl Delivery {
    /// Serialises the delivery as an uncompressed message body of any length.
    ///
    /// The fields that were left out of the payload, and the reason why it could not be read, have
    /// members of their own, `leftOut` and `why`. Older handlers ignore them, and older messages
    /// without them can still be read.
    ///
    /// Amazon SQS refuses U+FFFE and U+FFFF (its API reference, `SendMessage`), which JSON allows
    /// in a string. They are written as escapes.
    pub fn to_message(&self) -> String {
        let (json, payload_text) = match self.payload.body() {
            Body::Empty => (None, None),
            Body::Json(json) => (Some(json), None),
            Body::Text(text) => (None, Some(&**text)),
        };
        let mut message = serde_json::to_string(&WireRef {
            version: Version::Plain,
            id: &self.id,
            event: &self.event,
            product: self.product,
            sender: (self.sender != Sender::Connect).then_some(self.sender),
            tenant: &self.tenant,
            base_url: self.base_url.as_deref(),
            received_at: self.received_at,
            webhook: &self.webhook,
            params: &self.params,
            reading: match self.reading {
                Reading::Unread => None,
                Reading::Read | Reading::Partly(_) => Some(Word::Read),
                Reading::Unreadable(_) => Some(Word::Unreadable),
                Reading::Unknown => Some(Word::Unknown),
            },
            left_out: self.reading.left_out(),
            why: self.reading.detail(),
            payload_text,
        })
        .expect("strings and numbers always serialise");
        if let Some(json) = json {
            // The last member. It is known to be JSON, and is not checked again.
            message.truncate(message.len() - "}".len());
            message.reserve(PAYLOAD.len() + json.len() + "}".len());
            message.push_str(PAYLOAD);
            message.push_str(json);
            message.push('}');
        }
        if has_noncharacters(&message) {
            message.replace('\u{FFFE}', r"\ufffe").replace('\u{FFFF}', r"\uffff")
        } else {
            message
        }
    }

    /// Parses a message body, compressed or not.
    ///
    /// # Errors
    ///
    /// Returns [`Unreadable`] if it is not a delivery, or has another version.
    pub fn from_message(message: &str) -> Result<Self, Unreadable> {
        match QueueMessage::open(message)? {
            QueueMessage::Delivery(delivery) => Ok(delivery),
            QueueMessage::ObjectRef(_) => {
                Err(Unreadable::Version { version: Version::ObjectRef as u32 })
            }
        }
    }

    /// Parses an uncompressed message body, in one pass. Any other version is an error.
    pub(super) fn from_plain_message(message: &str) -> Result<Self, Unreadable> {
        let wire: Wire = serde_json::from_str(message).map_err(|error| match version(message) {
            Ok(version) if version != Version::Plain as u32 => Unreadable::Version { version },
            _ => not_a_delivery(error),
        })?;
        Ok(Self {
            id: wire.id,
            event: wire.event,
            product: wire.product,
            sender: wire.sender,
            tenant: wire.tenant,
            base_url: wire.base_url,
            received_at: wire.received_at,
            webhook: wire.webhook,
            params: wire.params,
            reading: match (wire.reading, wire.left_out) {
                (None, _) => Reading::Unread,
                (Some(Word::Read), Some(left_out)) => Reading::Partly(left_out),
                (Some(Word::Read), None) => Reading::Read,
                (Some(Word::Unreadable), _) => Reading::Unreadable(wire.why.unwrap_or_default()),
                (Some(Word::Unknown), _) => Reading::Unknown,
            },
            payload: Payload::new(match (wire.payload, wire.payload_text) {
                (Some(json), _) => Body::Json(json.into()),
                (None, Some(text)) => Body::Text(text),
                (None, None) => Body::Empty,
            }),
        })
    }
}

impl ObjectRef {
    /// Serialises the reference as a message body.
    pub fn to_message(&self) -> String {
        let message = Reference { version: Version::ObjectRef, stored: self };
        serde_json::to_string(&message).expect("a number and strings always serialise")
    }
}

/// Why a message cannot be read as a delivery.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The message was not written by a receiver, or is truncated.
    #[error("the message is not a delivery: line {line}, column {column}; find out who sent it")]
    NotADelivery {
        /// Where the first error is, from 1.
        line: usize,
        /// Where the first error is, from 1.
        column: usize,
    },
    /// The message cannot be decompressed, or the object that it refers to was changed.
    #[error("the message or the object that it refers to is damaged; find out who changed it")]
    Damaged,
    /// The reference points outside the key prefix that receivers write to.
    #[error("the message refers to an object that no receiver wrote; find out who sent it")]
    ForeignReference,
    /// The message has a newer version.
    #[error(
        "the message has version {version}, and this handler reads versions up to {}; update and \
         deploy the handler, then replay its dead letters",
        Version::ObjectRef as u32
    )]
    Version {
        /// The version of the message.
        version: u32,
    },
}

/// Keeps the position of an error, and drops its text, which quotes the message.
fn not_a_delivery(error: serde_json::Error) -> Unreadable {
    Unreadable::NotADelivery { line: error.line(), column: error.column() }
}

/// The versions of a message: its member `version`.
#[derive(Clone, Copy)]
enum Version {
    /// An uncompressed delivery.
    Plain = 1,
    /// A compressed delivery.
    Compressed = 2,
    /// A reference to a stored delivery.
    ObjectRef = 3,
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(*self as u32)
    }
}

fn version(message: &str) -> serde_json::Result<u32> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    serde_json::from_str(message).map(|Versioned { version }| version)
}

fn compressed(text: &str) -> String {
    #[derive(Serialize)]
    struct Packed {
        version: Version,
        deflate: String,
    }
    let message = Packed { version: Version::Compressed, deflate: packed::pack(text) };
    serde_json::to_string(&message).expect("a number and a string always serialise")
}

fn decompressed(message: &str) -> Result<String, Unreadable> {
    #[derive(Deserialize)]
    struct Packed {
        /// Base64 of DEFLATE (RFC 1951) of a message.
        deflate: String,
    }
    let Packed { deflate } = serde_json::from_str(message).map_err(not_a_delivery)?;
    packed::unpack(&deflate).ok_or(Unreadable::Damaged)
}

#[derive(Serialize)]
struct Reference<'a> {
    version: Version,
    stored: &'a ObjectRef,
}

/// The `reading` member of a message, in the words of every version of this code. Without it the
/// payload is unread, and older handlers take it for read. Left out fields are in a member of their
/// own, which older handlers ignore.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Read,
    Unreadable,
    Unknown,
}

/// How the member `payload` begins.
const PAYLOAD: &str = r#","payload":"#;

/// A message without its `payload`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireRef<'a> {
    version: Version,
    id: &'a str,
    event: &'a EventName,
    product: Product,
    /// Messages of Connect have none, as those of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<Sender>,
    tenant: &'a ClientKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<&'a str>,
    received_at: Timestamp,
    webhook: &'a Webhook,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a LeftOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_text: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "version")]
    _version: Plain,
    id: String,
    event: EventName,
    product: Product,
    #[serde(default)]
    sender: Sender,
    tenant: ClientKey,
    #[serde(default)]
    base_url: Option<String>,
    received_at: Timestamp,
    webhook: Webhook,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    reading: Option<Word>,
    #[serde(default)]
    left_out: Option<LeftOut>,
    #[serde(default)]
    why: Option<Box<str>>,
    #[serde(default)]
    payload: Option<Box<RawValue>>,
    #[serde(default)]
    payload_text: Option<Box<str>>,
}

/// [`Version::Plain`]. Any other version is an error, so that no more of the message is read.
struct Plain;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if u32::deserialize(deserializer)? == Version::Plain as u32 {
            Ok(Self)
        } else {
            Err(D::Error::custom("another version"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::delivery;
    use super::*;

    /// The bytes that are on queues. A change of one of them is a new version.
    #[test]
    fn writes_and_reads_these_bytes() {
        const START: &str = concat!(
            r#"{"version":1,"id":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef","#,
            r#""event":"jira:issue_created","product":"jira","tenant":"tenant","#,
            r#""receivedAt":"2026-11-23T10:00:00.5Z","webhook":{"identifier":"1"},"#,
            r#""params":{"team":"\uffffcore"},"reading":"unreadable","why":"missing field `key`""#,
        );
        for (body, end) in [
            ("", "}"),
            ("null", r#","payloadText":"null"}"#),
            ("[\"\u{FFFF}\"]", r#","payloadText":"[\"\uffff\"]"}"#),
            (r#"{"a": 1}"#, r#","payload":{"a": 1}}"#),
        ] {
            let written = format!("{START}{end}");
            assert_eq!(delivery(body).to_message(), written);
            let Ok(QueueMessage::Delivery(read)) = QueueMessage::open(&written) else {
                panic!("{written}")
            };
            assert_eq!((read.payload.as_str(), &read.params), (body, &delivery(body).params));
        }

        let plain = Delivery {
            webhook: Webhook::default(),
            params: [].into(),
            reading: Reading::Read,
            ..delivery("{}")
        };
        let written = concat!(
            r#"{"version":1,"id":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef","#,
            r#""event":"jira:issue_created","product":"jira","tenant":"tenant","#,
            r#""receivedAt":"2026-11-23T10:00:00.5Z","webhook":{},"reading":"read","payload":{}}"#,
        );
        assert_eq!(plain.to_message(), written);
        let url = "https://demo.atlassian.net/";
        let unread = Delivery { reading: Reading::Unread, ..plain.clone() }.to_message();
        assert_eq!(unread, written.replace(r#""reading":"read","#, ""));
        assert_eq!(Delivery::from_message(&unread).unwrap().reading, Reading::Unread);
        let forge = Delivery { sender: Sender::Forge, ..plain.clone() }.to_message();
        let member = r#""product":"jira","sender":"forge","#;
        assert_eq!(forge, written.replace(r#""product":"jira","#, member));
        assert_eq!(Delivery::from_message(&forge).unwrap().sender, Sender::Forge);
        assert_eq!(Delivery::from_message(written).unwrap().sender, Sender::Connect);
        let located = Delivery { base_url: Some(url.into()), ..plain }.to_message();
        let member = format!(r#""tenant":"tenant","baseUrl":"{url}","#);
        assert_eq!(located, written.replace(r#""tenant":"tenant","#, &member));
        let located = Delivery::from_message(&located).unwrap();
        assert_eq!(located.site().base_url, Some("https://demo.atlassian.net"));
        assert_eq!(Delivery::from_message(written).unwrap().site().base_url, None);

        let compressed = concat!(
            r#"{"version":2,"deflate":"NZDdTsQgFIRfZXOuiyldrZY7Ex/BK2PinsKpi9uCoT+m2fTdHfaHcHEy"#,
            "M/ANnGmRNPoYyOiCvCNDtuauYVur57bWSmupVcOPWjV7eXHCrhXpqCBZJEyI//jExo/jLF82CU/iYP6m6GZ7",
            "tyFMEvgSvw0FJbHiF3GvWa3KqgZKVft3XZoy74enD6T+pD3GeCJzRjkAfecl4YCmDRROPIzZm4QHqJ9zh2Vj",
            "kmyjjfPhG/oc8sxtL/nK4wppQGWYO9zXu93hJOsh9+a1j4xfAC4/6cq98ApCBtObAnvb/gE=",
            r#""}"#,
        );
        let Ok(QueueMessage::Delivery(read)) = QueueMessage::open(compressed) else {
            panic!("{compressed}")
        };
        let body = r#"{"issue":{"id":"1","key":"D-1"}}"#;
        assert_eq!((read.id, read.payload.as_str()), (delivery("").id, body));

        let text = delivery(body).to_message();
        let written = concat!(
            r#"{"version":3,"stored":{"object":"#,
            r#""bodies/2026-11-23/c6af9ac6-7b61-11e6-9a41-93e8deadbeef","#,
            r#""sha256":"29ca1d1cc2f4eea9be3c2446787530bf3bf49c1118b91d6638869d547850ce8b"}}"#,
        );
        assert_eq!(ObjectRef::of(&delivery(body), &text).to_message(), written);
        let Ok(QueueMessage::ObjectRef(stored)) = QueueMessage::open(written) else {
            panic!("{written}")
        };
        assert_eq!(stored.delivery(text.as_bytes()).unwrap().payload.as_str(), body);
    }

    #[test]
    fn compresses_long_deliveries_and_returns_those_still_too_long() {
        let body = format!("{{\"text\": \"{}\"}}", "lorem ipsum ".repeat(1_000));
        let sent = delivery(&body);
        let text = sent.to_message();
        let message = |limit| match encode(&sent, limit) {
            Encoded::Message(message) => Ok(message),
            Encoded::TooLong { bytes, text } => Err((bytes, text)),
        };
        assert_eq!(message(text.len()), Ok(text.clone()));
        let compressed = message(text.len() - 1).unwrap();
        assert!(compressed.starts_with(r#"{"version":2,"deflate":""#), "{compressed}");
        assert_eq!(message(compressed.len()), Ok(compressed.clone()));
        assert_eq!(message(compressed.len() - 1), Err((compressed.len(), text)));
    }

    #[test]
    fn carries_every_body_byte_for_byte() {
        for body in [
            "",
            "null",
            "{}",
            " {\"a\" : 1.10,\r\n\t\"a\": 123456789012345678901234567890 }\n",
            "{\"spaced\" :  [ 1.0e5 , -0 ] , \"unknown\":{}}",
            "\"\u{FFFE} and \u{FFFF}\"",
            r#""\uFFFE \ud83d\ude00 \u0000""#,
            "[\"\u{7f}\u{2028}\u{10FFFF}\"]",
        ] {
            let message = delivery(body).to_message();
            assert!(!message.contains(['\u{FFFE}', '\u{FFFF}']), "{body:?}");
            let read = Delivery::from_message(&message).unwrap();
            assert_eq!(read.payload.as_str(), body);
        }
    }

    #[test]
    fn carries_a_long_body_compressed() {
        let body = format!("{{\"text\": \"{}\u{FFFF}ключ\"}}", "lorem ipsum ".repeat(200_000));
        let Encoded::Message(message) = encode(&delivery(&body), body.len() / 100) else {
            panic!("it is not compressed")
        };
        assert!(message.is_ascii());
        assert_eq!(Delivery::from_message(&message).unwrap().payload.as_str(), body);
    }

    #[test]
    fn unpacks_no_more_than_there_can_be() {
        let bomb = compressed(&"0".repeat(packed::MAX_UNPACKED + 1));
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        let once = compressed(&delivery("{}").to_message());
        let twice = compressed(&once);
        let cut = once.replace("deflate\":\"", "deflate\":\"AAAA");
        for message in [&bomb, &cut] {
            let error = Delivery::from_message(message).unwrap_err();
            assert!(matches!(error, Unreadable::Damaged), "{error}");
        }
        let error = Delivery::from_message(&twice).unwrap_err();
        assert!(matches!(error, Unreadable::Version { version: 2 }), "{error}");
    }

    #[test]
    fn carries_everything_else() {
        let sent = delivery("{}");
        let read = Delivery::from_message(&sent.to_message()).unwrap();
        assert_eq!(
            (&read.id, &read.event, read.product, &read.tenant, read.received_at),
            (&sent.id, &sent.event, sent.product, &sent.tenant, sent.received_at),
        );
        assert_eq!(
            (read.webhook, read.params, read.reading),
            (sent.webhook, sent.params, sent.reading),
        );
    }

    #[test]
    fn reads_what_older_receivers_wrote_and_writes_what_older_handlers_read() {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Before {
            Read,
            Unreadable,
            Unknown,
        }
        let body = r#"{"issue":{"id":"1","key":"D-1","fields":{"summary":["x"]}},"user":true}"#;
        let payload = Payload::from_body(body.into()).unwrap();
        let partly = Reading::of(Product::Jira, &"jira:issue_created".into(), &payload);
        assert!(matches!(&partly, Reading::Partly(left_out) if left_out.paths().len() == 2));
        let why: Reading = Reading::Unreadable("missing field `key`".into());
        for reading in [Reading::Unread, Reading::Read, partly, why, Reading::Unknown] {
            let message = Delivery { reading: reading.clone(), ..delivery(body) }.to_message();
            assert_eq!(Delivery::from_message(&message).unwrap().reading, reading);
            let mut word = serde_json::from_str::<serde_json::Value>(&message).unwrap();
            // Absent, it was taken for `read`.
            let word = word.get_mut("reading").map_or("read".into(), serde_json::Value::take);
            let before = Before::deserialize(&word).unwrap();
            match reading {
                Reading::Unread | Reading::Read | Reading::Partly(_) => {
                    assert!(matches!(before, Before::Read))
                }
                Reading::Unreadable(_) => assert!(matches!(before, Before::Unreadable)),
                Reading::Unknown => assert!(matches!(before, Before::Unknown)),
            }
        }
        let message = delivery(body).to_message();
        let old = message.replace(r#","why":"missing field `key`""#, "");
        assert_ne!(old, message);
        let reading = Delivery::from_message(&old).unwrap().reading;
        assert_eq!(reading, Reading::Unreadable("".into()));
    }

    #[test]
    fn embeds_an_ordinary_payload_as_it_is() {
        let body = "{ \"issue\": {\"id\":\"1\"} }";
        let message = delivery(body).to_message();
        assert!(message.ends_with(&format!("\"payload\":{body}}}")), "{message}");
    }

    #[test]
    fn refuses_a_message_of_another_version_or_kind() {
        let newer = delivery("{}").to_message().replace("\"version\":1", "\"version\":4");
        let error = Delivery::from_message(&newer).unwrap_err();
        assert!(matches!(error, Unreadable::Version { version: 4 }), "{error}");
        for message in ["", "{}", "null", "{\"version\":1}", "hello"] {
            assert!(matches!(
                Delivery::from_message(message),
                Err(Unreadable::NotADelivery { .. })
            ));
        }
    }
}
