//! Events about the tenants themselves: lifecycle callbacks that were recorded.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::Lenient;
use super::object::object;
use super::read::{FromPayload, Reading, Unreadable, decode};
use super::{EventName, Product};
use crate::lifecycle::Callback;
use crate::payload::Payload;

object! {
    /// A tenant installed, enabled, disabled or uninstalled the app.
    ///
    /// Atlassian's documentation, "Lifecycle": the body of the callback, without the shared secret.
    /// Handlers get it from the lifecycle function, after that has recorded the tenant.
    pub struct LifecycleEvent {
        /// What happened.
        "eventType" => callback: Callback,
        /// The base URL of the site, as in `https://example.atlassian.net/wiki`.
        "baseUrl" => base_url: String,
        /// The key of the app.
        "key" => key: Option<String>,
        /// The key of the tenant, which is also the delivery's `tenant`.
        "clientKey" => client_key: Option<String>,
        /// `jira` or `confluence`, which is also the delivery's `product`.
        "productType" => product_type: Option<String>,
        /// The description of the site.
        "description" => description: Option<String>,
        /// The URL that users see, if the site has its own domain.
        "displayUrl" => display_url: Option<String>,
        /// The URL of the help centre that users see, if the site has its own domain.
        "displayUrlServicedeskHelpCenter" => display_url_help_center: Option<String>,
        /// The OAuth 2.0 client that can act for users of the site.
        "oauthClientId" => oauth_client_id: Option<String>,
        /// The ARI of the Forge installation, if the app is a Forge app with Connect modules.
        "installationId" => installation_id: Option<String>,
        /// The licence of a paid app.
        "entitlementId" => entitlement_id: Option<String>,
        /// The number of that licence, as users see it.
        "entitlementNumber" => entitlement_number: Option<String>,
        /// The number of the licence of a paid app. Deprecated.
        "serviceEntitlementNumber" => service_entitlement_number: Option<String>,
        /// The version of the host. Deprecated.
        "serverVersion" => server_version: Option<String>,
        /// The version of Connect. Deprecated.
        "pluginsVersion" => plugins_version: Option<String>,
    }
}

/// The members of a callback's body that its event carries: those of [`LifecycleEvent`].
const CARRIED: [&str; 15] = [
    "baseUrl",
    "clientKey",
    "description",
    "displayUrl",
    "displayUrlServicedeskHelpCenter",
    "entitlementId",
    "entitlementNumber",
    "eventType",
    "installationId",
    "key",
    "oauthClientId",
    "pluginsVersion",
    "productType",
    "serverVersion",
    "serviceEntitlementNumber",
];

impl LifecycleEvent {
    /// The payload of the event, from the body of a callback: the members of this type that are
    /// texts. Nothing else is copied, so that no secret can be, whatever Atlassian calls it.
    ///
    /// # Errors
    ///
    /// Returns the error of `serde_json` if the body is not a JSON object.
    pub fn payload_of(callback: &str) -> serde_json::Result<String> {
        #[derive(Deserialize, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        let mut members: BTreeMap<Name<'_>, &RawValue> = serde_json::from_str(callback)?;
        members
            .retain(|Name(name), value| CARRIED.contains(&&**name) && value.get().starts_with('"'));
        serde_json::to_string(&members)
    }
}

impl FromPayload for LifecycleEvent {
    fn from_payload(
        product: Product,
        event: &EventName,
        payload: &Payload,
        reading: &mut Reading,
    ) -> Result<Self, Unreadable> {
        if Callback::parse(event.as_str()).is_some() {
            return decode("LifecycleEvent", product, event, payload, reading);
        }
        Err(Unreadable::OtherEvent {
            product,
            event: event.clone(),
            takes: Callback::ALL.map(Callback::as_str).join(", ").into(),
        })
    }
}

impl Lenient for Callback {
    const EXPECTED: &'static str = "the name of a lifecycle callback";

    fn text(name: &str) -> Option<Self> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::{Event, jira};
    use super::*;

    fn read<T: FromPayload>(event: &str, body: &str) -> (Result<T, Unreadable>, Reading) {
        let payload = Payload::from_body(body.to_owned()).unwrap();
        let mut reading = Reading::of(Product::Jira, &event.into(), &payload);
        let value = T::from_payload(Product::Jira, &event.into(), &payload, &mut reading);
        (value, reading)
    }

    #[test]
    fn carries_every_member_of_the_type_and_nothing_else() {
        let mut body: Map<String, Value> =
            CARRIED.into_iter().map(|name| (name.to_owned(), json!(name))).collect();
        body["eventType"] = "installed".into();
        let carried = body.clone();
        body.extend([
            ("sharedSecret".to_owned(), json!("s3cr3t")),
            ("previousSharedSecret".to_owned(), json!("s3cr3t")),
            ("publicKey".to_owned(), json!("s3cr3t")),
        ]);
        let payload = LifecycleEvent::payload_of(&Value::from(body).to_string()).unwrap();
        assert_eq!(payload, Value::from(carried).to_string());

        let (event, reading) = read::<LifecycleEvent>("installed", &payload);
        assert_eq!(reading, Reading::Read);
        let printed = format!("{event:?}");
        let rest = CARRIED.iter().filter(|name| **name != "eventType");
        for name in rest {
            assert!(printed.contains(&format!("\"{name}\"")), "{name} is not in {printed}");
        }
    }

    #[test]
    fn carries_no_secret_that_is_not_where_it_belongs() {
        let body = r#"{"description":{"sharedSecret":"s3cr3t"},"\u0073haredSecret":"s3cr3t",
                       "baseUrl":["s3cr3t"],"key":"a","key":"b"}"#;
        assert_eq!(LifecycleEvent::payload_of(body).unwrap(), r#"{"key":"b"}"#);
        assert!(LifecycleEvent::payload_of("[]").is_err());
    }

    #[test]
    fn is_read_from_every_callback_and_from_no_webhook() {
        for callback in Callback::ALL {
            let body = json!({ "eventType": callback.as_str(), "baseUrl": "https://x.test" });
            let (event, _) = read::<LifecycleEvent>(callback.as_str(), &body.to_string());
            assert_eq!(event.unwrap().callback, callback);
            let (event, reading) = read::<Event>(callback.as_str(), &body.to_string());
            let event = event.unwrap();
            assert!(matches!(&event, Event::Lifecycle(event) if event.callback == callback));
            assert_eq!(event.name(), EventName::from(callback.as_str()));
            assert_eq!(reading, Reading::Read);
        }
        let (event, _) = read::<LifecycleEvent>("jira:issue_created", "{}");
        let error = event.unwrap_err().to_string();
        assert!(error.contains("takes installed, uninstalled, enabled, disabled"), "{error}");
        let (event, _) = read::<jira::IssueEvent>("installed", "{}");
        assert!(event.unwrap_err().to_string().contains("not installed from jira"));
    }

    #[test]
    fn needs_the_callback_and_the_site() {
        let malformed = r#"{"eventType":"installed","baseUrl":"https://x.test","displayUrl":7}"#;
        let (event, reading) = read::<LifecycleEvent>("installed", malformed);
        assert_eq!(event.unwrap().display_url, None);
        assert_eq!(reading.as_str(), "partly");
        let (event, reading) = read::<LifecycleEvent>("installed", r#"{"eventType":"installed"}"#);
        let error = event.unwrap_err().to_string();
        assert!(error.contains("not a valid LifecycleEvent: missing field `baseUrl`"), "{error}");
        assert_eq!(reading.as_str(), "unreadable");
    }
}
