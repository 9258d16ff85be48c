//! Templates as plain JSON, every short form written out.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Tagged;

use crate::TemplateError;

/// Reads a template and writes out its short forms.
///
/// # Errors
///
/// Fails if `yaml` is not one YAML document whose keys are strings and appear once.
pub fn parse(yaml: &str) -> Result<Value, TemplateError> {
    // Only `true` and `false` are booleans, as in JSON: a variable with the value `on` stays text.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options::<Node>(yaml, options)
        .map(|node| node.0)
        .map_err(|error| TemplateError::Syntax(Box::new(error)))
}

/// A node of the YAML tree, on its way to plain JSON.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::deserialize(deserializer)?;
        // Tags with a name of YAML's own (`!!str`) are done with once the value is read.
        let Some(name) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else {
            return Ok(Self(value));
        };
        let (function, argument) = match (name, value) {
            ("Ref" | "Condition", value) => (name.to_owned(), value),
            ("GetAtt", Value::String(path)) => {
                let parts = path.splitn(2, '.').collect::<Vec<_>>();
                ("Fn::GetAtt".to_owned(), Value::from(parts))
            }
            (name, value) => (format!("Fn::{name}"), value),
        };
        Ok(Self(Value::Object(Map::from_iter([(function, argument)]))))
    }
}

/// A node without its tag.
struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntaggedVisitor).map(Self)
    }
}

struct UntaggedVisitor;

impl<'de> Visitor<'de> for UntaggedVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of a template")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a template has no number for infinity or NaN"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Node(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some((key, Node(value))) = mapping.next_entry::<String, Node>()? {
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` appears twice")));
            }
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_out_every_short_form() {
        let template = parse(
            "a: !Ref Queue\n\
             b: !GetAtt Queue.Arn\n\
             c: !GetAtt Nested.Outputs.Arn\n\
             d: !Sub ['${x}', { x: !Ref Queue }]\n\
             e: !If [Production, !Ref AWS::NoValue, 5]\n\
             f: { 'Fn::GetAtt': [Queue, Arn] }\n\
             g: !Not [!Condition Production]\n\
             h: !Join\n\
             \x20 - ','\n\
             \x20 - [!Ref Queue, b]\n",
        )
        .unwrap();

        assert_eq!(
            template,
            json!({
                "a": {"Ref": "Queue"},
                "b": {"Fn::GetAtt": ["Queue", "Arn"]},
                "c": {"Fn::GetAtt": ["Nested", "Outputs.Arn"]},
                "d": {"Fn::Sub": ["${x}", {"x": {"Ref": "Queue"}}]},
                "e": {"Fn::If": ["Production", {"Ref": "AWS::NoValue"}, 5]},
                "f": {"Fn::GetAtt": ["Queue", "Arn"]},
                "g": {"Fn::Not": [{"Condition": "Production"}]},
                "h": {"Fn::Join": [",", [{"Ref": "Queue"}, "b"]]},
            })
        );
    }

    #[test]
    fn keeps_the_types_of_plain_values() {
        let template = parse(
            "version: \"2010-09-09\"\ndate: 2010-09-09\nflag: true\nword: on\nminus: -1\n\
             half: 0.5\nnothing:\ntext: !!str 5\nstage: $default\n",
        )
        .unwrap();

        assert_eq!(
            template,
            json!({
                "version": "2010-09-09", "date": "2010-09-09", "flag": true, "word": "on",
                "minus": -1, "half": 0.5, "nothing": null, "text": "5", "stage": "$default",
            })
        );
    }

    #[test]
    fn refuses_a_key_that_appears_twice() {
        let error = parse("Resources:\n  A: 1\n  A: 2\n").unwrap_err();

        assert!(matches!(error, TemplateError::Syntax(_)), "{error:?}");
    }
}
