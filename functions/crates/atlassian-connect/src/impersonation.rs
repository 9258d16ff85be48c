//! Acting as a user: assertions that are exchanged for access tokens.
//!
//! Atlassian's documentation, "User impersonation for Connect apps": an app with the scope
//! `ACT_AS_USER` signs an [`Assertion`] with the tenant's secret, and posts it as a form to
//! [`TOKEN_PATH`] of the [authorization server](AUTHORIZATION_SERVER) (RFC 7523, section 2.1). The
//! answer is an access token for the site's API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::jwt;
use crate::tenant::SharedSecret;

/// Atlassian's authorization server.
pub const AUTHORIZATION_SERVER: &str =
    "https://oauth-2-authorization-server.services.atlassian.com";

/// The path on the authorization server that exchanges assertions.
pub const TOKEN_PATH: &str = "/oauth2/token";

/// The form's `grant_type`.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The claims by which an app asks for an access token of a user.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Assertion {
    iss: String,
    sub: String,
    tnt: String,
    aud: String,
    iat: i64,
    exp: i64,
}

impl Assertion {
    /// The lifetime of an assertion, in seconds. Atlassian refuses more than two minutes.
    pub const LIFETIME: i64 = 60;

    /// An assertion for a user of a site, by the `oauthClientId` of its install.
    pub fn new(client_id: &str, account_id: &str, base_url: &str, now: Timestamp) -> Self {
        let iat = now.as_second();
        Self {
            iss: format!("{CLIENT}{client_id}"),
            sub: format!("{ACCOUNT}{account_id}"),
            tnt: base_url.trim_end_matches('/').into(),
            aud: AUTHORIZATION_SERVER.into(),
            iat,
            exp: iat + Self::LIFETIME,
        }
    }

    /// Signs the assertion with the tenant's secret.
    pub fn sign(&self, secret: &SharedSecret) -> String {
        jwt::sign(self, secret)
    }

    /// The assertion in a token, if the secret has signed it. For simulators of the authorization
    /// server.
    pub fn verify(token: &str, secret: &SharedSecret) -> Option<Self> {
        jwt::signed(token, secret)
    }

    /// The account id of the user, if the assertion is one for this client and site, and for now.
    pub fn account_id(&self, client_id: &str, base_url: &str, now: Timestamp) -> Option<&str> {
        let account_id = self.sub.strip_prefix(ACCOUNT)?;
        let expected = Self::new(client_id, account_id, base_url, now);
        let is_current = self.iat <= now.as_second() + jwt::LEEWAY
            && (now.as_second()..=self.iat + Self::LIFETIME).contains(&self.exp);
        let expected = Self { iat: self.iat, exp: self.exp, ..expected };
        (*self == expected && is_current).then_some(account_id)
    }
}

const CLIENT: &str = "urn:atlassian:connect:clientid:";
const ACCOUNT: &str = "urn:atlassian:connect:useraccountid:";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SITE: &str = "https://demo.atlassian.net/wiki";

    #[test]
    fn names_client_user_site_and_server() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let assertion = Assertion::new("client", "5b10", SITE, now);
        let claims = json!({
            "iss": "urn:atlassian:connect:clientid:client",
            "sub": "urn:atlassian:connect:useraccountid:5b10",
            "tnt": "https://demo.atlassian.net/wiki",
            "aud": "https://oauth-2-authorization-server.services.atlassian.com",
            "iat": 1_700_000_000,
            "exp": 1_700_000_060,
        });
        assert_eq!(serde_json::to_value(&assertion).unwrap(), claims);
    }

    #[test]
    fn is_good_for_one_client_one_site_and_a_minute() {
        let at = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let (right, wrong) = (SharedSecret::new("right"), SharedSecret::new("wrong"));
        let token = Assertion::new("client", "5b10", SITE, at(0)).sign(&right);
        assert_eq!(Assertion::verify(&token, &wrong), None);
        let assertion = Assertion::verify(&token, &right).unwrap();
        assert_eq!(assertion.account_id("client", SITE, at(60)), Some("5b10"));
        assert_eq!(assertion.account_id("client", SITE, at(61)), None);
        assert_eq!(assertion.account_id("other", SITE, at(0)), None);
        assert_eq!(assertion.account_id("client", "https://demo.atlassian.net", at(0)), None);
    }
}
