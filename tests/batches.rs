//! The writes of a batch: how many there are, which go out side by side, and what they mean after a
//! function was killed.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::harness::app::{TestApp, in_haste, with_variables};
use crate::harness::log::Logged;
use crate::retries::{delivery_of, enqueue, reason};

/// The requests for the idempotency table, on their way to the stack's DynamoDB.
struct Requests {
    url: String,
    service: OnceLock<String>,
    /// The operations so far.
    seen: watch::Sender<Vec<String>>,
    /// The number of claims of a batch whose completions are answered only once the next claim has
    /// arrived as well.
    paired: Option<usize>,
}

impl Requests {
    async fn new(paired: Option<usize>) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Self {
            url,
            service: OnceLock::new(),
            seen: watch::Sender::default(),
            paired,
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&requests));
        tokio::spawn(async move { axum::serve(listener, router).await });
        requests
    }

    fn count(&self, operation: &str) -> usize {
        self.seen.borrow().iter().filter(|seen| *seen == operation).count()
    }
}

async fn forward(
    State(requests): State<Arc<Requests>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let (_, operation) = target.split_once('.').unwrap();
    let table: Value = serde_json::from_slice(&body).unwrap();
    if table["TableName"].as_str().is_some_and(|table| table.contains("IdempotencyTable")) {
        requests.seen.send_modify(|seen| seen.push(operation.to_owned()));
        if let (Some(claims), "UpdateItem") = (requests.paired, operation) {
            let wanted = claims.min(requests.count("UpdateItem") + 1);
            let is_there = |seen: &Vec<String>| {
                seen.iter().filter(|operation| *operation == "PutItem").count() >= wanted
            };
            requests.seen.subscribe().wait_for(is_there).await.unwrap();
        }
    }
    let mut request = reqwest::Client::new().post(requests.service.get().unwrap()).body(body);
    for name in ["authorization", "content-type", "x-amz-date", "x-amz-target"] {
        request = request.header(name, headers[name].to_str().unwrap());
    }
    let answer = request.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    (status, answer.bytes().await.unwrap())
}

/// Has a batch of ten handled in this mode, and returns what the idempotency table was asked.
async fn requests_of_ten(mode: &str, paired: Option<usize>) -> Arc<Requests> {
    let requests = Requests::new(paired).await;
    let variables = [("HANDLER_MODE", mode), ("AWS_ENDPOINT_URL_DYNAMODB", &requests.url)];
    let app = TestApp::empty(|template| with_variables(template, &variables)).await;
    requests.service.set(app.stack.dynamodb_endpoint().to_owned()).unwrap();
    enqueue(&app, (0..10).map(|_| delivery_of(&app, json!({ "do": "succeed" })))).await;
    app.logged(Logged::DeliveryHandled, 10).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.logged(Logged::ScriptBegun, 10).await.len(), 10, "{mode}");
    app.stack.stop().await;
    requests
}

/// With the completion of one is the claim of the next, and neither is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn completes_one_event_and_claims_the_next_side_by_side() {
    for (mode, completions) in [("", 10), ("claim_once", 10), ("deduplicate", 9)] {
        let requests = requests_of_ten(mode, Some(10)).await;
        let counted = (requests.count("PutItem"), requests.count("UpdateItem"));
        assert_eq!(counted, (10, completions), "{mode}: {:?}", requests.seen.borrow());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_no_table_for_what_may_be_handled_every_time() {
    let requests = requests_of_ten("every_time", None).await;
    assert_eq!(*requests.seen.borrow(), Vec::<String>::new());
}

/// The client is the larger half of a handler's archive. Nothing asks for it by name, so it would come
/// back unnoticed.
#[test]
fn links_no_client_of_a_table_that_is_not_asked() {
    let asks = |function: &str| {
        let program = std::fs::read(function).unwrap();
        let operation = b"DynamoDB_20120810.PutItem";
        program.windows(operation.len()).any(|part| part == operation)
    };
    assert!(asks(env!("CARGO_BIN_EXE_app-page-created")), "it is handled once");
    assert!(!asks(env!("CARGO_BIN_EXE_app-every-time")), "it is handled every time");
}

/// The events of one batch, the fifth of which kills its function whenever it is begun. The four before
/// it are recorded as completed by then, and the five behind it have spent nothing.
async fn spends_attempts_of_the_killer_alone(mode: &str, begun: usize, why: &str) {
    let app =
        TestApp::empty(|template| in_haste(with_variables(template, &[("HANDLER_MODE", mode)])))
            .await;
    let what = |number| if number == 4 { "exit" } else { "succeed" };
    let event = |number| delivery_of(&app, json!({ "do": what(number), "number": number }));
    enqueue(&app, (0..10).map(event)).await;
    let dead = app.receive("ScriptedDeadLetterQueue").await;
    assert!(reason(&dead).unwrap().contains(why), "{mode}: {dead:?}");
    app.logged(Logged::DeliveryHandled, 9).await;
    app.drained("ScriptedQueue").await;
    assert_eq!(app.depth("ScriptedDeadLetterQueue").await, 1, "{mode}");

    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in app.logged(Logged::ScriptBegun, 9 + begun).await {
        *times.entry(line["delivery.id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let mut times: Vec<usize> = times.into_values().collect();
    times.sort_unstable();
    assert_eq!(times, [vec![1; 9], vec![begun]].concat(), "{mode}");
    for handled in app.logged(Logged::DeliveryHandled, 9).await {
        assert_eq!(handled["message.attempts"], 1, "{mode}: {handled}");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_function_spends_an_attempt_of_no_other_event() {
    spends_attempts_of_the_killer_alone("", 5, "the function was killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_function_spends_an_attempt_of_no_other_event_with_fewer_writes() {
    spends_attempts_of_the_killer_alone("deduplicate", 5, "the function was killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_function_leaves_no_claim_on_an_event_that_was_not_begun() {
    let why = "it is unknown whether the event was handled";
    spends_attempts_of_the_killer_alone("claim_once", 1, why).await;
}

/// The second finds the first completed, and has not to wait for its lock.
#[tokio::test(flavor = "multi_thread")]
async fn skips_a_duplicate_right_behind_its_original() {
    let app = TestApp::empty(|template| template).await;
    let event = delivery_of(&app, json!({ "do": "succeed", "timestamp": 1 }));
    enqueue(&app, [event.clone(), event]).await;
    app.logged(Logged::DeliveryDuplicate, 1).await;
    // A lock ends with the invocation, after thirty seconds.
    app.drained_within("ScriptedQueue", Duration::from_secs(20)).await;
    assert_eq!(app.logged(Logged::ScriptBegun, 1).await.len(), 1);
    assert!(!app.printed().contains("delivery postponed"), "{}", app.printed());
    app.stack.stop().await;
}
