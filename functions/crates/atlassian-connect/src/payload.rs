//! Payloads: the bodies of webhooks, as text and as parsed values.

mod lone_surrogates;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use memchr::memchr_iter;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
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
    /// What the body calls its event.
    webhook_event: OnceLock<Option<Box<str>>>,
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
        // One pass checks an object and finds the event that it names. What is no object, or has a
        // lone surrogate in a name, is checked without being read.
        let named = serde_json::from_str(&body);
        if named.is_err() {
            let checked: serde_json::Result<&RawValue> = serde_json::from_str(&body);
            checked.map_err(|error| NotJson { line: error.line(), column: error.column() })?;
        }
        // Embedded as raw JSON, surrounding white space would be lost, `null` would read as absent,
        // and characters that SQS refuses would change their form. Such bodies are carried as a
        // string.
        let survives = body.trim_matches(WHITE_SPACE).len() == body.len()
            && body != "null"
            && !has_noncharacters(&body);
        let body = body.into_boxed_str();
        let payload = Self::new(if survives { Body::Json(body) } else { Body::Text(body) });
        if let Ok(Named(name)) = named {
            let _ = payload.webhook_event.set(name);
        }
        Ok(payload)
    }

    pub(crate) fn new(body: Body) -> Self {
        Self { body, replaced: OnceLock::new(), webhook_event: OnceLock::new(), value: () }
    }

    /// The same payload with a value that was parsed from it.
    pub(crate) fn with<T>(self, value: T) -> Payload<T> {
        let Self { body, replaced, webhook_event, value: () } = self;
        Payload { body, replaced, webhook_event, value }
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
            Body::Json(text) | Body::Text(text) => text,
        }
    }

    /// What the body calls its event: the member `webhookEvent`, if it is a string.
    pub fn webhook_event(&self) -> Option<&str> {
        let read = || self.read().ok().and_then(|Named(name)| name);
        self.webhook_event.get_or_init(read).as_deref()
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
    /// Embedded as it is. It is known to be JSON.
    Json(Box<str>),
    /// As a string.
    Text(Box<str>),
}

/// RFC 8259, section 2.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Whether a text contains U+FFFE or U+FFFF, which JSON allows and SQS refuses.
pub(crate) fn has_noncharacters(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |at| matches!(bytes.get(at..at + 3), Some([_, 0xBF, 0xBE | 0xBF]));
    memchr_iter(0xEF, bytes).any(ends)
}

/// The event that an object names. Reading it checks the rest of the object, and keeps nothing of it.
struct Named(Option<Box<str>>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Naming)
    }
}

struct Naming;

impl<'de> Visitor<'de> for Naming {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        #[derive(Deserialize)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        let mut names = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            if key == "webhookEvent" {
                let name = map.next_value::<&RawValue>()?.get();
                names.push(if name.starts_with('"') {
                    Some(serde_json::from_str(name).map_err(A::Error::custom)?)
                } else {
                    None
                });
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        // Two names are as good as none.
        let name = names.pop().flatten();
        Ok(Named(name.filter(|_| names.is_empty())))
    }
}

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
    fn finds_the_event_that_a_body_names() {
        for (body, named) in [
            (r#"{"a":{"webhookEvent":"b"},"webhookEvent":"jira:issue_created","c":[1e999]}"#, true),
            (r#"{"webhookEvent":"jira:issue_\u0063reated"}"#, true),
            (r#"{"webhookE\u0076ent":"jira:issue_created"}"#, true),
            (" {\"webhookEvent\" : \"jira:issue_created\"}\n", true),
            (r#"{"\ud83d":"\ud83d","webhookEvent":"jira:issue_created"}"#, true),
            (r#"{"webhookEvent":"jira:issue_created","webhookEvent":"jira:issue_created"}"#, false),
            (r#"{"webhookEvent":5,"webhookEvent":"jira:issue_created"}"#, false),
            (r#"{"webhookEvent":["jira:issue_created"]}"#, false),
            (r#"{"webhookEvent":null}"#, false),
            (r#"["webhookEvent"]"#, false),
            ("\"webhookEvent\"", false),
            ("{}", false),
            ("", false),
        ] {
            let payload = Payload::from_body(body.into()).unwrap();
            // As it arrives, and as a handler gets it.
            for payload in [Payload::new(payload.body().clone()), payload] {
                let expected = named.then_some("jira:issue_created");
                assert_eq!(payload.webhook_event(), expected, "{body}");
                assert_eq!(payload.as_str(), body);
            }
        }
        let odd = Payload::from_body(r#"{"webhookEvent":"\ud83d"}"#.into()).unwrap();
        assert_eq!(odd.webhook_event(), Some("\u{fffd}"));
    }

    #[test]
    fn finds_what_sqs_refuses() {
        for text in ["\u{FFFE}", "a\u{FFFF}", "\u{FFFD}\u{EFFF}\u{FFFF}b"] {
            assert!(has_noncharacters(text), "{text:?}");
        }
        for text in ["", "\u{FFFD}", "\u{FFFC}\u{10FFFF}", "\u{FFBF}\u{FFBE}", "ï¿½"] {
            assert!(!has_noncharacters(text), "{text:?}");
        }
    }

    #[test]
    fn prints_nothing_of_itself() {
        let payload = Payload::from_body("{\"summary\":\"personal\"}".into()).unwrap();
        assert_eq!(format!("{payload:?}"), "Payload(22 bytes)");
    }
}
