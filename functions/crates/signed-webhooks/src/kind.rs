//! The products that sign their webhooks, and where each writes what.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use atlassian_connect::delivery::Webhook;
use atlassian_connect::event::Product;
use atlassian_connect::payload::Payload;
use serde::{Deserialize, Serialize};

/// A kind of sender: a product, and the way in which its webhooks are registered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Jira in the cloud: a webhook that an administrator registered, with a secret.
    Jira,
    /// Jira in the cloud: a webhook that an OAuth 2.0 (3LO) app registered by the REST API.
    JiraOauth,
    /// Jira Data Center.
    JiraDataCenter,
    /// Confluence Data Center, from version 7.7 on.
    ConfluenceDataCenter,
    /// Bitbucket in the cloud.
    Bitbucket,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Jira,
        Self::JiraOauth,
        Self::JiraDataCenter,
        Self::ConfluenceDataCenter,
        Self::Bitbucket,
        Self::BitbucketDataCenter,
    ];

    /// What is documented about this kind.
    pub fn spec(self) -> &'static Spec {
        match self {
            Self::Jira => &JIRA,
            Self::JiraOauth => &JIRA_OAUTH,
            Self::JiraDataCenter => &JIRA_DATA_CENTER,
            Self::ConfluenceDataCenter => &CONFLUENCE_DATA_CENTER,
            Self::Bitbucket => &BITBUCKET,
            Self::BitbucketDataCenter => &BITBUCKET_DATA_CENTER,
        }
    }

    /// The name of the kind in declarations and commands.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The product that sends.
    pub fn product(self) -> Product {
        self.spec().product
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownKind)
    }
}

/// A name that is not a kind's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the sender is none of jira, jira-oauth, jira-data-center, confluence-data-center, bitbucket and \
     bitbucket-data-center; choose one of them"
)]
pub struct UnknownKind;

/// What is documented about a kind. Names of headers are in lower case.
#[derive(Debug)]
pub struct Spec {
    /// The name in declarations and commands.
    pub name: &'static str,
    /// The product that sends.
    pub product: Product,
    /// How a request proves that its sender knows the secret.
    pub proof: Proof,
    /// Where the name of the event is.
    pub event: NamedBy,
    /// The header with the identifier of a delivery, which is the same for every attempt.
    pub identifier: Option<&'static str>,
    /// The header with the number of an attempt.
    pub attempt: Option<Attempt>,
    /// The header that says how late a delivery may be.
    pub flow: Option<&'static str>,
    /// The event of the product's button that tests a webhook. It tells nothing.
    pub test_event: Option<&'static str>,
    /// Whether the sender is documented to try again after a 503.
    pub tries_again: bool,
    /// The length of the longest secret that the product takes, in characters.
    pub longest_secret: Option<usize>,
    /// The length of the longest body that the product sends, in bytes. It drops longer ones.
    pub longest_body: Option<usize>,
}

/// How a request proves that its sender knows the secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// `X-Hub-Signature`, an HMAC of the body with SHA-256.
    Signature,
    /// `Authorization: Bearer`, a token that is signed with HS256. It does not cover the body.
    Token,
}

/// Where a request names its event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NamedBy {
    /// A header. No signature covers it.
    Header(&'static str),
    /// The member `webhookEvent` of the body.
    WebhookEvent,
    /// The member `event` of the body.
    Event,
}

/// The header with the number of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// It counts the attempts before this one. The first attempt has no such header.
    Earlier(&'static str),
    /// It counts from 1.
    Number(&'static str),
}

impl Spec {
    /// What the request calls its event, if it does.
    pub fn event_name<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        payload: &'a Payload,
    ) -> Option<Cow<'a, str>> {
        match self.event {
            NamedBy::Header(name) => header(name).map(Cow::Borrowed),
            NamedBy::WebhookEvent => payload.webhook_event().map(Cow::Borrowed),
            NamedBy::Event => {
                let body: serde_json::Map<String, serde_json::Value> = payload.read().ok()?;
                Some(Cow::Owned(body.get("event")?.as_str()?.to_owned()))
            }
        }
    }

    /// The headers that identify the delivery and the attempt.
    pub fn webhook<'a>(&self, header: impl Fn(&str) -> Option<&'a str>) -> Webhook {
        let value = |name: Option<&str>| header(name?).map(str::to_owned);
        let retry = match self.attempt {
            Some(Attempt::Earlier(name)) => value(Some(name)),
            Some(Attempt::Number(name)) => header(name)
                .and_then(|number| number.trim().parse::<u32>().ok()?.checked_sub(1))
                .filter(|&earlier| earlier > 0)
                .map(|earlier| earlier.to_string()),
            None => None,
        };
        Webhook { identifier: value(self.identifier), retry, flow: value(self.flow) }
    }
}

/// Atlassian's documentation, "Webhooks" of the Jira Cloud platform.
const JIRA: Spec = Spec {
    name: "jira",
    product: Product::Jira,
    proof: Proof::Signature,
    event: NamedBy::WebhookEvent,
    identifier: Some("x-atlassian-webhook-identifier"),
    attempt: Some(Attempt::Earlier("x-atlassian-webhook-retry")),
    flow: Some("x-atlassian-webhook-flow"),
    test_event: None,
    tries_again: true,
    longest_secret: None,
    longest_body: None,
};

/// The same page, for apps that use OAuth 2.0.
const JIRA_OAUTH: Spec = Spec { name: "jira-oauth", proof: Proof::Token, ..JIRA };

/// "Managing webhooks" of Jira Data Center 10. It documents no header but the signature. Those of the
/// cloud are read if they are there, and a body has a `timestamp` that tells deliveries apart.
const JIRA_DATA_CENTER: Spec = Spec { name: "jira-data-center", tries_again: false, ..JIRA };

/// "Managing Webhooks" of Confluence Data Center. No header identifies a delivery; a body has a
/// `timestamp` that tells deliveries apart.
const CONFLUENCE_DATA_CENTER: Spec = Spec {
    name: "confluence-data-center",
    product: Product::Confluence,
    proof: Proof::Signature,
    event: NamedBy::Event,
    identifier: None,
    attempt: None,
    flow: None,
    test_event: Some(PING),
    tries_again: false,
    longest_secret: Some(255),
    longest_body: None,
};

/// "Event payloads" and "Troubleshoot webhooks" of Bitbucket Cloud: two more attempts after a 5xx.
const BITBUCKET: Spec = Spec {
    name: "bitbucket",
    product: Product::Bitbucket,
    proof: Proof::Signature,
    event: NamedBy::Header("x-event-key"),
    identifier: Some("x-request-uuid"),
    attempt: Some(Attempt::Number("x-attempt-number")),
    flow: None,
    test_event: None,
    tries_again: true,
    longest_secret: None,
    longest_body: Some(256 * 1024),
};

/// "Event payload" of Bitbucket Data Center.
const BITBUCKET_DATA_CENTER: Spec = Spec {
    name: "bitbucket-data-center",
    identifier: Some("x-request-id"),
    attempt: None,
    test_event: Some(PING),
    tries_again: false,
    longest_body: None,
    ..BITBUCKET
};

/// What the button "Test connection" sends.
const PING: &str = "diagnostics:ping";

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(body: &str) -> Payload {
        Payload::from_body(body.into()).unwrap()
    }

    #[test]
    fn has_one_name_for_each_kind() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert!(UnknownKind.to_string().contains(kind.as_str()), "{kind}");
        }
        assert_eq!("Jira".parse::<Kind>(), Err(UnknownKind));
    }

    #[test]
    fn finds_the_event_where_the_product_writes_it() {
        let header = |name: &str| (name == "x-event-key").then_some("repo:push");
        let body = payload(r#"{"webhookEvent":"jira:issue_created","event":"page_created"}"#);
        for (kind, event) in [
            (Kind::Jira, "jira:issue_created"),
            (Kind::JiraOauth, "jira:issue_created"),
            (Kind::JiraDataCenter, "jira:issue_created"),
            (Kind::ConfluenceDataCenter, "page_created"),
            (Kind::Bitbucket, "repo:push"),
            (Kind::BitbucketDataCenter, "repo:push"),
        ] {
            let found = kind.spec().event_name(header, &body);
            assert_eq!(found.as_deref(), Some(event), "{kind}");
        }
        for body in ["", "[]", "{}", r#"{"webhookEvent":1,"event":{}}"#] {
            let payload = payload(body);
            for kind in Kind::ALL {
                let found = kind.spec().event_name(|_| None, &payload);
                assert_eq!(found, None, "{kind} {body}");
            }
        }
    }

    #[test]
    fn reads_the_headers_of_a_delivery() {
        let headers = [
            ("x-atlassian-webhook-identifier", "jira-1"),
            ("x-atlassian-webhook-retry", "2"),
            ("x-atlassian-webhook-flow", "Primary"),
            ("x-request-uuid", "cloud-1"),
            ("x-request-id", "server-1"),
            ("x-attempt-number", "3"),
        ];
        let of = |kind: Kind| {
            let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
            let Webhook { identifier, retry, flow } = kind.spec().webhook(header);
            [identifier, retry, flow].map(Option::unwrap_or_default)
        };
        assert_eq!(of(Kind::Jira), ["jira-1", "2", "Primary"]);
        assert_eq!(of(Kind::Bitbucket), ["cloud-1", "2", ""]);
        assert_eq!(of(Kind::BitbucketDataCenter), ["server-1", "", ""]);
        assert_eq!(of(Kind::ConfluenceDataCenter), ["", "", ""]);
        for (number, retry) in [("1", None), ("2", Some("1")), ("0", None), ("x", None)] {
            let header = |name: &str| (name == "x-attempt-number").then_some(number);
            let webhook = Kind::Bitbucket.spec().webhook(header);
            assert_eq!(webhook.retry.as_deref(), retry, "{number}");
        }
    }
}
