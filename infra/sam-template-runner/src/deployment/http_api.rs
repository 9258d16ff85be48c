//! The HTTP API of a template: `AWS::Serverless::HttpApi`.

use super::properties::Properties;
use super::resources::Resource;
use super::unsupported;
use sam_template::{Resolver, TemplateError};

/// Checks that the properties of the API are known; none has an effect here.
pub(super) fn check(resource: &Resource<'_>, resolver: &Resolver) -> Result<(), TemplateError> {
    let values = resource.properties.clone();
    let mut properties = Properties::new(&resource.place, "an HttpApi", values, resolver);
    if properties.text("StageName")?.is_some_and(|stage| stage != "$default") {
        let problem = "the local stack serves the stage `$default` only";
        return Err(properties.refused("StageName", problem));
    }
    properties.skip(unsupported::HTTP_API);
    properties.finish()
}
