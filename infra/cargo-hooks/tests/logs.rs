//! `cargo hooks logs` on a test double of CloudFormation and CloudWatch Logs.

#![expect(clippy::unwrap_used, reason = "a helper of tests is test code as well")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use cargo_hooks::deliveries::MESSAGES;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// An account with one stack and its log.
#[derive(Default)]
struct Account {
    /// Lines of log as CloudWatch Logs returns them, oldest first.
    events: Mutex<Vec<Value>>,
    /// Answers that come before all others.
    problems: Mutex<Vec<(StatusCode, &'static str)>>,
    asked: Mutex<Vec<Value>>,
}

/// A double that serves an account for as long as it is there.
struct Double {
    account: Arc<Account>,
    url: String,
    _runtime: Runtime,
}

impl Double {
    fn start() -> Self {
        let account = Arc::new(Account::default());
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&account));
        runtime.spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { account, url, _runtime: runtime }
    }

    /// Logs a line of a function, so many seconds ago.
    fn log(&self, function: &str, seconds_ago: i64, line: Value) {
        let mut events = self.account.events.lock().unwrap();
        let now = jiff::Timestamp::now().as_millisecond();
        let event = json!({
            "eventId": events.len().to_string(),
            "timestamp": now - seconds_ago * 1000,
            "logStreamName": format!("2026/11/25/my-app-{function}-4BF2[$LATEST]8c5"),
            "message": line.to_string(),
        });
        events.push(event);
    }

    /// Waits until the log was asked for its first page so many times.
    fn wait_for_reads(&self, times: usize) {
        let is_first = |asked: &&Value| asked["nextToken"].is_null();
        while self.account.asked.lock().unwrap().iter().filter(is_first).count() < times {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn hooks(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hooks"));
        command.args(["logs", "--stack", "my-app"]).args(arguments);
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_REGION", "eu-west-1");
        command.env("AWS_ACCESS_KEY_ID", "AKID").env("AWS_SECRET_ACCESS_KEY", "c4n4ry");
        command
    }

    /// Runs it: whether it succeeded, its output, and its errors.
    fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let output = self.hooks(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }
}

/// Two lines a page, with an empty page before each.
async fn answer(
    State(account): State<Arc<Account>>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let signed = headers["authorization"].to_str().unwrap();
    let problem = account.problems.lock().unwrap().pop();
    if !headers.contains_key("x-amz-target") {
        assert!(signed.contains("/eu-west-1/cloudformation/aws4_request"), "{signed}");
        assert!(body.contains("Action=DescribeStackResource"), "{body}");
        assert!(body.contains("StackName=my-app&LogicalResourceId=Logs"), "{body}");
        let found = "<R><PhysicalResourceId>my-app-Logs-1</PhysicalResourceId></R>";
        return match problem {
            Some((status, text)) if text.starts_with('<') => (status, text.into()),
            other => {
                account.problems.lock().unwrap().extend(other);
                (StatusCode::OK, found.into())
            }
        };
    }
    if let Some((status, text)) = problem {
        return (status, text.into());
    }
    assert!(signed.contains("/eu-west-1/logs/aws4_request"), "{signed}");
    assert!(signed.contains("x-amz-target"), "the operation is signed: {signed}");
    assert_eq!(headers["x-amz-target"], "Logs_20140328.FilterLogEvents");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let asked: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(asked["logGroupName"], "my-app-Logs-1");
    let start = asked["startTime"].as_i64().unwrap();
    let token: usize = asked["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    account.asked.lock().unwrap().push(asked);
    let events = account.events.lock().unwrap();
    let found = events.iter().filter(|event| event["timestamp"].as_i64().unwrap() >= start);
    let mut pages: Vec<Vec<&Value>> = vec![Vec::new()];
    for two in found.collect::<Vec<_>>().chunks(2) {
        pages.push(two.to_vec());
        pages.push(Vec::new());
    }
    let mut page = json!({ "events": pages[token] });
    if token + 1 < pages.len() {
        page["nextToken"] = (token + 1).to_string().into();
    }
    (StatusCode::OK, page.to_string())
}

fn queued(id: &str, tenant: &str, event: &str) -> Value {
    json!({
        "level": "INFO", "message": "delivery queued", "delivery.id": id, "delivery.event": event,
        "tenant.key": tenant, "message.id": format!("message-{id}"),
    })
}

fn handled(id: &str) -> Value {
    json!({ "message": "delivery handled", "delivery.id": id, "message.id": format!("message-{id}") })
}

/// A log with a delivery that was handled, one that failed for good, and a refused request.
fn double() -> Double {
    let double = Double::start();
    double.log("IssueCreatedReceiver", 50, queued("a", "acme", "jira:issue_created"));
    double.log("PageCreatedReceiver", 49, queued("b", "beta", "page_created"));
    double.log("IssueCreatedHandler", 48, json!({"message": "delivery late", "Late": 1}));
    double.log("IssueCreatedHandler", 48, handled("a"));
    let failed = json!({
        "message": "delivery failed", "message.id": "message-b", "message.attempts": 1,
        "retry.seconds": 30, "error": "no such space",
    });
    double.log("PageCreatedHandler", 47, failed.clone());
    let mut dead = failed;
    dead["message"] = "delivery dead-lettered".into();
    double.log("PageCreatedHandler", 40, dead);
    let rejected = json!({
        "message": "request rejected", "path": "/issue-created", "status": 401, "reason": "qsh",
        "detail": "the token was made for another request",
    });
    double.log("IssueCreatedReceiver", 39, rejected);
    double
}

#[test]
fn prints_one_row_a_delivery() {
    let double = double();
    let (succeeded, output, errors) = double.run(&[]);
    assert!(succeeded, "{errors}");
    let rows: Vec<Vec<&str>> =
        output.lines().map(|line| line.split_whitespace().skip(2).collect()).collect();
    let [_, a, b, refused] = &rows[..] else { panic!("{output}") };
    let wanted = ["jira:issue_created", "acme", "queued", "IssueCreatedHandler", "handled"];
    assert_eq!(a[..5], wanted, "{output}");
    assert!(output.lines().nth(1).unwrap().ends_with(" ms"), "{output}");
    assert_eq!(b[..5], ["page_created", "beta", "queued", "PageCreatedHandler", "dead-lettered"]);
    assert!(output.lines().nth(2).unwrap().ends_with(" ms  no such space"), "{output}");
    assert_eq!(refused[..], ["/issue-created", "-", "rejected", "-", "-", "-", "qsh"], "{output}");
    let asked = double.account.asked.lock().unwrap();
    assert_eq!(asked.len(), 9, "every page, the empty ones too");
    let pattern = asked[0]["filterPattern"].as_str().unwrap();
    assert!(pattern.contains(r#"($.message = "delivery dead-lettered")"#), "{pattern}");
}

/// A line that nobody logs any more would be missing in every row.
#[test]
fn reads_messages_that_the_functions_log() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/crates");
    let sources: String =
        ["receiver/src/lib.rs", "handler/src/batch.rs", "gateway/src/rejection.rs"]
            .map(|file| std::fs::read_to_string(format!("{crates}/{file}")).unwrap())
            .concat();
    for message in MESSAGES {
        assert!(sources.contains(&format!("\"{message}\"")), "nobody logs {message}");
    }
}

#[test]
fn prints_what_is_asked_for() {
    let double = double();
    let rows: [(&[&str], &[&str]); 5] = [
        (&["--tenant", "acme"], &["a"]),
        (&["--event", "page_created"], &["b"]),
        (&["--delivery", "b"], &["b"]),
        (&["--tenant", "acme", "--event", "page_created"], &[]),
        (&["--since", "45s"], &[]),
    ];
    for (arguments, wanted) in rows {
        let (succeeded, output, errors) = double.run(&[arguments, &["--json"]].concat());
        assert!(succeeded, "{errors}");
        let ids: Vec<String> = output
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter_map(|row| row["delivery"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(ids, wanted, "{arguments:?}: {output}");
    }
    let (_, output, _) = double.run(&["--delivery", "none"]);
    assert_eq!(output, "no deliveries; look further back with --since\n");
}

/// The tool, stopped however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn follows_the_log_and_prints_nothing_twice() {
    let double = double();
    let mut child = double.hooks(&["--follow", "--json"]);
    let mut child = Running(child.stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let results: Vec<Value> = lines.by_ref().take(4).map(|row| row["result"].clone()).collect();
    let again = json!({ "failed": { "attempts": 1, "retrySeconds": 30 } });
    assert_eq!(results, [json!("handled"), again, json!("deadLettered"), Value::Null]);

    // The log is read from its start once more.
    double.wait_for_reads(2);
    double.log("IssueCreatedReceiver", 1, queued("c", "acme", "jira:issue_created"));
    double.log("IssueCreatedHandler", 0, handled("c"));
    let next = lines.next().unwrap();
    assert_eq!((&next["delivery"], &next["result"]), (&json!("c"), &json!("handled")), "{next}");
}

#[test]
fn asks_again_when_aws_is_busy() {
    let double = double();
    let busy = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    double.account.problems.lock().unwrap().push((StatusCode::BAD_REQUEST, busy));
    let (succeeded, output, errors) = double.run(&[]);
    assert!(succeeded && output.lines().count() == 4, "{errors}");
}

/// What AWS answers, and words of the one sentence about it.
#[test]
fn says_in_one_sentence_what_to_do() {
    let rows = [
        (
            r#"{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}"#,
            ["does not exist", "deploy the stack again"],
        ),
        (
            r#"{"__type":"com.amazon#AccessDeniedException","Message":"User is not authorized"}"#,
            ["not authorized", "allow logs:FilterLogEvents"],
        ),
        (
            r#"{"__type":"ExpiredTokenException","message":"The security token is expired"}"#,
            ["is expired", "aws sso login"],
        ),
        ("gone", ["400 Bad Request", "are region and profile right"]),
        (
            "<E><Message>Stack 'my-app' does not exist</Message></E>",
            ["Stack 'my-app' does not exist", "check the stack's name"],
        ),
    ];
    for (answer, words) in rows {
        let double = Double::start();
        double.account.problems.lock().unwrap().push((StatusCode::BAD_REQUEST, answer));
        let (succeeded, output, errors) = double.run(&[]);
        assert!(!succeeded && output.is_empty(), "{output}");
        assert!(words.iter().all(|word| errors.contains(word)), "{words:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(!errors.contains("c4n4ry"), "{errors}");
    }

    let double = Double::start();
    let mut local = Command::new(env!("CARGO_BIN_EXE_cargo-hooks"));
    let mut regionless = double.hooks(&[]);
    regionless.env_remove("AWS_REGION").env("AWS_EC2_METADATA_DISABLED", "true");
    let mut away = double.hooks(&[]);
    away.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let mut crooked = double.hooks(&[]);
    crooked.env("AWS_ENDPOINT_URL", "not a url");
    let commands = [
        (local.arg("logs").env("HOOKS_HOME", "/none"), "no local stack is running"),
        (&mut double.hooks(&["--since", "soon"]), "write a time such as 30m, 1h or 2d"),
        (&mut double.hooks(&["--since=-1h"]), "write a time such as"),
        (&mut regionless, "name one with --region or AWS_REGION"),
        (&mut away, "is this machine online"),
        (&mut crooked, "is not a URL; correct the endpoint of CloudFormation"),
    ];
    for (command, words) in commands {
        command.env("AWS_CONFIG_FILE", "/none").env("AWS_SHARED_CREDENTIALS_FILE", "/none");
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && errors.contains(words), "{words}: {errors}");
    }
}
