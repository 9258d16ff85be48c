//! What a handler makes before its first event.

use serde_json::json;

use crate::harness::app::{TestApp, with_variables};
use crate::harness::log::Logged;

#[tokio::test(flavor = "multi_thread")]
async fn is_made_once_for_an_environment() {
    let mut app = TestApp::with_concurrency(1, |template| template).await;
    app.jira = app.installed(app.jira.product).await;
    for number in 1..=3 {
        app.script(json!({})).await;
        // One after the other, so that each is an invocation of its own.
        app.logged(Logged::ScriptDone, number).await;
    }
    let lines = app.logged(Logged::ScriptBegun, 3).await;
    assert!(lines[0]["state"].is_string(), "{}", lines[0]);
    assert!(lines.iter().all(|line| line["state"] == lines[0]["state"]), "{lines:?}");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_cannot_be_made_is_explained_and_loses_no_event() {
    let broken = &[("HANDLER_STATE", "the ledger refuses the password")];
    let app = TestApp::with(|template| with_variables(template, broken)).await;
    app.script(json!({})).await;
    let lines = app.logged(Logged::CouldNotStart, 1).await;
    let wanted = "the handler's state could not be made: the ledger refuses the password";
    assert_eq!(lines[0]["error"], wanted);
    assert_eq!(app.total_depth().await, 1, "the event is on its queue");
    assert!(app.logged(Logged::ScriptBegun, 0).await.is_empty());
    app.stack.stop().await;
}
