//! The language of CloudFormation templates: its YAML and its intrinsic functions.
//!
//! [`parse`] reads a template into plain JSON in which every short form is written out, so that
//! whoever looks at a template has one form to look for: `!Ref Queue` is `{"Ref": "Queue"}` and
//! `!GetAtt Queue.Arn` is `{"Fn::GetAtt": ["Queue", "Arn"]}`. [`Resolver`] then replaces the
//! functions by their values.
//!
//! The names and rules are those of "Intrinsic function reference" and "Pseudo parameters
//! reference" in the AWS CloudFormation Template Reference Guide.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Tagged;

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The text is not YAML.
    #[error("the template is not valid YAML")]
    Syntax(#[source] Box<serde_saphyr::Error>),
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

/// Whether `value` is a call of an intrinsic function.
#[must_use]
pub fn is_intrinsic(value: &Value) -> bool {
    call(value).is_some()
}

/// Replaces intrinsic functions by their values.
///
/// Knows the template's parameters and conditions, and the pseudo parameters it was given. What a
/// `Ref` or `Fn::GetAtt` of a resource means depends on the resource's type, so the reader of the
/// resources tells it: [`define`](Self::define), [`define_attribute`](Self::define_attribute).
#[derive(Debug)]
pub struct Resolver {
    references: BTreeMap<String, Value>,
    attributes: BTreeMap<(String, String), String>,
    conditions: BTreeMap<String, bool>,
}

impl Resolver {
    /// Takes the parameters and conditions of a template as [`parse`] returned it.
    ///
    /// `pseudo` are the pseudo parameters (`AWS::Region`, …); `values` replace the defaults of the
    /// template's parameters.
    ///
    /// # Errors
    ///
    /// Fails if a value names no parameter or is not an allowed one, if a parameter has neither a
    /// value nor a default or is of a type that is looked up in AWS, or if a condition is wrong.
    pub fn new(
        template: &Value,
        pseudo: &[(&str, &str)],
        values: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let mut references = parameters(template, values)?;
        for (name, value) in pseudo {
            references.insert((*name).to_owned(), Value::from(*value));
        }
        let mut resolver =
            Self { references, attributes: BTreeMap::new(), conditions: BTreeMap::new() };
        if let Some(conditions) = section(template, "Conditions")? {
            for name in conditions.keys() {
                let holds = resolver.named_condition(conditions, name, &mut Vec::new())?;
                resolver.conditions.insert(name.clone(), holds);
            }
        }
        Ok(resolver)
    }

    /// Says what `Ref` of a resource is.
    pub fn define(&mut self, logical_id: &str, value: impl Into<String>) {
        self.references.insert(logical_id.to_owned(), Value::from(value.into()));
    }

    /// Says what `Fn::GetAtt` of an attribute of a resource is.
    pub fn define_attribute(
        &mut self,
        logical_id: &str,
        attribute: &str,
        value: impl Into<String>,
    ) {
        self.attributes.insert((logical_id.to_owned(), attribute.to_owned()), value.into());
    }

    /// Whether a condition of the template holds.
    ///
    /// # Errors
    ///
    /// Fails if the template has no such condition.
    pub fn condition(&self, place: &str, name: &str) -> Result<bool, TemplateError> {
        self.conditions.get(name).copied().ok_or_else(|| {
            TemplateError::refused(place, format!("there is no condition `{name}` in Conditions"))
        })
    }

    /// The value of `value`, or nothing if it is `AWS::NoValue`.
    ///
    /// # Errors
    ///
    /// Fails if a function is unknown or has wrong arguments, or refers to what is not defined.
    /// `place` is the path of `value`, for the message.
    pub fn resolve(&self, place: &str, value: &Value) -> Result<Option<Value>, TemplateError> {
        if let Some((function, argument)) = call(value) {
            return self.call(place, function, argument);
        }
        Ok(Some(match value {
            Value::Array(items) => Value::Array(self.list(place, items)?),
            Value::Object(entries) => {
                let mut resolved = Map::new();
                for (key, entry) in entries {
                    if let Some(entry) = self.resolve(&format!("{place}.{key}"), entry)? {
                        resolved.insert(key.clone(), entry);
                    }
                }
                Value::Object(resolved)
            }
            scalar => scalar.clone(),
        }))
    }

    fn call(
        &self,
        place: &str,
        function: &str,
        argument: &Value,
    ) -> Result<Option<Value>, TemplateError> {
        let place = &format!("{place}.{function}");
        Ok(Some(match function {
            "Ref" => match self.text(place, argument)?.as_str() {
                "AWS::NoValue" => return Ok(None),
                name => self.reference(place, name)?,
            },
            "Fn::GetAtt" => {
                let [resource, attribute] = pair(place, argument, "a resource and an attribute")?;
                let attribute = self.text(place, attribute)?;
                self.attribute(place, &self.text(place, resource)?, &attribute)?
            }
            "Fn::Sub" => match argument {
                Value::Array(_) => {
                    let [text, variables] = pair(place, argument, "a text and a map of variables")?;
                    let Some(Value::Object(variables)) = self.resolve(place, variables)? else {
                        return Err(TemplateError::refused(place, "its second argument is no map"));
                    };
                    self.substitute(place, &self.text(place, text)?, &variables)?
                }
                text => self.substitute(place, &self.text(place, text)?, &Map::new())?,
            },
            "Fn::If" => {
                let Value::Array(arguments) = argument else {
                    return Err(TemplateError::refused(place, "takes a list of three values"));
                };
                let [condition, then, otherwise] = arguments.as_slice() else {
                    return Err(TemplateError::refused(place, "takes a list of three values"));
                };
                let holds = self.condition(place, &self.text(place, condition)?)?;
                return self.resolve(place, if holds { then } else { otherwise });
            }
            "Fn::Join" => {
                let [separator, items] = pair(place, argument, "a separator and a list")?;
                let items = self.texts(place, items)?;
                Value::from(items.join(&self.text(place, separator)?))
            }
            "Fn::Split" => {
                let [separator, text] = pair(place, argument, "a separator and a text")?;
                let separator = self.text(place, separator)?;
                Value::from_iter(self.text(place, text)?.split(&separator))
            }
            "Fn::Select" => {
                let [index, items] = pair(place, argument, "an index and a list")?;
                let index = self.text(place, index)?;
                let items = self.texts(place, items)?;
                index.parse().ok().and_then(|index: usize| items.get(index).cloned()).map_or_else(
                    || {
                        let problem = format!("there is no item {index} in {}", items.len());
                        Err(TemplateError::refused(place, problem))
                    },
                    |item| Ok(Value::from(item)),
                )?
            }
            _ => {
                return Err(TemplateError::refused(
                    place,
                    "this function is not understood here; understood are Ref, Fn::GetAtt, \
                     Fn::If, Fn::Join, Fn::Select, Fn::Split and Fn::Sub, and in Conditions \
                     Condition, Fn::And, Fn::Equals, Fn::Not and Fn::Or",
                ));
            }
        }))
    }

    fn reference(&self, place: &str, name: &str) -> Result<Value, TemplateError> {
        self.references.get(name).cloned().ok_or_else(|| {
            TemplateError::refused(
                place,
                format!(
                    "`{name}` is no parameter of the template and no resource that exists here; \
                     correct the name, or the condition of the resource"
                ),
            )
        })
    }

    fn attribute(
        &self,
        place: &str,
        resource: &str,
        attribute: &str,
    ) -> Result<Value, TemplateError> {
        let known = (resource.to_owned(), attribute.to_owned());
        self.attributes.get(&known).map(|value| Value::from(value.as_str())).ok_or_else(|| {
            TemplateError::refused(
                place,
                format!(
                    "`{resource}.{attribute}` is not known here; correct the name, or do without \
                     this attribute"
                ),
            )
        })
    }

    /// Replaces `${Name}`, `${Resource.Attribute}` and, for a literal `${`, `${!Name}`.
    fn substitute(
        &self,
        place: &str,
        text: &str,
        variables: &Map<String, Value>,
    ) -> Result<Value, TemplateError> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(TemplateError::refused(place, "a `${` is not closed by a `}`"));
            };
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
                continue;
            }
            let name = name.trim();
            let value = match (variables.get(name), name.split_once('.')) {
                (Some(variable), _) => variable.clone(),
                (None, Some((resource, attribute))) => {
                    self.attribute(place, resource, attribute)?
                }
                (None, None) => self.reference(place, name)?,
            };
            result.push_str(&plain(place, &value)?);
        }
        result.push_str(rest);
        Ok(Value::from(result))
    }

    /// The value of an argument that must be one text.
    fn text(&self, place: &str, value: &Value) -> Result<String, TemplateError> {
        match self.resolve(place, value)? {
            Some(value) => plain(place, &value),
            None => Err(TemplateError::refused(place, "AWS::NoValue cannot be used here")),
        }
    }

    /// The value of an argument that must be a list of texts.
    fn texts(&self, place: &str, value: &Value) -> Result<Vec<String>, TemplateError> {
        match self.resolve(place, value)? {
            Some(Value::Array(items)) => items.iter().map(|item| plain(place, item)).collect(),
            _ => Err(TemplateError::refused(place, "a list of texts is expected here")),
        }
    }

    fn list(&self, place: &str, items: &[Value]) -> Result<Vec<Value>, TemplateError> {
        let mut resolved = Vec::new();
        for (index, item) in items.iter().enumerate() {
            resolved.extend(self.resolve(&format!("{place}[{index}]"), item)?);
        }
        Ok(resolved)
    }

    /// Evaluates a condition of the section; `pending` are those that are waiting for it.
    fn named_condition<'t>(
        &self,
        conditions: &'t Map<String, Value>,
        name: &'t str,
        pending: &mut Vec<&'t str>,
    ) -> Result<bool, TemplateError> {
        let place = format!("Conditions.{name}");
        let Some(expression) = conditions.get(name) else {
            return Err(TemplateError::refused(place, "there is no such condition"));
        };
        if pending.contains(&name) {
            return Err(TemplateError::refused(place, "the condition depends on itself"));
        }
        pending.push(name);
        let holds = self.expression(&place, conditions, expression, pending)?;
        pending.pop();
        Ok(holds)
    }

    fn expression<'t>(
        &self,
        place: &str,
        conditions: &'t Map<String, Value>,
        expression: &'t Value,
        pending: &mut Vec<&'t str>,
    ) -> Result<bool, TemplateError> {
        let Some((function, argument)) = call(expression) else {
            return Err(TemplateError::refused(place, "a condition function is expected here"));
        };
        let place = &format!("{place}.{function}");
        let operands = argument.as_array().map_or(&[] as &[Value], Vec::as_slice);
        match (function, operands) {
            ("Condition", _) => match argument.as_str() {
                Some(name) => self.named_condition(conditions, name, pending),
                None => Err(TemplateError::refused(place, "takes the name of a condition")),
            },
            ("Fn::Equals", [left, right]) => {
                Ok(self.text(place, left)? == self.text(place, right)?)
            }
            ("Fn::Not", [operand]) => Ok(!self.expression(place, conditions, operand, pending)?),
            ("Fn::And" | "Fn::Or", [_, _, ..]) => {
                // Every operand is evaluated: a mistake in the last one must not stay hidden.
                let mut holds = Vec::new();
                for operand in operands {
                    holds.push(self.expression(place, conditions, operand, pending)?);
                }
                Ok(if function == "Fn::And" {
                    holds.into_iter().all(|holds| holds)
                } else {
                    holds.into_iter().any(|holds| holds)
                })
            }
            _ => Err(TemplateError::refused(
                place,
                "is not a condition function with its arguments; understood are Condition, \
                 Fn::Equals with two values, Fn::Not with one, Fn::And and Fn::Or with two or more",
            )),
        }
    }
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

/// The values that `Ref` of each parameter has.
fn parameters(
    template: &Value,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    let empty = Map::new();
    let declared = section(template, "Parameters")?.unwrap_or(&empty);
    if let Some(name) = values.keys().find(|name| !declared.contains_key(*name)) {
        let known = declared.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let problem = format!("the template has no parameter `{name}`; it has: {known}");
        return Err(TemplateError::refused("Parameters", problem));
    }
    let mut references = BTreeMap::new();
    for (name, declaration) in declared {
        let place = format!("Parameters.{name}");
        let kind = declaration.get("Type").and_then(Value::as_str).unwrap_or("String");
        if kind.starts_with("AWS::SSM") {
            let problem = format!(
                "a parameter of type `{kind}` is looked up in AWS when the stack is deployed; \
                 the local stack cannot do that: declare it as String"
            );
            return Err(TemplateError::refused(place, problem));
        }
        let value = match (values.get(name), declaration.get("Default")) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => plain(&place, default)?,
            (None, None) => {
                return Err(TemplateError::refused(place, "has no default: give it a value"));
            }
        };
        if let Some(Value::Array(allowed)) = declaration.get("AllowedValues") {
            let allowed =
                allowed.iter().map(|item| plain(&place, item)).collect::<Result<Vec<_>, _>>()?;
            if !allowed.contains(&value) {
                let problem = format!("`{value}` is not one of {}", allowed.join(", "));
                return Err(TemplateError::refused(place, problem));
            }
        }
        let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        references.insert(
            name.clone(),
            if is_list {
                Value::from_iter(value.split(',').map(str::trim))
            } else {
                Value::from(value)
            },
        );
    }
    Ok(references)
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

fn pair<'a>(
    place: &str,
    argument: &'a Value,
    expected: &str,
) -> Result<&'a [Value; 2], TemplateError> {
    let items = argument.as_array().and_then(|items| items.as_slice().try_into().ok());
    items.ok_or_else(|| TemplateError::refused(place, format!("takes a list of {expected}")))
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

    #[test]
    fn resolves_references_to_parameters_pseudo_parameters_and_resources() {
        let mut resolver = resolver("Parameters: { Size: { Type: Number, Default: 256 } }");
        resolver.define("Queue", "http://127.0.0.1/queue");
        resolver.define_attribute("Queue", "Arn", "arn:aws:sqs:queue");

        assert_eq!(resolved(&resolver, "!Ref Size"), json!("256"));
        assert_eq!(resolved(&resolver, "!Ref AWS::Region"), json!("us-east-1"));
        assert_eq!(resolved(&resolver, "!Ref Queue"), json!("http://127.0.0.1/queue"));
        assert_eq!(resolved(&resolver, "!GetAtt Queue.Arn"), json!("arn:aws:sqs:queue"));
        assert_eq!(
            resolved(&resolver, "!Sub '${Queue}|${Queue.Arn}|${AWS::Region}|${!Size}|${Size}'"),
            json!("http://127.0.0.1/queue|arn:aws:sqs:queue|us-east-1|${Size}|256")
        );
        assert_eq!(
            resolved(&resolver, "!Sub ['${a}-${Size}', { a: !GetAtt Queue.Arn, Size: 1 }]"),
            json!("arn:aws:sqs:queue-1")
        );
    }

    #[test]
    fn joins_splits_and_selects() {
        let resolver =
            resolver("Parameters: { List: { Type: CommaDelimitedList, Default: 'a, b,c' } }");

        assert_eq!(resolved(&resolver, "!Join ['-', !Ref List]"), json!("a-b-c"));
        assert_eq!(resolved(&resolver, "!Select [1, !Ref List]"), json!("b"));
        assert_eq!(resolved(&resolver, "!Select [2, !Split [':', 'x:y:z']]"), json!("z"));
        let error = resolver.resolve("Here", &parse("!Select [3, !Ref List]").unwrap());
        assert_eq!(error.unwrap_err().to_string(), "Here.Fn::Select: there is no item 3 in 3");
    }

    #[test]
    fn chooses_by_condition_and_drops_what_has_no_value() {
        let template = "Parameters: { Stage: { Type: String, Default: dev } }\n\
                        Conditions:\n\
                        \x20 Dev: !Equals [!Ref Stage, dev]\n\
                        \x20 Prod: !Not [!Condition Dev]\n\
                        \x20 Both: !And [!Condition Dev, !Condition Prod]\n\
                        \x20 Either: !Or [!Condition Prod, !Equals [!Ref AWS::Region, us-east-1]]\n";
        let resolver = resolver(template);

        let holds = |name: &str| resolver.condition("Here", name).unwrap();
        assert_eq!(["Dev", "Prod", "Both", "Either"].map(holds), [true, false, false, true]);
        assert_eq!(
            resolved(
                &resolver,
                "{ a: !If [Dev, 1, 2], b: !If [Prod, 1, !Ref AWS::NoValue], \
                  c: [!If [Prod, x, !Ref AWS::NoValue], y] }"
            ),
            json!({"a": 1, "c": ["y"]})
        );
        assert!(resolver.condition("Here", "Test").is_err());
    }

    #[test]
    fn values_replace_defaults_and_are_checked() {
        let template = parse(
            "Parameters: { Architecture: { Type: String, Default: arm64, \
             AllowedValues: [arm64, x86_64] } }",
        )
        .unwrap();
        let with = |name: &str, value: &str| {
            let values = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            Resolver::new(&template, &[], &values)
        };

        let resolver = with("Architecture", "x86_64").unwrap();
        assert_eq!(resolved(&resolver, "!Ref Architecture"), json!("x86_64"));
        assert_eq!(
            with("Architecture", "mips").unwrap_err().to_string(),
            "Parameters.Architecture: `mips` is not one of arm64, x86_64"
        );
        assert_eq!(
            with("Architektur", "arm64").unwrap_err().to_string(),
            "Parameters: the template has no parameter `Architektur`; it has: Architecture"
        );
    }

    #[test]
    fn refuses_parameters_that_only_aws_can_fill() {
        let refused = |yaml: &str| {
            let template = parse(yaml).unwrap();
            Resolver::new(&template, &[], &BTreeMap::new()).unwrap_err().to_string()
        };

        let looked_up = refused(
            "Parameters: { Key: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /key } }",
        );
        assert!(looked_up.contains("is looked up in AWS"), "{looked_up}");
        assert_eq!(
            refused("Parameters: { Key: { Type: String } }"),
            "Parameters.Key: has no default: give it a value"
        );
    }

    #[test]
    fn says_where_a_reference_leads_nowhere() {
        let resolver = resolver("{}");
        let refused = |yaml: &str| {
            let value = parse(yaml).unwrap();
            resolver.resolve("Resources.Api", &value).unwrap_err().to_string()
        };

        let reference = refused("{ Name: [!Ref Quue] }");
        assert!(
            reference.starts_with("Resources.Api.Name[0].Ref: `Quue` is no parameter"),
            "{reference}"
        );
        assert!(refused("!GetAtt Quue.Arn").contains("`Quue.Arn` is not known here"));
        assert!(refused("!Sub '${Quue}'").contains("`Quue` is no parameter"));
        assert!(refused("!Sub '${Quue'").contains("is not closed"));
        assert!(refused("!ImportValue x").contains("Fn::ImportValue: this function is not"));
    }

    #[test]
    fn refuses_a_condition_that_depends_on_itself() {
        let template = parse("Conditions: { A: !Not [!Condition B], B: !Not [!Condition A] }");

        let error = Resolver::new(&template.unwrap(), &[], &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "Conditions.A: the condition depends on itself");
    }

    fn resolver(template: &str) -> Resolver {
        let template = parse(template).unwrap();
        Resolver::new(&template, &[("AWS::Region", "us-east-1")], &BTreeMap::new()).unwrap()
    }

    fn resolved(resolver: &Resolver, yaml: &str) -> Value {
        resolver.resolve("Here", &parse(yaml).unwrap()).unwrap().unwrap()
    }
}
