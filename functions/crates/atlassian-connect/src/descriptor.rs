//! The app descriptor: the file that declares the webhooks.
//!
//! Atlassian's documentation, "App descriptor" and "Webhooks". Parts that this project does not
//! read are kept, so that the served descriptor is the file with its base URL filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::event::EventName;
use crate::lifecycle::Callback;

/// An app descriptor.
#[derive(Clone, Debug, Deserialize)]
pub struct Descriptor {
    /// The app's key, unique among all apps.
    pub key: String,
    /// The app's name, for people.
    #[serde(default)]
    pub name: Option<String>,
    /// How requests from Atlassian are authenticated.
    #[serde(default)]
    pub authentication: Authentication,
    /// The migrations of Atlassian's that the app has made, by name.
    #[serde(default, rename = "apiMigrations")]
    pub api_migrations: BTreeMap<String, Value>,
    /// The scopes of the app. Webhooks need `READ`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The URLs of the lifecycle callbacks.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// The modules of the app.
    #[serde(default)]
    pub modules: Modules,
    #[serde(skip)]
    document: Value,
}

/// The `authentication` of a descriptor.
#[derive(Clone, Debug, Deserialize)]
pub struct Authentication {
    /// `jwt` or `none`, in either case.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for Authentication {
    fn default() -> Self {
        Self { kind: "jwt".into() }
    }
}

/// The `lifecycle` of a descriptor: a relative URL for each callback.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Lifecycle {
    /// Called when a tenant installs the app. The install waits for the response.
    #[serde(default)]
    pub installed: Option<String>,
    /// Called when a tenant uninstalls the app.
    #[serde(default)]
    pub uninstalled: Option<String>,
    /// Called when the app is enabled.
    #[serde(default)]
    pub enabled: Option<String>,
    /// Called when the app is disabled.
    #[serde(default)]
    pub disabled: Option<String>,
}

impl Lifecycle {
    /// The declared callbacks with their relative URLs.
    pub fn callbacks(&self) -> impl Iterator<Item = (Callback, &str)> {
        Callback::ALL.into_iter().filter_map(|callback| {
            let url = match callback {
                Callback::Installed => &self.installed,
                Callback::Uninstalled => &self.uninstalled,
                Callback::Enabled => &self.enabled,
                Callback::Disabled => &self.disabled,
            };
            Some((callback, url.as_deref()?))
        })
    }
}

/// The `modules` of a descriptor.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Modules {
    /// The declared webhooks, in the order of the file.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
}

/// A declared webhook: an event and the URL that it is sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The event.
    #[serde(deserialize_with = "event_name")]
    pub event: EventName,
    /// The URL, relative to the base URL.
    pub url: String,
    /// Names and values that the handler gets with each delivery. They are specific to this project
    /// and not served to Atlassian. [`Webhook::HANDLER`] names the handler.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Whether the webhook is sent without a body.
    #[serde(default)]
    pub exclude_body: bool,
}

impl Webhook {
    /// The parameter that names the handler of a webhook.
    pub const HANDLER: &str = "handler";

    /// The path of the URL, without its query.
    pub fn path(&self) -> &str {
        self.url.split_once('?').map_or(&*self.url, |(path, _)| path)
    }

    /// The slug of the URL: its letters and digits in lower case, separated by single hyphens. The
    /// names of resources are derived from it.
    ///
    /// ```
    /// # let json = r#"{"event": "page_created", "url": "/confluence/page_created?v=1"}"#;
    /// # let webhook: atlassian_connect::descriptor::Webhook = serde_json::from_str(json).unwrap();
    /// assert_eq!(webhook.url, "/confluence/page_created?v=1");
    /// assert_eq!(webhook.slug(), "confluence-page-created");
    /// ```
    pub fn slug(&self) -> String {
        slug(self.path())
    }

    /// The name of the webhook's handler: the parameter [`Webhook::HANDLER`], or the slug of the
    /// URL.
    pub fn handler(&self) -> String {
        self.params.get(Self::HANDLER).cloned().unwrap_or_else(|| self.slug())
    }
}

/// The slug of a path: its letters and digits in lower case, separated by single hyphens.
pub fn slug(path: &str) -> String {
    path.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_ascii_lowercase()
}

impl Descriptor {
    /// The path at which the descriptor is served, relative to the base URL.
    pub const PATH: &str = "/atlassian-connect.json";

    /// Parses a descriptor.
    ///
    /// # Errors
    ///
    /// Returns the error of `serde_json`, with line and column, if it is not a descriptor in JSON.
    pub fn parse(json: &str) -> serde_json::Result<Self> {
        let descriptor: Self = serde_json::from_str(json)?;
        Ok(Self { document: serde_json::from_str(json)?, ..descriptor })
    }

    /// The descriptor as it is served to Atlassian: with the base URL, and without `params`.
    pub fn served(&self, base_url: &str) -> Value {
        let mut document = self.document.clone();
        document["baseUrl"] = base_url.into();
        let webhooks = document.pointer_mut("/modules/webhooks").and_then(Value::as_array_mut);
        for webhook in webhooks.into_iter().flatten().filter_map(Value::as_object_mut) {
            webhook.remove("params");
        }
        document
    }
}

fn event_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventName, D::Error> {
    String::deserialize(deserializer).map(EventName::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhook(json: Value) -> Webhook {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn names_a_handler_by_its_parameter_or_the_slug_of_the_url() {
        let named = webhook(json!({"event": "e", "url": "/a", "params": {"handler": "b"}}));
        assert_eq!(named.handler(), "b");
        let rows = [
            ("/issue-created", "issue-created"),
            ("/jira/Issue_Created/", "jira-issue-created"),
            ("/hook/${issue.key}?x=y", "hook-issue-key"),
            ("/", ""),
        ];
        for (url, slug) in rows {
            assert_eq!(webhook(json!({"event": "e", "url": url})).handler(), slug);
        }
    }

    #[test]
    fn serves_everything_but_what_is_ours() {
        let document = json!({
            "key": "app", "future": {"kept": 1.0},
            "modules": {
                "webhooks": [{"event": "e", "url": "/e", "filter": "x", "params": {"a": "b"}}],
                "other": [{"params": {"kept": true}}],
            },
        });
        let served = Descriptor::parse(&document.to_string()).unwrap().served("https://x.test");
        assert_eq!(
            served,
            json!({
                "key": "app", "future": {"kept": 1.0}, "baseUrl": "https://x.test",
                "modules": {
                    "webhooks": [{"event": "e", "url": "/e", "filter": "x"}],
                    "other": [{"params": {"kept": true}}],
                },
            })
        );
    }

    #[test]
    fn says_where_a_descriptor_is_wrong() {
        let error = Descriptor::parse("{\n \"key\": 1}").unwrap_err();
        assert_eq!((error.line(), error.column()), (2, 9));
    }
}
