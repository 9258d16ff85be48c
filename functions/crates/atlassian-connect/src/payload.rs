//! Payloads: the bodies of webhooks, as text and as parsed values.

mod lone_surrogates;

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The body of a webhook: its JSON text, byte for byte, and the value that was parsed from it.
///
/// The text is empty if the descriptor's entry has `excludeBody`. A payload dereferences to the
/// value: `delivery.payload.issue.key`.
#[derive(Clone)]
pub struct Payload<T = ()> {
    body: Body,
    /// The text with lone surrogates replaced, if there are any.
    replaced: OnceLock<Option<Box<str>>>,
    value: T,
}

impl Payload {
    /// Checks that the body of a request is JSON or empty.
    ///
    /// # Errors
    ///
    /// Returns the position of the first error if the body is neither empty nor JSON.
    pub fn from_body(body: String) -> Result<Self, NotJson> {
        if body.is_empty() {
            return Ok(Self::new(Body::Empty));
        }
        let json: &RawValue = serde_json::from_str(&body)
            .map_err(|error| NotJson { line: error.line(), column: error.column() })?;
        // Embedded as raw JSON, surrounding white space would be lost, `null` would read as absent,
        // and characters that SQS refuses would change their form. Such bodies are carried as a
        // string.
        let survives =
            json.get().len() == body.len() && json.get() != "null" && !body.contains(NONCHARACTERS);
        Ok(Self::new(if survives {
            Body::Json(RawValue::from_string(body).expect("parsed above"))
        } else {
            Body::Text(body.into())
        }))
    }

    pub(crate) fn new(body: Body) -> Self {
        Self { body, replaced: OnceLock::new(), value: () }
    }

    /// The same payload with a value that was parsed from it.
    pub(crate) fn with<T>(self, value: T) -> Payload<T> {
        Payload { body: self.body, replaced: self.replaced, value }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }
}

impl<T> Payload<T> {
    /// The value, without the text.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The body as it arrived, empty if there was none.
    pub fn as_str(&self) -> &str {
        match &self.body {
            Body::Empty => "",
            Body::Json(json) => json.get(),
            Body::Text(text) => text,
        }
    }

    /// The text that is parsed: the body, with each lone surrogate replaced by U+FFFD. Every other
    /// character has the same position as in the body.
    pub(crate) fn text(&self) -> &str {
        let replaced = self.replaced.get_or_init(|| lone_surrogates::replaced(self.as_str()));
        replaced.as_deref().unwrap_or_else(|| self.as_str())
    }

    /// Parses the body as a type of your own, which can borrow from it.
    ///
    /// A lone surrogate, which JSON can write and Rust cannot represent, is read as U+FFFD.
    ///
    /// # Errors
    ///
    /// Returns the error of `serde_json`, with line and column.
    pub fn read<'a, U: Deserialize<'a>>(&'a self) -> serde_json::Result<U> {
        serde_json::from_str(self.text())
    }
}

impl<T> Deref for Payload<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Prints only the size, because a payload contains what users wrote.
impl<T> fmt::Debug for Payload<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_str().len())
    }
}

/// A body that is neither empty nor JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body is not JSON: line {line}, column {column}")]
pub struct NotJson {
    /// Where the first error is, from 1.
    pub line: usize,
    /// Where the first error is, from 1.
    pub column: usize,
}

/// A body in the form in which the queue carries it.
#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Json(Box<RawValue>),
    Text(Box<str>),
}

/// The two characters that JSON allows and SQS refuses.
pub(crate) const NONCHARACTERS: [char; 2] = ['\u{FFFE}', '\u{FFFF}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_json() {
        for body in ["{", "{} {}", "nul", "\u{feff}{}", "a=b", "{\"a\":1,}"] {
            assert!(Payload::from_body(body.into()).is_err(), "{body}");
        }
        let error = Payload::from_body("{\n  \"secret\": s3cr3t}".into()).unwrap_err();
        assert_eq!(error.to_string(), "the body is not JSON: line 2, column 13");
    }

    #[test]
    fn prints_nothing_of_itself() {
        let payload = Payload::from_body("{\"summary\":\"personal\"}".into()).unwrap();
        assert_eq!(format!("{payload:?}"), "Payload(22 bytes)");
    }
}
