//! Enums of words, to which Atlassian may add new ones.

/// Makes an enum of words. Deserializing never fails: an unknown word is kept.
#[doc(hidden)]
#[macro_export]
macro_rules! __string_enum {
    ($(#[$doc:meta])+ pub enum $Name:ident { $($word:literal => $Word:ident,)+ }) => {
        $(#[$doc])+
        ///
        /// An unknown word is kept, and [`as_str`](Self::as_str) returns it.
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum $Name {
            $( #[doc = concat!("`", $word, "`")] $Word, )+
            #[doc(hidden)]
            _Other($crate::event::string_enum::OtherWord),
        }

        impl $Name {
            /// The word as Atlassian writes it.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$Word => $word,)+ Self::_Other(word) => word.as_str() }
            }
        }

        impl From<&str> for $Name {
            fn from(word: &str) -> Self {
                match word { $($word => Self::$Word,)+ _ => Self::_Other(word.into()) }
            }
        }

        impl $crate::event::lenient::Lenient for $Name {
            const EXPECTED: &'static str = "a word";

            fn text(word: &str) -> Option<Self> {
                Some(Self::from(word))
            }

            fn integer(number: i64) -> Option<Self> {
                Self::number(number.to_string())
            }

            fn number(text: String) -> Option<Self> {
                Some(Self::from(text.as_str()))
            }
        }

        $crate::event::object::alone!($Name);
    };
}

pub use __string_enum as string_enum;

string_enum! {
    /// The type of an account.
    ///
    /// Jira Cloud platform REST API, "Users"; in Confluence `customer` is what every person has.
    pub enum AccountType {
        "app" => App,
        "atlassian" => Atlassian,
        "customer" => Customer,
    }
}

/// An unknown word. It can only be deserialized, not constructed.
#[doc(hidden)]
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OtherWord(Box<str>);

impl OtherWord {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for OtherWord {
    fn from(word: &str) -> Self {
        Self(word.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_an_unknown_word() {
        let [app, other]: [AccountType; 2] = serde_json::from_str(r#"["app", "robot"]"#).unwrap();
        assert_eq!(app, AccountType::App);
        assert_eq!(other.as_str(), "robot");
        assert_eq!(other, AccountType::from("robot"));
    }
}
