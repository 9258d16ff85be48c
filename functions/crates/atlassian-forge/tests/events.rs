//! The sample bodies of the simulator, read as a receiver and a handler read them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::{fs, iter};

use atlassian_connect::event::{FromPayload, Product as ConnectProduct, Reading, Unreadable};
use atlassian_connect::payload::Payload;
use atlassian_forge::event::{
    self, Body, Form, LifecycleEvent, OtherEvent, PRE_UNINSTALL, PreUninstallEvent, Product, TABLE,
    confluence, jira,
};
use atlassian_forge::keys::{KeyId, KeySet};
use atlassian_forge::token::{self, InstallationId, Unverified};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn bodies() -> impl Iterator<Item = (String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../infra/atlassian-simulator/samples/forge");
    ["documented", "observed", "inferred"].into_iter().flat_map(move |basis| {
        fs::read_dir(folder.join(basis)).unwrap().map(move |file| {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (format!("{basis}/{name}"), fs::read_to_string(file).unwrap())
        })
    })
}

fn body(name: &str) -> String {
    bodies().find(|(found, _)| found == name).unwrap().1
}

fn take<T: FromPayload>(event: &str, json: &str) -> (Result<T, Unreadable>, Reading) {
    let payload = Payload::from_body(json.into()).unwrap();
    let mut reading = Reading::Unknown;
    let taken = T::from_payload(ConnectProduct::Jira, &event.into(), &payload, &mut reading);
    (taken, reading)
}

fn read<T: FromPayload>(name: &str) -> T {
    let json = body(name);
    let body = Body::read(&json);
    let (taken, reading) = take(body.name().unwrap_or(PRE_UNINSTALL), body.event());
    assert_eq!(reading, Reading::Read, "{name}");
    taken.unwrap()
}

/// Reads a body as the type that the table says.
fn reading(event: &str, json: &str) -> Reading {
    let payload = Payload::from_body(json.into()).unwrap();
    event::reading(ConnectProduct::Jira, &event.into(), &payload)
}

#[test]
fn every_body_is_read_as_the_type_of_its_event() {
    let mut count = 0;
    for (name, json) in bodies() {
        let body = Body::read(&json);
        let event = body.name().unwrap_or(PRE_UNINSTALL);
        assert_eq!(reading(event, body.event()), Reading::Read, "{name}");
        assert_eq!(body.form(), Form::Root, "{name}");
        count += 1;
    }
    assert!(count > 25, "{count}");
}

#[test]
fn knows_how_well_a_body_can_be_read() {
    let json = r#"{"issue":{"id":"1","key":"A-1"},"changelog":7,"board":{},"content":{"id":{}}}"#;
    for (event, expected) in [
        ("avi:jira:created:issue", "partly"),
        ("avi:jira:deleted:comment", "partly"),
        ("avi:confluence:created:page", "partly"),
        ("avi:jira-software:created:board", "read"),
        ("avi:jira:created:filter", "read"),
        ("avi:jira:created:thing", "unknown"),
        ("jira:issue_created", "unknown"),
    ] {
        assert_eq!(reading(event, json).as_str(), expected, "{event}");
    }
    assert_eq!(reading("avi:jira:created:issue", "[]").as_str(), "unreadable");
    assert_eq!(reading("avi:jira:created:filter", "[]").as_str(), "unreadable");
    // Every type that the table names is one that is read, and none of them takes a list.
    for spec in TABLE {
        assert_eq!(reading(spec.name, "[]").as_str(), "unreadable", "{}", spec.name);
        let detail = reading(spec.name, "[]").detail().unwrap().to_owned();
        assert!(detail.contains(&format!("a valid {}:", spec.payload)), "{detail}");
    }
}

#[test]
fn reads_what_differs_from_connect() {
    let event: jira::CommentEvent = read("documented/jira-issue-commented");
    assert_eq!(event.issue.key, "TEA-7");
    let text = event.comment.body.unwrap();
    assert_eq!(text.plain_text(), "Ask @Noor for a new seal.");
    assert_eq!(event.timestamp.unwrap().timestamp(), "2026-11-23T10:00:00.123Z".parse().ok());

    let event: jira::IssueEvent = read("documented/jira-issue-updated");
    assert_eq!(event.changelog.unwrap().items[0].to_string.as_deref(), Some("Done"));
    let statuses: Vec<_> = event.associated_statuses.iter().map(|s| s.name.as_deref()).collect();
    assert_eq!(statuses, [Some("Open"), Some("Done")]);
    let event: jira::IssueEvent = read("documented/jira-issue-created");
    assert_eq!((event.associated_users.len(), event.cloned_from.is_some()), (1, true));
    let event: jira::IssueEvent = read("inferred/jira-issue-assigned-with-a-list-of-users");
    assert_eq!(event.associated_users.len(), 2);

    let event: jira::IssueLinkEvent = read("documented/jira-issuelink-created");
    assert_eq!(event.destination_issue_id.unwrap(), "10422");
    assert_eq!(event.issue_link_type.unwrap().inward.as_deref(), Some("is blocked by"));
    let event: jira::VersionEvent = read("documented/jira-version-merged");
    assert_eq!(event.merged_version.unwrap().name.as_deref(), Some("2.0"));
    let event: jira::SprintEvent = read("documented/software-sprint-updated");
    assert_eq!(event.old_value.unwrap().goal.as_deref(), Some("Fewer drips"));
    let event: jira::BoardEvent = read("documented/software-board-created");
    assert_eq!(event.board.id.unwrap(), "12");

    let event: confluence::ContentEvent = read("documented/confluence-page-updated");
    assert_eq!(event.content.space.unwrap().id.unwrap(), "5505025");
    let event: confluence::CommentEvent = read("documented/confluence-comment-created");
    assert_eq!(event.content.container.unwrap().id.unwrap(), "6606001");
    assert_eq!(event.content.ancestors.len(), 1);
    let event: confluence::LabelEvent = read("documented/confluence-label-added");
    assert_eq!(event.label.name.as_deref(), Some("kettle"));
    let event: LifecycleEvent = read("observed/forge-installed");
    assert_eq!(event.app.version.as_deref(), Some("3.0.0"));
    let event: PreUninstallEvent = read("inferred/pre-uninstall");
    assert_eq!(event.context.module_key.as_deref(), Some("goodbye"));
    let event: OtherEvent = read("documented/policy-objects-blocked");
    assert!(event.extra.get("data").is_some());
}

#[test]
fn leaves_out_what_is_malformed_and_takes_no_other_event() {
    let json = r#"{"eventType":"avi:jira:updated:issue","issue":{"id":7,"key":"A-1"},
                   "changelog":"s3cr3t","timestamp":{},"associatedUsers":7}"#;
    let (event, reading) = take::<jira::IssueEvent>("avi:jira:updated:issue", json);
    assert!(event.unwrap().changelog.is_none());
    let left_out: Vec<_> = reading.left_out().unwrap().paths().collect();
    assert_eq!(left_out, ["changelog", "timestamp", "associatedUsers"]);

    let (event, _) = take::<jira::IssueEvent>("avi:jira:updated:issue", r#"{"issue":"s3cr3t"}"#);
    let error = event.unwrap_err().to_string();
    assert!(error.contains("expected an object at issue") && !error.contains("s3cr3t"), "{error}");
    let (event, _) = take::<jira::IssueEvent>("avi:jira:updated:issue", "");
    assert!(matches!(event.unwrap_err(), Unreadable::Empty { .. }));
    // The two products have a type of the same name.
    for event in ["avi:confluence:created:comment", "jira:issue_updated", "avi:jira:new:thing"] {
        let (taken, _) = take::<jira::CommentEvent>(event, json);
        let error = taken.unwrap_err().to_string();
        assert!(error.contains("avi:jira:commented:issue"), "{error}");
        take::<OtherEvent>(event, json).0.unwrap();
    }
}

#[test]
fn knows_an_event_by_its_name_in_either_form() {
    let name = |json: &str| {
        let body = Body::read(json);
        (body.name().map(str::to_owned), body.form(), body.event().to_owned())
    };
    let event = r#"{"eventType":"avi:jira:created:issue"}"#;
    let created = Some("avi:jira:created:issue".to_owned());
    assert_eq!(name(event), (created.clone(), Form::Root, event.into()));
    assert_eq!(
        name(&format!(" {{ \"payload\" : {event} }}\n")),
        (created, Form::Wrapped, event.into())
    );
    let policy = body("documented/policy-objects-blocked");
    let named = name(&policy).0.unwrap();
    assert_eq!(Product::of(&named), Some(Product::AppPolicy));
    assert_eq!(name(&format!(r#"{{"payload":{policy}}}"#)).0, Some(named));
    // An event that has a payload of its own.
    let own = r#"{"eventType":"avi:cloud:ecosystem::event/a/b","payload":{"eventType":"other"}}"#;
    assert_eq!(name(own).0.as_deref(), Some("avi:cloud:ecosystem::event/a/b"));
    for nameless in [
        "",
        "null",
        "[]",
        "7",
        "{}",
        r#""avi:jira:created:issue""#,
        r#"{"eventType":7}"#,
        r#"{"eventType":""}"#,
        r#"{"type":"page"}"#,
        r#"{"payload":[]}"#,
        r#"{"payload":{}}"#,
        r#"{"context":{"moduleKey":"bye"},"contextToken":"t"}"#,
        r#"{"payload":{"payload":{"eventType":"avi:jira:created:issue"}}}"#,
    ] {
        assert_eq!(name(nameless).0, None, "{nameless}");
    }
}

#[test]
fn says_which_attempt_it_is() {
    let at = |json: &str| {
        let body = Body::read(json);
        body.retry().map(|retry| (retry.count, retry.reason.clone()))
    };
    let retry = r#""retryContext":{"retryCount":2,"retryReason":"TIMEOUT_ERROR","retryData":null}"#;
    let expected = Some((Some(2), Some("TIMEOUT_ERROR".to_owned())));
    assert_eq!(at(r#"{"eventType":"e"}"#), None);
    for json in [
        format!(r#"{{"eventType":"e",{retry}}}"#),
        format!(r#"{{"payload":{{"eventType":"e",{retry}}}}}"#),
        format!(r#"{{{retry},"payload":{{"eventType":"e"}}}}"#),
    ] {
        assert_eq!(at(&json), expected, "{json}");
    }
    assert_eq!(at(r#"{"eventType":"e","retryContext":null}"#), None);
    assert_eq!(at(r#"{"eventType":"e","retryContext":{"retryCount":"two"}}"#), Some((None, None)));
}

/// An installation, from a verified token.
fn installation(id: &str) -> InstallationId {
    use rsa::pkcs1::{EncodeRsaPrivateKey as _, LineEnding};
    use rsa::traits::PublicKeyParts as _;
    use std::sync::LazyLock;

    static KEY: LazyLock<rsa::RsaPrivateKey> =
        LazyLock::new(|| rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap());
    let app = "ari:cloud:ecosystem::app/a";
    let claims = json!({
        "iss": token::ISSUER, "aud": app, "iat": 0, "nbf": 0, "exp": 25,
        "app": {"id": app, "installationId": format!("ari:cloud:ecosystem::installation/{id}"),
                "module": {"type": token::ENDPOINT_MODULE, "key": "e"}},
    });
    let pem = KEY.to_pkcs1_pem(LineEnding::LF).unwrap();
    let token = token::sign(&claims, "k", pem.as_bytes()).unwrap();
    let number = |number: &rsa::BigUint| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(number.to_bytes_be())
    };
    let keys =
        json!({"keys": [{"kty": "RSA", "kid": "k", "n": number(KEY.n()), "e": number(KEY.e())}]});
    let keys = KeySet::from_json(keys.to_string().as_bytes()).unwrap();
    let screened = Unverified::parse(&token).unwrap();
    let screened =
        screened.screen(&app.parse().unwrap(), &"e".parse().unwrap(), Default::default());
    let key = keys.find(&KeyId::new("k").unwrap()).unwrap();
    screened.unwrap().verify(key).unwrap().installation().clone()
}

#[test]
fn identifies_every_attempt_of_an_event_as_the_same() {
    let installation = installation("one");
    let identity = |json: &str| Body::read(json).identity(&installation);
    for (name, json) in bodies() {
        let Some(first) = identity(&json) else {
            assert!(name.contains("software") || name.contains("pre-uninstall"), "{name}");
            continue;
        };
        let event: Map<String, Value> = serde_json::from_str(&json).unwrap();
        let retry = |count: u32| json!({"retryCount": count, "retryReason": "TIMEOUT_ERROR", "retryData": null});
        let mut identities = vec![first];
        for count in 1..5 {
            let mut again = event.clone();
            again.insert("retryContext".into(), retry(count));
            let outside = json!({"payload": event, "retryContext": retry(count)});
            let inside = json!({ "payload": again });
            // In another order, and with other space.
            let reversed: Vec<_> =
                again.iter().rev().map(|(name, value)| format!("{name:?} : {value:#}")).collect();
            let reversed = format!("{{\n{}\n}}", reversed.join(" ,\n"));
            for json in
                [Value::from(again).to_string(), outside.to_string(), inside.to_string(), reversed]
            {
                identities.push(identity(&json).unwrap());
            }
        }
        identities.dedup();
        assert_eq!(identities.len(), 1, "{name}");
    }
}

#[test]
fn identifies_no_two_events_as_the_same() {
    let one = installation("one");
    let identity = |json: &str| Body::read(json).identity(&one);
    let event = r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[1,{"b":"c"}]}"#;
    let other = installation("other");
    assert_ne!(identity(event), Body::read(event).identity(&other));
    let others = [
        r#"{"eventType":"avi:jira:created:issue","timestamp":"1","a":[1,{"b":"c"}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"2","a":[1,{"b":"c"}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":1,"a":[1,{"b":"c"}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[1,{"b":"d"}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[{"b":"c"},1]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[1,{"b":["c"]}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[1,{"b":"c","b":"c"}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[1,{"retryContext":1,"b":"c"}]}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":"1","a":[1,{"b":"c"}],"d":null}"#,
    ];
    let identities: std::collections::HashSet<_> =
        iter::once(event).chain(others).map(|json| identity(json).unwrap()).collect();
    assert_eq!(identities.len(), 1 + others.len());
    // Without a date, two events can have the same body.
    for json in [
        r#"{"eventType":"avi:jira-software:updated:board","board":{"id":1}}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":null}"#,
        r#"{"eventType":"avi:jira:updated:issue","timestamp":{}}"#,
        r#"{"timestamp":"1"}"#,
        "[]",
    ] {
        assert_eq!(identity(json), None, "{json}");
    }
}

#[test]
fn takes_a_body_of_any_depth() {
    let installation = installation("one");
    let levels = 60_000;
    let deep = format!("{}{}", r#"{"a":["#.repeat(levels), "]}".repeat(levels));
    let json = format!(r#"{{"eventType":"avi:jira:updated:issue","timestamp":"1","x":{deep}}}"#);
    assert!(Body::read(&json).identity(&installation).is_some());
}

proptest! {
    #[test]
    fn no_body_is_too_strange(json in any::<String>()) {
        let body = Body::read(&json);
        let _ = (body.name(), body.retry(), body.event());
    }
}
