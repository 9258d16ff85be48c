//! What `cargo hooks local` prints: one row a delivery, and what functions log themselves.

use std::collections::HashMap;
use std::sync::Arc;

use anstream::println;
use anstyle::{AnsiColor, Style};
use atlassian_connect::descriptor::Descriptor;
use inspector::{Declared, Journey, Kind, Outcome, without_metric};
use jiff::tz::TimeZone;
use sam_template_runner::{LogLine, LogStream};
use serde_json::{Map, Value};

use atlassian_simulator::{Answer, Call, Caller};

use crate::deliveries::MESSAGES;
use crate::demo::signed_events;
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

/// A request of a handler to a site.
pub(crate) fn called(call: &Call) {
    let Call { site, method, path, caller, status } = call;
    let caller = match caller {
        Caller::App => "as the app".to_owned(),
        Caller::User(user) => format!("as the user {user}"),
        Caller::Stranger(why) => format!("but {why}"),
    };
    step("called", &format!("{method} {path} of {site}, {caller}: {}", status.as_u16()));
}

/// What can be done now.
pub(crate) fn usage(declared: &Declared, url: &str, page: &str) {
    println!();
    println!("  Deliveries  {page}");
    if declared.descriptor.is_some() {
        println!("  Descriptor  {url}{}", Descriptor::PATH);
    }
    let webhooks = declared.webhooks().iter().map(|webhook| webhook.event.as_str());
    let events = declared.endpoints().flat_map(|(_, _, events)| events);
    let mut events: Vec<String> = webhooks.chain(events).map(str::to_owned).collect();
    for event in declared.signed.iter().flat_map(signed_events) {
        if !events.contains(&event.to_string()) {
            events.push(event.to_string());
        }
    }
    for (number, event) in events.iter().enumerate() {
        let title = if number == 0 { "Send more" } else { "" };
        println!("  {title:<10}  cargo hooks send {event}");
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
        let is_open = journey.outcome == Outcome::Queued
            || (journey.outcome.is_final() && !journey.is_settled());
        if !is_news || !is_shown || is_open {
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
    // Of an installation of Forge all begin alike.
    let tenant = tenant.rsplit('/').next().unwrap_or(tenant);
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

/// The log lines that no row contains: what handlers log, notices of the stack, and panics with the
/// frames of the app alone.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The name of the last stack frame of each function, until its place is known.
    frames: HashMap<Arc<str>, String>,
}

impl Lines {
    /// Prints a line, unless a row says the same.
    pub(crate) fn show(&mut self, line: &LogLine) {
        for text in self.readable(line) {
            let dim = Style::new().dimmed();
            println!("{dim}{:>14}{dim:#}{:<24}  {}", "", line.function, escaped(&text));
        }
    }

    /// A line as text. A stack frame is two lines, its name and its place.
    fn readable(&mut self, line: &LogLine) -> Vec<String> {
        if let Ok(fields) = serde_json::from_str(&line.text) {
            return message(fields).into_iter().collect();
        }
        let text = line.text.trim_end();
        if line.stream == LogStream::Stack {
            return vec![text.to_owned()];
        }
        if is_frame(text) {
            self.frames.insert(Arc::clone(&line.function), text.to_owned());
            return Vec::new();
        }
        match text.trim_start().strip_prefix("at ") {
            Some(place) => {
                let frame = self.frames.remove(&line.function);
                let is_foreign = place.starts_with("/rustc/") || place.contains("/.cargo/");
                frame
                    .filter(|_| !is_foreign)
                    .map_or_else(Vec::new, |frame| vec![frame, text.to_owned()])
            }
            None if ABOUT_BACKTRACES.iter().any(|start| text.starts_with(start)) => Vec::new(),
            None => vec![text.to_owned()],
        }
    }
}

/// Lines that were written faster than they could be shown.
pub(crate) fn skipped(lines: u64) {
    println!("{:>14}({lines} lines skipped)", "");
}

/// A structured line as text, or `None` for metrics and the framework's own lines about deliveries.
fn message(mut fields: Map<String, Value>) -> Option<String> {
    let message = word(fields.remove("message"));
    let is_own = fields.remove("span").is_some_and(|span| span["name"] == HANDLER_SPAN);
    let is_hidden = MESSAGES.iter().chain(&IN_NO_ROW).any(|hidden| *hidden == message);
    if !is_own && is_hidden {
        return None;
    }
    for name in ["timestamp", "delivery.id"] {
        fields.remove(name);
    }
    without_metric(&mut fields);
    let level = word(fields.remove("level"));
    Some(fields.into_iter().fold(format!("{level:<5} {message}"), |line, (name, value)| {
        format!("{line}  {name}={}", word(Some(value)))
    }))
}

/// The span in which a handler is called.
const HANDLER_SPAN: &str = "handler";

/// Messages that are not shown, beside those whose content is in a row.
const IN_NO_ROW: [&str; 2] = ["tenant recorded", "callback forwarded"];

/// What stands around the frames of a panic.
const ABOUT_BACKTRACES: [&str; 2] = ["note: ", "stack backtrace:"];

/// Whether a line is the name of a stack frame, as in `  12: app::handle`.
fn is_frame(text: &str) -> bool {
    let number = text.trim_start().split_once(": ").map(|(number, _)| number);
    text.starts_with(' ') && number.is_some_and(|number| number.parse::<u32>().is_ok())
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
    fn shows_the_frames_of_the_app_alone() {
        let backtrace = "stack backtrace:\n   0: __rustc::rust_begin_unwind\n             at \
                         /rustc/1234/library/std/src/panicking.rs:1:2\n   1: app::handle\n             \
                         at ./src/bin/app.rs:9:5\n   2: poll\n             at \
                         /home/me/.cargo/registry/src/x/tokio/src/task.rs:3:4\n   3: main\nnote: more";
        let mut lines = Lines::default();
        let shown = backtrace.lines().flat_map(|text| {
            let (function, stream) = ("F".into(), LogStream::Stderr);
            lines.readable(&LogLine { function, stream, text: text.into() })
        });
        let shown: Vec<String> = shown.collect();
        assert_eq!(shown, ["   1: app::handle", "             at ./src/bin/app.rs:9:5"]);
    }

    #[test]
    fn shows_what_no_row_says() {
        let line = |text: &str| LogLine {
            function: "F".into(),
            stream: LogStream::Stdout,
            text: text.into(),
        };
        let rows = [
            (r#"{"level":"WARN","message":"request rejected","status":401}"#, None),
            (
                r#"{"level":"WARN","message":"delivery late","metric":"Late","Late":1,"LogGroup":"Logs","_aws":{}}"#,
                Some("WARN  delivery late"),
            ),
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
            ("index out of bounds: the length is 0", Some("index out of bounds: the length is 0")),
            ("note: run with `RUST_BACKTRACE=1`", None),
        ];
        for (text, shown) in rows {
            let shown: Vec<_> = shown.into_iter().collect();
            assert_eq!(Lines::default().readable(&line(text)), shown, "{text}");
        }
    }
}
