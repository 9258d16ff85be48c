//! The app that subscribes to every event: its descriptor, and its functions.

use std::process::ExitCode;

use atlassian_connect::event::{EventSpec, TABLE};
use atlassian_hooks::Delivery;
use contract::variable;
use runtime::environment::optional;
use serde_json::{Value, json};

/// The name of its only handler.
pub(in crate::commands) const HANDLER: &str = "inspector";

/// A descriptor that subscribes to these events, one URL each.
pub(super) fn descriptor<'a>(events: impl IntoIterator<Item = &'a &'static EventSpec>) -> Value {
    let mut names: Vec<&str> = events.into_iter().map(|line| line.event.as_str()).collect();
    names.sort_unstable();
    // Names that both products have are one URL.
    names.dedup();
    let webhooks = names.into_iter().map(|name| {
        let url = format!("/{}", name.replace([':', '_'], "-"));
        json!({ "event": name, "url": url, "params": { "handler": HANDLER } })
    });
    json!({
        "key": "atlassian-hooks.inspector",
        "name": "Webhook inspector",
        "description": "Shows every webhook that this site sends",
        "baseUrl": "https://example.com",
        "authentication": { "type": "jwt" },
        "apiMigrations": { "signed-install": true },
        "scopes": ["READ"],
        "lifecycle": {
            "installed": "/installed", "uninstalled": "/uninstalled",
            "enabled": "/enabled", "disabled": "/disabled",
        },
        "modules": { "webhooks": webhooks.collect::<Vec<_>>() },
    })
}

/// Runs this program as one of the app's functions, if Lambda's runtime has started it.
///
/// The tool contains the functions, so that nothing has to be built to look at an event. Which one it
/// is follows from the variables that the template sets.
pub fn function() -> Option<ExitCode> {
    optional("AWS_LAMBDA_RUNTIME_API")?;
    Some(if optional(variable::WEBHOOKS).is_some() {
        atlassian_hooks::receiver::run()
    } else if optional(variable::LIFECYCLE).is_some() {
        atlassian_hooks::lifecycle::run()
    } else if optional(variable::DEAD_LETTER_QUEUE_URL).is_some() {
        atlassian_hooks::run(async |_: Delivery| Ok(()))
    } else {
        // Once for a process, which serves it until it ends.
        let document = descriptor(&TABLE.iter().collect::<Vec<_>>()).to_string();
        atlassian_hooks::descriptor::run(document.leak())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use atlassian_connect::descriptor::Descriptor;
    use atlassian_connect::event::EventName;

    use super::*;

    #[test]
    fn has_a_url_of_its_own_for_every_event() {
        let document = descriptor(&TABLE.iter().collect::<Vec<_>>()).to_string();
        let webhooks = Descriptor::parse(&document).unwrap().modules.webhooks;
        let urls: BTreeSet<&str> = webhooks.iter().map(|webhook| webhook.path()).collect();
        assert_eq!((webhooks.len(), urls.len()), (EventName::ALL.len(), EventName::ALL.len()));
    }
}
