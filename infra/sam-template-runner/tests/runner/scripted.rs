//! A scripted function: its event says what it does.
//!
//! It runs on the real runtime of Lambda, so the tests see what a real function would see.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// What to do with an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "do")]
enum Act {
    /// Answer with this.
    Answer { with: Value },
    /// Answer with so many bytes.
    AnswerBytes { count: usize },
    /// Answer with what the runtime says about the invocation, and the process id.
    Describe,
    /// Answer with all environment variables.
    Environment,
    /// Answer with an error.
    Fail,
    /// End the process at once.
    Crash,
    /// Never answer. First write the process id to a file.
    Hang { file: String },
    /// Write the process id to one file, wait for another, and answer with the process id.
    Meet { own: String, other: String },
    /// Print a line on each of the outputs.
    Print,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if let Some(words) = std::env::var_os("LAST_WORDS") {
        eprintln!("starting\n{}", words.to_string_lossy());
        std::process::exit(7);
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload.get("Records").is_some() {
        return batch(&event.payload);
    }
    if event.payload.get("requestContext").is_some() {
        return request(event).await;
    }
    act(serde_json::from_value(event.payload.clone())?, &event).await
}

/// Answers an HTTP request with its event, or does what its body says.
async fn request(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.get("body").and_then(Value::as_str).map(serde_json::from_str) {
        Some(Ok(told)) => act(told, &event).await,
        _ => Ok(json!({"statusCode": 200, "body": event.payload.to_string()})),
    }
}

/// Writes every record to the folder `RECORDS`; says that those have failed whose body is `fail`.
fn batch(event: &Value) -> Result<Value, Error> {
    let folder = std::env::var_os("RECORDS").ok_or("RECORDS is not set")?;
    let mut failures = Vec::new();
    for record in event["Records"].as_array().into_iter().flatten() {
        let id = record["messageId"].as_str().unwrap_or_default();
        let count = record["attributes"]["ApproximateReceiveCount"].as_str().unwrap_or_default();
        write(&Path::new(&folder).join(format!("{id}-{count}.json")), &record.to_string())?;
        if record["body"] == "fail" {
            failures.push(json!({"itemIdentifier": id}));
        }
    }
    Ok(json!({"batchItemFailures": failures}))
}

async fn act(act: Act, event: &LambdaEvent<Value>) -> Result<Value, Error> {
    match act {
        Act::Answer { with } => Ok(with),
        Act::AnswerBytes { count } => Ok(Value::from("x".repeat(count))),
        Act::Describe => Ok(json!({
            "process": std::process::id(),
            "requestId": event.context.request_id,
            "deadline": event.context.deadline,
            "arn": event.context.invoked_function_arn,
            "trace": event.context.xray_trace_id,
        })),
        Act::Environment => {
            let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
            let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
            Ok(json!(variables.collect::<BTreeMap<_, _>>()))
        }
        Act::Fail => Err("as scripted".into()),
        Act::Crash => std::process::abort(),
        Act::Hang { file } => {
            write(Path::new(&file), &std::process::id().to_string())?;
            std::future::pending().await
        }
        Act::Meet { own, other } => {
            write(Path::new(&own), &std::process::id().to_string())?;
            while !Path::new(&other).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(json!(std::process::id()))
        }
        Act::Print => {
            println!("to stdout");
            eprintln!("to stderr");
            Ok(Value::Null)
        }
    }
}

/// Writes a file that is never seen half written.
fn write(path: &Path, content: &str) -> Result<(), Error> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, content)?;
    Ok(std::fs::rename(unfinished, path)?)
}
