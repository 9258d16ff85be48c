//! Deliveries: verified webhooks as the queue carries them, with the payload byte for byte.

mod mended;
mod packed;
mod stored;

pub use stored::{Parcel, Stored};

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::event::{self, EventName, FromPayload, LeftOut, Product, Reading};
use crate::tenant::ClientKey;

/// The bytes that a message leaves free below the limit of SQS, so that it also fits as a dead letter.
///
/// A dead letter also has the attributes of [`contract::message_attribute`], and SQS counts
/// names, types and values: up to 2000 bytes for the longest reason, and less than 200 for the
/// rest. The value is twice that, to leave room for future attributes.
pub const DEAD_LETTER_ROOM: usize = 4096;

/// A verified webhook on its way from a receiver to a handler.
///
/// The queue carries the payload as text, in a plain `Delivery`. For a handler that takes a type,
/// as in `Delivery<jira::IssueEvent>`, it is parsed. Both contain the original text.
#[derive(Clone, Debug)]
pub struct Delivery<T = ()> {
    /// The id of this delivery in logs: the request id of the receiver's invocation. When Jira
    /// repeats a webhook, the delivery has another id; see [`Webhook::identifier`].
    pub id: String,
    /// The event.
    pub event: EventName,
    /// The product that sent it.
    pub product: Product,
    /// The tenant whose secret signed it.
    pub tenant: ClientKey,
    /// When the receiver received it, by Lambda's clock.
    pub received_at: Timestamp,
    /// Atlassian's headers.
    pub webhook: Webhook,
    /// The `params` of the webhook's entry in the app descriptor.
    pub params: BTreeMap<String, String>,
    /// How well the payload could be read: by the receiver, and then as the type that the handler
    /// takes.
    pub reading: Reading,
    /// The body of the request.
    pub payload: Payload<T>,
}

/// Atlassian's headers of a webhook. Jira sends them; all are optional.
///
/// Atlassian's documentation, "Webhooks", section "Webhook delivery".
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Webhook {
    /// `X-Atlassian-Webhook-Identifier`: unique within the tenant, and the same for every attempt
    /// to deliver the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// `X-Atlassian-Webhook-Retry`: the number of earlier attempts, in decimal. Absent on the first
    /// attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// `X-Atlassian-Webhook-Flow`: `Primary` within 30 seconds of the change, `Secondary` within 15
    /// minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
}

impl Delivery {
    /// The version of an uncompressed message.
    pub const VERSION: u32 = 1;
    /// The version of a compressed message.
    pub const PACKED: u32 = 2;

    /// The identity of the webhook within its tenant: equal for deliveries of the same webhook, and
    /// for no others.
    ///
    /// It is Jira's identifier. A long one is hashed, because it becomes part of a database key and
    /// the sender chooses its length. Without an identifier, or with a blank one, a body that
    /// contains a `timestamp` is identified by its hash. Otherwise the identity is unique to the
    /// delivery, so it may be handled twice, but two webhooks are never merged.
    pub fn identity(&self) -> String {
        #[derive(Deserialize)]
        struct Timed {
            #[serde(rename = "timestamp")]
            _timestamp: u64,
        }
        let identifier = self.webhook.identifier.as_deref();
        if let Some(identifier) = identifier.filter(|identifier| !identifier.trim().is_empty()) {
            return if identifier.len() <= LONGEST_IDENTIFIER {
                format!("webhook {identifier}")
            } else {
                format!("webhook-sha256 {}", hash(identifier.as_bytes()))
            };
        }
        if self.payload.read::<Timed>().is_err() {
            return format!("delivery {}", self.id);
        }
        let text = format!("{}\n{}", self.event, self.payload.as_str());
        format!("body {}", hash(text.as_bytes()))
    }

    /// Serialises the delivery as a message body.
    ///
    /// The fields that were left out of the payload, and the reason why it could not be read, have
    /// members of their own, `leftOut` and `why`. Older handlers ignore them, and older messages
    /// without them can still be read.
    ///
    /// Amazon SQS refuses U+FFFE and U+FFFF (its API reference, `SendMessage`), which JSON allows
    /// in a string. They are written as escapes.
    pub fn to_message(&self) -> String {
        let (payload, payload_text) = match &self.payload.body {
            Body::Empty => (None, None),
            Body::Json(json) => (Some(&**json), None),
            Body::Text(text) => (None, Some(&**text)),
        };
        let message = serde_json::to_string(&WireRef {
            version: Self::VERSION,
            id: &self.id,
            event: &self.event,
            product: self.product,
            tenant: &self.tenant,
            received_at: self.received_at,
            webhook: &self.webhook,
            params: &self.params,
            reading: match self.reading {
                Reading::Read | Reading::Partly(_) => Word::Read,
                Reading::Unreadable(_) => Word::Unreadable,
                Reading::Unknown => Word::Unknown,
            },
            left_out: self.reading.left_out(),
            why: self.reading.why(),
            payload,
            payload_text,
        })
        .expect("strings, numbers and raw JSON always serialise");
        if message.contains(NONCHARACTERS) {
            message.replace('\u{FFFE}', r"\ufffe").replace('\u{FFFF}', r"\uffff")
        } else {
            message
        }
    }

    /// Serialises and compresses the delivery, for bodies that exceed the queue's limit.
    ///
    /// The message has a version of its own, so that a handler that does not know it fails.
    pub fn to_packed_message(&self) -> String {
        let deflate = packed::pack(&self.to_message());
        let message = serde_json::to_string(&Packed { version: Self::PACKED, deflate });
        message.expect("a number and a string always serialise")
    }

    /// Parses a message body, compressed or not.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if it is not a delivery, or has another version.
    pub fn from_message(message: &str) -> Result<Self, Unreadable> {
        match version(message)? {
            Self::VERSION => Self::from_plain_message(message),
            Self::PACKED => {
                let Packed { deflate, .. } =
                    serde_json::from_str(message).map_err(not_a_delivery)?;
                let message = packed::unpack(&deflate).ok_or(Unreadable::Damaged)?;
                // Compressed only once: nested compression is an attack.
                match version(&message)? {
                    Self::VERSION => Self::from_plain_message(&message),
                    version => Err(Unreadable::Version { version }),
                }
            }
            version => Err(Unreadable::Version { version }),
        }
    }

    fn from_plain_message(message: &str) -> Result<Self, Unreadable> {
        let wire: Wire = serde_json::from_str(message).map_err(not_a_delivery)?;
        Ok(Self {
            id: wire.id,
            event: wire.event,
            product: wire.product,
            tenant: wire.tenant,
            received_at: wire.received_at,
            webhook: wire.webhook,
            params: wire.params,
            reading: match (wire.reading, wire.left_out) {
                (Word::Read, Some(left_out)) => Reading::Partly(left_out),
                (Word::Read, None) => Reading::Read,
                (Word::Unreadable, _) => Reading::Unreadable(wire.why.unwrap_or_default()),
                (Word::Unknown, _) => Reading::Unknown,
            },
            payload: Payload::new(match (wire.payload, wire.payload_text) {
                (Some(json), _) => Body::Json(json),
                (None, Some(text)) => Body::Text(text),
                (None, None) => Body::Empty,
            }),
        })
    }

    /// Reads the payload as the type that a handler takes.
    ///
    /// # Errors
    ///
    /// [`event::Unreadable`] if the event has another payload type, or the body lacks what the type
    /// needs.
    pub fn read<T: FromPayload>(self) -> Result<Delivery<T>, event::Unreadable> {
        let mut reading = self.reading;
        let value = T::from_payload(self.product, &self.event, &self.payload, &mut reading)?;
        Ok(Delivery {
            id: self.id,
            event: self.event,
            product: self.product,
            tenant: self.tenant,
            received_at: self.received_at,
            webhook: self.webhook,
            params: self.params,
            reading,
            payload: Payload { body: self.payload.body, mended: self.payload.mended, value },
        })
    }
}

/// The body of a webhook: its JSON text, byte for byte, and the value that was parsed from it.
///
/// The text is empty if the descriptor's entry has `excludeBody`. A payload dereferences to the
/// value: `delivery.payload.issue.key`.
#[derive(Clone)]
pub struct Payload<T = ()> {
    body: Body,
    /// The text with lone surrogates replaced, if there are any.
    mended: OnceLock<Option<Box<str>>>,
    value: T,
}

impl Payload {
    /// Checks that the body of a request is JSON or empty.
    ///
    /// # Errors
    ///
    /// The position of the first error, if the body is neither empty nor JSON.
    pub fn from_body(body: String) -> Result<Self, NotJson> {
        if body.is_empty() {
            return Ok(Self::new(Body::Empty));
        }
        let json: &RawValue = serde_json::from_str(&body)
            .map_err(|error| NotJson { line: error.line(), column: error.column() })?;
        // Embedded as raw JSON, surrounding white space would be lost, `null` would read as absent,
        // and characters that SQS refuses would change their form. Such bodies are carried as a
        // string.
        let survives =
            json.get().len() == body.len() && json.get() != "null" && !body.contains(NONCHARACTERS);
        Ok(Self::new(if survives {
            Body::Json(RawValue::from_string(body).expect("parsed above"))
        } else {
            Body::Text(body.into())
        }))
    }

    fn new(body: Body) -> Self {
        Self { body, mended: OnceLock::new(), value: () }
    }
}

impl<T> Payload<T> {
    /// The value, without the text.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The body as it arrived, empty if there was none.
    pub fn as_str(&self) -> &str {
        match &self.body {
            Body::Empty => "",
            Body::Json(json) => json.get(),
            Body::Text(text) => text,
        }
    }

    /// The text that is parsed: the body, with each lone surrogate replaced by U+FFFD. Every other
    /// character has the same position as in the body.
    pub(crate) fn text(&self) -> &str {
        let mended = self.mended.get_or_init(|| mended::mended(self.as_str()));
        mended.as_deref().unwrap_or_else(|| self.as_str())
    }

    /// Parses the body as a type of your own, which can borrow from it.
    ///
    /// A lone surrogate, which JSON can write and Rust cannot represent, is read as U+FFFD.
    ///
    /// # Errors
    ///
    /// `serde_json`'s, with line and column.
    pub fn read<'a, U: Deserialize<'a>>(&'a self) -> serde_json::Result<U> {
        serde_json::from_str(self.text())
    }
}

impl<T> Deref for Payload<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Prints only the size, because a payload contains what users wrote.
impl<T> fmt::Debug for Payload<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_str().len())
    }
}

/// A body that is neither empty nor JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body is not JSON: line {line}, column {column}")]
pub struct NotJson {
    /// Where the first error is, from 1.
    pub line: usize,
    /// Where the first error is, from 1.
    pub column: usize,
}

/// Why a message cannot be read as a delivery.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The message was not written by a receiver, or is truncated.
    #[error("the message is not a delivery: line {line}, column {column}")]
    NotADelivery {
        /// Where the first error is, from 1.
        line: usize,
        /// Where the first error is, from 1.
        column: usize,
    },
    /// The message cannot be decompressed, or the object that it refers to was changed.
    #[error("what the message unpacks to, or names, is not what a receiver wrote")]
    Damaged,
    /// The reference points outside the key prefix that receivers write to.
    #[error("the message names an object that no receiver writes; find out who sent it")]
    Astray,
    /// The message has a newer version.
    #[error(
        "the delivery has version {version}, this handler reads up to version {}; \
         deploy the handlers before the receivers, then replay the dead-letter queue",
        Stored::VERSION
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

/// The maximum length of an identifier that is not hashed, in bytes. Jira's have 36 to 64. It
/// becomes part of the idempotency table's key, which can have 2048.
const LONGEST_IDENTIFIER: usize = 128;

/// SHA-256 in lower-case hexadecimal digits.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The two characters that JSON allows and SQS refuses.
const NONCHARACTERS: [char; 2] = ['\u{FFFE}', '\u{FFFF}'];

#[derive(Clone)]
enum Body {
    Empty,
    Json(Box<RawValue>),
    Text(Box<str>),
}

fn version(message: &str) -> Result<u32, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_str(message).map_err(not_a_delivery)?;
    Ok(version)
}

#[derive(Deserialize, Serialize)]
struct Packed {
    version: u32,
    /// Base64 of DEFLATE (RFC 1951) of a message.
    deflate: String,
}

/// The `reading` member of a message, in the words of every version of this code. Left out fields
/// are in a member of their own, which older handlers ignore.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    #[default]
    Read,
    Unreadable,
    Unknown,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireRef<'a> {
    version: u32,
    id: &'a str,
    event: &'a EventName,
    product: Product,
    tenant: &'a ClientKey,
    received_at: Timestamp,
    webhook: &'a Webhook,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: &'a BTreeMap<String, String>,
    reading: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a LeftOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_text: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: String,
    event: EventName,
    product: Product,
    tenant: ClientKey,
    received_at: Timestamp,
    webhook: Webhook,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    reading: Word,
    #[serde(default)]
    left_out: Option<LeftOut>,
    #[serde(default)]
    why: Option<Box<str>>,
    #[serde(default)]
    payload: Option<Box<RawValue>>,
    #[serde(default)]
    payload_text: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(body: &str) -> Delivery {
        Delivery {
            id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".into(),
            event: "jira:issue_created".into(),
            product: Product::Jira,
            tenant: ClientKey::new("tenant").unwrap(),
            received_at: "2026-11-23T10:00:00.5Z".parse().unwrap(),
            webhook: Webhook { identifier: Some("1".into()), ..Webhook::default() },
            params: [("team".into(), "\u{FFFF}core".into())].into(),
            reading: Reading::Unreadable("missing field `key`".into()),
            payload: Payload::from_body(body.into()).unwrap(),
        }
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
            assert!(!message.contains(NONCHARACTERS), "{body:?}");
            let read = Delivery::from_message(&message).unwrap();
            assert_eq!(read.payload.as_str(), body);
        }
    }

    #[test]
    fn carries_a_long_body_compressed() {
        let body = format!("{{\"text\": \"{}\u{FFFF}ключ\"}}", "lorem ipsum ".repeat(200_000));
        let message = delivery(&body).to_packed_message();
        assert!(message.len() < body.len() / 100, "{}", message.len());
        assert!(message.is_ascii());
        assert_eq!(Delivery::from_message(&message).unwrap().payload.as_str(), body);
    }

    #[test]
    fn unpacks_no_more_than_there_can_be() {
        let packed = |text: &str| {
            let deflate = packed::pack(text);
            serde_json::to_string(&Packed { version: Delivery::PACKED, deflate }).unwrap()
        };
        let bomb = packed(&"0".repeat(packed::MOST + 1));
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        let twice = packed(&delivery("{}").to_packed_message());
        let cut = delivery("{}").to_packed_message().replace("deflate\":\"", "deflate\":\"AAAA");
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
        for reading in [Reading::Read, partly, why, Reading::Unknown] {
            let message = Delivery { reading: reading.clone(), ..delivery(body) }.to_message();
            assert_eq!(Delivery::from_message(&message).unwrap().reading, reading);
            let word = serde_json::from_str::<serde_json::Value>(&message).unwrap();
            let before = Before::deserialize(&word["reading"]).unwrap();
            match reading {
                Reading::Read | Reading::Partly(_) => assert!(matches!(before, Before::Read)),
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
    fn takes_only_json() {
        for body in ["{", "{} {}", "nul", "\u{feff}{}", "a=b", "{\"a\":1,}"] {
            assert!(Payload::from_body(body.into()).is_err(), "{body}");
        }
        let error = Payload::from_body("{\n  \"secret\": s3cr3t}".into()).unwrap_err();
        assert_eq!(error.to_string(), "the body is not JSON: line 2, column 13");
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

    #[test]
    fn is_known_by_its_identifier_if_that_says_anything() {
        let identity = |identifier: Option<&str>, body: &str| {
            let webhook = Webhook { identifier: identifier.map(str::to_owned), ..<_>::default() };
            Delivery { webhook, ..delivery(body) }.identity()
        };
        let (one, two) = (r#"{"timestamp":1}"#, r#"{"timestamp":2}"#);
        assert_eq!(identity(Some("1"), one), identity(Some("1"), two));
        for nothing in [None, Some(""), Some(" \t")] {
            assert_eq!(identity(nothing, one), identity(None, one), "{nothing:?}");
            assert_ne!(identity(nothing, one), identity(nothing, two), "{nothing:?}");
        }
        let kept = "x".repeat(LONGEST_IDENTIFIER);
        assert_eq!(identity(Some(&kept), one), format!("webhook {kept}"));
        let long = |end: &str| identity(Some(&format!("{kept}{end}")), one);
        assert!(long("y").len() < 100, "{}", long("y"));
        assert_eq!(long("y"), long("y"));
        assert_ne!(long("y"), long("z"));
        // Nobody can send the short one that a long one would be known by.
        let hashed = long("y");
        let digest = hashed.strip_prefix("webhook-sha256 ").unwrap();
        for literal in [&hashed, digest, &format!("-sha256 {digest}")] {
            assert_ne!(identity(Some(literal), one), hashed);
        }
    }

    #[test]
    fn prints_no_payload() {
        let printed = format!("{:?}", delivery("{\"summary\":\"personal\"}"));
        assert!(!printed.contains("personal"), "{printed}");
    }
}
