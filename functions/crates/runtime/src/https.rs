//! HTTPS clients, on rustls with ring.

mod connections;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpClient};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::Error;
use crate::environment;
use connections::Connections;

/// The HTTP client that all AWS SDK clients of a function share: one TLS configuration, one
/// connection pool.
///
/// It trusts Amazon's root certificates, which are embedded: reading the system's hundred and fifty
/// certificates takes longer than the rest of a cold start. `AWS_CA_BUNDLE`, the path of a PEM
/// file, replaces them.
///
/// # Errors
///
/// Fails if the file that `AWS_CA_BUNDLE` names cannot be read, or is none of root certificates.
pub fn amazon() -> Result<SharedHttpClient, Error> {
    let pem = match environment::optional("AWS_CA_BUNDLE") {
        Some(path) => std::fs::read(&path).map_err(|error| {
            format!("AWS_CA_BUNDLE names {path}, which cannot be read: {error}")
        })?,
        None => include_bytes!("../roots/amazon.pem").to_vec(),
    };
    let roots = roots(&pem)
        .map_err(|error| format!("AWS_CA_BUNDLE names no PEM file of certificates: {error}"))?;
    Ok(SharedHttpClient::new(Connections::new(roots)))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() { Err("it has no certificate".into()) } else { Ok(roots) }
}

/// The system's root certificates. One that cannot be read is left out: another may be what is needed.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// An HTTPS client for servers outside AWS. It trusts the system's root certificates, and follows no
/// redirects.
#[derive(Debug)]
pub struct Client {
    connections: Connections,
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
        Self { connections: Connections::new(SYSTEM.clone()), timeout, max_body: Self::MAX_BODY }
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
            let response = self.connections.call(request).await?.try_into_http1x()?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, self.max_body).collect().await?;
            let (status, headers) = (head.status.as_u16(), head.headers);
            Ok(Answer { status, headers, body: body.to_bytes().to_vec() })
        };
        tokio::time::timeout(self.timeout, answer).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_roots_of_amazon() {
        // Amazon Trust Services, "Root CAs": four of its own, and the one of Starfield's that they follow.
        assert_eq!(roots(include_bytes!("../roots/amazon.pem")).unwrap().len(), 5);
    }

    #[test]
    fn refuses_a_file_without_a_certificate() {
        assert!(roots(b"").is_err());
        assert!(roots(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").is_err());
    }
}
