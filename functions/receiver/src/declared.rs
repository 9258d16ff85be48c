//! Which event a request is: what the descriptor declares for its URL.

use std::borrow::Cow;
use std::str::FromStr;

use connect::delivery::Payload;
use connect::descriptor::Webhook;
use connect::event::Product;
use gateway::Rejection;
use serde::Deserialize;

/// The descriptor's webhooks of one URL.
#[derive(Clone, Debug)]
pub struct Declared(Vec<Webhook>);

impl Declared {
    /// The variable that holds them: the descriptor's entries of this URL, as a JSON list.
    pub const VARIABLE: &str = "WEBHOOKS";

    /// The entry that a request belongs to.
    ///
    /// A body of Jira's names its event; one of Confluence's does not, so there the URL decides, and
    /// can have one event only.
    ///
    /// # Errors
    ///
    /// [`Rejection::UndeclaredEvent`] if the body names an event that the URL does not have: the
    /// body is not signed, and the URL is. [`Rejection::AmbiguousEvent`] if nothing decides.
    pub fn entry(&self, product: Product, payload: &Payload) -> Result<&Webhook, Rejection> {
        let named = match product {
            Product::Jira => named_event(payload),
            Product::Confluence => None,
        };
        if let Some(event) = named {
            return self
                .0
                .iter()
                .find(|webhook| webhook.event.as_str() == event)
                // Jira delivers a merge of versions as the deletion of the one that is gone.
                .or_else(|| self.merge_of_versions(&event))
                .ok_or_else(|| Rejection::UndeclaredEvent { event: event.into_owned() });
        }
        let mut possible = self.0.iter().filter(|webhook| webhook.event.may_come_from(product));
        match (possible.next(), possible.next()) {
            (Some(webhook), None) => Ok(webhook),
            (Some(_), Some(_)) => Err(Rejection::AmbiguousEvent),
            (None, _) => Err(Rejection::UndeclaredEvent { event: format!("any of {product}'s") }),
        }
    }

    fn merge_of_versions(&self, event: &str) -> Option<&Webhook> {
        let merged = |webhook: &&Webhook| webhook.event.as_str() == "jira:version_merged";
        (event == "jira:version_deleted").then(|| self.0.iter().find(merged)).flatten()
    }
}

impl FromStr for Declared {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json).map(Self)
    }
}

/// The `webhookEvent` of a body, without reading the rest of it into anything.
fn named_event(payload: &Payload) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named<'a> {
        #[serde(borrow)]
        webhook_event: Cow<'a, str>,
    }
    payload.read::<Named<'_>>().ok().map(|named| named.webhook_event)
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
        for body in ["", "{}", "[1]", "null", r#"{"webhookEvent":5}"#] {
            assert_eq!(decide(&[one], Product::Jira, body), Ok(one.into()));
            assert_eq!(decide(&[one, two], Product::Jira, body), Err("ambiguous_event"));
        }
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
    }
}
