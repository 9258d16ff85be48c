//! Install keys, with which Atlassian signs installs.

use anyhow::Context as _;
use atlassian_connect::jwt::{self, ClaimsToSign};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::{RsaPrivateKey, RsaPublicKey};
use uuid::Uuid;
use zeroize::Zeroizing;

/// An install key: an RSA key pair with a name.
#[derive(Clone)]
pub struct InstallKey {
    id: String,
    private: Zeroizing<String>,
    public: String,
}

impl InstallKey {
    /// Generates an RSA key of 2048 bits, which takes a moment.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random numbers.
    pub fn generate() -> anyhow::Result<Self> {
        let private = RsaPrivateKey::new(&mut rand::thread_rng(), 2048)
            .context("no RSA key could be generated; check the system's random numbers")?;
        Self::of(Uuid::new_v4().to_string(), &private)
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

    fn of(id: String, private: &RsaPrivateKey) -> anyhow::Result<Self> {
        let public = RsaPublicKey::from(private).to_public_key_pem(LineEnding::LF)?;
        let private = private.to_pkcs8_pem(LineEnding::LF)?;
        Ok(Self { id, private, public })
    }

    /// The name of the key: the `kid` of its tokens.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key in PEM, as the key server serves it.
    pub fn public(&self) -> &str {
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
    pub fn sign(&self, claims: &ClaimsToSign<'_>) -> anyhow::Result<String> {
        Ok(jwt::sign_install(claims, &self.id, self.private.as_bytes())?)
    }
}

impl std::fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InstallKey({})", self.id)
    }
}
