//! From a payload to its type, with errors that tell where and never what.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Event, EventName, Product, TABLE};
use crate::delivery::Payload;

/// What a delivery's payload can be read as.
///
/// | type | takes | links |
/// |---|---|---|
/// | `()` | every payload, unread | nothing |
/// | a [`PayloadType`], such as [`jira::IssueEvent`](super::jira::IssueEvent) | the events that carry it | its own reader |
/// | [`jira::Event`](super::jira::Event), [`confluence::Event`](super::confluence::Event) | the events of one product | the readers of the product |
/// | [`Event`] | every event | every reader |
pub trait FromPayload: Sized {
    /// Reads the payload of this event of this product.
    ///
    /// # Errors
    ///
    /// [`Unreadable`]. An event that is not in the tables is no error for an enum of events.
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
    ) -> Result<Self, Unreadable>;
}

/// A type in the tables: what one or more events carry.
pub trait PayloadType: DeserializeOwned + 'static {}

/// A payload that cannot be read as what was asked for.
///
/// It never quotes the payload, which holds what people wrote; names of fields it does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The body has another form than the payload type.
    #[error(
        "the body of {event} from {product} is no {payload}: {problem} at {path}, line {line}, \
         column {column}; take an untyped delivery to read such bodies yourself"
    )]
    Form {
        /// The product that sent it.
        product: Product,
        /// The event.
        event: EventName,
        /// The name of the payload type.
        payload: &'static str,
        /// What is wrong, without the value.
        problem: Box<str>,
        /// Where: the names of the fields and the numbers of the items, from the outside in.
        path: Box<str>,
        /// Where in the text, from 1.
        line: usize,
        /// Where in the text, from 1.
        column: usize,
    },
    /// There is no body.
    #[error(
        "{event} from {product} came without a body; remove `excludeBody` from its webhook in the \
         descriptor, or take an untyped delivery"
    )]
    Empty {
        /// The product that sent it.
        product: Product,
        /// The event.
        event: EventName,
    },
    /// Another event carries what was asked for.
    #[error("{event} from {product} is not for this handler, which takes {takes}")]
    OtherEvent {
        /// The product that sent it.
        product: Product,
        /// The event.
        event: EventName,
        /// What the type that was asked for takes.
        takes: Box<str>,
    },
}

/// Whether the receiver could read a payload. It takes the event in any case.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// As the payload type of its event; or there is no body to read.
    #[default]
    Read,
    /// The event is known, and its body has another form than its payload type.
    Unreadable,
    /// Nobody knows the event.
    Unknown,
}

impl Reading {
    /// Tries to read a payload as what its event carries, and says how it went; and why not, for
    /// the operator.
    pub fn of(
        product: Product,
        event: &EventName,
        payload: &Payload,
    ) -> (Self, Option<Unreadable>) {
        if event.line(product).is_none() {
            return (Self::Unknown, None);
        }
        match Event::from_payload(product, event, payload) {
            Ok(_) | Err(Unreadable::Empty { .. }) => (Self::Read, None),
            Err(unreadable) => (Self::Unreadable, Some(unreadable)),
        }
    }

    /// The word that the delivery and the logs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

impl FromPayload for () {
    fn from_payload(_: Product, _: &EventName, _: &Payload) -> Result<Self, Unreadable> {
        Ok(())
    }
}

impl<T: PayloadType> FromPayload for T {
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
    ) -> Result<Self, Unreadable> {
        if event.line(product).is_some_and(|line| line.carries::<T>()) {
            return decode(product, event, payload);
        }
        let carriers = TABLE.iter().filter(|line| line.carries::<T>());
        let takes: Vec<_> = carriers.map(|l| format!("{} from {}", l.event, l.product)).collect();
        Err(Unreadable::OtherEvent {
            product,
            event: event.clone(),
            takes: takes.join(", ").into(),
        })
    }
}

impl Unreadable {
    pub(super) fn product(product: Product, event: &EventName, takes: Product) -> Self {
        let takes = format!("every event from {takes}").into();
        Self::OtherEvent { product, event: event.clone(), takes }
    }
}

/// Reads a payload whose type is known to be the event's.
pub(super) fn decode<T: PayloadType>(
    product: Product,
    event: &EventName,
    payload: &Payload,
) -> Result<T, Unreadable> {
    let json = payload.as_str();
    if json.is_empty() {
        return Err(Unreadable::Empty { product, event: event.clone() });
    }
    // To follow the path costs two thirds more, so it is followed when something is wrong.
    serde_json::from_str(json).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let path = serde_path_to_error::deserialize::<_, T>(&mut deserializer)
            .map_or_else(|error| error.path().to_string(), |_| ".".into());
        Unreadable::Form {
            product,
            event: event.clone(),
            payload: event.line(product).map_or("payload", |line| line.payload),
            problem: problem(&error).into(),
            path: path.into(),
            line: error.line(),
            column: error.column(),
        }
    })
}

/// What an error of `serde_json` says, without the value that it quotes.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    if text.starts_with("missing field `") || text.starts_with("duplicate field `") {
        return text.into();
    }
    // What was expected stands last, after whatever the value is.
    match text.rsplit_once(", expected ") {
        Some((_, expected)) if text.starts_with("invalid ") => format!("expected {expected}"),
        _ => "malformed JSON".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::jira::IssueEvent;
    use super::super::{confluence, jira};
    use super::*;

    fn read<T: FromPayload>(product: Product, event: &str, body: &str) -> Result<T, Unreadable> {
        T::from_payload(product, &event.into(), &Payload::from_body(body.into()).unwrap())
    }

    fn refused<T: FromPayload>(product: Product, event: &str, body: &str) -> String {
        read::<T>(product, event, body).err().expect("it is unreadable").to_string()
    }

    #[test]
    fn says_where_and_never_what() {
        let rows = [
            (
                "{\"issue\":{\n \"id\":\"1\",\"key\":[\"s3cr3t\"]}}",
                "expected a string at issue.key, line 2, column 16",
            ),
            (r#"{"issue":{"id":"1"}}"#, "missing field `key` at issue, line 1, column 19"),
            (
                r#"{"issue":"a, expected s3cr3t"}"#,
                "expected struct Issue at issue, line 1, column 29",
            ),
            (
                r#"{"issue":{"id":"1","key":"D-1","fields":{"labels":[{"s3cr3t":1}]}}}"#,
                "expected a string at issue.fields.labels[0], line 1, column 51",
            ),
            (
                r#"{"issue":{"id":"1","key":"D-1","fields":{"votes":{"votes":"s3cr3t at line 1 column 1"}}}}"#,
                "expected i64 at issue.fields.votes.votes, line 1, column 85",
            ),
            (r#""s3cr3t""#, "expected struct IssueEvent at ., line 1, column 8"),
            ("null", "expected struct IssueEvent at ., line 1, column 4"),
        ];
        for (body, expected) in rows {
            for error in [
                refused::<IssueEvent>(Product::Jira, "jira:issue_created", body),
                refused::<Event>(Product::Jira, "jira:issue_created", body),
            ] {
                assert!(
                    error
                        .starts_with("the body of jira:issue_created from jira is no IssueEvent: "),
                    "{error}"
                );
                assert!(error.contains(expected), "{error}, not {expected}");
                assert!(!error.contains("s3cr3t"), "{error}");
            }
        }
    }

    #[test]
    fn refuses_an_event_that_carries_something_else() {
        let error = refused::<jira::SprintEvent>(Product::Jira, "jira:issue_created", "{}");
        assert!(
            error.contains("takes sprint_closed from jira, sprint_created from jira"),
            "{error}"
        );
        for (product, event) in [(Product::Confluence, "comment_created"), (Product::Jira, "new")] {
            refused::<jira::CommentEvent>(product, event, r#"{"comment":{"id":"1"}}"#);
        }
        read::<jira::CommentEvent>(Product::Jira, "comment_created", r#"{"comment":{"id":"1"}}"#)
            .unwrap();
        read::<confluence::CommentEvent>(
            Product::Confluence,
            "comment_created",
            r#"{"comment":{"id":1}}"#,
        )
        .unwrap();
        refused::<jira::Event>(Product::Confluence, "page_created", "{}");
    }

    #[test]
    fn tells_an_unknown_event_from_an_unreadable_one() {
        let event: Event = read(Product::Jira, "jira:issue_teleported", "{}").unwrap();
        assert!(
            matches!(&event, Event::Jira(jira::Event::Unknown(name)) if name.as_str() == "jira:issue_teleported")
        );
        let event: Event = read(Product::Jira, "page_created", "{}").unwrap();
        assert_eq!(event.name(), EventName::PageCreated);
        assert!(matches!(event, Event::Jira(jira::Event::Unknown(_))));
    }

    #[test]
    fn keeps_the_three_outcomes_apart() {
        let rows = [
            ("jira:issue_created", r#"{"issue":{"id":"1","key":"D-1"}}"#, Reading::Read),
            ("jira:issue_created", "", Reading::Read),
            ("jira:issue_created", r#"{"issue":7}"#, Reading::Unreadable),
            ("jira:issue_teleported", r#"{"issue":7}"#, Reading::Unknown),
            ("page_created", "{}", Reading::Unknown),
        ];
        for (event, body, expected) in rows {
            let payload = Payload::from_body(body.into()).unwrap();
            let (reading, why) = Reading::of(Product::Jira, &event.into(), &payload);
            assert_eq!(reading, expected, "{event} {body}");
            assert_eq!(why.is_some(), reading == Reading::Unreadable);
        }
    }

    #[test]
    fn asks_for_a_body_where_there_is_none() {
        let error = refused::<IssueEvent>(Product::Jira, "jira:issue_created", "");
        assert!(error.contains("excludeBody"), "{error}");
        read::<()>(Product::Jira, "jira:issue_created", "").unwrap();
    }
}
