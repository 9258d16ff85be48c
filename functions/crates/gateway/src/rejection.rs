//! Every way to be refused: status, what the caller reads, what the operator reads.

use atlassian_connect::jwt::Untrusted;
use atlassian_connect::lifecycle::Disagreement;
use atlassian_connect::payload::NotJson;
use atlassian_connect::tenant::ClientKey;
use lambda_http::http::StatusCode;

/// Why a call was refused.
///
/// Printed, it is the operator's sentence. The caller gets [`Rejection::sentence`], which is the same
/// for everything that is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Nobody signed.
    #[error("the request carries no token: neither `Authorization: JWT …` nor `?jwt=…`")]
    NoToken,
    /// Two different tokens.
    #[error("the request carries two different tokens")]
    TwoTokens,
    /// The token does not hold.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The issuer is not installed.
    #[error("no tenant {tenant} is installed; its site has to install the app again")]
    UnknownTenant {
        /// The issuer of the token.
        tenant: ClientKey,
    },
    /// A lifecycle callback contradicts its token or this app.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// A lifecycle callback was signed before one that is recorded already.
    #[error("the callback was signed before the tenant's last install or uninstall, which stands")]
    Outdated,
    /// An RS256 token names a key that Atlassian does not have.
    #[error("Atlassian's key server knows no key {key_id}")]
    UnknownKey {
        /// The token's `kid`.
        key_id: String,
    },

    /// The gateway's event cannot be read.
    #[error(
        "the event is none of an HTTP API with payload format 2.0: line {line}, column {column}; \
         see what invokes this function"
    )]
    NotAnEvent {
        /// Where the first error is, from 1.
        line: usize,
        /// Where the first error is, from 1.
        column: usize,
    },
    /// The body is not UTF-8.
    #[error("the body is not UTF-8")]
    NotText,
    /// The body is not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// A lifecycle callback whose body lacks what it must have.
    #[error("the callback's body is not what Atlassian documents: {wrong}")]
    NotACallback {
        /// What is wrong with it, without any of it.
        wrong: String,
    },
    /// An event that the descriptor does not declare for this URL.
    #[error("the event {event} is not declared for this URL; see the descriptor's webhooks")]
    UndeclaredEvent {
        /// The event, as the body or the tenant's product says.
        event: String,
    },
    /// No body, where the descriptor does not exclude it.
    #[error("the body is empty, and no webhook of this URL has excludeBody")]
    EmptyBody,
    /// Several events are declared for the URL, and the body does not say which it is.
    #[error("the body names no event and the URL has several; declare one URL for each event")]
    AmbiguousEvent,
    /// A path that belongs to nothing this function serves.
    #[error("the path {path} is not declared in the descriptor")]
    UnknownPath {
        /// The path.
        path: String,
    },

    /// More than the queue takes.
    #[error("the delivery has {bytes} bytes compressed, the queue takes {limit}")]
    TooLarge {
        /// Its length, compressed, in bytes.
        bytes: usize,
        /// The most the queue takes, in bytes.
        limit: usize,
    },

    /// The tenants' table did not answer.
    #[error("the tenants table is unavailable")]
    TenantsUnavailable(#[source] runtime::Error),
    /// The queue did not take the delivery.
    #[error("the queue did not take the delivery")]
    QueueUnavailable(#[source] runtime::Error),
    /// Atlassian's key server did not answer.
    #[error("the install key server is unavailable")]
    KeysUnavailable(#[source] runtime::Error),
}

impl Rejection {
    /// The status, which decides what the sender does.
    ///
    /// Of these, Jira tries again after 503 alone (Atlassian's documentation, "Webhooks"): what may
    /// succeed later has to be that, and what never will must not.
    pub fn status(&self) -> StatusCode {
        self.declared().0
    }

    /// What the caller reads. It does not help to guess.
    pub fn sentence(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "not authorized",
            StatusCode::NOT_FOUND => "not found",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
            StatusCode::SERVICE_UNAVAILABLE => "try again later",
            _ => "the body is not what this URL expects",
        }
    }

    /// One word for logs and metrics; it does not change.
    pub fn reason(&self) -> &'static str {
        self.declared().1
    }

    /// The table: status and reason of each.
    fn declared(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no_token"),
            Self::TwoTokens => (StatusCode::UNAUTHORIZED, "two_tokens"),
            Self::Untrusted(untrusted) => (StatusCode::UNAUTHORIZED, reason(untrusted)),
            Self::UnknownTenant { .. } => (StatusCode::UNAUTHORIZED, "unknown_tenant"),
            Self::Disagreement(_) => (StatusCode::UNAUTHORIZED, "disagreement"),
            Self::Outdated => (StatusCode::UNAUTHORIZED, "outdated"),
            Self::UnknownKey { .. } => (StatusCode::UNAUTHORIZED, "unknown_key"),

            Self::NotAnEvent { .. } => (StatusCode::BAD_REQUEST, "not_an_event"),
            Self::NotText => (StatusCode::BAD_REQUEST, "not_text"),
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "not_json"),
            Self::NotACallback { .. } => (StatusCode::BAD_REQUEST, "not_a_callback"),
            Self::UndeclaredEvent { .. } => (StatusCode::BAD_REQUEST, "undeclared_event"),
            Self::EmptyBody => (StatusCode::BAD_REQUEST, "empty_body"),
            Self::AmbiguousEvent => (StatusCode::BAD_REQUEST, "ambiguous_event"),
            Self::UnknownPath { .. } => (StatusCode::NOT_FOUND, "unknown_path"),

            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),

            Self::TenantsUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "tenants_unavailable"),
            Self::QueueUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable"),
            Self::KeysUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"),
        }
    }

    /// Keeps the place of an error, and leaves out its text, which quotes the event.
    pub(crate) fn not_an_event(error: &serde_json::Error) -> Self {
        Self::NotAnEvent { line: error.line(), column: error.column() }
    }

    /// Tells the operator, once.
    pub(crate) fn log(&self, path: &str) {
        let (status, reason) = (self.status().as_u16(), self.reason());
        let detail = runtime::chain(self);
        if self.status().is_server_error() {
            tracing::error!(path, status, reason, detail, "request failed");
        } else {
            tracing::warn!(path, status, reason, detail, "request refused");
        }
    }
}

fn reason(untrusted: &Untrusted) -> &'static str {
    match untrusted {
        Untrusted::Algorithm { .. } => "algorithm",
        Untrusted::Expired { .. } => "expired",
        Untrusted::NotYetValid { .. } => "not_yet_valid",
        Untrusted::OtherRequest => "qsh",
        Untrusted::Signature => "signature",
        _ => "malformed_token",
    }
}
