//! An execution environment: one process with a Runtime API of its own.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use uuid::Uuid;

use super::runtime_api::{Invocation, Report, RuntimeApi};
use crate::deployment::{self, REGION};
use crate::log::{Log, LogStream};

/// The program of a function, with the variables of its processes.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) definition: deployment::Function,
    /// The binary.
    pub(super) path: PathBuf,
    /// Variables in addition to those of Lambda and of the template.
    pub(super) variables: Vec<(String, String)>,
    pub(super) log: Log,
}

impl Program {
    /// What tells this file of the binary from the one that a build puts in its place.
    ///
    /// # Errors
    ///
    /// Fails if there is no such file.
    pub(super) fn version(&self) -> std::io::Result<Version> {
        let file = std::fs::metadata(&self.path)?;
        Ok(Version { modified: file.modified()?, inode: file.ino(), bytes: file.len() })
    }
}

/// The version of a binary: what changes when another file takes its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Version {
    modified: SystemTime,
    inode: u64,
    bytes: u64,
}

/// An execution environment: a process, and the listener of its Runtime API.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) child: Child,
    pub(super) invocations: mpsc::Sender<Invocation>,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
    /// The number of reloads of the function before it started.
    pub(super) generation: u64,
    output: Vec<JoinHandle<()>>,
    tail: Arc<Mutex<VecDeque<String>>>,
    listener: AbortHandle,
}

impl Environment {
    /// Starts the process and its Runtime API.
    pub(super) async fn start(program: &Program, generation: u64) -> std::io::Result<Self> {
        let path = program.path.canonicalize()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (invocations, queue) = mpsc::channel(1);
        let (reporter, reports) = mpsc::unbounded_channel();
        let api = RuntimeApi::new(&program.definition.arn, queue, reporter);

        let task_root = path.parent().unwrap_or(&path);
        let mut command = Command::new(&path);
        command
            .env_clear()
            .envs(lambda_variables(&program.definition))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("LAMBDA_TASK_ROOT", task_root)
            .envs(program.variables.iter().map(|(name, value)| (name, value)))
            .envs(&program.definition.environment)
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
            output.push(forward(stdout, LogStream::Stdout, program.log.clone(), &tail));
        }
        if let Some(stderr) = child.stderr.take() {
            output.push(forward(stderr, LogStream::Stderr, program.log.clone(), &tail));
        }
        let listener = tokio::spawn(async move {
            // It never ends by itself; it is aborted with the environment.
            let _ = axum::serve(listener, api.router()).await;
        });
        let listener = listener.abort_handle();
        Ok(Self { child, invocations, reports, generation, output, tail, listener })
    }

    /// Waits until the process asks for an event, or says why it does not.
    pub(super) async fn ready(&mut self) -> Result<(), String> {
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
    pub(super) async fn with_last_words(&mut self, what: String) -> String {
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

    /// Kills the process and waits until it is gone.
    pub(super) async fn kill(mut self) {
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

/// How a process ended.
pub(super) fn ended(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("its process ended: {status}"),
        Err(error) => format!("its process is lost: {error}"),
    }
}

/// How long a process may take before it asks for an event: Lambda's limit of the init phase.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many lines of output explain a failed start.
const TAIL_LINES: usize = 20;
