//! A function, and the environments that it is invoked in.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use jiff::Timestamp;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::environment::{Environment, Program, Version, ended};
use super::runtime_api::{Invocation, Report};
use crate::deployment;
use crate::log::{Log, LogLine};

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
    #[error("the function did not answer within its timeout of {} s", .timeout.as_secs())]
    TimedOut {
        /// The timeout of the function.
        timeout: Duration,
    },
    /// The process ended before it answered.
    #[error("the function's process ended before it answered: {status}; see its log")]
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
        let program = Program {
            log: Log::new(&definition.logical_id, definition.log_level.as_deref(), lines),
            definition,
            path: program,
            variables,
        };
        let shared = Shared {
            loaded: Mutex::new(Loaded { version: program.version().ok(), generation: 0 }),
            program,
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
    /// An invocation that has begun continues if its caller disconnects, as on Lambda.
    ///
    /// # Errors
    ///
    /// Fails if the function answers with an error, or does not answer.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        self.invoke_as(Uuid::new_v4().to_string(), event).await
    }

    /// As [`invoke`](Self::invoke), with a request id that the caller chooses.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub async fn invoke_as(&self, request_id: String, event: Bytes) -> Result<Bytes, InvokeError> {
        let Ok(permit) = Arc::clone(&self.shared.free).acquire_owned().await else {
            return Err(InvokeError::Stopped);
        };
        let shared = Arc::clone(&self.shared);
        let invocation = tokio::spawn(async move {
            let result = shared.run(request_id, event).await;
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

    /// Runs the binary that is there now, if it is another than before, and says whether it is.
    ///
    /// Idle environments are killed. Invocations under way go on in the old binary, and their
    /// environments end with them.
    ///
    /// # Errors
    ///
    /// Fails if there is no binary. Then nothing changes.
    pub async fn reload(&self) -> std::io::Result<bool> {
        let version = Some(self.shared.program.version()?);
        let old = {
            let mut idle = self.shared.idle();
            let mut loaded = self.shared.loaded();
            if loaded.version == version {
                return Ok(false);
            }
            *loaded = Loaded { version, generation: loaded.generation + 1 };
            std::mem::take(&mut *idle)
        };
        for environment in old {
            environment.kill().await;
        }
        Ok(true)
    }

    /// Writes a notice to the log of this function.
    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.shared.program.log.notice(text);
    }
}

#[derive(Debug)]
struct Shared {
    program: Program,
    loaded: Mutex<Loaded>,
    concurrency: u32,
    /// A permit is the right to one environment, so an invocation that has one need not wait.
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Environment>>,
    /// Whether an environment was lost since the last start.
    was_lost: AtomicBool,
    stopping: watch::Sender<bool>,
}

impl Shared {
    async fn run(&self, request_id: String, event: Bytes) -> Result<Bytes, InvokeError> {
        let mut stopping = self.stopping.subscribe();
        let mut environment = self.take_idle();
        let result = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => Err(InvokeError::Stopped),
            result = self.invoke(&mut environment, request_id, event) => result,
        };
        let is_reusable = matches!(result, Ok(_) | Err(InvokeError::Function { .. }));
        let refused = match environment {
            Some(environment) if is_reusable => self.keep(environment),
            other => other,
        };
        if let Some(environment) = refused {
            environment.kill().await;
        }
        result
    }

    /// Keeps an environment for the next invocation. Returns it if the function was reloaded since
    /// it started.
    fn keep(&self, environment: Environment) -> Option<Environment> {
        // Both at once, as in a reload: one that comes in between would not see this one.
        let mut idle = self.idle();
        if environment.generation != self.loaded().generation {
            return Some(environment);
        }
        idle.push(environment);
        None
    }

    /// Invokes in `environment`, or puts a new one there first.
    async fn invoke(
        &self,
        environment: &mut Option<Environment>,
        request_id: String,
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
                    self.program.log.notice("starts again");
                }
                let generation = self.loaded().generation;
                let started = Environment::start(&self.program, generation).await;
                let started = started.map_err(|error| {
                    self.failed_to_start(format!("{}: {error}", self.program.path.display()))
                })?;
                let started = environment.insert(started);
                if let Err(what) = started.ready().await {
                    return Err(self.failed_to_start(started.with_last_words(what).await));
                }
                started
            }
        };
        self.hand_over(environment, request_id, event).await
    }

    async fn hand_over(
        &self,
        environment: &mut Environment,
        request_id: String,
        event: Bytes,
    ) -> Result<Bytes, InvokeError> {
        let timeout = self.program.definition.timeout;
        let deadline = Instant::now() + timeout;
        let invocation = Invocation {
            request_id,
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
                        self.program.log.notice(error.to_string());
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
        self.program.log.notice(what);
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

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The binary that new environments run.
#[derive(Debug)]
struct Loaded {
    /// None if there was none yet.
    version: Option<Version>,
    /// The number of reloads.
    generation: u64,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
