//! The conditions of a template: which hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Resolver, TemplateError, call, section};

/// Evaluates every condition of the section `Conditions`.
///
/// `resolver` has the parameters, to which conditions may refer.
pub(crate) fn evaluate(
    template: &Value,
    resolver: &Resolver,
) -> Result<BTreeMap<String, bool>, TemplateError> {
    let mut evaluated = BTreeMap::new();
    if let Some(conditions) = section(template, "Conditions")? {
        for name in conditions.keys() {
            let holds = resolver.named_condition(conditions, name, &mut Vec::new())?;
            evaluated.insert(name.clone(), holds);
        }
    }
    Ok(evaluated)
}

impl Resolver {
    /// Evaluates a condition of the section; `pending` are those that are waiting for it.
    fn named_condition<'t>(
        &self,
        conditions: &'t Map<String, Value>,
        name: &'t str,
        pending: &mut Vec<&'t str>,
    ) -> Result<bool, TemplateError> {
        let place = format!("Conditions.{name}");
        let Some(expression) = conditions.get(name) else {
            return Err(TemplateError::refused(
                place,
                "there is no such condition; declare it, or correct the name",
            ));
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
                "is not a condition function with its arguments; supported are Condition, \
                 Fn::Equals with two values, Fn::Not with one, Fn::And and Fn::Or with two or more",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn refuses_a_condition_that_depends_on_itself() {
        let template = parse("Conditions: { A: !Not [!Condition B], B: !Not [!Condition A] }");

        let error = Resolver::new(&template.unwrap(), &[], &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "Conditions.A: the condition depends on itself");
    }
}
