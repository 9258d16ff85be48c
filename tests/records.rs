//! Records as SQS never writes them, handed to a handler directly.

use sam_template_runner::lambda::Function;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::harness::app::{TestApp, functions};
use crate::harness::log::Logged;
use crate::retries::{delivery_of, reason};

/// One bad record never fails a batch, and nothing that it says is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_odd_record_spoils_no_other() {
    let app = TestApp::without_handlers().await;
    let (lines, mut log) = broadcast::channel(1000);
    let definition = app.stack.deployment().functions["ScriptedHandler"].clone();
    let program = functions().join(&definition.binary);
    let handler = Function::new(definition, program, app.stack.aws_environment(), 1, lines);

    let good = |id: &str| {
        json!({
            "messageId": id, "receiptHandle": "r", "eventSource": "aws:sqs", "awsRegion": "x",
            "body": delivery_of(&app, json!({ "do": "succeed", "record": id })),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795600000123"},
            "messageAttributes": {},
        })
    };
    let with = |id: &str, name: &str, value: Value| {
        let mut record = good(id);
        record[name] = value;
        record
    };
    let bad = [
        Value::Null,
        json!("text"),
        json!([1, 2]),
        json!({}),
        with("no body", "body", Value::Null),
        with("no id", "messageId", json!(7)),
    ];
    let records: Vec<Value> = [good("first")]
        .into_iter()
        .chain(bad.clone())
        .chain([
            with("attributes", "attributes", json!(7)),
            with("message attributes", "messageAttributes", json!([{}])),
            with("an attribute", "messageAttributes", json!({"a": null, "b": {"dataType": 1}})),
            with("something new", "brandNew", json!({"a": [1]})),
            good("last"),
        ])
        .collect();
    let event = json!({ "Records": records });
    let answer = handler.invoke(event.to_string().into()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");

    let mut handled = Vec::new();
    while handled.len() < 6 {
        let line: Value = serde_json::from_str(&log.recv().await.unwrap().text).unwrap();
        if Logged::ScriptDone.is(&line) {
            let order = line["payload"].as_str().unwrap();
            let order: Value = serde_json::from_str(order).unwrap();
            handled.push(order["record"].as_str().unwrap().to_owned());
        }
    }
    handled.sort_unstable();
    let ids =
        ["an attribute", "attributes", "first", "last", "message attributes", "something new"];
    assert_eq!(handled, ids);
    let dead = app.all("ScriptedDeadLetterQueue").await;
    let mut kept: Vec<Value> = dead
        .iter()
        .map(|dead| {
            assert!(reason(dead).unwrap().contains("not a delivery"), "{dead:?}");
            serde_json::from_str(dead.body().unwrap()).unwrap()
        })
        .collect();
    for record in &bad {
        let at = kept.iter().position(|kept| kept == record);
        kept.swap_remove(at.unwrap_or_else(|| panic!("{record} is lost")));
    }
    assert_eq!(kept, Vec::<Value>::new());
    app.stack.stop().await;
}
