//! What Jira gave up on comes all the same, and once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atlassian_simulator::{Site, Webhook};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use connect::jwt::Unverified;
use connect::qsh;
use infra::dead::{Pair, Queues};
use infra::plan::Plan;
use infra::recover::{self, Jira, Recover, Recovered};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::stage::{DESCRIPTOR, Stage};

/// A Jira that gave up on some webhooks, as "Get failed webhooks" of its REST API describes it.
struct Refused {
    site: Site,
    values: Vec<Value>,
    requests: AtomicUsize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    after: i64,
    max_results: usize,
}

/// Two on a page, whatever is asked for; busy at first.
async fn failed(
    State(jira): State<Arc<Refused>>,
    Query(asked): Query<Asked>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let token = headers["authorization"].to_str().unwrap().strip_prefix("JWT ").unwrap().to_owned();
    let request = qsh::Request {
        method: "GET",
        path: uri.path(),
        query: uri.query().unwrap(),
        base_path: "",
    };
    let token = Unverified::webhook(&token).unwrap().screen(&request, Timestamp::now()).unwrap();
    let claims = token.verify(&jira.site.secret).unwrap();
    assert_eq!(claims.issuer(), DESCRIPTOR.key, "the app signs as itself");
    assert_eq!(asked.max_results, 100);
    if jira.requests.fetch_add(1, Ordering::SeqCst) == 0 {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response();
    }
    let later =
        jira.values.iter().filter(|failed| failed["failureTime"].as_i64() > Some(asked.after));
    let values: Vec<&Value> = later.take(2).collect();
    Json(json!({ "values": values, "maxResults": 2, "next": "unused" })).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_what_jira_gave_up_on_and_handles_it_once() {
    let stage = Stage::in_haste().await;
    // One of them had arrived: Jira never saw the answer.
    let order = |number: usize| json!({ "webhookEvent": "jira:issue_updated", "number": number });
    let webhook = Webhook {
        base_url: stage.stack.url(),
        url: "/orders",
        body: order(0).to_string(),
        identifier: Some("webhook-0".into()),
    };
    assert_eq!(stage.atlassian.send(webhook, &stage.jira).await.unwrap().status, 204);
    stage.logged("obeyed", 1).await;

    let now = Timestamp::now().as_millisecond();
    let of = |number: usize, url: &str, body: Option<String>| {
        let mut failed = json!({
            "id": format!("webhook-{number}"), "url": format!("https://old.example.com/prod{url}"),
            "failureTime": now - 60_000 + number as i64,
        });
        if let Some(body) = body {
            failed["body"] = body.into();
        }
        failed
    };
    let mut values: Vec<Value> =
        (0..5).map(|number| of(number, "/orders?x=1", Some(order(number).to_string()))).collect();
    values.push(of(5, "/nowhere", Some(order(5).to_string())));
    values.push(of(6, "/orders", None));
    let mut old = of(7, "/orders", Some(order(7).to_string()));
    old["failureTime"] = (now - 80 * 60 * 60 * 1000).into();
    values.push(old);
    let refused = Arc::new(Refused { site: stage.jira.clone(), values, requests: 0.into() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/rest/api/3/webhook/failed", get(failed));
    let server = axum::serve(listener, router.with_state(refused)).into_future();
    let server = tokio::spawn(server);

    let jira =
        Jira { key: stage.jira.client_key.clone(), base_url, secret: stage.jira.secret.clone() };
    let pair = Pair {
        handler: "obedient".into(),
        queue: stage.queue("ObedientQueue").into(),
        dead_letters: stage.queue("ObedientDeadLetterQueue").into(),
    };
    let queues = Queues::at(stage.stack.sqs_endpoint(), vec![pair], Duration::from_secs(2));
    let plan = Plan::of(&DESCRIPTOR);
    let client = atlassian_simulator::client().unwrap();
    let mut what =
        Recover { since: Timestamp::now() - SignedDuration::from_hours(72), dry_run: true };
    let expected = Recovered { queued: 5, left: 2 };
    let would = recover::recover(&jira, &plan, &client, &what, &queues).await.unwrap();
    assert_eq!(would, expected);
    assert_eq!(stage.depth("ObedientQueue").await, 0);

    what.dry_run = false;
    for _ in 0..2 {
        let done = recover::recover(&jira, &plan, &client, &what, &queues).await.unwrap();
        assert_eq!(done, expected);
    }
    stage.drained("ObedientQueue").await;
    let obeyed = stage.logged("obeyed", 5).await;
    let mut numbers: Vec<u64> = obeyed
        .iter()
        .map(|line| serde_json::from_str::<Value>(line["payload"].as_str().unwrap()).unwrap())
        .map(|payload| payload["number"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4], "what is missing, once");
    server.abort();
    stage.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_jiras_of_a_table_whose_secrets_are_encrypted() {
    let stage = Stage::without_handlers().await;
    let gone = stage.installed(connect::event::Product::Jira).await;
    let left = stage.call_back(connect::lifecycle::Callback::Uninstalled, &gone).await;
    assert_eq!(left.status, 204);
    let table = stage.tenants();
    let jiras = recover::jiras(&table, Timestamp::now()).await.unwrap();
    let [jira] = &jiras[..] else { panic!("{jiras:?}") };
    assert_eq!((&jira.key, &jira.base_url), (&stage.jira.client_key, &stage.jira.base_url));
    assert!(jira.secret.expose() == stage.jira.secret.expose());
    stage.stack.stop().await;
}
