//! Events about apps and the host, which are the same in both products.

use super::moment::Moment;
use super::object::object;
use super::read::PayloadType;

object! {
    /// An app was enabled or disabled on a site. Sent only to that app.
    ///
    /// Atlassian's documentation, "Lifecycle": the body of the callback of the same name. A secret
    /// is not read from here.
    pub struct AddonEvent {
        /// The key of the app.
        "key" => key: Option<String>,
        /// The key of the tenant.
        "clientKey" => client_key: Option<String>,
        /// The client of the app in OAuth 2.0.
        "oauthClientId" => oauth_client_id: Option<String>,
        /// The public key of the site. Deprecated.
        "publicKey" => public_key: Option<String>,
        /// The version of the host. Deprecated.
        "serverVersion" => server_version: Option<String>,
        /// The version of Connect. Deprecated.
        "pluginsVersion" => plugins_version: Option<String>,
        /// The base URL of the site, as in `https://example.atlassian.net/wiki`.
        "baseUrl" => base_url: Option<String>,
        /// The URL that users see, if the site has its own domain.
        "displayUrl" => display_url: Option<String>,
        /// `jira` or `confluence`.
        "productType" => product_type: Option<String>,
        /// The description of the host.
        "description" => description: Option<String>,
        /// The number of the licence; paid apps only. Deprecated.
        "serviceEntitlementNumber" => service_entitlement_number: Option<String>,
        /// The identifier of the licence; paid apps only.
        "entitlementId" => entitlement_id: Option<String>,
        /// The number of the licence; paid apps only.
        "entitlementNumber" => entitlement_number: Option<String>,
        /// The installation of an app that runs on Forge too.
        "installationId" => installation_id: Option<String>,
        /// `enabled` or `disabled`.
        "eventType" => event_type: Option<String>,
        /// The user who did it. In 2014.
        "userKey" => user_key: Option<String>,
    }
}

impl PayloadType for AddonEvent {}

object! {
    /// The host or its plugins were upgraded.
    ///
    /// The sources of Connect 1.0.1, `ServerWebHookProvider`.
    pub struct UpgradeEvent {
        /// The key of the host.
        "key" => key: Option<String>,
        /// The base URL of the host.
        "baseUrl" => base_url: Option<String>,
        /// The version before.
        "oldVersion" => old_version: Option<String>,
        /// The version after.
        "newVersion" => new_version: Option<String>,
        /// When it happened.
        "timestamp" => timestamp: Option<Moment>,
    }
}

impl PayloadType for UpgradeEvent {}

object! {
    /// A plugin, or an app of the time before Connect, was installed, enabled or disabled.
    ///
    /// The sources of Connect 1.0.1, `RemotePluginEvent`, which adds fields of its own to the key;
    /// `plugin_enabled` inferred.
    #[derive(Default)]
    pub struct PluginEvent {
        /// The key of the plugin.
        "key" => key: Option<String>,
        /// When it happened.
        "timestamp" => timestamp: Option<Moment>,
        ..extra
    }
}

impl PayloadType for PluginEvent {}
