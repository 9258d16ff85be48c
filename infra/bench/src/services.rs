//! The AWS services that a function calls, answered in this process with no more than their clients
//! accept. An emulator would do more, and none of it is measured.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use uuid::Uuid;

use crate::webhook::{APP_KEY, BASE_URL, SECRET};

/// The table in which every tenant has installed the app, with [`SECRET`] in plain text.
pub(crate) const PLAIN_TABLE: &str = "tenants";
/// The table whose rows are those that were written to it.
pub(crate) const SEALED_TABLE: &str = "sealed-tenants";
/// The table of atlassian-connect-express, in which every tenant has installed the app.
pub(crate) const EXPRESS_TABLE: &str = "AddonSettings";
/// The table of the peer that is written by hand, in which every tenant has installed the app.
pub(crate) const BY_HAND_TABLE: &str = "tenants-by-hand";
/// The KMS key.
pub(crate) const KEY_ID: &str =
    "arn:aws:kms:us-east-1:000000000000:key/6b1c0b7e-6b1a-4a52-9c57-0a2f4ed0c1aa";

/// The services. They end with the process.
pub(crate) struct Services {
    endpoints: [Endpoint; 3],
    state: Arc<Mutex<Rows>>,
    authority: PathBuf,
}

/// One service, with the number of connections that were opened to it.
struct Endpoint {
    name: &'static str,
    plain: SocketAddr,
    tls: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Endpoint {
    fn url(&self, transport: Transport) -> String {
        match transport {
            Transport::Plain => format!("http://127.0.0.1:{}", self.plain.port()),
            // By name, as the certificate is for a name.
            Transport::Tls => format!("https://localhost:{}", self.tls.port()),
        }
    }
}

/// What was written.
#[derive(Default)]
struct Rows {
    items: HashMap<String, Map<String, Value>>,
    sent: Option<Vec<Value>>,
    /// How long DynamoDB takes to answer.
    delay: Duration,
}

impl Services {
    /// Starts the services. The certificate of their authority is written to a folder.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let (acceptor, certificate) = certificate()?;
        let authority = folder.join("authority.pem");
        std::fs::write(&authority, certificate)
            .with_context(|| format!("{} cannot be written", authority.display()))?;
        let state = Arc::<Mutex<Rows>>::default();
        let start = async |name| {
            let connections = Arc::<AtomicUsize>::default();
            let plain = serve(&state, &connections, None).await?;
            let tls = serve(&state, &connections, Some(acceptor.clone())).await?;
            anyhow::Ok(Endpoint { name, plain, tls, connections })
        };
        let endpoints = [start("SQS").await?, start("DYNAMODB").await?, start("KMS").await?];
        Ok(Self { endpoints, state, authority })
    }

    /// The variables that lead AWS's SDKs to the services.
    pub(crate) fn variables(&self, transport: Transport) -> Vec<(String, String)> {
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID".into(), "AKIDEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            ("AWS_REGION".into(), "us-east-1".into()),
            ("AWS_DEFAULT_REGION".into(), "us-east-1".into()),
        ];
        for endpoint in &self.endpoints {
            let url = endpoint.url(transport);
            variables.push((format!("AWS_ENDPOINT_URL_{}", endpoint.name), url));
        }
        if let Transport::Tls = transport {
            let authority = self.authority.display().to_string();
            variables.push(("AWS_CA_BUNDLE".into(), authority.clone()));
            variables.push(("NODE_EXTRA_CA_CERTS".into(), authority));
        }
        variables
    }

    /// The URL of a queue. Some SDKs send to it, and not to the endpoint.
    pub(crate) fn queue_url(&self, transport: Transport) -> String {
        let [sqs, ..] = &self.endpoints;
        format!("{}/000000000000/queue", sqs.url(transport))
    }

    /// How many connections were opened to each service since the last call.
    pub(crate) fn connections(&self) -> [usize; 3] {
        self.endpoints.each_ref().map(|endpoint| endpoint.connections.swap(0, Ordering::Relaxed))
    }

    /// Lets DynamoDB take so long to answer from now on.
    pub(crate) fn delay_dynamodb(&self, delay: Duration) {
        locked(&self.state).delay = delay;
    }

    /// Keeps the requests to send a message from now on.
    pub(crate) fn keep_sent(&self) {
        locked(&self.state).sent = Some(Vec::new());
    }

    /// The requests to send a message that were kept, and no more are.
    pub(crate) fn take_sent(&self) -> Vec<Value> {
        locked(&self.state).sent.take().unwrap_or_default()
    }
}

/// How the services are reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// HTTP, which leaves out what TLS costs.
    Plain,
    /// HTTPS, as in AWS.
    Tls,
}

fn locked(state: &Mutex<Rows>) -> MutexGuard<'_, Rows> {
    state.lock().expect("no code panics while it holds the rows")
}

/// A certificate for `localhost` that signs itself, as PEM, and a server that has it.
fn certificate() -> anyhow::Result<(TlsAcceptor, String)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let pem = made.cert.pem();
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(made.cert)], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}

/// Serves on a free port.
async fn serve(
    state: &Arc<Mutex<Rows>>,
    connections: &Arc<AtomicUsize>,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = Counted { listener, tls, connections: connections.clone() };
    let router =
        Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// A listener that counts the connections it accepts.
struct Counted {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Arc<AtomicUsize>,
}

/// A connection, encrypted or not.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection for T {}

impl Listener for Counted {
    type Io = Box<dyn Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // A function that waits for an acknowledgement would be slow for another reason than its own.
            let _ = stream.set_nodelay(true);
            self.connections.fetch_add(1, Ordering::Relaxed);
            match &self.tls {
                None => return (Box::new(stream), address),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        return (Box::new(stream), address);
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Listener::local_addr(&self.listener)
    }
}

/// Answers a request of AWS's JSON protocols.
async fn answer(
    State(state): State<Arc<Mutex<Rows>>>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (service, action) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
    let answer = match service.split('_').next().unwrap_or_default() {
        "DynamoDB" => {
            let delay = locked(&state).delay;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            locked(&state).dynamodb(action, &body)
        }
        "AmazonSQS" => locked(&state).sqs(action, &body),
        _ => kms(action, &body),
    };
    ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string())
}

impl Rows {
    fn sqs(&mut self, action: &str, body: &Bytes) -> Value {
        if action != "SendMessage" {
            return json!({});
        }
        let request = request(body);
        let digest = Md5::digest(request["MessageBody"].as_str().unwrap_or_default());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(sent) = &mut self.sent {
            sent.push(request);
        }
        json!({ "MessageId": Uuid::new_v4(), "MD5OfMessageBody": digest })
    }

    fn dynamodb(&mut self, action: &str, body: &Bytes) -> Value {
        let request = request(body);
        let table = request["TableName"].as_str().unwrap_or_default();
        match action {
            "GetItem" => {
                let key = &request["Key"];
                match (table, key["clientKey"]["S"].as_str()) {
                    (PLAIN_TABLE, Some(tenant)) => json!({ "Item": row(tenant) }),
                    (BY_HAND_TABLE, Some(tenant)) => json!({ "Item": by_hand_row(tenant) }),
                    (EXPRESS_TABLE, Some(tenant)) => json!({ "Item": express_row(tenant) }),
                    _ => match self.items.get(&key_of(key)) {
                        Some(item) => json!({ "Item": item }),
                        None => json!({}),
                    },
                }
            }
            "PutItem" if table == SEALED_TABLE => {
                let item = request["Item"].as_object().cloned().unwrap_or_default();
                self.items.insert(key_of(&request["Item"]), item);
                json!({})
            }
            "UpdateItem" if table == SEALED_TABLE => {
                let item = self.items.entry(key_of(&request["Key"])).or_default();
                item.extend(assigned(&request));
                json!({})
            }
            "DescribeTable" => json!({ "Table": { "TableName": table, "TableStatus": "ACTIVE" } }),
            _ => json!({}),
        }
    }
}

fn request(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The key of a row: its client key.
fn key_of(key: &Value) -> String {
    key["clientKey"]["S"].as_str().unwrap_or_default().to_owned()
}

/// The attributes that an update expression sets to values.
fn assigned(update: &Value) -> Vec<(String, Value)> {
    let expression = update["UpdateExpression"].as_str().unwrap_or_default();
    let sets = expression.strip_prefix("SET ").unwrap_or_default();
    let sets = sets.split(" REMOVE ").next().unwrap_or_default().split(", ");
    let pairs = sets.filter_map(|set| set.split_once(" = "));
    let values = &update["ExpressionAttributeValues"];
    pairs.filter_map(|(name, value)| Some((name.to_owned(), values.get(value)?.clone()))).collect()
}

/// The row of a tenant, of Connect or of signed webhooks.
fn row(tenant: &str) -> Value {
    json!({
        "clientKey": { "S": tenant },
        "sharedSecret": { "S": SECRET },
        "product": { "S": "jira" },
        "baseUrl": { "S": "https://demo.atlassian.net" },
        "kind": { "S": "jira" },
    })
}

/// The same with an encrypted secret.
fn by_hand_row(tenant: &str) -> Value {
    let mut row = row(tenant);
    row["sharedSecret"] = json!({ "B": sealed(SECRET.as_bytes()) });
    row
}

/// The same as atlassian-connect-express stores it.
fn express_row(tenant: &str) -> Value {
    let settings = json!({
        "key": APP_KEY,
        "clientKey": tenant,
        "sharedSecret": SECRET,
        "baseUrl": "https://demo.atlassian.net",
        "productType": "jira",
        "eventType": "installed",
        "appBaseUrl": BASE_URL,
    });
    json!({
        "clientKey": { "S": tenant },
        "key": { "S": "clientInfo" },
        "val": { "S": settings.to_string() },
    })
}

/// A cipher that adds a word and takes it away.
fn kms(action: &str, body: &Bytes) -> Value {
    let request = request(body);
    let bytes = |name: &str| {
        let text = request[name].as_str().unwrap_or_default();
        BASE64.decode(text).unwrap_or_default()
    };
    let data_key = [7_u8; 32];
    match action {
        "Encrypt" => json!({ "KeyId": KEY_ID, "CiphertextBlob": sealed(&bytes("Plaintext")) }),
        "Decrypt" => {
            let blob = bytes("CiphertextBlob");
            let plaintext = BASE64.encode(blob.strip_prefix(SEALED).unwrap_or_default());
            json!({ "KeyId": KEY_ID, "Plaintext": plaintext })
        }
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
            let plaintext = BASE64.encode(data_key);
            json!({ "KeyId": KEY_ID, "CiphertextBlob": sealed(&data_key), "Plaintext": plaintext })
        }
        _ => json!({ "KeyMetadata": { "KeyId": KEY_ID, "Arn": KEY_ID } }),
    }
}

/// What encrypted text begins with.
const SEALED: &[u8] = b"sealed:";

fn sealed(plaintext: &[u8]) -> String {
    BASE64.encode([SEALED, plaintext].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: Value) -> Bytes {
        value.to_string().into()
    }

    #[test]
    fn finds_what_an_update_has_set() {
        let mut rows = Rows::default();
        let key = json!({ "clientKey": { "S": "a" } });
        let update = json!({
            "TableName": SEALED_TABLE,
            "Key": key,
            "UpdateExpression": "SET product = :product, sharedSecret = :secret REMOVE expiresAt",
            "ExpressionAttributeValues": { ":product": { "S": "jira" }, ":secret": { "B": "AQ==" } },
        });
        rows.dynamodb("UpdateItem", &body(update));
        let get = body(json!({ "TableName": SEALED_TABLE, "Key": key }));
        let item = &rows.dynamodb("GetItem", &get)["Item"];
        assert_eq!(item, &json!({ "product": { "S": "jira" }, "sharedSecret": { "B": "AQ==" } }));
    }

    #[test]
    fn decrypts_what_it_encrypted() {
        let sealed = kms("Encrypt", &body(json!({ "Plaintext": BASE64.encode("s3cr3t") })));
        let opened = kms("Decrypt", &body(sealed));
        assert_eq!(opened["Plaintext"], BASE64.encode("s3cr3t"));
    }
}
