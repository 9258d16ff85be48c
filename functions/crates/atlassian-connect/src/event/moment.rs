//! Dates and times, in every form that Atlassian writes.

use jiff::Timestamp;
use jiff::civil;

use super::lenient::Lenient;
use super::object::alone;

/// A point in time; kept as text where it cannot be read as one.
///
/// Atlassian writes milliseconds since 1970 (`1795428000123`), ISO 8601 with an offset that has no
/// colon (`2026-11-23T10:00:00.000+0000`), RFC 3339, and, in places, what suits the locale of the
/// site. No handler should lose an event over a form that nobody foresaw, so reading a text or a
/// number always works, and [`Moment::timestamp`] says whether it is a time.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Moment {
    /// A point in time. The offset it was written with is in the raw payload.
    At(Timestamp),
    /// Anything else, as it came; empty for a time that does not exist.
    Text(Box<str>),
}

impl Moment {
    /// The point in time; `None` for a text that is none.
    pub fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::At(timestamp) => Some(*timestamp),
            Self::Text(_) => None,
        }
    }
}

impl Lenient for Moment {
    const EXPECTED: &'static str = "a time, as text or in milliseconds";

    fn text(text: &str) -> Option<Self> {
        Some(text.parse().map_or_else(|_| Self::Text(text.into()), Self::At))
    }

    fn integer(number: i64) -> Option<Self> {
        Some(
            Timestamp::from_millisecond(number)
                .map_or_else(|_| Self::Text(number.to_string().into()), Self::At),
        )
    }

    fn number(text: String) -> Option<Self> {
        Some(Self::Text(text.into()))
    }
}

alone!(Moment);

/// A day without a time; kept as text where it cannot be read as one.
///
/// Atlassian writes `2026-11-23`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Day {
    /// A day.
    On(civil::Date),
    /// Anything else, as it came.
    Text(Box<str>),
}

impl Day {
    /// The day; `None` for a text that is none.
    pub fn date(&self) -> Option<civil::Date> {
        match self {
            Self::On(date) => Some(*date),
            Self::Text(_) => None,
        }
    }
}

impl Lenient for Day {
    const EXPECTED: &'static str = "a day, as text";

    fn text(text: &str) -> Option<Self> {
        Some(text.parse().map_or_else(|_| Self::Text(text.into()), Self::On))
    }

    fn integer(number: i64) -> Option<Self> {
        Self::number(number.to_string())
    }

    fn number(text: String) -> Option<Self> {
        Some(Self::Text(text.into()))
    }
}

alone!(Day);

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(json: &str) -> Moment {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_every_form_of_a_time() {
        let expected = Moment::At("2026-11-23T10:00:00.123Z".parse().unwrap());
        for json in [
            "1795428000123",
            r#""2026-11-23T10:00:00.123Z""#,
            r#""2026-11-23T10:00:00.123+0000""#,
            r#""2026-11-23T15:30:00.123+0530""#,
            r#""2026-11-23T05:00:00.123-05:00""#,
        ] {
            assert_eq!(moment(json), expected, "{json}");
        }
    }

    #[test]
    fn keeps_a_time_that_it_cannot_read() {
        for (json, text) in [
            (r#""09/Sep/20""#, "09/Sep/20"),
            (r#""""#, ""),
            (r#""2026-11-23T10:00:00""#, "2026-11-23T10:00:00"),
            ("9223372036854775807", "9223372036854775807"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(moment(json), Moment::Text(text.into()), "{json}");
            assert_eq!(moment(json).timestamp(), None);
        }
    }

    #[test]
    fn reads_a_day_and_keeps_what_is_none() {
        let day: Day = serde_json::from_str(r#""2026-11-23""#).unwrap();
        assert_eq!(day.date(), Some(civil::date(2026, 11, 23)));
        let day: Day = serde_json::from_str(r#""23/Nov/26""#).unwrap();
        assert_eq!(day, Day::Text("23/Nov/26".into()));
    }
}
