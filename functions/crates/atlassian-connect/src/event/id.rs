//! Identifiers, written as strings or numbers.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::lenient::Lenient;
use super::object::alone;

/// An identifier that Atlassian writes as a string in one place and as a number in another.
///
/// A project's id is a number in `project_created` and a string in an issue; a page's was a number
/// until 2024 and is a string since. Two ids are equal if their texts are: `"10042"` is `10042`.
/// Numbers are whole and have up to 64 bits.
#[derive(Clone, Debug)]
pub struct Id {
    text: Box<str>,
    is_number: bool,
}

impl Id {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it came as a number.
    pub fn is_number(&self) -> bool {
        self.is_number
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialEq<str> for Id {
    fn eq(&self, other: &str) -> bool {
        &*self.text == other
    }
}

impl PartialEq<&str> for Id {
    fn eq(&self, other: &&str) -> bool {
        &*self.text == *other
    }
}

impl Lenient for Id {
    const EXPECTED: &'static str = "an identifier, as a string or a number";

    fn text(text: &str) -> Option<Self> {
        Some(Self { text: text.into(), is_number: false })
    }

    fn integer(number: i64) -> Option<Self> {
        Self::number(number.to_string())
    }

    fn number(text: String) -> Option<Self> {
        Some(Self { text: text.into(), is_number: true })
    }
}

alone!(Id);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_by_text_and_keeps_the_form() {
        let [text, number]: [Id; 2] = serde_json::from_str(r#"["10042", 10042]"#).unwrap();
        assert_eq!(text, number);
        assert_eq!(number, "10042");
        assert_eq!((text.is_number(), number.is_number()), (false, true));
    }

    #[test]
    fn reads_every_64_bit_number_exactly() {
        for number in ["-9223372036854775808", "9223372036854775807", "18446744073709551615", "0"] {
            assert_eq!(serde_json::from_str::<Id>(number).unwrap().to_string(), number);
        }
    }

    #[test]
    fn refuses_what_is_no_identifier() {
        for json in ["{}", "[]", "true", "null"] {
            assert!(serde_json::from_str::<Id>(json).is_err(), "{json}");
        }
    }
}
