//! Every event, read from a realistic body, and from malformed bodies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use atlassian_connect::delivery::{Delivery, Encoded, Sender, Webhook, encode};
use atlassian_connect::event::{
    Event, EventName, LeftOut, Product, Reading, RichText, TABLE, Unreadable, confluence, jira,
};
use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::ClientKey;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn every_event_has_a_body_and_every_body_an_event() {
    let mut expected: BTreeSet<PathBuf> =
        TABLE.iter().map(|line| path(line.product, &line.event, "")).collect();
    for Sample { path, .. } in samples() {
        // Another form of a body that is there: `page_created.2014.json`.
        let form =
            path.file_name().is_some_and(|name| name.to_string_lossy().matches('.').count() > 1);
        assert!(form || expected.remove(&path), "{} is no event of the tables", path.display());
    }
    assert!(expected.is_empty(), "no body: {expected:#?}");
}

#[test]
fn every_body_reads_as_what_the_table_says() {
    for sample in samples() {
        let event = sample.read().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(event.name(), sample.event);
        let unknown = matches!(
            event,
            Event::Jira(jira::Event::Unknown(_)) | Event::Confluence(confluence::Event::Unknown(_))
        );
        assert!(!unknown, "{}", sample.path.display());
    }
}

/// Changes each value of each body, one at a time, and looks whether the event changes with it.
#[test]
fn every_value_of_every_body_is_read() {
    let mut unread = BTreeSet::new();
    for sample in samples() {
        let read = format!("{:?}", sample.read().unwrap());
        let body: Value = serde_json::from_str(&sample.body).unwrap();
        for pointer in leaves(&body) {
            let mut changed = body.clone();
            change(changed.pointer_mut(&pointer).unwrap());
            let changed = Sample { body: changed.to_string(), ..sample.clone() };
            let again = changed.read().unwrap_or_else(|error| panic!("{pointer}: {error}"));
            if format!("{again:?}") == read {
                unread.insert(format!("{}{pointer}", sample.event));
            }
        }
    }
    // What the REST API of Confluence would expand to, and no more.
    unread.retain(|pointer| !pointer.contains("/_expandable/"));
    assert_eq!(unread, BTreeSet::new());
}

/// A field that no body fills may be misspelt without anyone noticing.
#[test]
fn every_field_of_every_type_is_filled_by_some_body() {
    let (mut all, mut filled) = (BTreeSet::new(), BTreeSet::new());
    for sample in samples() {
        let mut types = Vec::new();
        for line in format!("{:#?}", sample.read().unwrap()).lines().map(str::trim) {
            if let Some((field, value)) = line.split_once(": ").filter(|_| !line.starts_with('"')) {
                // What stands around every payload is written once for each product.
                let kind = types.last().map_or("", String::as_str);
                let around = kind.ends_with("Event") && around(sample.product).contains(&field);
                let kind = if around { "*" } else { kind };
                let name = format!("{}::{kind}.{field}", sample.product);
                if !matches!(value, "None," | "[]," | "{},") {
                    filled.insert(name.clone());
                }
                all.insert(name);
            }
            if let Some(opened) = line.strip_suffix('{') {
                types.push(opened.trim().rsplit([' ', '(']).next().unwrap_or_default().to_owned());
            } else if line.starts_with('}') {
                types.pop();
            }
        }
    }
    // `extra` is the name of no field on the proxy.
    all.retain(|name| !name.ends_with(".extra"));
    assert!(all.len() > 200, "only {} fields: has the form of Debug changed?", all.len());
    assert_eq!(all.difference(&filled).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_body_travels_byte_for_byte_and_keeps_what_is_new() {
    for sample in samples() {
        let mut body: Value = serde_json::from_str(&sample.body).unwrap();
        add_unknown_fields(&mut body);
        for body in
            [sample.body.clone(), body.to_string(), serde_json::to_string_pretty(&body).unwrap()]
        {
            let sent = Sample { body, ..sample.clone() }.delivery();
            let received = Delivery::from_message(&sent.to_message()).unwrap();
            assert_eq!(received.payload.as_str(), sent.payload.as_str());
            let [sent, received] = [sent, received].map(|delivery| {
                let read = delivery.read::<Event>().unwrap_or_else(|error| panic!("{error}"));
                (read.payload.as_str().to_owned(), format!("{:?}", *read.payload))
            });
            assert_eq!(received, sent);
        }
    }
}

#[test]
fn a_handler_reads_its_own_type_and_keeps_the_text() {
    let sample =
        samples().into_iter().find(|sample| sample.event == EventName::IssueCreated).unwrap();
    let delivery: Delivery<jira::IssueEvent> = sample.delivery().read().unwrap();
    assert_eq!(delivery.payload.issue.key, "DEMO-42");
    assert_eq!(delivery.payload.issue.fields.extra.get("customfield_10020"), Some("1.50"));
    assert_eq!(delivery.payload.as_str(), sample.body);
    assert!(!format!("{delivery:?}").contains("kettle"));
    let refused = sample.delivery().read::<jira::SprintEvent>();
    assert!(matches!(refused, Err(Unreadable::OtherEvent { .. })));
}

#[test]
fn a_document_is_read_where_a_text_was() {
    let body = json!({
        "timestamp": 1_795_428_000_123_i64,
        "webhookEvent": "jira:issue_created",
        "issue": { "id": "10042", "key": "DEMO-42", "fields": {
            "summary": "The kettle whistles",
            "description": { "type": "doc", "version": 1, "content": [
                { "type": "paragraph", "content": [
                    { "type": "text", "text": "It whistles, " },
                    { "type": "mention", "attrs": { "id": "5b10", "text": "@Emma" } }] },
                { "type": "bulletList", "content": [
                    { "type": "listItem", "content": [
                        { "type": "paragraph", "content": [{ "type": "text", "text": "loud" }] }
                    ] }] }] },
            "environment": "Kitchen, *ground* floor",
            "customfield_10100": { "type": "doc", "content": [{ "type": "rule" }] },
        } },
        "comment": { "id": 1, "body": { "content": [], "type": "doc" } },
    });
    let (event, reading) = received("jira:issue_created", &body.to_string());
    assert_eq!(reading, Reading::Read);
    let fields = &event.issue.fields;
    let text = fields.description.as_ref().unwrap().plain_text();
    assert_eq!(text, "It whistles, @Emma\n\n- loud");
    let text = fields.environment.as_ref().unwrap().plain_text();
    assert_eq!(text, "Kitchen, *ground* floor");
    let custom: RichText = fields.extra.read("customfield_10100").unwrap().unwrap();
    assert_eq!(custom.plain_text(), "---");
    assert_eq!(event.comment.unwrap().body.unwrap().plain_text(), "");
}

#[test]
fn null_is_absence_and_so_is_an_empty_text_where_none_belongs() {
    let body = r#"{"webhookEvent":"jira:issue_deleted","user":null,"changelog":null,"comment":null,
        "matchedWebhookIds":[null,7],"issue":{"id":"10042","key":"DEMO-42","fields":null}}"#;
    let (event, reading) = received("jira:issue_deleted", body);
    assert_eq!(reading, Reading::Read);
    assert!(event.comment.is_none() && event.issue.fields.summary.is_none());
    assert_eq!(event.matched_webhook_ids.unwrap().len(), 1);

    let body = r#"{"issue":{"id":"10042","key":"DEMO-42","fields":{"labels":[null,"hot",null],
        "components":null,"issuelinks":[null],"timetracking":""}},"comment":"",
        "changelog":{"items":[null,{"field":null,"from":null}]},"updatedFields":""}"#;
    let (event, reading) = received("jira:issue_updated", body);
    assert_eq!(reading, Reading::Read);
    assert_eq!(event.issue.fields.labels, ["hot"]);
    assert!(event.comment.is_none() && event.issue.fields.issue_links.is_empty());
    assert_eq!(event.changelog.unwrap().items.len(), 1);
}

#[test]
fn a_transition_says_its_comment_as_a_text() {
    let body = r#"{"transition":{"workflowId":7,"transitionName":"Pour","from_status":"Hot"},
        "comment":"Mind the steam","issue":{"id":"10042","key":"DEMO-42"},"timestamp":1}"#;
    let (event, reading) = received("jira:issue_updated", body);
    assert_eq!(reading, Reading::Read);
    assert_eq!(event.comment.unwrap().body.unwrap().plain_text(), "Mind the steam");
}

#[test]
fn half_of_a_surrogate_pair_is_a_replacement_character_on_the_whole_road() {
    let body = r#"{"webhookEvent":"jira:issue_updated","issue":{"id":"10042","key":"DEMO-42",
        "fields":{"summary":"hot \ud83d","labels":["\uDE00x","\ud83d\ude00","\\ud83d"],
        "customfield_1\ud83d":"\ud83d"}},"\udc00":{"\ud83d":1},
        "changelog":{"items":[{"field":"summary","toString":"hot \ud83d"}]}}"#;
    let (event, reading) = received("jira:issue_updated", body);
    assert_eq!(reading, Reading::Read);
    let fields = &event.issue.fields;
    assert_eq!(fields.summary.as_deref(), Some("hot \u{FFFD}"));
    assert_eq!(fields.labels, ["\u{FFFD}x", "😀", r"\ud83d"]);
    let custom: String = fields.extra.read("customfield_1\u{FFFD}").unwrap().unwrap();
    assert_eq!(custom, "\u{FFFD}");
    let to = event.changelog.as_ref().unwrap().items[0].to_string.as_deref();
    assert_eq!(to, Some("hot \u{FFFD}"));

    #[derive(serde::Deserialize)]
    struct Mine<'a> {
        #[serde(rename = "webhookEvent")]
        event: &'a str,
        issue: Value,
    }
    for delivery in roads(Product::Jira, "jira:issue_updated", body) {
        assert_eq!(delivery.payload.as_str(), body);
        let mine: Mine<'_> = delivery.payload.read().unwrap();
        assert_eq!(
            (mine.event, &mine.issue["fields"]["summary"]),
            ("jira:issue_updated", &json!("hot \u{FFFD}"))
        );
        let value: Value = delivery.payload.read().unwrap();
        assert_eq!(value["\u{FFFD}"]["\u{FFFD}"], 1);
    }
}

#[test]
fn each_odd_field_is_left_out_alone_and_named() {
    let body = r#"{"webhookEvent":"jira:issue_updated","user":{"accountId":["s3cr3t"],"active":"s3cr3t"},
        "issue":{"id":"10042","key":"DEMO-42","fields":{"summary":{"s3cr3t":1},"labels":["a",{},"b"],
        "votes":{"votes":1e999,"hasVoted":true},"timespent":-1e999,"parent":7,"created":["s3cr3t"],
        "comment":{"comments":[{"id":"1","body":[]},"said",3]},"customfield_1":1e999}},
        "timestamp":1e999}"#;
    let (event, reading) = received("jira:issue_updated", body);
    let left_out: Vec<_> = reading.left_out().unwrap().paths().collect();
    let expected = [
        "user.accountId",
        "user.active",
        "issue.fields.summary",
        "issue.fields.labels[1]",
        "issue.fields.votes.votes",
        "issue.fields.timespent",
        "issue.fields.parent",
        "issue.fields.created",
        "issue.fields.comment.comments[0].body",
        "issue.fields.comment.comments[2]",
        "timestamp",
    ];
    assert_eq!(left_out, expected);
    assert!(!format!("{reading:?}").contains("s3cr3t"));
    let fields = &event.issue.fields;
    assert_eq!(fields.labels, ["a", "b"]);
    assert_eq!(fields.votes.as_ref().unwrap().has_voted, Some(true));
    assert_eq!(fields.comment.as_ref().unwrap().comments.len(), 2);
    assert_eq!(fields.extra.get("customfield_1"), Some("1e999"));
}

#[test]
fn what_an_optional_object_needs_costs_that_object() {
    let body = r#"{"comment":{"id":"1","body":"hot"},"issue":{"id":"10042","key":7}}"#;
    for delivery in roads(Product::Jira, "comment_created", body) {
        let delivery: Delivery<jira::CommentEvent> = delivery.read().unwrap();
        assert_eq!(delivery.reading.left_out().unwrap().paths().collect::<Vec<_>>(), ["issue"]);
        assert!(delivery.payload.issue.is_none());
        assert_eq!(*delivery.payload.comment.id.as_ref().unwrap(), "1");
    }
}

#[test]
fn a_missing_subject_is_reported_as_left_out() {
    for body in ["{}", r#"{"page":null}"#, r#"{"page":"gone"}"#] {
        for delivery in roads(Product::Confluence, "page_created", body) {
            let delivery: Delivery<confluence::PageEvent> = delivery.read().unwrap();
            assert_eq!(delivery.reading.left_out().unwrap().paths().collect::<Vec<_>>(), ["page"]);
            assert!(delivery.payload.page.id.is_none());
        }
    }
}

#[test]
fn depth_and_number_of_left_out_paths_are_bounded() {
    let levels = 20_000;
    let body = format!(
        r#"{{"page":{}{{"id":"1"}}{}}}"#,
        r#"{"id":"1","parent":"#.repeat(levels),
        "}".repeat(levels)
    );
    for delivery in roads(Product::Confluence, "page_created", &body) {
        let delivery: Delivery<confluence::PageEvent> = delivery.read().unwrap();
        let left_out = delivery.reading.left_out().unwrap();
        assert_eq!(left_out.total(), 1);
        assert!(left_out.paths().all(|path| path.len() <= LeftOut::LONGEST));
        assert!(delivery.payload.page.parent.is_some());
    }
    let labels = json!({"issue": {"id": "1", "key": "D-1", "fields": {"labels": vec![7; 5_000]}}});
    let (_, reading) = received("jira:issue_updated", &labels.to_string());
    let left_out = reading.left_out().unwrap();
    assert_eq!((left_out.paths().len(), left_out.total()), (LeftOut::MAX_PATHS, 5_000));
    assert!(left_out.to_string().len() < 1_000);
}

/// A delivery on each of the ways that it can take to a handler.
fn roads(product: Product, event: &str, body: &str) -> [Delivery; 2] {
    let sent = Sample::new(product, &event.into(), body.into()).delivery();
    let params = [("padding".to_owned(), "x".repeat(10_000))].into();
    let long = Delivery { params, ..sent.clone() };
    let Encoded::Message(compressed) = encode(&long, long.to_message().len() - 1) else {
        panic!("{event} does not become shorter")
    };
    [sent.to_message(), compressed].map(|message| {
        let received = Delivery::from_message(&message).unwrap();
        assert_eq!(received.reading, sent.reading);
        received
    })
}

/// What a handler of issue events gets.
fn received(event: &str, body: &str) -> (jira::IssueEvent, Reading) {
    let [delivery, _] = roads(Product::Jira, event, body);
    assert_eq!(delivery.payload.as_str(), body);
    let said = delivery.reading.clone();
    let delivery: Delivery<jira::IssueEvent> = delivery.read().unwrap();
    assert_eq!(delivery.reading, said, "the handler reads what the receiver read");
    (delivery.payload.into_inner(), said)
}

/// Reads every body of a folder:
/// `HOOKS_PAYLOADS=FOLDER cargo test -p tests reads_captured -- --ignored --nocapture`.
///
/// `index.json`, if there is one, lists objects with `file`, `product` and `event`. Without it, the
/// event is the body's `webhookEvent`, or the file's name up to `.` or `__`, and the product the
/// folder's name.
#[test]
#[ignore = "needs a folder of captured bodies, which HOOKS_PAYLOADS names"]
fn reads_captured_bodies() {
    let folder = std::env::var_os("HOOKS_PAYLOADS").expect("HOOKS_PAYLOADS names a folder");
    let folder = PathBuf::from(folder);
    let samples = captured(&folder);
    assert!(!samples.is_empty(), "{} holds no bodies", folder.display());
    let (mut unknown, mut partly, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for sample in &samples {
        let (sample, payload) = match sample {
            Ok(sample) => match Payload::from_body(sample.body.clone()) {
                Ok(payload) => (sample, payload),
                Err(error) => {
                    unreadable.push(format!("{}: {error}", sample.path.display()));
                    continue;
                }
            },
            Err(problem) => {
                unreadable.push(problem.clone());
                continue;
            }
        };
        let received = Delivery::from_message(&sample.delivery().to_message()).unwrap();
        assert_eq!(received.payload.as_str(), sample.body);
        let named = |what: &str| format!("{}: {what}", sample.path.display());
        match Reading::of(sample.product, &sample.event, &payload) {
            Reading::Read => {}
            Reading::Partly(left_out) => partly.push(named(&left_out.to_string())),
            Reading::Unreadable(why) => unreadable.push(named(&why)),
            Reading::Unread | Reading::Unknown => unknown.push(named(sample.event.as_str())),
        }
    }
    println!("{} bodies; not in the tables: {unknown:#?}; partly read: {partly:#?}", samples.len());
    assert!(unreadable.is_empty(), "{unreadable:#?}");
}

#[test]
fn a_captured_body_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    let problems = || {
        let problems = captured(folder.path()).into_iter().filter_map(Result::err);
        problems.collect::<Vec<_>>().join("\n")
    };
    write("jira_issue_created.json", br#"{"webhookEvent":"jira:issue_created"}"#);
    write("broken.json", b"{");
    write("latin.json", b"\"\xe9\"");
    let found = problems();
    assert!(found.contains("broken.json") && found.contains("latin.json"), "{found}");
    assert!(!found.contains("jira_issue_created"), "{found}");
    write(
        "index.json",
        br#"[{"file":"gone.json","product":"jira","event":"x"},{"file":"broken.json"}]"#,
    );
    let found = problems();
    assert!(found.contains("gone.json") && found.contains("entry 2"), "{found}");
}

/// Replaces every value of every body by another, one at a time.
///
/// `cargo test -p tests sweep -- --nocapture` prints what types need.
#[test]
fn sweep_of_every_value_by_every_kind_costs_that_value_alone() {
    let samples = samples();
    let (one, other) = samples.split_at(samples.len() / 2);
    let swept = std::thread::scope(|scope| {
        [one, other].map(|half| scope.spawn(|| sweep(half))).map(|half| half.join().unwrap())
    });
    let all: usize = swept.iter().map(|(all, _)| all).sum();
    let mut unread: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for needed in swept.into_iter().flat_map(|(_, unread)| unread) {
        *unread.entry(needed.0).or_default().entry(needed.1).or_default() += 1;
    }
    let lost: usize = unread.values().flat_map(BTreeMap::values).sum();
    println!("{all} bodies, of which {lost} are not read, for lack of what their types need:");
    println!("{unread:#?}");
    assert!(all > 25_000, "only {all}");
    assert!(lost * 100 <= all, "{lost} of {all}");
    let needs: Vec<_> = unread.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
    assert_eq!(needs, ["issue", "issue.id", "issue.key"]);
    assert_eq!(unread.into_keys().collect::<Vec<_>>(), ["IssueEvent"]);
}

/// How many bodies there were, and the types and paths of what could not be read.
fn sweep(samples: &[Sample]) -> (usize, Vec<(String, String)>) {
    let long = json!("long ".repeat(100)).to_string();
    let kinds =
        ["null", "\"\"", "7", r#"[["swept"]]"#, r#"{"swept":[1.5]}"#, &long].map(str::to_owned);
    let (mut all, mut unread) = (0, Vec::new());
    for sample in samples {
        let body: Value = serde_json::from_str(&sample.body).unwrap();
        for pointer in values(&body) {
            let path = dotted(&pointer);
            let removed = without(&body, &pointer);
            let (before, behind) = around_value(&body, &pointer);
            let replaced = kinds.iter().map(|kind| format!("{before}{kind}{behind}"));
            for (number, body) in replaced.chain([removed.clone()]).enumerate() {
                all += 1;
                let payload = Payload::from_body(body.clone()).unwrap();
                let what = || format!("{path} of {}: {:?}", sample.event, kinds.get(number));
                match Reading::of(sample.product, &sample.event, &payload) {
                    Reading::Read => {}
                    Reading::Partly(left_out) => {
                        let [place] = left_out.paths().collect::<Vec<_>>()[..] else {
                            panic!("{}: {left_out}", what())
                        };
                        // The value; or what it was needed for, or an item of it as a list.
                        let about = path.starts_with(place) || place.starts_with(&path);
                        assert!(about, "{}: {place}", what());
                        // No other field is lost. A list stands for the other kinds.
                        if number == 3 && place == path {
                            assert_eq!(sample.debugged(&body), sample.debugged(&removed));
                        }
                    }
                    Reading::Unreadable(why) => {
                        assert!(why.contains(" at "), "{}: {why}", what());
                        let line = sample.event.spec(sample.product).unwrap();
                        unread.push((line.payload.to_owned(), path.clone()));
                    }
                    Reading::Unread | Reading::Unknown => {
                        panic!("{} is in the tables", sample.event)
                    }
                }
            }
        }
    }
    (all, unread)
}

/// What stands before and behind one value of a body.
fn around_value(body: &Value, pointer: &str) -> (String, String) {
    const MARK: &str = "the value that is replaced";
    let mut body = body.clone();
    *body.pointer_mut(pointer).unwrap() = json!(MARK);
    let text = body.to_string();
    let (before, behind) = text.split_once(&json!(MARK).to_string()).unwrap();
    (before.to_owned(), behind.to_owned())
}

/// A body without one of its values.
fn without(body: &Value, pointer: &str) -> String {
    let mut body = body.clone();
    let (above, step) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(above).unwrap() {
        Value::Object(fields) => drop(fields.remove(&step.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(step.parse().unwrap())),
        other => panic!("{other} has no parts"),
    }
    body.to_string()
}

/// A pointer as the paths of what is left out are written.
fn dotted(pointer: &str) -> String {
    let steps = pointer.split('/').skip(1).map(|step| match step.parse::<usize>() {
        Ok(number) => format!("[{number}]"),
        Err(_) => format!(".{}", step.replace("~1", "/").replace("~0", "~")),
    });
    steps.collect::<String>().trim_start_matches('.').into()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_is_lost(index in 0..TABLE.len(), value in any_json(), key in any_key()) {
        let line = &TABLE[index];
        for body in [value.to_string(), json!({ key: value }).to_string()] {
            let sample = Sample::new(line.product, &line.event, body);
            let received = Delivery::from_message(&sample.delivery().to_message()).unwrap();
            prop_assert_eq!(received.payload.as_str(), &sample.body);
            if let Ok(read) = received.read::<Event>() {
                prop_assert_eq!(read.payload.as_str(), &sample.body);
            }
        }
    }

    #[test]
    fn no_error_quotes_a_value(index in 0..TABLE.len(), pick in any::<prop::sample::Index>(), quoted in 0..4) {
        let line = &TABLE[index];
        let file = fs::read_to_string(path(line.product, &line.event, "")).unwrap();
        let mut body: Value = serde_json::from_str(&file).unwrap();
        let pointers = leaves(&body);
        if pointers.is_empty() {
            return Ok(());
        }
        let secret = match quoted {
            0 => json!("s3cr3t"),
            1 => json!(["s3cr3t"]),
            2 => json!({"id": "s3cr3t", "self": ["s3cr3t"]}),
            _ => json!("a, expected s3cr3t at line 1 column 1"),
        };
        *body.pointer_mut(&pointers[pick.index(pointers.len())]).unwrap() = secret;
        if let Err(error) = Sample::new(line.product, &line.event, body.to_string()).read() {
            let printed = format!("{error} {error:?}");
            prop_assert!(!printed.contains("s3cr3t"), "{}", printed);
        }
    }
}

/// The fields that stand around every payload of a product.
fn around(product: Product) -> &'static [&'static str] {
    match product {
        Product::Jira => &["timestamp", "webhook_event", "matched_webhook_ids"],
        Product::Confluence => &[
            "timestamp",
            "user_account_id",
            "account_type",
            "update_trigger",
            "suppress_notifications",
            "username",
            "user_key",
            "user",
        ],
        Product::Bitbucket => &[],
    }
}

#[derive(Clone)]
struct Sample {
    path: PathBuf,
    product: Product,
    event: EventName,
    body: String,
}

impl Sample {
    fn new(product: Product, event: &EventName, body: String) -> Self {
        Self { path: PathBuf::new(), product, event: event.clone(), body }
    }

    fn delivery(&self) -> Delivery {
        let payload = Payload::from_body(self.body.clone()).unwrap();
        Delivery {
            id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".into(),
            event: self.event.clone(),
            product: self.product,
            sender: Sender::Connect,
            tenant: ClientKey::new("tenant").unwrap(),
            base_url: None,
            received_at: "2026-11-23T10:00:00Z".parse().unwrap(),
            webhook: Webhook::default(),
            params: [].into(),
            reading: Reading::of(self.product, &self.event, &payload),
            payload,
        }
    }

    /// What is read from another body than this.
    fn debugged(&self, body: &str) -> String {
        format!("{:?}", Self { body: body.into(), ..self.clone() }.read().unwrap())
    }

    fn read(&self) -> Result<Event, Unreadable> {
        self.delivery().read::<Event>().map(|delivery| delivery.payload.into_inner())
    }
}

/// Every sample body, with the event that its name says.
fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for product in [Product::Jira, Product::Confluence] {
        let names = EventName::ALL.iter().map(|event| (file_name(event), event));
        let names: std::collections::BTreeMap<_, _> = names.collect();
        for path in json_files(&folder().join(product.as_str())) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let stem = name.split('.').next().unwrap();
            let event = names.get(stem).unwrap_or_else(|| panic!("{name} is named after no event"));
            let body = fs::read_to_string(&path).unwrap();
            samples.push(Sample { path, product, event: (*event).clone(), body });
        }
    }
    samples
}

/// The bodies of a folder; or what is wrong with one of them.
fn captured(folder: &Path) -> Vec<Result<Sample, String>> {
    let Ok(index) = fs::read_to_string(folder.join("index.json")) else {
        return json_files(folder).iter().map(|path| unlisted(path)).collect();
    };
    let index: Vec<Value> = serde_json::from_str(&index).expect("index.json is a list");
    let listed = |(number, entry): (usize, &Value)| {
        let named = |name: &str| entry[name].as_str();
        let product = named("product").and_then(Product::parse);
        let (Some(file), Some(product), Some(event)) = (named("file"), product, named("event"))
        else {
            let number = number + 1;
            return Err(format!("index.json, entry {number}: no file, product or event: {entry}"));
        };
        let path = folder.join(file);
        Ok(Sample { body: text(&path)?, path, product, event: event.into() })
    };
    index.iter().enumerate().map(listed).collect()
}

/// A body that no index names.
fn unlisted(path: &Path) -> Result<Sample, String> {
    let body = text(path)?;
    let payload = Payload::from_body(body.clone());
    let json: Value = payload
        .map_err(|error| error.to_string())
        .and_then(|payload| payload.read().map_err(|error| error.to_string()))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split(['.']).next().unwrap_or_default().split("__").next().unwrap_or_default();
    let of_name = EventName::ALL.iter().find(|event| file_name(event) == stem);
    let event = match json["webhookEvent"].as_str() {
        Some(event) => event.into(),
        None => of_name.cloned().unwrap_or_else(|| stem.into()),
    };
    let confluence =
        path.iter().any(|part| part == "confluence") || event.products() == [Product::Confluence];
    let product = if confluence { Product::Confluence } else { Product::Jira };
    Ok(Sample { path: path.into(), product, event, body })
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/atlassian-simulator/samples")
}

fn file_name(event: &EventName) -> String {
    event.as_str().replace(':', "_")
}

fn path(product: Product, event: &EventName, form: &str) -> PathBuf {
    folder().join(product.as_str()).join(format!("{}{form}.json", file_name(event)))
}

/// The JSON pointers of every text, number and truth value.
fn leaves(body: &Value) -> Vec<String> {
    let is_leaf = |pointer: &String| {
        let value = body.pointer(pointer).unwrap();
        value.is_string() || value.is_number() || value.is_boolean()
    };
    values(body).into_iter().filter(is_leaf).collect()
}

/// The JSON pointers of every value in a body.
fn values(body: &Value) -> Vec<String> {
    let below = |step: &str, value| {
        let step = format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        let inside = values(value).into_iter().map(|pointer| format!("{step}{pointer}"));
        std::iter::once(step.clone()).chain(inside).collect::<Vec<_>>()
    };
    match body {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| below(name, value)).collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(number, value)| below(&number.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

fn change(value: &mut Value) {
    *value = match &*value {
        Value::String(text) => json!(format!("{text}~")),
        Value::Bool(truth) => json!(!truth),
        Value::Number(number) => match number.as_i64() {
            Some(number) => json!(number + 1),
            None => json!(number.as_f64().unwrap() + 1.0),
        },
        other => panic!("{other} is no leaf"),
    };
}

fn add_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(add_unknown_fields);
            fields.insert("unheardOf".into(), json!({"deep": [1.5, null, {"a": "b"}]}));
        }
        Value::Array(items) => items.iter_mut().for_each(add_unknown_fields),
        _ => {}
    }
}

/// A name that payloads use, or any other.
fn any_key() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] =
        &["issue", "user", "page", "comment", "timestamp", "fields", "id", "labels", "self"];
    prop_oneof![prop::sample::select(KNOWN).prop_map(str::to_owned), any::<String>()]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
