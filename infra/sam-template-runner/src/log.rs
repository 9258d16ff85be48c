//! The lines that functions print, and the notices of the stack.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
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

/// The log of one function. Lines without a subscriber are dropped, and those that Lambda would not
/// send to CloudWatch.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    function: Arc<str>,
    /// The level from which on the function's own lines are kept. Nothing filters the text format.
    level: Option<usize>,
    lines: broadcast::Sender<LogLine>,
}

impl Log {
    pub(crate) fn new(
        function: &str,
        level: Option<&str>,
        lines: broadcast::Sender<LogLine>,
    ) -> Self {
        Self { function: function.into(), level: level.and_then(rank), lines }
    }

    pub(crate) fn line(&self, stream: LogStream, text: String) {
        let is_own = stream != LogStream::Stack;
        if is_own && self.level.is_some_and(|level| rank_of_line(&text) < level) {
            return;
        }
        // It only fails if there is no subscriber.
        let _ = self.lines.send(LogLine { function: Arc::clone(&self.function), stream, text });
    }

    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.line(LogStream::Stack, text.into());
    }
}

/// The values of `ApplicationLogLevel`, from the most detailed on.
pub(crate) const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

const INFO: usize = 2;

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level))
}

/// The level by which Lambda filters a line. "Log-level filtering" in the AWS Lambda Developer
/// Guide: a line counts as INFO if it has no valid level or no valid timestamp, metrics included.
fn rank_of_line(text: &str) -> usize {
    let Ok(line) = serde_json::from_str::<Value>(text) else { return INFO };
    let member = |name: &str| line.get(name).and_then(Value::as_str);
    let is_dated = member("timestamp").is_some_and(|time| time.parse::<Timestamp>().is_ok());
    member("level").filter(|_| is_dated).and_then(rank).unwrap_or(INFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_lines_that_lambda_would_keep() {
        const TIME: &str = r#""timestamp":"2026-11-25T12:00:00.123456Z""#;
        // A line, and the highest level at which it is kept.
        let rows = [
            (format!(r#"{{"level":"ERROR",{TIME}}}"#), "ERROR"),
            (format!(r#"{{"level":"warn",{TIME}}}"#), "WARN"),
            (format!(r#"{{"level":"DEBUG",{TIME}}}"#), "DEBUG"),
            (format!(r#"{{"level":"LOUD",{TIME}}}"#), "INFO"),
            // A metric without a timestamp is not saved by its level.
            (r#"{"level":"ERROR","_aws":{"Timestamp":1795428000123},"Queued":1}"#.into(), "INFO"),
            (r#"{"level":"ERROR","timestamp":"noon"}"#.into(), "INFO"),
            (r#"{"_aws":{},"Queued":1}"#.into(), "INFO"),
            ("thread 'main' panicked".into(), "INFO"),
        ];
        for (text, highest) in rows {
            for level in LEVELS {
                let (lines, mut kept) = broadcast::channel(1);
                Log::new("F", Some(level), lines).line(LogStream::Stdout, text.clone());
                let is_kept = rank(level) <= rank(highest);
                assert_eq!(kept.try_recv().is_ok(), is_kept, "{text} at {level}");
            }
            let (lines, mut kept) = broadcast::channel(1);
            Log::new("F", None, lines).line(LogStream::Stdout, text);
            assert!(kept.try_recv().is_ok(), "the text format");
        }
        let (lines, mut kept) = broadcast::channel(1);
        Log::new("F", Some("FATAL"), lines).notice("the stack's own notice");
        assert!(kept.try_recv().is_ok());
    }
}
