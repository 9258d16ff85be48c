//! Rejections: the status, the response body and the log text of every refused request.

use atlassian_connect::jwt::Untrusted;
use atlassian_connect::lifecycle::CallbackMismatch;
use atlassian_connect::payload::NotJson;
use atlassian_connect::tenant::ClientKey;
use atlassian_forge::token;
use contract::metric;
use lambda_http::http::StatusCode;

/// Why a request was refused.
///
/// Its `Display` text is for the operator. The caller gets [`Rejection::sentence`], which is the
/// same for every request that is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The request has no token.
    #[error(
        "the request has no token: neither `Authorization: JWT …` nor `?jwt=…`; send one of them"
    )]
    NoToken,
    /// The request has two different tokens.
    #[error("the request has two different tokens; send one")]
    TwoTokens,
    /// The token is not trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The request has no invocation token of Forge.
    #[error(
        "the request has no invocation token: no `Authorization: Bearer …`; this URL takes events of Forge"
    )]
    NoInvocationToken,
    /// The token of a Forge event is not trusted.
    #[error(transparent)]
    UntrustedInvocation(#[from] token::Untrusted),
    /// A signed webhook is not trusted.
    #[error(transparent)]
    UntrustedWebhook(#[from] signed_webhooks::Untrusted),
    /// There is no tenant with the name in the URL, or it sends webhooks of another kind.
    #[error(
        "there is no tenant {tenant} that sends webhooks of this kind; correct the URL in the product, or \
         add the tenant with `cargo hooks tenants add`"
    )]
    UnknownSender {
        /// The name in the URL.
        tenant: String,
    },
    /// The issuer has not installed the app.
    #[error("the tenant {tenant} is not installed; install the app on its site again")]
    UnknownTenant {
        /// The issuer of the token.
        tenant: ClientKey,
    },
    /// A lifecycle callback contradicts its token or this app.
    #[error(transparent)]
    CallbackMismatch(#[from] CallbackMismatch),
    /// A lifecycle callback was signed before one that is already recorded.
    #[error(
        "the callback was signed before one that is already recorded; if the app should be installed, \
         install it again"
    )]
    OutdatedCallback,
    /// The `kid` of an install's token is unknown to Atlassian's key server.
    #[error(
        "Atlassian's key server has no key {key_id}; if this repeats, check the key server's URL"
    )]
    UnknownKey {
        /// The token's `kid`.
        key_id: String,
    },

    /// The function was not invoked with the event of an HTTP API.
    #[error(
        "the event is not one of an HTTP API with payload format 2.0: line {line}, column {column}; \
         check what invokes this function"
    )]
    NotAnEvent {
        /// Where the first error is, from 1.
        line: usize,
        /// Where the first error is, from 1.
        column: usize,
    },
    /// The body is not UTF-8.
    #[error("the body is not UTF-8; if this repeats, check what sends it")]
    NotText,
    /// The body is not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// The body of a lifecycle callback lacks a required field.
    #[error("the body is not a lifecycle callback as Atlassian documents it: {wrong}")]
    NotACallback {
        /// What is wrong, without quoting the body.
        wrong: String,
    },
    /// The event is not declared for this URL.
    #[error("the event {event} is not declared for this URL; declare it if you want it")]
    UndeclaredEvent {
        /// The event, as the body or the tenant's product says.
        event: String,
    },
    /// The body is empty although the descriptor does not exclude it.
    #[error("the body is empty; set excludeBody in the webhook's declaration if that is intended")]
    EmptyBody,
    /// The event is of a product whose events handlers do not take.
    #[error(
        "the event {event} is not of Jira, Confluence or Bitbucket, and handlers take no others; delete \
         it from the manifest's trigger"
    )]
    OtherProduct {
        /// The event.
        event: String,
    },
    /// The URL has several events, and the body does not say which one it is.
    #[error(
        "the body does not name its event, and the URL has several; declare one URL for each event"
    )]
    AmbiguousEvent,
    /// The function does not serve the path.
    #[error("the path {path} is not declared in the descriptor; declare it, or correct the sender")]
    UnknownPath {
        /// The path.
        path: String,
    },

    /// The delivery exceeds the limit of a message.
    #[error(
        "the delivery has {bytes} bytes after compression, more than the queue's limit of {limit}; to \
         store large deliveries in S3, write `template: {{ bodies: true }}` into \
         infra/atlassian-hooks.yaml and run `cargo hooks template`"
    )]
    TooLarge {
        /// The length of the compressed message, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },

    /// The tenants table or its KMS key did not answer.
    #[error("the tenant could not be read or recorded")]
    TenantsUnavailable(#[source] runtime::Error),
    /// The queue did not take the delivery.
    #[error("the delivery could not be queued; check SQS and what the function's role may do")]
    QueueUnavailable(#[source] runtime::Error),
    /// The existing server did not accept a lifecycle callback.
    #[error(
        "the callback is recorded, and the existing server did not accept it; correct the server, or \
         existingServer in the app's configuration"
    )]
    NotForwarded(#[source] runtime::Error),
    /// Forge's key set could not be fetched, and no key is known that the token could be signed
    /// with.
    #[error("the key set could not be fetched; check its URL and the network")]
    KeySetUnavailable(#[source] runtime::Error),
    /// Atlassian's key server did not answer.
    #[error("the install key could not be fetched; check the key server's URL and the network")]
    KeysUnavailable(#[source] runtime::Error),
}

impl Rejection {
    /// The response status, which decides what the sender does.
    ///
    /// Of these statuses, Jira sends a webhook again only after 503 (Atlassian's documentation,
    /// "Webhooks"). So 503 is for what may succeed later, and never for what cannot.
    pub fn status(&self) -> StatusCode {
        self.declared().0
    }

    /// The response body. It is the same for every 401.
    pub fn sentence(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "not authorized",
            StatusCode::NOT_FOUND => "not found",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
            StatusCode::SERVICE_UNAVAILABLE => "try again later",
            _ => "the body is not what this URL expects",
        }
    }

    /// The reason in logs and metrics. These words are stable.
    pub fn reason(&self) -> &'static str {
        self.declared().1
    }

    /// The status and the reason of each rejection.
    fn declared(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoToken | Self::NoInvocationToken => (StatusCode::UNAUTHORIZED, "no_token"),
            Self::TwoTokens => (StatusCode::UNAUTHORIZED, "two_tokens"),
            Self::Untrusted(untrusted) => (StatusCode::UNAUTHORIZED, reason(untrusted)),
            Self::UntrustedInvocation(untrusted) => {
                (StatusCode::UNAUTHORIZED, invocation_reason(untrusted))
            }
            Self::UntrustedWebhook(untrusted) => {
                (StatusCode::UNAUTHORIZED, webhook_reason(*untrusted))
            }
            Self::UnknownTenant { .. } | Self::UnknownSender { .. } => {
                (StatusCode::UNAUTHORIZED, "unknown_tenant")
            }
            Self::CallbackMismatch(_) => (StatusCode::UNAUTHORIZED, "callback_mismatch"),
            Self::OutdatedCallback => (StatusCode::UNAUTHORIZED, "outdated_callback"),
            Self::UnknownKey { .. } => (StatusCode::UNAUTHORIZED, "unknown_key"),

            Self::NotAnEvent { .. } => (StatusCode::BAD_REQUEST, "not_an_event"),
            Self::NotText => (StatusCode::BAD_REQUEST, "not_text"),
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "not_json"),
            Self::NotACallback { .. } => (StatusCode::BAD_REQUEST, "not_a_callback"),
            Self::UndeclaredEvent { .. } => (StatusCode::BAD_REQUEST, "undeclared_event"),
            Self::EmptyBody => (StatusCode::BAD_REQUEST, "empty_body"),
            Self::AmbiguousEvent => (StatusCode::BAD_REQUEST, "ambiguous_event"),
            Self::OtherProduct { .. } => (StatusCode::BAD_REQUEST, "other_product"),
            Self::UnknownPath { .. } => (StatusCode::NOT_FOUND, "unknown_path"),

            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),

            Self::TenantsUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "tenants_unavailable"),
            Self::QueueUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable"),
            Self::NotForwarded(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_forwarded"),
            Self::KeySetUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "key_set_unavailable"),
            Self::KeysUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"),
        }
    }

    /// Keeps the position of an error, and drops its text, which quotes the event.
    pub(crate) fn not_an_event(error: &serde_json::Error) -> Self {
        Self::NotAnEvent { line: error.line(), column: error.column() }
    }

    /// Logs the rejection. A queued delivery is logged with the same id, as its `delivery.id`.
    pub(crate) fn log(&self, id: &str, path: &str) {
        let (status, reason) = (self.status().as_u16(), self.reason());
        let detail = runtime::chain(self);
        if self.status().is_server_error() {
            tracing::error!(
                metric = metric::REJECTED,
                request.id = id,
                path,
                status,
                reason,
                detail,
                "request failed"
            );
        } else {
            tracing::warn!(
                metric = metric::REJECTED,
                request.id = id,
                path,
                status,
                reason,
                detail,
                "request rejected"
            );
        }
    }
}

fn reason(untrusted: &Untrusted) -> &'static str {
    match untrusted {
        Untrusted::Algorithm { .. } => "algorithm",
        Untrusted::Expired { .. } => "expired",
        Untrusted::NotYetValid { .. } => "not_yet_valid",
        Untrusted::QshMismatch => "qsh",
        Untrusted::Signature => "signature",
        _ => "malformed_token",
    }
}

fn invocation_reason(untrusted: &token::Untrusted) -> &'static str {
    match untrusted {
        token::Untrusted::Algorithm => "algorithm",
        token::Untrusted::Expired { .. } => "expired",
        token::Untrusted::NotYetValid { .. } => "not_yet_valid",
        token::Untrusted::OtherApp => "other_app",
        token::Untrusted::User | token::Untrusted::Module => "user",
        token::Untrusted::OtherEndpoint => "other_endpoint",
        token::Untrusted::UnknownKey => "unknown_key",
        token::Untrusted::Signature => "signature",
        _ => "malformed_token",
    }
}

fn webhook_reason(untrusted: signed_webhooks::Untrusted) -> &'static str {
    use signed_webhooks::Untrusted;
    match untrusted {
        Untrusted::NoSignature => "no_signature",
        Untrusted::SeveralSignatures => "two_signatures",
        Untrusted::MalformedSignature => "malformed_signature",
        Untrusted::NoToken => "no_token",
        Untrusted::Method | Untrusted::Algorithm => "algorithm",
        Untrusted::Expired { .. } => "expired",
        Untrusted::NotYetValid { .. } => "not_yet_valid",
        Untrusted::Signature => "signature",
        _ => "malformed_token",
    }
}
