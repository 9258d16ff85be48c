//! The app's own configuration: what its handlers need beyond the descriptor, and what else its
//! stack has.
//!
//! The file is `infra/atlassian-hooks.yaml`, beside the descriptor. An app without the file has the
//! defaults. The tool reads it and never writes it. Values can be CloudFormation's functions in
//! their short form, such as `!Ref Notes` and `!GetAtt Notes.Arn`, because they are written into
//! the template as they are.

use std::collections::BTreeMap;

use atlassian_connect::lifecycle::Callback;
use atlassian_forge::manifest::Manifest;
use sam_template::{TemplateError, is_intrinsic, parse};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signed_webhooks::{Declared, Events, Kind, Path};

use crate::TemplateOptions;
use crate::plan::{Declarations, Plan, Receiver, endpoint_handler, is_handler_name};

/// The path of the file in an app.
pub const PATH: &str = "infra/atlassian-hooks.yaml";

/// The handler of the inspector.
pub const INSPECTOR: &str = "inspector";

/// An app's configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// The name of an app that has signed webhooks alone, neither a descriptor nor a manifest. The secrets
    /// of its tenants are encrypted for this name, so it cannot be changed later.
    pub app: Option<String>,
    /// The optional parts of the template.
    #[serde(deserialize_with = "or_default")]
    pub template: TemplateOptions,
    /// Settings of handlers, by the handler's name.
    #[serde(deserialize_with = "or_default")]
    pub handlers: BTreeMap<String, HandlerSettings>,
    /// Settings of all receivers.
    #[serde(deserialize_with = "or_default")]
    pub receivers: ReceiverSettings,
    /// Settings of the lifecycle function, and what happens with the tenants' lifecycle callbacks
    /// besides recording them.
    pub lifecycle: Option<LifecycleSettings>,
    /// Settings of what the manifest of a Forge app declares.
    #[serde(deserialize_with = "or_default")]
    pub forge: ForgeSettings,
    /// URLs of webhooks that a product signs with a secret, by their paths, such as
    /// `/hooks/{tenant}/jira`. An administrator or an OAuth 2.0 app registers the URL of a tenant, whose
    /// name and secret `cargo hooks tenants add` records.
    #[serde(deserialize_with = "or_default")]
    pub webhooks: BTreeMap<String, SignedWebhook>,
    /// The server that the app ran on before, such as `https://origin.example.com`. The API sends it
    /// every request that is not for a webhook, a lifecycle callback or the descriptor, and the
    /// lifecycle function forwards recorded callbacks to it.
    #[serde(rename = "existingServer")]
    pub existing_server: Option<Value>,
    /// The account's quota of concurrent executions of functions. It is 1000 in most accounts, and
    /// less in a new one.
    #[serde(rename = "concurrencyQuota")]
    pub concurrency_quota: Option<u64>,
    /// Tags of every resource that can have some.
    #[serde(deserialize_with = "or_default")]
    pub tags: Map<String, Value>,
    /// The ARN of the permissions boundary of all roles.
    #[serde(rename = "permissionsBoundary")]
    pub permissions_boundary: Option<Value>,
    /// The path of all roles, such as `/hooks/`.
    #[serde(rename = "rolePath")]
    pub role_path: Option<String>,
    /// Further parameters of the template.
    #[serde(rename = "Parameters", deserialize_with = "or_default")]
    pub parameters: Map<String, Value>,
    /// Further conditions of the template.
    #[serde(rename = "Conditions", deserialize_with = "or_default")]
    pub conditions: Map<String, Value>,
    /// The app's own resources.
    #[serde(rename = "Resources", deserialize_with = "or_default")]
    pub resources: Map<String, Value>,
    /// Further outputs of the template.
    #[serde(rename = "Outputs", deserialize_with = "or_default")]
    pub outputs: Map<String, Value>,
}

/// The settings of one handler. What is not set has the default of all handlers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
pub struct HandlerSettings {
    /// The memory of the function, in MB.
    pub memory: Option<u32>,
    /// The timeout of the function, in seconds. The visibility timeout of its queue is six times as
    /// long, plus the batching window.
    pub timeout: Option<u32>,
    /// The maximum number of events in a batch.
    pub batch_size: Option<u32>,
    /// How long to wait for a full batch, in seconds.
    pub batch_window: Option<u32>,
    /// The maximum number of batches that are handled at the same time. Otherwise the parameter
    /// `HandlerConcurrency`.
    pub maximum_concurrency: Option<u32>,
    /// The concurrency that is reserved for the function, and its maximum.
    pub reserved_concurrency: Option<u32>,
    /// Environment variables.
    #[serde(deserialize_with = "or_default")]
    pub environment: Map<String, Value>,
    /// IAM statements of the function's role, as in a policy document.
    #[serde(deserialize_with = "or_default")]
    pub statements: Vec<Value>,
    /// The products whose API the handler calls, as the app or as a user.
    #[serde(deserialize_with = "or_default")]
    pub calls: Vec<Product>,
    /// The subnets and security groups of the function, as `VpcConfig` of a SAM function.
    pub vpc: Option<Value>,
    /// ARNs of layers.
    #[serde(deserialize_with = "or_default")]
    pub layers: Vec<Value>,
    /// The log level of the function. Otherwise the parameter `LogLevel`.
    pub log_level: Option<LogLevel>,
    /// Thresholds of the handler's alarms.
    #[serde(deserialize_with = "or_default")]
    pub alarms: AlarmThresholds,
}

/// A product whose API a handler can call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// Jira.
    Jira,
    /// Confluence.
    Confluence,
}

/// A log level.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Everything, for the search of an error.
    Debug,
    /// What happened to each delivery.
    Info,
    /// What should be looked at.
    Warn,
    /// What failed.
    Error,
}

/// The thresholds of a handler's alarms.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
pub struct AlarmThresholds {
    /// How long the oldest event may wait, in seconds.
    pub backlog: Option<u32>,
    /// How many dead letters raise the alarm.
    pub dead_letters: Option<u32>,
}

/// Settings of all receivers.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
pub struct ReceiverSettings {
    /// The concurrency that is reserved for each receiver, and its maximum. Neither handlers nor
    /// other functions of the account can take it.
    pub reserved_concurrency: Option<u32>,
}

/// Settings of the lifecycle function, and what happens with lifecycle callbacks besides recording
/// them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
pub struct LifecycleSettings {
    /// The handler that gets each recorded callback through its queue.
    pub handler: Option<String>,
    /// The concurrency that is reserved for the lifecycle function, and its maximum.
    pub reserved_concurrency: Option<u32>,
}

/// Settings of what the manifest of a Forge app declares.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
pub struct ForgeSettings {
    /// Settings of endpoints, by the endpoint's key.
    #[serde(deserialize_with = "or_default")]
    pub endpoints: BTreeMap<String, EndpointSettings>,
}

/// The settings of one endpoint.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
pub struct EndpointSettings {
    /// The handler of its events. Otherwise it has the endpoint's key, with hyphens between its words.
    pub handler: Option<String>,
}

/// A URL of webhooks that a product signs with a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignedWebhook {
    /// The product that sends, and the way in which its webhooks are registered.
    #[schemars(schema_with = "kinds")]
    pub kind: Kind,
    /// The names of the events that are queued, or the word `all`.
    #[schemars(schema_with = "events")]
    pub events: Events,
    /// The handler of the events.
    pub handler: String,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Kind::ALL.map(Kind::as_str) })
}

fn events(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "const": Events::ALL },
        { "type": "array", "items": { "type": "string" }, "minItems": 1 },
    ] })
}

/// What is wrong with a configuration, where, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {advice}")]
pub struct Problem {
    /// The path of keys from the top of the file. Empty if the file is not YAML.
    pub place: String,
    /// What is wrong, and what to do.
    pub advice: String,
}

/// The JSON Schema of the file.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Configuration);
    schema.insert("title".into(), "Configuration of an atlassian-hooks app".into());
    schema.to_value()
}

impl Configuration {
    /// Reads the text of the file. It can be empty.
    ///
    /// # Errors
    ///
    /// Returns a [`Problem`] if it is not YAML, or has a key or a value that it cannot have.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let document = parse(text).map_err(|error| match error {
            TemplateError::Syntax(error) => {
                Problem::at("", format!("it is not valid YAML: {error}"))
            }
            TemplateError::Refused { place, problem } => Problem::at(place, problem),
        })?;
        if document.is_null() {
            return Ok(Self::default());
        }
        serde_path_to_error::deserialize(document).map_err(|error| {
            let place = error.path().to_string();
            Problem::at(place, format!("{}; correct it", error.inner()))
        })
    }

    /// Whether a logical id is one of the app's own resources.
    pub fn owns(&self, logical_id: &str) -> bool {
        self.resources.contains_key(logical_id)
    }

    /// The problems that can only be seen together with what the app declares.
    pub fn problems<'a>(&self, declared: impl Into<Declarations<'a>>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let declared = declared.into();
        let plan = Plan::of(declared, self);
        let names: Vec<&str> = plan.handlers.iter().map(|handler| &*handler.name).collect();
        for (name, settings) in &self.handlers {
            let place = format!("handlers.{name}");
            if !names.contains(&&**name) {
                let advice = format!(
                    "no declared URL leads to this handler; correct the name, one of {}",
                    names.join(", ")
                );
                problems.push(Problem::at(&*place, advice));
            }
            if !settings.calls.is_empty() && !plan.connect {
                let advice = "the API of a site is called with the secret of its tenant, which only a \
                              Connect app has, and there is no infra/atlassian-connect.json; delete it";
                problems.push(Problem::at(format!("{place}.calls"), advice));
            }
            problems.extend(settings.problems(&place));
        }
        problems.extend(self.forge.problems(declared.manifest, self));
        problems.extend(self.webhook_problems(&plan));
        problems.extend(self.app_problem(&plan));
        if self.template.inspector && !names.contains(&INSPECTOR) {
            let advice = format!(
                "no declared URL has the handler {INSPECTOR}; create an app that has with \
                 `cargo hooks new webhook-inspector --inspector`"
            );
            problems.push(Problem::at("template.inspector", advice));
        }
        let lifecycle = self.lifecycle.as_ref();
        for (place, reserved) in [
            ("receivers.reservedConcurrency", self.receivers.reserved_concurrency),
            (
                "lifecycle.reservedConcurrency",
                lifecycle.and_then(|settings| settings.reserved_concurrency),
            ),
        ] {
            // Lambda takes 0, and the function would answer nothing.
            if reserved == Some(0) {
                problems.push(Problem::at(place, "must be at least 1; raise it, or delete it"));
            }
        }
        if let Some(handler) = lifecycle.and_then(|settings| settings.handler.as_ref())
            && !is_handler_name(handler)
        {
            problems.push(Problem::at("lifecycle.handler", HANDLER_NAME));
        }
        if lifecycle.is_some() && !plan.connect {
            let advice = "lifecycle callbacks are sent to a Connect app, and there is no \
                          infra/atlassian-connect.json; delete it, and take avi:forge:installed:app \
                          and preUninstall in the manifest instead";
            problems.push(Problem::at("lifecycle", advice));
        }
        problems.extend(self.existing_server.as_ref().and_then(|url| self.server_problem(url)));
        if let Some(path) = &self.role_path
            && !(path.starts_with('/') && path.ends_with('/'))
        {
            problems.push(Problem::at("rolePath", "must begin and end with a slash"));
        }
        for (id, resource) in &self.resources {
            let place = format!("Resources.{id}");
            if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                problems.push(Problem::at(&*place, "a logical id has letters and digits only"));
            }
            if resource.get("Type").and_then(Value::as_str).is_none() {
                problems.push(Problem::at(place, "Type is missing; add the type of the resource"));
            }
        }
        problems.extend(self.taken(declared));
        problems
    }

    /// What is wrong with the name of the app.
    fn app_problem(&self, plan: &Plan) -> Option<Problem> {
        let name = self.app.as_ref()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let advice = if plan.connect || plan.forge {
            "the app has the key of its descriptor, or the id of its manifest; delete it"
        } else if self.webhooks.is_empty() {
            "the app declares no webhook; add one to webhooks"
        } else if name.is_empty() || name.len() > 80 || !name.bytes().all(plain) {
            "must be 1 to 80 letters, digits, `-`, `_` and `.`; choose another"
        } else {
            return None;
        };
        Some(Problem::at("app", advice))
    }

    /// The URLs of signed webhooks, by their paths. One whose path is not valid is left out.
    pub fn signed(&self) -> Vec<Declared> {
        let url = |(path, webhook): (&String, &SignedWebhook)| {
            let (path, SignedWebhook { kind, events, .. }) = (path.parse().ok()?, webhook);
            Some(Declared { path, kind: *kind, events: events.clone() })
        };
        self.webhooks.iter().filter_map(url).collect()
    }

    /// What is wrong with the URLs of signed webhooks, alone and beside the other URLs.
    fn webhook_problems(&self, plan: &Plan) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (path, webhook) in &self.webhooks {
            let place = format!("webhooks.{path}");
            let mut problem = |advice: String| problems.push(Problem::at(&*place, advice));
            if let Err(invalid) = path.parse::<Path>() {
                problem(invalid.to_string());
                continue;
            }
            if !is_handler_name(&webhook.handler) {
                problem(HANDLER_NAME.to_owned());
            }
            if let Events::Only(events) = &webhook.events {
                if events.is_empty() {
                    problem("events is empty; name the events, or set it to all".to_owned());
                }
                let callback =
                    events.iter().find(|event| Callback::parse(event.as_str()).is_some());
                if let Some(callback) = callback {
                    problem(format!(
                        "{callback} is a lifecycle callback of Connect, and no product signs one with \
                         a tenant's secret; delete it"
                    ));
                }
            }
            // API Gateway does not compare the names of variables.
            let shape = |route: &str| {
                let segments =
                    route.split('/').map(|one| if one.starts_with('{') { "{}" } else { one });
                segments.collect::<Vec<_>>().join("/")
            };
            let Some(own) = plan.urls.iter().find(|url| url.is_signed_at(path)) else { continue };
            let others = plan.urls.iter().filter(|url| !url.is_signed_at(path));
            let callbacks = plan.lifecycle.values();
            if let Receiver::Signed { declared } = &own.receiver
                && declared.len() > MAX_DECLARED
            {
                problem(format!(
                    "its events take {} bytes of the {MAX_DECLARED} that fit into a function's \
                     environment; set events to all, or give some a URL of their own",
                    declared.len()
                ));
            }
            for other in others {
                if shape(&other.route) == shape(path) {
                    problem(format!(
                        "its path is also that of {}, and a URL belongs to one sender; choose another",
                        other.route
                    ));
                } else if other.id == own.id {
                    problem(format!(
                        "its function would have the name of that of {}; choose another path",
                        other.route
                    ));
                }
            }
            if callbacks.into_iter().any(|callback| shape(callback) == shape(path)) {
                problem("its path is also that of a lifecycle callback; choose another".to_owned());
            }
            let handlers = plan.handlers.iter().filter(|handler| handler.id == own.handler.id);
            for handler in handlers.filter(|handler| handler.name != own.handler.name) {
                problem(format!(
                    "the handlers {} and {} would have the same name in the template; rename one",
                    own.handler.name, handler.name
                ));
            }
        }
        problems
    }

    /// What is wrong with the URL of the existing server: the text, or the default of the app's own
    /// parameter that it refers to. Other functions are left to CloudFormation.
    fn server_problem(&self, url: &Value) -> Option<Problem> {
        let refers_to = url.get("Ref").and_then(Value::as_str);
        let parameter = refers_to.and_then(|name| Some((name, self.parameters.get(name)?)));
        let (place, url) = match parameter {
            Some((name, parameter)) => {
                (format!("Parameters.{name}.Default"), parameter.get("Default")?)
            }
            None if is_intrinsic(url) => return None,
            None => ("existingServer".to_owned(), url),
        };
        let advice = "must be https:// and a host, such as https://origin.example.com, without a \
                      path, because requests keep their own; correct it";
        (!url.as_str().is_some_and(is_https_origin)).then(|| Problem::at(place, advice))
    }

    /// The names that the template uses itself.
    fn taken(&self, declared: Declarations<'_>) -> Vec<Problem> {
        let mut bare = Self {
            parameters: Map::new(),
            conditions: Map::new(),
            resources: Map::new(),
            outputs: Map::new(),
            ..self.clone()
        };
        bare.handlers.values_mut().for_each(|settings| settings.environment.clear());
        // Both can only fail by a mistake in the generator, which its own tests find.
        let text = crate::render(declared, &bare).unwrap_or_default();
        let template = parse(&text).unwrap_or_default();
        let sections = [
            ("Parameters", &self.parameters),
            ("Conditions", &self.conditions),
            ("Resources", &self.resources),
            ("Outputs", &self.outputs),
        ];
        let taken = sections.into_iter().flat_map(|(section, own)| {
            let taken = own.keys().filter(|name| template[section].get(&**name).is_some());
            taken.map(move |name| (section, name)).collect::<Vec<_>>()
        });
        let mut problems: Vec<Problem> = taken
            .map(|(section, name)| {
                let place = format!("{section}.{name}");
                Problem::at(place, "the template uses this name itself; choose another")
            })
            .collect();
        for handler in &Plan::of(declared, self).handlers {
            let variables =
                format!("/Resources/{}Handler/Properties/Environment/Variables", handler.id);
            let written = template.pointer(&variables);
            let own = handler.settings.environment.keys();
            let taken = own.filter(|name| written.is_some_and(|set| set.get(&**name).is_some()));
            problems.extend(taken.map(|name| {
                let place = format!("handlers.{}.environment.{name}", handler.name);
                Problem::at(place, "the template sets this variable itself; choose another")
            }));
        }
        problems
    }
}

impl ForgeSettings {
    fn problems(&self, manifest: Option<&Manifest>, configuration: &Configuration) -> Vec<Problem> {
        let endpoints = manifest.map_or(&[][..], |manifest| &manifest.modules.endpoint);
        let keys: Vec<&str> = endpoints.iter().map(|endpoint| &*endpoint.key).collect();
        let unknown = self.endpoints.keys().filter(|key| !keys.contains(&key.as_str()));
        let unknown = unknown.map(|key| {
            let advice = match &keys[..] {
                [] => "there is no endpoint in infra/manifest.yml; delete it".to_owned(),
                keys => format!(
                    "infra/manifest.yml has no such endpoint; correct the key, one of {}",
                    keys.join(", ")
                ),
            };
            Problem::at(format!("forge.endpoints.{key}"), advice)
        });
        let misnamed = self.endpoints.keys().filter(|key| {
            keys.contains(&key.as_str()) && !is_handler_name(&endpoint_handler(key, configuration))
        });
        let misnamed =
            misnamed.map(|key| Problem::at(format!("forge.endpoints.{key}.handler"), HANDLER_NAME));
        unknown.chain(misnamed).collect()
    }
}

impl HandlerSettings {
    fn problems(&self, place: &str) -> Vec<Problem> {
        let numbers = [
            ("memory", self.memory, 128..=10_240),
            ("timeout", self.timeout, 1..=900),
            ("batchSize", self.batch_size, 1..=10_000),
            ("batchWindow", self.batch_window, 0..=300),
            ("maximumConcurrency", self.maximum_concurrency, 2..=1000),
            ("reservedConcurrency", self.reserved_concurrency, 1..=100_000),
        ];
        let mut problems = Vec::new();
        for (key, number, range) in numbers {
            if number.is_some_and(|number| !range.contains(&number)) {
                let advice = format!("must be {} to {}", range.start(), range.end());
                problems.push(Problem::at(format!("{place}.{key}"), advice));
            }
        }
        if self.batch_size.is_some_and(|size| size > 10) && self.batch_window.unwrap_or(0) == 0 {
            let advice = "a batch of more than 10 needs a batchWindow of at least 1; set it";
            problems.push(Problem::at(format!("{place}.batchSize"), advice));
        }
        if let (Some(reserved), Some(maximum)) =
            (self.reserved_concurrency, self.maximum_concurrency)
            && reserved < maximum
        {
            let advice = format!(
                "is less than maximumConcurrency, {maximum}, so batches would be throttled; raise it"
            );
            problems.push(Problem::at(format!("{place}.reservedConcurrency"), advice));
        }
        for (name, value) in &self.environment {
            let place = format!("{place}.environment.{name}");
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.bytes().all(is_word) {
                let advice =
                    "a variable's name begins with a letter, and has letters, digits and _";
                problems.push(Problem::at(place, advice));
            } else if name.starts_with("AWS_") {
                problems.push(Problem::at(place, "AWS reserves AWS_; choose another name"));
            } else if !is_intrinsic(value) && (value.is_object() || value.is_array()) {
                problems.push(Problem::at(place, "must be one value, or a function such as !Ref"));
            }
        }
        for (number, statement) in self.statements.iter().enumerate() {
            let has = |key: &str| statement.get(key).is_some();
            if !has("Effect") || !has("Action") || !has("Resource") {
                let advice = "a statement needs Effect, Action and Resource; add what is missing";
                problems.push(Problem::at(format!("{place}.statements[{number}]"), advice));
            }
        }
        problems
    }
}

/// The maximum size of the variable with a URL of signed webhooks, in bytes: Lambda's limit of 4 KB for
/// an environment, less the other variables.
const MAX_DECLARED: usize = 2560;

impl Problem {
    fn at(place: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { place: place.into(), advice: advice.into() }
    }
}

/// Reads a value, and takes a key without a value for the default: `handlers:` alone is a map
/// without entries.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Whether a text is a URL of HTTPS with a host, perhaps a port, and nothing else.
pub(crate) fn is_https_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && host.bytes().all(is_part)
}

/// What to do about a name that a handler cannot have.
const HANDLER_NAME: &str = "a handler's name has lowercase letters, digits and single hyphens, at most \
                            40 characters, and is not that of another function; choose another";
