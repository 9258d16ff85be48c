//! Checks the route to the server that the app ran on before, and which function knows that server.

use contract::variable;
use sam_template::resource_type::{FUNCTION, HTTP_API};
use serde_json::{Value, json};

use super::Document;
use super::document::{Job, Resource, as_text};
use crate::check::Finding;
use crate::configuration::is_https_origin;

pub(super) fn check(template: &Document<'_>, findings: &mut Vec<Finding>) {
    let server = template.existing_server();
    for api in template.of_kind(HTTP_API) {
        check_routes(template, api, server, findings);
    }
    for function in template.of_kind(FUNCTION) {
        check_variable(template, function, server, findings);
    }
}

/// The route for requests that no other route fits, in a definition.
const DEFAULT: (&str, &str) = ("/$default", "x-amazon-apigateway-any-method");

fn check_routes(
    template: &Document<'_>,
    api: Resource<'_>,
    server: Option<&Value>,
    findings: &mut Vec<Finding>,
) {
    let mut find = |advice: String| findings.push(template.finding(api.id, advice));
    if api.property("DefinitionUri").is_some() {
        find("DefinitionUri hides the routes of the API from this check; delete it".to_owned());
    }
    if api.property("DefinitionBody").is_some_and(|body| !is_written_out(body)) {
        let advice = "a function of CloudFormation, or an extension, hides routes of DefinitionBody from \
                      this check; write them out as paths with their methods";
        find(advice.to_owned());
    }
    let mut is_there = false;
    for (path, method, operation) in api.defined_routes() {
        match server {
            Some(server) if (&**path, &**method) == DEFAULT => {
                is_there = true;
                check_default(template, operation, server, &mut find);
            }
            Some(_) => find(format!(
                "the definition has the route {method} {path} besides {}, so it can take requests \
                 from a receiver, and they would not be verified; delete it",
                DEFAULT.0
            )),
            None => find(format!(
                "the definition has the route {method} {path}, and the configuration has no \
                 existingServer; set it, or delete the route"
            )),
        }
    }
    if server.is_some() && !is_there {
        find(format!(
            "the route {} to the existing server is missing, so what only that server has would be \
             answered with 404; add it to DefinitionBody",
            DEFAULT.0
        ));
    }
}

/// Whether a definition has its paths, and their methods, as they are.
fn is_written_out(definition: &Value) -> bool {
    let Some(members) = definition.as_object() else { return false };
    let is_function = |name: &str| name == "Ref" || name.starts_with("Fn::");
    let paths = match members.get("paths") {
        None => None,
        Some(Value::Object(paths)) => Some(paths),
        Some(_) => return false,
    };
    !members.keys().any(|name| is_function(name))
        && paths.into_iter().flatten().all(|(path, methods)| {
            let methods = methods.as_object();
            path.starts_with('/')
                && methods.is_some_and(|methods| !methods.keys().any(|name| is_function(name)))
        })
}

/// Checks that the route passes on the whole request, to the server of the configuration.
fn check_default(
    template: &Document<'_>,
    operation: &Value,
    server: &Value,
    find: &mut impl FnMut(String),
) {
    let integration = &operation["x-amazon-apigateway-integration"];
    if operation["isDefaultRoute"] != true {
        find(format!("the route {} must have isDefaultRoute: true; set it", DEFAULT.0));
    }
    for (name, wanted) in [
        ("type", json!("http_proxy")),
        ("httpMethod", json!("ANY")),
        ("payloadFormatVersion", json!("1.0")),
        ("requestParameters", json!({ "overwrite:path": "$request.path" })),
    ] {
        if integration[name] != wanted {
            find(format!(
                "{name} of the route {} must be {wanted}, so that requests are passed on as they \
                 are; set it",
                DEFAULT.0
            ));
        }
    }
    let uri = &integration["uri"];
    if uri != server {
        find(format!(
            "the route {} leads to {}, and the configuration's existingServer is {}; make them the \
             same",
            DEFAULT.0,
            shown(uri),
            shown(server)
        ));
    }
    check_is_https(template, uri, &format!("the route {} leads to", DEFAULT.0), find);
}

fn check_variable(
    template: &Document<'_>,
    function: Resource<'_>,
    server: Option<&Value>,
    findings: &mut Vec<Finding>,
) {
    const NAME: &str = variable::EXISTING_SERVER;
    let mut find = |advice: String| findings.push(template.finding(function.id, advice));
    let is_lifecycle = function.job() == Some(Job::Lifecycle);
    match (function.variable(NAME), server) {
        (Some(_), _) if !is_lifecycle => {
            find(format!("{NAME} is for the lifecycle function alone; delete it"));
        }
        (Some(_), None) => find(format!(
            "{NAME} names a server that would get every tenant's shared secret, and the \
             configuration has no existingServer; delete it"
        )),
        (None, Some(_)) if is_lifecycle => find(format!(
            "{NAME} is missing, so the existing server would not get the secrets of new installs; \
             set it to the existingServer of the configuration"
        )),
        (Some(written), Some(server)) => {
            if written != server {
                find(format!(
                    "{NAME} is {}, and the configuration's existingServer is {}; make them the same",
                    shown(written),
                    shown(server)
                ));
            }
            check_is_https(template, written, &format!("{NAME} is"), &mut find);
        }
        (None, _) => {}
    }
}

/// Checks a text, or the default of the parameter that a value refers to. A parameter without a
/// default has a value only when the stack is deployed.
fn check_is_https(
    template: &Document<'_>,
    value: &Value,
    what: &str,
    find: &mut impl FnMut(String),
) {
    let url = template.plain(value).and_then(Value::as_str);
    if let Some(url) = url.filter(|url| !is_https_origin(url)) {
        find(format!(
            "{what} {url}, which is not https:// and a host, so tokens and secrets could be read on \
             their way; correct it"
        ));
    }
}

fn shown(value: &Value) -> String {
    as_text(value).unwrap_or_else(|| value.to_string())
}
