//! What `cargo hooks local` prints.

use atlassian_connect::descriptor::Descriptor;
use serde_json::{Map, Value};

use atlassian_simulator::Answer;
use sam_template_runner::LogLine;

use crate::terminal::escaped;

/// A step of the command.
pub(super) fn step(verb: &str, what: &str) {
    println!("{verb:>12} {}", escaped(what));
}

/// A step whose answer matters.
pub(super) fn answered(verb: &str, what: &str, answer: &Answer) {
    let (status, took) = (answer.status.as_u16(), answer.took.as_millis());
    step(verb, &format!("{what}: {status} in {took} ms"));
}

/// What can be done now.
pub(super) fn usage(descriptor: &Descriptor, url: &str) {
    println!();
    println!("  Descriptor  {url}{}", Descriptor::PATH);
    for (number, webhook) in descriptor.modules.webhooks.iter().enumerate() {
        let title = if number == 0 { "Send more" } else { "" };
        println!("  {title:<10}  cargo hooks send {}", webhook.event);
    }
    println!("  Stop        Ctrl-C");
    println!();
}

/// A line of a function's log: as text if it is ours, else as it is.
pub(super) fn line(line: &LogLine) {
    println!("{:>28}  {}", line.function, escaped(&readable(&line.text)));
}

/// Lines that were written faster than they could be shown.
pub(super) fn skipped(lines: u64) {
    println!("{:>28}  ({lines} lines skipped)", "");
}

fn readable(text: &str) -> String {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(text) else {
        return text.into();
    };
    fields.remove("timestamp");
    let level = word(fields.remove("level"));
    let message = word(fields.remove("message"));
    fields.into_iter().fold(format!("{level:<5} {message}"), |line, (name, value)| {
        format!("{line}  {name}={}", word(Some(value)))
    })
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
    fn shows_our_lines_as_text_and_others_as_they_are() {
        let json = r#"{"timestamp":"t","level":"WARN","message":"request rejected","status":401}"#;
        assert_eq!(readable(json), "WARN  request rejected  status=401");
        assert_eq!(readable("thread 'main' panicked"), "thread 'main' panicked");
    }
}
