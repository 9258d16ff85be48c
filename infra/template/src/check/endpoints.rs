//! Checks of a manifest's endpoints as URLs of this app: beside each other, and beside the URLs of a
//! Connect app. What concerns the manifest alone is in [`crate::forge`].

use std::collections::BTreeMap;

use atlassian_connect::descriptor::{Descriptor, slug};
use atlassian_forge::manifest::{BaseUrl, Manifest};
use serde_json::Value;

use super::Finding;
use crate::configuration::Configuration;
use crate::forge::PATH;
use crate::plan::{Plan, Receiver, TAKEN, Url, endpoint_handler, events_of, is_handler_name};

/// The maximum size of the variable with an endpoint, in bytes: Lambda's limit of 4 KB for an
/// environment, less the other variables.
const MAX_ENDPOINT: usize = 3072;

/// The binary that receives the events of an endpoint.
const BINARY: &str = "forge-receiver";

pub(super) fn check(
    file: &str,
    manifest: &Manifest,
    descriptor: Option<&Descriptor>,
    configuration: &Configuration,
    plan: &Plan,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut paths = descriptor.map_or_else(BTreeMap::new, connect_paths);
    let webhooks = plan.urls.iter().filter(|url| matches!(url.receiver, Receiver::Connect { .. }));
    let mut ids: BTreeMap<&str, &str> = webhooks.map(|url| (&*url.id, &*url.route)).collect();
    for url in &plan.urls {
        let Receiver::Forge { key, endpoint } = &url.receiver else { continue };
        let place = format!("{file}: modules.endpoint: {key}");
        let mut error = |advice: String| findings.push(Finding::error(&place, advice));
        if let Some(advice) = not_plain(&url.route) {
            error(advice.to_owned());
        } else if slug(&url.route).is_empty() {
            error(
                "its path has no letter or digit to name its function after; choose another".into(),
            );
        } else if let Some(other) = paths.insert(url.route.clone(), format!("the endpoint {key}")) {
            error(format!(
                "its path is also that of {other}, and a URL belongs to one sender, whose tokens it \
                 verifies; choose another path"
            ));
        } else if let Some(other) = ids.insert(&url.id, &url.route) {
            error(format!("its functions would have the names of those of {other}; rename one"));
        }
        // What the configuration names is checked there.
        if !configuration.forge.endpoints.contains_key(key)
            && !is_handler_name(&endpoint_handler(key, configuration))
        {
            error(format!(
                "its key cannot name its handler, which is neither one of {} nor ends in -dead; name \
                 one with `forge: {{ endpoints: {{ {key}: {{ handler: … }} }} }}` in \
                 infra/atlassian-hooks.yaml",
                TAKEN.join(", "),
            ));
        }
        if endpoint.len() > MAX_ENDPOINT {
            error(format!(
                "its events take {} bytes of the {MAX_ENDPOINT} that fit into a function's \
                 environment; give some events an endpoint of their own",
                endpoint.len(),
            ));
        }
    }
    findings.extend(same_names(file, plan));
    findings.extend(scheduled(file, manifest));
    findings.extend(base_paths(file, manifest));
    findings
}

/// Checks that the workspace has the function that receives what is sent to endpoints.
pub(super) fn package(plan: &Plan, metadata: &Value) -> Option<Finding> {
    let is_forge = |url: &Url| matches!(url.receiver, Receiver::Forge { .. });
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut targets = packages.flat_map(|package| package["targets"].as_array()).flatten();
    let is_there = targets.any(|target| target["name"] == BINARY && target["kind"][0] == "bin");
    (plan.urls.iter().any(is_forge) && !is_there).then(|| {
        Finding::error(
            format!("functions/{BINARY}"),
            format!(
                "it is missing, and the endpoints of {PATH} need it; add a package with this binary, \
                 whose main function returns atlassian_hooks::receiver::forge::run()"
            ),
        )
    })
}

/// The paths of a Connect app, and what each is.
fn connect_paths(descriptor: &Descriptor) -> BTreeMap<String, String> {
    let webhooks = descriptor.modules.webhooks.iter();
    let webhooks =
        webhooks.map(|one| (one.path().to_owned(), format!("the webhook {}", one.event)));
    let callbacks = descriptor.lifecycle.callbacks();
    let callbacks =
        callbacks.map(|(callback, path)| (path.to_owned(), format!("lifecycle.{callback}")));
    let own = (Descriptor::PATH.to_owned(), "the descriptor itself".to_owned());
    webhooks.chain(callbacks).chain([own]).collect()
}

/// Handlers of different names whose resources would have the same.
fn same_names(file: &str, plan: &Plan) -> Vec<Finding> {
    let pairs = plan.handlers.windows(2).filter(|pair| pair[0].id == pair[1].id);
    let both = pairs.filter(|pair| pair.iter().any(|one| one.senders.contains("forge")));
    both.map(|pair| {
        Finding::error(
            file,
            format!(
                "the handlers {} and {} would have the same name in the template; rename one",
                pair[0].name, pair[1].name
            ),
        )
    })
    .collect()
}

/// Scheduled triggers, whose endpoints have no receiver.
fn scheduled(file: &str, manifest: &Manifest) -> Vec<Finding> {
    let scheduled = &manifest.modules.scheduled_trigger;
    let with_endpoints =
        scheduled.iter().filter_map(|one| Some((&one.key, one.endpoint.as_ref()?)));
    with_endpoints
        .map(|(key, endpoint)| {
            let place = format!("{file}: modules.scheduledTrigger: {key}");
            if events_of(manifest, endpoint).is_empty() {
                let advice = "its endpoint has no receiver, because only events are received; serve it \
                              yourself, or declare a schedule of EventBridge in \
                              infra/atlassian-hooks.yaml instead";
                Finding::warning(place, advice)
            } else {
                let advice = "its body does not say what it is, and events are sent to its endpoint as \
                              well; give it an endpoint of its own";
                Finding::error(place, advice)
            }
        })
        .collect()
}

/// Base URLs with a path, which the API does not have.
fn base_paths(file: &str, manifest: &Manifest) -> Vec<Finding> {
    let urls = manifest.remotes.iter().flat_map(|remote| {
        let urls = remote.base_url.iter().flat_map(BaseUrl::urls);
        urls.map(move |(_, url)| (&remote.key, url))
    });
    let with_path = urls.filter(|(_, url)| {
        let rest = url.split_once("://").map_or(*url, |(_, rest)| rest);
        !url.contains("${") && rest.contains('/')
    });
    with_path
        .map(|(key, url)| {
            Finding::warning(
                format!("{file}: remotes: {key}"),
                format!(
                    "{url} has a path, which is not part of the API's routes; unless something in front \
                     of the API removes it, move it to route.path of the endpoints"
                ),
            )
        })
        .collect()
}

/// What to do about a path that is not a plain one.
fn not_plain(path: &str) -> Option<&'static str> {
    let unreserved =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '/');
    (!path.chars().all(unreserved)).then_some(
        "route.path must have plain segments (letters, digits, - . _ ~), and no query; correct it",
    )
}
