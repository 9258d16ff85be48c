//! Functions as Lambda runs them: a real process on a real Runtime API.
//!
//! One execution environment is one child process and one listener on the loopback interface that
//! answers it as the Lambda Runtime API does, so a binary runs here exactly as it was built for
//! AWS. The life of an environment follows "Understanding the Lambda execution environment
//! lifecycle" in the AWS Lambda Developer Guide:
//!
//! - It starts when an invocation finds no free one, and takes one invocation at a time.
//! - A function that fails keeps its environment. One that crashes or exceeds its timeout loses
//!   it, and the next invocation starts another.
//! - A process that ends before it asks for its first event fails the invocation it was started
//!   for, with what it printed last.
//!
//! No process outlives this one. Even if this one is killed: the runtime in a function ends when the
//! Runtime API is gone, as soon as the function is done with its event.
//!
//! The messages are those of "Using the Lambda runtime API for custom runtimes" in that guide.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::deployment::{self, REGION};
use crate::log::{Log, LogLine, LogStream};

/// The largest event that Lambda takes in a synchronous invocation, in bytes.
pub const MAX_EVENT: usize = 6 * 1024 * 1024;

/// Why an invocation has no result.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The function answered with an error.
    #[error("the function failed: {error_type}: {message}")]
    Function {
        /// `errorType` of the answer.
        error_type: String,
        /// `errorMessage` of the answer.
        message: String,
    },
    /// The function did not answer in time. Its environment was killed.
    #[error("the function did not answer within {} s, its timeout", .timeout.as_secs())]
    TimedOut {
        /// The timeout of the function.
        timeout: Duration,
    },
    /// The process ended before it answered.
    #[error("the function's process ended before it answered: {status}")]
    Crashed {
        /// How it ended.
        status: ExitStatus,
    },
    /// The process never asked for an event.
    #[error("the function did not start: {message}")]
    Init {
        /// What went wrong, and what the process printed last.
        message: String,
    },
    /// The stack was stopped before the function answered.
    #[error("the local stack was stopped before the function answered")]
    Stopped,
}

/// A function that can be invoked.
///
/// A clone is the same function. Dropping the last clone kills its environments; to wait until
/// they are gone, [`stop`](Self::stop) it.
#[derive(Clone, Debug)]
pub struct Function {
    shared: Arc<Shared>,
}

impl Function {
    /// Prepares a function; the first invocation starts it.
    ///
    /// `program` is the path of its binary. `variables` come after those of Lambda and before
    /// those of the template. At most `concurrency` environments exist at a time. What the
    /// function prints goes to `lines`.
    #[must_use]
    pub fn new(
        definition: deployment::Function,
        program: PathBuf,
        variables: Vec<(String, String)>,
        concurrency: usize,
        lines: broadcast::Sender<LogLine>,
    ) -> Self {
        let concurrency = u32::try_from(concurrency.max(1)).unwrap_or(u32::MAX);
        let shared = Shared {
            log: Log::new(&definition.logical_id, lines),
            definition,
            program,
            variables,
            concurrency,
            free: Arc::new(Semaphore::new(concurrency as usize)),
            idle: Mutex::new(Vec::new()),
            was_lost: AtomicBool::new(false),
            stopping: watch::Sender::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Invokes the function with an event and waits for its answer.
    ///
    /// Waits for a free environment if there are as many as there may be, first come first served.
    /// An invocation that has begun goes on if its caller goes away, as on Lambda.
    ///
    /// # Errors
    ///
    /// Fails if the function answers with an error, or does not answer.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        let Ok(permit) = Arc::clone(&self.shared.free).acquire_owned().await else {
            return Err(InvokeError::Stopped);
        };
        let shared = Arc::clone(&self.shared);
        let invocation = tokio::spawn(async move {
            let result = shared.run(event).await;
            // Before the caller has the answer, or its next invocation might not find this
            // environment and start another.
            drop(permit);
            result
        });
        invocation.await.unwrap_or(Err(InvokeError::Stopped))
    }

    /// Waits until no invocation is under way.
    pub async fn drain(&self) {
        // Every invocation holds a permit. It only fails when the function is stopped already.
        let _ = self.shared.free.acquire_many(self.shared.concurrency).await;
    }

    /// Kills every environment and waits until its process is gone.
    ///
    /// Invocations under way, and all that follow, fail as [`InvokeError::Stopped`].
    pub async fn stop(&self) {
        self.shared.stopping.send_replace(true);
        self.drain().await;
        self.shared.free.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        for environment in idle {
            environment.kill().await;
        }
    }

    /// Says something about this function in its log.
    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.shared.log.notice(text);
    }
}

/// How long a process may take before it asks for an event: Lambda's limit of the init phase.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer the Runtime API takes: 6 MB and a little for the envelope.
const MAX_RESPONSE: usize = MAX_EVENT + 100;

/// How many lines of output explain a failed start.
const TAIL_LINES: usize = 20;

#[derive(Debug)]
struct Shared {
    definition: deployment::Function,
    program: PathBuf,
    variables: Vec<(String, String)>,
    concurrency: u32,
    /// A permit is the right to one environment, so an invocation that has one need not wait.
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Environment>>,
    /// Whether an environment was lost since the last start.
    was_lost: AtomicBool,
    stopping: watch::Sender<bool>,
    log: Log,
}

impl Shared {
    async fn run(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        let mut stopping = self.stopping.subscribe();
        let mut environment = self.take_idle();
        let result = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => Err(InvokeError::Stopped),
            result = self.invoke(&mut environment, event) => result,
        };
        let is_reusable = matches!(result, Ok(_) | Err(InvokeError::Function { .. }));
        match environment {
            Some(environment) if is_reusable => self.idle().push(environment),
            Some(environment) => environment.kill().await,
            None => {}
        }
        result
    }

    /// Invokes in `environment`, or puts a new one there first.
    async fn invoke(
        &self,
        environment: &mut Option<Environment>,
        event: Bytes,
    ) -> Result<Bytes, InvokeError> {
        if let Some(used) = environment {
            // It may have answered and not asked for the next event yet.
            if let Err(what) = used.ready().await {
                self.lost(what);
                *environment = None;
            }
        }
        let environment = match environment {
            Some(environment) => environment,
            None => {
                if self.was_lost.swap(false, Ordering::Relaxed) {
                    self.log.notice("starts again");
                }
                let started = Environment::start(self).await.map_err(|error| {
                    self.failed_to_start(format!("{}: {error}", self.program.display()))
                })?;
                let started = environment.insert(started);
                if let Err(what) = started.ready().await {
                    return Err(self.failed_to_start(started.with_last_words(what).await));
                }
                started
            }
        };
        self.hand_over(environment, event).await
    }

    async fn hand_over(
        &self,
        environment: &mut Environment,
        event: Bytes,
    ) -> Result<Bytes, InvokeError> {
        let timeout = self.definition.timeout;
        let deadline = Instant::now() + timeout;
        let invocation = Invocation {
            request_id: Uuid::new_v4().to_string(),
            deadline: Timestamp::now().as_millisecond() + millis(timeout),
            event,
        };
        // It only fails when the listener is gone, which ends with the process.
        let _ = environment.invocations.send(invocation).await;
        loop {
            // In this order: a process may answer and end at once.
            tokio::select! {
                biased;
                Some(report) = environment.reports.recv() => match report {
                    // It asks again, because its connection was lost.
                    Report::Next => {}
                    Report::Response(response) => return Ok(response),
                    Report::Error { error_type, message } => {
                        let error = InvokeError::Function { error_type, message };
                        self.log.notice(error.to_string());
                        return Err(error);
                    }
                },
                status = environment.child.wait() => {
                    self.lost(ended(&status));
                    return Err(InvokeError::Crashed { status: status.unwrap_or_default() });
                }
                () = tokio::time::sleep_until(deadline) => {
                    self.lost(format!("killed after {} s, its timeout", timeout.as_secs()));
                    return Err(InvokeError::TimedOut { timeout });
                }
            }
        }
    }

    /// An environment is not there any more.
    fn lost(&self, what: String) {
        self.was_lost.store(true, Ordering::Relaxed);
        self.log.notice(what);
    }

    fn failed_to_start(&self, message: String) -> InvokeError {
        let error = InvokeError::Init { message };
        self.lost(error.to_string());
        error
    }

    /// An environment that lives and has nothing to do, if there is one.
    fn take_idle(&self) -> Option<Environment> {
        loop {
            let mut environment = self.idle().pop()?;
            match environment.child.try_wait().transpose() {
                None => return Some(environment),
                Some(status) => self.lost(ended(&status)),
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Environment>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One process with the listener it talks to.
#[derive(Debug)]
struct Environment {
    child: Child,
    invocations: mpsc::Sender<Invocation>,
    reports: mpsc::UnboundedReceiver<Report>,
    output: Vec<JoinHandle<()>>,
    tail: Arc<Mutex<VecDeque<String>>>,
    listener: AbortHandle,
}

impl Environment {
    async fn start(function: &Shared) -> std::io::Result<Self> {
        let program = function.program.canonicalize()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (invocations, queue) = mpsc::channel(1);
        let (reporter, reports) = mpsc::unbounded_channel();
        let api = Arc::new(RuntimeApi {
            function_arn: function.definition.arn.clone(),
            invocations: tokio::sync::Mutex::new(queue),
            current: Mutex::new(None),
            reporter,
        });

        let task_root = program.parent().unwrap_or(&program);
        let mut command = Command::new(&program);
        command
            .env_clear()
            .envs(lambda_variables(&function.definition))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("LAMBDA_TASK_ROOT", task_root)
            .envs(function.variables.iter().map(|(name, value)| (name, value)))
            .envs(&function.definition.environment)
            .current_dir(task_root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own: Ctrl-C in a terminal reaches this tool alone.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(backtrace) = std::env::var_os("RUST_BACKTRACE") {
            command.env("RUST_BACKTRACE", backtrace);
        }
        let mut child = command.spawn()?;

        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            output.push(forward(stdout, LogStream::Stdout, function.log.clone(), &tail));
        }
        if let Some(stderr) = child.stderr.take() {
            output.push(forward(stderr, LogStream::Stderr, function.log.clone(), &tail));
        }
        let listener = tokio::spawn(async move {
            // It never ends by itself; it is aborted with the environment.
            let _ = axum::serve(listener, runtime_api(api)).await;
        });
        let listener = listener.abort_handle();
        Ok(Self { child, invocations, reports, output, tail, listener })
    }

    /// Waits until the process asks for an event, or says why it does not.
    async fn ready(&mut self) -> Result<(), String> {
        tokio::select! {
            biased;
            Some(report) = self.reports.recv() => match report {
                Report::Next => Ok(()),
                Report::Response(_) => Err("it answered before it asked for an event".to_owned()),
                Report::Error { error_type, message } => Err(format!("{error_type}: {message}")),
            },
            status = self.child.wait() => Err(ended(&status)),
            () = tokio::time::sleep(READY_TIMEOUT) => {
                Err(format!("it did not ask for an event within {} s", READY_TIMEOUT.as_secs()))
            }
        }
    }

    /// Adds what the process printed last.
    async fn with_last_words(&mut self, what: String) -> String {
        // A process that has ended has everything in the pipes. One of its own, or a process that
        // goes on, keeps them open.
        let _ = timeout(Duration::from_secs(1), async {
            for reader in &mut self.output {
                let _ = reader.await;
            }
        })
        .await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.is_empty() {
            return format!("{what}; it printed nothing");
        }
        tail.iter().fold(format!("{what}; it printed last:"), |text, line| text + "\n  " + line)
    }

    async fn kill(mut self) {
        // It only fails when the process is gone already.
        let _ = self.child.kill().await;
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The environment variables that Lambda sets: "Defined runtime environment variables" in the
/// AWS Lambda Developer Guide. `AWS_EXECUTION_ENV` is not set for OS-only runtimes.
fn lambda_variables(function: &deployment::Function) -> Vec<(&'static str, String)> {
    let today = Timestamp::now().strftime("%Y/%m/%d");
    let stream = format!("{today}/[$LATEST]{}", Uuid::new_v4().simple());
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_size.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", function.log_format.clone()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_SESSION_TOKEN", "test".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", function.handler.clone()),
    ];
    variables.extend(function.log_level.clone().map(|level| ("AWS_LAMBDA_LOG_LEVEL", level)));
    variables
}

/// Sends every line of `pipe` to the log, and keeps the last ones.
fn forward(
    pipe: impl AsyncRead + Send + Unpin + 'static,
    stream: LogStream,
    log: Log,
    tail: &Arc<Mutex<VecDeque<String>>>,
) -> JoinHandle<()> {
    let tail = Arc::clone(tail);
    tokio::spawn(async move {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(text.clone());
            }
            log.line(stream, text);
            line.clear();
        }
    })
}

/// An event on its way to the process.
#[derive(Debug)]
struct Invocation {
    request_id: String,
    /// When the function must have answered, in milliseconds since 1970.
    deadline: i64,
    event: Bytes,
}

fn ended(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("its process ended: {status}"),
        Err(error) => format!("its process is lost: {error}"),
    }
}

/// What the process told the Runtime API.
#[derive(Debug)]
enum Report {
    /// It asks for an event: it is ready.
    Next,
    Response(Bytes),
    Error {
        error_type: String,
        message: String,
    },
}

/// What the routes of one environment's Runtime API share.
#[derive(Debug)]
struct RuntimeApi {
    function_arn: String,
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// The request that the process works on.
    current: Mutex<Option<String>>,
    reporter: mpsc::UnboundedSender<Report>,
}

impl RuntimeApi {
    /// Whether `request_id` is the request under way. It is not any more after this.
    fn finish(&self, request_id: &str) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|current| current == request_id).is_some()
    }

    fn report(&self, report: Report) {
        // It only fails when the environment is being dropped.
        let _ = self.reporter.send(report);
    }
}

fn runtime_api(api: Arc<RuntimeApi>) -> Router {
    let routes = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{request_id}/response", post(response))
        .route("/invocation/{request_id}/error", post(error))
        .route("/init/error", post(init_error));
    Router::new().nest("/2018-06-01/runtime", routes).with_state(api)
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    api.report(Report::Next);
    let Some(invocation) = api.invocations.lock().await.recv().await else {
        // The environment is being dropped; the process is killed in a moment.
        return StatusCode::GONE.into_response();
    };
    *api.current.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(invocation.request_id.clone());
    let headers = [
        (HeaderName::from_static("content-type"), "application/json".to_owned()),
        (HeaderName::from_static("lambda-runtime-aws-request-id"), invocation.request_id),
        (HeaderName::from_static("lambda-runtime-deadline-ms"), invocation.deadline.to_string()),
        (HeaderName::from_static("lambda-runtime-invoked-function-arn"), api.function_arn.clone()),
        (HeaderName::from_static("lambda-runtime-trace-id"), trace_id()),
    ];
    (headers, invocation.event).into_response()
}

async fn response(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Body,
) -> Response {
    let body = axum::body::to_bytes(body, MAX_RESPONSE).await;
    if !api.finish(&request_id) {
        return unknown_request();
    }
    let Ok(body) = body else {
        let error_type = "Function.ResponseSizeTooLarge";
        let message = format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        );
        api.report(Report::Error { error_type: error_type.to_owned(), message });
        return (StatusCode::PAYLOAD_TOO_LARGE, status("RequestEntityTooLarge")).into_response();
    };
    api.report(Report::Response(body));
    accepted()
}

async fn error(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response {
    if !api.finish(&request_id) {
        return unknown_request();
    }
    api.report(reported_error(&body));
    accepted()
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response {
    api.report(reported_error(&body));
    accepted()
}

fn reported_error(body: &[u8]) -> Report {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorBody {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    let (error_type, message) = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(error) => (error.error_type, error.error_message),
        Err(_) => (None, Some(String::from_utf8_lossy(body).into_owned())),
    };
    Report::Error {
        error_type: error_type.unwrap_or_else(|| "Unhandled".to_owned()),
        message: message.unwrap_or_default(),
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
}

fn unknown_request() -> Response {
    (StatusCode::BAD_REQUEST, status("InvalidRequestID")).into_response()
}

fn status(error_type: &str) -> String {
    format!(r#"{{"errorMessage":"{error_type}","errorType":"{error_type}"}}"#)
}

/// A trace header as X-Ray writes it, not sampled.
fn trace_id() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{};Sampled=0", Timestamp::now().as_second(), &random[..24])
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
