//! The lines that functions print, and the notices of the stack.

use std::sync::Arc;

use tokio::sync::broadcast;

/// One line of log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The logical id of the function.
    pub function: Arc<str>,
    /// The source of the line.
    pub stream: LogStream,
    /// The text, without the line break.
    pub text: String,
}

/// The source of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogStream {
    /// The function's standard output.
    Stdout,
    /// The function's standard error.
    Stderr,
    /// The stack itself: a crash, a timeout, a new start, a failed batch.
    Stack,
}

/// The log of one function. Lines without a subscriber are dropped.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    function: Arc<str>,
    lines: broadcast::Sender<LogLine>,
}

impl Log {
    pub(crate) fn new(function: &str, lines: broadcast::Sender<LogLine>) -> Self {
        Self { function: function.into(), lines }
    }

    pub(crate) fn line(&self, stream: LogStream, text: String) {
        // It only fails if there is no subscriber.
        let _ = self.lines.send(LogLine { function: Arc::clone(&self.function), stream, text });
    }

    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.line(LogStream::Stack, text.into());
    }
}
