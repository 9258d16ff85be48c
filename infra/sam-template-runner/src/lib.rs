//! A runner of AWS SAM templates: the functions of a template, on this machine, without Docker.
//!
//! ```text
//!             this process                                          child processes
//!
//!  request ──▶ HTTP API ── event 2.0 ──▶ Runtime API ◀────────────▶ a function
//!             (http_api)                  (lambda)                    │        │
//!                                            ▲          AWS SDK client│        │
//!                                          event                      ▼        ▼
//!                                            │                   ┌──────┐ ┌──────────┐ ┌─────┐
//!             event source mapping ──────────┘                   │ SQS  │ │ DynamoDB │ │ KMS │
//!             (event_source) ◀────────── messages ────────────── └──────┘ └──────────┘ └─────┘
//!                                                                     this process
//! ```
//!
//! [`Stack::start`] reads the template that is deployed to AWS ([`deployment`]), and runs the
//! binaries that are deployed to AWS. They need no change: Lambda's Runtime API hands them their
//! events, and their own AWS SDK clients find SQS, DynamoDB and the test doubles for KMS and S3
//! through `AWS_ENDPOINT_URL_SQS` and its like. [`sam_template`] reads the language of templates.
//!
//! What is not simulated: permissions, encryption at rest, throttling, logs and metrics in
//! CloudWatch, and everything else the template declares outside functions, their events, queues
//! and tables.

pub mod deployment;
mod error;
mod event_source;
mod http_api;
mod kms;
pub mod lambda;
mod log;
mod s3;
mod service;
mod state;

pub use error::StackError;
pub use http_api::{Exchange, Invocation};
pub use log::{LogLine, LogStream};

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::timeout;

use deployment::{Deployment, Endpoints, REGION};
use event_source::Poller;
use service::Service;

/// The options of a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// The template: `template.yaml`.
    pub template: PathBuf,
    /// The folder with the functions' binaries, named as in `BuildProperties.Binary`.
    pub binaries: PathBuf,
    /// The address of the HTTP API. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Values of the template's parameters, in place of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// The parameter whose value is the URL of the HTTP API, unless `parameters` has another.
    ///
    /// It has no effect on a template that does not declare it.
    pub url_parameter: Option<String>,
    /// Values of environment variables, in place of the template's. A function gets those that the
    /// template gives it.
    pub variables: BTreeMap<String, String>,
    /// The folder in which tables and queues outlive the stack. Without it they are in memory.
    ///
    /// A table that is there already is kept as it is; a queue gets the attributes of the template.
    pub state: Option<PathBuf>,
    /// The maximum number of execution environments of one function. Two is enough for most uses.
    pub concurrency: usize,
}

/// A running stack.
///
/// Call [`stop`](Self::stop) to end it. A dropped stack also ends, but in the background.
#[derive(Debug)]
pub struct Stack {
    deployment: Deployment,
    binaries: PathBuf,
    endpoints: Endpoints,
    lines: broadcast::Sender<LogLine>,
    exchanges: broadcast::Sender<Arc<Exchange>>,
    functions: BTreeMap<String, lambda::Function>,
    /// The services that invoke functions: the HTTP API and the event sources.
    invokers: Service,
    /// The services that functions call: SQS, DynamoDB, and the test doubles for KMS and S3.
    backends: Service,
    /// Held while the folder for the state is used.
    _state_lock: Option<File>,
}

impl Stack {
    /// Reads the template and starts everything in it. The functions start when they are invoked.
    ///
    /// # Errors
    ///
    /// Fails if the template, a binary, the address or the state cannot be used.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let listener = listen(options.listen).await?;
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let sqs_listener = listen(loopback).await?;
        let dynamodb_listener = listen(loopback).await?;
        let kms_listener = listen(loopback).await?;
        let s3_listener = listen(loopback).await?;
        let endpoints = Endpoints {
            http_api: url_of(&listener)?,
            sqs: url_of(&sqs_listener)?,
            dynamodb: url_of(&dynamodb_listener)?,
            kms: url_of(&kms_listener)?,
            s3: url_of(&s3_listener)?,
        };
        let deployment = read(&options, &endpoints)?;
        let (lines, _) = broadcast::channel(LOG_LINES);
        let (exchanges, _) = broadcast::channel(EXCHANGES);
        let mut functions = BTreeMap::new();
        for (logical_id, definition) in &deployment.functions {
            let function = lambda::Function::new(
                definition.clone(),
                binary(&options.binaries, definition)?,
                aws_environment(&endpoints),
                options.concurrency,
                lines.clone(),
            );
            functions.insert(logical_id.clone(), function);
        }

        let state = options.state.as_deref();
        let state_lock = state.map(state::lock).transpose()?;
        let database = state::tables(&deployment, state)?;
        let sqs = state::queues(&deployment, state)?;
        let kms = kms::Kms::open(state).map_err(|source| StackError::Key { source })?;
        let mut backends = Service::new();
        backends.spawn(|stopped| async {
            // They end by the stop alone.
            let _ =
                dynoxide::server::serve_with_shutdown(dynamodb_listener, database, stopped).await;
        });
        backends.spawn(|stopped| async {
            let _ = local_sqs::serve(sqs_listener, sqs, stopped).await;
        });
        backends.spawn(|stopped| async {
            let _ = kms::serve(kms_listener, kms, stopped).await;
        });
        let s3 = s3::S3::open(state);
        backends.spawn(|stopped| async {
            let _ = s3::serve(s3_listener, s3, stopped).await;
        });

        let mut invokers = Service::new();
        for source in deployment.event_sources.iter().filter(|source| source.enabled) {
            let (Some(queue), Some(function)) =
                (deployment.queues.get(&source.queue), functions.get(&source.function))
            else {
                continue;
            };
            let poller = Poller {
                source: source.clone(),
                queue: queue.clone(),
                function: function.clone(),
                client: sqs_client(&endpoints.sqs),
                concurrency: options.concurrency,
            };
            invokers.spawn(|stopped| poller.run(stopped));
        }
        let routes = deployment.routes.clone();
        let routed = functions.clone();
        let observed = exchanges.clone();
        invokers.spawn(|stopped| http_api::serve(listener, routes, routed, observed, stopped));
        Ok(Self {
            deployment,
            binaries: options.binaries,
            endpoints,
            lines,
            exchanges,
            functions,
            invokers,
            backends,
            _state_lock: state_lock,
        })
    }

    /// The URL of the HTTP API, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.endpoints.http_api
    }

    /// The URL of the SQS service.
    #[must_use]
    pub fn sqs_endpoint(&self) -> &str {
        &self.endpoints.sqs
    }

    /// The URL of the DynamoDB service.
    #[must_use]
    pub fn dynamodb_endpoint(&self) -> &str {
        &self.endpoints.dynamodb
    }

    /// The URL of the test double for KMS.
    #[must_use]
    pub fn kms_endpoint(&self) -> &str {
        &self.endpoints.kms
    }

    /// The URL of the test double for S3.
    #[must_use]
    pub fn s3_endpoint(&self) -> &str {
        &self.endpoints.s3
    }

    /// The resolved template.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Subscribes to the lines that functions print, and to the notices of the stack.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<LogLine> {
        self.lines.subscribe()
    }

    /// Subscribes to the requests to the HTTP API, each with its answer.
    #[must_use]
    pub fn exchanges(&self) -> broadcast::Receiver<Arc<Exchange>> {
        self.exchanges.subscribe()
    }

    /// The environment variables with which an AWS SDK in any process reaches this stack.
    #[must_use]
    pub fn aws_environment(&self) -> Vec<(String, String)> {
        let credentials = [
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        let credentials =
            credentials.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        credentials.chain(aws_environment(&self.endpoints)).collect()
    }

    /// Restarts the functions whose binary was replaced, and returns their logical ids.
    ///
    /// Invocations under way end in the old binary, and each later one runs in the new. Queues,
    /// tables and everything else stay as they are.
    ///
    /// # Errors
    ///
    /// Fails if a binary is missing. Functions that were restarted before it was missed are so.
    pub async fn reload(&self) -> Result<Vec<&str>, StackError> {
        let mut reloaded = Vec::new();
        for (logical_id, function) in &self.functions {
            let definition = &self.deployment.functions[logical_id];
            binary(&self.binaries, definition)?;
            let is_new = function
                .reload()
                .await
                .map_err(|source| StackError::Reload { function: logical_id.clone(), source })?;
            if is_new {
                reloaded.push(logical_id.as_str());
            }
        }
        Ok(reloaded)
    }

    /// Stops everything; when it returns, no process of a function is left.
    ///
    /// No event is taken any more. Invocations under way may end, but are not waited for long:
    /// a message whose function is killed becomes visible again, as after a crash on AWS.
    pub async fn stop(mut self) {
        self.invokers.stop();
        let _ = timeout(DRAIN, async {
            self.invokers.ended().await;
            for function in self.functions.values() {
                function.drain().await;
            }
        })
        .await;
        for function in self.functions.values() {
            function.stop().await;
        }
        self.backends.stop();
        let _ = timeout(CLOSE_TIMEOUT, async {
            self.invokers.ended().await;
            self.backends.ended().await;
        })
        .await;
    }
}

/// How many log lines a slow subscriber can be behind.
const LOG_LINES: usize = 4096;

/// How many exchanges a slow subscriber can be behind. Each can hold a body of 10 MB.
const EXCHANGES: usize = 256;

/// How long invocations can continue when the stack is stopped.
const DRAIN: Duration = Duration::from_secs(5);

/// How long connections may stay open after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

async fn listen(address: SocketAddr) -> Result<TcpListener, StackError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StackError::PortInUse { address },
        _ => StackError::Listen { address, source },
    })
}

/// The URL under which a listener is reached from this machine.
fn url_of(listener: &TcpListener) -> Result<String, StackError> {
    let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut address = listener
        .local_addr()
        .map_err(|source| StackError::Listen { address: unspecified, source })?;
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    Ok(format!("http://{address}"))
}

fn read(options: &Options, endpoints: &Endpoints) -> Result<Deployment, StackError> {
    let path = &options.template;
    let template = std::fs::read_to_string(path)
        .map_err(|source| StackError::Template { path: path.clone(), source })?;
    let url_parameter = options.url_parameter.as_deref();
    let mut deployment = Deployment::read(&template, &options.parameters, url_parameter, endpoints)
        .map_err(|source| StackError::Refused { path: path.clone(), source })?;
    for function in deployment.functions.values_mut() {
        for (name, value) in &mut function.environment {
            if let Some(given) = options.variables.get(name) {
                value.clone_from(given);
            }
        }
    }
    Ok(deployment)
}

fn binary(folder: &Path, function: &deployment::Function) -> Result<PathBuf, StackError> {
    let path = folder.join(&function.binary);
    if path.is_file() {
        return Ok(path);
    }
    Err(StackError::MissingBinary {
        function: function.logical_id.clone(),
        binary: function.binary.clone(),
        path,
    })
}

/// The environment variables that direct AWS SDK clients to the local services.
fn aws_environment(endpoints: &Endpoints) -> Vec<(String, String)> {
    vec![
        ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), endpoints.dynamodb.clone()),
        ("AWS_ENDPOINT_URL_KMS".to_owned(), endpoints.kms.clone()),
        ("AWS_ENDPOINT_URL_S3".to_owned(), endpoints.s3.clone()),
        ("AWS_ENDPOINT_URL_SQS".to_owned(), endpoints.sqs.clone()),
    ]
}

/// A client of the SQS of a local stack.
pub fn sqs_client(endpoint: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "local stack"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}
