//! HTTP/1.1 over TCP and TLS, which the AWS clients and [`super::Client`] send their requests with.
//!
//! The client that the SDKs bring along speaks HTTP/2 as well, and through proxies. That is half a megabyte
//! of every function, and no service that a function calls asks for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::future::timeout::TimedOutError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{self, CaptureConnection, capture_connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// A pool of connections, and the timeouts of the requests that are sent on them.
#[derive(Clone)]
pub(super) struct Connections {
    client: Client<HttpsConnector<connect::HttpConnector>, SdkBody>,
    timeouts: HttpConnectorSettings,
}

impl Connections {
    /// A pool for servers whose certificates some roots vouch for, and for those without TLS.
    pub(super) fn new(roots: impl Into<Arc<RootCertStore>>) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = connect::HttpConnector::new();
        // It opens the connections that TLS is spoken on as well.
        tcp.enforce_http(false);
        // Otherwise the end of a request can wait for the acknowledgement of its beginning.
        tcp.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build((tcp, tls).into());
        Self { client, timeouts: HttpConnectorSettings::default() }
    }

    /// Sends a request, and returns the response once its headers are there.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x();
        let mut request = request.map_err(|error| ConnectorError::user(error.into()))?;
        let mut connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            let connection = connection.clone();
            capture.set_connection_retriever(move || described(&connection));
        }
        notice_closed_connections().await;
        let mut sent = self.client.request(request);
        let response = async {
            tokio::select! {
                biased;
                response = &mut sent => return response.map_err(classified),
                connected = within(self.timeouts.connect_timeout(), async {
                    drop(connection.wait_for_connection_metadata().await);
                }) => connected?,
            }
            sent.await.map_err(classified)
        };
        let response = within(self.timeouts.read_timeout(), response).await??;
        let response = response.map(SdkBody::from_body_1_x).try_into();
        response.map_err(|error| ConnectorError::other(Box::new(error), None))
    }
}

impl HttpClient for Connections {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { timeouts: settings.clone(), ..self.clone() })
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connections = self.clone();
        HttpConnectorFuture::new(async move { connections.send(request).await })
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

/// Lets the pool drop the connections that servers have closed while Lambda had frozen the function. A
/// request that is written to one of them is lost, and waits for the SDK to try again.
async fn notice_closed_connections() {
    // The runtime asks the operating system for what has happened before it goes on here.
    tokio::task::yield_now().await;
}

/// The output of a future, unless there is a limit and it takes longer.
async fn within<F: Future>(
    limit: Option<Duration>,
    future: F,
) -> Result<F::Output, ConnectorError> {
    match limit {
        Some(limit) => {
            let output = timeout(limit, future).await;
            output.map_err(|_| ConnectorError::timeout(TimedOutError.into()))
        }
        None => Ok(future.await),
    }
}

/// What an SDK wants to know of the connection of a request, if there is one by now: how to let nothing else
/// be sent on it.
fn described(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// An error as the SDKs sort them, which decides whether they try again.
fn classified(error: Error) -> ConnectorError {
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    match causes.filter_map(|cause| cause.downcast_ref::<hyper::Error>()).next() {
        Some(cause) if cause.is_user() => ConnectorError::user(error.into()),
        Some(cause) if cause.is_parse() => ConnectorError::other(error.into(), None),
        _ => ConnectorError::io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;

    use http::Request;
    use http_body_util::BodyExt as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// A server whose connections are handled one after the other, with their numbers. Returns its port.
    fn serve(handle: impl Fn(TcpStream, usize) + Send + 'static) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                handle(stream.unwrap(), number);
            }
        });
        port
    }

    /// Reads a request without a body, and says whether there was one.
    fn read(stream: &mut impl Read) -> bool {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => request.extend(byte),
                _ => return false,
            }
        }
        true
    }

    /// Answers the next request with the number of its connection. Returns whether there was one.
    fn answer(stream: &mut (impl Read + Write), number: usize) -> bool {
        let is_there = read(stream);
        if is_there {
            let length = number.to_string().len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{number}").unwrap();
        }
        is_there
    }

    fn without_roots() -> Connections {
        Connections::new(RootCertStore::empty())
    }

    fn with_timeouts(settings: HttpConnectorSettings) -> Connections {
        Connections { timeouts: settings, ..without_roots() }
    }

    /// Gets something, and returns the number of the connection on which it came.
    async fn get(connections: &Connections, url: &str) -> Result<String, ConnectorError> {
        let request = Request::get(url).body(SdkBody::empty()).unwrap();
        let response = connections.call(request.try_into().unwrap()).await?;
        let body = response.into_body().collect().await.unwrap();
        Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn sends_one_request_after_another_on_one_connection() {
        let port = serve(|mut stream, number| while answer(&mut stream, number) {});
        let connections = without_roots();
        for _ in 0..3 {
            assert_eq!(get(&connections, &format!("http://127.0.0.1:{port}")).await.unwrap(), "0");
        }
    }

    #[tokio::test]
    async fn shares_its_connections_with_connectors_of_other_timeouts() {
        let port = serve(|mut stream, number| while answer(&mut stream, number) {});
        let connections = without_roots();
        for seconds in [10, 20] {
            let limit = Duration::from_secs(seconds);
            let timeouts = HttpConnectorSettings::builder().read_timeout(limit).build();
            let connections = Connections { timeouts, ..connections.clone() };
            assert_eq!(get(&connections, &format!("http://127.0.0.1:{port}")).await.unwrap(), "0");
        }
    }

    #[tokio::test]
    async fn sends_nothing_on_a_connection_that_was_closed_while_the_function_was_frozen() {
        let (sleep, asleep) = mpsc::channel();
        let (close, closed) = mpsc::channel();
        let port = serve(move |mut stream, number| {
            assert!(answer(&mut stream, number));
            asleep.recv().unwrap();
            drop(stream);
            close.send(()).unwrap();
        });
        let connections = without_roots();
        for number in 0..10 {
            let answered = get(&connections, &format!("http://127.0.0.1:{port}")).await.unwrap();
            assert_eq!(answered, number.to_string());
            // The connection has nothing left to read.
            notice_closed_connections().await;
            // The runtime has this thread alone, which stands still until the server has closed.
            sleep.send(()).unwrap();
            closed.recv().unwrap();
        }
    }

    #[tokio::test]
    async fn lets_the_sdk_try_again_what_was_not_answered() {
        let port = serve(|mut stream, _| assert!(read(&mut stream)));
        let error = get(&without_roots(), &format!("http://127.0.0.1:{port}")).await.unwrap_err();
        assert!(error.is_io(), "{error:?}");
    }

    #[tokio::test]
    async fn lets_the_sdk_try_again_what_could_not_be_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = get(&without_roots(), &format!("http://127.0.0.1:{port}")).await.unwrap_err();
        assert!(error.is_io(), "{error:?}");
    }

    #[tokio::test]
    async fn does_not_try_again_what_was_answered_with_nonsense() {
        let port = serve(|mut stream, _| {
            assert!(read(&mut stream));
            stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").unwrap();
        });
        let error = get(&without_roots(), &format!("http://127.0.0.1:{port}")).await.unwrap_err();
        assert!(error.is_other(), "{error:?}");
    }

    #[tokio::test]
    async fn gives_up_on_a_server_that_does_not_answer_in_time() {
        let (answered, wait) = mpsc::channel::<()>();
        let port = serve(move |mut stream, _| {
            assert!(read(&mut stream));
            let _ = wait.recv();
        });
        let limit = Duration::from_millis(50);
        let connections =
            with_timeouts(HttpConnectorSettings::builder().read_timeout(limit).build());
        let error = get(&connections, &format!("http://127.0.0.1:{port}")).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        drop(answered);
    }

    #[tokio::test]
    async fn gives_up_on_a_server_that_does_not_finish_the_handshake_in_time() {
        let (shaken, wait) = mpsc::channel::<()>();
        let port = serve(move |_stream, _| {
            let _ = wait.recv();
        });
        let limit = Duration::from_millis(50);
        let connections =
            with_timeouts(HttpConnectorSettings::builder().connect_timeout(limit).build());
        let error = get(&connections, &format!("https://localhost:{port}")).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        drop(shaken);
    }

    #[tokio::test]
    async fn uses_a_poisoned_connection_for_nothing_else() {
        let port = serve(|mut stream, number| while answer(&mut stream, number) {});
        let connections = without_roots();
        let url = format!("http://127.0.0.1:{port}");
        let capture = CaptureSmithyConnection::new();
        let mut request: HttpRequest =
            Request::get(&url).body(SdkBody::empty()).unwrap().try_into().unwrap();
        request.add_extension(capture.clone());
        let response = connections.call(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        capture.get().unwrap().poison();
        assert_eq!(get(&connections, &url).await.unwrap(), "1");
    }

    #[tokio::test]
    async fn trusts_the_servers_that_its_roots_vouch_for() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = CertificateDer::from(made.cert);
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let port = serve(move |stream, number| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            answer(&mut StreamOwned::new(connection, stream), number);
        });
        let url = format!("https://localhost:{port}");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        assert_eq!(get(&Connections::new(roots), &url).await.unwrap(), "0");
        let error = get(&without_roots(), &url).await.unwrap_err();
        assert!(crate::chain(&error).contains("certificate"), "{error:?}");
    }
}
