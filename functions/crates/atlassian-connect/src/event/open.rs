//! Objects with fields of which only some are known: the others are kept as they came.

/// Makes an object that reads the listed fields, and keeps every other in `rest`.
///
/// Written out, because serde's `flatten` buffers the object and cannot keep raw JSON. A listed
/// field that is null is as good as absent.
macro_rules! open {
    ($(#[$doc:meta])+ pub struct $Name:ident {
        $($(#[$field_doc:meta])+ $wire:literal => $field:ident: $Type:ty,)*
    }) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Default)]
        #[non_exhaustive]
        pub struct $Name {
            $($(#[$field_doc])+ pub $field: $Type,)*
            /// Every other field, as it came.
            pub rest: $crate::event::Rest,
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;

                impl<'de> serde::de::Visitor<'de> for Reader {
                    type Value = $Name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A>(self, mut map: A) -> Result<$Name, A::Error>
                    where
                        A: serde::de::MapAccess<'de>,
                    {
                        let mut read = $Name::default();
                        while let Some($crate::event::open::Key(key)) = map.next_key()? {
                            match &*key {
                                $($wire => read.$field = map.next_value::<Option<$Type>>()?.unwrap_or_default(),)*
                                _ => read.rest.push(key, map.next_value()?),
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Reader)
            }
        }
    };
}

pub(super) use open;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::moment::Moment;
use super::read::PayloadType;

open! {
    /// An event of which Atlassian documents nothing but the name: its time, and the rest raw.
    ///
    /// Inferred.
    pub struct UnconfirmedEvent {
        /// When it happened.
        "timestamp" => timestamp: Option<Moment>,
    }
}

impl PayloadType for UnconfirmedEvent {}

/// Fields of an object that its type does not list, in their order, as they came.
#[derive(Clone, Default)]
pub struct Rest(Vec<(Box<str>, Box<RawValue>)>);

impl Rest {
    /// The JSON text of a field; the last one if there are several of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        // A list, because every event writes one and few ever look into it.
        self.iter().rev().find(|(field, _)| *field == name).map(|(_, json)| json)
    }

    /// Reads a field as a type of your own; `None` if there is no such field.
    ///
    /// # Errors
    ///
    /// `serde_json`'s, with line and column within the field.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> serde_json::Result<Option<T>> {
        self.get(name).map(serde_json::from_str).transpose()
    }

    /// Names and JSON texts, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (&**name, json.get()))
    }

    pub(super) fn push(&mut self, name: Cow<'_, str>, json: Box<RawValue>) {
        self.0.push((name.into(), json));
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A field's name, borrowed from the text unless it holds an escape.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_other_field_as_it_came() {
        let json =
            r#"{"a": 1.10, "timestamp": null, "b\u0062": [ 1 ], "a": 12345678901234567890123}"#;
        let event: UnconfirmedEvent = serde_json::from_str(json).unwrap();
        assert_eq!(event.timestamp, None);
        let rest: Vec<_> = event.rest.iter().collect();
        assert_eq!(rest, [("a", "1.10"), ("bb", "[ 1 ]"), ("a", "12345678901234567890123")]);
        assert_eq!(event.rest.get("a"), Some("12345678901234567890123"));
        assert_eq!(event.rest.read::<Vec<u8>>("bb").unwrap(), Some(vec![1]));
        assert!(event.rest.read::<bool>("a").is_err());
        assert!(event.rest.read::<bool>("c").unwrap().is_none());
    }
}
