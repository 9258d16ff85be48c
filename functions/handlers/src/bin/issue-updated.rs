//! Jira: an issue was updated. If it has another assignee, the handover is recorded in a table of the
//! app's own, and a comment on the issue says how many there were.
//!
//! The comment is created once, although a handler may be called again when it was killed: the table
//! says that an earlier call began, and then the issue itself says whether it has the comment.

use std::process::ExitCode;

use atlassian_hooks::site::{self, segment};
use atlassian_hooks::{Delivery, Error, Runner, Sites, aws_config, jira};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::Deserialize;
use serde_json::json;

/// The handovers of issues: the table `Handovers` of infra/atlassian-hooks.yaml.
#[derive(Clone, Debug)]
struct Handovers {
    table: String,
    dynamodb: aws_sdk_dynamodb::Client,
}

/// What the table knew of a handover before it was recorded.
#[derive(Debug, PartialEq)]
struct Recorded {
    /// Its number among those of the issue, from 1.
    number: usize,
    /// Whether it was there already.
    is_repeated: bool,
}

async fn initialize() -> Result<(Sites, Handovers), Error> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws_config()?);
    #[expect(clippy::disallowed_methods, reason = "the error names the variable")]
    let table = std::env::var("HANDOVERS_TABLE")
        .map_err(|_| "HANDOVERS_TABLE is missing; deploy the app with its template")?;
    Ok((Sites::from_env().await?, Handovers { table, dynamodb }))
}

async fn handle(
    delivery: Delivery<jira::IssueEvent>,
    (sites, handovers): (Sites, Handovers),
) -> Result<(), Error> {
    // A comment is no handover, so this handler's own comments end here.
    let Some((change, assignee)) = handover(&delivery.payload) else { return Ok(()) };
    let issue = &delivery.payload.issue;
    let recorded = handovers.record(&format!("{}/{}", delivery.tenant, issue.id), &change).await?;
    let mark = format!("(change {change})");
    let text =
        format!("Assigned to {assignee}. Handover {} of this issue {mark}.", recorded.number);
    // The number may have grown since an earlier call, and the mark is the same.
    let earlier = recorded.is_repeated.then_some(&*mark);
    comment(&sites.of(&delivery), &issue.key, &text, earlier).await?;
    tracing::info!(issue.key, handover = recorded.number, "handover recorded");
    Ok(())
}

/// The id of the change and the name of the new assignee, if there is one.
fn handover(event: &jira::IssueEvent) -> Option<(String, String)> {
    let changelog = event.changelog.as_ref()?;
    let is_assignee = |change: &&jira::Change| change.field.as_deref() == Some("assignee");
    let change = changelog.items.iter().find(is_assignee)?;
    Some((changelog.id.as_ref()?.to_string(), change.to_string.clone()?))
}

impl Handovers {
    /// Adds a change to the handovers of an issue. Adding it again does nothing.
    async fn record(&self, issue: &str, change: &str) -> Result<Recorded, Error> {
        let update = self.dynamodb.update_item().table_name(&self.table);
        let update = update.key("issue", AttributeValue::S(issue.to_owned()));
        let update = update.update_expression("ADD changes :change");
        let changes = AttributeValue::Ss(vec![change.to_owned()]);
        let update = update.expression_attribute_values(":change", changes);
        let before = update.return_values(ReturnValue::UpdatedOld).send().await?.attributes;
        let before = before.unwrap_or_default().remove("changes");
        Ok(Recorded::of(before.as_ref(), change))
    }
}

impl Recorded {
    fn of(before: Option<&AttributeValue>, change: &str) -> Self {
        let before = before.and_then(|changes| changes.as_ss().ok());
        let is_repeated = before.is_some_and(|changes| changes.iter().any(|known| known == change));
        let before = before.map_or(0, Vec::len);
        Self { number: if is_repeated { before } else { before + 1 }, is_repeated }
    }
}

/// Comments on an issue. If an `earlier` call may have done so, only if none of the latest comments has
/// its mark.
async fn comment(
    site: &site::Client,
    issue: &str,
    text: &str,
    earlier: Option<&str>,
) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Comments {
        comments: Vec<Comment>,
    }
    #[derive(Deserialize)]
    struct Comment {
        body: String,
    }
    let path = format!("/rest/api/2/issue/{}/comment", segment(issue));
    let commented = async {
        if let Some(mark) = earlier {
            let latest = site.get(&*path).query("orderBy", "-created").query("maxResults", 100);
            let latest: Comments = latest.send().await?.json()?;
            if latest.comments.iter().any(|comment| comment.body.contains(mark)) {
                return Ok(());
            }
        }
        site.post(&*path).json(&json!({ "body": text })).send().await.map(drop)
    };
    match commented.await {
        // The issue was deleted since.
        Err(site::Error::NotFound { .. }) => Ok(()),
        result => result.map_err(Error::from),
    }
}

fn main() -> ExitCode {
    Runner::new().run_with(initialize, handle)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use atlassian_hooks::Product;
    use atlassian_hooks::testing::{Answer, FakeSite, Outcome, delivery};

    use super::*;

    const COMMENTS: &str = "/rest/api/2/issue/DEMO-1/comment";

    fn changed(field: &str) -> Delivery<jira::IssueEvent> {
        let change = json!({ "field": field, "from": null, "to": "5b10", "toString": "Emma" });
        let body = json!({
            "issue": { "id": "10001", "key": "DEMO-1" },
            "changelog": { "id": "10138", "items": [{ "field": "priority" }, change] },
        });
        delivery("jira:issue_updated", &body.to_string())
    }

    async fn commented(site: &FakeSite, may_be_there: bool) -> Result<(), Error> {
        let earlier = may_be_there.then_some("(change 1)");
        comment(&site.sites().of(&changed("assignee")), "DEMO-1", "2 (change 1).", earlier).await
    }

    #[test]
    fn reacts_to_another_assignee_alone() {
        let found = handover(&changed("assignee").payload);
        assert_eq!(found, Some(("10138".into(), "Emma".into())));
        assert_eq!(handover(&changed("status").payload), None);
    }

    #[test]
    fn counts_each_change_once() {
        let changes = AttributeValue::Ss(vec!["a".into(), "b".into()]);
        let of = |before, change| Recorded::of(before, change);
        assert_eq!(of(None, "a"), Recorded { number: 1, is_repeated: false });
        assert_eq!(of(Some(&changes), "c"), Recorded { number: 3, is_repeated: false });
        assert_eq!(of(Some(&changes), "b"), Recorded { number: 2, is_repeated: true });
    }

    #[tokio::test]
    async fn comments_once() {
        let site = FakeSite::start(Product::Jira).await;
        site.answers("POST", COMMENTS, [Answer::json(201, json!({ "id": "1" }))]);
        commented(&site, false).await.unwrap();
        let there = |text| Answer::json(200, json!({ "comments": [{ "body": text }] }));
        site.answers("GET", COMMENTS, [there("1 (change 1)."), there("1 (change 10).")]);
        commented(&site, true).await.unwrap();
        commented(&site, true).await.unwrap();
        let requests: Vec<String> =
            site.requests().into_iter().map(|request| request.method).collect();
        assert_eq!(requests, ["POST", "GET", "GET", "POST"]);
        assert_eq!(site.requests()[0].body, r#"{"body":"2 (change 1)."}"#);
    }

    #[tokio::test]
    async fn waits_as_long_as_the_site_says_and_forgets_what_is_gone() {
        let site = FakeSite::start(Product::Jira).await;
        let busy = Answer::status(429).header("retry-after", "7");
        site.answers("POST", COMMENTS, [busy, Answer::status(404)]);
        let after = Outcome::of(&commented(&site, false).await);
        assert_eq!(after, Outcome::Retry { after: Some(Duration::from_secs(7)) });
        commented(&site, false).await.unwrap();
        site.answers("GET", COMMENTS, [Answer::status(404)]);
        commented(&site, true).await.unwrap();
    }
}
