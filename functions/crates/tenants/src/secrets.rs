//! Encryption of tenants' secrets with AWS KMS.
//!
//! The encryption context names the app and the tenant (AWS Key Management Service Developer Guide,
//! "Encryption context"): KMS does not decrypt a value that was copied into another tenant's row,
//! and its audit log says for which tenant it decrypted. A secret is far below the four kilobytes
//! that KMS encrypts itself, so no data key is needed.
//!
//! The key costs $1 a month, and a million decryptions $3. So a decrypted secret is remembered with
//! its ciphertext: as long as a tenant's row still has that ciphertext, reading the row again asks
//! KMS for nothing. An uninstall or a new secret takes effect with the row, as before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlassian_connect::tenant::{ClientKey, SharedSecret};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_types::SdkConfig;
use jiff::Timestamp;

use crate::Unavailable;

/// The encryption of secrets in the table.
#[derive(Clone, Debug)]
pub struct Secrets(Option<Key>);

/// The KMS key of one app.
#[derive(Clone, Debug)]
struct Key {
    client: Client,
    id: String,
    app: String,
    decrypted: Arc<Mutex<Decrypted>>,
}

impl Secrets {
    /// How long a decrypted secret is used. A key that is disabled, or whose use is denied, has no
    /// effect on it before.
    pub const LIFETIME: Duration = Duration::from_secs(60 * 60);
    /// The maximum number of decrypted secrets. They take a few megabytes.
    pub const MAX_DECRYPTED: usize = 10_000;

    /// Encryption with a KMS key for one app, or plaintext without a key.
    pub fn new(aws: &SdkConfig, key: Option<String>, app: impl Into<String>) -> Self {
        Self(key.map(|id| Key {
            client: Client::new(aws),
            id,
            app: app.into(),
            decrypted: Arc::default(),
        }))
    }

    /// Opens the connection, as [`Table::warm_up`](crate::Table::warm_up) does.
    pub async fn warm_up(&self) {
        if let Some(Key { client, id, .. }) = &self.0 {
            let description = client.describe_key().key_id(id).send();
            let _ = tokio::time::timeout(Duration::from_secs(1), description).await;
        }
    }

    /// Encrypts a secret for the table.
    pub(crate) async fn seal(
        &self,
        secret: &SharedSecret,
        tenant: &ClientKey,
    ) -> Result<AttributeValue, Unavailable> {
        let Some(key) = &self.0 else {
            return Ok(AttributeValue::S(secret.expose().into()));
        };
        let encrypted = key
            .client
            .encrypt()
            .key_id(&key.id)
            .plaintext(Blob::new(secret.expose()))
            .set_encryption_context(Some(key.context(tenant)))
            .send()
            .await
            .map_err(|error| Unavailable::Key(error.into()))?;
        let blob = encrypted.ciphertext_blob.ok_or(Unavailable::Key(INCOMPLETE.into()))?;
        Ok(AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(blob.into_inner())))
    }

    /// Decrypts a stored secret.
    ///
    /// If there is a key, a plaintext value is refused. Otherwise anyone who can write to the
    /// table, without access to the key, could choose a tenant's secret.
    pub(crate) async fn open(
        &self,
        stored: &AttributeValue,
        tenant: &ClientKey,
    ) -> Result<SharedSecret, Unavailable> {
        let unreadable =
            |source: runtime::Error| Unavailable::Secret { tenant: tenant.clone(), source };
        let (key, blob) = match (&self.0, stored) {
            (None, AttributeValue::S(secret)) => return Ok(SharedSecret::new(secret)),
            (Some(key), AttributeValue::B(blob)) => (key, blob),
            (None, _) => return Err(unreadable(NO_KEY.into())),
            (Some(_), _) => return Err(unreadable(PLAINTEXT.into())),
        };
        let now = Timestamp::now();
        if let Some(secret) = key.decrypted().get(tenant, blob.as_ref(), now) {
            return Ok(secret);
        }
        let decrypted = key
            .client
            .decrypt()
            // Not the key that the ciphertext names.
            .key_id(&key.id)
            .ciphertext_blob(Blob::new(blob.as_ref()))
            .set_encryption_context(Some(key.context(tenant)))
            .send()
            .await
            .map_err(|error| match &error {
                SdkError::ServiceError(answer) if is_unreadable(answer.err()) => {
                    unreadable(error.into())
                }
                _ => Unavailable::Key(error.into()),
            })?;
        let plaintext = decrypted.plaintext.ok_or(Unavailable::Key(INCOMPLETE.into()))?;
        let secret = String::from_utf8(plaintext.into_inner());
        // Without its source, which would hold the bytes.
        let secret = secret.map(SharedSecret::new).map_err(|_| unreadable(NOT_TEXT.into()))?;
        key.decrypted().insert(tenant, blob.as_ref(), secret.clone(), now);
        Ok(secret)
    }
}

impl Key {
    fn context(&self, tenant: &ClientKey) -> HashMap<String, String> {
        let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        HashMap::from([entry("app", &self.app), entry("clientKey", tenant.as_str())])
    }

    fn decrypted(&self) -> std::sync::MutexGuard<'_, Decrypted> {
        self.decrypted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secrets that KMS has decrypted. A ciphertext counts for the tenant alone with whose context it
/// was decrypted, so a copy of it in another tenant's row is still for KMS to refuse.
#[derive(Debug, Default)]
struct Decrypted(HashMap<(ClientKey, Vec<u8>), (SharedSecret, Timestamp)>);

impl Decrypted {
    fn get(&self, tenant: &ClientKey, blob: &[u8], now: Timestamp) -> Option<SharedSecret> {
        let (secret, until) = self.0.get(&(tenant.clone(), blob.to_vec()))?;
        (now < *until).then(|| secret.clone())
    }

    fn insert(&mut self, tenant: &ClientKey, blob: &[u8], secret: SharedSecret, now: Timestamp) {
        if self.0.len() >= Secrets::MAX_DECRYPTED {
            self.0.retain(|_, (_, until)| now < *until);
            // Otherwise every secret would search again.
            if self.0.len() > Secrets::MAX_DECRYPTED / 2 {
                self.0.clear();
            }
        }
        self.0.insert((tenant.clone(), blob.to_vec()), (secret, now + Secrets::LIFETIME));
    }
}

/// Whether the value can never be decrypted, so that another request would not help.
fn is_unreadable(error: &DecryptError) -> bool {
    error.is_invalid_ciphertext_exception() || error.is_incorrect_key_exception()
}

const INCOMPLETE: &str = "the response of KMS is incomplete; try again later";
const NO_KEY: &str =
    "the secret is encrypted and TENANTS_KEY is not set; set it to the key of the template";
const PLAINTEXT: &str = "the secret is stored as plaintext although TENANTS_KEY is set";
const NOT_TEXT: &str = "the decrypted secret is not UTF-8";

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(key: &str) -> ClientKey {
        ClientKey::new(key).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn remembers_a_ciphertext_for_its_tenant_and_for_an_hour() {
        let mut decrypted = Decrypted::default();
        decrypted.insert(&tenant("a"), b"sealed", SharedSecret::new("s3cr3t"), at(0));
        let get = |key: &str, blob: &[u8], seconds| {
            let found = decrypted.get(&tenant(key), blob, at(seconds));
            found.map(|secret| secret.expose().to_owned())
        };
        assert_eq!(get("a", b"sealed", 3599).as_deref(), Some("s3cr3t"));
        assert_eq!(get("a", b"sealed", 3600), None);
        // A row of another tenant, and the same row with another secret.
        assert_eq!(get("b", b"sealed", 0), None);
        assert_eq!(get("a", b"sealed again", 0), None);
        assert!(!format!("{decrypted:?}").contains("s3cr3t"));
    }

    #[test]
    fn keeps_a_bounded_number() {
        let mut decrypted = Decrypted::default();
        for number in 0..=Secrets::MAX_DECRYPTED {
            let tenant = tenant(&format!("tenant-{number}"));
            decrypted.insert(&tenant, b"sealed", SharedSecret::new("s3cr3t"), at(0));
            assert!(decrypted.0.len() <= Secrets::MAX_DECRYPTED);
            assert!(decrypted.get(&tenant, b"sealed", at(1)).is_some());
        }
    }
}
