//! One value that is no object and no list, in whichever form it comes.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// A text or a number.
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Integer(i64),
    /// A number that no `i64` holds.
    Number(String),
}

/// Reads a text or a number without a copy in between.
pub(super) fn read<'de, D, T>(
    deserializer: D,
    expecting: &'static str,
    read: impl FnOnce(Scalar<'_>) -> T,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Reader { expecting, read, made: PhantomData })
}

struct Reader<F, T> {
    expecting: &'static str,
    read: F,
    made: PhantomData<T>,
}

impl<F: FnOnce(Scalar<'_>) -> T, T> Visitor<'_> for Reader<F, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok((self.read)(Scalar::Text(text)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok((self.read)(Scalar::Integer(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok((self.read)(match i64::try_from(number) {
            Ok(number) => Scalar::Integer(number),
            Err(_) => Scalar::Number(number.to_string()),
        }))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok((self.read)(Scalar::Number(number.to_string())))
    }
}
