//! The times of events.

use std::ops::Deref;

use atlassian_connect::event::Moment;
use atlassian_connect::event::lenient::Lenient;
use atlassian_connect::event::object::alone;

/// A point in time, as Forge writes it.
///
/// Jira writes the milliseconds since 1970 as a text, where its Connect webhooks have a number.
/// Confluence writes RFC 3339. It dereferences to a [`Moment`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EventTime(Moment);

impl Deref for EventTime {
    type Target = Moment;

    fn deref(&self) -> &Moment {
        &self.0
    }
}

impl Lenient for EventTime {
    const EXPECTED: &'static str = Moment::EXPECTED;

    fn text(text: &str) -> Option<Self> {
        let moment = match text.parse() {
            Ok(milliseconds) => Moment::integer(milliseconds),
            Err(_) => Moment::text(text),
        };
        moment.map(Self)
    }

    fn integer(number: i64) -> Option<Self> {
        Moment::integer(number).map(Self)
    }

    fn number(text: String) -> Option<Self> {
        Moment::number(text).map(Self)
    }
}

alone!(EventTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_milliseconds_as_a_text_and_whatever_a_moment_reads() {
        let expected = "2026-11-23T10:00:00.123Z".parse().ok();
        for json in [
            r#""1795428000123""#,
            "1795428000123",
            r#""2026-11-23T10:00:00.123Z""#,
            r#""2026-11-23T10:00:00.123+0000""#,
        ] {
            let time: EventTime = serde_json::from_str(json).unwrap();
            assert_eq!(time.timestamp(), expected, "{json}");
        }
        let time: EventTime = serde_json::from_str(r#""yesterday""#).unwrap();
        assert_eq!(time.timestamp(), None);
    }
}
