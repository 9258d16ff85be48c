//! References to deliveries in a bucket (the claim check pattern).

use contract::bodies_bucket::PREFIX;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{Delivery, Unreadable, hash};

/// A reference to a delivery stored in S3. The bucket comes from configuration, never from the
/// message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ObjectRef {
    object: String,
    sha256: String,
}

impl ObjectRef {
    /// The reference to a delivery whose serialised form is `text`.
    pub fn of(delivery: &Delivery, text: &str) -> Self {
        let day = delivery.received_at.strftime("%F");
        let object = format!("{}{day}/{}", PREFIX, delivery.id);
        Self { object, sha256: hash(text.as_bytes()) }
    }

    /// The key of the object.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The SHA-256 of the object, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Reads the delivery from the stored object.
    ///
    /// # Errors
    ///
    /// Returns [`Unreadable::Damaged`] if the object does not match the hash.
    pub fn delivery(&self, object: &[u8]) -> Result<Delivery, Unreadable> {
        if !bool::from(hash(object).as_bytes().ct_eq(self.sha256.as_bytes())) {
            return Err(Unreadable::Damaged);
        }
        let text = std::str::from_utf8(object).map_err(|_| Unreadable::Damaged)?;
        Delivery::from_plain_message(text)
    }

    /// Refuses a reference to where no receiver writes.
    pub(super) fn check(self) -> Result<Self, Unreadable> {
        if self.is_ours() { Ok(self) } else { Err(Unreadable::ForeignReference) }
    }

    /// Whether the key is one that receivers write.
    fn is_ours(&self) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let segments = self.object.strip_prefix(PREFIX).map(|rest| rest.split('/'));
        segments.is_some_and(|segments| {
            segments.clone().count() == 2
                && segments.into_iter().all(|part| !part.is_empty() && part.chars().all(plain))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::QueueMessage;
    use super::*;

    #[test]
    fn follows_no_reference_outside_the_receivers_prefix() {
        for object in [
            "",
            "bodies/",
            "bodies/x",
            "bodies//x",
            "bodies/../x",
            "bodies/x/..",
            "other/x/y",
            "/bodies/x/y",
            "bodies/x/y/z",
            "bodies/x/y?versionId=1",
            "bodies/x/%2e",
            "bodies\\x\\y",
        ] {
            let stored = ObjectRef { object: object.into(), sha256: String::new() };
            let error = QueueMessage::open(&stored.to_message()).unwrap_err();
            assert!(matches!(error, Unreadable::ForeignReference), "{object}: {error}");
        }
        let stored = ObjectRef { object: "bodies/2026-11-24/a-1".into(), sha256: String::new() };
        assert!(matches!(QueueMessage::open(&stored.to_message()), Ok(QueueMessage::ObjectRef(_))));
        assert!(matches!(stored.delivery(b"{}"), Err(Unreadable::Damaged)));
    }
}
