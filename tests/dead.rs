//! Dead letters are looked at, and put back.

use std::collections::BTreeSet;
use std::time::Duration;

use cargo_hooks::dead::{self, Filter, Form, Moved, Pair, Queues, Replay};
use serde_json::{Value, json};

use crate::line::{Line, Wire};
use crate::stage::Stage;

pub(crate) fn queues(stage: &Stage, endpoint: &str) -> Queues {
    queues_held(stage, endpoint, Duration::from_secs(2))
}

/// A replay, which has an end.
async fn replayed(queues: &Queues, replay: &Replay) -> Moved {
    let done = tokio::time::timeout(Duration::from_secs(60), dead::replay(queues, replay)).await;
    done.expect("a replay ends: it takes no letter twice, and none that dies meanwhile").unwrap()
}

fn queues_held(stage: &Stage, endpoint: &str, held: Duration) -> Queues {
    let pair = Pair {
        handler: "obedient".into(),
        queue: stage.queue("ObedientQueue").into(),
        dead_letters: stage.queue("ObedientDeadLetterQueue").into(),
    };
    Queues::at(endpoint, vec![pair], held)
}

async fn listed(queues: &Queues, filter: &Filter) -> Vec<Value> {
    let mut out = Vec::new();
    dead::list(queues, filter, 1000, Form::Json, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Orders that are given up by their first attempt, and obeyed by the next.
async fn give_up(stage: &Stage, folder: &std::path::Path, letters: usize) {
    for number in 0..letters {
        let once = folder.join(number.to_string());
        let order = json!({ "do": "give up", "once": once, "text": "\u{FFFF}ключ\u{1}" });
        assert_eq!(stage.order(order).await.status, 204);
    }
    stage.logged("delivery given up", letters).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_what_is_dead_and_why_and_leaves_it_there() {
    let stage = Stage::in_haste().await;
    let folder = tempfile::tempdir().unwrap();
    give_up(&stage, folder.path(), 23).await;
    let poison = stage.sqs().send_message().queue_url(stage.queue("ObedientQueue"));
    poison.message_body("poison").send().await.unwrap();
    stage.logged("delivery given up", 24).await;

    let queues = queues(&stage, stage.stack.sqs_endpoint());
    for _ in 0..2 {
        let letters = listed(&queues, &Filter::default()).await;
        assert_eq!(letters.len(), 24, "looking at them changes nothing");
        let ids: BTreeSet<&str> = letters.iter().map(|l| l["message"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 24);
        let unreadable = letters.iter().filter(|letter| letter["event"].is_null()).count();
        assert_eq!(unreadable, 1);
        let letter = letters.iter().find(|letter| !letter["event"].is_null()).unwrap();
        assert_eq!(letter["reason"], "as ordered, for good");
        assert_eq!(letter["event"], "jira:issue_updated");
        assert_eq!(letter["tenant"], stage.jira.client_key.as_str());
        assert_eq!(letter["receives"], 1);
    }
    let of_nobody = Filter { tenant: Some("nobody".into()), ..Filter::default() };
    assert_eq!(listed(&queues, &of_nobody).await.len(), 0);

    let mut table = Vec::new();
    dead::list(&queues, &Filter::default(), 5, Form::Table, &mut table).await.unwrap();
    let table = String::from_utf8(table).unwrap();
    assert_eq!(table.lines().count(), 6, "{table}");
    assert!(table.starts_with("HANDLER") && table.contains("as ordered, for good"), "{table}");
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_back_what_is_meant_and_leaves_the_rest() {
    let stage = Stage::in_haste().await;
    let folder = tempfile::tempdir().unwrap();
    give_up(&stage, folder.path(), 12).await;
    let poison = stage.sqs().send_message().queue_url(stage.queue("ObedientQueue"));
    poison.message_body("poison").send().await.unwrap();
    stage.logged("delivery given up", 13).await;

    let queues = queues(&stage, stage.stack.sqs_endpoint());
    let filter = Filter { event: Some("jira:issue_updated".into()), ..Filter::default() };
    let mut replay = Replay { filter, rate: Some(1000), dry_run: true };
    // As if there were more than can be held: whatever is looked at comes back at once.
    let too_many = queues_held(&stage, stage.stack.sqs_endpoint(), Duration::ZERO);
    let would = replayed(&too_many, &replay).await;
    assert!(would.moved + would.left <= 13 && would.unfinished, "{would:?}");
    let would = replayed(&queues, &replay).await;
    assert_eq!(would, Moved { moved: 12, left: 1, unfinished: false });
    assert_eq!(stage.depth("ObedientDeadLetterQueue").await, 13, "it was a rehearsal");

    // So slowly that what is left comes back meanwhile: it is counted once.
    replay.dry_run = false;
    replay.rate = Some(4);
    let queues = queues_held(&stage, stage.stack.sqs_endpoint(), Duration::from_secs(1));
    let done = replayed(&queues, &replay).await;
    assert_eq!((done.moved, done.left), (12, 1));
    let obeyed = stage.logged("obeyed", 12).await;
    assert!(obeyed.iter().all(|line| line["payload"].as_str().unwrap().contains("ключ")));
    stage.drained("ObedientQueue").await;
    assert_eq!(stage.depth("ObedientDeadLetterQueue").await, 1);
    assert_eq!(stage.logged("obeyed", 12).await.len(), 12);

    // What dies again at once is not put back for ever.
    let all = Replay::default();
    assert_eq!(replayed(&queues, &all).await.moved, 1);
    stage.logged("delivery given up", 14).await;
    assert_eq!(stage.depth("ObedientDeadLetterQueue").await, 1);
    stage.stack.stop().await;
}

/// Answers are lost half-way: some letters are in both places then, and none in neither.
#[tokio::test(flavor = "multi_thread")]
async fn loses_no_letter_when_it_is_stopped_half_way() {
    let wire = Wire::new().await;
    let stage = Stage::in_haste().await;
    wire.leads_to(stage.stack.sqs_endpoint());
    let folder = tempfile::tempdir().unwrap();
    give_up(&stage, folder.path(), 30).await;

    let queues = queues(&stage, wire.url());
    let slowly = Replay { rate: Some(50), ..Replay::default() };
    let replay = tokio::spawn(async move { dead::replay(&queues, &slowly).await });
    stage.logged("obeyed", 5).await;
    wire.becomes(Line::Deaf);
    let error = replay.await.unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("run it again"), "{error:#}");
    wire.becomes(Line::Whole);

    // What was hidden comes back when its time is over.
    let rest = self::queues(&stage, stage.stack.sqs_endpoint());
    while stage.depth("ObedientDeadLetterQueue").await > 0 {
        replayed(&rest, &Replay::default()).await;
    }
    // Handled once each, though some were in both places.
    stage.logged("obeyed", 30).await;
    stage.drained("ObedientQueue").await;
    let obeyed = stage.logged("obeyed", 30).await;
    let names: BTreeSet<&str> = obeyed.iter().map(|l| l["payload"].as_str().unwrap()).collect();
    assert_eq!((obeyed.len(), names.len()), (30, 30));
    stage.stack.stop().await;
}
