//! Reading payloads as their types. Errors name the path of a value, and never the value.

use serde::de::DeserializeOwned;

use super::left_out::LeftOut;
use super::lenient::{self, Lenient, written};
use super::{Event, EventName, Product, TABLE};
use crate::lifecycle::Callback;
use crate::payload::Payload;

/// The types that a delivery's payload can be read as.
///
/// | type | takes | links |
/// |---|---|---|
/// | `()` | every payload, unread | nothing |
/// | a [`PayloadType`], such as [`jira::IssueEvent`](super::jira::IssueEvent) | the events that carry it | its own reader |
/// | [`jira::Event`](super::jira::Event), [`confluence::Event`](super::confluence::Event) | the events of one product | the readers of the product |
/// | [`LifecycleEvent`](super::LifecycleEvent) | lifecycle callbacks | its own reader |
/// | [`Event`] | every event | every reader |
pub trait FromPayload: Sized {
    /// Reads the payload of an event, and sets `reading` to the outcome. The type `()` reads
    /// nothing and leaves it unchanged.
    ///
    /// # Errors
    ///
    /// Returns [`Unreadable`] if the payload cannot be read as this type. For an enum of events, an
    /// unknown event is not an error.
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
        reading: &mut Reading,
    ) -> Result<Self, Unreadable>;
}

/// A payload type: the type of the payload of one or more events.
pub trait PayloadType: Lenient + DeserializeOwned + 'static {}

/// Why a payload cannot be read as a type.
///
/// The error contains names of fields, but never quotes a value, which a user may have written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The body lacks what the payload type needs.
    #[error(
        "the body of {event} from {product} is not a valid {payload}: {problem} at {path}, line {line}, \
         column {column}; take an untyped `Delivery` to read such bodies yourself"
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
        /// The path: the names of fields and the indices of items, from the outside in.
        path: Box<str>,
        /// Where in the text, from 1.
        line: usize,
        /// Where in the text, from 1.
        column: usize,
    },
    /// There is no body.
    #[error(
        "{event} from {product} has no body; remove `excludeBody` from its webhook in the descriptor, \
         or take an untyped `Delivery`"
    )]
    Empty {
        /// The product that sent it.
        product: Product,
        /// The event.
        event: EventName,
    },
    /// The event has another payload type.
    #[error(
        "this handler takes {takes}, not {event} from {product}; correct its parameter type or its URL"
    )]
    OtherEvent {
        /// The product that sent it.
        product: Product,
        /// The event.
        event: EventName,
        /// The events that have the requested type.
        takes: Box<str>,
    },
}

/// How well a payload could be read as the type that a handler takes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Reading {
    /// It has not been read: receivers read no payloads, and a handler that takes a plain delivery
    /// reads it itself.
    #[default]
    Unread,
    /// It was read as the payload type of its event, or there is no body.
    Read,
    /// It was read as the payload type of its event, without the fields at these paths. They are as
    /// if they were absent.
    Partly(LeftOut),
    /// It could not be read: the body lacks what the payload type needs. With the reason.
    Unreadable(Box<str>),
    /// It could not be read: the event is unknown.
    Unknown,
}

impl Reading {
    /// The reading of a payload before anyone has read it: [`Reading::Unread`], or
    /// [`Reading::Unknown`] if nobody can.
    pub fn before(product: Product, event: &EventName) -> Self {
        let is_known = event.spec(product).is_some() || Callback::parse(event.as_str()).is_some();
        if is_known { Self::Unread } else { Self::Unknown }
    }

    /// Tries to read a payload as the payload type of its event. It links every reader.
    pub fn of(product: Product, event: &EventName, payload: &Payload) -> Self {
        if Self::before(product, event) == Self::Unknown {
            return Self::Unknown;
        }
        let mut reading = Self::Read;
        match Event::from_payload(product, event, payload, &mut reading) {
            Ok(_) | Err(Unreadable::Empty { .. }) => reading,
            Err(unreadable) => Self::Unreadable(unreadable.to_string().into()),
        }
    }

    /// The word for this reading in logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Read => "read",
            Self::Partly(_) => "partly",
            Self::Unreadable(_) => "unreadable",
            Self::Unknown => "unknown",
        }
    }

    /// The paths that were left out, if any.
    pub fn left_out(&self) -> Option<&LeftOut> {
        match self {
            Self::Partly(left_out) => Some(left_out),
            _ => None,
        }
    }

    /// The reason why the payload could not be read, if there is one.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Unreadable(detail) => Some(detail),
            _ => None,
        }
    }
}

impl FromPayload for () {
    fn from_payload(
        _: Product,
        _: &EventName,
        _: &Payload,
        _: &mut Reading,
    ) -> Result<Self, Unreadable> {
        Ok(())
    }
}

impl<T: PayloadType> FromPayload for T {
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
        reading: &mut Reading,
    ) -> Result<Self, Unreadable> {
        if let Some(line) = event.spec(product).filter(|line| line.carries::<T>()) {
            return decode(line.payload, product, event, payload, reading);
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

    /// For an event of a product whose events have no types.
    pub(super) fn untyped(product: Product, event: &EventName) -> Self {
        let takes = "events from jira and confluence".into();
        Self::OtherEvent { product, event: event.clone(), takes }
    }
}

/// Reads a payload as a type, whose name is for the error.
pub fn decode<T: Lenient>(
    name: &'static str,
    product: Product,
    event: &EventName,
    payload: &Payload,
    reading: &mut Reading,
) -> Result<T, Unreadable> {
    if payload.as_str().is_empty() {
        return Err(Unreadable::Empty { product, event: event.clone() });
    }
    let json = payload.text();
    let mut left_out = LeftOut::default();
    let value = lenient::read(json, &mut left_out).map_err(|lack| {
        let (line, column) = lenient::locate(json, &lack);
        Unreadable::Form {
            product,
            event: event.clone(),
            payload: name,
            problem: match lack.problem {
                Ok(name) => format!("missing field `{name}`"),
                Err(expected) => format!("expected {expected}"),
            }
            .into(),
            path: written(&lack.path).into(),
            line,
            column,
        }
    })?;
    *reading = if left_out.is_empty() { Reading::Read } else { Reading::Partly(left_out) };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::jira::IssueEvent;
    use super::super::{confluence, jira};
    use super::*;

    fn read<T: FromPayload>(product: Product, event: &str, body: &str) -> Result<T, Unreadable> {
        let payload = Payload::from_body(body.into()).unwrap();
        T::from_payload(product, &event.into(), &payload, &mut Reading::Read)
    }

    fn refused<T: FromPayload>(product: Product, event: &str, body: &str) -> String {
        read::<T>(product, event, body).err().expect("it is unreadable").to_string()
    }

    #[test]
    fn reports_the_position_and_never_the_value() {
        let rows = [
            (
                "{\"issue\":{\n \"id\":\"1\",\"key\":[\"s3cr3t\"]}}",
                "expected a string at issue.key, line 2, column 17",
            ),
            (r#"{"issue":{"id":"1"}}"#, "missing field `key` at issue, line 1, column 19"),
            (
                r#"{"issue":{"id":null,"key":"s3cr3t"}}"#,
                "missing field `id` at issue, line 1, column 35",
            ),
            (
                r#"{"user":7,"issue":"a, expected s3cr3t"}"#,
                "expected an object at issue, line 1, column 38",
            ),
            (r#"{"user":7}"#, "missing field `issue` at ., line 1, column 10"),
            (r#""s3cr3t""#, "expected an object at ., line 1, column 8"),
            ("null", "expected an object at ., line 1, column 4"),
        ];
        for (body, expected) in rows {
            for error in [
                refused::<IssueEvent>(Product::Jira, "jira:issue_created", body),
                refused::<Event>(Product::Jira, "jira:issue_created", body),
            ] {
                assert!(
                    error.starts_with(
                        "the body of jira:issue_created from jira is not a valid IssueEvent: "
                    ),
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
    fn keeps_the_outcomes_apart() {
        let rows = [
            ("jira:issue_created", r#"{"issue":{"id":"1","key":"D-1"}}"#, "read"),
            ("jira:issue_created", "", "read"),
            ("jira:issue_created", r#"{"issue":{"id":"1","key":"D-1"},"user":7}"#, "partly"),
            ("jira:issue_created", r#"{"issue":7}"#, "unreadable"),
            ("jira:issue_teleported", r#"{"issue":7}"#, "unknown"),
            ("page_created", "{}", "unknown"),
        ];
        for (event, body, expected) in rows {
            let payload = Payload::from_body(body.into()).unwrap();
            let reading = Reading::of(Product::Jira, &event.into(), &payload);
            assert_eq!(reading.as_str(), expected, "{event} {body}");
            assert_eq!(reading.detail().is_some(), expected == "unreadable");
            assert_eq!(reading.left_out().is_some(), expected == "partly");
            let before = Reading::before(Product::Jira, &event.into());
            assert_eq!(before == Reading::Unknown, reading == Reading::Unknown, "{event}");
        }
    }

    #[test]
    fn asks_for_a_body_where_there_is_none() {
        let error = refused::<IssueEvent>(Product::Jira, "jira:issue_created", "");
        assert!(error.contains("excludeBody"), "{error}");
        read::<()>(Product::Jira, "jira:issue_created", "").unwrap();
    }
}
