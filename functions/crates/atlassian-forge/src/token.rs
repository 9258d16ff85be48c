//! Verification of the Forge invocation token (FIT), with a type for each level of trust.
//!
//! Atlassian's documentation, "Forge Remote essentials". An [`Unverified`] token reveals nothing. A
//! [`Screened`] token has passed every check that needs no key, and reveals the name of its key.
//! [`Claims`] exist only after the signature was verified.
//!
//! Atlassian signs the tokens of all apps with the same keys, and those of users as well: a page of
//! the app in a browser gets a token with the same issuer and audience, and its user can send that
//! token with any body to any URL of the remote. So an event is trusted only if its token names
//! this app, was issued for an endpoint and not for a page, and names the endpoint of this URL.
//! The token covers neither the body nor the URL. TLS and its short life protect these.

use std::fmt;
use std::str::FromStr;

use atlassian_connect::jwt;
pub use atlassian_connect::jwt::bearer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use url::{Position, Url};

use crate::keys::{Key, KeyId};

/// The tolerated difference between the clocks of Atlassian and Lambda, in seconds.
///
/// No leeway is documented. Atlassian's tokens live for 25 seconds, so a leeway of a minute, as
/// Connect's tokens get, would let a stolen token live three times as long.
pub const LEEWAY: i64 = 10;

/// The maximum lifetime of a token, from its `iat` to its `exp`, in seconds.
///
/// Atlassian signs for 25 seconds. The limit leaves room for a change of that.
pub const MAX_LIFETIME: i64 = 5 * 60;

/// The maximum length of a token, in bytes. API Gateway allows 10 KB of headers.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

/// The `iss` claim of every token.
pub const ISSUER: &str = "forge/invocation-token";

/// The type of the module that an event's token names. A page's token has the type of the page.
pub const ENDPOINT_MODULE: &str = "core:endpoint";

/// The id of a Forge app: the `app.id` of its manifest, as in
/// `ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107`.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AppId(String);

impl AppId {
    /// The id as the manifest writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AppId {
    type Err = InvalidAppId;

    fn from_str(id: &str) -> Result<Self, InvalidAppId> {
        if is_ari(id, "ari:cloud:ecosystem::app/") {
            Ok(Self(id.into()))
        } else {
            Err(InvalidAppId)
        }
    }
}

/// A text that is not the id of an app.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the app id is not of the form `ari:cloud:ecosystem::app/UUID`; copy `app.id` from the manifest"
)]
pub struct InvalidAppId;

/// The key of an endpoint in the manifest.
///
/// It is what binds a token to a URL, so each URL needs an endpoint of its own.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct EndpointKey(String);

impl EndpointKey {
    /// The maximum length of a key, in characters, by the schema of the manifest.
    pub const MAX_LEN: usize = 23;

    /// The key as the manifest writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EndpointKey {
    type Err = InvalidEndpointKey;

    fn from_str(key: &str) -> Result<Self, InvalidEndpointKey> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=Self::MAX_LEN).contains(&key.len()) && key.bytes().all(plain) {
            Ok(Self(key.into()))
        } else {
            Err(InvalidEndpointKey)
        }
    }
}

/// A text that is not the key of an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an endpoint's key has 1 to {} letters, digits, `-` and `_`; copy it from the manifest",
    EndpointKey::MAX_LEN
)]
pub struct InvalidEndpointKey;

/// An installation of the app on a site: the tenant of a delivery, as in
/// `ari:cloud:ecosystem::installation/0a3a7799-53ae-4a5b-9e7e-03338980abb5`.
///
/// Atlassian recommends it as the key of stored data. An upgrade of the app keeps it, and a
/// reinstallation changes it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct InstallationId(String);

impl InstallationId {
    /// The id as the claims write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(id: &str) -> Option<Self> {
        is_ari(id, "ari:cloud:ecosystem::installation/").then(|| Self(id.into()))
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is a resource identifier with this prefix. Atlassian's end with a UUID, but the
/// form of ids is not promised.
fn is_ari(text: &str, prefix: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let id = text.strip_prefix(prefix);
    id.is_some_and(|id| (1..=64).contains(&id.len()) && id.bytes().all(plain))
}

/// A token that is not verified. It reveals nothing.
pub struct Unverified<'t> {
    token: &'t str,
    key_id: KeyId,
    stated: RawClaims,
}

/// Prints nothing of the token, because anyone who reads it can use it.
impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").finish_non_exhaustive()
    }
}

impl<'t> Unverified<'t> {
    /// Parses a token.
    ///
    /// # Errors
    ///
    /// Returns an [`Untrusted`] that concerns the token's shape, its algorithm or the name of its
    /// key.
    pub fn parse(token: &'t str) -> Result<Self, Untrusted> {
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
        // Before anything is done with its key: the algorithm is never taken from the token.
        if alg != "RS256" {
            return Err(Untrusted::Algorithm);
        }
        let key_id = kid.as_deref().and_then(KeyId::new).ok_or(Untrusted::KeyId)?;
        let stated = decode_segment(claims, "claims")?;
        Ok(Self { token, key_id, stated })
    }

    /// Checks everything that needs no key: that the token was made for an event, for this app, for
    /// this endpoint, and for this time.
    ///
    /// # Errors
    ///
    /// Returns the [`Untrusted`] of the first check that fails.
    pub fn screen(
        self,
        app: &AppId,
        endpoint: &EndpointKey,
        now: Timestamp,
    ) -> Result<Screened<'t>, Untrusted> {
        let stated = &self.stated;
        // Its key is in another key set, and its tenant in another cloud.
        if stated.ic_label.is_some() {
            return Err(Untrusted::IsolatedCloud);
        }
        if stated.issuer != ISSUER {
            return Err(Untrusted::Issuer);
        }
        if stated.audience.only() != Some(app.as_str()) || stated.app.id != app.as_str() {
            return Err(Untrusted::OtherApp);
        }
        let RawClaims { expires_at, not_before, issued_at, .. } = *stated;
        let now = now.as_second();
        if expires_at.saturating_add(LEEWAY) < now {
            return Err(Untrusted::Expired { seconds: now - expires_at });
        }
        let start = not_before.max(issued_at);
        if start.saturating_sub(LEEWAY) > now {
            return Err(Untrusted::NotYetValid { seconds: start - now });
        }
        let lifetime = expires_at.saturating_sub(issued_at);
        if lifetime > MAX_LIFETIME {
            return Err(Untrusted::LifetimeTooLong { seconds: lifetime });
        }
        if stated.principal.is_some() || stated.context.is_some() {
            return Err(Untrusted::User);
        }
        if stated.app.module.kind != ENDPOINT_MODULE {
            return Err(Untrusted::Module);
        }
        if stated.app.module.key != endpoint.as_str() {
            return Err(Untrusted::OtherEndpoint);
        }
        let id = &stated.app.installation_id;
        let is_same = stated.app.installation.as_ref().is_none_or(|other| other.id == *id);
        let installation = InstallationId::new(id).filter(|_| is_same);
        let installation = installation.ok_or(Untrusted::Installation)?;
        Ok(Screened { token: self.token, key_id: self.key_id, installation })
    }
}

/// A token that has passed every check except that of its signature.
pub struct Screened<'t> {
    token: &'t str,
    key_id: KeyId,
    installation: InstallationId,
}

/// Prints nothing of the token, because anyone who reads it can use it.
impl fmt::Debug for Screened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screened").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Screened<'_> {
    /// The name of the key that signed this. Believe it for nothing but finding the key.
    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::KeyId`] if the key has another name than [`Screened::key_id`], and
    /// [`Untrusted::Signature`] if the signature does not match it.
    pub fn verify(&self, key: &Key) -> Result<Claims, Untrusted> {
        if key.id() != &self.key_id {
            return Err(Untrusted::KeyId);
        }
        jwt::crypto::install();
        let token = jsonwebtoken::decode::<RawClaims>(self.token, key.decoding(), &validation());
        let token = token.map_err(|_| Untrusted::Signature)?;
        let App { api_base_url, app_version, installation, environment, module, .. } =
            token.claims.app;
        Ok(Claims {
            installation: self.installation.clone(),
            contexts: installation.map(|installation| installation.contexts).unwrap_or_default(),
            api_base_url,
            app_version,
            environment: environment.map(|environment| environment.kind),
            module_key: module.key,
            issued_at: token.claims.issued_at,
        })
    }
}

/// The claims of a verified token. Only verification produces them.
#[derive(Clone, Debug)]
pub struct Claims {
    installation: InstallationId,
    contexts: Vec<Context>,
    api_base_url: Option<String>,
    app_version: Option<String>,
    environment: Option<String>,
    module_key: String,
    issued_at: i64,
}

impl Claims {
    /// The installation that the event belongs to.
    pub fn installation(&self) -> &InstallationId {
        &self.installation
    }

    /// The id of the site, which a reinstallation does not change. `None` for Bitbucket, and if the
    /// claims name more than one site.
    ///
    /// It is in the contexts of the installation, and in the path of the API's base URL. A token
    /// that was captured in October 2025 had it only in the URL.
    pub fn cloud_id(&self) -> Option<&str> {
        let urls = self.contexts.iter().filter_map(|context| context.api_base_url.as_deref());
        let in_urls = urls.chain(self.api_base_url()).filter_map(site_of).map(|(_, id)| id);
        let stated = self.contexts.iter().filter_map(|context| context.cloud_id.as_deref());
        let mut ids = stated.chain(in_urls);
        let first = ids.next()?;
        ids.all(|other| other == first).then_some(first)
    }

    /// The product whose API the claims name, such as `jira`.
    pub fn product(&self) -> Option<&str> {
        let only = match self.contexts.as_slice() {
            [context] => Some(context.name.as_str()),
            _ => None,
        };
        self.api_base_url().and_then(site_of).map(|(product, _)| product).or(only)
    }

    /// The names of the products and other contexts where the app is installed, such as `jira`.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.iter().map(|context| context.name.as_str())
    }

    /// The base URL of the product's API, as in
    /// `https://api.atlassian.com/ex/jira/d0d52620-3203-4cfa-8db5-f2587155f0dd`.
    pub fn api_base_url(&self) -> Option<&str> {
        self.api_base_url.as_deref()
    }

    /// The environment of the app: `DEVELOPMENT`, `STAGING` or `PRODUCTION`.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The version of the app that is installed, such as `2.0.0`.
    pub fn app_version(&self) -> Option<&str> {
        self.app_version.as_deref()
    }

    /// The key of the endpoint that the event was sent to.
    pub fn module_key(&self) -> &str {
        &self.module_key
    }

    /// When the token was signed: the `iat` claim.
    pub fn issued_at(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.issued_at).ok()
    }
}

/// The product and the site in the base URL of an API.
fn site_of(url: &str) -> Option<(&str, &str)> {
    let parsed = Url::parse(url).ok()?;
    // As it is written, so that it can be borrowed.
    let path = url.strip_prefix(&parsed[..Position::BeforePath])?;
    let mut segments = path.strip_prefix("/ex/")?.split(['/', '?', '#']);
    let (product, id) = (segments.next()?, segments.next()?);
    (!product.is_empty() && !id.is_empty()).then_some((product, id))
}

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
    #[error("the token's {segment} is not base64url JSON with the fields that Forge documents")]
    Segment {
        /// `header` or `claims`.
        segment: &'static str,
    },
    /// It is not signed with RS256.
    #[error("the token is not signed with RS256, the only algorithm of Forge")]
    Algorithm,
    /// It has no `kid`, or one that is not the name of a key.
    #[error("the token's kid is missing or is not a valid key name")]
    KeyId,
    /// It is not an invocation token.
    #[error("the token's issuer is not {ISSUER}")]
    Issuer,
    /// It was issued for another app, or for several.
    #[error("the token was issued for another app; check the app id against the manifest's app.id")]
    OtherApp,
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
    /// Its lifetime is longer than [`MAX_LIFETIME`].
    #[error("the token is valid for {seconds} s, more than the limit of {MAX_LIFETIME} s")]
    LifetimeTooLong {
        /// The lifetime, in seconds.
        seconds: i64,
    },
    /// It was issued to a user: it has a `principal` or a `context`.
    #[error(
        "the token was issued to a user of the app and not for an event; if a page of the app calls \
         this URL, give the page an endpoint of its own"
    )]
    User,
    /// It was issued for a module that is not an endpoint.
    #[error("the token was issued for another module than an endpoint, such as a page")]
    Module,
    /// It was issued for another endpoint.
    #[error(
        "the token was issued for another endpoint of the manifest; give each URL an endpoint of its \
         own, and check the endpoint's key"
    )]
    OtherEndpoint,
    /// It comes from an isolated cloud.
    #[error("the token comes from an Isolated Cloud, which is not supported: it has an icLabel")]
    IsolatedCloud,
    /// It names no installation, or two different ones.
    #[error("the token does not name one installation of the app")]
    Installation,
    /// Its key is not in Atlassian's key set.
    #[error(
        "the token's key is not in Atlassian's key set; check the key set's URL if this repeats"
    )]
    UnknownKey,
    /// The signature does not match the key.
    #[error("the signature does not match the key")]
    Signature,
}

/// Signs claims as Atlassian does, with an RSA private key in PEM (PKCS#1 or PKCS#8). For tests,
/// benchmarks and tools.
///
/// # Errors
///
/// Returns [`InvalidPrivateKey`] if the key is not an RSA private key.
pub fn sign(
    claims: &impl Serialize,
    key_id: &str,
    private_key: &[u8],
) -> Result<String, InvalidPrivateKey> {
    jwt::crypto::install();
    let key = EncodingKey::from_rsa_pem(private_key).map_err(|_| InvalidPrivateKey)?;
    let header = Header { kid: Some(key_id.into()), ..Header::new(Algorithm::RS256) };
    jsonwebtoken::encode(&header, claims, &key).map_err(|_| InvalidPrivateKey)
}

/// A key that is not an RSA private key in PEM.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the key is not an RSA private key in PEM; create one with `openssl genrsa 2048`")]
pub struct InvalidPrivateKey;

/// The settings of the library, each with its reason.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = vec![Algorithm::RS256];
    // Times, issuer and audience are checked in `screen`, against what the caller passes.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// The claims as a token states them, verified or not.
///
/// What decides whether a token is trusted is required, and cannot be there twice. The rest is
/// documented as required too, but an event is not refused for want of it.
#[derive(Deserialize)]
struct RawClaims {
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(rename = "aud")]
    audience: Audience,
    #[serde(rename = "exp", deserialize_with = "jwt::seconds")]
    expires_at: i64,
    #[serde(rename = "iat", deserialize_with = "jwt::seconds")]
    issued_at: i64,
    #[serde(rename = "nbf", deserialize_with = "jwt::seconds")]
    not_before: i64,
    app: App,
    #[serde(default)]
    principal: Option<IgnoredAny>,
    #[serde(default)]
    context: Option<IgnoredAny>,
    #[serde(default, rename = "icLabel")]
    ic_label: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct App {
    id: String,
    installation_id: String,
    module: Module,
    #[serde(default)]
    installation: Option<Installation>,
    #[serde(default)]
    environment: Option<Environment>,
    #[serde(default)]
    api_base_url: Option<String>,
    #[serde(default)]
    app_version: Option<String>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    key: String,
}

#[derive(Deserialize)]
struct Installation {
    id: String,
    #[serde(default)]
    contexts: Vec<Context>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    name: String,
    #[serde(default)]
    api_base_url: Option<String>,
    #[serde(default)]
    cloud_id: Option<String>,
}

#[derive(Deserialize)]
struct Environment {
    #[serde(rename = "type")]
    kind: String,
}

/// RFC 7519 allows one audience or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// The audience, if there is exactly one.
    fn only(&self) -> Option<&str> {
        match self {
            Self::One(audience) => Some(audience),
            Self::Many(audiences) => match audiences.as_slice() {
                [audience] => Some(audience),
                _ => None,
            },
        }
    }
}

fn decode_segment<T: DeserializeOwned>(text: &str, segment: &'static str) -> Result<T, Untrusted> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| Untrusted::Segment { segment })?;
    serde_json::from_slice(&json).map_err(|_| Untrusted::Segment { segment })
}
