//! Handling of a batch. A failure affects one message only.
//!
//! AWS Lambda's documentation, "Handling errors for an SQS event source", section "Implementing
//! partial batch responses": Lambda makes the messages that the response names visible again, and
//! deletes the others.
//!
//! A message leaves its batch in one of four ways:
//!
//! | | what happens to it | counts as an attempt |
//! |---|---|---|
//! | handled, or a duplicate | Lambda deletes it | |
//! | not begun, or stopped after it began late | a copy is queued, and Lambda deletes it | no |
//! | failed | it becomes visible again after a delay | yes |
//! | given up | it is sent to the dead-letter queue with its reason, and Lambda deletes it | |
//!
//! # Writes
//!
//! Between two calls of the handler is one round trip to the idempotency table: the completion of one
//! message and the claim of the next are written side by side. Both have to be recorded before the next
//! call, because a handler can kill the function at any time:
//!
//! - A message whose handler has completed is not handled again, so its completion is recorded before
//!   any other handler runs. `deduplicate` keeps to this as well, although it promises less: the
//!   completion costs no time beside the claim.
//! - A message that was not begun has spent no attempt, and with `claim_once` it must not become a dead
//!   letter. A claim is what counts an attempt, so none is made ahead: not for the rest of the batch,
//!   nor while another handler of the same worker runs.
//!
//! `concurrency` has as many workers, whose writes are side by side too.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use atlassian_connect::delivery::{Delivery, QueueMessage, Unreadable};
use atlassian_connect::event::{EventName, FromPayload};
use atlassian_connect::tenant::ClientKey;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use claim_check::ObjectStore;
use contract::metric;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::Error;
use crate::attempts::Attempts;
use crate::idempotency::Claim;
use crate::message::{Batch, Message};
use crate::queue::{Queue, age};
use crate::retry::Disposition;
use crate::typed::typed;

/// Settings and clients shared by all messages of a batch.
#[derive(Debug, Default)]
pub(crate) struct BatchContext<A> {
    pub(crate) attempts: A,
    /// How many messages are handled at the same time.
    pub(crate) concurrency: usize,
    /// Whether the messages of one tenant are handled one after the other.
    pub(crate) in_order: bool,
    /// The queue of the messages and its dead-letter queue.
    pub(crate) queue: Option<Queue>,
    /// The bucket of deliveries that exceed the limit of a message, if there is one.
    pub(crate) objects: Option<ObjectStore>,
}

/// Calls the handler for each message of a batch, and returns those that failed.
pub(crate) async fn run<A, H, T, F>(
    batch: Batch,
    deadline: SystemTime,
    context: &BatchContext<A>,
    handler: &H,
) -> SqsBatchResponse
where
    A: Attempts,
    H: Fn(Delivery<T>) -> F,
    T: FromPayload,
    F: Future<Output = Result<(), Error>>,
{
    let time = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let start = Instant::now();
    let invocation = Invocation {
        context,
        handler,
        start,
        end: start + time.saturating_sub(RESPONSE_MARGIN),
        over: Timestamp::now() + time,
        longest: Cell::default(),
        left: Cell::new(batch.messages.len()),
    };
    let lanes = lanes(batch.messages, context.in_order);
    let workers = lanes.len().min(context.concurrency.max(1));
    let lanes = Cell::new(lanes.into());
    let returned = join_all((0..workers).map(|_| invocation.work_through(&lanes))).await;
    let mut kept_back = Vec::new();
    let mut waiting = Vec::new();
    for returned in returned.into_iter().flatten() {
        match returned {
            Returned::KeptBack(message, delay) => kept_back.push((message, delay)),
            Returned::Waiting(message, delay) => waiting.push((message, delay)),
        }
    }
    if let Some(queue) = &context.queue {
        kept_back.extend(queue.requeue(waiting).await);
        queue.put_back(&kept_back).await;
    } else {
        kept_back.extend(waiting);
    }
    let mut response = SqsBatchResponse::default();
    for (message, _) in kept_back {
        // An empty id fails the whole batch. That is right for a message without an id, which must
        // not be deleted.
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message.id.unwrap_or_default();
        response.batch_item_failures.push(failure);
    }
    response
}

/// Messages that are handled one after the other.
type Lane = Vec<Message>;

/// Divides a batch into lanes, oldest message first, whether it is a copy or not.
fn lanes(mut messages: Vec<Message>, in_order: bool) -> Vec<Lane> {
    messages.sort_by_key(Message::first_sent);
    let mut lanes: Vec<Lane> = Vec::new();
    for message in messages {
        let same = |lane: &&mut Lane| in_order && lane[0].group == message.group;
        match lanes.iter_mut().find(same) {
            Some(lane) => lane.push(message),
            None => lanes.push(vec![message]),
        }
    }
    lanes
}

/// A message that is attempted again, with its delay.
enum Returned {
    /// The same message, with one more receive.
    KeptBack(Message, Duration),
    /// A copy of the message.
    Waiting(Message, Duration),
}

struct Invocation<'a, A, H> {
    context: &'a BatchContext<A>,
    handler: &'a H,
    start: Instant,
    /// When a running handler is stopped.
    end: Instant,
    /// When the invocation times out.
    over: Timestamp,
    /// The longest duration of a handler call so far.
    longest: Cell<Duration>,
    /// The messages that have not left the batch yet.
    left: Cell<usize>,
}

/// A message that was not handled, with what is known of it.
struct NotHandled<K> {
    failure: Failure,
    /// The delivery of the message, unless it could not be read.
    delivery_id: Option<String>,
    /// The attempt that failed, unless none was begun.
    attempt: Option<Attempt<K>>,
}

/// An attempt that is in progress.
struct Attempt<K> {
    key: K,
    number: u32,
}

/// What is logged of a delivery, for which the handler has none left.
struct Identified {
    id: String,
    event: EventName,
    tenant: ClientKey,
}

/// A delivery for which an attempt has begun, and the handler is not called yet.
struct Begun<T, K> {
    delivery: Delivery<T>,
    identified: Identified,
    attempt: Attempt<K>,
}

/// A message whose handler has completed, which is not recorded yet.
struct Handled<K> {
    message: Message,
    identified: Identified,
    attempt: Attempt<K>,
}

impl<A: Attempts, H> Invocation<'_, A, H> {
    /// Handles lanes until none is left, and returns the messages that are attempted again.
    ///
    /// Completion of a message is recorded while the next one is begun. Both are recorded before the
    /// handler is called, see [`crate::batch`].
    async fn work_through<T, F>(&self, lanes: &Cell<VecDeque<Lane>>) -> Vec<Returned>
    where
        H: Fn(Delivery<T>) -> F,
        T: FromPayload,
        F: Future<Output = Result<(), Error>>,
    {
        let mut returned = Vec::new();
        let mut previous: Option<Handled<A::Key>> = None;
        while let Some(lane) = next(lanes) {
            let mut ahead = None;
            for message in lane {
                let completed = self.complete(previous.as_ref()).shared();
                let begin = self.begin(&message, ahead, previous.as_ref(), completed.clone());
                let ((), begun) = tokio::join!(completed, begin);
                let not_handled = match begun {
                    Ok(Some(begun)) => match self.call(begun).await {
                        Ok((identified, attempt)) => {
                            previous = Some(Handled { message, identified, attempt });
                            continue;
                        }
                        Err(not_handled) => Some(not_handled),
                    },
                    Ok(None) => None,
                    Err(not_handled) => Some(not_handled),
                };
                previous = None;
                let settled = match not_handled {
                    Some(not_handled) => self.settle(message, not_handled).await,
                    None => None,
                };
                self.leave();
                let Some(message) = settled else { continue };
                let (Returned::KeptBack(_, delay) | Returned::Waiting(_, delay)) = &message;
                ahead = Some(*delay).filter(|_| self.context.in_order);
                returned.push(message);
            }
        }
        self.complete(previous.as_ref()).await;
        returned
    }

    /// Whether there is time for a call as long as the longest so far.
    fn has_time(&self) -> bool {
        Instant::now() + self.longest.get() < self.end
    }

    /// Counts a message that leaves the batch.
    fn leave(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }

    /// Reads a message and begins an attempt, unless it is a duplicate.
    async fn begin<T: FromPayload>(
        &self,
        message: &Message,
        ahead: Option<Duration>,
        previous: Option<&Handled<A::Key>>,
        completed: impl Future<Output = ()>,
    ) -> Result<Option<Begun<T, A::Key>>, NotHandled<A::Key>> {
        // A message behind one that is attempted again has to wait for it.
        if let Some(delay) = ahead {
            return Err(Failure::NotBegun(delay).into());
        }
        if !self.has_time() {
            return Err(Failure::NotBegun(Duration::ZERO).into());
        }
        let delivery = self.open(message).await?;
        let handler = self.context.queue.as_ref().map_or("", Queue::name);
        let key = self.context.attempts.key(handler, &delivery);
        let identified = Identified {
            id: delivery.id.clone(),
            event: delivery.event.clone(),
            tenant: delivery.tenant.clone(),
        };
        let Identified { id, event, tenant } = &identified;
        let fails =
            |failure, attempt| NotHandled { failure, delivery_id: Some(id.clone()), attempt };
        let delivery = typed(delivery, message)
            .map_err(|error| fails(Failure::Permanent(error.into()), None))?;
        // A duplicate of the one before has to find it completed.
        if previous.is_some_and(|previous| previous.attempt.key == key) {
            completed.await;
        }
        let claim = self.context.attempts.begin(&key, message, self.max_attempts(), self.over);
        let number = match claim.await {
            Ok(Claim::Acquired { attempt }) => attempt,
            Ok(Claim::Duplicate) => {
                tracing::info!(
                    metric = metric::DUPLICATES,
                    delivery.id = id,
                    delivery.event = %event,
                    tenant.key = %tenant,
                    message.id = message.id,
                    "duplicate delivery skipped"
                );
                return Ok(None);
            }
            Ok(Claim::InProgress(until)) => {
                let wait = Duration::try_from(until - Timestamp::now()).unwrap_or_default();
                return Err(fails(Failure::NotBegun(wait + Duration::from_secs(1)), None));
            }
            Ok(Claim::Unfinished) => {
                return Err(fails(Failure::Permanent(UNFINISHED.into()), None));
            }
            Err(error) => return Err(fails(Failure::Unavailable(error.into()), None)),
        };
        let attempt = Attempt { key, number };
        if number > self.max_attempts() {
            return Err(fails(Failure::Permanent(KILLED.into()), Some(attempt)));
        }
        Ok(Some(Begun { delivery, identified, attempt }))
    }

    /// Calls the handler.
    async fn call<T, F>(
        &self,
        begun: Begun<T, A::Key>,
    ) -> Result<(Identified, Attempt<A::Key>), NotHandled<A::Key>>
    where
        H: Fn(Delivery<T>) -> F,
        F: Future<Output = Result<(), Error>>,
    {
        let Begun { delivery, identified, attempt } = begun;
        let fails = |failure, attempt| NotHandled {
            failure,
            delivery_id: Some(identified.id.clone()),
            attempt: Some(attempt),
        };
        let begun = Instant::now();
        // Recording the completion of the one before can have taken all the time.
        if begun >= self.end {
            return Err(fails(Failure::NotBegun(Duration::ZERO), attempt));
        }
        // The call itself is inside, because it can panic before it returns a future. Unwind
        // safety: nothing of a handler that panicked is used again, as its delivery is dropped.
        let handled = AssertUnwindSafe(async { (self.handler)(delivery).await }).catch_unwind();
        // What the handler logs can be found by its delivery.
        let span = tracing::info_span!(
            "handler",
            delivery.id = identified.id,
            message.attempts = attempt.number
        );
        let handled = handled.instrument(span);
        let handled = match tokio::time::timeout_at(self.end, handled).await {
            Ok(Ok(handled)) => handled,
            Ok(Err(panic)) => Err(format!("the handler panicked: {}", text(&*panic)).into()),
            // It began late, and had less time than an invocation has. The next one may be enough.
            Err(_) if begun - self.start > (self.end - self.start) / 10 => {
                return Err(fails(Failure::Interrupted, attempt));
            }
            Err(_) => Err(OUT_OF_TIME.into()),
        };
        self.longest.set(self.longest.get().max(begun.elapsed()));
        match handled {
            Ok(()) => Ok((identified, attempt)),
            Err(error) => {
                let failure = match Disposition::of(&*error) {
                    Disposition::DeadLetter => Failure::Permanent(error),
                    Disposition::Retry { after } => Failure::Failed { after, error },
                };
                Err(fails(failure, attempt))
            }
        }
    }

    /// Reads the delivery that a message contains or refers to.
    async fn open(&self, message: &Message) -> Result<Delivery, Failure> {
        match QueueMessage::open(&message.body).map_err(unreadable)? {
            QueueMessage::Delivery(delivery) => Ok(delivery),
            QueueMessage::ObjectRef(stored) => {
                let objects = self.context.objects.as_ref();
                let objects = objects.ok_or_else(|| Failure::Unavailable(NO_BUCKET.into()))?;
                let object = objects.get(&stored).await;
                let object = object.map_err(|error| Failure::Unavailable(error.into()))?;
                stored.delivery(&object).map_err(unreadable)
            }
        }
    }

    /// Finishes a message that was not handled: sends it to the dead-letter queue, or returns it to
    /// be attempted again.
    async fn settle(&self, message: Message, not_handled: NotHandled<A::Key>) -> Option<Returned> {
        let NotHandled { failure, delivery_id, attempt } = not_handled;
        let attempts = attempt.as_ref().map_or_else(|| message.attempts(), |begun| begun.number);
        let queue = self.context.queue.as_ref();
        let is_last = queue.is_some_and(|queue| queue.is_last_receive(&message));
        let age = age(&message, Timestamp::now());
        let has_waited_too_long = age >= LONGEST_WAIT;
        let gives_up = match &failure {
            Failure::NotBegun(_) | Failure::Interrupted => has_waited_too_long,
            Failure::Unavailable(_) => is_last || has_waited_too_long,
            Failure::Failed { .. } => is_last || attempts >= self.max_attempts(),
            Failure::Permanent(_) => true,
        };
        let error = match &failure {
            Failure::NotBegun(_) | Failure::Interrupted => NOT_HANDLED_IN_TIME.to_owned(),
            Failure::Unavailable(error)
            | Failure::Failed { error, .. }
            | Failure::Permanent(error) => runtime::chain(&**error),
        };
        if let (true, Some(queue)) = (gives_up, queue) {
            match queue.send_to_dead_letter_queue(&message, attempts, &error).await {
                Ok(()) => {
                    tracing::error!(
                        metric = metric::DEAD_LETTERS,
                        delivery.id = delivery_id,
                        message.id = message.id,
                        message.attempts = attempts,
                        error,
                        "delivery dead-lettered"
                    );
                    self.unlock(attempt.as_ref(), &message, None).await;
                    return None;
                }
                // It becomes visible again, and is given up then.
                Err(error) => {
                    let error = runtime::chain(&*error);
                    tracing::error!(
                        message.id = message.id,
                        error,
                        "dead letter not sent; the message stays in its queue and is received again"
                    );
                }
            }
        }
        let backoff =
            |attempts| queue.map_or(Duration::ZERO, |queue| queue.backoff(&message, attempts));
        let delay = match &failure {
            Failure::NotBegun(delay) => *delay,
            Failure::Interrupted => Duration::ZERO,
            Failure::Unavailable(_) => {
                backoff(message.receives).clamp(SHORTEST_OUTAGE_DELAY, LONGEST_OUTAGE_DELAY)
            }
            Failure::Failed { after, .. } => backoff(attempts).max(after.unwrap_or_default()),
            Failure::Permanent(_) => backoff(attempts),
        };
        if matches!(failure, Failure::NotBegun(_) | Failure::Interrupted) {
            if age >= LATE {
                tracing::warn!(
                    metric = metric::LATE,
                    delivery.id = delivery_id,
                    message.id = message.id,
                    "delivery late"
                );
            }
            tracing::info!(
                delivery.id = delivery_id,
                message.id = message.id,
                retry.seconds = delay.as_secs(),
                interrupted = matches!(failure, Failure::Interrupted),
                "delivery postponed"
            );
            let spent = attempts.saturating_sub(1);
            self.unlock(attempt.as_ref(), &message, Some(spent)).await;
            return Some(Returned::Waiting(message, delay));
        }
        tracing::error!(
            metric = metric::FAILED,
            delivery.id = delivery_id,
            message.id = message.id,
            message.attempts = attempts,
            retry.seconds = delay.as_secs(),
            error,
            "delivery failed"
        );
        self.unlock(attempt.as_ref(), &message, Some(attempts)).await;
        Some(Returned::KeptBack(message, delay))
    }

    fn max_attempts(&self) -> u32 {
        self.context.queue.as_ref().map_or(u32::MAX, Queue::max_attempts)
    }

    /// Records the completion of a message, if there is one, which leaves the batch.
    async fn complete(&self, handled: Option<&Handled<A::Key>>) {
        let Some(Handled { message, identified, attempt }) = handled else { return };
        let is_last = self.left.get() <= 1;
        // The handler has completed, and a failure now would call it again. So this is tried for as
        // long as there is time.
        while let Err(error) = self.context.attempts.complete(&attempt.key, message, is_last).await
        {
            if Instant::now() >= self.end {
                let error = runtime::chain(&error);
                tracing::error!(
                    message.id = message.id,
                    error,
                    "completion not recorded; a duplicate may be handled again"
                );
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.leave();
        // The one line of most deliveries, so without what the receiver's line has for the same id.
        tracing::info!(
            delivery.id = identified.id,
            delivery.event = %identified.event,
            tenant.key = %identified.tenant,
            message.attempts = attempt.number,
            "delivery handled"
        );
    }

    /// Ends an attempt that was not completed, and records the attempts that are spent. `None` forgets
    /// the webhook, because the message is a dead letter.
    async fn unlock(
        &self,
        attempt: Option<&Attempt<A::Key>>,
        message: &Message,
        spent: Option<u32>,
    ) {
        let Some(Attempt { key, number }) = attempt else { return };
        if let Err(error) = self.context.attempts.end(key, message, *number, spent).await {
            let error = runtime::chain(&error);
            tracing::warn!(message.id = message.id, error, "{LOCK_NOT_RELEASED}");
        }
    }
}

/// Takes the next lane.
fn next(lanes: &Cell<VecDeque<Lane>>) -> Option<Lane> {
    let mut left = lanes.take();
    let lane = left.pop_front();
    lanes.set(left);
    lane
}

/// Why a message was not handled.
enum Failure {
    /// No attempt was made. It is postponed by this delay.
    NotBegun(Duration),
    /// Its handler began late, and was stopped at the end of the invocation.
    Interrupted,
    /// The idempotency table or the bucket did not answer.
    Unavailable(Error),
    /// The attempt failed. The error may ask for a delay.
    Failed { after: Option<Duration>, error: Error },
    /// It can never be handled.
    Permanent(Error),
}

/// The time reserved for locks, delays and the response after a handler is stopped.
const RESPONSE_MARGIN: Duration = Duration::from_millis(1000);

/// The age from which a postponed delivery is counted as late: the threshold of the template's alarm
/// on the age of a queue's oldest message.
const LATE: Duration = Duration::from_secs(15 * 60);

/// How long a delivery can wait without a failed attempt: less than the retention of a message.
const LONGEST_WAIT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The shortest and the longest delay while a table or a bucket does not answer. Each spends a
/// receive, of which there are enough for a day.
const SHORTEST_OUTAGE_DELAY: Duration = Duration::from_secs(1);
const LONGEST_OUTAGE_DELAY: Duration = Duration::from_secs(15 * 60);

impl<K> From<Failure> for NotHandled<K> {
    fn from(failure: Failure) -> Self {
        Self { failure, delivery_id: None, attempt: None }
    }
}

fn unreadable(error: Unreadable) -> Failure {
    match error {
        // The receiver is newer than this handler, which may be deployed in a moment.
        Unreadable::Version { .. } => Failure::Failed { after: None, error: error.into() },
        error => Failure::Permanent(error.into()),
    }
}

const LOCK_NOT_RELEASED: &str =
    "idempotency lock not released; the webhook is locked until the lock expires";

const NO_BUCKET: &str = "the delivery is stored in S3, and BODIES_BUCKET is not set; deploy the \
                         app's template, which sets it";

const OUT_OF_TIME: &str = "the handler did not finish before the function's timeout; raise \
                           Timeout of its function, or do less for each event";

const NOT_HANDLED_IN_TIME: &str = "the event was not handled within three days, because the \
                                   handler is slower than events arrive; raise its concurrency \
                                   or lower BatchSize, then replay it";

const KILLED: &str = "the function was killed during the last attempt; look in its log for a \
                      timeout, an exit or too little memory, then replay the event";

const UNFINISHED: &str = "the function was killed after it claimed the event, so it is unknown \
                          whether the event was handled; find out, and replay it if it was not";

fn text(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use atlassian_connect::event::jira::IssueEvent;
    use serde_json::json;

    use super::*;
    use crate::attempts::Unrecorded;
    use crate::idempotency::Unavailable;

    type Context = BatchContext<Unrecorded>;

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
        failures_with(&Context::default(), bodies, handler).await
    }

    async fn failures_with<A, T, F>(
        context: &BatchContext<A>,
        bodies: &[String],
        handler: impl Fn(Delivery<T>) -> F,
    ) -> Vec<String>
    where
        A: Attempts,
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
        let deadline = SystemTime::now() + RESPONSE_MARGIN + TIME;
        let batch = serde_json::from_value(batch).unwrap();
        let response = run(batch, deadline, context, &handler).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// The tenant of a body: `a` of `a-1`.
    fn group(body: &str) -> String {
        let delivery = Delivery::from_message(body).map(|delivery| delivery.id);
        delivery.map_or_else(|_| "none".into(), |id| id.split('-').next().unwrap().to_owned())
    }

    /// Long for a panic's backtrace, and short for who waits until it is over.
    const TIME: Duration = Duration::from_secs(3);

    /// Attempts that take their time, and what was done with them.
    #[derive(Default)]
    struct Noted {
        seen: RefCell<Vec<String>>,
        fails: bool,
    }

    impl Noted {
        fn note(&self, what: &str, id: &str) {
            self.seen.borrow_mut().push(format!("{what} {id}"));
        }

        /// Whether these were done in this order.
        fn is_sequence(&self, wanted: &[&str]) -> bool {
            let seen = self.seen.borrow();
            let mut seen = seen.iter();
            wanted.iter().all(|wanted| seen.any(|seen| seen == wanted))
        }
    }

    impl Attempts for Noted {
        type Key = String;

        fn key(&self, _: &str, delivery: &Delivery) -> String {
            delivery.id.clone()
        }

        async fn warm_up(&self) {}

        async fn begin(
            &self,
            key: &String,
            _: &Message,
            _: u32,
            _: Timestamp,
        ) -> Result<Claim, Unavailable> {
            self.note("claim", key);
            tokio::task::yield_now().await;
            Ok(Claim::Acquired { attempt: 3 })
        }

        async fn complete(&self, key: &String, _: &Message, _: bool) -> Result<(), Unavailable> {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            if self.fails {
                return Err(Unavailable { table: "t".into(), source: "no".into() });
            }
            self.note("completed", key);
            Ok(())
        }

        async fn end(
            &self,
            key: &String,
            _: &Message,
            attempt: u32,
            spent: Option<u32>,
        ) -> Result<(), Unavailable> {
            self.note(&format!("{attempt} spent {spent:?}"), key);
            Ok(())
        }
    }

    #[tokio::test]
    async fn claims_while_the_one_before_is_completed_and_calls_once_both_are_recorded() {
        let attempts = Noted::default();
        let context =
            BatchContext { attempts, concurrency: 1, in_order: false, queue: None, objects: None };
        let bodies = ["a", "b"].map(delivery);
        let failed = failures_with(&context, &bodies, async |of: Delivery| {
            context.attempts.note("call", &of.id);
            tokio::task::yield_now().await;
            context.attempts.note("return", &of.id);
            Ok(())
        });
        assert_eq!(failed.await, Vec::<String>::new());
        let wanted =
            ["claim a", "call a", "return a", "claim b", "completed a", "call b", "completed b"];
        assert!(context.attempts.is_sequence(&wanted), "{:?}", context.attempts.seen);
    }

    #[tokio::test]
    async fn gives_back_a_claim_if_the_completion_before_it_takes_all_the_time() {
        let attempts = Noted { fails: true, ..Noted::default() };
        let context =
            BatchContext { attempts, concurrency: 1, in_order: false, queue: None, objects: None };
        let bodies = ["a", "b"].map(delivery);
        let failed = failures_with(&context, &bodies, async |of: Delivery| {
            context.attempts.note("call", &of.id);
            Ok(())
        });
        assert_eq!(failed.await, ["1"]);
        let attempts = &context.attempts;
        assert!(attempts.is_sequence(&["call a", "claim b", "3 spent Some(2) b"]));
        assert!(!attempts.is_sequence(&["call b"]), "{:?}", attempts.seen);
    }

    #[tokio::test]
    async fn respects_the_concurrency_limit() {
        let bodies: Vec<String> = (0..9).map(|number| delivery(&number.to_string())).collect();
        for concurrency in [1, 3] {
            let (now, most) = (Cell::new(0), Cell::new(0));
            let context = Context { concurrency, ..Context::default() };
            let failed = failures_with(&context, &bodies, async |_: Delivery| {
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
        let context = Context { concurrency: 10, in_order: true, ..Context::default() };
        let mut failed = failures_with(&context, &bodies, async |delivery: Delivery| {
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
