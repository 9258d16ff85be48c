//! The token of a webhook that an OAuth 2.0 app registered: HS256 with the app's client secret.
//!
//! Atlassian's documentation, "Webhooks", section "Webhooks for OAuth 2.0 apps", says how it is signed,
//! and not which claims it has. Receivers of others rely on `iat` and `exp`, so these two are required,
//! and no other claim is read.

use atlassian_connect::jwt;
pub(crate) use atlassian_connect::jwt::bearer;
use atlassian_connect::tenant::SharedSecret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::Untrusted;

/// The tolerated difference between the clocks of Atlassian and of the receiver, in seconds.
pub const LEEWAY: i64 = 30;

/// The maximum lifetime of a token, from its `iat` to its `exp`, in seconds.
///
/// How long Atlassian signs for is not documented. A token that is valid for longer than a day would
/// let whoever finds it in a log send any body to any URL of the app.
pub const MAX_LIFETIME: i64 = 24 * 60 * 60;

/// The maximum length of a token, in bytes. API Gateway allows 10 KB of headers.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

/// A token that has passed every check except that of its signature. It reveals nothing.
pub(crate) struct Screened<'t>(&'t str);

impl<'t> Screened<'t> {
    /// Parses a token and checks its algorithm and its times.
    pub(crate) fn parse(token: &'t str, now: Timestamp) -> Result<Self, Untrusted> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(Untrusted::TokenTooLong { bytes: token.len() });
        }
        let mut segments = token.split('.');
        let (Some(header), Some(claims), Some(_), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(Untrusted::MalformedToken);
        };
        let JoseHeader { alg, crit } = decode_segment(header)?;
        // RFC 7515, section 4.1.11: unknown critical extensions must be refused.
        if crit.is_some() {
            return Err(Untrusted::MalformedToken);
        }
        // The algorithm is never taken from the token.
        if alg != "HS256" {
            return Err(Untrusted::Algorithm);
        }
        let Claims { issued_at, expires_at, not_before } = decode_segment(claims)?;
        let now = now.as_second();
        if expires_at.saturating_add(LEEWAY) < now {
            return Err(Untrusted::Expired { seconds: now - expires_at });
        }
        let start = not_before.map_or(issued_at, |start| start.max(issued_at));
        if start.saturating_sub(LEEWAY) > now {
            return Err(Untrusted::NotYetValid { seconds: start - now });
        }
        let lifetime = expires_at.saturating_sub(issued_at);
        if lifetime > MAX_LIFETIME {
            return Err(Untrusted::LifetimeTooLong { seconds: lifetime });
        }
        Ok(Self(token))
    }

    /// Whether a secret has signed it. Compares in constant time.
    pub(crate) fn is_signed_with(&self, secret: &SharedSecret) -> bool {
        jwt::crypto::install();
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        self.0.rsplit_once('.').is_some_and(|(message, signature)| {
            let message = message.as_bytes();
            jsonwebtoken::crypto::verify(signature, message, &key, Algorithm::HS256)
                .unwrap_or(false)
        })
    }
}

/// The token of a webhook as Atlassian signs it, with claims of the caller's choice.
pub fn sign_token(claims: &impl Serialize, secret: &SharedSecret) -> String {
    jwt::crypto::install();
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
        .expect("an HMAC takes any key, and claims are plain JSON")
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "iat", deserialize_with = "jwt::seconds")]
    issued_at: i64,
    #[serde(rename = "exp", deserialize_with = "jwt::seconds")]
    expires_at: i64,
    #[serde(rename = "nbf", default)]
    not_before: Option<i64>,
}

fn decode_segment<T: DeserializeOwned>(text: &str) -> Result<T, Untrusted> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| Untrusted::MalformedToken)?;
    serde_json::from_slice(&json).map_err(|_| Untrusted::MalformedToken)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn secret() -> SharedSecret {
        SharedSecret::new("client-secret")
    }

    fn verify(token: &str) -> Result<bool, Untrusted> {
        let now = Timestamp::from_second(NOW).unwrap();
        Ok(Screened::parse(token, now)?.is_signed_with(&secret()))
    }

    fn with(claims: &Value) -> Result<bool, Untrusted> {
        verify(&sign_token(claims, &secret()))
    }

    #[test]
    fn finds_a_bearer_token() {
        for (value, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c ", Some("a.b.c")),
            ("JWT a.b.c", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("a.b.c", None),
        ] {
            assert_eq!(bearer(value), token, "{value:?}");
        }
    }

    #[test]
    fn trusts_what_the_app_secret_signed_while_it_is_valid() {
        let times =
            |issued: i64, expires: i64| json!({ "iat": NOW + issued, "exp": NOW + expires });
        assert_eq!(with(&times(0, 180)), Ok(true));
        assert_eq!(with(&times(-180, -LEEWAY)), Ok(true));
        assert_eq!(
            with(&times(-180, -LEEWAY - 1)),
            Err(Untrusted::Expired { seconds: LEEWAY + 1 })
        );
        assert_eq!(with(&times(LEEWAY, 180)), Ok(true));
        let early = Err(Untrusted::NotYetValid { seconds: LEEWAY + 1 });
        assert_eq!(with(&times(LEEWAY + 1, 180)), early);
        let later = json!({ "iat": NOW, "nbf": NOW + LEEWAY + 1, "exp": NOW + 180 });
        assert_eq!(with(&later), early);
        assert_eq!(with(&times(0, MAX_LIFETIME)), Ok(true));
        let seconds = MAX_LIFETIME + 1;
        assert_eq!(with(&times(0, seconds)), Err(Untrusted::LifetimeTooLong { seconds }));
        // What else a token says is not read.
        let more = json!({ "iat": NOW, "exp": NOW + 180, "iss": 1, "qsh": [], "aud": null });
        assert_eq!(with(&more), Ok(true));
    }

    #[test]
    fn requires_both_times() {
        for claims in [
            json!({ "exp": NOW + 180 }),
            json!({ "iat": NOW }),
            json!({ "iat": NOW, "exp": "never" }),
            json!({ "iat": null, "exp": NOW + 180 }),
            json!({ "iat": -1, "exp": NOW + 180 }),
        ] {
            assert_eq!(with(&claims), Err(Untrusted::MalformedToken), "{claims}");
        }
    }

    #[test]
    fn trusts_no_other_secret_and_no_changed_byte() {
        let claims = json!({ "iat": NOW, "exp": NOW + 180 });
        assert_eq!(verify(&sign_token(&claims, &SharedSecret::new("another"))), Ok(false));
        let token = sign_token(&claims, &secret());
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(verify(&changed), Ok(true), "byte {position} of {}", token.len());
        }
    }

    #[test]
    fn takes_no_algorithm_from_the_token() {
        let segment = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = segment(json!({ "iat": NOW, "exp": NOW + 180 }));
        for alg in ["none", "None", "HS384", "HS512", "RS256", "hs256", ""] {
            let header = segment(json!({ "alg": alg, "typ": "JWT" }));
            for signature in ["", "AAAA"] {
                let token = format!("{header}.{claims}.{signature}");
                assert_eq!(verify(&token), Err(Untrusted::Algorithm), "{alg}");
            }
        }
        let unsigned = format!("{}.{claims}.", segment(json!({ "alg": "HS256" })));
        assert_eq!(verify(&unsigned), Ok(false));
        let critical = segment(json!({ "alg": "HS256", "crit": ["b64"], "b64": false }));
        assert_eq!(verify(&format!("{critical}.{claims}.AAAA")), Err(Untrusted::MalformedToken));
    }

    #[test]
    fn takes_no_other_form() {
        let token = sign_token(&json!({ "iat": NOW, "exp": NOW + 180 }), &secret());
        let (message, _) = token.rsplit_once('.').unwrap();
        for other in ["", ".", "..", message, &format!("{token}."), &format!("{token}.a"), "a.b.c"]
        {
            assert_eq!(verify(other), Err(Untrusted::MalformedToken), "{other}");
        }
        let long = "a".repeat(MAX_TOKEN_LEN + 1);
        assert_eq!(verify(&long), Err(Untrusted::TokenTooLong { bytes: long.len() }));
    }
}
