//! Deliveries: verified webhooks as the queue carries them, with the payload byte for byte.

mod packed;
mod stored;
mod wire;

pub use stored::ObjectRef;
pub use wire::{Encoded, QueueMessage, Unreadable, encode};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{self, EventName, FromPayload, Product, Reading};
use crate::lifecycle::Callback;
use crate::payload::Payload;
use crate::tenant::ClientKey;

/// The bytes that a message leaves free below the limit of SQS, so that it also fits as a dead
/// letter.
///
/// A dead letter also has the attributes of [`contract::message_attribute`], and SQS counts names,
/// types and values: up to 2000 bytes for the longest reason, and less than 200 for the rest. The
/// value is twice that, to leave room for future attributes.
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
    /// How the product sent it, and thereby how it was verified.
    pub sender: Sender,
    /// The tenant: the client key of a Connect app's installation, the id of a Forge app's, or the
    /// name of the site whose secret signed it.
    pub tenant: ClientKey,
    /// The base URL of the tenant's site. `None` in a message of a receiver that did not pass it on.
    pub base_url: Option<String>,
    /// When the receiver received it, by Lambda's clock.
    pub received_at: Timestamp,
    /// Atlassian's headers.
    pub webhook: Webhook,
    /// The `params` of the webhook's entry in the app descriptor.
    pub params: BTreeMap<String, String>,
    /// How well the payload could be read as the type that the handler takes.
    pub reading: Reading,
    /// The body of the request.
    pub payload: Payload<T>,
}

/// The ways in which products send events.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A webhook of a Connect app, with a token of the tenant.
    #[default]
    Connect,
    /// An event of a Forge app, with a Forge invocation token.
    Forge,
    /// A webhook that an administrator registered, with a signature of its body or, if an app
    /// registered it by OAuth 2.0, a token of the app.
    Signed,
}

impl Sender {
    /// The word for this sender in logs and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Forge => "forge",
            Self::Signed => "signed",
        }
    }
}

/// The site that a delivery comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Site<'a> {
    /// Its base URL, as in `https://example.atlassian.net/wiki`, without a slash at its end. `None`
    /// if the receiver did not know it, or is older than this field.
    pub base_url: Option<&'a str>,
    /// Its product.
    pub product: Product,
    /// Its client key.
    pub tenant: &'a ClientKey,
}

impl<T> Delivery<T> {
    /// The site that sent the webhook, as the queue carries it. Nothing is read for it.
    pub fn site(&self) -> Site<'_> {
        let base_url = self.base_url.as_deref().map(|url| url.trim_end_matches('/'));
        Site { base_url, product: self.product, tenant: &self.tenant }
    }
}

/// Atlassian's headers of a webhook. Jira sends them; all are optional.
///
/// Atlassian's documentation, "Webhooks", section "Webhook delivery".
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Webhook {
    /// `X-Atlassian-Webhook-Identifier`: unique within the tenant, and the same for every attempt
    /// to deliver the webhook. A lifecycle callback, which has no such header, is identified by its
    /// name and when its token was signed, in seconds since 1970.
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
        // A webhook cannot name itself like a callback, because no webhook has a callback's event.
        let kind = match (self.sender, Callback::parse(self.event.as_str())) {
            (Sender::Connect, Some(_)) => "callback",
            (Sender::Connect, None) => "webhook",
            (Sender::Forge, _) => "forge",
            (Sender::Signed, _) => "signed",
        };
        if let Some(identifier) = identifier.filter(|identifier| !identifier.trim().is_empty()) {
            return if identifier.len() <= LONGEST_IDENTIFIER {
                format!("{kind} {identifier}")
            } else {
                format!("{kind}-sha256 {}", hash(identifier.as_bytes()))
            };
        }
        if self.payload.read::<Timed>().is_err() {
            return format!("delivery {}", self.id);
        }
        let text = format!("{}\n{}", self.event, self.payload.as_str());
        format!("body {}", hash(text.as_bytes()))
    }

    /// Reads the payload as the type that a handler takes.
    ///
    /// # Errors
    ///
    /// Returns [`event::Unreadable`] if the event has another payload type, or the body lacks what
    /// the type needs.
    pub fn read<T: FromPayload>(self) -> Result<Delivery<T>, event::Unreadable> {
        let mut reading = self.reading;
        let value = T::from_payload(self.product, &self.event, &self.payload, &mut reading)?;
        Ok(Delivery {
            id: self.id,
            event: self.event,
            product: self.product,
            sender: self.sender,
            tenant: self.tenant,
            base_url: self.base_url,
            received_at: self.received_at,
            webhook: self.webhook,
            params: self.params,
            reading,
            payload: self.payload.with(value),
        })
    }
}

/// The maximum length of an identifier that is not hashed, in bytes. Jira's have 36 to 64. It
/// becomes part of the idempotency table's key, which can have 2048.
const LONGEST_IDENTIFIER: usize = 128;

/// SHA-256 in lower-case hexadecimal digits.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn delivery(body: &str) -> Delivery {
        Delivery {
            id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".into(),
            event: "jira:issue_created".into(),
            product: Product::Jira,
            sender: Sender::Connect,
            tenant: ClientKey::new("tenant").unwrap(),
            base_url: None,
            received_at: "2026-11-23T10:00:00.5Z".parse().unwrap(),
            webhook: Webhook { identifier: Some("1".into()), ..Webhook::default() },
            params: [("team".into(), "\u{FFFF}core".into())].into(),
            reading: Reading::Unreadable("missing field `key`".into()),
            payload: Payload::from_body(body.into()).unwrap(),
        }
    }

    #[test]
    fn is_identified_by_a_non_blank_identifier() {
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

    /// The senders choose their identifiers, and one of them must not suppress an event of another.
    #[test]
    fn senders_do_not_share_identities() {
        let of = |sender| Delivery { sender, ..delivery("{}") }.identity();
        let identities = [Sender::Connect, Sender::Forge, Sender::Signed].map(of);
        assert_eq!(identities, ["webhook 1", "forge 1", "signed 1"]);
    }

    #[test]
    fn prints_no_payload() {
        let printed = format!("{:?}", delivery("{\"summary\":\"personal\"}"));
        assert!(!printed.contains("personal"), "{printed}");
    }
}
