//! What a journey says of requests and log lines.

use std::sync::Arc;

use atlassian_hooks_inspector::{Journey, Outcome, Verdict};
use serde_json::json;

use crate::stand_in::{CONFLUENCE, JIRA, Request, SIGNATURE, Stack};

#[test]
fn follows_a_delivery_until_it_is_handled() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    let queued = stack.only();
    assert_eq!(queued.outcome, Outcome::Queued);
    assert_eq!(queued.ended_ms, None);

    let fields = json!({ "span": { "delivery.id": "a" }, "issue": "ABC-1" });
    stack.log("OnIssueCreated", 40, "INFO", "the invoice is corrected", fields);
    stack.handled("a");

    let journey = stack.only();
    assert_eq!(journey.outcome, Outcome::Handled);
    assert_eq!(journey.verdict, Verdict::Verified);
    assert_eq!(journey.ended_ms, Some(84));
    assert_eq!(journey.answered_ms, 12);
    assert_eq!(journey.event.as_deref(), Some("jira:issue_created"));
    assert_eq!(journey.tenant.as_deref(), Some(JIRA));
    assert_eq!(journey.product.as_deref(), Some("jira"));
    assert_eq!(journey.function.as_deref(), Some("IssueCreatedReceiver"));
    assert_eq!(journey.handler.as_deref(), Some("OnIssueCreated"));
    assert!(journey.queue.as_ref().is_some_and(|queue| queue.contains("JiraQueue")));
    assert_eq!(journey.message.as_deref(), Some("message-of-a"));
    let reading = journey.reading.as_ref().expect("a queued body is read");
    assert_eq!(reading.word, "read");
    assert!(reading.typed.as_ref().is_some_and(|typed| typed.contains("ABC-1")));
    assert_eq!(journey.lines[1].message, "the invoice is corrected");
    assert_eq!(journey.lines[1].fields, ["issue=ABC-1"]);
    // The token was made for this request.
    let token = journey.sent.token.as_ref().expect("it has a token");
    assert_eq!(token.claims["qsh"].as_str(), journey.sent.hash.as_deref());
    assert_eq!(journey.sent.canonical.as_deref(), Some("POST&/issue-created&"));
}

#[test]
fn joins_lines_that_came_before_their_request_was_answered() {
    let early = Stack::new();
    let fields = json!({ "delivery.id": "a", "delivery.event": "jira:issue_created",
        "tenant.key": JIRA, "tenant.product": "jira", "message.id": "m" });
    early.log("IssueCreatedReceiver", 9, "INFO", "delivery queued", fields);
    assert!(early.journeys.all().is_empty());
    early.request("a", &Request::issue());
    // Also by its message alone, which only the early line named.
    let fields =
        json!({ "message.id": "m", "message.attempts": 1, "retry.seconds": 1, "error": "no" });
    early.log("OnIssueCreated", 30, "ERROR", "delivery failed", fields);
    let journey = early.only();
    assert_eq!(journey.outcome, Outcome::Retrying);
    assert_eq!(journey.lines.len(), 2);
}

#[test]
fn counts_attempts_until_the_dead_letter_queue() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    stack.failed("a", 1, "the ledger did not answer");
    stack.failed("a", 2, "the ledger did not answer again");
    assert_eq!(stack.only().outcome, Outcome::Retrying);
    assert_eq!(stack.only().ended_ms, None);
    stack.dead_lettered("a", 3, "the ledger has no such invoice");

    let journey = stack.only();
    assert_eq!(journey.outcome, Outcome::DeadLettered);
    assert_eq!(journey.detail.as_deref(), Some("the ledger has no such invoice"));
    assert_eq!(journey.ended_ms, Some(90_250));
    let attempts = journey.attempts.iter().map(|attempt| {
        (attempt.number, attempt.error.as_deref().unwrap_or_default(), attempt.retry_seconds)
    });
    assert_eq!(
        attempts.collect::<Vec<_>>(),
        [
            (1, "the ledger did not answer", Some(30)),
            (2, "the ledger did not answer again", Some(60)),
            (3, "the ledger has no such invoice", None),
        ]
    );

    // Replayed, it can still be handled.
    stack.handled("a");
    assert_eq!(stack.only().outcome, Outcome::Handled);
}

#[test]
fn says_what_a_refusal_means_for_the_token() {
    for (status, reason, verdict) in [
        (401, "no_token", Verdict::NotTrusted),
        (401, "two_tokens", Verdict::NotTrusted),
        (401, "malformed_token", Verdict::NotTrusted),
        (401, "algorithm", Verdict::NotTrusted),
        (401, "signature", Verdict::NotTrusted),
        (401, "expired", Verdict::NotTrusted),
        (401, "not_yet_valid", Verdict::NotTrusted),
        (401, "qsh", Verdict::NotTrusted),
        (401, "unknown_tenant", Verdict::NotTrusted),
        (400, "not_json", Verdict::Verified),
        (400, "undeclared_event", Verdict::Verified),
        (400, "empty_body", Verdict::Verified),
        (413, "too_large", Verdict::Verified),
        (503, "queue_unavailable", Verdict::Verified),
        (503, "not_forwarded", Verdict::Verified),
        (503, "tenants_unavailable", Verdict::NotChecked),
        (400, "not_an_event", Verdict::NotChecked),
    ] {
        let stack = Stack::new();
        stack.rejected("a", &Request::issue().refused(status), reason, "why it was refused");
        let journey = stack.only();
        assert_eq!(journey.outcome, Outcome::Rejected, "{reason}");
        assert_eq!(journey.verdict, verdict, "{reason}");
        assert_eq!(journey.status, status);
        assert_eq!(journey.reason.as_deref(), Some(reason));
        assert_eq!(journey.detail.as_deref(), Some("why it was refused"));
        assert_eq!((&journey.queue, &journey.handler), (&None, &None), "{reason}");
        assert!(journey.reading.is_none(), "{reason}");
    }
}

#[test]
fn knows_a_duplicate_from_a_copy_of_what_was_handled() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    let duplicate = || {
        let fields = json!({ "delivery.id": "a", "message.id": "message-of-a" });
        stack.log("OnIssueCreated", 50, "INFO", "duplicate delivery skipped", fields);
        stack.only().outcome
    };
    assert_eq!(duplicate(), Outcome::Duplicate);
    stack.handled("a");
    assert_eq!(duplicate(), Outcome::Handled);
}

#[test]
fn keeps_interleaved_requests_apart() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    stack.queued("b", &Request::page());
    stack.failed("a", 1, "a's error");
    stack.handled("b");
    let all = stack.journeys.all();
    let told = |journey: &Arc<Journey>| {
        (journey.id.clone(), journey.outcome, journey.tenant.clone(), journey.attempts.len())
    };
    assert_eq!(
        all.iter().map(told).collect::<Vec<_>>(),
        [
            ("a".into(), Outcome::Retrying, Some(JIRA.into()), 1),
            ("b".into(), Outcome::Handled, Some(CONFLUENCE.into()), 1),
        ]
    );
    assert_eq!(all[1].event.as_deref(), Some("page_created"));
}

#[test]
fn ignores_what_belongs_to_no_request() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    let metric = json!({
        "delivery.id": "a", "message.attempts": 1, "metric": "Failed", "Failed": 1,
        "LogGroup": "Logs", "_aws": {},
    });
    stack.log("OnIssueCreated", 20, "ERROR", "delivery failed", metric);
    let journey = stack.only();
    let line = journey.lines.last().unwrap();
    assert_eq!(line.message, "delivery failed");
    assert_eq!(line.fields, ["delivery.id=a", "message.attempts=1"]);
    for text in ["not JSON", "{}", r#"{"message":"cold start"}"#, r#"{"message.id":"other"}"#] {
        let line = sam_template_runner::LogLine {
            function: "OnIssueCreated".into(),
            stream: sam_template_runner::LogStream::Stderr,
            text: text.to_owned(),
        };
        assert!(!stack.journeys.line(&line), "{text}");
    }
}

#[test]
fn keeps_the_last_thousand() {
    let stack = Stack::new();
    for number in 0..1003 {
        stack.request(&format!("request {number}"), &Request::issue());
    }
    let all = stack.journeys.all();
    assert_eq!(all.len(), 1000);
    assert_eq!(all[0].id, "request 3");
    assert!(stack.journeys.get("request 2").is_none());
}

#[test]
fn holds_neither_a_token_nor_a_secret() {
    const SECRET: &str = "the-shared-secret-of-the-site";
    let in_query = Box::leak(format!("a=1&jwt=e30.e30.{SIGNATURE}").into_boxed_str());
    let body = json!({ "eventType": "installed", "clientKey": JIRA, "sharedSecret": SECRET,
        "nested": [{ "sharedSecret": SECRET }] });
    let broken = format!(r#"{{"sharedSecret":"{SECRET}""#);
    let stack = Stack::new();
    let installed = |query, body: &str| Request::to("/installed", query, "Lifecycle", JIRA, body);
    stack.request("header", &installed("", &body.to_string()));
    stack.request("query", &installed(in_query, &body.to_string()));
    stack.request("both", &installed(in_query, &broken));
    for journey in stack.journeys.all() {
        let text = serde_json::to_string(&*journey).expect("it is JSON");
        assert!(!text.contains(SIGNATURE), "{} holds a token: {text}", journey.id);
        assert!(!text.contains(SECRET), "{} holds a secret: {text}", journey.id);
        assert!(!format!("{journey:?}").contains(SIGNATURE));
        assert!(!format!("{journey:?}").contains(SECRET));
        // What identifies the sender is still there.
        assert_eq!(journey.tenant.as_deref(), Some(JIRA));
    }
}
