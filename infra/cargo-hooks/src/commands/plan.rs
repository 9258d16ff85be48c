//! `cargo hooks plan`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::local::parameter;
use crate::app::App;
use crate::terminal::escaped;
use template::resources::{Function, Resource, Resources, Role};

/// Print what template.yaml deploys: routes, functions, variables, permissions, queues, tables
///
/// It is read from template.yaml itself. With --json it is the input for Terraform, CDK or a script;
/// infra/README.md of the framework describes its members. A reference to another resource is
/// written as ${Queue.Arn}.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks plan\n  \
        cargo hooks plan --json > plan.json\n  \
        cargo hooks plan --json | jq '.functions[] | {id, binary, routes}'")]
pub struct Args {
    /// Print one JSON document, for other tools
    #[arg(long)]
    json: bool,
    /// Value of a parameter of the template, in place of its default; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, String)>,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, or its template cannot be read.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut values = BTreeMap::new();
    for (name, value) in &args.parameter {
        if values.insert(name.clone(), value.clone()).is_some() {
            bail!("the parameter {name} is given twice; leave out one of the two");
        }
    }
    let path = App::find()?.template_path();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} cannot be read; write it with `cargo hooks template`", path.display())
    })?;
    let template = sam_template::parse(&text)?;
    let resources = Resources::of(&template, &values)?;
    let text = if args.json {
        serde_json::to_string_pretty(&resources)? + "\n"
    } else {
        written(&resources)?
    };
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// The resources for people: a block for each function, and a line for anything else.
fn written(resources: &Resources) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for function in &resources.functions {
        let role = resources.roles.iter().find(|role| function.role.as_ref() == Some(&role.id));
        write_function(&mut text, function, role)?;
    }
    let Resources { queues, tables, others, .. } = resources;
    for (title, resources) in [("Queues", queues), ("Tables", tables), ("Others", others)] {
        if resources.is_empty() {
            continue;
        }
        writeln!(text, "{title}")?;
        let width = resources.iter().map(|resource| resource.id.len()).max().unwrap_or_default();
        for resource in resources {
            let about = about(resource);
            writeln!(text, "  {:width$}  {}", escaped(&resource.id), escaped(&about))?;
        }
        writeln!(text)?;
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

fn write_function(text: &mut String, function: &Function, role: Option<&Role>) -> std::fmt::Result {
    let Function { id, binary, memory, timeout, architecture, .. } = function;
    let binary = binary.as_deref().unwrap_or("no binary");
    let head = format!("{id}: {binary}, {memory} MB, {timeout} s, {architecture}");
    writeln!(text, "{}", escaped(&head))?;
    for route in &function.routes {
        writeln!(text, "  on   {}", escaped(&format!("{} {}", route.method, route.path)))?;
    }
    for source in &function.event_sources {
        let queue = source.queue.as_deref().unwrap_or("a queue");
        let at_once = source.maximum_concurrency;
        let at_once = at_once.map_or_else(String::new, |most| format!(", {most} at once"));
        let source = format!("messages of {queue}, {} a batch{at_once}", source.batch_size);
        writeln!(text, "  on   {}", escaped(&source))?;
    }
    let names = function.variables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        writeln!(text, "  has  {}", escaped(&names))?;
    }
    for statement in role.into_iter().flat_map(|role| &role.statements) {
        let verb = if statement["Effect"] == "Deny" { "not" } else { "may" };
        let [action, resource] = ["Action", "Resource"].map(|key| listed(&statement[key]));
        writeln!(text, "  {verb}  {} on {}", escaped(&action), escaped(&resource))?;
    }
    writeln!(text)
}

/// The line about a resource, after its id.
fn about(resource: &Resource) -> String {
    let kept = if resource.kept { ", kept when the stack is deleted" } else { "" };
    let number = |name| resource.properties.get(name).map(listed);
    let [visibility, retention] = ["VisibilityTimeout", "MessageRetentionPeriod"].map(number);
    let times = [("invisible for", visibility), ("kept for", retention)]
        .into_iter()
        .filter_map(|(what, seconds)| Some(format!(", {what} {} s", seconds?)));
    let times = times.collect::<String>();
    format!("{}{times}{kept}", resource.kind)
}

/// One value, or several with commas. References are written as in the template.
fn listed(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(listed).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
