//! The language of CloudFormation templates: its YAML, its intrinsic functions and its names.
//!
//! [`parse()`] reads a template into plain JSON in which every short form is written out, so that
//! every reader has one form to look for: `!Ref Queue` is `{"Ref": "Queue"}` and
//! `!GetAtt Queue.Arn` is `{"Fn::GetAtt": ["Queue", "Arn"]}`. [`Resolver`] then replaces the
//! functions by their values.
//!
//! The names and rules are those of "Intrinsic function reference" and "Pseudo parameters
//! reference" in the AWS CloudFormation Template Reference Guide.

mod conditions;
mod parse;
pub mod pseudo_parameter;
mod resolver;
pub mod resource_type;
mod substitution;

pub use parse::parse;
pub use resolver::Resolver;
pub use substitution::{Part, Unclosed, parts};

use serde_json::{Map, Value};

/// An error in a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The text is not YAML.
    #[error("the template is not valid YAML: {0}")]
    Syntax(Box<serde_saphyr::Error>),
    /// Something in the template is wrong, or is not understood here.
    #[error("{place}: {problem}")]
    Refused {
        /// Where: the path of keys from the top of the template.
        place: String,
        /// What is wrong there and what to do about it.
        problem: String,
    },
}

impl TemplateError {
    /// Refuses what stands at `place`, a path of keys from the top of the template.
    pub fn refused(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Refused { place: place.into(), problem: problem.into() }
    }
}

/// Whether `value` is a call of an intrinsic function.
#[must_use]
pub fn is_intrinsic(value: &Value) -> bool {
    call(value).is_some()
}

/// The properties of a resource merged with those of `Globals`, as SAM does ("Globals section"):
/// maps by key, and lists one after the other. Any other value of the resource replaces the global
/// one.
#[must_use]
pub fn merged(globals: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut all = globals.clone();
    for (key, value) in own {
        let value = match (globals.get(key), value) {
            (Some(global), own) if is_intrinsic(global) || is_intrinsic(own) => own.clone(),
            (Some(Value::Object(global)), Value::Object(own)) => Value::Object(merged(global, own)),
            (Some(Value::Array(global)), Value::Array(own)) => {
                Value::from([global.as_slice(), own].concat())
            }
            (_, own) => own.clone(),
        };
        all.insert(key.clone(), value);
    }
    all
}

/// A top-level section of a template, if it is there.
///
/// # Errors
///
/// Fails if the section is not a map.
pub fn section<'t>(
    template: &'t Value,
    name: &str,
) -> Result<Option<&'t Map<String, Value>>, TemplateError> {
    match template.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(section)) => Ok(Some(section)),
        Some(_) => Err(TemplateError::refused(name, "the section must be a map")),
    }
}

/// The text that CloudFormation makes of a scalar.
///
/// # Errors
///
/// Fails if the value is a list, a map or null.
pub fn plain(place: &str, value: &Value) -> Result<String, TemplateError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Err(TemplateError::refused(place, "the value is missing")),
        Value::Array(_) | Value::Object(_) => {
            Err(TemplateError::refused(place, "a single value is expected, not a list or a map"))
        }
    }
}

/// The function and the argument, if `value` is a call of an intrinsic function.
fn call(value: &Value) -> Option<(&str, &Value)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let (function, argument) = entries.iter().next()?;
    let is_function = function == "Ref"
        || function.starts_with("Fn::")
        // In a policy a `Condition` is a map; as a function its argument is a name.
        || (function == "Condition" && argument.is_string());
    is_function.then_some((function, argument))
}
