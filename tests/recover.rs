//! What Jira gave up on comes all the same, and once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::jwt::Unverified;
use atlassian_connect::qsh;
use atlassian_simulator::{Site, Webhook};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cargo_hooks::dead_letters::{Pair, Queues};
use cargo_hooks::plan::Plan;
use cargo_hooks::recover::{self, Jira, Recover, Recovered};
use cargo_hooks::template::configuration::Configuration;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::log::Logged;

/// A Jira that gave up on some webhooks, as "Get failed webhooks" of its REST API describes it.
struct Refused {
    site: Site,
    /// Oldest first.
    values: Vec<Value>,
    /// The most on a page, whatever is asked for.
    most: usize,
    paging: Paging,
    requests: AtomicUsize,
}

/// How a list is cut into pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Paging {
    /// Failures of one millisecond are on one page, however many they are.
    Documented,
    /// The limit is kept.
    Cut,
    /// The limit is kept, and the time that is asked for is included.
    Inclusive,
    /// Every page is the first.
    Stuck,
}

impl Refused {
    fn new(site: &Site, values: Vec<Value>, most: usize, paging: Paging) -> Arc<Self> {
        Arc::new(Self { site: site.clone(), values, most, paging, requests: 0.into() })
    }

    fn page(&self, after: i64) -> &[Value] {
        let time = |failed: &Value| failed["failureTime"].as_i64().unwrap();
        let start = match self.paging {
            Paging::Stuck => 0,
            Paging::Inclusive => self.values.partition_point(|failed| time(failed) < after),
            _ => self.values.partition_point(|failed| time(failed) <= after),
        };
        let end = self.values.len().min(start + self.most);
        let end = match self.values[start..end].last() {
            Some(last) if self.paging == Paging::Documented => {
                self.values.partition_point(|failed| time(failed) <= time(last))
            }
            _ => end,
        };
        &self.values[start..end]
    }

    /// Serves it, and returns its URL.
    async fn serve(self: Arc<Self>) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/rest/api/3/webhook/failed", get(failed));
        let server = axum::serve(listener, router.with_state(self)).into_future();
        (base_url, tokio::spawn(async { server.await.unwrap() }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    after: i64,
    max_results: usize,
}

/// Busy at first.
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
    let values = jira.page(asked.after);
    Json(json!({ "values": values, "maxResults": jira.most, "next": "unused" })).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_failed_webhooks_and_handles_each_once() {
    let app = TestApp::in_haste().await;
    // One of them had arrived: Jira never saw the answer.
    let order = |number: usize| json!({ "webhookEvent": "jira:issue_updated", "number": number });
    let webhook = Webhook {
        base_url: app.stack.url(),
        url: "/scripted",
        body: order(0).to_string(),
        identifier: Some("webhook-0".into()),
    };
    assert_eq!(app.atlassian.send(webhook, &app.jira).await.unwrap().status, 204);
    app.logged(Logged::ScriptDone, 1).await;

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
        (0..5).map(|number| of(number, "/scripted?x=1", Some(order(number).to_string()))).collect();
    values.push(of(5, "/nowhere", Some(order(5).to_string())));
    values.push(of(6, "/scripted", None));
    let mut old = of(7, "/scripted", Some(order(7).to_string()));
    old["failureTime"] = (now - 80 * 60 * 60 * 1000).into();
    values.insert(0, old);
    let refused = Refused::new(&app.jira, values, 2, Paging::Documented);
    let (base_url, server) = refused.serve().await;

    let jira = Jira { key: app.jira.client_key.clone(), base_url, secret: app.jira.secret.clone() };
    let pair = Pair {
        handler: "scripted".into(),
        queue: app.queue("ScriptedQueue").into(),
        dead_letters: app.queue("ScriptedDeadLetterQueue").into(),
    };
    let queues = Queues::at(app.stack.sqs_endpoint(), vec![pair], Duration::from_secs(2));
    let plan = Plan::of(&*DESCRIPTOR, &Configuration::default());
    let client = atlassian_simulator::client().unwrap();
    let mut what =
        Recover { since: Timestamp::now() - SignedDuration::from_hours(72), dry_run: true };
    let expected = Recovered { queued: 5, left: 2, crowded: 0 };
    let would = recover::recover(&jira, &plan, &client, &what, &queues).await.unwrap();
    assert_eq!(would, expected);
    assert_eq!(app.depth("ScriptedQueue").await, 0);

    what.dry_run = false;
    for _ in 0..2 {
        let done = recover::recover(&jira, &plan, &client, &what, &queues).await.unwrap();
        assert_eq!(done, expected);
    }
    app.drained("ScriptedQueue").await;
    let done = app.logged(Logged::ScriptDone, 5).await;
    let mut numbers: Vec<u64> = done
        .iter()
        .map(|line| serde_json::from_str::<Value>(line["payload"].as_str().unwrap()).unwrap())
        .map(|payload| payload["number"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4], "what is missing, once");
    server.abort();
    app.stack.stop().await;
}

/// A site that was away for a moment: much of what failed, failed in the same one.
#[tokio::test(flavor = "multi_thread")]
async fn skips_no_failure_of_a_crowded_millisecond_and_terminates() {
    let now = Timestamp::now().as_millisecond();
    let site = Site::new(Product::Jira, "crowded");
    // So many fail in each of these milliseconds; up to four are on a page.
    let failures = |counts: &[usize]| -> Vec<Value> {
        let each = counts.iter().enumerate();
        let times = each.flat_map(|(moment, count)| std::iter::repeat_n(moment, *count));
        let failed = |(number, moment): (usize, usize)| {
            json!({
                "id": format!("webhook-{number}"), "url": "https://hooks.example.com/scripted",
                "body": r#"{"webhookEvent":"jira:issue_updated"}"#,
                "failureTime": now - 60_000 + moment as i64,
            })
        };
        times.enumerate().map(failed).collect()
    };
    /// What is queued, and how many milliseconds were crowded; nothing for an error.
    type Outcome = Option<(u64, u64)>;
    let rows: [(Paging, &[usize], Outcome); 14] = [
        (Paging::Documented, &[], Some((0, 0))),
        (Paging::Documented, &[1, 1, 1, 1, 1, 1], Some((6, 0))),
        (Paging::Documented, &[1, 9, 2, 1], Some((13, 0))),
        (Paging::Documented, &[9], Some((9, 0))),
        (Paging::Documented, &[3, 3, 3], Some((9, 0))),
        (Paging::Cut, &[1, 1, 1, 1], Some((4, 0))),
        // Where the time of the last is left out, the rest of its millisecond is as well.
        (Paging::Cut, &[3, 3, 3], Some((9, 0))),
        (Paging::Cut, &[1, 9, 2, 1], Some((8, 1))),
        (Paging::Cut, &[9, 1], Some((5, 1))),
        (Paging::Cut, &[2, 4, 6], Some((10, 2))),
        (Paging::Inclusive, &[1, 2, 1, 3, 1], Some((8, 0))),
        (Paging::Inclusive, &[1, 9, 2, 1], Some((8, 1))),
        (Paging::Stuck, &[1, 1, 1], Some((3, 0))),
        (Paging::Stuck, &[1, 1, 1, 1, 1], None),
    ];
    for (paging, counts, expected) in rows {
        let refused = Refused::new(&site, failures(counts), 4, paging);
        let (base_url, server) = refused.serve().await;
        let jira = Jira { key: site.client_key.clone(), base_url, secret: site.secret.clone() };
        let queues = Queues::at("http://127.0.0.1:1", Vec::new(), Duration::ZERO);
        let client = atlassian_simulator::client().unwrap();
        let since = Timestamp::now() - SignedDuration::from_hours(72);
        let (plan, what) =
            (Plan::of(&*DESCRIPTOR, &Configuration::default()), Recover { since, dry_run: true });
        let done = recover::recover(&jira, &plan, &client, &what, &queues);
        let done = tokio::time::timeout(Duration::from_secs(60), done).await;
        let done = done.unwrap_or_else(|_| panic!("no end: {paging:?} {counts:?}"));
        match expected {
            Some((queued, crowded)) => {
                let expected = Recovered { queued, left: 0, crowded };
                assert_eq!(done.unwrap(), expected, "{paging:?} {counts:?}");
            }
            None => assert!(done.unwrap_err().to_string().contains("try again later")),
        }
        server.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_jiras_of_a_table_whose_secrets_are_encrypted() {
    let app = TestApp::without_handlers().await;
    let gone = app.installed(Product::Jira).await;
    let left = app.call_back(atlassian_connect::lifecycle::Callback::Uninstalled, &gone).await;
    assert_eq!(left.status, 204);
    let table = app.tenants();
    let jiras = recover::jiras(&table, Timestamp::now()).await.unwrap();
    let [jira] = &jiras[..] else { panic!("{jiras:?}") };
    assert_eq!((&jira.key, &jira.base_url), (&app.jira.client_key, &app.jira.base_url));
    assert!(jira.secret.expose() == app.jira.secret.expose());
    app.stack.stop().await;
}
