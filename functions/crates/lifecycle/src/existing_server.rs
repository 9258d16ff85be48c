//! The server that an app ran on before, and that still serves its pages.
//!
//! It needs the shared secret that an install brings, so it gets every callback that was verified
//! and recorded, as Atlassian sent it: the method, path, query and body, and the headers
//! `Authorization` and `Content-Type`. It verifies the token itself, with its own means.
//!
//! A callback that it does not accept fails with 503, and its repetition is forwarded again.
//! Recording it twice changes nothing.
//!
//! - `installed`: Atlassian waits for the response, and the install fails visibly. Otherwise the
//!   site would have the app with pages that know no secret.
//! - `uninstalled`: the secrets in the tenants table are removed all the same. Otherwise the server
//!   would keep the tenant's data.
//! - `enabled`, `disabled`: Atlassian does not wait for the response. The alarm of failed callbacks
//!   says that the server missed one.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::{Rejection, Request};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use runtime::https::Client;
use url::{Host, Url};

/// The server that an app ran on before.
#[derive(Clone, Debug)]
pub struct ExistingServer {
    /// Scheme, host and port.
    origin: String,
    client: Arc<Client>,
}

/// A callback without its body, as it is forwarded. It contains a token, so it has no `Debug`.
pub(crate) struct Forwarded(http::request::Builder);

/// Why a callback was not forwarded.
#[derive(Debug, thiserror::Error)]
pub enum NotForwarded {
    /// The server answered, and not with success.
    #[error("it answered with status {status}; see its own log")]
    Status {
        /// The status.
        status: u16,
    },
    /// The server did not answer before the function had to.
    #[error("it did not answer within {} ms", .patience.as_millis())]
    TimedOut {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The server is this app, which would forward the callback to itself again and again.
    #[error("it is this app itself; name the server that the app ran on before")]
    Itself,
    /// The server cannot be reached.
    #[error("it cannot be reached")]
    Unreachable(#[source] runtime::Error),
}

/// The text is not the URL of a server that callbacks can be forwarded to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "it must be https:// and a host, without a path; http:// would send shared secrets in the clear \
     to another machine"
)]
pub struct NotAServer;

impl FromStr for ExistingServer {
    type Err = NotAServer;

    fn from_str(text: &str) -> Result<Self, NotAServer> {
        let url = Url::parse(text).map_err(|_| NotAServer)?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let is_safe = match url.host() {
            Some(host) => url.scheme() == "https" || url.scheme() == "http" && is_loopback(&host),
            None => false,
        };
        if !is_bare || !is_safe {
            return Err(NotAServer);
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { origin, client: Arc::new(Client::new(Self::TIMEOUT)) })
    }
}

impl ExistingServer {
    /// The maximum time for a request. The function's own deadline comes first.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// The request with which a callback is forwarded.
    ///
    /// # Errors
    ///
    /// Returns [`NotForwarded::Itself`] if the callback was sent to the server that it would be
    /// forwarded to.
    pub(crate) fn forwarded(&self, call: &Request) -> Result<Forwarded, NotForwarded> {
        // Each of these requests would wait for the next, until no function is left for others.
        let own = Url::parse(call.base_url.as_str()).map(|url| url.origin().ascii_serialization());
        if own.is_ok_and(|own| own == self.origin) {
            return Err(NotForwarded::Itself);
        }
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let target = format!("{}{}{query}", self.origin, call.path);
        let mut request = http::Request::builder().method(call.method.as_str()).uri(target);
        for name in [AUTHORIZATION, CONTENT_TYPE] {
            let value = call.header(name.as_str()).map(HeaderValue::from_str);
            if let Some(Ok(mut value)) = value {
                value.set_sensitive(name == AUTHORIZATION);
                request = request.header(name, value);
            }
        }
        Ok(Forwarded(request))
    }

    /// Forwards a callback with its body, and waits for the response until `deadline`.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::NotForwarded`] if there is no request, the response is not a success, or
    /// there is none in time.
    pub(crate) async fn send(
        &self,
        forwarded: Result<Forwarded, NotForwarded>,
        body: &str,
        deadline: Instant,
    ) -> Result<(), Rejection> {
        let rejected = |error: NotForwarded| Rejection::NotForwarded(error.into());
        let unreachable = |error| rejected(NotForwarded::Unreachable(error));
        let Forwarded(request) = forwarded.map_err(rejected)?;
        let request = request.body(body.as_bytes().to_vec());
        let request = request.map_err(|error| unreachable(error.into()))?;
        let patience = receiver::time_until(deadline);
        let answer = tokio::time::timeout(patience, self.client.send(request))
            .await
            .map_err(|_| rejected(NotForwarded::TimedOut { patience }))?
            .map_err(unreachable)?;
        let is_success = StatusCode::from_u16(answer.status).is_ok_and(|it| it.is_success());
        if !is_success {
            return Err(rejected(NotForwarded::Status { status: answer.status }));
        }
        Ok(())
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn forwards_nothing_to_the_app_itself() {
        let event = json!({
            "rawPath": "/installed", "rawQueryString": "", "headers": {}, "isBase64Encoded": false,
            "requestContext": {
                "domainName": "app.example.com", "stage": "$default",
                "http": { "method": "POST" },
            },
        });
        for (server, configured, is_itself) in [
            ("https://app.example.com", None, true),
            ("https://APP.example.com:443/", None, true),
            ("https://apps.example.com", Some("https://apps.example.com/hooks"), true),
            ("https://app.example.com:8443", None, false),
            ("https://origin.example.com", None, false),
        ] {
            let now = Instant::now();
            let call = Request::from_event(&event.to_string(), "id", now, configured).unwrap();
            let server: ExistingServer = server.parse().unwrap();
            let forwarded = server.forwarded(&call);
            assert_eq!(forwarded.is_err(), is_itself, "{server:?}");
            if is_itself {
                let rejection = server.send(forwarded, "{}", now).await.unwrap_err();
                assert!(matches!(rejection, Rejection::NotForwarded(_)), "{rejection}");
            }
        }
    }

    #[test]
    fn takes_no_server_that_would_get_secrets_in_the_clear() {
        for good in
            ["https://origin.example.com", "https://origin.example.com:8443/", "http://127.0.0.1:1"]
        {
            assert!(good.parse::<ExistingServer>().is_ok(), "{good}");
        }
        for bad in [
            "http://origin.example.com",
            "http://127.0.0.1.example.com",
            "https://origin.example.com/app",
            "https://origin.example.com/?a=1",
            "https://me:word@origin.example.com",
            "ftp://origin.example.com",
            "origin.example.com",
            "",
        ] {
            assert_eq!(bad.parse::<ExistingServer>().err(), Some(NotAServer), "{bad}");
        }
    }
}
