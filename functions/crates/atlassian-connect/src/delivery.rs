//! What travels through the queue: one webhook, verified, with its payload byte for byte.

mod packed;
mod stored;
mod wire;

pub use stored::Stored;
pub use wire::{Encoded, Parcel, Unreadable, encode};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{self, EventName, FromPayload, Product, Reading};
use crate::payload::Payload;
use crate::tenant::ClientKey;

/// The bytes that a message leaves free below what SQS takes, so that it fits as a dead letter too.
///
/// A dead letter has the attributes of [`contract::message_attribute`] besides, and SQS counts names, types and
/// values: up to 2000 bytes for the longest reason, and less than 200 for the rest. It is twice as
/// much, for attributes that come later.
pub const DEAD_LETTER_ROOM: usize = 4096;

/// One verified webhook on its way from a receiver to a handler.
///
/// Its payload travels unread, as in `Delivery`, and is read for a handler that asks for a type, as
/// in `Delivery<jira::IssueEvent>`. The text of the payload stays with it either way.
#[derive(Clone, Debug)]
pub struct Delivery<T = ()> {
    /// Names this delivery in logs: the request id of the receiver's invocation. Another attempt of
    /// Jira's to deliver the same webhook has another id; see [`Webhook::identifier`].
    pub id: String,
    /// Which event it is.
    pub event: EventName,
    /// The product that sent it.
    pub product: Product,
    /// The tenant whose secret signed it.
    pub tenant: ClientKey,
    /// When the receiver took it, by Lambda's clock.
    pub received_at: Timestamp,
    /// What Atlassian's headers said about it.
    pub webhook: Webhook,
    /// The `params` of the webhook's entry in the app descriptor.
    pub params: BTreeMap<String, String>,
    /// How the payload was read: by the receiver, and as what the handler asks for by the handler.
    pub reading: Reading,
    /// The body of the request.
    pub payload: Payload<T>,
}

/// What Atlassian's headers say about a webhook. Jira sends them; all are optional.
///
/// Atlassian's documentation, "Webhooks", section "Webhook delivery".
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Webhook {
    /// `X-Atlassian-Webhook-Identifier`: unique within the tenant, and the same for each attempt to
    /// deliver the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// `X-Atlassian-Webhook-Retry`: how many attempts came before, as a decimal number. Absent on
    /// the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// `X-Atlassian-Webhook-Flow`: `Primary` within 30 seconds of the change, `Secondary` within 15
    /// minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
}

impl Delivery {
    /// What this delivery has in common with another of the same webhook, and with no other, within
    /// its tenant.
    ///
    /// Jira says so, with the identifier, of which a long one is hashed: it becomes part of a key,
    /// and only whoever holds a tenant's secret bounds its length. A blank one says nothing. Where
    /// nothing says so, a body with a `timestamp` is one of its kind, and stands for itself by its
    /// hash. Else a delivery is like no other: rather handle one twice than take two for one.
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

    /// Reads the payload as what a handler asks for.
    ///
    /// # Errors
    ///
    /// [`event::Unreadable`] if it is the payload of another event, or none of its form.
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
            payload: self.payload.with(value),
        })
    }
}

/// The longest identifier that is kept as it is, in bytes. Jira's have 36 to 64; the key of the table
/// of what was handled, which it becomes a part of, may have 2048.
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
            tenant: ClientKey::new("tenant").unwrap(),
            received_at: "2026-11-23T10:00:00.5Z".parse().unwrap(),
            webhook: Webhook { identifier: Some("1".into()), ..Webhook::default() },
            params: [("team".into(), "\u{FFFF}core".into())].into(),
            reading: Reading::Unreadable("missing field `key`".into()),
            payload: Payload::from_body(body.into()).unwrap(),
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
