//! HTTP proxy integrations: a request to another server, and its response.
//!
//! API Gateway Developer Guide, "Create HTTP proxy integrations for HTTP APIs": the whole request
//! and the whole response are passed on. The `Host` is the server's own.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;

use super::MAX_BODY;
use super::event::is_hop_by_hop;

/// A client for other servers. It follows no redirects, because the caller gets them.
#[derive(Debug)]
pub(super) struct Proxy {
    client: Option<reqwest::Client>,
}

impl Proxy {
    pub(super) fn new() -> Self {
        // It fails if the process has one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        // It fails if the system's certificates cannot be read.
        Self { client: client.build().ok() }
    }

    /// Sends a request to the server at `origin`, and returns its response.
    ///
    /// What goes wrong is answered with 503, as API Gateway does.
    pub(super) async fn send(
        &self,
        origin: &str,
        request: &Parts,
        body: &Bytes,
        timeout: Duration,
    ) -> Result<Response, StatusCode> {
        let client = self.client.as_ref().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut headers = end_to_end(&request.headers);
        headers.remove(HOST);
        let request = client
            .request(request.method.clone(), format!("{origin}{target}"))
            .headers(headers)
            .body(body.clone())
            .timeout(timeout);
        let unavailable = |_| StatusCode::SERVICE_UNAVAILABLE;
        let answer = request.send().await.map_err(unavailable)?;
        let (status, headers) = (answer.status(), end_to_end(answer.headers()));
        let body = answer.bytes().await.map_err(unavailable)?;
        if body.len() > MAX_BODY {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// The headers that are not about one connection. The length is that of the body that follows.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let listed = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<HeaderName> = listed
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut kept = headers.clone();
    for name in headers.keys() {
        if is_hop_by_hop(name) || *name == CONTENT_LENGTH || listed.contains(name) {
            kept.remove(name);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_about_the_connection() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "text/html"),
            ("connection", "close, X-Once"),
            ("content-length", "5"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("te", "trailers"),
            ("x-once", "1"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let kept = end_to_end(&headers);
        let kept: Vec<_> =
            kept.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(kept, [("accept", "text/html"), ("cookie", "a=1"), ("cookie", "b=2")]);
    }
}
