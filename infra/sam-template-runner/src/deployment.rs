//! What a template declares, as far as it has an effect on this machine.
//!
//! Neither `sam validate` nor cfn-lint notices a misspelt property of an event (`BatchSiz`), so
//! this reader knows every property it accepts. Those with a local effect become a [`Deployment`],
//! those without are skipped by name, and anything else is an error.
//!
//! Resource types and properties are those of the AWS SAM Developer Guide ("AWS SAM resources and
//! properties") and the AWS CloudFormation Template Reference Guide.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::intrinsics::{self, Resolver, TemplateError, is_intrinsic, plain, section};

/// The account everything local belongs to, in ARNs and queue URLs.
pub const ACCOUNT: &str = "000000000000";

/// The id of the HTTP API. There is one address, so every `HttpApi` of a template is the same.
pub const API_ID: &str = "local";

/// The region everything local is in.
pub const REGION: &str = "us-east-1";

/// Where the local services listen, each as `http://address:port`.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The HTTP API.
    pub http_api: String,
    /// The SQS service.
    pub sqs: String,
    /// The DynamoDB service.
    pub dynamodb: String,
    /// The KMS service.
    pub kms: String,
    /// The S3 service.
    pub s3: String,
}

/// A template with everything resolved: what the local stack runs.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The queues that functions are invoked from.
    pub event_sources: Vec<EventSource>,
    /// The queues, by logical id.
    pub queues: BTreeMap<String, Queue>,
    /// The tables, by logical id.
    pub tables: BTreeMap<String, Table>,
    /// The outputs of the stack, by name.
    pub outputs: BTreeMap<String, String>,
}

/// A function: `AWS::Serverless::Function`, merged with `Globals`.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its key in the template.
    pub logical_id: String,
    /// `FunctionName`, or else the logical id.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The binary to run: `Metadata.BuildProperties.Binary`.
    pub binary: String,
    /// `Handler`. It only reaches the function as `_HANDLER`.
    pub handler: String,
    /// The longest that one invocation may take.
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

/// A route of the HTTP API: an event of type `HttpApi`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The method in capitals, or `ANY`.
    pub method: String,
    /// The path, with `{name}` for one segment and `{name+}` for all that follow.
    pub path: String,
    /// The logical id of the function behind it.
    pub function: String,
    /// How long the API waits for the function.
    pub timeout: Duration,
}

/// A queue that a function is invoked from: an event of type `SQS`.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The logical id of the function.
    pub function: String,
    /// The logical id of the queue.
    pub queue: String,
    /// The most messages in one invocation.
    pub batch_size: usize,
    /// How long to wait for a batch to fill after its first message.
    pub batching_window: Duration,
    /// Whether the function says which messages of a batch failed.
    pub reports_batch_item_failures: bool,
    /// The most invocations at a time.
    pub maximum_concurrency: Option<usize>,
    /// Whether the queue is read at all.
    pub enabled: bool,
}

/// A queue: `AWS::SQS::Queue`.
#[derive(Clone, Debug)]
pub struct Queue {
    /// `QueueName`, or else the logical id.
    pub name: String,
    /// The URL at the local SQS service.
    pub url: String,
    /// Its ARN.
    pub arn: String,
    /// The attributes as SQS's API takes them.
    pub attributes: BTreeMap<String, String>,
}

/// A table: `AWS::DynamoDB::Table`.
#[derive(Clone, Debug)]
pub struct Table {
    /// `TableName`, or else the logical id.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The request that creates it, as DynamoDB's API takes it.
    pub create_table: Value,
    /// `TimeToLiveSpecification`, as DynamoDB's API takes it.
    pub time_to_live: Option<Value>,
}

impl Deployment {
    /// Reads and resolves a template.
    ///
    /// `parameters` replace the defaults of the template. A parameter named `BaseUrl` that is not
    /// among them is the URL of the HTTP API.
    ///
    /// # Errors
    ///
    /// Fails if the template is wrong, or uses what the local stack does not understand.
    pub fn read(
        template: &str,
        parameters: &BTreeMap<String, String>,
        endpoints: &Endpoints,
    ) -> Result<Self, TemplateError> {
        let template = intrinsics::parse(template)?;
        known_keys("template", &template, SECTIONS)?;
        let mut parameters = parameters.clone();
        if template.pointer("/Parameters/BaseUrl").is_some() {
            parameters.entry("BaseUrl".to_owned()).or_insert_with(|| endpoints.http_api.clone());
        }
        let mut resolver = Resolver::new(&template, PSEUDO_PARAMETERS, &parameters)?;
        let resources = Resource::all(&template, &resolver)?;
        resolver.define(IMPLICIT_HTTP_API, API_ID);
        for resource in &resources {
            resource.define(&mut resolver, endpoints)?;
        }
        let mut deployment = Self {
            functions: BTreeMap::new(),
            routes: Vec::new(),
            event_sources: Vec::new(),
            queues: BTreeMap::new(),
            tables: BTreeMap::new(),
            outputs: outputs(&template, &resolver)?,
        };
        let of_kind = |kind| resources.iter().filter(move |resource| resource.kind == kind);
        for resource in of_kind(HTTP_API) {
            http_api(resource, &resolver)?;
        }
        for resource in of_kind(TABLE) {
            let table = table(resource, &resolver)?;
            deployment.tables.insert(resource.logical_id.to_owned(), table);
        }
        for resource in of_kind(QUEUE) {
            let queue = queue(resource, &resolver, endpoints)?;
            deployment.queues.insert(resource.logical_id.to_owned(), queue);
        }
        // Functions last: their events refer to queues.
        let globals = function_globals(&template)?;
        for resource in of_kind(FUNCTION) {
            deployment.add_function(resource, &globals, &resolver)?;
        }
        Ok(deployment)
    }

    fn add_function(
        &mut self,
        resource: &Resource<'_>,
        globals: &Map<String, Value>,
        resolver: &Resolver,
    ) -> Result<(), TemplateError> {
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
        properties.skip(FUNCTION_WITHOUT_EFFECT);
        properties.finish()?;
        for (name, event) in events {
            let place = format!("{}.Events.{name}", resource.place);
            known_keys(&place, &event, &["Type", "Properties"])?;
            let values = event.get("Properties").and_then(Value::as_object).cloned();
            let values = values.unwrap_or_default();
            let place = format!("{place}.Properties");
            match event.get("Type").and_then(Value::as_str) {
                Some("HttpApi") => {
                    let event = Properties::new(&place, "an HttpApi event", values, resolver);
                    self.add_route(event, &function)?;
                }
                Some("SQS") => {
                    let event = Properties::new(&place, "an SQS event", values, resolver);
                    self.add_event_source(event, &function)?;
                }
                _ => {
                    let problem = "the local stack knows events of the types HttpApi and SQS only";
                    return Err(TemplateError::refused(place, problem));
                }
            }
        }
        self.functions.insert(function.logical_id.clone(), function);
        Ok(())
    }

    fn add_route(
        &mut self,
        mut event: Properties<'_>,
        function: &Function,
    ) -> Result<(), TemplateError> {
        let method = event.required("Method")?.to_ascii_uppercase();
        let method = if method == "*" { "ANY".to_owned() } else { method };
        let path = event.required("Path")?;
        if !path.starts_with('/') {
            return Err(event.refused("Path", "a path starts with `/`"));
        }
        if path.split_once("+}").is_some_and(|(_, rest)| !rest.is_empty()) {
            return Err(event.refused("Path", "nothing can follow a `{name+}`"));
        }
        let timeout = event.whole("TimeoutInMillis", 50..=30_000)?.unwrap_or(30_000);
        if event.text("PayloadFormatVersion")?.is_some_and(|version| version != "2.0") {
            return Err(event.refused("PayloadFormatVersion", "the local stack speaks 2.0 only"));
        }
        if let Some(api) = event.text("ApiId")?
            && api != API_ID
        {
            let problem = format!("`{api}` is not an HttpApi of this template: use `!Ref`");
            return Err(event.refused("ApiId", &problem));
        }
        event.skip(&["RouteSettings"]);
        if let Some(other) =
            self.routes.iter().find(|route| route.method == method && route.path == path)
        {
            let problem = format!("`{method} {path}` leads to {} already", other.function);
            return Err(event.refused("Path", &problem));
        }
        event.finish()?;
        self.routes.push(Route {
            method,
            path,
            function: function.logical_id.clone(),
            timeout: Duration::from_millis(timeout),
        });
        Ok(())
    }

    fn add_event_source(
        &mut self,
        mut event: Properties<'_>,
        function: &Function,
    ) -> Result<(), TemplateError> {
        let arn = event.required("Queue")?;
        let Some((queue_id, queue)) = self.queues.iter().find(|(_, queue)| queue.arn == arn) else {
            let problem = format!("`{arn}` is not the ARN of a queue of this template");
            return Err(event.refused("Queue", &problem));
        };
        let visibility = queue.attributes.get("VisibilityTimeout").and_then(|s| s.parse().ok());
        if Duration::from_secs(visibility.unwrap_or(30)) < function.timeout {
            let problem = format!(
                "Lambda refuses a queue whose visibility timeout is shorter than the function's \
                 timeout, {} s: raise VisibilityTimeout of {queue_id}",
                function.timeout.as_secs()
            );
            return Err(event.refused("Queue", &problem));
        }
        let batch_size = event.whole("BatchSize", 1..=10_000)?.unwrap_or(10);
        let window = event.whole("MaximumBatchingWindowInSeconds", 0..=300)?.unwrap_or(0);
        if batch_size > 10 && window == 0 {
            let problem = "more than 10 needs a MaximumBatchingWindowInSeconds of 1 or more";
            return Err(event.refused("BatchSize", problem));
        }
        let response_types = event.value("FunctionResponseTypes")?;
        let reports_batch_item_failures = match &response_types {
            None => false,
            Some(Value::Array(types)) if types.as_slice() == ["ReportBatchItemFailures"] => true,
            Some(_) => {
                let problem = "the only type of response is [ReportBatchItemFailures]";
                return Err(event.refused("FunctionResponseTypes", problem));
            }
        };
        let maximum_concurrency = match event.nested("ScalingConfig", "ScalingConfig")? {
            None => None,
            Some(mut scaling) => {
                let maximum = scaling.whole("MaximumConcurrency", 2..=1_000)?;
                scaling.finish()?;
                maximum.and_then(|maximum| usize::try_from(maximum).ok())
            }
        };
        let source = EventSource {
            function: function.logical_id.clone(),
            queue: queue_id.clone(),
            batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX),
            batching_window: Duration::from_secs(window),
            reports_batch_item_failures,
            maximum_concurrency,
            enabled: event.flag("Enabled")?.unwrap_or(true),
        };
        event.finish()?;
        self.event_sources.push(source);
        Ok(())
    }
}

const FUNCTION: &str = "AWS::Serverless::Function";
const HTTP_API: &str = "AWS::Serverless::HttpApi";
const QUEUE: &str = "AWS::SQS::Queue";
const TABLE: &str = "AWS::DynamoDB::Table";

/// The API that SAM makes for an event without `ApiId`.
const IMPLICIT_HTTP_API: &str = "ServerlessHttpApi";

/// Resource types that mean nothing to functions on this machine.
const WITHOUT_EFFECT: &[&str] = &[
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::Route53::RecordSet",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
];

const FUNCTION_WITHOUT_EFFECT: &[&str] = &[
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CodeSigningConfigArn",
    "CodeUri",
    "DeploymentPreference",
    "Description",
    "EphemeralStorage",
    "KmsKeyArn",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "RolePath",
    "Runtime",
    "RuntimeManagementConfig",
    "SourceKMSKeyArn",
    "Tags",
    "Tracing",
    "VersionDescription",
    "VpcConfig",
];

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

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

const PSEUDO_PARAMETERS: &[(&str, &str)] = &[
    ("AWS::AccountId", ACCOUNT),
    ("AWS::Partition", "aws"),
    ("AWS::Region", REGION),
    ("AWS::StackId", "arn:aws:cloudformation:us-east-1:000000000000:stack/local/local"),
    ("AWS::StackName", "local"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// A resource of the template that its condition lets exist, not resolved yet.
struct Resource<'t> {
    logical_id: &'t str,
    kind: &'t str,
    /// The path of its properties.
    place: String,
    properties: Map<String, Value>,
    metadata: Option<&'t Value>,
}

impl<'t> Resource<'t> {
    fn all(template: &'t Value, resolver: &Resolver) -> Result<Vec<Self>, TemplateError> {
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
            let is_understood = [FUNCTION, HTTP_API, QUEUE, TABLE].contains(&kind);
            if !is_understood && !WITHOUT_EFFECT.contains(&kind) {
                let problem = format!(
                    "the local stack does not know resources of the type `{kind}`; it runs \
                     {FUNCTION}, {HTTP_API}, {QUEUE} and {TABLE}, and skips {}",
                    WITHOUT_EFFECT.join(", ")
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

    /// Tells the resolver what `Ref` and `Fn::GetAtt` of this resource are.
    fn define(&self, resolver: &mut Resolver, endpoints: &Endpoints) -> Result<(), TemplateError> {
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
                match kind {
                    "AWS::SNS::Topic" => resolver.define(id, arn),
                    "AWS::Logs::LogGroup" => {
                        let name = self.name("LogGroupName", resolver)?;
                        resolver.define(id, name);
                    }
                    _ => resolver.define(id, id),
                }
            }
        }
        Ok(())
    }

    /// The physical name: the value of `property`, or else the logical id.
    fn name(&self, property: &str, resolver: &Resolver) -> Result<String, TemplateError> {
        let Some(name) = self.properties.get(property) else {
            return Ok(self.logical_id.to_owned());
        };
        let place = format!("{}.{property}", self.place);
        match resolver.resolve(&place, name)? {
            Some(name) => plain(&place, &name),
            None => Ok(self.logical_id.to_owned()),
        }
    }

    fn binary(&self) -> Result<String, TemplateError> {
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

/// The properties of one thing: what is not taken by name, or skipped by name, is an error.
struct Properties<'r> {
    place: String,
    /// What they are the properties of, for the message.
    owner: &'static str,
    values: Map<String, Value>,
    known: Vec<&'static str>,
    resolver: &'r Resolver,
}

impl<'r> Properties<'r> {
    fn new(
        place: &str,
        owner: &'static str,
        values: Map<String, Value>,
        resolver: &'r Resolver,
    ) -> Self {
        Self { place: place.to_owned(), owner, values, known: Vec::new(), resolver }
    }

    fn refused(&self, property: &str, problem: &str) -> TemplateError {
        TemplateError::refused(format!("{}.{property}", self.place), problem)
    }

    fn value(&mut self, property: &'static str) -> Result<Option<Value>, TemplateError> {
        self.known.push(property);
        match self.values.remove(property) {
            Some(value) => self.resolver.resolve(&format!("{}.{property}", self.place), &value),
            None => Ok(None),
        }
    }

    fn text(&mut self, property: &'static str) -> Result<Option<String>, TemplateError> {
        let place = format!("{}.{property}", self.place);
        self.value(property)?.map(|value| plain(&place, &value)).transpose()
    }

    fn required(&mut self, property: &'static str) -> Result<String, TemplateError> {
        let value = self.text(property)?;
        value.ok_or_else(|| self.refused(property, "the property is missing"))
    }

    fn whole(
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

    fn flag(&mut self, property: &'static str) -> Result<Option<bool>, TemplateError> {
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

    fn entries(&mut self, property: &'static str) -> Result<Map<String, Value>, TemplateError> {
        match self.value(property)? {
            None => Ok(Map::new()),
            Some(Value::Object(entries)) => Ok(entries),
            Some(_) => Err(self.refused(property, "must be a map")),
        }
    }

    fn nested(
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
    fn skip(&mut self, properties: &[&'static str]) {
        self.known.extend(properties);
        self.values.retain(|property, _| !properties.contains(&property.as_str()));
    }

    /// Refuses what is left.
    fn finish(mut self) -> Result<(), TemplateError> {
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

fn known_keys(place: &str, value: &Value, known: &[&str]) -> Result<(), TemplateError> {
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

fn outputs(
    template: &Value,
    resolver: &Resolver,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut outputs = BTreeMap::new();
    for (name, output) in section(template, "Outputs")?.into_iter().flatten() {
        let place = format!("Outputs.{name}");
        known_keys(&place, output, &["Condition", "Description", "Export", "Value"])?;
        if let Some(condition) = output.get("Condition")
            && !resolver.condition(&place, &plain(&place, condition)?)?
        {
            continue;
        }
        let value = output.get("Value").unwrap_or(&Value::Null);
        if let Some(value) = resolver.resolve(&format!("{place}.Value"), value)? {
            outputs.insert(name.clone(), plain(&place, &value)?);
        }
    }
    Ok(outputs)
}

fn function_globals(template: &Value) -> Result<Map<String, Value>, TemplateError> {
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

/// Merges as SAM does ("Globals section"): maps by key, lists one after the other, and of anything
/// else the function's own value.
fn merged(globals: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = globals.clone();
    for (key, value) in own {
        let value = match (globals.get(key), value) {
            (Some(global), own) if is_intrinsic(global) || is_intrinsic(own) => own.clone(),
            (Some(Value::Object(global)), Value::Object(own)) => {
                Value::Object(self::merged(global, own))
            }
            (Some(Value::Array(global)), Value::Array(own)) => {
                Value::from([global.as_slice(), own].concat())
            }
            (_, own) => own.clone(),
        };
        merged.insert(key.clone(), value);
    }
    merged
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

fn http_api(resource: &Resource<'_>, resolver: &Resolver) -> Result<(), TemplateError> {
    let values = resource.properties.clone();
    let mut properties = Properties::new(&resource.place, "an HttpApi", values, resolver);
    if properties.text("StageName")?.is_some_and(|stage| stage != "$default") {
        let problem = "the local stack serves the stage `$default` only";
        return Err(properties.refused("StageName", problem));
    }
    properties.skip(&[
        "AccessLogSettings",
        "DefaultRouteSettings",
        "Description",
        "DisableExecuteApiEndpoint",
        "Domain",
        "FailOnWarnings",
        "Name",
        "PropagateTags",
        "RouteSettings",
        "Tags",
    ]);
    properties.finish()
}

fn queue(
    resource: &Resource<'_>,
    resolver: &Resolver,
    endpoints: &Endpoints,
) -> Result<Queue, TemplateError> {
    let name = resource.name("QueueName", resolver)?;
    let values = resource.properties.clone();
    let mut properties = Properties::new(&resource.place, "an SQS queue", values, resolver);
    let mut attributes = BTreeMap::new();
    for attribute in [
        "DelaySeconds",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    ] {
        if let Some(value) = properties.text(attribute)? {
            attributes.insert(attribute.to_owned(), value);
        }
    }
    for (attribute, known) in [
        ("RedrivePolicy", ["deadLetterTargetArn", "maxReceiveCount"]),
        ("RedriveAllowPolicy", ["redrivePermission", "sourceQueueArns"]),
    ] {
        if let Some(policy) = properties.value(attribute)? {
            known_keys(&format!("{}.{attribute}", resource.place), &policy, &known)?;
            attributes.insert(attribute.to_owned(), policy.to_string());
        }
    }
    properties.skip(&["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "QueueName", "Tags"]);
    properties.finish()?;
    Ok(Queue { url: queue_url(endpoints, &name), arn: arn("sqs", &name), name, attributes })
}

fn table(resource: &Resource<'_>, resolver: &Resolver) -> Result<Table, TemplateError> {
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
    properties.skip(&[
        "ContributorInsightsSpecification",
        "DeletionProtectionEnabled",
        "KinesisStreamSpecification",
        "OnDemandThroughput",
        "PointInTimeRecoverySpecification",
        "ResourcePolicy",
        "SSESpecification",
        "StreamSpecification",
        "TableClass",
        "TableName",
        "Tags",
        "WarmThroughput",
    ]);
    properties.finish()?;
    let arn = arn("dynamodb", &format!("table/{name}"));
    Ok(Table { name, arn, create_table: Value::Object(request), time_to_live })
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

fn queue_url(endpoints: &Endpoints, name: &str) -> String {
    format!("{}/{ACCOUNT}/{name}", endpoints.sqs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  BaseUrl: { Type: String, Default: "" }
  Stage: { Type: String, Default: dev }
Conditions:
  Production: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    CodeUri: .
    MemorySize: 256
    Timeout: 10
    LoggingConfig: { LogFormat: JSON, ApplicationLogLevel: DEBUG, SystemLogLevel: WARN }
    Environment: { Variables: { TABLE: !Ref Tenants, BASE_URL: !Ref BaseUrl, SHARED: global } }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: { StageName: $default }
  Tenants:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expires, Enabled: true }
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
  Receiver:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: receiver } }
    Properties:
      Role: !GetAtt ReceiverRole.Arn
      Environment: { Variables: { QUEUE_URL: !Ref Issues, SHARED: own } }
      Events:
        Webhook:
          Type: HttpApi
          Properties: { ApiId: !Ref Api, Method: post, Path: /issue-created }
  ReceiverRole:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Anything: !ImportValue goes } }
  Issues:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 180
      SqsManagedSseEnabled: true
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt DeadLetters.Arn
        maxReceiveCount: 5
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${AWS::StackName}-dead" }
  Handler:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: issue-created } }
    Properties:
      Timeout: 30
      Events:
        Deliveries:
          Type: SQS
          Properties:
            Queue: !GetAtt Issues.Arn
            BatchSize: 20
            MaximumBatchingWindowInSeconds: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 4 }
  Paging:
    Type: AWS::SNS::Topic
    Condition: Production
Outputs:
  QueueUrl: { Value: !Ref Issues }
  Pager: { Value: !Ref Paging, Condition: Production }
"#;

    #[test]
    fn reads_a_whole_template() {
        let deployment = read(TEMPLATE).unwrap();

        let receiver = &deployment.functions["Receiver"];
        assert_eq!(receiver.binary, "receiver");
        assert_eq!(receiver.arn, "arn:aws:lambda:us-east-1:000000000000:function:Receiver");
        assert_eq!(receiver.timeout, Duration::from_secs(10));
        assert_eq!(receiver.memory_size, 256);
        assert_eq!(receiver.log_level.as_deref(), Some("DEBUG"));
        assert_eq!(
            receiver.environment,
            variables(&[
                ("BASE_URL", "http://127.0.0.1:8080"),
                ("QUEUE_URL", "http://127.0.0.1:9324/000000000000/Issues"),
                ("SHARED", "own"),
                ("TABLE", "Tenants"),
            ])
        );
        assert_eq!(
            deployment.routes,
            [Route {
                method: "POST".to_owned(),
                path: "/issue-created".to_owned(),
                function: "Receiver".to_owned(),
                timeout: Duration::from_secs(30),
            }]
        );
        assert_eq!(deployment.functions["Handler"].timeout, Duration::from_secs(30));
        let [source] = deployment.event_sources.as_slice() else { panic!("one event source") };
        assert_eq!((source.function.as_str(), source.queue.as_str()), ("Handler", "Issues"));
        assert_eq!((source.batch_size, source.batching_window.as_secs()), (20, 1));
        assert_eq!(source.maximum_concurrency, Some(4));
        assert!(source.reports_batch_item_failures && source.enabled);
        let outputs = [("QueueUrl", "http://127.0.0.1:9324/000000000000/Issues")];
        assert_eq!(deployment.outputs, variables(&outputs));
    }

    #[test]
    fn makes_attributes_and_requests_as_the_services_take_them() {
        let deployment = read(TEMPLATE).unwrap();

        let queue = &deployment.queues["Issues"];
        assert_eq!(queue.arn, "arn:aws:sqs:us-east-1:000000000000:Issues");
        assert_eq!(queue.attributes["VisibilityTimeout"], "180");
        assert_eq!(queue.attributes["SqsManagedSseEnabled"], "true");
        assert_eq!(
            serde_json::from_str::<Value>(&queue.attributes["RedrivePolicy"]).unwrap(),
            json!({
                "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:local-dead",
                "maxReceiveCount": 5,
            })
        );
        let table = &deployment.tables["Tenants"];
        assert_eq!(
            table.create_table,
            json!({
                "TableName": "Tenants",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            })
        );
        assert_eq!(table.time_to_live, Some(json!({"AttributeName": "expires", "Enabled": true})));
    }

    #[test]
    fn a_given_base_url_stays() {
        let parameters = variables(&[("BaseUrl", "https://example.com"), ("Stage", "prod")]);
        let deployment = Deployment::read(TEMPLATE, &parameters, &endpoints()).unwrap();

        assert_eq!(deployment.functions["Handler"].environment["BASE_URL"], "https://example.com");
        assert_eq!(deployment.outputs["Pager"], "arn:aws:sns:us-east-1:000000000000:Paging");
    }

    #[test]
    fn refuses_a_misspelt_property_by_its_name() {
        for (written, misspelt, place) in [
            ("BatchSize:", "BatchSiz:", "Handler.Properties.Events.Deliveries.Properties.BatchSiz"),
            ("Method:", "Methode:", "Receiver.Properties.Events.Webhook.Properties.Method"),
            ("VisibilityTimeout:", "Visibility:", "Issues.Properties.Visibility"),
            ("maxReceiveCount:", "maxRecieveCount:", "RedrivePolicy.maxRecieveCount"),
            ("MemorySize:", "Memory:", "Handler.Properties.Memory"),
            ("ApplicationLogLevel:", "LogLevel:", "LoggingConfig.LogLevel"),
            ("KeySchema:", "KeyScheme:", "Tenants.Properties.KeyScheme"),
            ("MaximumConcurrency:", "MaxConcurrency:", "ScalingConfig.MaxConcurrency"),
            ("DeletionPolicy:", "DeletePolicy:", "Tenants.DeletePolicy"),
            ("Outputs:", "Output:", "template.Output"),
        ] {
            let error = read(&TEMPLATE.replace(written, misspelt)).unwrap_err().to_string();

            assert!(error.contains(place), "{misspelt} {error}");
        }
    }

    #[test]
    fn names_the_known_properties_when_it_refuses_one() {
        let error = read(&TEMPLATE.replace("BatchSize:", "BatchSiz:")).unwrap_err();

        let known = "of an SQS event: correct its name or remove it; known are BatchSize, Enabled, \
                     FunctionResponseTypes, MaximumBatchingWindowInSeconds, Queue, ScalingConfig";
        assert!(error.to_string().ends_with(known), "{error}");
    }

    #[test]
    fn refuses_what_the_services_would_refuse() {
        for (written, wrong, problem) in [
            ("BatchSize: 20", "BatchSize: 10001", "not a whole number from 1 to 10000"),
            ("MaximumBatchingWindowInSeconds: 1", "Enabled: true", "more than 10 needs a Maximum"),
            ("[ReportBatchItemFailures]", "[ReportFailures]", "only type of response"),
            ("Queue: !GetAtt Issues.Arn", "Queue: !Ref Issues", "is not the ARN of a queue"),
            ("VisibilityTimeout: 180", "VisibilityTimeout: 29", "raise VisibilityTimeout"),
            ("VisibilityTimeout: 180", "DelaySeconds: 1\n      Tags: []", ""),
            ("Timeout: 30", "Timeout: 901", "not a whole number from 1 to 900"),
            ("ApiId: !Ref Api", "ApiId: !Ref Issues", "is not an HttpApi of this template"),
            ("Path: /issue-created", "Path: issue-created", "starts with `/`"),
            ("Path: /issue-created", "Path: '/{all+}/more'", "nothing can follow"),
            ("StageName: $default", "StageName: prod", "the stage `$default` only"),
            ("SHARED: own", "AWS_REGION: own", "Lambda reserves this variable"),
            ("Type: HttpApi", "Type: Schedule", "of the types HttpApi and SQS only"),
            ("Type: AWS::SNS::Topic", "Type: AWS::SNS::Topik", "of the type `AWS::SNS::Topik`"),
            ("Binary: receiver", "Binari: receiver", "name a binary of the workspace"),
            ("LogFormat: JSON", "LogFormat: json", "must be JSON or Text"),
        ] {
            let changed = TEMPLATE.replace(written, wrong);
            assert_ne!(changed, TEMPLATE, "{written}");
            match (read(&changed), problem) {
                (Ok(_), "") => {}
                (Ok(_), _) => panic!("{wrong} was not refused"),
                (Err(error), problem) => {
                    assert!(!problem.is_empty(), "{wrong}: {error}");
                    assert!(error.to_string().contains(problem), "{error}");
                }
            }
        }
    }

    #[test]
    fn refuses_two_functions_on_one_route() {
        let twice = TEMPLATE.replace(
            "Deliveries:",
            "Again: { Type: HttpApi, Properties: { Method: POST, Path: /issue-created } }\n        \
             Deliveries:",
        );

        let error = read(&twice).unwrap_err().to_string();
        assert!(error.contains("`POST /issue-created` leads to Handler already"), "{error}");
    }

    fn read(template: &str) -> Result<Deployment, TemplateError> {
        Deployment::read(template, &BTreeMap::new(), &endpoints())
    }

    fn endpoints() -> Endpoints {
        Endpoints {
            http_api: "http://127.0.0.1:8080".to_owned(),
            sqs: "http://127.0.0.1:9324".to_owned(),
            dynamodb: "http://127.0.0.1:8000".to_owned(),
            kms: "http://127.0.0.1:8080".to_owned(),
            s3: "http://127.0.0.1:9090".to_owned(),
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}
