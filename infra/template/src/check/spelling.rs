//! Checks of names: of events, and of the descriptor's members. Atlassian and this project ignore a name that they
//! do not know, so a misspelt one has no effect, and nobody says so.

use atlassian_connect::event::EventName;
use serde_json::{Map, Value};

use super::Finding;

/// Warns of each member whose name is almost a known one.
pub(super) fn check(file: &str, descriptor: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |place: &str, value: &Value, known: &[&str]| {
        let names = value.as_object().into_iter().flat_map(Map::keys);
        findings.extend(names.filter_map(|name| {
            let meant = almost(name, known)?;
            Some(Finding::warning(
                format!("{file}: {place}"),
                format!("\"{name}\" is unknown and has no effect; did you mean \"{meant}\"?"),
            ))
        }));
    };
    look("the descriptor", descriptor, &DESCRIPTOR);
    look("lifecycle", &descriptor["lifecycle"], &LIFECYCLE);
    look("modules", &descriptor["modules"], &["webhooks"]);
    let webhooks = descriptor["modules"]["webhooks"].as_array();
    for (number, webhook) in webhooks.into_iter().flatten().enumerate() {
        look(&format!("webhook {}", number + 1), webhook, &WEBHOOK);
    }
    findings
}

/// The known event whose name is nearest to this one, if it is near: `jira:` and the case do not count,
/// and hyphens are underscores.
pub fn closest_event(name: &str) -> Option<&'static str> {
    let plain =
        |name: &str| name.trim_start_matches("jira:").to_ascii_lowercase().replace('-', "_");
    let written = plain(name);
    let edits = |known: &str| strsim::damerau_levenshtein(&plain(known), &written);
    // Of several that are as near, such as worklog_updated and jira:worklog_updated, the one that is
    // written more alike.
    let order = |known: &&str| (edits(known), strsim::damerau_levenshtein(known, name));
    let close = EventName::ALL.iter().map(EventName::as_str).min_by_key(order)?;
    (edits(close) <= 2 + written.len() / 8).then_some(close)
}

/// Atlassian's documentation, "App descriptor".
const DESCRIPTOR: [&str; 16] = [
    "apiMigrations",
    "apiVersion",
    "authentication",
    "baseUrl",
    "cloudAppMigration",
    "description",
    "enableLicensing",
    "key",
    "lifecycle",
    "links",
    "modules",
    "name",
    "regionBaseUrls",
    "scopes",
    "translations",
    "vendor",
];

const LIFECYCLE: [&str; 4] = ["disabled", "enabled", "installed", "uninstalled"];

/// Atlassian's documentation, "Webhook", and this project's `params`.
const WEBHOOK: [&str; 6] = ["event", "excludeBody", "filter", "params", "propertyKeys", "url"];

/// The known name that an unknown one is at most two edits away from.
fn almost<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if known.contains(&name) {
        return None;
    }
    let edits =
        |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let near = known.iter().copied().min_by_key(|known| edits(known))?;
    // Of a short name, two edits leave little.
    (edits(near) <= if near.len() > 5 { 2 } else { 1 }).then_some(near)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_nearest_event() {
        for (name, near) in [
            ("jira:issue_craeted", Some("jira:issue_created")),
            ("issue_created", Some("jira:issue_created")),
            ("Issue-Updated", Some("jira:issue_updated")),
            ("worklog_update", Some("worklog_updated")),
            ("jira:worklog_update", Some("jira:worklog_updated")),
            ("page_create", Some("page_created")),
            ("jira:issue_teleported_to_mars", None),
        ] {
            assert_eq!(closest_event(name), near, "{name}");
        }
    }

    #[test]
    fn finds_names_that_are_almost_known() {
        let descriptor = json!({
            "key": "a", "scope": [], "Vendor": {}, "unrelated": 1,
            "lifecycle": {"install": "/i", "uninstalled": "/u"},
            "modules": {
                "webhook": [], "jiraIssueGlances": [],
                "webhooks": [
                    {"event": "a", "url": "/a", "param": {}, "excludebody": true},
                    {"event": "b", "uri": "/b", "propertykey": []},
                    {"event": "c", "url": "/c", "params": {"anything": "x"}},
                ],
            },
        });
        let found = check("f", &descriptor);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let wanted = [
            ("the descriptor", "Vendor", "vendor"),
            ("the descriptor", "scope", "scopes"),
            ("lifecycle", "install", "installed"),
            ("modules", "webhook", "webhooks"),
            ("webhook 1", "excludebody", "excludeBody"),
            ("webhook 1", "param", "params"),
            ("webhook 2", "propertykey", "propertyKeys"),
            ("webhook 2", "uri", "url"),
        ];
        let wanted = wanted.map(|(place, name, meant)| {
            format!(
                "warning: f: {place}: \"{name}\" is unknown and has no effect; did you mean \
                 \"{meant}\"?"
            )
        });
        assert_eq!(found, wanted);
    }
}
