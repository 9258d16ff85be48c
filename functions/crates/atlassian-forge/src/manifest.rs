//! The manifest of a Forge app, as far as it concerns events that are sent to a remote.
//!
//! Atlassian's documentation, "Manifest". A *trigger* subscribes to events and names an *endpoint*.
//! An endpoint is a path on a *remote*, and a remote has the base URL. This module only has the
//! types: what a manifest must be is checked by the tool, and other members are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::event::PRE_UNINSTALL;

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The app.
    pub app: App,
    /// What the app may do.
    pub permissions: Permissions,
    /// The servers of the app's own.
    pub remotes: Vec<Remote>,
    /// What the app consists of.
    pub modules: Modules,
}

/// The app.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct App {
    /// The id, as `forge register` writes it.
    pub id: String,
}

/// What the app may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Permissions {
    /// The scopes.
    pub scopes: ScopeList,
}

/// Scopes: a list of names, or a map from names to settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum ScopeList {
    /// Names.
    Names(Vec<String>),
    /// Names with settings.
    Settings(BTreeMap<String, Value>),
}

impl Default for ScopeList {
    fn default() -> Self {
        Self::Names(Vec::new())
    }
}

impl ScopeList {
    /// Whether a scope is among them.
    pub fn contains(&self, scope: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| name == scope),
            Self::Settings(settings) => settings.contains_key(scope),
        }
    }
}

/// A server of the app's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remote {
    /// The key that endpoints refer to.
    pub key: String,
    /// The base URL. A remote that the customer configures need not have one.
    #[serde(default)]
    pub base_url: Option<BaseUrl>,
    /// What the remote does with data: `storage`, `compute`, `fetch` or `other`.
    #[serde(default)]
    pub operations: Vec<String>,
    /// How the customer configures the remote.
    #[serde(default)]
    pub configurable: Option<Value>,
}

/// A base URL, or one for each region.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum BaseUrl {
    /// One.
    One(String),
    /// One for each region, and `default`.
    Regions(BTreeMap<String, String>),
}

impl BaseUrl {
    /// The URLs with their regions; the first one has none.
    pub fn urls(&self) -> impl Iterator<Item = (&str, &str)> {
        let (one, regions) = match self {
            Self::One(url) => (Some(("", url.as_str())), None),
            Self::Regions(regions) => (None, Some(regions)),
        };
        let regions = regions.into_iter().flatten();
        one.into_iter().chain(regions.map(|(region, url)| (region.as_str(), url.as_str())))
    }
}

/// What the app consists of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Modules {
    /// Subscriptions to events.
    pub trigger: Vec<Trigger>,
    /// Paths on remotes.
    pub endpoint: Vec<Endpoint>,
    /// What is invoked at an interval.
    pub scheduled_trigger: Vec<Invocation>,
    /// What is invoked before the app is uninstalled.
    pub pre_uninstall: Vec<Invocation>,
    /// Every other module, such as the pages of the app.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A subscription to events.
#[derive(Clone, Debug, Deserialize)]
pub struct Trigger {
    /// The key.
    pub key: String,
    /// The events.
    #[serde(default)]
    pub events: Vec<Subscription>,
    /// The endpoint that they are sent to.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The function of Forge that handles them instead.
    #[serde(default)]
    pub function: Option<String>,
    /// Which of them are sent.
    #[serde(default)]
    pub filter: Option<Filter>,
}

/// An event of a trigger: its name, or an object with its own filter.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Subscription {
    /// The name.
    Name(String),
    /// The name, with what concerns this event alone.
    #[serde(rename_all = "camelCase")]
    Event {
        /// The name.
        event_type: String,
        /// Which of these events are sent.
        #[serde(default)]
        filter: Option<Filter>,
    },
}

impl Subscription {
    /// The name of the event.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Event { event_type: name, .. } => name,
        }
    }

    /// The filter of this event alone.
    pub fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Name(_) => None,
            Self::Event { filter, .. } => filter.as_ref(),
        }
    }
}

/// Which events are sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Filter {
    /// Whether events that the app itself causes are left out.
    pub ignore_self: Option<bool>,
    /// A condition, in a subset of Jira expressions.
    pub expression: Option<String>,
    /// What happens to an event on which the condition fails.
    pub on_error: Option<String>,
    /// Whether only sites with an active licence are sent events.
    pub app_is_licensed: Option<bool>,
}

/// A path on a remote.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoint {
    /// The key, which the token names.
    pub key: String,
    /// The remote.
    #[serde(default)]
    pub remote: Option<String>,
    /// The container service that serves it instead.
    #[serde(default)]
    pub service: Option<String>,
    /// The path.
    #[serde(default)]
    pub route: Option<Route>,
    /// The tokens that are sent along.
    #[serde(default)]
    pub auth: Auth,
}

/// The path of an endpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct Route {
    /// The path, below the base URL of the remote.
    pub path: String,
}

/// The tokens that are sent along, for calls of the site's API.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Auth {
    /// That of a user.
    pub app_user_token: Enabled,
    /// That of the app.
    pub app_system_token: Enabled,
}

/// Whether something is enabled.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Enabled {
    /// Whether it is.
    pub enabled: bool,
}

/// A module that Forge invokes without an event.
#[derive(Clone, Debug, Deserialize)]
pub struct Invocation {
    /// The key.
    pub key: String,
    /// The endpoint that is called.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The function of Forge that is called instead.
    #[serde(default)]
    pub function: Option<String>,
}

impl Modules {
    /// The events that are sent to an endpoint, in the order of the manifest.
    pub fn events_of<'a>(&'a self, endpoint: &'a str) -> impl Iterator<Item = &'a str> {
        let triggers = self.trigger.iter();
        let sent = triggers.filter(move |trigger| trigger.endpoint.as_deref() == Some(endpoint));
        sent.flat_map(|trigger| &trigger.events).map(Subscription::name)
    }

    /// What is sent to an endpoint without a user, each name once: the events of triggers, and
    /// [`PRE_UNINSTALL`].
    pub fn sent_to<'a>(&'a self, endpoint: &'a str) -> Vec<&'a str> {
        let mut sent: Vec<&str> = Vec::new();
        for event in self.events_of(endpoint) {
            if !sent.contains(&event) {
                sent.push(event);
            }
        }
        let mut goodbyes = self.pre_uninstall.iter();
        if goodbyes.any(|one| one.endpoint.as_deref() == Some(endpoint)) {
            sent.push(PRE_UNINSTALL);
        }
        sent
    }
}
