//! HTTPS clients, on rustls with ring.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};

use crate::Error;
use crate::environment;

/// The HTTP client that all AWS SDK clients of a function share: one TLS configuration, one
/// connection pool.
///
/// It trusts Amazon's root certificates, which are embedded: reading the system's hundred and fifty
/// certificates takes longer than the rest of a cold start. `AWS_CA_BUNDLE`, the path of a PEM
/// file, replaces them.
///
/// # Errors
///
/// Fails if the file that `AWS_CA_BUNDLE` names cannot be read.
pub fn amazon() -> Result<SharedHttpClient, Error> {
    let roots = match environment::optional("AWS_CA_BUNDLE") {
        Some(path) => std::fs::read(&path).map_err(|error| {
            format!("AWS_CA_BUNDLE names {path}, which cannot be read: {error}")
        })?,
        None => include_bytes!("../roots/amazon.pem").to_vec(),
    };
    let trust = TrustStore::empty().with_pem_certificate(roots);
    let tls = TlsContext::builder().with_trust_store(trust).build()?;
    Ok(Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https())
}

/// An HTTPS client for servers outside AWS. It trusts the system's root certificates, and follows no
/// redirects.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    timeout: Duration,
    max_body: usize,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`Client::MAX_BODY`] bytes unless the client has another limit.
    pub body: Vec<u8>,
}

impl Client {
    /// The maximum length of a response body, in bytes.
    pub const MAX_BODY: usize = 64 * 1024;

    /// A client with a timeout for a whole request, response body included.
    pub fn new(timeout: Duration) -> Self {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(timeout).read_timeout(timeout).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(TokioSleep::new())
            .tls_provider(Provider::Rustls(CryptoMode::Ring));
        Self { connector: connector.build(), timeout, max_body: Self::MAX_BODY }
    }

    /// The same with another limit for response bodies, in bytes.
    #[must_use]
    pub fn max_body(self, bytes: usize) -> Self {
        Self { max_body: bytes, ..self }
    }

    /// Gets a URL.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Client::send`].
    pub async fn get(&self, url: &str) -> Result<Answer, Error> {
        self.send(Request::get(url).body(Vec::new())?).await
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// Fails if there is no complete response in time, or it is too long.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Error> {
        let request = HttpRequest::try_from(request.map(SdkBody::from))?;
        let answer = async {
            let response = self.connector.call(request).await?.try_into_http1x()?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, self.max_body).collect().await?;
            let (status, headers) = (head.status.as_u16(), head.headers);
            Ok(Answer { status, headers, body: body.to_bytes().to_vec() })
        };
        tokio::time::timeout(self.timeout, answer).await?
    }
}
