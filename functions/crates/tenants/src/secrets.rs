//! Encryption of tenants' secrets with AWS KMS.
//!
//! The encryption context names the app and the tenant (AWS Key Management Service Developer Guide,
//! "Encryption context"): KMS does not decrypt a value that was copied into another tenant's row,
//! and its audit log says for which tenant it decrypted. A secret is far below the four kilobytes
//! that KMS encrypts itself, so no data key is needed.
//!
//! The key costs $1 a month, and a million reads of tenants $3. [`Cached`](crate::Cached) makes
//! those reads rare.

use std::collections::HashMap;
use std::time::Duration;

use atlassian_connect::tenant::{ClientKey, SharedSecret};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_types::SdkConfig;

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
}

impl Secrets {
    /// Encryption with a KMS key for one app, or plaintext without a key.
    pub fn new(aws: &SdkConfig, key: Option<String>, app: impl Into<String>) -> Self {
        Self(key.map(|id| Key { client: Client::new(aws), id, app: app.into() }))
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
        secret.map(SharedSecret::new).map_err(|_| unreadable(NOT_TEXT.into()))
    }
}

impl Key {
    fn context(&self, tenant: &ClientKey) -> HashMap<String, String> {
        let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        HashMap::from([entry("app", &self.app), entry("clientKey", tenant.as_str())])
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
