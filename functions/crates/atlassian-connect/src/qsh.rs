//! The query string hash (`qsh`), which binds a token to one method, path and query.
//!
//! Atlassian's documentation, "Query string hash": the SHA-256 of a canonical form of the request,
//! `METHOD&path&query`, in lower-case hexadecimal. Where that page and Atlassian's own signer
//! differ, the signer decides, because its tokens are the ones that arrive.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The parts of a request that its token is bound to. The body is not one of them.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The HTTP method, in any case.
    pub method: &'a str,
    /// The path as it arrived, percent-encoded, without the query.
    pub path: &'a str,
    /// The query as it arrived, without the question mark; empty if there is none.
    pub query: &'a str,
    /// The path of the app's base URL, which is not part of the hash: `/` or empty for none.
    pub base_path: &'a str,
}

impl<'a> Request<'a> {
    /// Splits an absolute or relative URL into its parts.
    pub fn of_url(method: &'a str, url: &'a str, base_path: &'a str) -> Self {
        let url = url.split_once('#').map_or(url, |(url, _)| url);
        let (target, query) = url.split_once('?').unwrap_or((url, ""));
        Self { method, path: path_of(target), query, base_path }
    }

    /// The text that is hashed: `METHOD&path&query`.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if the query has an invalid percent-encoding or is not UTF-8. Two such
    /// queries could have the same canonical form, so they have none.
    pub fn canonical(&self) -> Result<String, Malformed> {
        Ok(self.canonical_with(self.path, &canonical_query(self.query)?))
    }

    /// The hash that a signer puts into the token.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Request::canonical`].
    pub fn hash(&self) -> Result<String, Malformed> {
        Ok(hash(&self.canonical()?))
    }

    /// Whether a token with this `qsh` claim was made for this request.
    ///
    /// Atlassian's signers disagree on percent-encoded paths: one hashes the path as sent, another
    /// decodes it first, and API Gateway passes on a decoded path. All three forms are accepted;
    /// for a path of unreserved characters they are equal. `context-qsh`, the constant in tokens
    /// that any user can get in a browser, is not a hash and never matches. The comparison takes
    /// constant time.
    pub fn accepts(&self, qsh: &str) -> bool {
        let Ok(query) = canonical_query(self.query) else { return false };
        let matches = |path: &str| {
            bool::from(hash(&self.canonical_with(path, &query)).as_bytes().ct_eq(qsh.as_bytes()))
        };
        // The last form is encoded again, in case API Gateway decoded the path.
        matches(self.path)
            || decode(self.path).is_ok_and(|decoded| decoded != self.path && matches(&decoded))
            || matches(&self.path.split('/').map(encode).collect::<Vec<_>>().join("/"))
    }

    fn canonical_with(&self, path: &str, query: &str) -> String {
        let path = canonical_path(path, self.base_path);
        format!("{}&{path}&{query}", self.method.to_ascii_uppercase())
    }
}

/// A query that has no canonical form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the query string is not percent-encoded UTF-8; correct its encoding")]
pub struct Malformed;

/// Everything but RFC 3986's unreserved characters is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn path_of(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => target,
    }
}

/// The path below the app's base URL, with one slash before and none after.
fn canonical_path(path: &str, base_path: &str) -> String {
    let base = base_path.trim_end_matches('/');
    // Only whole segments are stripped: `/basement` is not below `/base`.
    let below = path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = below.unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path).replace('&', "%26");
    if path.starts_with('/') { path } else { format!("/{path}") }
}

/// The parameters, decoded, without the token, sorted, and encoded again.
fn canonical_query(query: &str) -> Result<String, Malformed> {
    let mut parameters = BTreeMap::<String, Vec<String>>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(&name.replace('+', " "))?.into_owned();
        // A token in the query cannot be part of its own hash.
        if name != "jwt" {
            let value = decode(&value.replace('+', " "))?.into_owned();
            parameters.entry(encode(&name)).or_default().push(value);
        }
    }
    let mut canonical = String::with_capacity(query.len());
    for (name, mut values) in parameters {
        // The documentation sorts encoded values. The signer sorts decoded ones, in Java's order.
        values.sort_by(|a, b| utf16_order(a, b));
        let separator = if canonical.is_empty() { "" } else { "&" };
        let values = values.iter().map(|value| encode(value)).collect::<Vec<_>>().join(",");
        write!(canonical, "{separator}{name}={values}").expect("a String takes any text");
    }
    Ok(canonical)
}

fn utf16_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let encodes_nothing = text.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes();
        digits.len() < 2 || !digits[..2].iter().all(u8::is_ascii_hexdigit)
    });
    if encodes_nothing {
        return Err(Malformed);
    }
    percent_decode_str(text).decode_utf8().map_err(|_| Malformed)
}

fn hash(canonical: &str) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    Sha256::digest(canonical)
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(method: &str, url: &str, base_path: &str) -> String {
        Request::of_url(method, url, base_path).canonical().unwrap()
    }

    /// One row a rule: URL, base path, canonical form.
    #[test]
    fn follows_every_rule_of_the_canonical_form() {
        let rows = [
            // The example of the documentation.
            (
                "/path/to/service?zee_last=param&repeated=parameter%202&first=param&repeated=parameter%201",
                "",
                "GET&/path/to/service&first=param&repeated=parameter%201,parameter%202&zee_last=param",
            ),
            // Path.
            ("https://hooks.example.com/issue-created", "", "GET&/issue-created&"),
            ("https://hooks.example.com", "", "GET&/&"),
            ("https://hooks.example.com/", "", "GET&/&"),
            ("", "", "GET&/&"),
            ("/hook/", "", "GET&/hook&"),
            ("/hook//", "", "GET&/hook/&"),
            ("//hook", "", "GET&//hook&"),
            ("/Hook/../hook;v=1", "", "GET&/Hook/../hook;v=1&"),
            ("/a&b", "", "GET&/a%26b&"),
            ("/hook#fragment?x=y", "", "GET&/hook&"),
            ("/path!$%26'()*+,;=", "", "GET&/path!$%26'()*+,;=&"),
            // Base path.
            ("/prod/hook", "/prod", "GET&/hook&"),
            ("/prod/hook", "/prod/", "GET&/hook&"),
            ("/prod", "/prod", "GET&/&"),
            ("/prod?a=b", "/prod", "GET&/&a=b"),
            ("/production/hook", "/prod", "GET&/production/hook&"),
            ("/hook", "/", "GET&/hook&"),
            // Parameters: blanks, order, case, repetition.
            ("/h?a", "", "GET&/h&a="),
            ("/h?a=", "", "GET&/h&a="),
            ("/h?&a=1&&b=2&", "", "GET&/h&a=1&b=2"),
            ("/h?b=2&a=1", "", "GET&/h&a=1&b=2"),
            ("/h?a=1&A=2", "", "GET&/h&A=2&a=1"),
            ("/h?a-b=1&a=2", "", "GET&/h&a=2&a-b=1"),
            ("/h?a=b=c", "", "GET&/h&a=b%3Dc"),
            ("/h?a=x,y&b=2", "", "GET&/h&a=x%2Cy&b=2"),
            ("/h?a=y&a=x", "", "GET&/h&a=x,y"),
            // Values are sorted as they read, not as they are encoded.
            ("/h?c=%2B&c=%2520&c=%20&c=", "", "GET&/h&c=,%20,%2520,%2B"),
            ("/h?c=%EF%BF%BD&c=%F0%9F%98%80", "", "GET&/h&c=%F0%9F%98%80,%EF%BF%BD"),
            // Encoding.
            ("/h?a=b+c", "", "GET&/h&a=b%20c"),
            ("/h?a=b%2Bc", "", "GET&/h&a=b%2Bc"),
            ("/h?a=~-._", "", "GET&/h&a=~-._"),
            ("/h?a=%7e%2d", "", "GET&/h&a=~-"),
            ("/h?a=*!'()", "", "GET&/h&a=%2A%21%27%28%29"),
            ("/h?a=/%3f:@", "", "GET&/h&a=%2F%3F%3A%40"),
            ("/h?%C3%A9=%c3%a9", "", "GET&/h&%C3%A9=%C3%A9"),
            ("/h?a%20b=1&a+b=2", "", "GET&/h&a%20b=1,2"),
            // The token itself.
            ("/h?jwt=x.y.z", "", "GET&/h&"),
            ("/h?a=1&jwt=x&jwt=y", "", "GET&/h&a=1"),
            ("/h?JWT=x", "", "GET&/h&JWT=x"),
            ("/h?%6Awt=x", "", "GET&/h&"),
        ];
        for (url, base_path, expected) in rows {
            assert_eq!(canonical("get", url, base_path), expected, "{url} below {base_path:?}");
        }
    }

    #[test]
    fn keeps_what_the_host_appends() {
        let url = "/jira-issue_created?user_id=admin&user_key=admin";
        assert_eq!(
            canonical("POST", url, ""),
            "POST&/jira-issue_created&user_id=admin&user_key=admin"
        );
    }

    #[test]
    fn hashes_with_sha_256_in_lower_case() {
        assert_eq!(hash("foo"), "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae");
    }

    #[test]
    fn accepts_only_the_exact_hash() {
        let request = Request::of_url("POST", "/issue-created?a=1", "");
        let qsh = request.hash().unwrap();
        assert!(request.accepts(&qsh));
        assert!(!request.accepts(&qsh.to_uppercase()));
        assert!(!request.accepts(&qsh[..63]));
        assert!(!request.accepts("context-qsh"));
        assert!(!request.accepts(""));
        for other in ["/issue-updated?a=1", "/issue-created?a=2", "/issue-created"] {
            assert!(!Request::of_url("POST", other, "").accepts(&qsh), "{other}");
        }
        assert!(!Request::of_url("PUT", "/issue-created?a=1", "").accepts(&qsh));
    }

    #[test]
    fn accepts_a_path_signed_encoded_or_decoded() {
        let request = Request::of_url("POST", "/hook/A%20B%2FC", "");
        assert!(request.accepts(&hash("POST&/hook/A%20B%2FC&")));
        assert!(request.accepts(&hash("POST&/hook/A B/C&")));
        assert!(!request.accepts(&hash("POST&/hook/A%20B/C&")));
        // As API Gateway hands it over.
        let request = Request::of_url("POST", "/hook/5b10:a b", "");
        assert!(request.accepts(&hash("POST&/hook/5b10%3Aa%20b&")));
        assert!(request.accepts(&hash("POST&/hook/5b10:a b&")));
        assert!(!request.accepts(&hash("POST&/hook/5b10%3Aa b&")));
        let request = Request::of_url("POST", "/hook/a%2Fb", "");
        assert!(request.accepts(&hash("POST&/hook/a%252Fb&")));
    }

    #[test]
    fn refuses_a_query_with_no_single_reading() {
        for query in ["a=%", "a=%2", "a=%zz", "%=1", "a=%ff", "a=%C3%28"] {
            let request = Request { method: "POST", path: "/h", query, base_path: "" };
            assert_eq!(request.canonical(), Err(Malformed), "{query}");
            assert!(!request.accepts(&hash(&format!("POST&/h&{query}"))), "{query}");
        }
    }
}
