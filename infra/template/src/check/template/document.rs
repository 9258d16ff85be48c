//! A parsed template: its resources, and what their values refer to.

use sam_template::resource_type::{FUNCTION, HTTP_API};
use serde_json::Value;

use crate::check::Finding;
use crate::configuration::Configuration;

/// A parsed template.
#[derive(Clone, Copy)]
pub(crate) struct Document<'t> {
    file: &'t str,
    root: &'t Value,
    configuration: &'t Configuration,
}

/// A resource of a template.
#[derive(Clone, Copy)]
pub(super) struct Resource<'t> {
    /// Its logical id.
    pub(super) id: &'t str,
    /// Its type.
    pub(super) kind: &'t str,
    /// The body of the resource: everything below its logical id.
    pub(super) body: &'t Value,
    globals: Option<&'t Value>,
}

/// An event that invokes a function.
#[derive(Clone, Copy)]
pub(super) struct Event<'t> {
    /// Its name among the function's events.
    pub(super) name: &'t str,
    /// Its type.
    pub(super) kind: &'t str,
    /// Its properties.
    pub(super) properties: &'t Value,
}

/// The role of a function, according to its binary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Job<'t> {
    Descriptor,
    Lifecycle,
    Receiver,
    ForgeReceiver,
    /// A handler, by its name.
    Handler(&'t str),
}

impl<'t> Document<'t> {
    /// Wraps a template as [`sam_template::parse()`] returns it.
    pub(crate) fn new(
        file: &'t str,
        document: &'t Value,
        configuration: &'t Configuration,
    ) -> Self {
        Self { file, root: document, configuration }
    }

    /// The entries of a top-level section.
    pub(super) fn section(&self, name: &str) -> impl Iterator<Item = (&'t String, &'t Value)> {
        self.root.get(name).and_then(Value::as_object).into_iter().flatten()
    }

    /// Whether it declares a parameter.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.section("Parameters").any(|(other, _)| other == name)
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = Resource<'t>> {
        let globals = self.root.pointer("/Globals/Function");
        self.section("Resources").map(move |(id, body)| {
            let kind = body.get("Type").and_then(Value::as_str).unwrap_or_default();
            Resource { id, kind, body, globals: globals.filter(|_| kind == FUNCTION) }
        })
    }

    /// The resources of a type, without the app's own.
    pub(super) fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = Resource<'t>> {
        let all = self.resources().filter(move |resource| resource.kind == kind);
        let configuration = self.configuration;
        all.filter(|resource| !configuration.owns(resource.id))
    }

    /// The app's own resources.
    pub(super) fn own(&self) -> impl Iterator<Item = Resource<'t>> {
        let configuration = self.configuration;
        self.resources().filter(|resource| configuration.owns(resource.id))
    }

    /// Whether a resource is there that is not the app's own.
    pub(super) fn is_generated(&self, id: &str) -> bool {
        !self.configuration.owns(id) && self.resource(id).is_some()
    }

    pub(super) fn resource(&self, id: &str) -> Option<Resource<'t>> {
        self.resources().find(|resource| resource.id == id)
    }

    /// The resource of a type that a value refers to. Of one that can be adopted instead of made,
    /// the resource that is made.
    pub(super) fn target(&self, value: Option<&'t Value>, kind: &str) -> Option<Resource<'t>> {
        self.resource(pointed(made(value?))?).filter(|resource| resource.kind == kind)
    }

    /// A literal value, or the default of the parameter that it refers to.
    pub(super) fn plain<'v>(&'v self, value: &'v Value) -> Option<&'v Value> {
        match pointed(value) {
            Some(name) => self.root.get("Parameters")?.get(name)?.get("Default"),
            None => Some(value),
        }
    }

    /// A whole number, or the default of the parameter that it refers to.
    pub(super) fn number(&self, value: Option<&Value>) -> Option<u64> {
        let value = self.plain(value?)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// The number of resources after SAM's expansion: an API has a stage, an event of the API is a
    /// permission, an event of a queue is an event source, an alias comes with a version, and a
    /// canary deployment with a deployment group, plus one application and one role for all of
    /// them.
    pub(crate) fn expanded_resources(&self) -> usize {
        let has = |resource: &Resource<'_>, name| usize::from(resource.property(name).is_some());
        let expanded = self.resources().map(|resource| match resource.kind {
            HTTP_API => 2,
            FUNCTION => {
                1 + resource.events().count()
                    + 2 * has(&resource, "AutoPublishAlias")
                    + has(&resource, "DeploymentPreference")
            }
            _ => 1,
        });
        let canary = self.resources().any(|one| has(&one, "DeploymentPreference") > 0);
        expanded.sum::<usize>() + if canary { 2 } else { 0 }
    }

    /// The number of routes of the API.
    pub(crate) fn routes(&self) -> usize {
        let events = self.of_kind(FUNCTION).flat_map(|function| function.events());
        let of_events = events.filter(|event| event.kind == "HttpApi").count();
        let defined = self.of_kind(HTTP_API).flat_map(|api| api.defined_routes());
        of_events + defined.count()
    }

    /// The server that the app ran on before, as the configuration has it.
    pub(super) fn existing_server(&self) -> Option<&'t Value> {
        self.configuration.existing_server.as_ref()
    }

    /// Makes a note about a resource.
    pub(super) fn note(&self, name: &str, advice: impl Into<String>) -> Finding {
        Finding::note(format!("{}: {name}", self.file), advice)
    }

    /// Makes a warning about a resource or another named entry.
    pub(super) fn warning(&self, name: &str, advice: impl Into<String>) -> Finding {
        Finding::warning(format!("{}: {name}", self.file), advice)
    }

    /// Makes a finding about a resource or another named entry.
    pub(super) fn finding(&self, name: &str, advice: impl Into<String>) -> Finding {
        Finding::error(format!("{}: {name}", self.file), advice)
    }
}

impl<'t> Resource<'t> {
    /// A property by its name or path. For a function, falls back to its value in `Globals`.
    pub(super) fn property(&self, path: &str) -> Option<&'t Value> {
        let at = |value: &'t Value| value.pointer(&format!("/{}", path.replace('.', "/")));
        self.body.get("Properties").and_then(at).or_else(|| at(self.globals?))
    }

    /// The binary that a function runs.
    pub(super) fn binary(&self) -> Option<&'t str> {
        self.body.pointer("/Metadata/BuildProperties/Binary")?.as_str()
    }

    pub(super) fn job(&self) -> Option<Job<'t>> {
        Some(match self.binary()? {
            "descriptor" => Job::Descriptor,
            "lifecycle" => Job::Lifecycle,
            "receiver" => Job::Receiver,
            "forge-receiver" => Job::ForgeReceiver,
            handler => Job::Handler(handler),
        })
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&'t String, &'t Value)> {
        let of = |value: &'t Value| value.pointer("/Environment/Variables")?.as_object();
        let own = self.body.get("Properties").and_then(of);
        let global = self.globals.and_then(of);
        let inherited = global.into_iter().flatten();
        let inherited =
            inherited.filter(move |(name, _)| !own.is_some_and(|own| own.contains_key(*name)));
        own.into_iter().flatten().chain(inherited)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&'t Value> {
        self.variables().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The routes that the definition of an API has by itself: path, method and operation.
    pub(super) fn defined_routes(
        &self,
    ) -> impl Iterator<Item = (&'t String, &'t String, &'t Value)> + use<'t> {
        let paths =
            self.body.pointer("/Properties/DefinitionBody/paths").and_then(Value::as_object);
        paths.into_iter().flatten().flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path, method, operation))
        })
    }

    pub(super) fn events(&self) -> impl Iterator<Item = Event<'t>> + use<'t> {
        let events = self.body.pointer("/Properties/Events").and_then(Value::as_object);
        events.into_iter().flatten().map(|(name, event)| Event {
            name,
            kind: event.get("Type").and_then(Value::as_str).unwrap_or_default(),
            properties: event.get("Properties").unwrap_or(&Value::Null),
        })
    }
}

/// The name that a `Ref` or `Fn::GetAtt` refers to.
pub(super) fn pointed(value: &Value) -> Option<&str> {
    value.get("Ref").or_else(|| value.get("Fn::GetAtt")?.get(0))?.as_str()
}

/// The first branch of an `Fn::If`, or the value itself.
fn made(value: &Value) -> &Value {
    value.get("Fn::If").and_then(|branches| branches.get(1)).unwrap_or(value)
}

/// A value in the syntax of `Fn::Sub`: `!GetAtt A.Arn` is `${A.Arn}`. An `Fn::If` is its condition
/// and both of its branches.
pub(super) fn as_text(value: &Value) -> Option<String> {
    if let Some([condition, then, otherwise]) =
        value.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice)
    {
        let (then, otherwise) = (as_text(then)?, as_text(otherwise)?);
        return Some(format!("{then} if {}, else {otherwise}", condition.as_str()?));
    }
    if let Some(name) = value.get("Ref").and_then(Value::as_str) {
        return Some(format!("${{{name}}}"));
    }
    if let Some([resource, attribute]) =
        value.get("Fn::GetAtt").and_then(Value::as_array).map(Vec::as_slice)
    {
        return Some(format!("${{{}.{}}}", resource.as_str()?, attribute.as_str()?));
    }
    value.get("Fn::Sub").unwrap_or(value).as_str().map(str::to_owned)
}
