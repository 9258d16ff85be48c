//! What `cargo hooks local` prints: one row a delivery, and what functions log themselves.

use std::collections::HashMap;

use anstream::println;
use anstyle::{AnsiColor, Style};
use atlassian_connect::descriptor::Descriptor;
use inspector::{Journey, Kind, Outcome};
use jiff::tz::TimeZone;
use sam_template_runner::{LogLine, LogStream};
use serde_json::{Map, Value};

use atlassian_simulator::Answer;

use crate::terminal::escaped;

/// A step of the command.
pub(crate) fn step(verb: &str, what: &str) {
    let bold = Style::new().bold();
    println!("{bold}{verb:>12}{bold:#} {}", escaped(what));
}

/// A step whose answer matters.
pub(crate) fn answered(verb: &str, what: &str, answer: &Answer) {
    let (status, took) = (answer.status.as_u16(), answer.took.as_millis());
    step(verb, &format!("{what}: {status} in {took} ms"));
}

/// What can be done now.
pub(crate) fn usage(descriptor: &Descriptor, url: &str, page: &str) {
    println!();
    println!("  Deliveries  {page}");
    println!("  Descriptor  {url}{}", Descriptor::PATH);
    for (number, webhook) in descriptor.modules.webhooks.iter().enumerate() {
        let title = if number == 0 { "Send more" } else { "" };
        println!("  {title:<10}  cargo hooks send {}", webhook.event);
    }
    println!("  Stop        Ctrl-C");
    println!();
}

/// The rows of deliveries.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// What was printed of each journey: its outcome, and how many attempts.
    printed: HashMap<String, (Outcome, usize)>,
}

impl Rows {
    /// Takes a journey as printed.
    pub(crate) fn skip(&mut self, journey: &Journey) {
        self.printed.insert(journey.id.clone(), (journey.outcome, journey.attempts.len()));
    }

    /// Prints a row when a journey has come to an end, or an attempt has failed.
    pub(crate) fn show(&mut self, journey: &Journey) {
        let state = (journey.outcome, journey.attempts.len());
        let is_news = self.printed.get(&journey.id) != Some(&state);
        // The descriptor is fetched by Atlassian all the time.
        let is_shown = journey.kind != Kind::Other || !(200..300).contains(&journey.status);
        if !is_news || !is_shown || journey.outcome == Outcome::Queued {
            return;
        }
        self.printed.insert(journey.id.clone(), state);
        row(journey);
    }
}

/// One row: time, event, tenant, status, handler, outcome, duration, and why it failed.
pub(crate) fn row(journey: &Journey) {
    let time = journey.received_at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f");
    let event = journey.event.as_deref().unwrap_or(&journey.sent.path);
    let tenant = journey.tenant.as_deref().unwrap_or("-");
    let tenant: String = tenant.chars().take(8).collect();
    let handler = journey.handler.as_deref().or(journey.function.as_deref()).unwrap_or("-");
    let style = style(journey.outcome);
    let last = journey.attempts.last();
    let took = journey.ended_ms.or(last.map(|last| last.ended_ms)).unwrap_or(journey.answered_ms);
    let dim = Style::new().dimmed();
    println!(
        "{dim}{time}{dim:#}  {:<32} {:<8}  {}  {:<24} {style}{:<13}{style:#} {took:>6} ms{}",
        escaped(event),
        escaped(&tenant),
        journey.status,
        escaped(handler),
        journey.outcome.as_str(),
        escaped(&why(journey)),
    );
}

fn why(journey: &Journey) -> String {
    match (journey.outcome, journey.attempts.last()) {
        (Outcome::Rejected, _) => {
            let reason = journey.reason.as_deref().unwrap_or("no reason was logged");
            let detail = journey.detail.as_deref().unwrap_or_default();
            format!("  {reason}: {detail}")
        }
        (Outcome::Retrying, Some(last)) => {
            let error = last.error.as_deref().unwrap_or_default();
            let delay = last.retry_seconds.unwrap_or_default();
            format!("  attempt {}, next in {delay} s: {error}", last.number)
        }
        (Outcome::DeadLettered, Some(last)) => {
            let error = last.error.as_deref().unwrap_or_default();
            format!("  after attempt {}: {error}", last.number)
        }
        _ => String::new(),
    }
}

fn style(outcome: Outcome) -> Style {
    let color = match outcome {
        Outcome::Handled | Outcome::Answered => AnsiColor::Green,
        Outcome::Queued | Outcome::Duplicate => AnsiColor::Cyan,
        Outcome::Retrying => AnsiColor::Yellow,
        Outcome::Rejected | Outcome::DeadLettered => AnsiColor::Red,
    };
    color.on_default()
}

/// A line of a function's log, as it is.
pub(crate) fn raw(line: &LogLine) {
    println!("{:>28}  {}", line.function, escaped(&line.text));
}

/// A line of a function's log, unless a row says the same.
pub(crate) fn line(line: &LogLine) {
    let Some(text) = readable(line) else { return };
    let dim = Style::new().dimmed();
    println!("{dim}{:>14}{dim:#}{:<24}  {}", "", line.function, escaped(&text));
}

/// Lines that were written faster than they could be shown.
pub(crate) fn skipped(lines: u64) {
    println!("{:>14}({lines} lines skipped)", "");
}

/// A line as text, or `None` for what a row shows: metrics, the framework's own lines about
/// deliveries, and the frames of a panic outside the app.
fn readable(line: &LogLine) -> Option<String> {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(&line.text) else {
        return (line.stream == LogStream::Stack || !is_frame(&line.text))
            .then(|| line.text.trim_end().to_owned());
    };
    let message = word(fields.remove("message"));
    let is_own = fields.remove("span").is_some_and(|span| span["name"] == HANDLER_SPAN);
    if !is_own && IN_ROWS.contains(&message.as_str()) {
        return None;
    }
    for name in ["timestamp", "delivery.id"] {
        fields.remove(name);
    }
    let level = word(fields.remove("level"));
    Some(fields.into_iter().fold(format!("{level:<5} {message}"), |line, (name, value)| {
        format!("{line}  {name}={}", word(Some(value)))
    }))
}

/// The span in which a handler is called.
const HANDLER_SPAN: &str = "handler";

/// Messages whose content is in a row.
const IN_ROWS: [&str; 9] = [
    "metric",
    "delivery queued",
    "delivery handled",
    "duplicate delivery skipped",
    "delivery failed",
    "delivery dead-lettered",
    "request rejected",
    "request failed",
    "tenant recorded",
];

/// Whether a line of a panic is a stack frame outside the app, or a hint about backtraces.
fn is_frame(text: &str) -> bool {
    let text = text.trim_start();
    let is_place = text.starts_with("at /rustc/") || text.contains("/.cargo/registry/");
    is_place || text.is_empty() || text.starts_with("note: ") || text == "stack backtrace:"
}

fn word(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_no_row_says() {
        let line = |text: &str| LogLine {
            function: "F".into(),
            stream: LogStream::Stdout,
            text: text.into(),
        };
        let rows = [
            (r#"{"level":"WARN","message":"request rejected","status":401}"#, None),
            (r#"{"level":"ERROR","message":"metric","Queued":1}"#, None),
            (
                r#"{"timestamp":"t","level":"INFO","message":"issue created","issue.key":"A-1","span":{"name":"handler"}}"#,
                Some("INFO  issue created  issue.key=A-1"),
            ),
            // A handler may say the same as the framework.
            (
                r#"{"level":"INFO","message":"delivery handled","span":{"name":"handler"}}"#,
                Some("INFO  delivery handled"),
            ),
            (
                "thread 'main' panicked at src/a.rs:1:2:",
                Some("thread 'main' panicked at src/a.rs:1:2:"),
            ),
            ("             at /rustc/1234/library/std/src/panicking.rs:1:2", None),
            ("note: run with `RUST_BACKTRACE=1`", None),
        ];
        for (text, shown) in rows {
            assert_eq!(readable(&line(text)).as_deref(), shown, "{text}");
        }
    }
}
