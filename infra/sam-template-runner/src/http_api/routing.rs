//! The routes of the HTTP API: which one a request takes.

use std::collections::BTreeMap;

use axum::http::Method;
use percent_encoding::percent_decode_str;

use crate::deployment::Route;

/// A route that fits a request.
#[derive(Debug)]
pub(super) struct Match<'r> {
    pub(super) route: &'r Route,
    /// The values of the path's parameters, decoded.
    pub(super) parameters: BTreeMap<String, String>,
}

/// The most specific route for a request: a literal segment goes before a parameter, a parameter
/// before a greedy one, a route for the method before one for any, and every route before the
/// default one.
pub(super) fn best_match<'r>(
    routes: &'r [Route],
    method: &Method,
    path: &str,
) -> Option<Match<'r>> {
    routes
        .iter()
        .filter(|route| route.method == "ANY" || route.method == method.as_str())
        .filter_map(|route| {
            let parameters = match route.path.as_str() {
                Route::DEFAULT => BTreeMap::new(),
                template => path_parameters(template, path)?,
            };
            Some((route, parameters))
        })
        .max_by_key(|(route, _)| {
            let segments = route.path.split('/').map(specificity).collect::<Vec<_>>();
            (route.path != Route::DEFAULT, segments, route.method != "ANY")
        })
        .map(|(route, parameters)| Match { route, parameters })
}

fn specificity(segment: &str) -> u8 {
    match segment {
        greedy if greedy.ends_with("+}") => 0,
        parameter if parameter.starts_with('{') => 1,
        _ => 2,
    }
}

/// The values of the parameters in `template`, if `path` fits it.
fn path_parameters(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let mut rest = Some(path);
    for pattern in template.split('/') {
        let (segment, following) = match rest?.split_once('/') {
            Some((segment, following)) => (segment, Some(following)),
            None => (rest?, None),
        };
        let name = pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        match name {
            Some(name) => {
                if let Some(name) = name.strip_suffix('+') {
                    let value = decoded(rest.filter(|rest| !rest.is_empty())?);
                    parameters.insert(name.to_owned(), value);
                    return Some(parameters);
                }
                if segment.is_empty() {
                    return None;
                }
                parameters.insert(name.to_owned(), decoded(segment));
            }
            None if pattern == decoded(segment) => {}
            None => return None,
        }
        rest = following;
    }
    rest.is_none().then_some(parameters)
}

/// Text without percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deployment::Integration;

    #[test]
    fn matches_the_method_and_every_segment() {
        let routes = routes(&["POST /issue-created", "GET /", "GET /a/b"]);

        assert_eq!(key(&routes, "POST", "/issue-created"), Some("POST /issue-created".to_owned()));
        assert_eq!(key(&routes, "GET", "/"), Some("GET /".to_owned()));
        for (method, path) in [
            ("GET", "/issue-created"),
            ("HEAD", "/"),
            ("POST", "/issue-created/"),
            ("POST", "/issue"),
            ("GET", "/a"),
            ("GET", "/a/b/c"),
            ("GET", "//a/b"),
        ] {
            assert_eq!(key(&routes, method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = routes(&[
            "ANY /{proxy+}",
            "GET /pets/{proxy+}",
            "GET /pets/{kind}/{id}",
            "GET /pets/dog/{id}",
            "ANY /pets/dog/1",
            "GET /pets/dog/1",
        ]);

        for (method, path, expected) in [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("PUT", "/pets/dog/1", "ANY /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{kind}/{id}"),
            ("GET", "/pets/cat/1/2", "GET /pets/{proxy+}"),
            ("GET", "/pets", "ANY /{proxy+}"),
            ("POST", "/pets/cat/1", "ANY /{proxy+}"),
        ] {
            assert_eq!(key(&routes, method, path).as_deref(), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn the_default_route_takes_what_no_other_route_fits() {
        let routes = routes(&["ANY $default", "POST /a", "ANY /b/{rest+}"]);

        for (method, path, expected) in [
            ("POST", "/a", "POST /a"),
            ("GET", "/a", "ANY $default"),
            ("POST", "/a/", "ANY $default"),
            ("GET", "/", "ANY $default"),
            ("GET", "/b/c", "ANY /b/{rest+}"),
            ("GET", "/$default", "ANY $default"),
        ] {
            assert_eq!(key(&routes, method, path).as_deref(), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn path_parameters_are_decoded() {
        let parameters = |template: &str, path: &str| {
            let pairs = path_parameters(template, path)?.into_iter();
            Some(pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
        };

        assert_eq!(parameters("/t/{key}/x", "/t/a%20b/x").unwrap(), ["key=a b"]);
        assert_eq!(parameters("/t/{rest+}", "/t/a/b%2Fc/").unwrap(), ["rest=a/b/c/"]);
        assert_eq!(parameters("/t/{rest+}", "/t/"), None);
        assert_eq!(parameters("/t/{key}", "/t/"), None);
    }

    fn routes(keys: &[&str]) -> Vec<Route> {
        let route = |key: &&str| {
            let (method, path) = key.split_once(' ').unwrap();
            Route {
                method: method.to_owned(),
                path: path.to_owned(),
                integration: Integration::Function("Function".to_owned()),
                timeout: Duration::from_secs(30),
            }
        };
        keys.iter().map(route).collect()
    }

    fn key(routes: &[Route], method: &str, path: &str) -> Option<String> {
        let matched = best_match(routes, &method.parse().unwrap(), path)?;
        Some(format!("{} {}", matched.route.method, matched.route.path))
    }
}
