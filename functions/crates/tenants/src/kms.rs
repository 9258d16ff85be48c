//! The calls of AWS KMS (its API Reference, `GenerateDataKey` and `Decrypt`).

use std::collections::HashMap;

use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runtime::aws::signed::{self, Service};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The encryption context of a ciphertext (AWS Key Management Service Developer Guide, "Encryption
/// context").
pub(crate) type Context = HashMap<String, String>;

/// A KMS key.
#[derive(Clone, Debug)]
pub(crate) struct Kms {
    service: Service,
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

/// The answer to either call. Binary members are in base64.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    plaintext: Zeroizing<String>,
    #[serde(default)]
    ciphertext_blob: Option<String>,
}

impl Kms {
    pub(crate) fn new(aws: &SdkConfig, key: String) -> Self {
        Self { service: Service::at_region(aws, "KMS", "kms"), key }
    }

    /// Makes a data key of 256 bits.
    pub(crate) async fn generate_data_key(
        &self,
        context: Context,
    ) -> Result<Generated, runtime::Error> {
        let request = json!({
            "KeyId": self.key, "KeySpec": "AES_256", "EncryptionContext": context,
        });
        let answer = self.call("TrentService.GenerateDataKey", &request).await?;
        let answer = read(&answer)?;
        Ok(Generated {
            plaintext: decoded(&answer.plaintext)?,
            ciphertext: STANDARD.decode(answer.ciphertext_blob.ok_or(INCOMPLETE)?)?,
        })
    }

    /// Decrypts what this key encrypted with the same context.
    pub(crate) async fn decrypt(
        &self,
        ciphertext: &[u8],
        context: Context,
    ) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let request = json!({
            // Not the key that the ciphertext names.
            "KeyId": self.key,
            "CiphertextBlob": STANDARD.encode(ciphertext),
            "EncryptionContext": context,
        });
        let answer = self.call("TrentService.Decrypt", &request).await;
        let answer = answer.map_err(|failed| match &failed {
            signed::Failed::Refused(refused)
                if matches!(
                    refused.code.as_deref(),
                    Some("InvalidCiphertextException" | "IncorrectKeyException")
                ) =>
            {
                Failed::Unreadable(failed.into())
            }
            _ => Failed::Unavailable(failed.into()),
        })?;
        read(&answer).and_then(|answer| decoded(&answer.plaintext)).map_err(Failed::Unavailable)
    }

    async fn call(
        &self,
        operation: &str,
        request: &Value,
    ) -> Result<Zeroizing<Vec<u8>>, signed::Failed> {
        self.service.call_json(operation, request).await.map(Zeroizing::new)
    }
}

fn read(answer: &[u8]) -> Result<Answer, runtime::Error> {
    // The error of the parser could quote the answer.
    serde_json::from_slice(answer).map_err(|_| INCOMPLETE.into())
}

fn decoded(base64: &str) -> Result<Zeroizing<Vec<u8>>, runtime::Error> {
    STANDARD.decode(base64).map(Zeroizing::new).map_err(|_| INCOMPLETE.into())
}

const INCOMPLETE: &str = "the response of KMS is incomplete; try again later";
