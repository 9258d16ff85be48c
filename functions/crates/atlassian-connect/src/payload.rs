//! The body of a webhook: its text, and what was read from it.

mod mended;

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The body of a webhook: a JSON text, byte for byte, or nothing; and what was read from it.
///
/// It is empty when the descriptor's entry says `excludeBody`. What was read is reached through it:
/// `delivery.payload.issue.key`.
#[derive(Clone)]
pub struct Payload<T = ()> {
    body: Body,
    /// The text as Rust can hold it, where that is another one.
    mended: OnceLock<Option<Box<str>>>,
    value: T,
}

impl Payload {
    /// Takes the body of a request.
    ///
    /// # Errors
    ///
    /// The position of the first error, if the body is neither empty nor JSON.
    pub fn from_body(body: String) -> Result<Self, NotJson> {
        if body.is_empty() {
            return Ok(Self::new(Body::Empty));
        }
        let json: &RawValue = serde_json::from_str(&body)
            .map_err(|error| NotJson { line: error.line(), column: error.column() })?;
        // Embedded as it is, a JSON text loses the white space around it, `null` its presence, and
        // a character that SQS refuses its form. Those travel as a string instead.
        let survives =
            json.get().len() == body.len() && json.get() != "null" && !body.contains(NONCHARACTERS);
        Ok(Self::new(if survives {
            Body::Json(RawValue::from_string(body).expect("parsed above"))
        } else {
            Body::Text(body.into())
        }))
    }

    pub(crate) fn new(body: Body) -> Self {
        Self { body, mended: OnceLock::new(), value: () }
    }

    /// The same payload with what was read from it.
    pub(crate) fn with<T>(self, value: T) -> Payload<T> {
        Payload { body: self.body, mended: self.mended, value }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }
}

impl<T> Payload<T> {
    /// What was read, without the text.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The body as it arrived; empty if there was none.
    pub fn as_str(&self) -> &str {
        match &self.body {
            Body::Empty => "",
            Body::Json(json) => json.get(),
            Body::Text(text) => text,
        }
    }

    /// The text that is read: the body, but that half of a surrogate pair is U+FFFD. Every other
    /// character is where it is in the body.
    pub(crate) fn text(&self) -> &str {
        let mended = self.mended.get_or_init(|| mended::mended(self.as_str()));
        mended.as_deref().unwrap_or_else(|| self.as_str())
    }

    /// Reads the body as a type of your own, borrowing from it where the type does.
    ///
    /// Half of a surrogate pair, which JSON can write and Rust cannot hold, is U+FFFD.
    ///
    /// # Errors
    ///
    /// `serde_json`'s, with line and column.
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

/// Prints the size alone: a payload holds what people wrote.
impl<T> fmt::Debug for Payload<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_str().len())
    }
}

/// A request's body that is neither empty nor JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body is not JSON: line {line}, column {column}")]
pub struct NotJson {
    /// Where the first error is, from 1.
    pub line: usize,
    /// Where the first error is, from 1.
    pub column: usize,
}

/// A body in the form in which it travels through the queue.
#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Json(Box<RawValue>),
    Text(Box<str>),
}

/// The two characters that JSON allows and SQS does not.
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
