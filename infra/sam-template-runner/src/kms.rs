//! A test double for KMS: encryption under one key, bound to the key id and the encryption context.
//!
//! AWS Key Management Service API Reference, `Encrypt`, `Decrypt` and `GenerateDataKey`, over AWS JSON
//! 1.1. As on AWS, a ciphertext cannot be decrypted with another key id or another encryption
//! context. Every key id is accepted.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A cipher with its key, which is kept in the state folder.
pub(crate) struct Kms {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Kms {
    /// Reads the key from a folder, or makes it there. Without a folder the key is new.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = folder else { return Self::of(&new_key()?) };
        let path = folder.join("kms.key");
        match std::fs::read(&path) {
            Ok(key) => Self::of(&key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = new_key()?;
                std::fs::write(&path, key)?;
                Self::of(&key)
            }
            Err(error) => Err(error),
        }
    }

    fn of(bytes: &[u8]) -> io::Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "kms.key is not a key"))?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    fn perform(&self, operation: &str, body: &[u8]) -> Result<Value, Refused> {
        let request: Request = serde_json::from_slice(body).map_err(|_| VALIDATION)?;
        let id = &request.key_id;
        match operation {
            "Encrypt" => {
                let plaintext = decoded(request.plaintext.as_deref())?;
                let sealed = self.seal(request.bound(), plaintext);
                Ok(json!({ "CiphertextBlob": STANDARD.encode(sealed), "KeyId": id }))
            }
            "Decrypt" => {
                let ciphertext = decoded(request.ciphertext_blob.as_deref())?;
                let opened = self.open_sealed(request.bound(), ciphertext)?;
                Ok(json!({ "Plaintext": STANDARD.encode(opened), "KeyId": id }))
            }
            "GenerateDataKey" => {
                let mut data_key = vec![0; request.data_key_len()?];
                self.random.fill(&mut data_key).expect("the operating system has randomness");
                let plaintext = STANDARD.encode(&data_key);
                let sealed = STANDARD.encode(self.seal(request.bound(), data_key));
                Ok(json!({ "CiphertextBlob": sealed, "Plaintext": plaintext, "KeyId": id }))
            }
            _ => Err(("UnknownOperationException", "the test double for KMS does not know it")),
        }
    }

    fn seal(&self, bound: Aad<Vec<u8>>, mut text: Vec<u8>) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).expect("the operating system has randomness");
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(unique, bound, &mut text)
            .expect("a secret is shorter than AES-GCM allows");
        [&nonce[..], &text].concat()
    }

    fn open_sealed(&self, bound: Aad<Vec<u8>>, mut sealed: Vec<u8>) -> Result<Vec<u8>, Refused> {
        if sealed.len() < NONCE_LEN {
            return Err(INVALID);
        }
        let mut text = sealed.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&sealed).map_err(|_| INVALID)?;
        let opened = self.key.open_in_place(nonce, bound, &mut text).map_err(|_| INVALID)?;
        Ok(opened.to_vec())
    }
}

/// Answers requests on the listener until `shutdown` completes.
pub(crate) async fn serve(
    listener: TcpListener,
    kms: Kms,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new().fallback_service(post(answer).with_state(Arc::new(kms)));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn answer(State(kms): State<Arc<Kms>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("TrentService."));
    let (status, body) = match kms.perform(operation.unwrap_or_default(), &body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err((kind, message)) => {
            (StatusCode::BAD_REQUEST, json!({ "__type": kind, "message": message }))
        }
    };
    let headers = [("content-type", "application/x-amz-json-1.1")];
    (status, headers, Json(body)).into_response()
}

fn new_key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
    Ok(key)
}

/// An error's type and message.
type Refused = (&'static str, &'static str);

const INVALID: Refused = ("InvalidCiphertextException", "the ciphertext is not of this key");
const VALIDATION: Refused = ("ValidationException", "the request is not what the API documents");

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    key_id: String,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
    #[serde(default)]
    plaintext: Option<String>,
    #[serde(default)]
    ciphertext_blob: Option<String>,
    #[serde(default)]
    key_spec: Option<String>,
    #[serde(default)]
    number_of_bytes: Option<usize>,
}

impl Request {
    /// What a ciphertext is bound to: the key, and the context in the order of its names.
    fn bound(&self) -> Aad<Vec<u8>> {
        Aad::from(json!([self.key_id, self.encryption_context]).to_string().into_bytes())
    }

    /// How many bytes a data key has: by its specification, or by their number.
    fn data_key_len(&self) -> Result<usize, Refused> {
        match (self.key_spec.as_deref(), self.number_of_bytes) {
            (Some("AES_256"), None) => Ok(32),
            (Some("AES_128"), None) => Ok(16),
            (None, Some(length @ 1..=1024)) => Ok(length),
            _ => Err(VALIDATION),
        }
    }
}

fn decoded(base64: Option<&str>) -> Result<Vec<u8>, Refused> {
    STANDARD.decode(base64.ok_or(VALIDATION)?).map_err(|_| VALIDATION)
}
