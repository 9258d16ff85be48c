//! JWT verification, with a type for each level of trust.
//!
//! Atlassian's documentation, "Understanding JWT for Connect apps". An [`Unverified`] token reveals
//! only its issuer, with which the key can be found. A [`Screened`] token has passed every check
//! that needs no key, so that invalid requests cost no database read. [`Claims`] exist only after
//! the signature was verified.
//!
//! The algorithm is never taken from the token. It is a type parameter, which the caller fixes for
//! each URL: [`Hs256`] for webhooks, `enabled` and `disabled`; [`Rs256`] for `installed` and
//! `uninstalled`.

#[doc(hidden)]
pub mod crypto;

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::qsh;
use crate::tenant::{ClientKey, SharedSecret};

/// The tolerated difference between the clocks of Atlassian and Lambda, in seconds.
///
/// Atlassian's documentation asks for "a little leeway", and its own receivers allow 0 to 90
/// seconds. A leeway extends the lifetime of a stolen token, so it stays below the three minutes
/// for which Atlassian signs.
pub const LEEWAY: i64 = 60;

/// The maximum lifetime of a token, from its `iat` to its `exp`, in seconds.
///
/// Atlassian signs for three minutes; fifteen have been seen on a lifecycle callback. Without a
/// limit a signer could make a token that never expires, and anyone who finds it in a log could use
/// it.
pub const MAX_LIFETIME: i64 = 60 * 60;

/// The maximum length of a token, in bytes. Atlassian's are below 1 KB; API Gateway allows 10 KB of
/// headers.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

/// HMAC with SHA-256, with the tenant's shared secret.
#[derive(Clone, Copy, Debug)]
pub enum Hs256 {}

/// RSA with SHA-256, with the key of Atlassian's that `kid` names.
#[derive(Clone, Copy, Debug)]
pub enum Rs256 {}

/// A token that is not verified. It reveals only its issuer, with which the key can be found.
pub struct Unverified<'t, A> {
    token: &'t str,
    issuer: ClientKey,
    key_id: Option<String>,
    stated: RawClaims,
    algorithm: PhantomData<A>,
}

/// Prints only the issuer, because anyone who reads a token can use it.
impl<A> fmt::Debug for Unverified<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl<'t> Unverified<'t, Hs256> {
    /// Parses the token of a webhook, or of `enabled` and `disabled`.
    ///
    /// # Errors
    ///
    /// Returns an [`Untrusted`] that concerns the token's shape or its algorithm.
    pub fn webhook(token: &'t str) -> Result<Self, Untrusted> {
        Self::parse(token, Algorithm::HS256)
    }
}

impl<'t> Unverified<'t, Rs256> {
    /// Parses the token of `installed` or `uninstalled`.
    ///
    /// # Errors
    ///
    /// Returns an [`Untrusted`] that concerns the token's shape or its algorithm.
    pub fn install(token: &'t str) -> Result<Self, Untrusted> {
        Self::parse(token, Algorithm::RS256)
    }
}

impl<'t, A> Unverified<'t, A> {
    /// Who claims to have signed this. Believe it for nothing but finding the key.
    pub fn issuer(&self) -> &ClientKey {
        &self.issuer
    }

    /// Checks everything that needs no key: the times, and that the token was made for this
    /// request.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::Expired`], [`Untrusted::NotYetValid`], [`Untrusted::LifetimeTooLong`] or
    /// [`Untrusted::QshMismatch`].
    pub fn screen(
        self,
        request: &qsh::Request<'_>,
        now: Timestamp,
    ) -> Result<Screened<'t, A>, Untrusted> {
        let RawClaims { expires_at, not_before, issued_at, .. } = self.stated;
        let now = now.as_second();
        if expires_at.saturating_add(LEEWAY) < now {
            return Err(Untrusted::Expired { seconds: now - expires_at });
        }
        if let Some(start) = not_before.max(issued_at)
            && start.saturating_sub(LEEWAY) > now
        {
            return Err(Untrusted::NotYetValid { seconds: start - now });
        }
        // A token without an `iat` is treated as signed now.
        let lifetime = expires_at.saturating_sub(issued_at.unwrap_or(now));
        if lifetime > MAX_LIFETIME {
            return Err(Untrusted::LifetimeTooLong { seconds: lifetime });
        }
        if !request.accepts(&self.stated.qsh) {
            return Err(Untrusted::QshMismatch);
        }
        Ok(Screened(self))
    }

    fn parse(token: &'t str, algorithm: Algorithm) -> Result<Self, Untrusted> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(Untrusted::TooLong { bytes: token.len() });
        }
        let mut segments = token.split('.');
        let (Some(header), Some(claims), Some(_), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(Untrusted::NotAToken);
        };
        let JoseHeader { alg, kid, crit } = decode_segment(header, "header")?;
        // RFC 7515, section 4.1.11: unknown critical extensions must be refused.
        if crit.is_some() {
            return Err(Untrusted::Segment { segment: "header" });
        }
        // Unknown algorithms are refused in the same way.
        if alg.parse().ok() != Some(algorithm) {
            return Err(Untrusted::Algorithm { expected: algorithm });
        }
        let stated: RawClaims = decode_segment(claims, "claims")?;
        let issuer = ClientKey::new(stated.issuer.as_str()).map_err(|_| Untrusted::Issuer)?;
        Ok(Self { token, issuer, key_id: kid, stated, algorithm: PhantomData })
    }
}

/// A token that has passed every check except that of its signature.
#[derive(Debug)]
pub struct Screened<'t, A>(Unverified<'t, A>);

impl<A> Screened<'_, A> {
    /// Who claims to have signed this. Believe it for nothing but finding the key.
    pub fn issuer(&self) -> &ClientKey {
        &self.0.issuer
    }

    /// The algorithm is pinned by the caller's type, and the header has been compared with it. The
    /// claims are those that were read from the signed text.
    fn verified(&self, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, Untrusted> {
        let (message, signature) = self.0.token.rsplit_once('.').ok_or(Untrusted::NotAToken)?;
        if crypto::verifies(message, signature, key, algorithm) {
            Ok(Claims(self.0.stated.clone()))
        } else {
            Err(Untrusted::Signature)
        }
    }
}

impl Screened<'_, Hs256> {
    /// Verifies the signature with the tenant's secret.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::Signature`] if the signature does not match the key.
    pub fn verify(&self, secret: &SharedSecret) -> Result<Claims, Untrusted> {
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        self.verified(&key, Algorithm::HS256)
    }
}

impl Screened<'_, Rs256> {
    /// The name of the signing key, safe to use in a URL's path.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::KeyId`] if it is missing or could name something other than a key.
    pub fn key_id(&self) -> Result<KeyId, Untrusted> {
        self.0.key_id.as_deref().and_then(KeyId::new).ok_or(Untrusted::KeyId)
    }

    /// Verifies the signature with the install key that [`Screened::key_id`] names.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::Signature`] if the signature does not match the key.
    pub fn verify(&self, key: &InstallKey) -> Result<Claims, Untrusted> {
        self.verified(&key.0, Algorithm::RS256)
    }
}

/// The claims of a verified token. Only verification produces them.
#[derive(Clone, Debug)]
pub struct Claims(RawClaims);

/// The claims as a token states them, verified or not.
#[derive(Clone, Debug, Deserialize)]
struct RawClaims {
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(rename = "exp", deserialize_with = "seconds")]
    expires_at: i64,
    #[serde(rename = "iat", default, deserialize_with = "optional_seconds")]
    issued_at: Option<i64>,
    #[serde(rename = "nbf", default, deserialize_with = "optional_seconds")]
    not_before: Option<i64>,
    qsh: String,
    #[serde(rename = "sub", default)]
    subject: Option<String>,
    #[serde(rename = "aud", default)]
    audience: Audience,
}

#[cfg(test)]
impl Claims {
    /// Claims without a token, for tests.
    pub(crate) fn stated(claims: serde_json::Value) -> Self {
        Self(serde_json::from_value(claims).unwrap())
    }
}

impl Claims {
    /// The client key of the tenant that signed: the `iss` claim.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// When the token was signed: the `iat` claim, if any.
    pub fn issued_at(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.0.issued_at?).ok()
    }

    /// The Atlassian account id of the user who acted: the `sub` claim, if any.
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The base URL of the app that an install is addressed to: the first `aud` claim.
    pub fn audience(&self) -> Option<&str> {
        match &self.0.audience {
            Audience::None => None,
            Audience::One(audience) => Some(audience),
            Audience::Many(audiences) => audiences.first().map(String::as_str),
        }
    }
}

/// The name of an install key: the `kid` header of an RS256 token.
///
/// It becomes a segment of a URL before anything is verified, so it cannot contain anything that
/// would leave that segment.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeyId(String);

impl KeyId {
    /// Accepts a `kid` of 1 to 128 letters, digits, `-`, `_` and `.`, without `..`.
    pub fn new(kid: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let safe = (1..=128).contains(&kid.len())
            && kid.chars().all(plain)
            && !kid.starts_with('.')
            && !kid.contains("..");
        safe.then(|| Self(kid.into()))
    }

    /// The name, safe as one segment of a URL's path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A public key of Atlassian's that signs `installed` and `uninstalled`.
#[derive(Clone)]
pub struct InstallKey(DecodingKey);

impl InstallKey {
    /// Atlassian's key server.
    pub const SERVER: &str = "https://connect-install-keys.atlassian.com";

    /// Parses an RSA public key in PEM, as Atlassian's key server serves it.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidInstallKey`] if `pem` is not an RSA public key in PEM.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidInstallKey> {
        DecodingKey::from_rsa_pem(pem).map(Self).map_err(|_| InvalidInstallKey)
    }
}

impl fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallKey")
    }
}

/// A key that is not an RSA key in PEM.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the install key is not an RSA public key in PEM; check what the key server returns")]
pub struct InvalidInstallKey;

/// Why a token is not trusted. For the operator; the sender learns only that it is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// It is longer than any token of Atlassian's.
    #[error("the token has {bytes} bytes, more than the limit of {MAX_TOKEN_LEN}")]
    TooLong {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// It does not have three segments.
    #[error("the token does not consist of three segments separated by dots")]
    NotAToken,
    /// A segment cannot be parsed.
    #[error("the token's {segment} is not base64url JSON with the fields that Connect requires")]
    Segment {
        /// `header` or `claims`.
        segment: &'static str,
    },
    /// It has another algorithm than the one of this URL.
    #[error("the token is not signed with {expected:?}, the algorithm of this URL")]
    Algorithm {
        /// The only one that is accepted.
        expected: Algorithm,
    },
    /// Its issuer is not a possible client key.
    #[error("the token's issuer is not a valid client key")]
    Issuer,
    /// It has no `kid`, or one that is not the name of a key.
    #[error("the token's kid is missing or is not a valid key name")]
    KeyId,
    /// Its `exp` has passed by more than [`LEEWAY`].
    #[error(
        "the token expired {seconds} s ago, more than the leeway of {LEEWAY} s; check the clocks"
    )]
    Expired {
        /// How long ago, in seconds.
        seconds: i64,
    },
    /// Its `nbf` or `iat` is in the future by more than [`LEEWAY`].
    #[error(
        "the token is not valid for another {seconds} s, more than the leeway of {LEEWAY} s; check the \
         clocks"
    )]
    NotYetValid {
        /// How far in the future, in seconds.
        seconds: i64,
    },
    /// Its lifetime, from `iat` (or now, without one) to `exp`, is longer than [`MAX_LIFETIME`].
    #[error(
        "the token is valid for {seconds} s, more than the limit of {MAX_LIFETIME} s; sign it for less"
    )]
    LifetimeTooLong {
        /// The lifetime, in seconds.
        seconds: i64,
    },
    /// The token of a lifecycle callback has no `iat`.
    #[error(
        "the token has no iat claim, which lifecycle callbacks need because they are ordered by it"
    )]
    MissingIssuedAt,
    /// The `qsh` claim belongs to another method, path or query.
    #[error("the token's qsh is that of another request; check the base URL and its path")]
    QshMismatch,
    /// The signature does not match the key.
    #[error(
        "the token's signature does not match the key; if the sender is genuine, install the app again"
    )]
    Signature,
}

/// The claims to sign with [`sign`] or [`sign_install`].
#[derive(Clone, Debug, Serialize)]
pub struct ClaimsToSign<'a> {
    /// The tenant's client key.
    #[serde(rename = "iss")]
    pub issuer: &'a str,
    /// Seconds since 1970.
    #[serde(rename = "iat")]
    pub issued_at: i64,
    /// Seconds since 1970; Atlassian signs for three minutes.
    #[serde(rename = "exp")]
    pub expires_at: i64,
    /// The hash of the request: [`qsh::Request::hash`].
    pub qsh: &'a str,
    /// The app's base URL, for installs.
    #[serde(rename = "aud", skip_serializing_if = "Option::is_none")]
    pub audience: Option<&'a str>,
}

impl<'a> ClaimsToSign<'a> {
    /// The lifetime of Atlassian's tokens, in seconds.
    pub const LIFETIME: i64 = 180;

    /// The claims that Atlassian would sign for a request at a time.
    pub fn new(issuer: &'a str, qsh: &'a str, now: Timestamp) -> Self {
        let issued_at = now.as_second();
        Self { issuer, issued_at, expires_at: issued_at + Self::LIFETIME, qsh, audience: None }
    }
}

/// Finds the token in the value of an `Authorization` header whose scheme is `Bearer`, in any case (RFC
/// 9110, section 11.1). That of Connect is `JWT`; Forge and OAuth 2.0 apps send this one.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Signs claims as a tenant does: HS256 with the shared secret.
pub fn sign(claims: &impl Serialize, secret: &SharedSecret) -> String {
    crypto::install();
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
        .expect("an HMAC takes any key, and claims are plain JSON")
}

/// Signs claims as Atlassian signs an install: RS256, with a private key in PEM (PKCS#1 or PKCS#8).
///
/// # Errors
///
/// Returns [`InvalidInstallKey`] if the key is not an RSA private key.
pub fn sign_install(
    claims: &impl Serialize,
    key_id: &str,
    private_key: &[u8],
) -> Result<String, InvalidInstallKey> {
    crypto::install();
    let key = EncodingKey::from_rsa_pem(private_key).map_err(|_| InvalidInstallKey)?;
    let header = Header { kid: Some(key_id.into()), ..Header::new(Algorithm::RS256) };
    jsonwebtoken::encode(&header, claims, &key).map_err(|_| InvalidInstallKey)
}

/// The claims of a token of this project's own making, if the secret has signed it. Nothing else is
/// checked.
pub(crate) fn signed<T: DeserializeOwned>(token: &str, secret: &SharedSecret) -> Option<T> {
    let (message, signature) = token.rsplit_once('.')?;
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    let (_, claims) = message.split_once('.')?;
    crypto::verifies(message, signature, &key, Algorithm::HS256)
        .then(|| decode_segment(claims, "claims").ok())?
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// RFC 7519 allows one audience or a list of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

fn decode_segment<T: DeserializeOwned>(text: &str, segment: &'static str) -> Result<T, Untrusted> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| Untrusted::Segment { segment })?;
    serde_json::from_slice(&json).map_err(|_| Untrusted::Segment { segment })
}

/// A NumericDate (RFC 7519, section 2) that is not negative, in whole seconds. A fraction is
/// allowed and ignored.
#[doc(hidden)]
pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    if let Some(seconds) = number.as_u64() {
        return Ok(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
    // From 2^53 on a float is no longer the number that was written.
    let seconds =
        number.as_f64().filter(|seconds| (0.0..9_007_199_254_740_992.0).contains(seconds));
    seconds.map(|seconds| seconds as i64).ok_or_else(|| D::Error::custom("not a NumericDate"))
}

fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    seconds(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn secret() -> SharedSecret {
        SharedSecret::new("s0m3-sh@r3d-s3cr37")
    }

    fn request() -> qsh::Request<'static> {
        qsh::Request::of_url("POST", "/issue-created", "")
    }

    fn claims() -> serde_json::Value {
        json!({ "iss": "tenant", "iat": NOW, "exp": NOW + 180, "qsh": request().hash().unwrap() })
    }

    /// The whole way, as a receiver goes it.
    fn verify(token: &str) -> Result<Claims, Untrusted> {
        Unverified::webhook(token)?.screen(&request(), now())?.verify(&secret())
    }

    fn with(change: impl FnOnce(&mut serde_json::Value)) -> Result<Claims, Untrusted> {
        let mut claims = claims();
        change(&mut claims);
        verify(&sign(&claims, &secret()))
    }

    #[test]
    fn trusts_what_the_tenant_signed() {
        let claims = with(|claims| claims["sub"] = "5b10a2844c20165700ede21g".into()).unwrap();
        assert_eq!(claims.issuer(), "tenant");
        assert_eq!(claims.subject(), Some("5b10a2844c20165700ede21g"));
        assert_eq!(claims.audience(), None);
    }

    #[test]
    fn trusts_no_other_secret() {
        let token = sign(&claims(), &SharedSecret::new("another"));
        assert_eq!(verify(&token).unwrap_err(), Untrusted::Signature);
    }

    #[test]
    fn trusts_no_changed_byte() {
        let token = sign(&claims(), &secret());
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of a segment may hold bits that encode nothing; the decoder
            // refuses those, so no position is exempt.
            assert!(verify(&changed).is_err(), "byte {position} of {}", token.len());
        }
    }

    #[test]
    fn takes_no_algorithm_from_the_token() {
        let segment = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for alg in ["none", "None", "hs256", "HS384", "HS512", "RS256", "", "XX"] {
            let header = segment(json!({ "typ": "JWT", "alg": alg }));
            let token = format!("{header}.{}.c2ln", segment(claims()));
            let expected = Untrusted::Algorithm { expected: Algorithm::HS256 };
            assert_eq!(verify(&token).unwrap_err(), expected, "{alg}");
        }
        let token = sign(&claims(), &secret());
        let error = Unverified::install(&token).unwrap_err();
        assert_eq!(error, Untrusted::Algorithm { expected: Algorithm::RS256 });
    }

    #[test]
    fn requires_exp_and_qsh_and_iss() {
        for name in ["exp", "qsh", "iss"] {
            let result = with(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
            assert_eq!(result.unwrap_err(), Untrusted::Segment { segment: "claims" }, "{name}");
        }
        for exp in [json!("1700000180"), json!(-1), json!(-0.5), json!(1e20), json!(null)] {
            assert!(with(|claims| claims["exp"] = exp.clone()).is_err(), "{exp}");
        }
        assert_eq!(with(|claims| claims["iss"] = "".into()).unwrap_err(), Untrusted::Issuer);
    }

    #[test]
    fn allows_the_leeway_and_not_a_second_more() {
        assert!(with(|claims| claims["exp"] = (NOW - LEEWAY).into()).is_ok());
        let expired = with(|claims| claims["exp"] = (NOW - LEEWAY - 1).into()).unwrap_err();
        assert_eq!(expired, Untrusted::Expired { seconds: LEEWAY + 1 });
        for name in ["nbf", "iat"] {
            assert!(with(|claims| claims[name] = (NOW + LEEWAY).into()).is_ok());
            let early = with(|claims| claims[name] = (NOW + LEEWAY + 1).into()).unwrap_err();
            assert_eq!(early, Untrusted::NotYetValid { seconds: LEEWAY + 1 }, "{name}");
        }
    }

    #[test]
    fn takes_a_time_with_a_fraction() {
        for name in ["exp", "nbf", "iat"] {
            assert!(with(|claims| claims[name] = json!(NOW as f64 + 0.25)).is_ok(), "{name}");
        }
        let token = with(|claims| claims["iat"] = json!(NOW as f64 + 0.75)).unwrap();
        assert_eq!(token.issued_at(), Timestamp::from_second(NOW).ok());
        let expired = with(|claims| claims["exp"] = json!((NOW - LEEWAY) as f64 - 0.5));
        assert_eq!(expired.unwrap_err(), Untrusted::Expired { seconds: LEEWAY + 1 });
        // Not writable with `json!`.
        let claims = claims().to_string();
        for time in ["1e400", "-1e400", "NaN", "Infinity", "-1.5", "1.7e18", "true"] {
            let claims = claims.replace(&format!("{}", NOW + 180), time);
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
            let token = format!("{header}.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
            let malformed = Untrusted::Segment { segment: "claims" };
            assert_eq!(verify(&token).unwrap_err(), malformed, "{time}");
        }
    }

    #[test]
    fn rejects_a_lifetime_of_more_than_an_hour() {
        assert!(with(|claims| claims["exp"] = (NOW + MAX_LIFETIME).into()).is_ok());
        for (iat, exp, seconds) in [
            (json!(NOW), json!(NOW + MAX_LIFETIME + 1), MAX_LIFETIME + 1),
            // Counted from its iat, also when most of that is over.
            (json!(NOW - MAX_LIFETIME), json!(NOW + 1), MAX_LIFETIME + 1),
            (json!(NOW), json!(u64::MAX), i64::MAX - NOW),
            (json!(0), json!(u64::MAX), i64::MAX),
        ] {
            let refused = with(|claims| {
                claims["iat"] = iat.clone();
                claims["exp"] = exp.clone();
            });
            assert_eq!(refused.unwrap_err(), Untrusted::LifetimeTooLong { seconds }, "{iat} {exp}");
        }
        let undated = |exp: i64| {
            with(|claims| {
                claims.as_object_mut().unwrap().remove("iat");
                claims["exp"] = exp.into();
            })
        };
        assert!(undated(NOW + MAX_LIFETIME).is_ok());
        let refused = undated(NOW + MAX_LIFETIME + 1).unwrap_err();
        assert_eq!(refused, Untrusted::LifetimeTooLong { seconds: MAX_LIFETIME + 1 });
    }

    #[test]
    fn refuses_a_token_for_another_request() {
        let other = qsh::Request::of_url("POST", "/issue-updated", "").hash().unwrap();
        for qsh in [other.as_str(), "context-qsh", "", &request().hash().unwrap().to_uppercase()] {
            let result = with(|claims| claims["qsh"] = qsh.into());
            assert_eq!(result.unwrap_err(), Untrusted::QshMismatch, "{qsh}");
        }
    }

    #[test]
    fn refuses_what_is_no_token() {
        for token in
            ["", "a", "a.b", "a.b.c.d", "..", "e30.e30.e30", "e30=.e30.e30", "\u{fffd}.é.x"]
        {
            assert!(verify(token).is_err(), "{token}");
        }
        let long = format!("{}.a.b", "a".repeat(MAX_TOKEN_LEN));
        assert_eq!(verify(&long).unwrap_err(), Untrusted::TooLong { bytes: long.len() });
    }

    #[test]
    fn takes_one_audience_or_the_first_of_many() {
        assert_eq!(with(|c| c["aud"] = "a".into()).unwrap().audience(), Some("a"));
        assert_eq!(with(|c| c["aud"] = json!(["a", "b"])).unwrap().audience(), Some("a"));
        assert_eq!(with(|c| c["aud"] = json!([])).unwrap().audience(), None);
    }

    #[test]
    fn takes_only_key_ids_that_stay_in_their_path_segment() {
        for kid in ["0e50fccb-239d-4991-a5db-dc850ba3f236", "a.b_c-d", "K"] {
            assert!(KeyId::new(kid).is_some(), "{kid}");
        }
        for kid in ["", ".", "..", "../x", "a..b", "a/b", "a%2fb", "a b", "é", &"k".repeat(129)] {
            assert!(KeyId::new(kid).is_none(), "{kid}");
        }
    }

    #[test]
    fn prints_neither_token_nor_secret_in_an_error() {
        let token = sign(&claims(), &secret());
        for end in [token.len() - 5, token.len()] {
            let error = match verify(&token[..end]) {
                Ok(_) => verify(&sign(&claims(), &SharedSecret::new("x"))).unwrap_err(),
                Err(error) => error,
            };
            let printed = format!("{error} {error:?}");
            assert!(token.split('.').all(|segment| !printed.contains(segment)), "{printed}");
        }
    }
}
