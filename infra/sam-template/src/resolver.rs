//! The values of intrinsic functions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{Part, TemplateError, call, conditions, parts, plain, pseudo_parameter, section};

/// Replaces intrinsic functions by their values.
///
/// Knows the template's parameters and conditions, and the pseudo parameters it was given. What a
/// `Ref` or `Fn::GetAtt` of a resource means depends on the resource's type, so the reader of the
/// resources tells it: [`define`](Self::define), [`define_attribute`](Self::define_attribute).
#[derive(Debug)]
pub struct Resolver {
    references: BTreeMap<String, Value>,
    attributes: BTreeMap<(String, String), String>,
    unknown: BTreeSet<String>,
    conditions: BTreeMap<String, bool>,
}

impl Resolver {
    /// Takes the parameters and conditions of a template as [`parse`](crate::parse()) returned it.
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
        let mut resolver = Self {
            references,
            attributes: BTreeMap::new(),
            unknown: BTreeSet::new(),
            conditions: BTreeMap::new(),
        };
        resolver.conditions = conditions::evaluate(template, &resolver)?;
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

    /// Says that any attribute of a resource can be right, because nothing is known of its type. Its
    /// value is the name of resource and attribute.
    pub fn define_any_attribute(&mut self, logical_id: &str) {
        self.unknown.insert(logical_id.to_owned());
    }

    /// Whether a condition of the template holds.
    ///
    /// # Errors
    ///
    /// Fails if the template has no such condition.
    pub fn condition(&self, place: &str, name: &str) -> Result<bool, TemplateError> {
        self.conditions.get(name).copied().ok_or_else(|| {
            TemplateError::refused(
                place,
                format!(
                    "there is no condition `{name}` in Conditions; declare it, or correct the name"
                ),
            )
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
                pseudo_parameter::NO_VALUE => return Ok(None),
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
                        return Err(TemplateError::refused(
                            place,
                            "its second argument must be a map",
                        ));
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
                    "this function is not supported here; supported are Ref, Fn::GetAtt, \
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
                    "`{name}` is neither a parameter of the template nor a resource that exists here; \
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
        if self.unknown.contains(resource) && !self.attributes.contains_key(&known) {
            return Ok(Value::from(format!("{resource}.{attribute}")));
        }
        self.attributes.get(&known).map(|value| Value::from(value.as_str())).ok_or_else(|| {
            TemplateError::refused(
                place,
                format!(
                    "`{resource}.{attribute}` is not known here; correct the name, or remove \
                     this attribute"
                ),
            )
        })
    }

    /// Replaces `${Name}` and `${Resource.Attribute}`.
    fn substitute(
        &self,
        place: &str,
        text: &str,
        variables: &Map<String, Value>,
    ) -> Result<Value, TemplateError> {
        let mut result = String::new();
        for part in parts(text) {
            let part = part.map_err(|error| TemplateError::refused(place, error.to_string()))?;
            let name = match part {
                Part::Text(text) => {
                    result.push_str(text);
                    continue;
                }
                Part::Escaped(literal) => {
                    result.push_str("${");
                    result.push_str(literal);
                    result.push('}');
                    continue;
                }
                Part::Name(name) => name,
            };
            let value = match (variables.get(name), name.split_once('.')) {
                (Some(variable), _) => variable.clone(),
                (None, Some((resource, attribute))) => {
                    self.attribute(place, resource, attribute)?
                }
                (None, None) => self.reference(place, name)?,
            };
            result.push_str(&plain(place, &value)?);
        }
        Ok(Value::from(result))
    }

    /// The value of an argument that must be one text.
    pub(crate) fn text(&self, place: &str, value: &Value) -> Result<String, TemplateError> {
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
        let nearest = declared.keys().min_by_key(|known| strsim::damerau_levenshtein(known, name));
        let nearest = nearest.filter(|known| strsim::damerau_levenshtein(known, name) <= 3);
        let nearest =
            nearest.map_or_else(String::new, |known| format!(", did you mean `{known}`?"));
        let end = if nearest.is_empty() { ";" } else { "" };
        let problem =
            format!("the template has no parameter `{name}`{nearest}{end} it has: {known}");
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

fn pair<'a>(
    place: &str,
    argument: &'a Value,
    expected: &str,
) -> Result<&'a [Value; 2], TemplateError> {
    let items = argument.as_array().and_then(|items| items.as_slice().try_into().ok());
    items.ok_or_else(|| TemplateError::refused(place, format!("takes a list of {expected}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse;

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
            "Parameters: the template has no parameter `Architektur`, did you mean \
             `Architecture`? it has: Architecture"
        );
        assert_eq!(
            with("Stage", "dev").unwrap_err().to_string(),
            "Parameters: the template has no parameter `Stage`; it has: Architecture"
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
            reference.starts_with("Resources.Api.Name[0].Ref: `Quue` is neither a parameter"),
            "{reference}"
        );
        assert!(refused("!GetAtt Quue.Arn").contains("`Quue.Arn` is not known here"));
        assert!(refused("!Sub '${Quue}'").contains("`Quue` is neither a parameter"));
        assert!(refused("!Sub '${Quue'").contains("is not closed"));
        assert!(refused("!ImportValue x").contains("Fn::ImportValue: this function is not"));
    }

    fn resolver(template: &str) -> Resolver {
        let template = parse(template).unwrap();
        Resolver::new(&template, &[("AWS::Region", "us-east-1")], &BTreeMap::new()).unwrap()
    }

    fn resolved(resolver: &Resolver, yaml: &str) -> Value {
        resolver.resolve("Here", &parse(yaml).unwrap()).unwrap().unwrap()
    }
}
