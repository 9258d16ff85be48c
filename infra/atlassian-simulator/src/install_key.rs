//! The keys with which Atlassian signs installs.

use anyhow::Context as _;
use atlassian_connect::jwt::{self, Statement};
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::{RsaPrivateKey, RsaPublicKey};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A key of Atlassian's that signs installs.
#[derive(Clone)]
pub struct InstallKey {
    id: String,
    private: Zeroizing<String>,
    public: String,
}

impl InstallKey {
    /// Makes a new RSA key of 2048 bits, which takes a moment.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn generate() -> anyhow::Result<Self> {
        let private = RsaPrivateKey::new(&mut rand::thread_rng(), 2048)
            .context("no RSA key could be made")?;
        let public = RsaPublicKey::from(&private).to_public_key_pem(LineEnding::LF)?;
        let private = private.to_pkcs8_pem(LineEnding::LF)?;
        Ok(Self { id: Uuid::new_v4().to_string(), private, public })
    }

    /// Another key under the same name, as a forger would have.
    ///
    /// # Errors
    ///
    /// As [`InstallKey::generate`].
    pub fn forged(&self) -> anyhow::Result<Self> {
        Ok(Self { id: self.id.clone(), ..Self::generate()? })
    }

    /// Its name: what the key server knows it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, in PEM, as the key server hands it out.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The private half, in PEM, for tokens that Atlassian would never sign.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// Signs a statement with it.
    ///
    /// # Errors
    ///
    /// None in practice: the key is one that this type made.
    pub fn sign(&self, claims: &Statement<'_>) -> anyhow::Result<String> {
        Ok(jwt::sign_install(claims, &self.id, self.private.as_bytes())?)
    }
}

impl std::fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InstallKey({})", self.id)
    }
}
