//! Webhooks that a product signs with a secret: those of an administrator, and those of an OAuth 2.0
//! app.
//!
//! Neither Connect nor Forge is involved. Someone enters a URL and a secret in the product, or an app
//! registers a URL with its client secret, and the product proves with each request that it knows
//! the secret. [`Kind`] lists the products, and where each writes what.
//!
//! An [`Unverified`] request reveals nothing. [`Unverified::verify`] makes a [`Verified`] one of it,
//! whose body can be read. There are two [`Proof`]s:
//!
//! * **`X-Hub-Signature`** is an HMAC of the body. It covers the body and nothing else: not the headers,
//!   which name the delivery and, for Bitbucket, the event; not the URL; not the time.
//! * **A token** in the `Authorization` header, for webhooks of OAuth 2.0 apps. It covers neither the
//!   body nor the URL, and it expires. All sites of one app share its secret, so the token does not
//!   say which site sent it.
//!
//! Neither protects against a repetition. The identifier of a delivery lets a receiver recognise the
//! product's own attempts; whoever has recorded a request can send it with another identifier. TLS is
//! what keeps requests from being recorded.

mod declared;
mod kind;
mod signature;
mod tenant_name;
mod token;

pub use declared::{Declared, Events, InvalidPath, Path};
pub use kind::{Attempt, Kind, NamedBy, Proof, Spec, UnknownKind};
pub use signature::{METHOD, sign};
pub use tenant_name::{InvalidTenantName, TenantName};
pub use token::{LEEWAY, MAX_LIFETIME, MAX_TOKEN_LEN, sign_token};

use std::fmt;

use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;

/// A request that is not verified. It reveals nothing.
pub struct Unverified<'a> {
    stated: Stated<'a>,
    body: &'a [u8],
}

/// What a request says to prove that its sender knows the secret.
enum Stated<'a> {
    Signature(signature::Signature),
    Token(token::Screened<'a>),
}

/// Prints nothing of the request.
impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").finish_non_exhaustive()
    }
}

impl<'a> Unverified<'a> {
    /// Checks everything that needs no secret. The body has to be the bytes that arrived.
    ///
    /// Headers are found by their names in lower case. If a request has a header more than once, its
    /// values are joined with commas, and it is refused.
    ///
    /// # Errors
    ///
    /// Returns an [`Untrusted`] that concerns the form of the signature or of the token, or the token's
    /// times.
    pub fn new<'h: 'a>(
        kind: Kind,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &'a [u8],
        now: Timestamp,
    ) -> Result<Self, Untrusted> {
        let stated = match kind.spec().proof {
            Proof::Signature => {
                let value = header(signature::HEADER).ok_or(Untrusted::NoSignature)?;
                Stated::Signature(signature::Signature::parse(value)?)
            }
            Proof::Token => {
                let value = header("authorization").and_then(token::bearer);
                Stated::Token(token::Screened::parse(value.ok_or(Untrusted::NoToken)?, now)?)
            }
        };
        Ok(Self { stated, body })
    }

    /// Verifies the request with a secret, in constant time.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::Signature`] if it was made with another secret, or for another body.
    pub fn verify(&self, secret: &SharedSecret) -> Result<Verified<'a>, Untrusted> {
        let is_genuine = match &self.stated {
            Stated::Signature(signature) => signature.is_of(self.body, secret),
            Stated::Token(token) => token.is_signed_with(secret),
        };
        if is_genuine { Ok(Verified(self.body)) } else { Err(Untrusted::Signature) }
    }
}

/// A request whose sender knows the secret. Only verification produces it.
pub struct Verified<'a>(&'a [u8]);

impl<'a> Verified<'a> {
    /// The body, as it arrived. [`Proof::Token`] does not cover it.
    pub fn body(&self) -> &'a [u8] {
        self.0
    }
}

/// Prints only the size, because a body contains what users wrote.
impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes)", self.0.len())
    }
}

/// Why a request is not trusted. For the operator; the sender learns only that it is not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// It has no signature.
    #[error(
        "the request has no X-Hub-Signature; enter the tenant's secret in the product's webhook"
    )]
    NoSignature,
    /// It has several signatures.
    #[error(
        "the request has several X-Hub-Signature headers; check what is between it and the product"
    )]
    SeveralSignatures,
    /// Its signature has another method than [`METHOD`].
    #[error("the signature's method is not {METHOD}, the only one that is accepted")]
    Method,
    /// Its signature is not one of 32 bytes in hexadecimal digits.
    #[error("the signature is not `{METHOD}=` and 64 hexadecimal digits")]
    MalformedSignature,
    /// It has no token.
    #[error(
        "the request has no `Authorization: Bearer …`; this URL takes webhooks of OAuth 2.0 apps"
    )]
    NoToken,
    /// Its token is longer than [`MAX_TOKEN_LEN`].
    #[error("the token has {bytes} bytes, more than the limit of {MAX_TOKEN_LEN}")]
    TokenTooLong {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// Its token has not three segments, or one of them cannot be read.
    #[error("the token is not one with `iat` and `exp`; this URL takes webhooks of OAuth 2.0 apps")]
    MalformedToken,
    /// Its token has another algorithm than HS256.
    #[error("the token is not signed with HS256, the algorithm of OAuth 2.0 apps")]
    Algorithm,
    /// Its token has expired by more than [`LEEWAY`].
    #[error(
        "the token expired {seconds} s ago, more than the leeway of {LEEWAY} s; check the clocks"
    )]
    Expired {
        /// How long ago, in seconds.
        seconds: i64,
    },
    /// The `nbf` or `iat` of its token is in the future by more than [`LEEWAY`].
    #[error(
        "the token is not valid for another {seconds} s, more than the leeway of {LEEWAY} s; check the \
         clocks"
    )]
    NotYetValid {
        /// How far in the future, in seconds.
        seconds: i64,
    },
    /// The lifetime of its token is longer than [`MAX_LIFETIME`].
    #[error("the token is valid for {seconds} s, more than the limit of {MAX_LIFETIME} s")]
    LifetimeTooLong {
        /// The lifetime, in seconds.
        seconds: i64,
    },
    /// It was not made with the tenant's secret, or the body was changed.
    #[error(
        "the signature does not match the tenant's secret and the body; enter the secret in the product \
         again, or make a new one with `cargo hooks tenants rotate`"
    )]
    Signature,
}
