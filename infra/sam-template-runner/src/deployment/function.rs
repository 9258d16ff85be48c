//! Functions of a template: `AWS::Serverless::Function`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::properties::{Properties, known_keys};
use super::resources::Resource;
use super::{arn, unsupported};
use crate::log::LEVELS;
use sam_template::{Resolver, TemplateError, merged, plain};

/// A function: `AWS::Serverless::Function`, merged with `Globals`.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its key in the template.
    pub logical_id: String,
    /// `FunctionName`, or the logical id without it.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The binary to run: `Metadata.BuildProperties.Binary`.
    pub binary: String,
    /// `Handler`. It only reaches the function as `_HANDLER`.
    pub handler: String,
    /// The timeout of an invocation.
    pub timeout: Duration,
    /// The memory in MB. It is announced to the function, not enforced.
    pub memory_size: u64,
    /// `JSON` or `Text`.
    pub log_format: String,
    /// The level of the function's own log lines, if the format is JSON.
    pub log_level: Option<String>,
    /// The log group that the function would write to.
    pub log_group: String,
    /// The environment variables the template gives the function.
    pub environment: BTreeMap<String, String>,
}

/// The properties of `Globals` that every function has.
pub(super) fn globals(template: &Value) -> Result<Map<String, Value>, TemplateError> {
    let Some(globals) = template.get("Globals") else {
        return Ok(Map::new());
    };
    known_keys("Globals", globals, &["Function", "HttpApi"])?;
    match globals.get("Function") {
        None => Ok(Map::new()),
        Some(Value::Object(properties)) => Ok(properties.clone()),
        Some(_) => Err(TemplateError::refused("Globals.Function", "must be a map")),
    }
}

/// Reads a function; its events are left to the caller.
pub(super) fn read(
    resource: &Resource<'_>,
    globals: &Map<String, Value>,
    resolver: &Resolver,
) -> Result<(Function, Map<String, Value>), TemplateError> {
    let merged = merged(globals, &resource.properties);
    let mut properties = Properties::new(&resource.place, "a function", merged, resolver);
    let name = resource.name("FunctionName", resolver)?;
    let logging = properties.nested("LoggingConfig", "LoggingConfig")?;
    let (log_format, log_level, log_group) = match logging {
        Some(logging) => logging_config(logging, &name)?,
        None => ("Text".to_owned(), None, format!("/aws/lambda/{name}")),
    };
    let function = Function {
        logical_id: resource.logical_id.to_owned(),
        arn: arn("lambda", &format!("function:{name}")),
        binary: resource.binary()?,
        handler: properties.text("Handler")?.unwrap_or_else(|| "bootstrap".to_owned()),
        timeout: properties
            .whole("Timeout", 1..=900)?
            .map_or(Duration::from_secs(3), Duration::from_secs),
        memory_size: properties.whole("MemorySize", 128..=10_240)?.unwrap_or(128),
        log_format,
        log_level,
        log_group,
        environment: environment(&mut properties)?,
        name,
    };
    let events = properties.entries("Events")?;
    properties.skip(&["FunctionName"]);
    properties.skip(unsupported::FUNCTION);
    properties.finish()?;
    Ok((function, events))
}

/// The format, the level and the log group of a function.
fn logging_config(
    mut logging: Properties<'_>,
    function: &str,
) -> Result<(String, Option<String>, String), TemplateError> {
    let format = logging.text("LogFormat")?.unwrap_or_else(|| "Text".to_owned());
    let level = logging.text("ApplicationLogLevel")?;
    let group = logging.text("LogGroup")?.unwrap_or_else(|| format!("/aws/lambda/{function}"));
    logging.skip(&["SystemLogLevel"]);
    let level = match format.as_str() {
        "JSON" => Some(level.unwrap_or_else(|| "INFO".to_owned())),
        "Text" => None,
        _ => return Err(logging.refused("LogFormat", "must be JSON or Text")),
    };
    if level.as_ref().is_some_and(|level| !LEVELS.contains(&level.as_str())) {
        let problem = format!("must be one of {}", LEVELS.join(", "));
        return Err(logging.refused("ApplicationLogLevel", &problem));
    }
    logging.finish()?;
    Ok((format, level, group))
}

fn environment(properties: &mut Properties<'_>) -> Result<BTreeMap<String, String>, TemplateError> {
    let Some(mut environment) = properties.nested("Environment", "Environment")? else {
        return Ok(BTreeMap::new());
    };
    let mut variables = BTreeMap::new();
    for (name, value) in environment.entries("Variables")? {
        let place = format!("{}.Variables.{name}", environment.place);
        if RESERVED_VARIABLES.contains(&name.as_str()) {
            let problem = "Lambda reserves this variable: choose another name";
            return Err(TemplateError::refused(place, problem));
        }
        variables.insert(name, plain(&place, &value)?);
    }
    environment.finish()?;
    Ok(variables)
}

/// Keys that the AWS Lambda Developer Guide reserves ("Defined runtime environment variables").
const RESERVED_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "TZ",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];
