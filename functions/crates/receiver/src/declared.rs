//! The webhooks of one URL, and which of them a request is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use atlassian_connect::descriptor::Webhook;
use atlassian_connect::event::{EventName, Naming, Product};
use atlassian_connect::payload::Payload;
use gateway::Rejection;
use serde::de::IgnoredAny;

/// The descriptor's webhooks for one URL.
#[derive(Clone, Debug)]
pub struct Declared(Vec<Webhook>);

impl Declared {
    /// Finds the entry that a request belongs to.
    ///
    /// Jira's bodies name their event, with few exceptions. Confluence's bodies and empty bodies do
    /// not; then the URL decides, and it can have only one such event.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::UndeclaredEvent`] if the body names an event that the URL does not have;
    /// the URL is signed, and the body is not. Returns [`Rejection::EmptyBody`] if the body is empty
    /// and no entry has `excludeBody`, and [`Rejection::AmbiguousEvent`] if several entries are
    /// possible.
    pub fn entry(&self, product: Product, payload: &Payload) -> Result<&Webhook, Rejection> {
        let possible = || self.0.iter().filter(|webhook| webhook.event.may_come_from(product));
        if payload.as_str().is_empty() {
            return one(possible().filter(|webhook| webhook.exclude_body))
                .unwrap_or(Err(Rejection::EmptyBody));
        }
        let named = match product {
            Product::Jira => payload.webhook_event(),
            Product::Confluence | Product::Bitbucket => None,
        };
        if let Some(named) = named {
            let own = |webhook: &&Webhook| webhook.event.as_str() == named;
            let other =
                |webhook: &&Webhook| is_named_otherwise(&webhook.event, product, named, payload);
            let declared = self.0.iter().find(own).or_else(|| self.0.iter().find(other));
            return declared.ok_or_else(|| Rejection::UndeclaredEvent { event: shortened(named) });
        }
        one(possible().filter(|webhook| !webhook.event.names_itself(product)))
            .or_else(|| one(possible()))
            .unwrap_or_else(|| {
                Err(Rejection::UndeclaredEvent { event: format!("any of {product}'s") })
            })
    }
}

/// Whether a body is of this event although it names another one.
pub(crate) fn is_named_otherwise(
    event: &EventName,
    product: Product,
    named: &str,
    payload: &Payload,
) -> bool {
    match event.naming(product) {
        Naming::Other { event, member } => event.as_str() == named && has(payload, member),
        Naming::Own | Naming::None => false,
    }
}

/// The only entry of an iterator, or `None` if it is empty.
pub(crate) fn one<'a, T>(
    mut entries: impl Iterator<Item = &'a T>,
) -> Option<Result<&'a T, Rejection>> {
    let first = entries.next()?;
    Some(if entries.next().is_none() { Ok(first) } else { Err(Rejection::AmbiguousEvent) })
}

/// A name, shortened for the log: the body is not signed, and can contain anything.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

impl FromStr for Declared {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json).map(Self)
    }
}

/// Whether a body has this member, and not null.
fn has(payload: &Payload, member: &str) -> bool {
    let members = payload.read::<HashMap<Cow<'_, str>, Option<IgnoredAny>>>();
    members.is_ok_and(|members| members.get(member).is_some_and(Option::is_some))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(events: &[&str], product: Product, body: &str) -> Result<String, &'static str> {
        let entries = events.iter().map(|e| format!(r#"{{"event":"{e}","url":"/u"}}"#));
        let json = format!("[{}]", entries.collect::<Vec<_>>().join(","));
        let declared: Declared = json.parse().unwrap();
        let payload = Payload::from_body(body.into()).unwrap();
        let entry = declared.entry(product, &payload);
        entry.map(|entry| entry.event.to_string()).map_err(|rejection| rejection.reason())
    }

    #[test]
    fn takes_jiras_word_among_what_the_url_declares() {
        let urls = ["jira:issue_created", "jira:issue_updated", "jira:brand_new"];
        for event in urls {
            let body = format!(r#"{{"timestamp":1,"webhookEvent":"{event}"}}"#);
            assert_eq!(decide(&urls, Product::Jira, &body), Ok(event.into()));
        }
        let other = r#"{"webhookEvent":"jira:issue_deleted"}"#;
        assert_eq!(decide(&urls, Product::Jira, other), Err("undeclared_event"));
        assert_eq!(decide(&urls[..1], Product::Jira, other), Err("undeclared_event"));
    }

    #[test]
    fn takes_the_urls_word_where_the_body_has_none() {
        let (one, two) = ("jira:issue_created", "jira:issue_deleted");
        for body in ["{}", "[1]", "null", r#"{"webhookEvent":5}"#] {
            assert_eq!(decide(&[one], Product::Jira, body), Ok(one.into()));
            assert_eq!(decide(&[one, two], Product::Jira, body), Err("ambiguous_event"));
        }
    }

    #[test]
    fn knows_the_events_whose_bodies_name_none() {
        let declared = ["user_created", "user_deleted"];
        let body = r#"{"accountId":"1"}"#;
        assert_eq!(decide(&declared, Product::Jira, body), Ok("user_deleted".into()));
    }

    #[test]
    fn takes_an_empty_body_only_where_the_descriptor_says_so() {
        assert_eq!(decide(&["jira:issue_created"], Product::Jira, ""), Err("empty_body"));
        let json = r#"[{"event":"jira:issue_created","url":"/u"},
                       {"event":"jira:issue_deleted","url":"/u","excludeBody":true}]"#;
        let declared: Declared = json.parse().unwrap();
        let empty = Payload::from_body(String::new()).unwrap();
        let entry = declared.entry(Product::Jira, &empty).unwrap();
        assert_eq!(entry.event.as_str(), "jira:issue_deleted");
    }

    #[test]
    fn believes_no_event_name_in_a_body_of_confluence() {
        let body = r#"{"webhookEvent":"page_removed"}"#;
        let declared = ["page_created"];
        assert_eq!(decide(&declared, Product::Confluence, body), Ok("page_created".into()));
    }

    #[test]
    fn tells_the_products_apart_on_a_shared_url() {
        let declared = ["jira:issue_created", "page_created"];
        assert_eq!(decide(&declared, Product::Confluence, "{}"), Ok("page_created".into()));
        let only_jira = ["jira:issue_created"];
        assert_eq!(decide(&only_jira, Product::Confluence, "{}"), Err("undeclared_event"));
    }

    #[test]
    fn takes_a_merge_of_versions_for_what_it_is() {
        let body = r#"{"webhookEvent":"jira:version_deleted","mergedTo":{}}"#;
        let merged = Ok("jira:version_merged".into());
        assert_eq!(decide(&["jira:version_merged"], Product::Jira, body), merged);
        let deleted = r#"{"webhookEvent":"jira:version_deleted"}"#;
        let refused = decide(&["jira:version_merged"], Product::Jira, deleted);
        assert_eq!(refused, Err("undeclared_event"));
    }
}
