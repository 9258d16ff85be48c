//! The local SQS with few and with many messages.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use local_sqs::Sqs;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::figures::{Growth, Unit};
use crate::measure::median;

/// How many messages wait.
const WAITING: [u32; 2] = [10, 100_000];
/// How often each request is timed.
const REQUESTS: usize = 301;

/// Times sending, receiving and deleting, and measures the journal.
pub(crate) async fn growth() -> anyhow::Result<Vec<Growth>> {
    eprintln!("... timing the local SQS");
    let few = measured(WAITING[0]).await?;
    let many = measured(WAITING[1]).await?;
    let growth = |what: &str, unit, value: fn(&Measured) -> f64| Growth {
        what: format!("the local SQS, {what}"),
        unit,
        of: "waiting messages".into(),
        few: (WAITING[0], value(&few)),
        many: (WAITING[1], value(&many)),
    };
    Ok(vec![
        growth("to send a message", Unit::Seconds, |measured| measured.send.as_secs_f64()),
        growth("to receive a message", Unit::Seconds, |measured| measured.receive.as_secs_f64()),
        growth("to delete a message", Unit::Seconds, |measured| measured.delete.as_secs_f64()),
        growth("journal of a message", Unit::Bytes, |measured| measured.journal),
    ])
}

/// The medians of requests, and the bytes that a message takes in the journal.
struct Measured {
    send: Duration,
    receive: Duration,
    delete: Duration,
    journal: f64,
}

async fn measured(waiting: u32) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("queues");
    let sqs = Sqs::open(&journal)?;
    sqs.create_queue("queue", Default::default()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let host = listener.local_addr()?.to_string();
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(local_sqs::serve(listener, sqs, async move {
        let _ = stopping.await;
    }));
    let client = Client {
        http: atlassian_simulator::client()?,
        url: format!("http://{host}"),
        queue: local_sqs::queue_url(&host, "queue"),
    };

    let before = std::fs::metadata(&journal)?.len();
    for first in (0..waiting).step_by(10) {
        let last = waiting.min(first + 10);
        let entries =
            (first..last).map(|id| json!({ "Id": id.to_string(), "MessageBody": body() }));
        client.ask("SendMessageBatch", json!({ "Entries": Value::from_iter(entries) })).await?;
    }
    let written = std::fs::metadata(&journal)?.len() - before;

    let (mut send, mut receive, mut delete) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        send.push(client.ask("SendMessage", json!({ "MessageBody": body() })).await?.0);
        let (time, received) = client.ask("ReceiveMessage", json!({})).await?;
        receive.push(time);
        let handle = &received["Messages"][0]["ReceiptHandle"];
        let handle = handle.as_str().context("the local SQS has no message")?;
        delete.push(client.ask("DeleteMessage", json!({ "ReceiptHandle": handle })).await?.0);
    }
    // The server ends with the last connection.
    drop(client);
    let _ = stop.send(());
    server.await??;
    let (send, receive, delete) = (median(send), median(receive), median(delete));
    Ok(Measured {
        send,
        receive,
        delete,
        journal: f64::from(u32::try_from(written)?) / f64::from(waiting),
    })
}

struct Client {
    http: reqwest::Client,
    url: String,
    queue: String,
}

impl Client {
    /// Sends a request about the queue, and returns how long it took and its answer.
    async fn ask(&self, action: &str, mut request: Value) -> anyhow::Result<(Duration, Value)> {
        request["QueueUrl"] = self.queue.clone().into();
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .body(request.to_string());
        let start = Instant::now();
        let response = request.send().await?;
        let is_success = response.status().is_success();
        let answer = response.text().await?;
        let took = start.elapsed();
        anyhow::ensure!(is_success, "the local SQS refuses {action}: {answer}");
        Ok((took, serde_json::from_str(&answer).unwrap_or_default()))
    }
}

fn body() -> String {
    "a message of some hundred bytes; ".repeat(10)
}
