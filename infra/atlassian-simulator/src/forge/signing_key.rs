//! The keys with which Forge signs invocation tokens.

use anyhow::Context as _;
use atlassian_forge::token;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

/// An RSA key pair with a name.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    private: Zeroizing<String>,
    public: Value,
}

impl SigningKey {
    /// Generates an RSA key of 2048 bits, which takes a moment.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random numbers.
    pub fn generate() -> anyhow::Result<Self> {
        let private = RsaPrivateKey::new(&mut rand::thread_rng(), 2048)
            .context("no RSA key could be generated; check the system's random numbers")?;
        Self::of(Self::new_id(), &private)
    }

    /// A key that was generated before, by its name and its private key in PEM (PKCS #8).
    ///
    /// # Errors
    ///
    /// Fails if it is not such a key.
    pub fn from_pem(id: &str, private: &str) -> anyhow::Result<Self> {
        let private = RsaPrivateKey::from_pkcs8_pem(private)
            .context("this is not an RSA key in PEM; make one with `openssl genpkey`")?;
        Self::of(id.to_owned(), &private)
    }

    /// A name of the form that Forge gives its keys.
    pub fn new_id() -> String {
        format!("forge/invocation-token/wf-{}", Uuid::new_v4())
    }

    fn of(id: String, private: &RsaPrivateKey) -> anyhow::Result<Self> {
        let number = |number: &BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let public = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
            "n": number(private.n()), "e": number(private.e()),
        });
        Ok(Self { id, private: private.to_pkcs8_pem(LineEnding::LF)?, public })
    }

    /// The name of the key: the `kid` of its tokens.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as the key set has it.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// The private key in PEM, for tokens that Atlassian would never sign.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// Signs claims with the key.
    ///
    /// # Errors
    ///
    /// Never fails in practice, because this type read or generated the key.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        Ok(token::sign(claims, &self.id, self.private.as_bytes())?)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}
