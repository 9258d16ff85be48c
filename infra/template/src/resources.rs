//! The resources of a template as other tools can read them: `cargo hooks plan`.
//!
//! They are read from the template itself, so they are what would be deployed. Parameters and
//! conditions have their values. A reference to a resource stays a text in the syntax of
//! `Fn::Sub`: `${IssueCreatedQueue.Arn}` for `!GetAtt IssueCreatedQueue.Arn`, and
//! `${IssueCreatedQueue}` for `!Ref IssueCreatedQueue`. So do pseudo parameters, such as
//! `${AWS::Region}`.

use std::collections::{BTreeMap, BTreeSet};

use sam_template::resource_type::{FUNCTION, QUEUE, ROLE, TABLE};
use sam_template::{Part, Resolver, TemplateError, merged, parts, pseudo_parameter, section};
use serde::Serialize;
use serde_json::{Map, Value};

/// The version of the JSON form of [`Resources`]. A member that is renamed, removed or changes its
/// meaning raises it; a new member does not.
pub const SCHEMA: u32 = 1;

/// The resources of a template whose conditions hold, in the order of their logical ids.
#[derive(Clone, Debug, Serialize)]
pub struct Resources {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The values of the template's parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The functions, merged with `Globals`.
    pub functions: Vec<Function>,
    /// The roles of the functions.
    pub roles: Vec<Role>,
    /// The queues, dead-letter queues included.
    pub queues: Vec<Resource>,
    /// The tables.
    pub tables: Vec<Resource>,
    /// Everything else: the API, the key, log groups, alarms, the dashboard.
    pub others: Vec<Resource>,
}

/// A function: `AWS::Serverless::Function`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// Its logical id.
    pub id: String,
    /// The program that it runs: `BuildProperties.Binary`.
    pub binary: Option<String>,
    /// The URLs that invoke it.
    pub routes: Vec<Route>,
    /// The queues that invoke it.
    pub event_sources: Vec<EventSource>,
    /// The processor.
    pub architecture: String,
    /// `Runtime`.
    pub runtime: Option<String>,
    /// `Handler`.
    pub handler: Option<String>,
    /// The memory in MB.
    pub memory: u64,
    /// The timeout in seconds.
    pub timeout: u64,
    /// The environment variables.
    pub variables: Map<String, Value>,
    /// The logical id of its role.
    pub role: Option<String>,
    /// `LoggingConfig`.
    pub logging: Option<Value>,
    /// `Tracing`.
    pub tracing: Option<String>,
    /// `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<u64>,
    /// `VpcConfig`.
    pub vpc: Option<Value>,
    /// `Layers`.
    pub layers: Option<Value>,
    /// `Tags`.
    pub tags: Option<Value>,
}

/// A route of the API.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// The method of HTTP.
    pub method: String,
    /// The path, with variables as `{issue_key}`.
    pub path: String,
}

/// A queue that invokes a function.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventSource {
    /// The logical id of the queue.
    pub queue: Option<String>,
    /// The most messages of a batch.
    pub batch_size: u64,
    /// How long a batch is collected, in seconds.
    pub batch_window: u64,
    /// The most batches at the same time.
    pub maximum_concurrency: Option<u64>,
    /// `FunctionResponseTypes`.
    pub response_types: Option<Value>,
}

/// A role: `AWS::IAM::Role`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its logical id.
    pub id: String,
    /// Who may assume it: `AssumeRolePolicyDocument`.
    pub trust: Option<Value>,
    /// The statements of all its inline policies.
    pub statements: Vec<Value>,
    /// The ARNs of its managed policies.
    pub managed_policies: Option<Value>,
    /// `PermissionsBoundary`.
    pub permissions_boundary: Option<Value>,
    /// `Path`.
    pub path: Option<Value>,
}

/// Any other resource, with the properties that CloudFormation documents for its type.
#[derive(Clone, Debug, Serialize)]
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is kept when the stack is deleted.
    pub kept: bool,
    /// Its properties.
    pub properties: Map<String, Value>,
}

impl Resources {
    /// Reads the resources of a template as [`sam_template::parse()`] returns it. `values` replace
    /// the defaults of its parameters.
    ///
    /// # Errors
    ///
    /// Fails if a parameter has neither a value nor a default, or a function is not one that
    /// [`Resolver`] knows.
    pub fn of(template: &Value, values: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let resolver = resolver(template, values)?;
        let mut resources = Self {
            schema: SCHEMA,
            parameters: parameters(template, &resolver)?,
            functions: Vec::new(),
            roles: Vec::new(),
            queues: Vec::new(),
            tables: Vec::new(),
            others: Vec::new(),
        };
        let empty = Map::new();
        let globals = template.pointer("/Globals/Function").and_then(Value::as_object);
        let declared = section(template, "Resources")?.unwrap_or(&empty);
        let declared: BTreeMap<_, _> = declared.iter().collect();
        for (id, body) in declared {
            let place = format!("Resources.{id}");
            if let Some(condition) = body.get("Condition").and_then(Value::as_str)
                && !resolver.condition(&place, condition)?
            {
                continue;
            }
            let kind = body.get("Type").and_then(Value::as_str).unwrap_or_default();
            let own = body.get("Properties").and_then(Value::as_object).unwrap_or(&empty);
            let own = match globals.filter(|_| kind == FUNCTION) {
                Some(globals) => merged(globals, own),
                None => own.clone(),
            };
            let properties =
                match resolver.resolve(&format!("{place}.Properties"), &Value::Object(own))? {
                    Some(Value::Object(properties)) => properties,
                    _ => Map::new(),
                };
            match kind {
                FUNCTION => resources.functions.push(Function::of(id, body, properties)),
                ROLE => resources.roles.push(Role::of(id, properties)),
                _ => {
                    let of_kind = match kind {
                        QUEUE => &mut resources.queues,
                        TABLE => &mut resources.tables,
                        _ => &mut resources.others,
                    };
                    let policy = body.get("DeletionPolicy").and_then(Value::as_str);
                    let kept = policy.is_some_and(|policy| policy.starts_with("Retain"));
                    of_kind.push(Resource { id: id.clone(), kind: kind.into(), kept, properties });
                }
            }
        }
        Ok(resources)
    }
}

impl Function {
    fn of(id: &str, body: &Value, mut properties: Map<String, Value>) -> Self {
        let binary = body.pointer("/Metadata/BuildProperties/Binary").and_then(Value::as_str);
        let events = properties.remove("Events").unwrap_or_default();
        let events = || events.as_object().into_iter().flatten().map(|(_, event)| event);
        let of_kind = |kind: &'static str| {
            let events = events().filter(move |event| event["Type"] == kind);
            events.map(|event| &event["Properties"])
        };
        let routes = of_kind("HttpApi").map(|event| Route {
            method: text(&event["Method"]).unwrap_or_else(|| "ANY".into()).to_uppercase(),
            path: text(&event["Path"]).unwrap_or_else(|| "$default".into()),
        });
        let event_sources = of_kind("SQS").map(|event| EventSource {
            queue: text(&event["Queue"]).map(|queue| referred(&queue)),
            batch_size: number(&event["BatchSize"]).unwrap_or(10),
            batch_window: number(&event["MaximumBatchingWindowInSeconds"]).unwrap_or(0),
            maximum_concurrency: number(&event["ScalingConfig"]["MaximumConcurrency"]),
            response_types: event.get("FunctionResponseTypes").cloned(),
        });
        let (routes, event_sources) = (routes.collect(), event_sources.collect());
        let mut take = |name| properties.remove(name);
        let variables = match take("Environment") {
            Some(Value::Object(mut environment)) => match environment.remove("Variables") {
                Some(Value::Object(variables)) => variables,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        let architecture = take("Architectures").unwrap_or_default();
        Self {
            id: id.into(),
            binary: binary.map(Into::into),
            routes,
            event_sources,
            architecture: text(&architecture[0]).unwrap_or_else(|| "x86_64".into()),
            runtime: take("Runtime").as_ref().and_then(text),
            handler: take("Handler").as_ref().and_then(text),
            memory: take("MemorySize").as_ref().and_then(number).unwrap_or(128),
            timeout: take("Timeout").as_ref().and_then(number).unwrap_or(3),
            variables,
            role: take("Role").as_ref().and_then(text).map(|role| referred(&role)),
            logging: take("LoggingConfig"),
            tracing: take("Tracing").as_ref().and_then(text),
            reserved_concurrency: take("ReservedConcurrentExecutions").as_ref().and_then(number),
            vpc: take("VpcConfig"),
            layers: take("Layers"),
            tags: take("Tags"),
        }
    }
}

impl Role {
    fn of(id: &str, mut properties: Map<String, Value>) -> Self {
        let policies = properties.remove("Policies").unwrap_or_default();
        let policies = policies.as_array().into_iter().flatten();
        let statements = policies.flat_map(|policy| match &policy["PolicyDocument"]["Statement"] {
            Value::Array(statements) => statements.clone(),
            statement => vec![statement.clone()],
        });
        let statements = statements.collect();
        Self {
            id: id.into(),
            trust: properties.remove("AssumeRolePolicyDocument"),
            statements,
            managed_policies: properties.remove("ManagedPolicyArns"),
            permissions_boundary: properties.remove("PermissionsBoundary"),
            path: properties.remove("Path"),
        }
    }
}

/// A resolver to which every reference that is no parameter is its own text.
fn resolver(
    template: &Value,
    values: &BTreeMap<String, String>,
) -> Result<Resolver, TemplateError> {
    let pseudo = pseudo_parameter::ALL.map(|name| (name, format!("${{{name}}}")));
    let pseudo = pseudo.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>();
    let mut resolver = Resolver::new(template, &pseudo, values)?;
    let parameters = section(template, "Parameters")?;
    let mut references = BTreeSet::new();
    collect(template, &mut references);
    for name in references {
        let is_known = pseudo_parameter::ALL.contains(&name.as_str())
            || parameters.is_some_and(|parameters| parameters.contains_key(&name));
        if is_known {
            continue;
        }
        let text = format!("${{{name}}}");
        if let Some((resource, attribute)) = name.split_once('.') {
            resolver.define_attribute(resource, attribute, text.as_str());
        }
        // SAM's `!Ref Api.Stage` has a dot as well.
        resolver.define(&name, text);
    }
    Ok(resolver)
}

/// The names that `Ref`, `Fn::GetAtt` and `Fn::Sub` refer to.
fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(entries) => {
            for (key, entry) in entries {
                let subject = entry.get(0).unwrap_or(entry).as_str();
                match (key.as_str(), subject) {
                    ("Ref", Some(name)) => names.extend([name.to_owned()]),
                    ("Fn::GetAtt", Some(resource)) => {
                        let attribute = entry.get(1).and_then(Value::as_str);
                        names.extend(attribute.map(|name| format!("{resource}.{name}")));
                    }
                    ("Fn::Sub", Some(text)) => {
                        names.extend(parts(text).filter_map(|part| match part {
                            Ok(Part::Name(name)) => Some(name.to_owned()),
                            _ => None,
                        }))
                    }
                    _ => {}
                }
                collect(entry, names);
            }
        }
        _ => {}
    }
}

fn parameters(
    template: &Value,
    resolver: &Resolver,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    let mut parameters = BTreeMap::new();
    for name in section(template, "Parameters")?.into_iter().flat_map(Map::keys) {
        let reference = serde_json::json!({ "Ref": name });
        let value = resolver.resolve(&format!("Parameters.{name}"), &reference)?;
        parameters.insert(name.clone(), value.unwrap_or_default());
    }
    Ok(parameters)
}

/// The logical id in `${Id}` or `${Id.Attribute}`; any other text as it is.
fn referred(text: &str) -> String {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let name = name.map(|name| name.split_once('.').map_or(name, |(id, _)| id));
    name.unwrap_or(text).to_owned()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A number, which a parameter gives as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    fn committed() -> (Value, Resources) {
        let text = std::fs::read_to_string(format!("{ROOT}/template.yaml")).unwrap();
        let template = sam_template::parse(&text).unwrap();
        let resources = Resources::of(&template, &BTreeMap::new()).unwrap();
        (template, resources)
    }

    /// Nothing that has no condition is missing, and no reference is lost.
    #[test]
    fn has_every_resource_of_the_template() {
        let (template, resources) = committed();
        let Resources { functions, roles, queues, tables, others, .. } = &resources;
        let ids = functions.iter().map(|function| &function.id);
        let ids = ids.chain(roles.iter().map(|role| &role.id));
        let ids = ids.chain([queues, tables, others].into_iter().flatten().map(|one| &one.id));
        let ids: BTreeSet<&String> = ids.collect();
        let declared = template["Resources"].as_object().unwrap();
        let without_condition = declared.iter().filter(|(_, body)| body["Condition"].is_null());
        let mut wanted: BTreeSet<&String> = without_condition.map(|(id, _)| id).collect();
        assert!(!wanted.is_empty());
        // These two are made unless others are adopted.
        let made = declared.keys().filter(|id| ["TenantsKey", "TenantsTable"].contains(&&***id));
        wanted.extend(made);
        assert_eq!(ids, wanted);
        let text = serde_json::to_string(&resources).unwrap();
        for id in roles.iter().map(|role| &role.id).chain(queues.iter().map(|queue| &queue.id)) {
            assert!(text.contains(id), "{id}");
        }
        assert!(!text.contains("Fn::") && !text.contains(r#"{"Ref""#), "{text}");
    }

    #[test]
    fn describes_functions_with_what_invokes_them_and_what_they_may_do() {
        let (_, resources) = committed();
        let function = |id: &str| {
            let found = resources.functions.iter().find(|function| function.id == id).unwrap();
            serde_json::to_value(found).unwrap()
        };
        let receiver = function("IssueCreatedReceiver");
        assert_eq!(receiver["routes"], json!([{"method": "POST", "path": "/issue-created"}]));
        assert_eq!(receiver["variables"]["QUEUE_URL"], "${IssueCreatedQueue}");
        assert_eq!(receiver["variables"]["TENANTS_KEY"], "${TenantsKey.Arn}");
        assert_eq!((&receiver["timeout"], &receiver["memory"]), (&json!(10), &json!(256)));
        let handler = function("IssueCreatedHandler");
        assert_eq!((&handler["timeout"], &handler["architecture"]), (&json!(30), &json!("arm64")));
        assert_eq!(handler["eventSources"][0]["queue"], "IssueCreatedQueue");
        assert_eq!(handler["eventSources"][0]["maximumConcurrency"], 2);
        let role = resources.roles.iter().find(|role| handler["role"] == *role.id).unwrap();
        let sends = json!({
            "Effect": "Allow", "Action": "sqs:SendMessage",
            "Resource": "${IssueCreatedDeadLetterQueue.Arn}",
        });
        assert!(role.statements.contains(&sends), "{:#?}", role.statements);
        let tenants = resources.tables.iter().find(|table| table.id == "TenantsTable").unwrap();
        assert!(tenants.kept);
    }

    #[test]
    fn gives_parameters_and_conditions_their_values() {
        let (template, defaults) = committed();
        let domain =
            |resources: &Resources| resources.others.iter().any(|resource| resource.id == "Domain");
        assert!(!domain(&defaults));
        let values = [("DomainName", "hooks.example.com"), ("Tracing", "Active")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let resources = Resources::of(&template, &values.into()).unwrap();
        assert!(domain(&resources));
        assert_eq!(resources.parameters["Tracing"], "Active");
        let x_ray = |resources: &Resources| {
            serde_json::to_string(&resources.roles).unwrap().contains("xray:")
        };
        assert!(!x_ray(&defaults) && x_ray(&resources));
        let adopted = [
            ("TenantsTableName", "old-tenants"),
            ("TenantsKeyArn", "arn:aws:kms:eu-west-1:1:key/mrk-1"),
        ];
        let adopted = adopted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let resources = Resources::of(&template, &adopted.into()).unwrap();
        let text = serde_json::to_string(&resources).unwrap();
        assert!(!text.contains("TenantsTable}") && !text.contains("TenantsKey."), "{text}");
        assert!(!resources.tables.iter().any(|table| table.id == "TenantsTable"));
        let lifecycle = resources.functions.iter().find(|one| one.id == "Lifecycle").unwrap();
        assert_eq!(lifecycle.variables["TENANTS_TABLE"], "old-tenants");
        let unknown = BTreeMap::from([("Nothing".to_owned(), String::new())]);
        assert!(Resources::of(&template, &unknown).is_err());
    }
}
