//! Tables of a template: `AWS::DynamoDB::Table`.

use serde_json::{Map, Value};

use super::properties::Properties;
use super::resources::Resource;
use super::{arn, unsupported};
use sam_template::{Resolver, TemplateError};

/// A table: `AWS::DynamoDB::Table`.
#[derive(Clone, Debug)]
pub struct Table {
    /// `TableName`, or the logical id without it.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The request that creates it, as DynamoDB's API takes it.
    pub create_table: Value,
    /// `TimeToLiveSpecification`, as DynamoDB's API takes it.
    pub time_to_live: Option<Value>,
}

/// Reads a table.
pub(super) fn read(resource: &Resource<'_>, resolver: &Resolver) -> Result<Table, TemplateError> {
    let name = resource.name("TableName", resolver)?;
    let values = resource.properties.clone();
    let mut properties = Properties::new(&resource.place, "a DynamoDB table", values, resolver);
    let mut request = Map::from_iter([("TableName".to_owned(), Value::from(name.as_str()))]);
    for property in [
        "AttributeDefinitions",
        "BillingMode",
        "GlobalSecondaryIndexes",
        "KeySchema",
        "LocalSecondaryIndexes",
        "ProvisionedThroughput",
    ] {
        if let Some(value) = properties.value(property)? {
            request.insert(property.to_owned(), value);
        }
    }
    let time_to_live = properties.value("TimeToLiveSpecification")?;
    properties.skip(unsupported::TABLE);
    properties.finish()?;
    let arn = arn("dynamodb", &format!("table/{name}"));
    Ok(Table { name, arn, create_table: Value::Object(request), time_to_live })
}
