//! Checks of a manifest's endpoints as URLs of this app: beside each other, and beside the URLs of a
//! Connect app. What concerns the manifest alone is in [`crate::forge`].

use std::collections::{BTreeMap, BTreeSet};

use atlassian_connect::delivery::Sender;
use atlassian_connect::descriptor::{Descriptor, slug};
use atlassian_forge::event::{Product, counterparts};
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
        for event in url.events.iter().filter(|event| Product::of(event) == Some(Product::Compass))
        {
            error(format!(
                "{event} would be refused, because handlers take no events of Compass; delete it"
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
    findings.extend(sent_twice(file, plan));
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

/// Events that both a Connect and a Forge app are sent.
fn sent_twice(file: &str, plan: &Plan) -> Vec<Finding> {
    let of = |sender: Sender| plan.urls.iter().filter(move |url| url.receiver.sender() == sender);
    let mut both: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for connect in of(Sender::Connect).flat_map(|url| &url.events) {
        for forge in counterparts(connect) {
            if of(Sender::Forge).any(|url| url.events.iter().any(|event| event == forge)) {
                both.entry(forge).or_default().insert(connect);
            }
        }
    }
    both.into_iter()
        .map(|(forge, connect)| {
            let connect = connect.into_iter().collect::<Vec<_>>().join(" and ");
            Finding::warning(
                format!("{file}: {forge}"),
                format!(
                    "a Connect app gets the same as {connect}, so a site that has installed both apps \
                     sends it twice, and idempotency cannot tell; uninstall the Connect app where the \
                     Forge app is installed, or delete one of the two once every site has moved"
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::check::Severity;
    use crate::forge;
    use crate::plan::Declarations;

    /// An endpoint for each path, with an event each, in one app with a Connect app that has a webhook
    /// `jira:issue_created` at `/issue`.
    fn found(manifest: &str, configuration: &str) -> Vec<Finding> {
        let descriptor = json!({
            "key": "com.example.hooks", "lifecycle": {"installed": "/installed"},
            "modules": {"webhooks": [{"event": "jira:issue_created", "url": "/issue"}]},
        });
        let descriptor = Descriptor::parse(&descriptor.to_string()).unwrap();
        let manifest = forge::read(manifest, Path::new(forge::PATH)).unwrap();
        let configuration = Configuration::parse(configuration).unwrap();
        let declared = Declarations { descriptor: Some(&descriptor), manifest: Some(&manifest) };
        let plan = Plan::of(declared, &configuration);
        check(forge::PATH, &manifest, Some(&descriptor), &configuration, &plan)
    }

    const MANIFEST: &str = "\
app: { id: 'ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107' }
remotes: [{ key: hooks, baseUrl: 'https://hooks.example.com' }]
modules:
  endpoint:
    - { key: changed, remote: hooks, route: { path: /forge/changed } }
    - { key: deleted, remote: hooks, route: { path: /forge/deleted } }
    - { key: hourly, remote: hooks, route: { path: /hourly } }
  trigger:
    - { key: one, endpoint: changed, events: ['avi:jira:updated:issue'] }
    - { key: two, endpoint: deleted, events: ['avi:jira:deleted:issue'] }
";

    #[test]
    fn finds_nothing_where_urls_and_events_differ() {
        assert_eq!(found(MANIFEST, ""), []);
    }

    #[test]
    fn names_the_endpoint_and_the_rule() {
        let rows = [
            ("/forge/changed", "/issue", "changed", "that of the webhook jira:issue_created"),
            ("/forge/changed", "/installed", "changed", "that of lifecycle.installed"),
            ("/forge/changed", "/atlassian-connect.json", "changed", "the descriptor itself"),
            ("/forge/changed", "/forge/deleted", "deleted", "that of the endpoint changed"),
            ("/forge/changed", "/forge-deleted", "deleted", "names of those of /forge-deleted"),
            ("/forge/changed", "/Issue/", "changed", "names of those of /issue"),
            ("/forge/changed", "/a?b=c", "changed", "plain segments"),
            ("/forge/changed", "'/{proxy+}'", "changed", "plain segments"),
            ("/forge/changed", "/", "changed", "no letter or digit"),
            (
                "avi:jira:updated:issue",
                "avi:compass:created:component_link",
                "changed",
                "no events of Compass",
            ),
            ("key: changed", "key: receiver", "receiver", "forge: { endpoints: { receiver:"),
            ("key: changed", "key: work-dead", "work-dead", "cannot name its handler"),
        ];
        for (words, by, endpoint, advice) in rows {
            let text = MANIFEST.replace(words, by);
            let text = match by.strip_prefix("key: ") {
                Some(key) => text.replace("endpoint: changed", &format!("endpoint: {key}")),
                None => text,
            };
            let [finding] = &found(&text, "")[..] else { panic!("{by}: {:?}", found(&text, "")) };
            assert_eq!(finding.severity, Severity::Error);
            assert!(finding.place.ends_with(&format!("modules.endpoint: {endpoint}")), "{finding}");
            assert!(finding.advice.contains(advice), "{finding}");
        }
        let named = "forge: { endpoints: { receiver: { handler: changed } } }";
        let text = MANIFEST.replace("key: changed", "key: receiver");
        assert_eq!(found(&text.replace("endpoint: changed", "endpoint: receiver"), named), []);
    }

    #[test]
    fn finds_handlers_that_would_have_the_same_name() {
        let configuration =
            "forge: { endpoints: { changed: { handler: a1 }, deleted: { handler: a-1 } } }";
        let [finding] = &found(MANIFEST, configuration)[..] else { panic!() };
        assert!(finding.advice.contains("the handlers a-1 and a1"), "{finding}");
    }

    #[test]
    fn finds_an_endpoint_with_more_events_than_its_function_can_know() {
        let many: Vec<String> = (0..100)
            .map(|number| format!("'avi:cloud:ecosystem::event/an-app/{number}'"))
            .collect();
        let text = MANIFEST.replace("'avi:jira:updated:issue'", &many.join(", "));
        let [finding] = &found(&text, "")[..] else { panic!() };
        assert!(finding.advice.contains("of the 3072"), "{finding}");
    }

    #[test]
    fn warns_of_an_event_that_is_sent_twice() {
        let text = MANIFEST.replace("avi:jira:updated:issue", "avi:jira:created:issue");
        let [finding] = &found(&text, "")[..] else { panic!() };
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.place.ends_with(": avi:jira:created:issue"), "{finding}");
        assert!(finding.advice.contains("the same as jira:issue_created"), "{finding}");
    }

    #[test]
    fn says_what_becomes_of_a_scheduled_trigger() {
        let with = |endpoint: &str| {
            let text =
                format!("{MANIFEST}  scheduledTrigger: [{{ key: t, endpoint: {endpoint} }}]\n");
            let [finding] = &found(&text, "")[..] else { panic!("{endpoint}") };
            finding.clone()
        };
        assert_eq!(with("hourly").severity, Severity::Warning);
        assert_eq!(with("changed").severity, Severity::Error);
    }

    #[test]
    fn warns_of_a_path_that_the_api_does_not_have() {
        let text = MANIFEST.replace("https://hooks.example.com", "https://hooks.example.com/a");
        let [finding] = &found(&text, "")[..] else { panic!() };
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.advice.contains("https://hooks.example.com/a has a path"), "{finding}");
    }

    #[test]
    fn finds_a_missing_package() {
        let manifest = forge::read(MANIFEST, Path::new(forge::PATH)).unwrap();
        let plan = Plan::of(&manifest, &Configuration::default());
        let with = |name: &str| {
            let target = json!({"kind": ["bin"], "name": name});
            package(&plan, &json!({"packages": [{"targets": [target]}]}))
        };
        assert_eq!(with(BINARY), None);
        let missing = with("receiver").unwrap();
        assert!(missing.advice.contains("receiver::forge::run()"), "{missing}");
    }
}
