//! The HTTP API of a template: `AWS::Serverless::HttpApi`.

use std::time::Duration;

use serde_json::{Map, Value, json};
use url::{Host, Url};

use super::events::{Integration, Route};
use super::properties::Properties;
use super::resources::Resource;
use super::unsupported;
use sam_template::{Resolver, TemplateError};

/// What the definition of an API adds to the routes of events.
pub(super) struct Definition {
    /// The routes to servers.
    pub(super) routes: Vec<Route>,
    /// The routes without a server: the parameter that names it is empty.
    pub(super) skipped: Vec<String>,
}

/// Reads the routes that the API's definition has, and checks that its other properties are known.
/// They have no effect here.
///
/// Of an OpenAPI definition, the local stack understands routes to servers, as "Create HTTP proxy
/// integrations for HTTP APIs" in the API Gateway Developer Guide describes them. Routes to
/// functions are those of the functions' events, which SAM adds to the definition.
pub(super) fn read(
    resource: &Resource<'_>,
    resolver: &Resolver,
) -> Result<Definition, TemplateError> {
    let values = resource.properties.clone();
    let mut properties = Properties::new(&resource.place, "an HttpApi", values, resolver);
    if properties.text("StageName")?.is_some_and(|stage| stage != "$default") {
        let problem = "the local stack serves the stage `$default` only";
        return Err(properties.refused("StageName", problem));
    }
    let mut definition = Definition { routes: Vec::new(), skipped: Vec::new() };
    if let Some(mut document) = properties.nested("DefinitionBody", "an API's definition")? {
        document.skip(&["components", "info", "openapi", "servers", "tags"]);
        for (path, methods) in document.entries("paths")? {
            let place = format!("{}.paths.{path}", document.place);
            let Value::Object(methods) = methods else {
                return Err(TemplateError::refused(place, "must be a map"));
            };
            for (method, operation) in methods {
                let place = format!("{place}.{method}");
                let Value::Object(operation) = operation else {
                    return Err(TemplateError::refused(place, "must be a map"));
                };
                let operation = Properties::new(&place, "a route", operation, resolver);
                match route(&path, &method, operation)? {
                    Some(route) => definition.routes.push(route),
                    None => {
                        let what = format!("{path} of {} (no server)", resource.logical_id);
                        definition.skipped.push(what);
                    }
                }
            }
        }
        document.finish()?;
    }
    properties.skip(unsupported::HTTP_API);
    properties.finish()?;
    Ok(definition)
}

/// Reads one route of a definition.
fn route(
    path: &str,
    method: &str,
    mut operation: Properties<'_>,
) -> Result<Option<Route>, TemplateError> {
    operation.skip(&["description", "isDefaultRoute", "operationId", "parameters", "responses"]);
    operation.skip(&["summary", "tags"]);
    let Some(mut integration) = operation.nested(INTEGRATION, "an integration")? else {
        return Err(operation.refused(INTEGRATION, "the route has no integration; add one"));
    };
    operation.finish()?;
    if !integration.required("type")?.eq_ignore_ascii_case("http_proxy") {
        let problem = "the local stack understands http_proxy only; give a function its routes by \
                       events of the type HttpApi";
        return Err(integration.refused("type", problem));
    }
    if integration.required("httpMethod")? != "ANY" {
        let problem = "the local stack keeps the method of the request; set ANY";
        return Err(integration.refused("httpMethod", problem));
    }
    // The default route passes on the path by itself; any other one calls its URI as it is.
    let keeps_path = Map::from_iter([("overwrite:path".to_owned(), json!("$request.path"))]);
    let mapped = integration.entries("requestParameters")?;
    if mapped != keeps_path && !(mapped.is_empty() && path == DEFAULT_PATH) {
        let problem = "the local stack keeps the path of the request and changes nothing else; set \
                       { \"overwrite:path\": $request.path }";
        return Err(integration.refused("requestParameters", problem));
    }
    let timeout = integration.whole("timeoutInMillis", 50..=Route::MAX_TIMEOUT)?;
    let uri = integration.text("uri")?.unwrap_or_default();
    let server = match uri.as_str() {
        "" => None,
        uri => Some(origin(uri).map_err(|problem| integration.refused("uri", problem))?),
    };
    integration.skip(&["connectionType", "payloadFormatVersion"]);
    integration.finish()?;
    let method = match method {
        "x-amazon-apigateway-any-method" => "ANY".to_owned(),
        method => method.to_ascii_uppercase(),
    };
    Ok(server.map(|server| Route {
        method,
        path: path.strip_prefix('/').filter(|path| *path == Route::DEFAULT).unwrap_or(path).into(),
        integration: Integration::Server(server),
        timeout: Duration::from_millis(timeout.unwrap_or(Route::MAX_TIMEOUT)),
    }))
}

/// The extension of OpenAPI that names what answers.
const INTEGRATION: &str = "x-amazon-apigateway-integration";

/// The default route, as a definition writes it.
const DEFAULT_PATH: &str = "/$default";

/// The origin of a server. Without TLS, requests leave this machine in the clear, so such a server
/// must be on it.
fn origin(uri: &str) -> Result<String, &'static str> {
    let url = Url::parse(uri).map_err(|_| "is not a URL; write it as https://host")?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("has more than a host, and requests keep their own path; write https://host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name; write https://host");
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(&host) => {}
        _ => return Err("must be https://, or http:// to a loopback address"),
    }
    Ok(url.origin().ascii_serialization())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        // RFC 6761, section 6.3.
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_https_from_anywhere_and_http_from_this_machine() {
        for (uri, expected) in [
            ("https://origin.example.com", "https://origin.example.com"),
            ("https://origin.example.com:8443/", "https://origin.example.com:8443"),
            ("http://127.0.0.1:3001", "http://127.0.0.1:3001"),
            ("http://[::1]:3001", "http://[::1]:3001"),
            ("http://localhost:3001", "http://localhost:3001"),
        ] {
            assert_eq!(origin(uri).as_deref(), Ok(expected), "{uri}");
        }
        for (uri, problem) in [
            ("http://origin.example.com", "loopback"),
            ("http://127.0.0.1.example.com", "loopback"),
            ("http://10.0.0.1", "loopback"),
            ("ftp://localhost", "must be https://"),
            ("origin.example.com", "not a URL"),
            ("https://origin.example.com/app", "keep their own path"),
            ("https://origin.example.com?a", "keep their own path"),
            ("https://me:secret@origin.example.com", "user name"),
        ] {
            let error = origin(uri).unwrap_err();
            assert!(error.contains(problem), "{uri}: {error}");
        }
    }
}
