//! What can go wrong with a request to a site, and what becomes of the event.

use std::time::{Duration, SystemTime};

use atlassian_connect::tenant::ClientKey;
use handler::{LONGEST_DELAY, give_up, retry_after};
use http::Method;
use jiff::Timestamp;
use runtime::https::Answer;
use tenants::Unavailable;

/// Why a request to a site has no result.
///
/// A handler can return it with `?`: [`Error::Busy`] is attempted again after the site's delay,
/// [`Error::NotInstalled`] and [`Error::Path`] are given up, and all others are attempted again like
/// any error. Or it matches first: whether [`Error::NotFound`] is worth a dead letter, only the
/// handler knows.
///
/// No error contains a secret, a token, or the query of a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path is not one of the site.
    #[error(
        "{path} is not a path of the site: {reason}; encode what comes from a payload with `segment`"
    )]
    Path {
        /// Its beginning.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
        /// Gives up: it is wrong in every attempt.
        #[source]
        next: runtime::Error,
    },
    /// The tenant has not installed the app, or uninstalled it.
    #[error("the tenant {tenant} does not have the app installed")]
    NotInstalled {
        /// The tenant.
        tenant: ClientKey,
        /// Gives up.
        #[source]
        next: runtime::Error,
    },
    /// The tenant's row has no base URL of a site.
    #[error(
        "the tenant {tenant} has no base URL with https and a host; install the app on its site again"
    )]
    BaseUrl {
        /// The tenant.
        tenant: ClientKey,
    },
    /// The tenant's row has no OAuth 2.0 client, without which the app cannot act for users.
    #[error(
        "the install of the tenant {tenant} had no oauthClientId; add the scope ACT_AS_USER to the \
         descriptor, and install the app on its site again"
    )]
    NoOauthClient {
        /// The tenant.
        tenant: ClientKey,
    },
    /// The tenant could not be read.
    #[error(transparent)]
    Tenants(#[from] Unavailable),
    /// There was no complete response.
    #[error("{request} got no response; check the network, and whether the response is very long")]
    NoAnswer {
        /// The method and path.
        request: String,
        /// The cause.
        #[source]
        source: runtime::Error,
    },
    /// 429 or 503 with a `Retry-After`.
    #[error("{request} was answered with {status}: the site asks to wait")]
    Busy {
        /// The method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The delay, at most [`LONGEST_DELAY`].
        after: Duration,
        /// Asks for a retry after the delay.
        #[source]
        next: runtime::Error,
    },
    /// 401: the site does not accept the signature or the access token.
    #[error(
        "{request} was answered with 401: {}; if the app is still installed there, its secret has \
         changed without an `installed` callback, or its descriptor lacks a scope: install it again",
        if *.as_user { "the site does not accept the user's access token" }
        else { "the site does not accept the app's signature" }
    )]
    Unauthorized {
        /// The method and path.
        request: String,
        /// Whether it was sent as a user.
        as_user: bool,
    },
    /// 403: a scope or a permission is missing.
    #[error(
        "{request} was answered with 403: it needs the scope {scope} in the descriptor{}, and {} a \
         permission of the site for it",
        if *.as_user { " beside ACT_AS_USER" } else { "" },
        if *.as_user { "the user" } else { "the app" }
    )]
    Forbidden {
        /// The method and path.
        request: String,
        /// The scope that its method usually needs.
        scope: &'static str,
        /// Whether it was sent as a user.
        as_user: bool,
    },
    /// 404 or 410: there is no such thing, or the app or user may not see it.
    #[error(
        "{request} was answered with {status}: it does not exist, or is not visible here; match this \
         error and `give_up`, or ignore it, if that can happen"
    )]
    NotFound {
        /// The method and path.
        request: String,
        /// The HTTP status.
        status: u16,
    },
    /// The authorization server grants no access token.
    #[error(
        "the authorization server grants no token for {tenant} ({status}: {detail}); check the scope \
         ACT_AS_USER and that the user is active, or install the app again"
    )]
    NotGranted {
        /// The tenant.
        tenant: ClientKey,
        /// The HTTP status.
        status: u16,
        /// The error code of RFC 6749, section 5.2.
        detail: String,
    },
    /// Any other status. Redirects are not followed.
    #[error("{request} was answered with {status}: {detail}; see the site's API reference")]
    Status {
        /// The method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        detail: String,
    },
    /// The body is not the JSON that the type needs.
    #[error(
        "the response to {request} is not what the type needs: line {line}, column {column}; compare \
         it with the site's API reference"
    )]
    Json {
        /// The method and path.
        request: String,
        /// Where the first error is, from 1.
        line: usize,
        /// Where the first error is, from 1.
        column: usize,
    },
}

impl Error {
    /// The status that the site answered with, if it did.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { .. } => Some(401),
            Self::Forbidden { .. } => Some(403),
            Self::Busy { status, .. }
            | Self::NotFound { status, .. }
            | Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(crate) fn path(path: &str, reason: &'static str) -> Self {
        let path = plain(path.split('?').next().unwrap_or_default(), 100);
        Self::Path { path, reason, next: give_up("the event is given up") }
    }

    pub(crate) fn not_installed(tenant: &ClientKey) -> Self {
        Self::NotInstalled { tenant: tenant.clone(), next: give_up("the event is given up") }
    }

    pub(crate) fn no_answer(request: &str, source: impl Into<runtime::Error>) -> Self {
        Self::NoAnswer { request: request.to_owned(), source: source.into() }
    }

    /// The error of a response that is not a success.
    pub(crate) fn of(
        request: String,
        method: &Method,
        as_user: bool,
        answer: &Answer,
        now: Timestamp,
    ) -> Self {
        let status = answer.status;
        match status {
            401 => Self::Unauthorized { request, as_user },
            403 => Self::Forbidden { request, scope: scope(method), as_user },
            404 | 410 => Self::NotFound { request, status },
            _ => match delay(answer, now) {
                Some(after) => Self::busy(request, status, after),
                None => {
                    let detail = plain(&String::from_utf8_lossy(&answer.body), 200);
                    Self::Status { request, status, detail }
                }
            },
        }
    }

    /// The error of the authorization server.
    pub(crate) fn of_exchange(
        request: String,
        tenant: &ClientKey,
        answer: &Answer,
        now: Timestamp,
    ) -> Self {
        if let Some(after) = delay(answer, now) {
            return Self::busy(request, answer.status, after);
        }
        // No more than the code: what else it says may repeat the assertion.
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = body["error"].as_str().unwrap_or("no error code");
        let code: String =
            code.chars().filter(|c| c.is_ascii_lowercase() || "_ ".contains(*c)).take(40).collect();
        Self::NotGranted { tenant: tenant.clone(), status: answer.status, detail: code }
    }

    fn busy(request: String, status: u16, after: Duration) -> Self {
        let next = retry_after(after, format!("attempted again after {} s", after.as_secs()));
        Self::Busy { request, status, after, next }
    }
}

/// The delay that a 429 or 503 asks for (RFC 9110, section 10.2.3): seconds or a date.
fn delay(answer: &Answer, now: Timestamp) -> Option<Duration> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    let value = answer.headers.get("retry-after")?.to_str().ok()?.trim();
    let delay = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            date.duration_since(SystemTime::from(now)).unwrap_or_default()
        }
    };
    Some(delay.min(LONGEST_DELAY))
}

fn scope(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "READ",
        Method::DELETE => "DELETE",
        _ => "WRITE",
    }
}

/// The beginning of a text, on one line.
pub(crate) fn plain(text: &str, length: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let text: String = words.chars().take(length).collect();
    if text.is_empty() { "no text".into() } else { text }
}

#[cfg(test)]
mod tests {
    use handler::Outcome;

    use super::*;

    fn error(status: u16, retry_after: Option<&str>, body: &str) -> Error {
        let mut headers = http::HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert("retry-after", value.parse().unwrap());
        }
        let answer = Answer { status, headers, body: body.into() };
        let now = "2026-11-25T10:00:00Z".parse().unwrap();
        Error::of("POST /a".into(), &Method::POST, false, &answer, now)
    }

    fn outcome(error: Error) -> Outcome {
        Outcome::of(&Err(error.into()))
    }

    /// Status, `Retry-After`, delay in seconds.
    #[test]
    fn waits_as_long_as_the_site_asks() {
        let rows = [
            (429, "7", Some(7)),
            (503, "120", Some(120)),
            (429, "Wed, 25 Nov 2026 10:01:30 GMT", Some(90)),
            (503, "Wed, 25 Nov 2026 09:00:00 GMT", Some(0)),
            (429, "99999999999", Some(12 * 60 * 60)),
            (429, "Fri, 25 Dec 2026 10:00:00 GMT", Some(12 * 60 * 60)),
            (429, "soon", None),
            (429, "-1", None),
            (500, "7", None),
        ];
        for (status, value, seconds) in rows {
            let after = seconds.map(Duration::from_secs);
            assert_eq!(
                outcome(error(status, Some(value), "")),
                Outcome::Retry { after },
                "{value}"
            );
        }
        assert_eq!(outcome(error(429, None, "")), Outcome::Retry { after: None });
    }

    #[test]
    fn says_what_a_status_means() {
        let rows = [
            (401, "install it again"),
            (403, "WRITE"),
            (404, "give_up"),
            (410, "give_up"),
            (302, "302"),
            (400, "issue is missing"),
            (500, "500"),
        ];
        for (status, words) in rows {
            let error = error(status, None, "issue\r\n\0is  missing");
            assert_eq!(error.status(), Some(status));
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let long = error(400, None, &"x".repeat(10_000)).to_string();
        assert!(long.len() < 400, "{long}");
    }

    #[test]
    fn gives_up_what_can_never_succeed() {
        let tenant = ClientKey::new("tenant").unwrap();
        assert_eq!(outcome(Error::not_installed(&tenant)), Outcome::DeadLetter);
        assert_eq!(outcome(Error::path("//x", "no")), Outcome::DeadLetter);
    }
}
