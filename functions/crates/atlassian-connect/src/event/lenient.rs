//! Lenient deserialization: a malformed value is left out, and the rest of the document is read.
//!
//! Serde fails for a whole document if one value has the wrong type, and cannot continue after it.
//! So every value is read by a visitor that accepts any type and then returns whether the value was
//! [as expected](Taken). One pass over the text is enough, and nothing is buffered.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::left_out::LeftOut;
use super::object::Key;

/// A type that can be read from a JSON value of any type. Every JSON type that is not a `Self`
/// gives `None`.
pub trait Lenient: Sized {
    /// The expected type, for errors.
    const EXPECTED: &'static str;

    /// Whether a value of this type may be missing from the object that it is a part of.
    const OPTIONAL: bool = false;

    /// Reads a text.
    fn text(_: &str) -> Option<Self> {
        None
    }

    /// Reads `true` or `false`.
    fn truth(_: bool) -> Option<Self> {
        None
    }

    /// Reads a whole number.
    fn integer(_: i64) -> Option<Self> {
        None
    }

    /// Reads a number that no `i64` holds, from its text.
    fn number(_: String) -> Option<Self> {
        None
    }

    /// Reads a list to its end.
    fn list<'de, A: SeqAccess<'de>>(mut list: A, _: &At<'_>) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// Reads an object to its end.
    fn object<'de, A: MapAccess<'de>>(mut map: A, _: &At<'_>) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// The value in place of one that is absent or malformed. `None` if it is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads any value. Fails only if the text is not JSON.
    fn take<'de, D: Deserializer<'de>>(json: D, at: &At<'_>) -> Result<Taken<Self>, D::Error> {
        json.deserialize_any(AnyKind(at, PhantomData))
    }
}

/// The result of reading a value.
#[derive(Debug)]
pub enum Taken<T> {
    /// The value is as expected.
    Value(T),
    /// The value counts as absent: null, or an empty text where no text is expected.
    Null,
    /// The value is malformed, and was skipped.
    Odd,
}

impl<T> Taken<T> {
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Taken<U> {
        match self {
            Self::Value(value) => Taken::Value(make(value)),
            Self::Null => Taken::Null,
            Self::Odd => Taken::Odd,
        }
    }
}

/// A path in a document.
#[derive(Debug)]
pub struct At<'a> {
    above: Option<&'a Self>,
    step: Step,
    depth: usize,
    pass: &'a Pass,
}

/// A segment of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The document.
    Root,
    /// A field of an object.
    Field(&'static str),
    /// An item of a list.
    Item(usize),
}

/// The state of reading a document: the current path, and the paths that were left out.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Whether to read each value from its own text. Then even a value after which serde cannot
    /// continue, such as the number 1e999, is left out alone.
    careful: bool,
    left_out: RefCell<LeftOut>,
    lack: RefCell<Option<Lack>>,
}

/// A required value that is missing.
#[derive(Debug)]
pub struct Lack {
    /// The path of the value with another type, or of the object without the field.
    pub path: Vec<Step>,
    /// The name of the missing field, or the expected type.
    pub problem: Result<&'static str, &'static str>,
}

/// The maximum depth of objects and lists that is read. The limit of serde_json is 128.
const DEEPEST: usize = 100;
/// The maximum depth of an object in objects of its own type. Each level uses stack.
const DEEPEST_BOX: usize = 20;

impl Pass {
    /// Reads a document, or returns what it lacks.
    pub(super) fn read<'de, T: Lenient, D: Deserializer<'de>>(
        &self,
        json: D,
    ) -> Result<Result<T, Lack>, D::Error> {
        let root = At { above: None, step: Step::Root, depth: 0, pass: self };
        if let Taken::Value(value) = T::take(json, &root)? {
            return Ok(Ok(value));
        }
        let lack = self.lack.take();
        Ok(Err(lack.unwrap_or(Lack { path: Vec::new(), problem: Err(T::EXPECTED) })))
    }
}

/// Reads a text that is known to be JSON, and returns what was left out.
pub fn read<T: Lenient>(json: &str, left_out: &mut LeftOut) -> Result<T, Lack> {
    let mut pass = Pass::default();
    let mut read = pass.read(&mut serde_json::Deserializer::from_str(json));
    if read.is_err() {
        pass = Pass { careful: true, ..Pass::default() };
        read = pass.read(&mut serde_json::Deserializer::from_str(json));
    }
    *left_out = pass.left_out.into_inner();
    read.unwrap_or(Err(Lack { path: Vec::new(), problem: Err("JSON") }))
}

/// The position of what a document lacks: line and column, from 1.
pub fn locate(json: &str, lack: &Lack) -> (usize, usize) {
    let seek = Seek { path: &lack.path, to_the_end: lack.problem.is_ok() };
    let sought = seek.deserialize(&mut serde_json::Deserializer::from_str(json));
    sought.map_or_else(|error| (error.line(), error.column()), |()| (1, 1))
}

impl<'a> At<'a> {
    fn below(&'a self, step: Step) -> Self {
        Self { above: Some(self), step, depth: self.depth + 1, pass: self.pass }
    }

    fn path(&self) -> Vec<Step> {
        let mut path = self.above.map(At::path).unwrap_or_default();
        if self.step != Step::Root {
            path.push(self.step);
        }
        path
    }

    /// Records that the value at the current path is left out.
    #[cold]
    fn leave_out(&self) {
        let path = self.path();
        // What was lacking in it is no more than a part of it.
        self.pass.lack.borrow_mut().take_if(|lack| lack.path.starts_with(&path));
        self.pass.left_out.borrow_mut().push(written(&path));
    }

    #[cold]
    fn lacks(&self, problem: Result<&'static str, &'static str>) {
        let lack = || Lack { path: self.path(), problem };
        self.pass.lack.borrow_mut().get_or_insert_with(lack);
    }
}

/// A path as text: `issue.fields.labels[0]`, or `.` for the document itself.
pub fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Root => {}
            Step::Item(number) => text.push_str(&format!("[{number}]")),
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => text.push_str(&format!(".{name}")),
        }
    }
    if text.is_empty() { ".".into() } else { text }
}

/// Reads the next value of an object, the field of this name.
pub fn field<'de, A: MapAccess<'de>, T: Lenient>(
    map: &mut A,
    at: &At<'_>,
    name: &'static str,
    field: &mut Option<T>,
) -> Result<(), A::Error> {
    let at = at.below(Step::Field(name));
    *field = match map.next_value_seed(Seed(&at, PhantomData))? {
        Taken::Value(value) => Some(value),
        Taken::Null => None,
        Taken::Odd => {
            odd::<T>(&at);
            None
        }
    };
    Ok(())
}

#[cold]
fn odd<T: Lenient>(at: &At<'_>) {
    match T::absent() {
        Some(_) => at.leave_out(),
        None => at.lacks(Err(T::EXPECTED)),
    }
}

/// The final value of a field. `None` if it is required and missing.
pub fn finish<T: Lenient>(field: Option<T>, at: &At<'_>, name: &'static str) -> Option<T> {
    match field {
        None if T::OPTIONAL => T::absent(),
        None => missing(at, name),
        field => field,
    }
}

#[cold]
fn missing<T: Lenient>(at: &At<'_>, name: &'static str) -> Option<T> {
    let absent = T::absent();
    if absent.is_none() {
        at.lacks(Ok(name));
    } else if at.depth == 0 {
        // The object that the event is about: its absence is not reported.
        at.below(Step::Field(name)).leave_out();
    }
    absent
}

/// Reads an optional value.
impl<T: Lenient> Lenient for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const OPTIONAL: bool = true;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn take<'de, D: Deserializer<'de>>(json: D, at: &At<'_>) -> Result<Taken<Self>, D::Error> {
        Ok(T::take(json, at)?.map(Some))
    }
}

impl<T: Lenient> Lenient for Box<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const OPTIONAL: bool = T::OPTIONAL;

    fn absent() -> Option<Self> {
        T::absent().map(Self::new)
    }

    fn take<'de, D: Deserializer<'de>>(json: D, at: &At<'_>) -> Result<Taken<Self>, D::Error> {
        if at.depth > DEEPEST_BOX {
            IgnoredAny::deserialize(json)?;
            return Ok(Taken::Odd);
        }
        Ok(T::take(json, at)?.map(Self::new))
    }
}

/// Reads a list, and leaves out malformed items.
impl<T: Lenient> Lenient for Vec<T> {
    const EXPECTED: &'static str = "a list";
    const OPTIONAL: bool = true;

    fn list<'de, A: SeqAccess<'de>>(mut list: A, at: &At<'_>) -> Result<Option<Self>, A::Error> {
        let mut items = Self::new();
        for number in 0.. {
            let at = at.below(Step::Item(number));
            match list.next_element_seed(Seed(&at, PhantomData))? {
                None => break,
                Some(Taken::Value(item)) => items.push(item),
                Some(Taken::Null) => {}
                Some(Taken::Odd) => at.leave_out(),
            }
        }
        Ok(Some(items))
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl Lenient for String {
    const EXPECTED: &'static str = "a string";

    fn text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl Lenient for bool {
    const EXPECTED: &'static str = "true or false";

    fn truth(truth: bool) -> Option<Self> {
        Some(truth)
    }
}

impl Lenient for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn integer(number: i64) -> Option<Self> {
        Some(number)
    }
}

/// Keeps any value as raw JSON.
impl Lenient for Box<RawValue> {
    const EXPECTED: &'static str = "any value";

    fn take<'de, D: Deserializer<'de>>(json: D, _: &At<'_>) -> Result<Taken<Self>, D::Error> {
        Ok(Option::deserialize(json)?.map_or(Taken::Null, Taken::Value))
    }
}

/// Reads one value of a document, at any path.
struct Seed<'a, T>(&'a At<'a>, PhantomData<T>);

impl<'de, T: Lenient> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = Taken<T>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Taken<T>, D::Error> {
        let Self(at, _) = self;
        if at.depth > DEEPEST {
            IgnoredAny::deserialize(json)?;
            return Ok(Taken::Odd);
        }
        if at.pass.careful {
            let json = <&RawValue>::deserialize(json)?.get();
            let taken = T::take(&mut serde_json::Deserializer::from_str(json), at);
            return Ok(taken.unwrap_or(Taken::Odd));
        }
        T::take(json, at)
    }
}

/// A visitor that accepts a value of any type.
struct AnyKind<'a, T>(&'a At<'a>, PhantomData<T>);

impl<T> AnyKind<'_, T> {
    fn taken(value: Option<T>) -> Taken<T> {
        value.map_or(Taken::Odd, Taken::Value)
    }
}

impl<'de, T: Lenient> Visitor<'de> for AnyKind<'_, T> {
    type Value = Taken<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: Error>(self) -> Result<Taken<T>, E> {
        Ok(Taken::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Taken<T>, E> {
        Ok(Self::taken(T::truth(truth)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Taken<T>, E> {
        Ok(Self::taken(T::integer(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Taken<T>, E> {
        Ok(Self::taken(match i64::try_from(number) {
            Ok(number) => T::integer(number),
            Err(_) => T::number(number.to_string()),
        }))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Taken<T>, E> {
        Ok(Self::taken(T::number(number.to_string())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Taken<T>, E> {
        Ok(match T::text(text) {
            None if text.is_empty() => Taken::Null,
            value => Self::taken(value),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Taken<T>, A::Error> {
        Ok(Self::taken(T::list(list, self.0)?))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Taken<T>, A::Error> {
        Ok(Self::taken(T::object(map, self.0)?))
    }
}

/// Follows a path and fails at its end, so that `serde_json` reports the position.
struct Seek<'a> {
    path: &'a [Step],
    /// Whether it fails after the object at the path, rather than before it.
    to_the_end: bool,
}

impl Seek<'_> {
    fn below(&self) -> Self {
        Self { path: &self.path[1..], ..*self }
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

/// Every other type is an error.
impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(Step::Item(wanted)) = self.path.first() else { return Err(end()) };
        for _ in 0..*wanted {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(self.below())?;
        Err(end())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let wanted = self.path.first();
        if wanted.is_none() && !self.to_the_end {
            return Err(end());
        }
        while let Some(Key(key)) = map.next_key()? {
            match wanted {
                Some(Step::Field(name)) if *name == key => map.next_value_seed(self.below())?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Err(end())
    }
}

fn end<E: Error>() -> E {
    E::custom("here")
}
