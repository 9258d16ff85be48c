//! Dead letters are looked at, and put back.

use std::collections::BTreeSet;
use std::time::Duration;

use cargo_hooks::dead_letters::{self, Filter, Form, Moved, Pair, Queues, Replay};
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;

pub(crate) fn queues(app: &TestApp, endpoint: &str) -> Queues {
    queues_held(app, endpoint, Duration::from_secs(2))
}

/// A replay, which has an end.
async fn replayed(queues: &Queues, replay: &Replay) -> Moved {
    let done =
        tokio::time::timeout(Duration::from_secs(60), dead_letters::replay(queues, replay)).await;
    done.expect("a replay ends: it takes no letter twice, and none that dies meanwhile").unwrap()
}

fn queues_held(app: &TestApp, endpoint: &str, held: Duration) -> Queues {
    let pair = Pair {
        handler: "scripted".into(),
        queue: app.queue("ScriptedQueue").into(),
        dead_letters: app.queue("ScriptedDeadLetterQueue").into(),
    };
    Queues::at(endpoint, vec![pair], held)
}

async fn listed(queues: &Queues, filter: &Filter) -> Vec<Value> {
    let mut out = Vec::new();
    dead_letters::list(queues, filter, 1000, Form::Json, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Orders that are given up by their first attempt, and done by the next.
async fn give_up(app: &TestApp, folder: &std::path::Path, letters: usize) {
    for number in 0..letters {
        let once = folder.join(number.to_string());
        let order = json!({ "do": "give up", "once": once, "text": "\u{FFFF}ключ\u{1}" });
        assert_eq!(app.script(order).await.status, 204);
    }
    app.logged(Logged::DeliveryDeadLettered, letters).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_dead_letters_with_reasons_and_leaves_them() {
    let app = TestApp::in_haste().await;
    let folder = tempfile::tempdir().unwrap();
    give_up(&app, folder.path(), 23).await;
    let poison = app.sqs().send_message().queue_url(app.queue("ScriptedQueue"));
    poison.message_body("poison").send().await.unwrap();
    app.logged(Logged::DeliveryDeadLettered, 24).await;

    let queues = queues(&app, app.stack.sqs_endpoint());
    for _ in 0..2 {
        let letters = listed(&queues, &Filter::default()).await;
        assert_eq!(letters.len(), 24, "looking at them changes nothing");
        let ids: BTreeSet<&str> = letters.iter().map(|l| l["message"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 24);
        let unreadable = letters.iter().filter(|letter| letter["event"].is_null()).count();
        assert_eq!(unreadable, 1);
        let letter = letters.iter().find(|letter| !letter["event"].is_null()).unwrap();
        assert_eq!(letter["reason"], "as scripted, for good");
        assert_eq!(letter["event"], "jira:issue_updated");
        assert_eq!(letter["tenant"], app.jira.client_key.as_str());
        assert_eq!(letter["receives"], 1);
    }
    let of_nobody = Filter { tenant: Some("nobody".into()), ..Filter::default() };
    assert_eq!(listed(&queues, &of_nobody).await.len(), 0);

    let mut table = Vec::new();
    dead_letters::list(&queues, &Filter::default(), 5, Form::Table, &mut table).await.unwrap();
    let table = String::from_utf8(table).unwrap();
    assert_eq!(table.lines().count(), 6, "{table}");
    assert!(table.starts_with("HANDLER") && table.contains("as scripted, for good"), "{table}");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_back_what_is_meant_and_leaves_the_rest() {
    let app = TestApp::in_haste().await;
    let folder = tempfile::tempdir().unwrap();
    give_up(&app, folder.path(), 12).await;
    let poison = app.sqs().send_message().queue_url(app.queue("ScriptedQueue"));
    poison.message_body("poison").send().await.unwrap();
    app.logged(Logged::DeliveryDeadLettered, 13).await;

    let queues = queues(&app, app.stack.sqs_endpoint());
    let filter = Filter { event: Some("jira:issue_updated".into()), ..Filter::default() };
    let mut replay = Replay { filter, rate: Some(1000), dry_run: true };
    // As if there were more than can be held: whatever is looked at comes back at once.
    let too_many = queues_held(&app, app.stack.sqs_endpoint(), Duration::ZERO);
    let would = replayed(&too_many, &replay).await;
    assert!(would.moved + would.left <= 13 && would.unfinished, "{would:?}");
    let would = replayed(&queues, &replay).await;
    assert_eq!(would, Moved { moved: 12, left: 1, unfinished: false });
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 13, "it was a rehearsal");

    // So slowly that what is left comes back meanwhile: it is counted once.
    replay.dry_run = false;
    replay.rate = Some(4);
    let queues = queues_held(&app, app.stack.sqs_endpoint(), Duration::from_secs(1));
    let done = replayed(&queues, &replay).await;
    assert_eq!((done.moved, done.left), (12, 1));
    let done = app.logged(Logged::ScriptDone, 12).await;
    assert!(done.iter().all(|line| line["payload"].as_str().unwrap().contains("ключ")));
    app.drained("ScriptedQueue").await;
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 1);
    assert_eq!(app.logged(Logged::ScriptDone, 12).await.len(), 12);

    // A letter that fails again at once is not replayed again and again.
    let all = Replay::default();
    assert_eq!(replayed(&queues, &all).await.moved, 1);
    app.logged(Logged::DeliveryDeadLettered, 14).await;
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 1);
    app.stack.stop().await;
}

/// Answers are lost half-way: some letters are in both places then, and none in neither.
#[tokio::test(flavor = "multi_thread")]
async fn loses_no_letter_when_it_is_stopped_half_way() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::in_haste().await;
    proxy.forward_to(app.stack.sqs_endpoint());
    let folder = tempfile::tempdir().unwrap();
    give_up(&app, folder.path(), 30).await;

    let queues = queues(&app, proxy.url());
    let slowly = Replay { rate: Some(50), ..Replay::default() };
    let replay = tokio::spawn(async move { dead_letters::replay(&queues, &slowly).await });
    app.logged(Logged::ScriptDone, 5).await;
    proxy.inject(Fault::DropResponse);
    let error = replay.await.unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("run it again"), "{error:#}");
    proxy.inject(Fault::None);

    // What was hidden comes back when its time is over.
    let rest = self::queues(&app, app.stack.sqs_endpoint());
    while app.depth("ScriptedDeadLetterQueue").await > 0 {
        replayed(&rest, &Replay::default()).await;
    }
    // Handled once each, though some were in both places.
    app.logged(Logged::ScriptDone, 30).await;
    app.drained("ScriptedQueue").await;
    let done = app.logged(Logged::ScriptDone, 30).await;
    let names: BTreeSet<&str> = done.iter().map(|l| l["payload"].as_str().unwrap()).collect();
    assert_eq!((done.len(), names.len()), (30, 30));
    app.stack.stop().await;
}
