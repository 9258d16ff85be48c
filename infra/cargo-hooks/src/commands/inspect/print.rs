//! What `cargo hooks inspect` prints of a delivery.

use std::fmt::Write as _;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use inspector::{Journey, Verdict};
use serde_json::{Value, json};

use crate::commands::local::console;
use crate::terminal::{escaped, escaped_json};

/// How much is printed of each delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A heading and the body.
    Body,
    /// One row.
    Row,
    /// One JSON object a line.
    Json,
}

pub(super) fn print(journey: &Journey, form: Form) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    match form {
        Form::Row => console::row(journey),
        Form::Json => writeln!(out, "{}", escaped_json(&line(journey).to_string()))?,
        Form::Body => write!(out, "{}", document(journey))?,
    }
    Ok(())
}

fn line(journey: &Journey) -> Value {
    let body = &journey.sent.body;
    json!({
        "event": journey.event,
        "product": journey.product,
        "tenant": journey.tenant,
        "sender": journey.sender,
        "url": journey.sent.path,
        "status": journey.status,
        "verdict": journey.verdict,
        "reason": journey.reason,
        "reading": journey.reading.as_ref().map(|reading| &reading.word),
        "leftOut": journey.reading.as_ref().and_then(|reading| reading.why.as_ref()),
        "outcome": journey.outcome,
        "handler": journey.handler,
        "durationMs": journey.ended_ms,
        "body": serde_json::from_str::<Value>(body).unwrap_or_else(|_| body.as_str().into()),
    })
}

fn document(journey: &Journey) -> String {
    let bold = Style::new().bold();
    let name = journey.event.as_deref().unwrap_or(&journey.sent.path);
    let mut text = format!("{bold}{}{bold:#}", escaped(name));
    if let Some(product) = &journey.product {
        let _ = write!(text, "  {}", escaped(product));
    }
    let tenant = journey.tenant.as_deref().unwrap_or("no tenant");
    let _ = writeln!(text, "  tenant {}", escaped(tenant));
    let reason = journey.reason.as_deref().unwrap_or_default();
    let verdict = match journey.verdict {
        Verdict::Verified => "verified".to_owned(),
        Verdict::NotTrusted => format!("not trusted ({reason})"),
        Verdict::NotChecked => format!("not checked {reason}"),
    };
    let reading = journey.reading.as_ref();
    let typed = reading.and_then(|reading| reading.typed.as_deref()).and_then(type_of);
    let word = reading.map_or("not read", |reading| &reading.word);
    let read = typed.map_or_else(|| word.to_owned(), |typed| format!("{word} as {typed}"));
    let why = reading.and_then(|reading| reading.why.as_deref());
    let why = why.map(|why| format!(", left out: {why}")).unwrap_or_default();
    let _ = writeln!(
        text,
        "signature {verdict}, {}, {}",
        escaped(&format!("{read}{why}")),
        journey.outcome.as_str()
    );
    match serde_json::from_str::<Value>(&journey.sent.body) {
        Ok(body) => colored(&body, 0, &mut text),
        Err(_) => text += &escaped(&journey.sent.body),
    }
    text + "\n\n"
}

/// The payload type in the `Debug` text of an event: `Jira(IssueCreated(IssueEvent {…}))`.
fn type_of(typed: &str) -> Option<&str> {
    let (before, _) = typed.split_once('{')?;
    before.rsplit('(').next().map(str::trim).filter(|name| !name.is_empty())
}

/// Adds a value as indented JSON, with colours that a pipe takes out again.
fn colored(value: &Value, depth: usize, text: &mut String) {
    let (key, word, number) = (AnsiColor::Blue, AnsiColor::Green, AnsiColor::Yellow);
    let styled = |color: AnsiColor, json: &Value| {
        let style = color.on_default();
        format!("{style}{}{style:#}", escaped_json(&json.to_string()))
    };
    let indent = |depth: usize| "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            *text += "{\n";
            for (position, (name, value)) in fields.iter().enumerate() {
                *text += &format!("{}{}: ", indent(depth + 1), styled(key, &name.as_str().into()));
                colored(value, depth + 1, text);
                *text += if position + 1 < fields.len() { ",\n" } else { "\n" };
            }
            *text += &format!("{}}}", indent(depth));
        }
        Value::Array(items) if !items.is_empty() => {
            *text += "[\n";
            for (position, item) in items.iter().enumerate() {
                *text += &indent(depth + 1);
                colored(item, depth + 1, text);
                *text += if position + 1 < items.len() { ",\n" } else { "\n" };
            }
            *text += &format!("{}]", indent(depth));
        }
        Value::String(_) => *text += &styled(word, value),
        Value::Object(_) | Value::Array(_) => *text += &value.to_string(),
        other => *text += &styled(number, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_json_that_reads_back_as_itself() {
        let value = json!({"a": [1, "x\u{1b}[31m", {}, [], null, {"b": true}], "c": "é\n"});
        let mut text = String::new();
        colored(&value, 0, &mut text);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_ne!(plain, text);
        assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), value, "{plain}");
    }

    #[test]
    fn names_the_payload_type() {
        assert_eq!(type_of("Jira(\n    IssueCreated(\n        IssueEvent {\n"), Some("IssueEvent"));
        assert_eq!(type_of("Unknown"), None);
    }
}
