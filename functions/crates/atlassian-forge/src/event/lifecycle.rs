//! The life of an installation.
//!
//! Atlassian's documentation, "Life cycle events" and "Pre-uninstall". There is no event for an
//! uninstall: `avi:forge:uninstalled:app` is neither documented nor known to the manifest. A manifest
//! declares the module `preUninstall` instead.

use atlassian_connect::event::object::object;
use atlassian_connect::event::{EventName, Id};
use serde_json::value::RawValue;

use super::payload_types;

object! {
    /// The app was installed, or upgraded to a new major version.
    ///
    /// An installation can arrive before the app has its permissions: a call of the site's API can
    /// be refused for minutes. That upgrades arrive at remotes is documented, and was not observed.
    pub struct LifecycleEvent {
        /// The name of the event. The documentation's example lacks it, and observed bodies have it.
        "eventType" => event_type: Option<EventName>,
        /// The installation: a UUID, and in the token's claims the same as a resource identifier.
        "id" => id: Option<Id>,
        /// The site, as in `ari:cloud:jira::site/d0d52620-3203-4cfa-8db5-f2587155f0dd`.
        "context" => context: Option<String>,
        /// The app.
        "app" => app: App,
        /// The environment of the app.
        "environment" => environment: Option<Environment>,
        /// The account id of the user who installed it.
        "installerAccountId" => installer_account_id: Option<String>,
        /// The account id of the user who upgraded it.
        "upgraderAccountId" => upgrader_account_id: Option<String>,
        /// What the app may do, as it came. Observed in both, documented for upgrades.
        "permissions" => permissions: Option<Box<RawValue>>,
    }
}

object! {
    /// An app.
    pub struct App {
        /// The identifier: a UUID.
        "id" => id: Option<String>,
        /// The name.
        "name" => name: Option<String>,
        /// The version that is installed, such as `2.0.0`.
        "version" => version: Option<String>,
        /// The account id of the owner.
        "ownerAccountId" => owner_account_id: Option<String>,
    }
}

object! {
    /// An environment of an app.
    pub struct Environment {
        /// The identifier: a UUID.
        "id" => id: Option<String>,
    }
}

object! {
    /// The app is about to be uninstalled: the module `preUninstall`. The uninstall does not wait
    /// for the answer.
    ///
    /// That a remote gets this body is documented for functions, and not confirmed for remotes.
    pub struct PreUninstallEvent {
        /// Where it happens.
        "context" => context: ModuleContext,
    }
}

object! {
    /// The context of a module.
    pub struct ModuleContext {
        /// The site.
        "cloudId" => cloud_id: Option<String>,
        /// The key of the module in the manifest.
        "moduleKey" => module_key: Option<String>,
    }
}

payload_types!("": LifecycleEvent, PreUninstallEvent);
