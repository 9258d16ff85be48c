//! What was sent, without its token and without secrets.

use atlassian_connect::qsh;
use atlassian_forge::token::ISSUER;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sam_template_runner::Exchange;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A request without its token and without secrets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The method.
    pub method: String,
    /// The path, as it arrived.
    pub path: String,
    /// The query, as it arrived, without the token.
    pub query: String,
    /// The headers, by name in lower case. Of a token only the scheme is left.
    pub headers: Vec<(String, String)>,
    /// The body as text, without a shared secret.
    pub body: String,
    /// The text that a token's `qsh` is the hash of, unless the query has none.
    pub canonical: Option<String>,
    /// The hash of that text.
    pub hash: Option<String>,
    /// What the token says, if there is one that can be decoded.
    pub token: Option<Token>,
}

/// The decoded parts of a token. The signature is dropped.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Token {
    /// The header: algorithm and key id.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

impl Token {
    /// The tenant that the token claims: of Connect its issuer, of Forge an installation.
    pub fn tenant(&self) -> Option<&str> {
        let of_forge = self.claims["iss"] == ISSUER;
        if of_forge { &self.claims["app"]["installationId"] } else { &self.claims["iss"] }.as_str()
    }

    fn decode(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let mut part = || -> Option<Value> {
            let json = URL_SAFE_NO_PAD.decode(parts.next()?.trim_end_matches('=')).ok()?;
            serde_json::from_slice(&json).ok()
        };
        Some(Self { header: part()?, claims: part()? })
    }
}

impl Sent {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(other, _)| other == name);
        header.map(|(_, value)| value.as_str())
    }

    /// What a request sent to an app whose base URL has this path.
    pub fn of(exchange: &Exchange, base_path: &str) -> Self {
        let query = exchange.uri.query().unwrap_or_default();
        let signed = qsh::Request {
            method: exchange.method.as_str(),
            path: exchange.uri.path(),
            query,
            base_path,
        };
        let mut token = None;
        let mut headers = Vec::new();
        for (name, value) in &exchange.headers {
            let mut value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            if HIDDEN_HEADERS.contains(&name.as_str()) {
                let (scheme, secret) = value.split_once(' ').unwrap_or(("", &value));
                token = token.or_else(|| Token::decode(secret.trim()));
                value = format!("{scheme} {HIDDEN}").trim_start().to_owned();
            }
            headers.push((name.as_str().to_owned(), value));
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let Some((name, value)) = pair.split_once('=') else { return pair.to_owned() };
            if !name.eq_ignore_ascii_case("jwt") {
                return pair.to_owned();
            }
            token = token.take().or_else(|| Token::decode(value));
            format!("{name}={HIDDEN}")
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        Self {
            method: exchange.method.to_string(),
            path: exchange.uri.path().to_owned(),
            query,
            headers,
            body: without_secrets(&String::from_utf8_lossy(&exchange.body)),
            canonical: signed.canonical().ok(),
            hash: signed.hash().ok(),
            token,
        }
    }
}

/// What stands in place of a token or a secret.
const HIDDEN: &str = "(hidden)";

/// Headers that can contain a token, a session, or the signature of a body, which is shown beside it.
const HIDDEN_HEADERS: [&str; 4] =
    ["authorization", "cookie", "proxy-authorization", "x-hub-signature"];

/// The member of an install's body that is a secret, wherever it stands.
const SECRET_MEMBER: &str = "sharedSecret";

/// A body with every shared secret replaced. The text of any other body stays as it arrived.
fn without_secrets(body: &str) -> String {
    // A member can be written with escapes, so a parsed body decides.
    match serde_json::from_str::<Value>(body) {
        Ok(mut value) => {
            if hide(&mut value) {
                return value.to_string();
            }
        }
        Err(_) if body.to_ascii_lowercase().contains("secret") => {
            return format!("{HIDDEN}: not JSON, and it may contain a secret");
        }
        Err(_) => {}
    }
    body.to_owned()
}

/// Replaces secrets, and returns whether there were any.
fn hide(value: &mut Value) -> bool {
    let in_object = |object: &mut Map<String, Value>| {
        let members = object.iter_mut();
        members.fold(false, |found, (name, value)| {
            if name.eq_ignore_ascii_case(SECRET_MEMBER) {
                *value = HIDDEN.into();
                return true;
            }
            hide(value) || found
        })
    };
    match value {
        Value::Object(object) => in_object(object),
        Value::Array(items) => {
            // Every item, also behind one that was found.
            items.iter_mut().map(hide).fold(false, std::ops::BitOr::bitor)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_secrets_and_leaves_other_bodies_as_they_arrived() {
        for (body, shown) in [
            (r#"{ "a" : 1 }"#, r#"{ "a" : 1 }"#),
            (r#"{"sharedSecret":"s3cret","key":"k"}"#, r#"{"key":"k","sharedSecret":"(hidden)"}"#),
            (r#"{"shared\u0053ecret":"s3cret"}"#, r#"{"sharedSecret":"(hidden)"}"#),
            (r#"[{"a":{"sharedsecret":"s3cret"}}]"#, r#"[{"a":{"sharedsecret":"(hidden)"}}]"#),
            (r#"{"sharedSecret":"s3cret""#, "(hidden): not JSON, and it may contain a secret"),
            ("not JSON", "not JSON"),
        ] {
            let order = |text: &str| {
                serde_json::from_str::<Value>(text).map_or_else(|_| text.into(), |v| v.to_string())
            };
            assert_eq!(order(&without_secrets(body)), order(shown), "{body}");
            assert!(!without_secrets(body).contains("s3cret"));
        }
        assert_eq!(without_secrets(r#"{ "a" : 1 }"#), r#"{ "a" : 1 }"#);
    }
}
