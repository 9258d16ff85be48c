//! The calls of AWS KMS.

use std::collections::HashMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use aws_types::SdkConfig;
use zeroize::Zeroizing;

/// The encryption context of a ciphertext (AWS Key Management Service Developer Guide, "Encryption
/// context").
pub(crate) type Context = HashMap<String, String>;

/// A KMS key.
#[derive(Clone, Debug)]
pub(crate) struct Kms {
    client: Client,
    key: String,
}

/// A data key that KMS has made.
pub(crate) struct Generated {
    /// The data key itself.
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    /// The data key, encrypted with the KMS key.
    pub(crate) ciphertext: Vec<u8>,
}

/// Why KMS decrypted nothing.
pub(crate) enum Failed {
    /// The ciphertext is not of this key and context, so that another request would not help.
    Unreadable(runtime::Error),
    /// KMS did not answer, or refused.
    Unavailable(runtime::Error),
}

impl Kms {
    pub(crate) fn new(aws: &SdkConfig, key: String) -> Self {
        Self { client: Client::new(aws), key }
    }

    /// Makes a data key of 256 bits.
    pub(crate) async fn generate_data_key(
        &self,
        context: Context,
    ) -> Result<Generated, runtime::Error> {
        let generated = self
            .client
            .generate_data_key()
            .key_id(&self.key)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context))
            .send()
            .await?;
        match (generated.plaintext, generated.ciphertext_blob) {
            (Some(plaintext), Some(ciphertext)) => Ok(Generated {
                plaintext: Zeroizing::new(plaintext.into_inner()),
                ciphertext: ciphertext.into_inner(),
            }),
            _ => Err(INCOMPLETE.into()),
        }
    }

    /// Decrypts what this key encrypted with the same context.
    pub(crate) async fn decrypt(
        &self,
        ciphertext: &[u8],
        context: Context,
    ) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let decrypted = self
            .client
            .decrypt()
            // Not the key that the ciphertext names.
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(ciphertext))
            .set_encryption_context(Some(context))
            .send()
            .await
            .map_err(|error| match &error {
                SdkError::ServiceError(answer) if is_unreadable(answer.err()) => {
                    Failed::Unreadable(error.into())
                }
                _ => Failed::Unavailable(error.into()),
            })?;
        let plaintext = decrypted.plaintext.ok_or(Failed::Unavailable(INCOMPLETE.into()))?;
        Ok(Zeroizing::new(plaintext.into_inner()))
    }
}

fn is_unreadable(error: &DecryptError) -> bool {
    error.is_invalid_ciphertext_exception() || error.is_incorrect_key_exception()
}

const INCOMPLETE: &str = "the response of KMS is incomplete; try again later";
