//! A strict reader of properties.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use sam_template::{Resolver, TemplateError, plain};

/// The properties of a resource or an event. One that is neither read nor skipped is an error.
pub(super) struct Properties<'r> {
    pub(super) place: String,
    /// What they are the properties of, for the message.
    owner: &'static str,
    values: Map<String, Value>,
    known: Vec<&'static str>,
    resolver: &'r Resolver,
}

impl<'r> Properties<'r> {
    pub(super) fn new(
        place: &str,
        owner: &'static str,
        values: Map<String, Value>,
        resolver: &'r Resolver,
    ) -> Self {
        Self { place: place.to_owned(), owner, values, known: Vec::new(), resolver }
    }

    pub(super) fn refused(&self, property: &str, problem: &str) -> TemplateError {
        TemplateError::refused(format!("{}.{property}", self.place), problem)
    }

    pub(super) fn value(&mut self, property: &'static str) -> Result<Option<Value>, TemplateError> {
        self.known.push(property);
        match self.values.remove(property) {
            Some(value) => self.resolver.resolve(&format!("{}.{property}", self.place), &value),
            None => Ok(None),
        }
    }

    pub(super) fn text(&mut self, property: &'static str) -> Result<Option<String>, TemplateError> {
        let place = format!("{}.{property}", self.place);
        self.value(property)?.map(|value| plain(&place, &value)).transpose()
    }

    pub(super) fn required(&mut self, property: &'static str) -> Result<String, TemplateError> {
        let value = self.text(property)?;
        value.ok_or_else(|| self.refused(property, "the property is missing"))
    }

    pub(super) fn whole(
        &mut self,
        property: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, TemplateError> {
        let Some(text) = self.text(property)? else {
            return Ok(None);
        };
        match text.parse().ok().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (least, most) = range.into_inner();
                let problem = format!("`{text}` is not a whole number from {least} to {most}");
                Err(self.refused(property, &problem))
            }
        }
    }

    pub(super) fn flag(&mut self, property: &'static str) -> Result<Option<bool>, TemplateError> {
        let Some(text) = self.text(property)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(flag) => Ok(Some(flag)),
            Err(_) => {
                Err(self.refused(property, &format!("`{text}` is neither `true` nor `false`")))
            }
        }
    }

    pub(super) fn entries(
        &mut self,
        property: &'static str,
    ) -> Result<Map<String, Value>, TemplateError> {
        match self.value(property)? {
            None => Ok(Map::new()),
            Some(Value::Object(entries)) => Ok(entries),
            Some(_) => Err(self.refused(property, "must be a map")),
        }
    }

    pub(super) fn nested(
        &mut self,
        property: &'static str,
        owner: &'static str,
    ) -> Result<Option<Self>, TemplateError> {
        if !self.values.contains_key(property) {
            self.known.push(property);
            return Ok(None);
        }
        let values = self.entries(property)?;
        let place = format!("{}.{property}", self.place);
        Ok(Some(Self::new(&place, owner, values, self.resolver)))
    }

    /// Drops properties that have no effect here.
    pub(super) fn skip(&mut self, properties: &[&'static str]) {
        self.known.extend(properties);
        self.values.retain(|property, _| !properties.contains(&property.as_str()));
    }

    /// Refuses what is left.
    pub(super) fn finish(mut self) -> Result<(), TemplateError> {
        let Some(unknown) = self.values.keys().next() else {
            return Ok(());
        };
        self.known.sort_unstable();
        let problem = format!(
            "the local stack does not know this property of {}: correct its name or remove it; \
             known are {}",
            self.owner,
            self.known.join(", ")
        );
        Err(self.refused(unknown, &problem))
    }
}

/// Refuses keys of a map that are not among `known`.
pub(super) fn known_keys(place: &str, value: &Value, known: &[&str]) -> Result<(), TemplateError> {
    let Some(entries) = value.as_object() else {
        return Err(TemplateError::refused(place, "must be a map"));
    };
    match entries.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(TemplateError::refused(
            format!("{place}.{key}"),
            format!(
                "the local stack does not know this key: correct its name or remove it; known \
                 are {}",
                known.join(", ")
            ),
        )),
    }
}
