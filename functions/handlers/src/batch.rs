//! A batch, message by message: what fails, fails alone.
//!
//! AWS Lambda's documentation, "Handling errors for an SQS event source", section "Implementing
//! partial batch responses": the messages that are named come again, the others are deleted.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use bodies::Bodies;
use connect::delivery::{Delivery, Parcel, Unreadable};
use connect::event::FromPayload;
use futures_util::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use lambda::metrics;
use tokio::time::Instant;

use crate::handled::{Begun, Handled};
use crate::queue::{Queue, origin, receives};
use crate::verdict::Verdict;
use crate::{Error, Mode};

/// What a batch is worked through with.
#[derive(Debug, Default)]
pub(crate) struct Bench {
    pub(crate) mode: Mode,
    /// How many messages are handled at a time.
    pub(crate) concurrency: usize,
    /// Whether those of one tenant are handled one after the other.
    pub(crate) in_order: bool,
    /// Where what was handled is known.
    pub(crate) handled: Option<Handled>,
    /// Where messages come from, and go to.
    pub(crate) queue: Option<Queue>,
    /// Where deliveries are that are too long for a queue.
    pub(crate) bodies: Option<Bodies>,
}

/// Hands every message of a batch to the handler, and names those that have to come again.
pub(crate) async fn run<H, T, F>(
    batch: SqsEvent,
    deadline: SystemTime,
    bench: &Bench,
    handler: &H,
) -> SqsBatchResponse
where
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    let time = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let invocation = Invocation {
        bench,
        handler,
        end: Instant::now() + time.saturating_sub(MARGIN),
        over: Timestamp::now() + time,
    };
    let lanes = lanes(batch.records, bench.in_order);
    let failed = stream::iter(lanes).map(|lane| invocation.work_through(lane));
    let failed: Vec<Vec<String>> =
        failed.buffer_unordered(bench.concurrency.max(1)).collect().await;
    let mut response = SqsBatchResponse::default();
    for message in failed.into_iter().flatten() {
        // An empty name would fail the whole batch, which is right for a message without one.
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message;
        response.batch_item_failures.push(failure);
    }
    response
}

/// Messages that are handled one after the other, in the order in which they came.
type Lane = Vec<SqsMessage>;

fn lanes(messages: Vec<SqsMessage>, in_order: bool) -> Vec<Lane> {
    let group = |message: &SqsMessage| message.attributes.get("MessageGroupId").cloned();
    let mut lanes: Vec<Lane> = Vec::new();
    for message in messages {
        let same = |lane: &&mut Lane| in_order && group(&lane[0]) == group(&message);
        match lanes.iter_mut().find(same) {
            Some(lane) => lane.push(message),
            None => lanes.push(vec![message]),
        }
    }
    lanes
}

struct Invocation<'a, H> {
    bench: &'a Bench,
    handler: &'a H,
    /// When a handler is stopped.
    end: Instant,
    /// When the invocation is over in any case.
    over: Timestamp,
}

impl<H> Invocation<'_, H> {
    /// Handles a lane, and returns the messages that have to come again.
    async fn work_through<T, F>(&self, lane: Lane) -> Vec<String>
    where
        H: Fn(Delivery<T>) -> F,
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        let mut failed = Vec::new();
        let mut delay = None;
        for message in lane {
            // What cannot end any more does not begin, and what is behind a message that comes
            // again waits for it.
            let turn = if delay.is_some() || Instant::now() >= self.end {
                Err(Failure::NotBegun(delay.unwrap_or_default()))
            } else {
                self.handle(&message).await
            };
            if let Err(failure) = turn
                && let Some(kept_back) = self.settle(&message, failure).await
            {
                delay = Some(kept_back).filter(|_| self.bench.in_order);
                failed.push(message.message_id.unwrap_or_default());
            }
        }
        failed
    }

    async fn handle<T, F>(&self, message: &SqsMessage) -> Result<(), Failure>
    where
        H: Fn(Delivery<T>) -> F,
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        let body = message.body.as_deref().unwrap_or_default();
        let delivery = match Parcel::open(body).map_err(unreadable)? {
            Parcel::Delivery(delivery) => delivery,
            Parcel::Stored(stored) => {
                let bodies = self.bench.bodies.as_ref();
                let bodies = bodies.ok_or_else(|| Failure::Failed(NO_BUCKET.into()))?;
                let object = bodies.get(&stored).await;
                let object = object.map_err(|error| Failure::Failed(error.into()))?;
                stored.delivery(&object).map_err(unreadable)?
            }
        };
        let (id, event, tenant) =
            (delivery.id.clone(), delivery.event.clone(), delivery.tenant.clone());
        let key = self.key(&delivery);
        let delivery = delivery.read().map_err(|error| Failure::Hopeless(error.into()))?;

        match self.begin(&key, message).await.map_err(Failure::Failed)? {
            Begun::Now => {}
            Begun::Done => {
                metrics::count(metrics::DUPLICATES);
                tracing::info!(
                    delivery.id = id,
                    delivery.event = %event,
                    tenant.key = %tenant,
                    message.id = message.message_id,
                    "delivery repeated"
                );
                return Ok(());
            }
            Begun::Elsewhere(until) => {
                let wait = Duration::try_from(until - Timestamp::now()).unwrap_or_default();
                return Err(Failure::NotBegun(wait + Duration::from_secs(1)));
            }
        }
        // The call itself is inside, in case it panics before there is a future. Nothing of a
        // handler that panicked is used again: its delivery is dropped, and it is called anew for
        // the next.
        let handled = AssertUnwindSafe(async { (self.handler)(delivery).await }).catch_unwind();
        let handled = match tokio::time::timeout_at(self.end, handled).await {
            Ok(Ok(handled)) => handled,
            Ok(Err(panic)) => Err(format!("the handler panicked: {}", text(&*panic)).into()),
            Err(_) => Err(OUT_OF_TIME.into()),
        };
        if let Err(error) = handled {
            self.release(&key, message).await;
            return Err(match Verdict::of(&*error) {
                Verdict::GiveUp => Failure::Hopeless(error),
                Verdict::Retry { after: Some(delay) } => Failure::Later(delay, error),
                Verdict::Retry { after: None } => Failure::Failed(error),
            });
        }
        self.complete(&key, message).await;
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

    /// Says what becomes of a message that was not handled: how long it is kept back, or nothing if
    /// it is in the dead-letter queue.
    async fn settle(&self, message: &SqsMessage, failure: Failure) -> Option<Duration> {
        let receives = receives(message);
        let queue = self.bench.queue.as_ref();
        let is_last = queue.is_some_and(|queue| queue.is_last(receives));
        let backoff = queue.map_or(Duration::ZERO, |queue| queue.backoff(message, receives));
        let (delay, error) = match &failure {
            Failure::NotBegun(delay) => (*delay, None),
            Failure::Later(delay, error) => (backoff.max(*delay), Some(error)),
            Failure::Failed(error) | Failure::Hopeless(error) => (backoff, Some(error)),
        };
        let error = error.map(|error| lambda::chain(&**error));
        let is_dead = matches!(failure, Failure::Hopeless(_)) || (is_last && error.is_some());
        if let (true, Some(queue), Some(reason)) = (is_dead, queue, &error) {
            match queue.bury(message, reason).await {
                Ok(()) => {
                    metrics::count(metrics::DEAD_LETTERS);
                    tracing::error!(
                        message.id = message.message_id,
                        message.receives = receives,
                        error,
                        "delivery given up"
                    );
                    return None;
                }
                // SQS moves it when its receives are used up, without a reason.
                Err(error) => {
                    let error = lambda::chain(&*error);
                    tracing::error!(message.id = message.message_id, error, "dead letter not sent");
                }
            }
        }
        metrics::count(metrics::BATCH_ITEM_FAILURES);
        match error {
            Some(error) => tracing::error!(
                message.id = message.message_id,
                message.receives = receives,
                retry.seconds = delay.as_secs(),
                error,
                "delivery failed"
            ),
            None => tracing::info!(
                message.id = message.message_id,
                retry.seconds = delay.as_secs(),
                "delivery not begun"
            ),
        }
        if let Some(queue) = queue {
            queue.put_back(message, delay).await;
        }
        Some(delay)
    }

    /// What a delivery is known by: the same for all messages of one webhook to one handler.
    fn key(&self, delivery: &Delivery) -> String {
        let handler = self.bench.queue.as_ref().map_or("", Queue::name);
        format!("{handler} {} {}", delivery.tenant, delivery.identity())
    }

    async fn begin(&self, key: &str, message: &SqsMessage) -> Result<Begun, Error> {
        let Some(handled) = &self.bench.handled else { return Ok(Begun::Now) };
        let now = Timestamp::now();
        Ok(match self.bench.mode {
            Mode::ExactlyOnce => handled.begin(key, origin(message), now, self.over).await?,
            Mode::ClaimOnce => handled.claim(key, origin(message), now).await?,
            Mode::EveryTime => Begun::Now,
        })
    }

    async fn complete(&self, key: &str, message: &SqsMessage) {
        if let (Some(handled), Mode::ExactlyOnce) = (&self.bench.handled, self.bench.mode) {
            // It has had its effect: to fail it now would repeat it for certain. So this is tried for
            // as long as there is time.
            while let Err(error) = handled.complete(key, origin(message), Timestamp::now()).await {
                if Instant::now() >= self.end {
                    let error = lambda::chain(&error);
                    tracing::error!(
                        message.id = message.message_id,
                        error,
                        "handling not recorded"
                    );
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn release(&self, key: &str, message: &SqsMessage) {
        if let (Some(handled), Mode::ExactlyOnce | Mode::ClaimOnce) =
            (&self.bench.handled, self.bench.mode)
            && let Err(error) = handled.release(key, origin(message)).await
        {
            let error = lambda::chain(&error);
            tracing::warn!(message.id = message.message_id, error, "lock not released");
        }
    }
}

/// Why a message is not handled.
enum Failure {
    /// Its turn has not come; it waits for so long.
    NotBegun(Duration),
    /// Its handler failed, and asks for a delay.
    Later(Duration, Error),
    /// Its handler failed.
    Failed(Error),
    /// It cannot be handled, however often it comes.
    Hopeless(Error),
}

/// What is left for locks, delays and the answer when a handler is stopped.
const MARGIN: Duration = Duration::from_millis(1000);

fn unreadable(error: Unreadable) -> Failure {
    match error {
        // A receiver that is newer than this handler, which may be deployed in a moment.
        Unreadable::Version { .. } => Failure::Failed(error.into()),
        error => Failure::Hopeless(error.into()),
    }
}

const NO_BUCKET: &str =
    "the delivery is in a bucket, and BODIES_BUCKET is not set; the template sets it";

const OUT_OF_TIME: &str =
    "the function's time was over; raise Timeout of the handler, or do less for one message";

fn text(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

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
        failures_with(&Bench::default(), bodies, handler).await
    }

    async fn failures_with<T, F>(
        bench: &Bench,
        bodies: &[String],
        handler: impl Fn(Delivery<T>) -> F,
    ) -> Vec<String>
    where
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        let records = bodies.iter().enumerate().map(|(number, body)| {
            json!({
                "messageId": number.to_string(), "receiptHandle": "r", "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": group(body)},
                "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:x:0:q", "awsRegion": "x",
            })
        });
        let batch = json!({ "Records": records.collect::<Vec<_>>() });
        let deadline = SystemTime::now() + MARGIN + Duration::from_millis(500);
        let batch = serde_json::from_value(batch).unwrap();
        let response = run(batch, deadline, bench, &handler).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// The tenant of a body: `a` of `a-1`.
    fn group(body: &str) -> String {
        let delivery = Delivery::from_message(body).map(|delivery| delivery.id);
        delivery.map_or_else(|_| "none".into(), |id| id.split('-').next().unwrap().to_owned())
    }

    #[tokio::test]
    async fn works_on_as_many_at_a_time_as_it_is_told_to() {
        let bodies: Vec<String> = (0..9).map(|number| delivery(&number.to_string())).collect();
        for concurrency in [1, 3] {
            let (now, most) = (Cell::new(0), Cell::new(0));
            let bench = Bench { concurrency, ..Bench::default() };
            let failed = failures_with(&bench, &bodies, async |_: Delivery| {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::task::yield_now().await;
                now.set(now.get() - 1);
                Ok(())
            });
            assert_eq!(failed.await, Vec::<String>::new());
            assert_eq!(most.get(), concurrency);
        }
    }

    #[tokio::test]
    async fn keeps_the_order_of_a_tenant_and_begins_nothing_behind_a_failure() {
        let seen = RefCell::new(Vec::new());
        let bodies = ["a-1", "b-1", "a-2", "b-2", "a-3", "b-3"].map(delivery);
        let bench = Bench { concurrency: 10, in_order: true, ..Bench::default() };
        let mut failed = failures_with(&bench, &bodies, async |delivery: Delivery| {
            tokio::task::yield_now().await;
            seen.borrow_mut().push(delivery.id.clone());
            if delivery.id == "a-2" { Err("no".into()) } else { Ok(()) }
        })
        .await;
        failed.sort_unstable();
        assert_eq!(failed, ["2", "4"], "a-2, and a-3 behind it");
        let of = |tenant: char| -> Vec<String> {
            seen.borrow().iter().filter(|id| id.starts_with(tenant)).cloned().collect()
        };
        assert_eq!(
            (of('a').join(" "), of('b').join(" ")),
            ("a-1 a-2".into(), "b-1 b-2 b-3".into())
        );
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
