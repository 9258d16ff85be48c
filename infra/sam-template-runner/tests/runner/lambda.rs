//! Execution environments, invoked directly.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sam_template_runner::lambda::{Function, InvokeError};
use sam_template_runner::{LogLine, LogStream, deployment};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{PATIENCE, binaries, eventually, is_running, is_there};

#[tokio::test]
async fn an_event_reaches_the_function_and_its_answer_comes_back() {
    let function = Scripted::default().function();

    for with in [json!({"a": [1, "ä"]}), json!(null), json!("x".repeat(100_000))] {
        assert_eq!(invoke(&function, json!({"do": "answer", "with": with})).await.unwrap(), with);
    }
    function.stop().await;
}

#[tokio::test]
async fn the_runtime_says_what_lambda_says_about_the_invocation() {
    let function = Scripted { timeout: Duration::from_secs(9), ..Scripted::default() }.function();

    let before = millis_since_1970();
    let first = invoke(&function, json!({"do": "describe"})).await.unwrap();
    let second = invoke(&function, json!({"do": "describe"})).await.unwrap();
    let after = millis_since_1970();

    let deadline = first["deadline"].as_u64().unwrap();
    assert!((before + 9_000..=after + 9_000).contains(&deadline), "{deadline}");
    assert_eq!(first["arn"], "arn:aws:lambda:us-east-1:000000000000:function:Scripted");
    assert!(first["trace"].as_str().unwrap().starts_with("Root=1-"), "{first}");
    assert_ne!(first["requestId"], second["requestId"]);
    assert_eq!(first["process"], second["process"], "the environment is used again");
    function.stop().await;
}

#[tokio::test]
async fn the_environment_is_lambdas_and_the_templates_and_nothing_else() {
    let scripted = Scripted {
        variables: vec![("AWS_ENDPOINT_URL_SQS".to_owned(), "http://127.0.0.1:1".to_owned())],
        environment: BTreeMap::from([("QUEUE_URL".to_owned(), "queue".to_owned())]),
        ..Scripted::default()
    };
    let function = scripted.function();

    let variables = invoke(&function, json!({"do": "environment"})).await.unwrap();
    let variables = variables.as_object().unwrap();
    // Passed through if this test has it; `_X_AMZN_TRACE_ID` is set by the runtime.
    let optional = ["RUST_BACKTRACE", "_X_AMZN_TRACE_ID"];
    let names = variables.keys().map(String::as_str).filter(|name| !optional.contains(name));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_FORMAT",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_LEVEL",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "LAMBDA_TASK_ROOT",
            "QUEUE_URL",
            "TZ",
            "_HANDLER",
        ]
    );
    assert_eq!(variables["AWS_LAMBDA_LOG_LEVEL"], "DEBUG");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    function.stop().await;
}

#[tokio::test]
async fn what_the_function_prints_reaches_the_log() {
    let scripted = Scripted::default();
    let mut log = scripted.lines.subscribe();
    let function = scripted.function();

    invoke(&function, json!({"do": "print"})).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let line = next_line(&mut log).await;
        heard.push((line.stream, line.text, line.function.to_string()));
    }
    heard.sort_by(|a, b| a.1.cmp(&b.1));
    let scripted = || "Scripted".to_owned();
    assert_eq!(
        heard,
        [
            (LogStream::Stderr, "to stderr".to_owned(), scripted()),
            (LogStream::Stdout, "to stdout".to_owned(), scripted()),
        ]
    );
    function.stop().await;
}

#[tokio::test]
async fn a_function_that_fails_keeps_its_environment() {
    let function = Scripted::default().function();

    let before = process(&function).await;
    let error = invoke(&function, json!({"do": "fail"})).await.unwrap_err();
    let InvokeError::Function { message, .. } = &error else { panic!("{error:?}") };
    assert_eq!(message, "as scripted");
    assert_eq!(process(&function).await, before);
    function.stop().await;
}

#[tokio::test]
async fn a_crash_fails_one_invocation_and_the_next_has_a_new_environment() {
    let scripted = Scripted::default();
    let mut log = scripted.lines.subscribe();
    let function = scripted.function();

    let before = process(&function).await;
    let error = invoke(&function, json!({"do": "crash"})).await.unwrap_err();
    let InvokeError::Crashed { status } = &error else { panic!("{error:?}") };
    assert!(status.to_string().contains("SIGABRT"), "{status}");
    let after = process(&function).await;
    assert_ne!(before, after);
    assert!(!is_there(before));
    assert_eq!(next_notice(&mut log).await, format!("its process ended: {status}"));
    assert_eq!(next_notice(&mut log).await, "starts again");
    function.stop().await;
}

#[tokio::test]
async fn a_process_that_ends_while_idle_fails_nothing() {
    let function = Scripted::default().function();

    // Often: it may end before or after it has asked for its next event.
    for _ in 0..20 {
        let idle = process(&function).await;
        let kill = std::process::Command::new("kill").args(["-9", &idle.to_string()]).status();
        assert!(kill.unwrap().success());
        eventually("the process is dead", async || (!is_running(idle)).then_some(())).await;
        assert_ne!(process(&function).await, idle);
    }
    function.stop().await;
}

#[tokio::test]
async fn a_function_that_exceeds_its_timeout_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let scripted = Scripted { timeout: Duration::from_secs(1), ..Scripted::default() };
    let mut log = scripted.lines.subscribe();
    let function = scripted.function();

    let file = folder.path().join("hangs");
    let error = invoke(&function, json!({"do": "hang", "file": file})).await.unwrap_err();
    assert!(matches!(error, InvokeError::TimedOut { .. }), "{error:?}");
    let hung = std::fs::read_to_string(file).unwrap().parse().unwrap();
    assert!(!is_there(hung));
    assert_ne!(process(&function).await, hung);
    assert_eq!(next_notice(&mut log).await, "killed after 1 s, its timeout");
    function.stop().await;
}

#[tokio::test]
async fn a_failed_start_fails_one_invocation_with_the_last_words() {
    let scripted = Scripted {
        environment: BTreeMap::from([("LAST_WORDS".to_owned(), "no table".to_owned())]),
        ..Scripted::default()
    };
    let mut log = scripted.lines.subscribe();
    let function = scripted.function();

    let error = invoke(&function, json!({"do": "describe"})).await.unwrap_err();
    let InvokeError::Init { message } = &error else { panic!("{error:?}") };
    assert_eq!(
        message,
        "its process ended: exit status: 7; it printed last:\n  \
         starting\n  no table"
    );
    function.stop().await;
    drop(function);
    let mut starts = 0;
    while let Ok(line) = log.recv().await {
        starts += usize::from(line.text == "starting");
    }
    assert_eq!(starts, 1, "one invocation starts one process");
}

#[tokio::test]
async fn a_binary_that_cannot_run_is_named() {
    let scripted = Scripted::default();
    let program = binaries().join("no-such-function");
    let function = Function::new(scripted.definition(), program, Vec::new(), 1, scripted.lines);

    let error = invoke(&function, json!({"do": "describe"})).await.unwrap_err();
    assert!(error.to_string().contains("no-such-function"), "{error}");
}

#[tokio::test]
async fn two_invocations_run_at_once_in_two_environments() {
    let folder = tempfile::tempdir().unwrap();
    let function = Scripted::default().function();

    // Each ends only when the other has begun.
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    let (first, second) = tokio::join!(
        invoke(&function, json!({"do": "meet", "own": a, "other": b})),
        invoke(&function, json!({"do": "meet", "own": b, "other": a})),
    );
    assert_ne!(first.unwrap(), second.unwrap());
    function.stop().await;
}

#[tokio::test]
async fn no_more_environments_than_allowed_and_the_rest_waits() {
    let folder = tempfile::tempdir().unwrap();
    let function = Scripted { concurrency: 1, ..Scripted::default() }.function();

    let [held, release] = ["held", "release"].map(|name| folder.path().join(name));
    let holding = tokio::spawn({
        let function = function.clone();
        let event = json!({"do": "meet", "own": held, "other": release});
        async move { invoke(&function, event).await.unwrap() }
    });
    eventually("the first has begun", async || held.exists().then_some(())).await;
    let mut waiting = Box::pin(process(&function));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "the second does not wait");
    std::fs::write(release, "").unwrap();
    assert_eq!(holding.await.unwrap(), waiting.await);
    function.stop().await;
}

#[tokio::test]
async fn an_invocation_goes_on_when_its_caller_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let function = Scripted { concurrency: 1, ..Scripted::default() }.function();

    let [begun, release] = ["begun", "release"].map(|name| folder.path().join(name));
    let event = json!({"do": "meet", "own": begun, "other": release});
    let caller = tokio::spawn({
        let function = function.clone();
        async move { invoke(&function, event).await }
    });
    eventually("it has begun", async || begun.exists().then_some(())).await;
    let busy = std::fs::read_to_string(begun).unwrap().parse::<u64>().unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    std::fs::write(release, "").unwrap();
    assert_eq!(process(&function).await, busy, "the environment ended its work and is free");
    function.stop().await;
}

#[tokio::test]
async fn an_answer_of_more_than_6_mb_is_an_error() {
    let function = Scripted::default().function();
    let answer =
        async |count: usize| invoke(&function, json!({"do": "answerBytes", "count": count})).await;

    // Two quotation marks are part of the answer.
    assert!(answer(6_291_556 - 2).await.is_ok());
    let error = answer(6_291_556 - 1).await.unwrap_err();
    let InvokeError::Function { error_type, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
    function.stop().await;
}

#[tokio::test]
async fn stop_leaves_no_process_and_answers_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let function = Scripted::default().function();

    let idle = process(&function).await;
    let file = folder.path().join("hangs");
    let mut calls = Vec::new();
    for _ in 0..3 {
        let (function, event) = (function.clone(), json!({"do": "hang", "file": file}));
        calls.push(tokio::spawn(async move { invoke(&function, event).await }));
    }
    let hung = eventually("one hangs", async || std::fs::read_to_string(&file).ok()).await;
    let hung = hung.parse().unwrap();
    assert!(is_there(idle) && is_there(hung));
    function.stop().await;
    assert!(!is_there(idle) && !is_there(hung));
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, InvokeError::Stopped), "{error:?}");
    }
    let error = invoke(&function, json!({"do": "describe"})).await.unwrap_err();
    assert!(matches!(error, InvokeError::Stopped), "{error:?}");
}

#[tokio::test]
async fn stop_ends_idle_environments() {
    let function = Scripted::default().function();

    let idle = process(&function).await;
    assert!(is_there(idle));
    function.stop().await;
    assert!(!is_there(idle));
}

#[test]
fn a_process_does_not_outlive_a_panic_of_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hangs");
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let hung = runtime.block_on(async {
        let function = Scripted::default().function();
        let event = json!({"do": "hang", "file": file});
        tokio::spawn(async move { invoke(&function, event).await });
        eventually("it hangs", async || std::fs::read_to_string(&file).ok()).await
    });
    let hung = hung.parse().unwrap();
    assert!(is_running(hung));
    // What is left of a tool whose main thread has panicked.
    drop(runtime);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(eventually("it ends", async || (!is_running(hung)).then_some(())));
}

struct Scripted {
    timeout: Duration,
    concurrency: usize,
    variables: Vec<(String, String)>,
    environment: BTreeMap<String, String>,
    lines: broadcast::Sender<LogLine>,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            timeout: PATIENCE,
            concurrency: 2,
            variables: Vec::new(),
            environment: BTreeMap::new(),
            lines: broadcast::channel(1000).0,
        }
    }
}

impl Scripted {
    fn definition(&self) -> deployment::Function {
        deployment::Function {
            logical_id: "Scripted".to_owned(),
            name: "Scripted".to_owned(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:Scripted".to_owned(),
            binary: "scripted".to_owned(),
            handler: "bootstrap".to_owned(),
            timeout: self.timeout,
            memory_size: 256,
            log_format: "JSON".to_owned(),
            log_level: Some("DEBUG".to_owned()),
            log_group: "/aws/lambda/Scripted".to_owned(),
            environment: self.environment.clone(),
        }
    }

    fn function(self) -> Function {
        let program = binaries().join("scripted");
        Function::new(self.definition(), program, self.variables, self.concurrency, self.lines)
    }
}

async fn invoke(function: &Function, event: Value) -> Result<Value, InvokeError> {
    let answer = function.invoke(event.to_string().into()).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// The process id of the environment that answers.
async fn process(function: &Function) -> u64 {
    let description = invoke(function, json!({"do": "describe"})).await.unwrap();
    description["process"].as_u64().unwrap()
}

async fn next_line(log: &mut broadcast::Receiver<LogLine>) -> LogLine {
    tokio::time::timeout(PATIENCE, log.recv()).await.expect("a line in time").unwrap()
}

async fn next_notice(log: &mut broadcast::Receiver<LogLine>) -> String {
    loop {
        let line = next_line(log).await;
        if line.stream == LogStream::Stack {
            return line.text;
        }
    }
}

fn millis_since_1970() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
