//! A batch, message by message: what fails, fails alone.
//!
//! AWS Lambda's documentation, "Handling errors for an SQS event source", section "Implementing
//! partial batch responses": the messages that are named come again, the others are deleted.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use connect::delivery::Delivery;
use connect::event::FromPayload;
use futures_util::FutureExt;
use lambda::metrics;
use tokio::time::Instant;

use crate::Error;

/// Hands every message of a batch to the handler, and names those that have to come again.
pub(crate) async fn run<H, T, F>(
    batch: SqsEvent,
    deadline: SystemTime,
    handler: &H,
) -> SqsBatchResponse
where
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    let mut response = SqsBatchResponse::default();
    let time = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let end = Instant::now() + time.saturating_sub(MARGIN);
    for message in batch.records {
        let handled = async {
            // What has not begun by then is not begun.
            if Instant::now() >= end {
                Err(OUT_OF_TIME.into())
            } else {
                handle(&message, handler).await
            }
        };
        let handled = tokio::time::timeout_at(end, handled).await;
        if let Err(error) = handled.unwrap_or_else(|_| Err(OUT_OF_TIME.into())) {
            tracing::error!(
                message.id = message.message_id,
                message.receives = receives(&message),
                error = lambda::chain(&*error),
                "delivery failed"
            );
            metrics::count(metrics::BATCH_ITEM_FAILURES);
            // An empty name would fail the whole batch, which is right for a message without one.
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

async fn handle<H, T, F>(message: &SqsMessage, handler: &H) -> Result<(), Error>
where
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    let delivery = Delivery::from_message(message.body.as_deref().unwrap_or_default())?;
    let (id, event, tenant) =
        (delivery.id.clone(), delivery.event.clone(), delivery.tenant.clone());
    let delivery = delivery.read()?;
    // The call itself is inside, in case it panics before there is a future. Nothing of a handler
    // that panicked is used again: its delivery is dropped, and it is called anew for the next.
    AssertUnwindSafe(async { handler(delivery).await })
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(format!("the handler panicked: {}", text(&*panic)).into()))?;
    tracing::info!(
        delivery.id = id,
        delivery.event = %event,
        tenant.key = %tenant,
        message.id = message.message_id,
        message.receives = receives(message),
        "delivery handled"
    );
    Ok(())
}

/// What is left for the answer when a handler is stopped.
const MARGIN: Duration = Duration::from_millis(500);

const OUT_OF_TIME: &str =
    "the function's time was over; raise Timeout of the handler, or do less for one message";

/// How often the message was received, this time included.
fn receives(message: &SqsMessage) -> Option<&str> {
    message.attributes.get("ApproximateReceiveCount").map(String::as_str)
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use connect::event::jira::IssueEvent;
    use serde_json::json;

    use super::*;

    fn delivery(id: &str) -> String {
        delivery_of(id, "jira:issue_created", json!({}))
    }

    fn delivery_of(id: &str, event: &str, payload: serde_json::Value) -> String {
        json!({
            "version": 1, "id": id, "event": event, "product": "jira",
            "tenant": "t", "receivedAt": "2026-11-23T10:00:00Z", "webhook": {}, "payload": payload,
        })
        .to_string()
    }

    /// Runs a batch of these bodies, named 0, 1, 2 …, and returns the names of those that failed.
    async fn failures<T, F>(bodies: &[String], handler: impl Fn(Delivery<T>) -> F) -> Vec<String>
    where
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        let records = bodies.iter().enumerate().map(|(number, body)| {
            json!({
                "messageId": number.to_string(), "receiptHandle": "r", "body": body,
                "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:x:0:q", "awsRegion": "x",
            })
        });
        let batch = json!({ "Records": records.collect::<Vec<_>>() });
        let deadline = SystemTime::now() + Duration::from_secs(1);
        let response = run(serde_json::from_value(batch).unwrap(), deadline, &handler).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn hands_over_every_message_and_reports_none() {
        let seen = RefCell::new(Vec::new());
        let bodies = ["a", "b", "c"].map(delivery);
        let failed = failures(&bodies, async |delivery: Delivery| {
            seen.borrow_mut().push(delivery.id);
            Ok(())
        });
        assert_eq!(failed.await, Vec::<String>::new());
        assert_eq!(*seen.borrow(), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn fails_each_message_alone() {
        let seen = RefCell::new(Vec::new());
        let bodies = [
            delivery("good"),
            "poison".into(),
            delivery("error"),
            delivery("panic"),
            delivery("last"),
        ];
        let failed = failures(&bodies, async |delivery: Delivery| {
            let id = delivery.id;
            seen.borrow_mut().push(id.clone());
            match id.as_str() {
                "error" => Err("no".into()),
                "panic" => panic!("at the worst moment"),
                _ => Ok(()),
            }
        });
        assert_eq!(failed.await, ["1", "2", "3"]);
        assert_eq!(*seen.borrow(), ["good", "error", "panic", "last"]);
    }

    #[tokio::test]
    async fn hands_over_what_the_handler_takes_and_puts_the_rest_back() {
        let seen = RefCell::new(Vec::new());
        let issue = json!({"issue": {"id": "10042", "key": "DEMO-42"}});
        let bodies = [
            delivery_of("right", "jira:issue_updated", issue.clone()),
            delivery_of("another event", "sprint_started", issue),
            delivery_of("another form", "jira:issue_updated", json!({"issue": "DEMO-42"})),
        ];
        let failed = failures(&bodies, async |delivery: Delivery<IssueEvent>| {
            seen.borrow_mut().push(delivery.payload.issue.key.clone());
            Ok(())
        });
        assert_eq!(failed.await, ["1", "2"]);
        assert_eq!(*seen.borrow(), ["DEMO-42"]);
    }

    #[tokio::test]
    async fn stops_a_handler_that_hangs_and_gives_back_the_rest() {
        let bodies = ["good", "hang", "behind"].map(delivery);
        let failed = failures(&bodies, async |delivery: Delivery| {
            if delivery.id == "hang" {
                std::future::pending::<()>().await;
            }
            Ok(())
        });
        assert_eq!(failed.await, ["1", "2"]);
    }

    #[tokio::test]
    async fn survives_a_handler_that_panics_before_it_returns_a_future() {
        fn handler(_: Delivery) -> std::future::Ready<Result<(), Error>> {
            panic!("not even a future")
        }
        assert_eq!(failures(&[delivery("a")], handler).await, ["0"]);
    }
}
