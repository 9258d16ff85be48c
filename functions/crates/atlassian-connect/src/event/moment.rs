//! Dates and times in every format that Atlassian writes.

use jiff::Timestamp;
use jiff::civil;

use super::lenient::Lenient;
use super::object::alone;

/// A point in time, or the text of one that cannot be parsed.
///
/// Atlassian writes milliseconds since 1970 (`1795428000123`), ISO 8601 with an offset that has no
/// colon (`2026-11-23T10:00:00.000+0000`), RFC 3339, and sometimes a format of the site's locale.
/// An event should not be lost because of an unexpected format, so any text or number is accepted,
/// and [`Moment::timestamp`] returns the time if it is one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Moment {
    /// A point in time. The offset it was written with is in the raw payload.
    At(Timestamp),
    /// Any other text, as it came. Empty if there is no time.
    Text(Box<str>),
}

impl Moment {
    /// The point in time, or `None` if it could not be parsed.
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

/// A day without a time, or the text of one that cannot be parsed.
///
/// Atlassian writes `2026-11-23`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Day {
    /// A day.
    On(civil::Date),
    /// Any other text, as it came.
    Text(Box<str>),
}

impl Day {
    /// The day, or `None` if it could not be parsed.
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
