//! What a host says about apps and about itself: the same in both products.

use serde::Deserialize;

use super::moment::Moment;
use super::open::open;
use super::read::PayloadType;

/// An app was enabled or disabled on a site. Sent to that app alone.
///
/// Atlassian's documentation, "Lifecycle": the body of the callback of the same name. A secret is
/// not read from here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AddonEvent {
    /// The key of the app.
    pub key: String,
    /// The key of the tenant.
    pub client_key: Option<String>,
    /// The client of the app in OAuth 2.0.
    pub oauth_client_id: Option<String>,
    /// The public key of the site. Deprecated.
    pub public_key: Option<String>,
    /// The version of the host. Deprecated.
    pub server_version: Option<String>,
    /// The version of Connect. Deprecated.
    pub plugins_version: Option<String>,
    /// The address of the site, as in `https://example.atlassian.net/wiki`.
    pub base_url: Option<String>,
    /// The address that people see, where the site has a domain of its own.
    pub display_url: Option<String>,
    /// `jira` or `confluence`.
    pub product_type: Option<String>,
    /// The host, described for people.
    pub description: Option<String>,
    /// The number of the licence; paid apps only. Deprecated.
    pub service_entitlement_number: Option<String>,
    /// The identifier of the licence; paid apps only.
    pub entitlement_id: Option<String>,
    /// The number of the licence; paid apps only.
    pub entitlement_number: Option<String>,
    /// The installation of an app that runs on Forge too.
    pub installation_id: Option<String>,
    /// `enabled` or `disabled`.
    pub event_type: Option<String>,
    /// Whoever did it, in 2014.
    pub user_key: Option<String>,
}

impl PayloadType for AddonEvent {}

/// The host or its plugins were upgraded.
///
/// The sources of Connect 1.0.1, `ServerWebHookProvider`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UpgradeEvent {
    /// The key of the host.
    pub key: Option<String>,
    /// The address of the host.
    pub base_url: Option<String>,
    /// The version before.
    pub old_version: Option<String>,
    /// The version after.
    pub new_version: Option<String>,
    /// When it happened.
    pub timestamp: Option<Moment>,
}

impl PayloadType for UpgradeEvent {}

open! {
    /// A plugin, or an app of the time before Connect, was installed, enabled or disabled.
    ///
    /// The sources of Connect 1.0.1, `RemotePluginEvent`, which adds fields of its own to the key;
    /// `plugin_enabled` inferred.
    pub struct PluginEvent {
        /// The key of the plugin.
        "key" => key: Option<String>,
        /// When it happened.
        "timestamp" => timestamp: Option<Moment>,
    }
}

impl PayloadType for PluginEvent {}
