//! The resources of a template and what references to them resolve to.

use serde_json::{Map, Value};

use super::properties::known_keys;
use super::{API_ID, Endpoints, arn, queue_url, unsupported};
use sam_template::resource_type::{FUNCTION, HTTP_API, LOG_GROUP, QUEUE, TABLE, TOPIC};
use sam_template::{Resolver, TemplateError, plain, section};

/// A resource whose condition holds, before its properties are resolved.
pub(super) struct Resource<'t> {
    pub(super) logical_id: &'t str,
    pub(super) kind: &'t str,
    /// The path of its properties.
    pub(super) place: String,
    pub(super) properties: Map<String, Value>,
    metadata: Option<&'t Value>,
}

impl<'t> Resource<'t> {
    /// The resources whose conditions hold.
    pub(super) fn all(
        template: &'t Value,
        resolver: &Resolver,
    ) -> Result<Vec<Self>, TemplateError> {
        let Some(resources) = section(template, "Resources")? else {
            return Err(TemplateError::refused("Resources", "the template has no resources"));
        };
        let mut present = Vec::new();
        for (logical_id, resource) in resources {
            let place = format!("Resources.{logical_id}");
            known_keys(
                &place,
                resource,
                &[
                    "Condition",
                    "CreationPolicy",
                    "DeletionPolicy",
                    "DependsOn",
                    "Metadata",
                    "Properties",
                    "Type",
                    "UpdatePolicy",
                    "UpdateReplacePolicy",
                ],
            )?;
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            if let Some(known) = misspelt(kind) {
                let problem = format!(
                    "the local stack does not know resources of the type `{kind}`, did you mean \
                     `{known}`?"
                );
                return Err(TemplateError::refused(place, problem));
            }
            if let Some(condition) = resource.get("Condition") {
                let name = plain(&place, condition)?;
                if !resolver.condition(&place, &name)? {
                    continue;
                }
            }
            let place = format!("{place}.Properties");
            let properties = match resource.get("Properties") {
                None | Some(Value::Null) => Map::new(),
                Some(Value::Object(properties)) => properties.clone(),
                Some(_) => return Err(TemplateError::refused(place, "must be a map")),
            };
            let metadata = resource.get("Metadata");
            present.push(Self { logical_id, kind, place, properties, metadata });
        }
        Ok(present)
    }

    /// Whether nothing is known of its type. It does not run, and what refers to it gets a name.
    pub(super) fn is_unknown(&self) -> bool {
        !UNDERSTOOD.contains(&self.kind) && !unsupported::RESOURCE_TYPES.contains(&self.kind)
    }

    /// Defines `Ref` and `Fn::GetAtt` of this resource.
    pub(super) fn define(
        &self,
        resolver: &mut Resolver,
        endpoints: &Endpoints,
    ) -> Result<(), TemplateError> {
        let id = self.logical_id;
        match self.kind {
            QUEUE => {
                let name = self.name("QueueName", resolver)?;
                let url = queue_url(endpoints, &name);
                resolver.define(id, url.as_str());
                resolver.define_attribute(id, "QueueUrl", url);
                resolver.define_attribute(id, "Arn", arn("sqs", &name));
                resolver.define_attribute(id, "QueueName", name);
            }
            TABLE => {
                let name = self.name("TableName", resolver)?;
                resolver.define_attribute(id, "Arn", arn("dynamodb", &format!("table/{name}")));
                resolver.define(id, name);
            }
            FUNCTION => {
                let name = self.name("FunctionName", resolver)?;
                resolver.define_attribute(id, "Arn", arn("lambda", &format!("function:{name}")));
                resolver.define(id, name);
            }
            HTTP_API => {
                resolver.define_attribute(id, "ApiEndpoint", endpoints.http_api.as_str());
                resolver.define(id, API_ID);
            }
            kind => {
                // Nothing answers at such an ARN, but a policy or a variable may hold it.
                let service = kind.split("::").nth(1).unwrap_or_default().to_ascii_lowercase();
                let arn = arn(&service, id);
                resolver.define_attribute(id, "Arn", arn.as_str());
                if self.is_unknown() {
                    resolver.define_any_attribute(id);
                }
                match kind {
                    TOPIC => resolver.define(id, arn),
                    LOG_GROUP => {
                        let name = self.name("LogGroupName", resolver)?;
                        resolver.define(id, name);
                    }
                    _ => resolver.define(id, id),
                }
            }
        }
        Ok(())
    }

    /// The physical name: the value of `property`, or the logical id without it.
    pub(super) fn name(
        &self,
        property: &str,
        resolver: &Resolver,
    ) -> Result<String, TemplateError> {
        let Some(name) = self.properties.get(property) else {
            return Ok(self.logical_id.to_owned());
        };
        let place = format!("{}.{property}", self.place);
        match resolver.resolve(&place, name)? {
            Some(name) => plain(&place, &name),
            None => Ok(self.logical_id.to_owned()),
        }
    }

    /// The binary of a function.
    pub(super) fn binary(&self) -> Result<String, TemplateError> {
        let binary = self.metadata.and_then(|metadata| {
            metadata.pointer("/BuildProperties/Binary").and_then(Value::as_str)
        });
        binary.map(str::to_owned).ok_or_else(|| {
            TemplateError::refused(
                format!("Resources.{}.Metadata.BuildProperties.Binary", self.logical_id),
                "the binary of the function is missing: name a binary of the workspace",
            )
        })
    }
}

/// The types that the local stack runs.
const UNDERSTOOD: [&str; 4] = [FUNCTION, HTTP_API, QUEUE, TABLE];

/// The known type that an unknown one was probably meant to be.
fn misspelt(kind: &str) -> Option<&'static str> {
    let mut known = UNDERSTOOD.iter().chain(unsupported::RESOURCE_TYPES).copied();
    if known.clone().any(|known| known == kind) {
        return None;
    }
    known.find(|known| strsim::damerau_levenshtein(known, kind) <= 2)
}
