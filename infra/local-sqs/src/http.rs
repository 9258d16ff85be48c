//! The server: AWS JSON 1.0 over HTTP.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use crate::Sqs;
use crate::actions::{
    Action, CancelMessageMoveTask, ChangeMessageVisibility, ChangeMessageVisibilityBatch,
    CreateQueue, DeleteMessage, DeleteMessageBatch, DeleteQueue, GetQueueAttributes, GetQueueUrl,
    ListDeadLetterSourceQueues, ListMessageMoveTasks, ListQueueTags, ListQueues, Poll, PurgeQueue,
    ReceiveMessage, ReceivedMessages, RequestContext, SendMessage, SendMessageBatch,
    SetQueueAttributes, StartMessageMoveTask, StartedMoveTask, TagQueue, UntagQueue,
};
use crate::error::Error;
use crate::timestamp::Timestamp;

/// Answers SQS requests on the listener until `shutdown` completes.
///
/// Requests in progress are finished first. Long polls get an empty response at once, and message
/// move tasks stop where they are.
///
/// # Errors
///
/// Fails if the listener fails.
pub async fn serve(
    listener: TcpListener,
    sqs: Sqs,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let server = Server { sqs, stopping };
    // Some clients post to the queue URL, so every path leads to the same place.
    let router = Router::new()
        .fallback_service(post(answer).with_state(server))
        .layer(DefaultBodyLimit::max(MAXIMUM_REQUEST));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            shutdown.await;
            stop.send_replace(true);
        })
        .await
}

/// A message of 1 MiB is 6 MiB of JSON if every character is escaped.
const MAXIMUM_REQUEST: usize = 8 * 1024 * 1024;

#[derive(Clone)]
struct Server {
    sqs: Sqs,
    stopping: watch::Receiver<bool>,
}

async fn answer(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let outcome = server.perform(&headers, &body).await;
    let headers = [
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
    ];
    match outcome {
        Ok(json) => (headers, json).into_response(),
        Err(error) => (headers, refusal(&error)).into_response(),
    }
}

fn refusal(error: &Error) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        shape: String,
        message: String,
    }

    let wire = error.wire();
    let status = StatusCode::from_u16(wire.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fault = if wire.is_sender_fault() { "Sender" } else { "Receiver" };
    // SDKs choose the exception by this header, not by the type in the document.
    let query_error = [("x-amzn-query-error", format!("{};{fault}", wire.query_code))];
    let shape = format!("com.amazonaws.sqs#{}", wire.shape);
    (status, query_error, to_json(&Refusal { shape, message: error.to_string() }))
}

impl Server {
    async fn perform(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Error> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let target = text("x-amz-target");
        let context = RequestContext { host: text("host").to_owned(), now: Timestamp::now() };
        let action = target.strip_prefix("AmazonSQS.");
        match action.ok_or_else(|| Error::InvalidAction(target.to_owned()))? {
            "CancelMessageMoveTask" => self.run::<CancelMessageMoveTask>(body, &context),
            "ChangeMessageVisibility" => self.run::<ChangeMessageVisibility>(body, &context),
            "ChangeMessageVisibilityBatch" => {
                self.run::<ChangeMessageVisibilityBatch>(body, &context)
            }
            "CreateQueue" => self.run::<CreateQueue>(body, &context),
            "DeleteMessage" => self.run::<DeleteMessage>(body, &context),
            "DeleteMessageBatch" => self.run::<DeleteMessageBatch>(body, &context),
            "DeleteQueue" => self.run::<DeleteQueue>(body, &context),
            "GetQueueAttributes" => self.run::<GetQueueAttributes>(body, &context),
            "GetQueueUrl" => self.run::<GetQueueUrl>(body, &context),
            "ListDeadLetterSourceQueues" => self.run::<ListDeadLetterSourceQueues>(body, &context),
            "ListMessageMoveTasks" => self.run::<ListMessageMoveTasks>(body, &context),
            "ListQueueTags" => self.run::<ListQueueTags>(body, &context),
            "ListQueues" => self.run::<ListQueues>(body, &context),
            "PurgeQueue" => self.run::<PurgeQueue>(body, &context),
            "ReceiveMessage" => self.receive(parse(body)?).await.map(|found| to_json(&found)),
            "SendMessage" => self.run::<SendMessage>(body, &context),
            "SendMessageBatch" => self.run::<SendMessageBatch>(body, &context),
            "SetQueueAttributes" => self.run::<SetQueueAttributes>(body, &context),
            "StartMessageMoveTask" => {
                self.start_move(parse(body)?, context.now).map(|started| to_json(&started))
            }
            "TagQueue" => self.run::<TagQueue>(body, &context),
            "UntagQueue" => self.run::<UntagQueue>(body, &context),
            action => Err(Error::InvalidAction(action.to_owned())),
        }
    }

    fn run<A: Action>(&self, body: &[u8], context: &RequestContext) -> Result<Vec<u8>, Error> {
        let action: A = parse(body)?;
        Ok(to_json(&action.perform(&mut self.sqs.queues(), context)?))
    }

    async fn receive(&self, request: ReceiveMessage) -> Result<ReceivedMessages, Error> {
        let poll = request.poll(&self.sqs.queues())?;
        let deadline = Instant::now() + poll.wait;
        let mut stopping = self.stopping.clone();
        loop {
            let changes = self.sqs.queues().queue(&poll.queue)?.changes();
            // Listening starts before looking, so that nothing can happen in between unnoticed.
            let mut changed = pin!(changes.notified());
            changed.as_mut().enable();
            let now = Timestamp::now();
            let Poll { queue, most, visibility_timeout, .. } = &poll;
            let received = self.sqs.queues().receive(queue, *most, *visibility_timeout, now)?;
            if !received.messages.is_empty() {
                return Ok(poll.answer(received.messages));
            }
            if poll.wait.is_zero() {
                self.sqs.queues().check_in_flight(queue)?;
            }
            if Instant::now() >= deadline {
                return Ok(poll.answer(Vec::new()));
            }
            let due = received.next_due.map(|due| Instant::now() + due.since(now));
            tokio::select! {
                () = changed => {}
                () = sleep_until(due.map_or(deadline, |due| due.min(deadline))) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(poll.answer(Vec::new())),
            }
        }
    }

    fn start_move(
        &self,
        request: StartMessageMoveTask,
        now: Timestamp,
    ) -> Result<StartedMoveTask, Error> {
        let mut queues = self.sqs.queues();
        let task = request.start(&mut queues, now)?;
        tokio::spawn(self.clone().move_messages(task.id, task.messages_per_second));
        Ok(StartedMoveTask::from(task))
    }

    async fn move_messages(mut self, task: Uuid, per_second: Option<u32>) {
        let mut ticks = per_second.map(|rate| {
            let mut ticks = interval(Duration::from_secs(1) / rate);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            ticks
        });
        while !*self.stopping.borrow_and_update() {
            match &mut ticks {
                Some(ticks) => {
                    tokio::select! {
                        _ = ticks.tick() => {}
                        _ = self.stopping.wait_for(|stopping| *stopping) => return,
                    }
                }
                None => tokio::task::yield_now().await,
            }
            if !self.sqs.queues().move_next(task, Timestamp::now()) {
                return;
            }
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(Error::Serialization)
}

fn to_json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("an answer has string keys only")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    struct Running {
        sqs: Sqs,
        address: SocketAddr,
        shutdown: oneshot::Sender<()>,
        server: JoinHandle<io::Result<()>>,
    }

    async fn start() -> Running {
        let sqs = Sqs::memory();
        sqs.create_queue("q", BTreeMap::new()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stopped) = oneshot::channel();
        let stopped = async {
            stopped.await.ok();
        };
        let server = tokio::spawn(serve(listener, sqs.clone(), stopped));
        Running { sqs, address, shutdown, server }
    }

    struct Answer {
        head: String,
        body: Value,
    }

    async fn request(address: SocketAddr, target: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST /any/path HTTP/1.1\r\nhost: local.test:99\r\nx-amz-target: {target}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn answer_of(mut stream: TcpStream) -> Answer {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { head: head.to_lowercase(), body: serde_json::from_str(body).unwrap() }
    }

    async fn ask(address: SocketAddr, action: &str, body: Value) -> Answer {
        let target = format!("AmazonSQS.{action}");
        answer_of(request(address, &target, &body.to_string()).await).await
    }

    /// A long poll of the queue that is known to have begun.
    async fn long_poll(running: &Running) -> TcpStream {
        let changes = running.sqs.queues().queue("q").unwrap().changes();
        let waiting = std::sync::Arc::strong_count(&changes);
        let body = r#"{"QueueUrl":"q","WaitTimeSeconds":20}"#;
        let poll = request(running.address, "AmazonSQS.ReceiveMessage", body).await;
        until(|| std::sync::Arc::strong_count(&changes) > waiting).await;
        poll
    }

    async fn until(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline, "it does not come about");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn queue_urls_have_the_host_the_client_asked() {
        let running = start().await;
        let answer = ask(running.address, "CreateQueue", json!({"QueueName": "new"})).await;
        assert!(answer.head.starts_with("http/1.1 200"), "{}", answer.head);
        assert!(answer.head.contains("content-type: application/x-amz-json-1.0"));
        assert!(answer.head.contains("x-amzn-requestid: "));
        assert_eq!(answer.body, json!({"QueueUrl": "http://local.test:99/000000000000/new"}));
    }

    #[tokio::test]
    async fn an_error_has_its_name_in_both_protocols() {
        let running = start().await;
        let answer = ask(running.address, "PurgeQueue", json!({"QueueUrl": "http://x/0/no"})).await;
        assert!(answer.head.starts_with("http/1.1 400"), "{}", answer.head);
        let header = "x-amzn-query-error: aws.simplequeueservice.nonexistentqueue;sender";
        assert!(answer.head.contains(header), "{}", answer.head);
        assert_eq!(answer.body["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains("\"no\" does not exist"), "{message}");

        let missing = json!({"SourceArn": "arn:aws:sqs:us-east-1:000000000000:no"});
        let answer = ask(running.address, "ListMessageMoveTasks", missing).await;
        assert!(answer.head.starts_with("http/1.1 404"), "{}", answer.head);
    }

    #[tokio::test]
    async fn an_unknown_action_is_refused_by_its_name() {
        let running = start().await;
        for target in ["AmazonSQS.AddPermission", "DynamoDB_20120810.PutItem", ""] {
            let answer = answer_of(request(running.address, target, "{}").await).await;
            assert!(answer.head.starts_with("http/1.1 400"), "{}", answer.head);
            assert!(answer.head.contains("x-amzn-query-error: invalidaction;sender"));
            let name = target.strip_prefix("AmazonSQS.").unwrap_or(target);
            let message = answer.body["message"].as_str().unwrap();
            assert!(message.contains(&format!("{name:?}")), "{message}");
        }
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_read_or_is_incomplete_is_refused() {
        let running = start().await;
        for body in ["", "no", "[]", r#"{"QueueUrl":1}"#] {
            let answer =
                answer_of(request(running.address, "AmazonSQS.SendMessage", body).await).await;
            assert_eq!(answer.body["__type"], "com.amazonaws.sqs#SerializationException", "{body}");
        }
        for (action, body, parameter) in [
            ("SendMessage", json!({}), "QueueUrl"),
            ("SendMessage", json!({"QueueUrl": "q"}), "MessageBody"),
            ("CreateQueue", json!({}), "QueueName"),
            ("DeleteMessage", json!({"QueueUrl": "q"}), "ReceiptHandle"),
            ("StartMessageMoveTask", json!({}), "SourceArn"),
            ("CancelMessageMoveTask", json!({}), "TaskHandle"),
        ] {
            let answer = ask(running.address, action, body).await;
            assert!(
                answer.head.contains("x-amzn-query-error: missingparameter;sender"),
                "{action}"
            );
            let message = answer.body["message"].as_str().unwrap();
            assert!(message.ends_with(parameter), "{message}");
        }
    }

    #[tokio::test]
    async fn a_shutdown_ends_long_polls_at_once() {
        let running = start().await;
        let poll = long_poll(&running).await;
        let started = Instant::now();
        running.shutdown.send(()).unwrap();
        assert_eq!(answer_of(poll).await.body, json!({}));
        running.server.await.unwrap().unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_consumer_waiting_on_a_queue_is_told_that_it_was_deleted() {
        let running = start().await;
        let poll = long_poll(&running).await;
        ask(running.address, "DeleteQueue", json!({"QueueUrl": "q"})).await;
        assert_eq!(answer_of(poll).await.body["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    }

    #[tokio::test]
    async fn a_consumer_that_went_away_takes_no_message() {
        let running = start().await;
        let changes = running.sqs.queues().queue("q").unwrap().changes();
        let waiting = std::sync::Arc::strong_count(&changes);
        drop(long_poll(&running).await);
        until(|| std::sync::Arc::strong_count(&changes) == waiting).await;
        let message = json!({"QueueUrl": "q", "MessageBody": "x"});
        ask(running.address, "SendMessage", message).await;
        let received = ask(running.address, "ReceiveMessage", json!({"QueueUrl": "q"})).await;
        assert_eq!(received.body["Messages"][0]["Body"], "x");
    }
}
