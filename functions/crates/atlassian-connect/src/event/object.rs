//! Objects whose optional fields can be missing or malformed.

/// Makes an object type that reads each listed field separately: a field that cannot be read as its
/// type is left out, and the others are read.
///
/// The types decide which fields are required. An `Option`, a list, and an object without required
/// fields are optional; every other type is required. `..extra` keeps the fields that are not
/// listed. `text => …` makes the object from a text in its place.
///
/// Serde's derived code is not used, because it fails at the first malformed field, and its
/// `flatten` buffers the object and cannot keep raw JSON.
#[doc(hidden)]
#[macro_export]
macro_rules! __object {
    (
        $(#[$meta:meta])+ $vis:vis struct $Name:ident {
            $($(#[$field_meta:meta])+ $wire:literal => $field:ident: $Type:ty,)*
            $(..$extra:ident)?
        }
        $($text:ident => $of_text:expr)?
    ) => {
        $(#[$meta])+
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        $vis struct $Name {
            $($(#[$field_meta])+ $vis $field: $Type,)*
            $(/// Every other field, as it came.
            $vis $extra: $crate::event::ExtraFields,)?
        }

        impl $crate::event::lenient::Lenient for $Name {
            const EXPECTED: &'static str = "an object";

            $(fn text($text: &str) -> Option<Self> {
                if $text.is_empty() { None } else { $of_text }
            })?

            fn object<'de, A: serde::de::MapAccess<'de>>(
                mut map: A,
                at: &$crate::event::lenient::At<'_>,
            ) -> Result<Option<Self>, A::Error> {
                $(let mut $field = None;)*
                $(let mut $extra = $crate::event::ExtraFields::default();)?
                while let Some($crate::event::object::Key(key)) = map.next_key()? {
                    match &*key {
                        $($wire => $crate::event::lenient::field(&mut map, at, $wire, &mut $field)?,)*
                        _ => $crate::event::object::other!(map key $($extra)?),
                    }
                }
                $(let Some($field) = $crate::event::lenient::finish($field, at, $wire) else {
                    return Ok(None);
                };)*
                Ok(Some(Self { $($field,)* $($extra,)? }))
            }

            fn absent() -> Option<Self> {
                Some(Self {
                    $($field: $crate::event::lenient::Lenient::absent()?,)*
                    $($extra: $crate::event::ExtraFields::default(),)?
                })
            }
        }

        $crate::event::object::alone!($Name);
    };
}

/// Makes a type readable on its own, and as a part of types that derive their reader.
#[doc(hidden)]
#[macro_export]
macro_rules! __alone {
    ($Name:ident) => {
        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                $crate::event::object::read(json)
            }
        }
    };
}

/// Keeps a field that is not listed, or reads over it.
#[doc(hidden)]
#[macro_export]
macro_rules! __other {
    ($map:ident $key:ident $extra:ident) => {
        $extra.push($key, $map.next_value()?)
    };
    ($map:ident $key:ident) => {
        drop($map.next_value::<serde::de::IgnoredAny>()?)
    };
}

pub use {__alone as alone, __object as object, __other as other};

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::lenient::{Lack, Lenient, Pass, written};
use super::moment::Moment;
use super::read::PayloadType;

object! {
    /// An event of which only the name is documented: its time, and the other fields as raw JSON.
    ///
    /// Inferred.
    #[derive(Default)]
    pub struct UnconfirmedEvent {
        /// When it happened.
        "timestamp" => timestamp: Option<Moment>,
        ..extra
    }
}

impl PayloadType for UnconfirmedEvent {}

/// Reads an object on its own; what is left out of it is not said.
pub fn read<'de, T: Lenient, D: Deserializer<'de>>(json: D) -> Result<T, D::Error> {
    Pass::default().read(json)?.map_err(|Lack { path, problem }| {
        let place = written(&path);
        Error::custom(match problem {
            Ok(name) => format!("missing field `{name}` at {place}"),
            Err(expected) => format!("expected {expected} at {place}"),
        })
    })
}

/// The fields of an object that its type does not list, in their order, as raw JSON.
#[derive(Clone, Default)]
pub struct ExtraFields(Vec<(Box<str>, Box<RawValue>)>);

impl ExtraFields {
    /// The JSON text of a field, the last one if there are several with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        // A list, because every event writes one and few ever look into it.
        self.iter().rev().find(|(field, _)| *field == name).map(|(_, json)| json)
    }

    /// Parses a field as a type of your own. `None` if there is no such field.
    ///
    /// # Errors
    ///
    /// Returns the error of `serde_json`, with line and column within the field.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> serde_json::Result<Option<T>> {
        self.get(name).map(serde_json::from_str).transpose()
    }

    /// The names and JSON texts of all fields, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (&**name, json.get()))
    }

    #[doc(hidden)]
    pub fn push(&mut self, name: Cow<'_, str>, json: Box<RawValue>) {
        self.0.push((name.into(), json));
    }
}

impl fmt::Debug for ExtraFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A field's name, borrowed from the text unless it holds an escape.
pub struct Key<'a>(pub Cow<'a, str>);

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
        let extra: Vec<_> = event.extra.iter().collect();
        assert_eq!(extra, [("a", "1.10"), ("bb", "[ 1 ]"), ("a", "12345678901234567890123")]);
        assert_eq!(event.extra.get("a"), Some("12345678901234567890123"));
        assert_eq!(event.extra.read::<Vec<u8>>("bb").unwrap(), Some(vec![1]));
        assert!(event.extra.read::<bool>("a").is_err());
        assert!(event.extra.read::<bool>("c").unwrap().is_none());
    }
}
