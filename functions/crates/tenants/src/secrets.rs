//! The encryption of tenants' secrets.
//!
//! AES-256-GCM encrypts a secret, with a data key that many rows share, and AWS KMS encrypts the data
//! key (envelope encryption: AWS Key Management Service Developer Guide, "Data keys"). A function asks
//! KMS once for a data key, and not once for each tenant. [`Table`](crate::Table) keeps the encrypted
//! data keys in rows of their own.
//!
//! Releases before data keys had KMS encrypt each secret. Such values are still read, and replaced when
//! their tenant installs the app again.
//!
//! The encryption context names the app, and the data key or the tenant: KMS does not decrypt a value
//! that was copied into another row.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_types::SdkConfig;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::RowKey;
use crate::kms::{Context, Failed, Kms};
use crate::sealed::DataKeyName;

/// The encryption of secrets in the table.
#[derive(Clone, Debug)]
pub struct Secrets(Option<Key>);

/// The KMS key of one app, and what it has decrypted.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    kms: Kms,
    app: String,
    decrypted: Arc<Mutex<Decrypted>>,
}

/// What KMS encrypts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// A data key.
    DataKey(&'a DataKeyName),
    /// The secret of a tenant, in the form of earlier releases.
    Secret(&'a RowKey),
}

/// What KMS has decrypted.
pub(crate) type Plaintext = Arc<Zeroizing<Vec<u8>>>;

impl Secrets {
    /// How long a decrypted data key is used. A KMS key that is disabled, or whose use is denied, has no
    /// effect on it before.
    pub const LIFETIME: Duration = Duration::from_secs(60 * 60);
    /// The maximum number of decrypted values. Secrets of earlier releases count as well. They take a
    /// few megabytes.
    pub const MAX_DECRYPTED: usize = 10_000;

    /// Encryption with a KMS key for one app, or plaintext without a key.
    pub fn new(aws: &SdkConfig, key: Option<String>, app: impl Into<String>) -> Self {
        Self(key.map(|key| Key {
            kms: Kms::new(aws, key),
            app: app.into(),
            decrypted: Arc::default(),
        }))
    }

    pub(crate) fn key(&self) -> Option<&Key> {
        self.0.as_ref()
    }
}

impl Key {
    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// Makes a data key, and returns it encrypted and in plaintext.
    pub(crate) async fn generate(
        &self,
        name: &DataKeyName,
    ) -> Result<(Vec<u8>, Plaintext), runtime::Error> {
        let subject = Subject::DataKey(name);
        let generated = self.kms.generate_data_key(self.context(subject)).await?;
        Ok((generated.ciphertext, Arc::new(generated.plaintext)))
    }

    /// Decrypts a ciphertext, or remembers what it was.
    pub(crate) async fn decrypt(
        &self,
        subject: Subject<'_>,
        ciphertext: &[u8],
    ) -> Result<Plaintext, Failed> {
        let now = Timestamp::now();
        if let Some(known) = self.decrypted().get(subject.name(), Some(ciphertext), now) {
            return Ok(known);
        }
        let plaintext = self.kms.decrypt(ciphertext, self.context(subject)).await?;
        let plaintext = Arc::new(plaintext);
        self.remember(subject, ciphertext, &plaintext);
        Ok(plaintext)
    }

    /// A data key that is known, whatever its row says now.
    pub(crate) fn known(&self, name: &DataKeyName) -> Option<Plaintext> {
        self.decrypted().get(name.as_str(), None, Timestamp::now())
    }

    /// Remembers what a ciphertext is.
    pub(crate) fn remember(&self, subject: Subject<'_>, ciphertext: &[u8], plaintext: &Plaintext) {
        let plaintext = Arc::clone(plaintext);
        self.decrypted().insert(subject.name(), ciphertext, plaintext, Timestamp::now());
    }

    fn context(&self, subject: Subject<'_>) -> Context {
        let kind = match subject {
            Subject::DataKey(_) => "dataKey",
            Subject::Secret(_) => "clientKey",
        };
        let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        HashMap::from([entry("app", &self.app), entry(kind, subject.name())])
    }

    fn decrypted(&self) -> std::sync::MutexGuard<'_, Decrypted> {
        self.decrypted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject<'_> {
    /// The name of the row. A data key has none that a tenant can have.
    fn name(&self) -> &str {
        match self {
            Self::DataKey(name) => name.as_str(),
            Self::Secret(tenant) => tenant.as_str(),
        }
    }
}

/// What KMS has decrypted, by the name of its row. A ciphertext counts for the row alone with whose
/// context it was decrypted, so a copy of it in another row is still for KMS to refuse.
#[derive(Default)]
struct Decrypted(HashMap<String, Known>);

struct Known {
    ciphertext: Vec<u8>,
    plaintext: Plaintext,
    until: Timestamp,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decrypted({} redacted)", self.0.len())
    }
}

impl Decrypted {
    /// The plaintext of a row, if it is of this ciphertext.
    fn get(&self, name: &str, ciphertext: Option<&[u8]>, now: Timestamp) -> Option<Plaintext> {
        let known = self.0.get(name)?;
        let is_it = ciphertext.is_none_or(|ciphertext| ciphertext == known.ciphertext);
        (is_it && now < known.until).then(|| Arc::clone(&known.plaintext))
    }

    fn insert(&mut self, name: &str, ciphertext: &[u8], plaintext: Plaintext, now: Timestamp) {
        if self.0.len() >= Secrets::MAX_DECRYPTED {
            self.0.retain(|_, known| now < known.until);
            // Otherwise every secret would search again.
            if self.0.len() > Secrets::MAX_DECRYPTED / 2 {
                self.0.clear();
            }
        }
        let until = now + Secrets::LIFETIME;
        let known = Known { ciphertext: ciphertext.to_vec(), plaintext, until };
        self.0.insert(name.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn plaintext() -> Plaintext {
        Arc::new(Zeroizing::new(b"s3cr3t".to_vec()))
    }

    #[test]
    fn remembers_a_ciphertext_for_its_row_and_for_an_hour() {
        let mut decrypted = Decrypted::default();
        decrypted.insert("a", b"sealed", plaintext(), at(0));
        let get = |name: &str, ciphertext: Option<&[u8]>, seconds| {
            decrypted.get(name, ciphertext, at(seconds)).map(|known| known.to_vec())
        };
        assert_eq!(get("a", Some(b"sealed"), 3599).as_deref(), Some(&b"s3cr3t"[..]));
        assert_eq!(get("a", None, 3599).as_deref(), Some(&b"s3cr3t"[..]));
        assert_eq!(get("a", Some(b"sealed"), 3600), None);
        assert_eq!(get("a", None, 3600), None);
        // Another row, and the same row with another ciphertext.
        assert_eq!(get("b", Some(b"sealed"), 0), None);
        assert_eq!(get("a", Some(b"sealed again"), 0), None);
        let printed = format!("{decrypted:?}");
        assert_eq!(printed, "Decrypted(1 redacted)");
    }

    #[test]
    fn keeps_a_bounded_number() {
        let mut decrypted = Decrypted::default();
        for number in 0..=Secrets::MAX_DECRYPTED {
            let name = format!("tenant-{number}");
            decrypted.insert(&name, b"sealed", plaintext(), at(0));
            assert!(decrypted.0.len() <= Secrets::MAX_DECRYPTED);
            assert!(decrypted.get(&name, Some(b"sealed"), at(1)).is_some());
        }
    }
}
