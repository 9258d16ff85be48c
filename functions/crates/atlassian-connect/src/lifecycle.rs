//! Lifecycle callbacks: install, uninstall, enable, disable.
//!
//! Atlassian's documentation, "Lifecycle" and "Security for Connect apps". `installed` and
//! `uninstalled` are signed by Atlassian with a key that only Atlassian has; `enabled` and
//! `disabled` by the tenant, like a webhook.

use std::fmt;

use serde::Deserialize;
use url::Url;

use crate::jwt::Claims;
use crate::tenant::{ClientKey, SharedSecret};

/// A kind of lifecycle callback.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Callback {
    /// A tenant installed the app, upgraded it, or got a new secret or site URL.
    Installed,
    /// A tenant uninstalled the app.
    Uninstalled,
    /// The app was enabled. Follows an install.
    Enabled,
    /// The app was disabled. Precedes an uninstall.
    Disabled,
}

impl Callback {
    /// All callbacks.
    pub const ALL: [Self; 4] = [Self::Installed, Self::Uninstalled, Self::Enabled, Self::Disabled];

    /// The name of the callback, as in the `eventType` of the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Uninstalled => "uninstalled",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    /// Parses the `eventType` of a callback's body. `None` for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|callback| callback.as_str() == name)
    }

    /// Whether Atlassian signs the callback, rather than the tenant.
    pub fn is_signed_by_atlassian(self) -> bool {
        matches!(self, Self::Installed | Self::Uninstalled)
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of a callback. Unknown fields are ignored; most known ones are optional.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleBody {
    /// The app key.
    pub key: String,
    /// The tenant.
    pub client_key: ClientKey,
    /// The new secret. Only in `installed`.
    #[serde(default)]
    pub shared_secret: Option<SharedSecret>,
    /// The base URL of the site, as in `https://example.atlassian.net/wiki`.
    pub base_url: String,
    /// `jira` or `confluence`.
    pub product_type: String,
    /// The name of the callback.
    pub event_type: String,
}

/// Further details of a site in the body of a callback. Most callbacks have only some of them.
///
/// They are read separately: with serde's `flatten`, the secret would be copied to memory that is
/// not wiped.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SiteDetails {
    /// The URL that users see, if the site has its own domain.
    #[serde(default)]
    pub display_url: Option<String>,
    /// The ARI of the Forge installation, if the app is a Forge app with Connect modules.
    #[serde(default)]
    pub installation_id: Option<String>,
    /// The OAuth 2.0 client that can act for users of the site.
    #[serde(default)]
    pub oauth_client_id: Option<String>,
    /// The licence of a paid app.
    #[serde(default)]
    pub entitlement_id: Option<String>,
    /// The number of that licence, as users see it.
    #[serde(default)]
    pub entitlement_number: Option<String>,
}

impl SiteDetails {
    /// All details with Atlassian's names for them.
    pub fn named(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("displayUrl", self.display_url.as_deref()),
            ("installationId", self.installation_id.as_deref()),
            ("oauthClientId", self.oauth_client_id.as_deref()),
            ("entitlementId", self.entitlement_id.as_deref()),
            ("entitlementNumber", self.entitlement_number.as_deref()),
        ]
    }
}

/// The expected values of a callback, before it is trusted.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The callback that belongs to the URL.
    pub callback: Callback,
    /// The key of this app.
    pub app_key: &'a str,
    /// The base URLs of this app. An install or uninstall is addressed to one of them. Trailing
    /// slashes are ignored.
    pub base_urls: &'a [&'a str],
    /// The hosts that tenants may have: `.atlassian.net` for every host below it, or a full name.
    pub tenant_hosts: &'a [&'a str],
}

impl LifecycleBody {
    /// Compares the body, which is not signed, with the verified claims and the expected values.
    ///
    /// # Errors
    ///
    /// Returns the first [`CallbackMismatch`].
    pub fn check(&self, claims: &Claims, expected: &Expected<'_>) -> Result<(), CallbackMismatch> {
        if claims.issuer() != self.client_key.as_str() {
            return Err(CallbackMismatch::Issuer);
        }
        if self.key != expected.app_key {
            return Err(CallbackMismatch::App);
        }
        if self.event_type != expected.callback.as_str() {
            return Err(CallbackMismatch::Event { expected: expected.callback });
        }
        if !is_hosted_by(&self.base_url, expected.tenant_hosts) {
            return Err(CallbackMismatch::Host);
        }
        if expected.callback.is_signed_by_atlassian()
            && !is_among(claims.audience(), expected.base_urls)
        {
            return Err(CallbackMismatch::Audience);
        }
        Ok(())
    }
}

/// A contradiction between a callback and its token, its URL or this app.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackMismatch {
    /// The body's `clientKey` is not the token's issuer.
    #[error("the body's clientKey is not the issuer of the token")]
    Issuer,
    /// The body is about another app.
    #[error("the body's key is not the key of this app; check the descriptor's key")]
    App,
    /// The body is about another event than the URL.
    #[error("the body's eventType is not {expected}; check the URLs in the descriptor's lifecycle")]
    Event {
        /// The one that belongs to the URL.
        expected: Callback,
    },
    /// The site is not on one of the allowed hosts, or its URL is not plain.
    #[error(
        "the tenant's baseUrl is not an https URL with an allowed host and a plain path; add the host \
         to TENANT_HOSTS if it is one of yours"
    )]
    Host,
    /// The install or uninstall is addressed to another app.
    #[error("the token's aud is not a base URL of this app; correct BASE_URL")]
    Audience,
}

fn is_among(audience: Option<&str>, base_urls: &[&str]) -> bool {
    let bare = |url: &'_ str| url.trim_end_matches('/').to_owned();
    audience.is_some_and(|audience| base_urls.iter().any(|url| bare(url) == bare(audience)))
}

/// Whether the base URL of a site consists of `https`, one of the hosts, and a plain path. The hosts are
/// those of [`Expected::tenant_hosts`].
///
/// Tools send tokens to this URL, so all parsers must read the same host from it. A URL that
/// parsing changes is refused: one with a default port, a full stop of another script, a backslash,
/// or `..`.
pub fn is_hosted_by(base_url: &str, hosts: &[&str]) -> bool {
    let Ok(url) = Url::parse(base_url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let path = url.path();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    // With a user, a port, a query or a fragment it would be longer. A host may have capitals.
    let rewritten = format!("https://{host}{path}");
    let bare = |url: &'_ str| url.trim_end_matches('/').to_owned();
    bare(&rewritten).eq_ignore_ascii_case(&bare(base_url))
        && path.bytes().all(is_plain)
        && !path.contains("//")
        && host.split('.').all(|label| !label.is_empty())
        && hosts.iter().any(|allowed| match allowed.strip_prefix('.') {
            Some(domain) => host.strip_suffix(domain).is_some_and(|site| site.ends_with('.')),
            None => host == *allowed,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EXPECTED: Expected<'_> = Expected {
        callback: Callback::Installed,
        app_key: "com.example.hooks",
        base_urls: &["https://hooks.example.com", "https://old.example.com/prod/"],
        tenant_hosts: &[".atlassian.net", "jira.example.com"],
    };

    fn body() -> Value {
        json!({
            "key": "com.example.hooks", "clientKey": "tenant", "sharedSecret": "s3cr3t",
            "baseUrl": "https://demo.atlassian.net", "productType": "jira",
            "eventType": "installed", "serverVersion": "100", "installationId": "ari:x",
        })
    }

    fn claims() -> Value {
        json!({ "iss": "tenant", "exp": 1, "qsh": "", "aud": "https://hooks.example.com" })
    }

    fn check(body: Value, claims: Value) -> Result<(), CallbackMismatch> {
        let tenancy: LifecycleBody = serde_json::from_value(body).unwrap();
        tenancy.check(&Claims::stated(claims), &EXPECTED)
    }

    fn changed(mut value: Value, name: &str, to: impl Into<Value>) -> Value {
        value[name] = to.into();
        value
    }

    #[test]
    fn believes_an_install_that_agrees() {
        assert_eq!(check(body(), claims()), Ok(()));
        for audience in ["https://hooks.example.com/", "https://old.example.com/prod"] {
            assert_eq!(check(body(), changed(claims(), "aud", audience)), Ok(()));
        }
        for base_url in [
            "https://jira.example.com/x",
            "https://demo.atlassian.net/",
            "https://demo.atlassian.net/wiki",
            "https://demo.atlassian.net/wiki/",
            "https://a.demo-1.atlassian.net",
            "https://Demo.Atlassian.net",
        ] {
            let result = check(changed(body(), "baseUrl", base_url), claims());
            assert_eq!(result, Ok(()), "{base_url}");
        }
    }

    #[test]
    fn asks_an_uninstall_for_its_audience_and_a_tenant_for_none() {
        for callback in Callback::ALL {
            let tenancy = changed(body(), "eventType", callback.as_str());
            let tenancy: LifecycleBody = serde_json::from_value(tenancy).unwrap();
            let expected = Expected { callback, ..EXPECTED };
            for aud in [json!("https://evil.example.com"), Value::Null] {
                let result =
                    tenancy.check(&Claims::stated(changed(claims(), "aud", aud)), &expected);
                let by_atlassian = callback.is_signed_by_atlassian();
                let refused = Err(CallbackMismatch::Audience);
                assert_eq!(result, if by_atlassian { refused } else { Ok(()) }, "{callback}");
            }
        }
    }

    #[test]
    fn refuses_every_contradiction() {
        let rows = [
            (changed(body(), "clientKey", "other"), claims(), CallbackMismatch::Issuer),
            (changed(body(), "key", "com.example.other"), claims(), CallbackMismatch::App),
            (
                changed(body(), "eventType", "uninstalled"),
                claims(),
                CallbackMismatch::Event { expected: Callback::Installed },
            ),
            (
                body(),
                changed(claims(), "aud", "https://evil.example.com"),
                CallbackMismatch::Audience,
            ),
            (body(), changed(claims(), "aud", Value::Null), CallbackMismatch::Audience),
            // Only the first audience counts, as at Atlassian's own receivers.
            (
                body(),
                changed(claims(), "aud", json!(["https://x.test", "https://hooks.example.com"])),
                CallbackMismatch::Audience,
            ),
        ];
        for (body, claims, expected) in rows {
            assert_eq!(check(body, claims), Err(expected));
        }
    }

    #[test]
    fn rejects_a_base_url_that_is_not_plain_or_not_allowed() {
        for base_url in [
            "https://.atlassian.net",
            "https://..atlassian.net",
            "https://demo..atlassian.net",
            "https://demo.atlassian.net.",
            "https://demo.atlassian.net:8443",
            "https://demo.atlassian.net:443",
            "https://demo.atlassian.net:",
            "https://@demo.atlassian.net",
            "https://demo.atlassian.net/a?b#c",
            "https://demo.atlassian.net?",
            "https://demo.atlassian.net#",
            "https://demo.atlassian.net/wiki?a=1",
            "https://demo\u{3002}atlassian.net",
            "https://demo.atlassian.net\\wiki",
            "https:demo.atlassian.net",
            "https://demo.atlassian.net/a/../b",
            "https://demo.atlassian.net/a%2fb",
            "https://demo.atlassian.net//",
            "https://demo.atlassian.net//evil.test",
            " https://demo.atlassian.net",
            "https://demo.atl\tassian.net",
            "https://d\u{e9}mo.atlassian.net",
            "http://demo.atlassian.net",
            "https://atlassian.net",
            "https://.atlassian.net.evil.test",
            "https://demo.atlassian.net.evil.test",
            "https://evilatlassian.net",
            "https://demo.atlassian.net@evil.test",
            "https://u:p@demo.atlassian.net",
            "https://sub.jira.example.com",
            "demo.atlassian.net",
            "",
        ] {
            let result = check(changed(body(), "baseUrl", base_url), claims());
            assert_eq!(result, Err(CallbackMismatch::Host), "{base_url}");
        }
    }

    #[test]
    fn prints_no_secret() {
        let tenancy: LifecycleBody = serde_json::from_value(body()).unwrap();
        assert!(!format!("{tenancy:?}").contains("s3cr3t"));
    }
}
