//! One execution environment: a process with a Lambda Runtime API of its own, and what it has used.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as PathParameter, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

/// A program that is run as a function.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// What it is called in file names.
    pub(crate) name: String,
    /// The executable.
    pub(crate) executable: PathBuf,
    /// The folder in which it runs.
    pub(crate) folder: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Its variables.
    pub(crate) variables: Vec<(String, String)>,
}

impl Program {
    /// The same program with further variables, or with other values of them.
    #[must_use]
    pub(crate) fn with(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }
}

/// How a program is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tool {
    /// As it is.
    None,
    /// By valgrind, which counts its instructions.
    Callgrind,
}

/// A running process. It is killed when it is dropped.
pub(crate) struct Environment {
    name: String,
    process: Child,
    events: mpsc::UnboundedSender<String>,
    answers: mpsc::UnboundedReceiver<Answered>,
    waiting: watch::Receiver<u64>,
    invoked: u64,
    /// What it writes to standard error, and what valgrind does.
    log: PathBuf,
    counts: PathBuf,
    server: JoinHandle<()>,
}

/// What the process told the Runtime API.
enum Answered {
    Response(Bytes),
    Error(Bytes),
}

/// What the Runtime API shares with the rest.
struct Api {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    answers: mpsc::UnboundedSender<Answered>,
    waiting: watch::Sender<u64>,
}

impl Environment {
    /// Starts a program. Its logs are written to a folder.
    pub(crate) async fn start(
        program: &Program,
        tool: Tool,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let (events, queued) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let (sender, waiting) = watch::channel(0);
        let api = Api { events: Mutex::new(queued), answers: answered, waiting: sender };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // A function that waits for an acknowledgement would be slow for another reason than its own.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(answer))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::new(api));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });

        let log = folder.join(format!("{}.log", program.name));
        let counts = folder.join(format!("{}.counts", program.name));
        let mut command = match tool {
            Tool::None => Command::new(&program.executable),
            Tool::Callgrind => callgrind(&program.executable, &counts),
        };
        command
            .args(&program.arguments)
            .current_dir(&program.folder)
            .env_clear()
            // Node looks for what a shell would.
            .envs(["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default())))
            .envs(program.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &program.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .kill_on_drop(true);
        let process = command.spawn().with_context(|| {
            format!("{} does not start; is it installed?", command.as_std().get_program().display())
        })?;
        let name = program.name.clone();
        Ok(Self { name, process, events, answers, waiting, invoked: 0, log, counts, server })
    }

    /// Invokes the function once, and returns its response.
    pub(crate) async fn invoke(&mut self, event: String) -> anyhow::Result<Value> {
        self.events.send(event).ok().context("the Runtime API has ended")?;
        self.invoked += 1;
        let answered = tokio::select! {
            answered = self.answers.recv() => answered,
            _ = self.process.wait() => None,
            () = tokio::time::sleep(LONGEST_INVOCATION) => None,
        };
        match answered {
            Some(Answered::Response(body)) => Ok(serde_json::from_slice(&body)?),
            Some(Answered::Error(body)) => {
                bail!("{} failed: {}", self.name, String::from_utf8_lossy(&body))
            }
            None => bail!("{} does not answer; {} may say why", self.name, self.log.display()),
        }
    }

    /// Waits until the function has asked for another event, so that nothing of the last one is left to do.
    pub(crate) async fn idle(&mut self) -> anyhow::Result<()> {
        let invoked = self.invoked;
        let idle = self.waiting.wait_for(|waiting| *waiting > invoked);
        timeout(LONGEST_INVOCATION, idle)
            .await
            .with_context(|| format!("{} asks for no further event", self.name))??;
        Ok(())
    }

    /// The CPU time of all threads so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let mut time = Duration::ZERO;
        for thread in fs::read_dir(self.proc("task")?)? {
            // "time spent on the cpu (in nanoseconds)" comes first: sched-stats in the kernel's documentation.
            let spent = fs::read_to_string(thread?.path().join("schedstat"))?;
            let spent = spent.split_whitespace().next().context("schedstat is empty")?;
            time += Duration::from_nanos(spent.parse()?);
        }
        Ok(time)
    }

    /// The largest resident set so far, in bytes.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.proc("status")?)?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        Ok(kibibytes.context("the kernel tells no VmHWM")?.parse::<u64>()? * 1024)
    }

    /// Stops the process.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.process.kill().await?;
        self.server.abort();
        Ok(())
    }

    /// Stops a process of [`Tool::Callgrind`], and returns the number of instructions it has executed.
    pub(crate) async fn stop_and_count(mut self) -> anyhow::Result<u64> {
        let id = self.process_id()?;
        // A signal that valgrind sees: it writes what it has counted, and ends.
        let sent = Command::new("kill").arg(id.to_string()).status().await?;
        anyhow::ensure!(sent.success(), "{} cannot be stopped", self.name);
        timeout(LONGEST_INVOCATION, self.process.wait()).await??;
        self.server.abort();
        collected(&self.counts)
    }

    /// The id of the process.
    pub(crate) fn process_id(&self) -> anyhow::Result<u32> {
        self.process.id().with_context(|| format!("{} has ended", self.name))
    }

    fn proc(&self, file: &str) -> anyhow::Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/{file}", self.process_id()?)))
    }
}

/// A command that runs a program by valgrind, which writes to a file what it has counted.
pub(crate) fn callgrind(executable: &Path, counts: &Path) -> Command {
    let mut command = Command::new("valgrind");
    // Code that is executed once is not worth being optimised, and makes a cold start exceed its limits.
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--vex-iropt-level=0"]);
    command.arg(format!("--log-file={}", counts.display())).arg(executable);
    command
}

/// The number of instructions in a file that valgrind has written.
pub(crate) fn collected(counts: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(counts)?;
    let found = text.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) =
        found.with_context(|| format!("valgrind counted nothing; see {}", counts.display()))?;
    Ok(number.trim().parse()?)
}

/// How long an invocation may take, also by valgrind on a busy machine.
const LONGEST_INVOCATION: Duration = Duration::from_secs(300);

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.waiting.send_modify(|waiting| *waiting += 1);
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = Timestamp::now().as_millisecond() + 10 * 60 * 1000;
    let headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", &Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", &deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:bench",
        ),
        ("lambda-runtime-trace-id", "Root=1-6745c3a0-2f6f0e6b5b1c0d1e2f3a4b5c"),
    ];
    (headers, event).into_response()
}

async fn answer(
    State(api): State<Arc<Api>>,
    PathParameter((_, outcome)): PathParameter<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let answered = match outcome.as_str() {
        "response" => Answered::Response(body),
        _ => Answered::Error(body),
    };
    let _ = api.answers.send(answered);
    StatusCode::ACCEPTED
}

async fn init_error(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    let _ = api.answers.send(Answered::Error(body));
    StatusCode::ACCEPTED
}
