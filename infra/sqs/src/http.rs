//! The edge: AWS JSON 1.0 over HTTP.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
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
    Action, Call, CancelMessageMoveTask, ChangeMessageVisibility, ChangeMessageVisibilityBatch,
    CreateQueue, DeleteMessage, DeleteMessageBatch, DeleteQueue, GetQueueAttributes, GetQueueUrl,
    ListDeadLetterSourceQueues, ListMessageMoveTasks, ListQueueTags, ListQueues, Poll, PurgeQueue,
    ReceiveMessage, ReceivedMessages, SendMessage, SendMessageBatch, SetQueueAttributes,
    StartMessageMoveTask, StartedMoveTask, TagQueue, UntagQueue,
};
use crate::error::Error;
use crate::timestamp::Timestamp;

/// Answers SQS requests on the listener until `shutdown` completes.
///
/// Requests that are being answered then are finished first. Consumers that wait for messages get
/// an empty answer at once, and message move tasks stop where they are.
///
/// # Errors
///
/// When the listener fails.
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
    let (status, extra, json) = match server.perform(&headers, &body).await {
        Ok(json) => (StatusCode::OK, None, json),
        Err(error) => refusal(&error),
    };
    let mut response = (status, json).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(JSON));
    if let Ok(id) = Uuid::new_v4().to_string().parse() {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(query_error) = extra.and_then(|error| error.parse().ok()) {
        headers.insert("x-amzn-query-error", query_error);
    }
    response
}

const JSON: &str = "application/x-amz-json-1.0";

/// The status, the code by which SDKs choose the exception, and the document.
fn refusal(error: &Error) -> (StatusCode, Option<String>, Vec<u8>) {
    #[derive(Serialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        shape: String,
        message: String,
    }

    let wire = error.wire();
    let fault = if wire.is_sender_fault() { "Sender" } else { "Receiver" };
    let refusal =
        Refusal { shape: format!("com.amazonaws.sqs#{}", wire.shape), message: error.to_string() };
    (
        StatusCode::from_u16(wire.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        Some(format!("{};{fault}", wire.query_code)),
        to_json(&refusal),
    )
}

impl Server {
    async fn perform(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Error> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let target = text("x-amz-target");
        let call = Call { host: text(header::HOST.as_str()).to_owned(), now: Timestamp::now() };
        let action = target.strip_prefix("AmazonSQS.");
        match action.ok_or_else(|| Error::InvalidAction(target.to_owned()))? {
            "CancelMessageMoveTask" => self.run::<CancelMessageMoveTask>(body, &call),
            "ChangeMessageVisibility" => self.run::<ChangeMessageVisibility>(body, &call),
            "ChangeMessageVisibilityBatch" => self.run::<ChangeMessageVisibilityBatch>(body, &call),
            "CreateQueue" => self.run::<CreateQueue>(body, &call),
            "DeleteMessage" => self.run::<DeleteMessage>(body, &call),
            "DeleteMessageBatch" => self.run::<DeleteMessageBatch>(body, &call),
            "DeleteQueue" => self.run::<DeleteQueue>(body, &call),
            "GetQueueAttributes" => self.run::<GetQueueAttributes>(body, &call),
            "GetQueueUrl" => self.run::<GetQueueUrl>(body, &call),
            "ListDeadLetterSourceQueues" => self.run::<ListDeadLetterSourceQueues>(body, &call),
            "ListMessageMoveTasks" => self.run::<ListMessageMoveTasks>(body, &call),
            "ListQueueTags" => self.run::<ListQueueTags>(body, &call),
            "ListQueues" => self.run::<ListQueues>(body, &call),
            "PurgeQueue" => self.run::<PurgeQueue>(body, &call),
            "ReceiveMessage" => self.receive(parse(body)?).await.map(|found| to_json(&found)),
            "SendMessage" => self.run::<SendMessage>(body, &call),
            "SendMessageBatch" => self.run::<SendMessageBatch>(body, &call),
            "SetQueueAttributes" => self.run::<SetQueueAttributes>(body, &call),
            "StartMessageMoveTask" => {
                self.start_move(parse(body)?, call.now).map(|started| to_json(&started))
            }
            "TagQueue" => self.run::<TagQueue>(body, &call),
            "UntagQueue" => self.run::<UntagQueue>(body, &call),
            action => Err(Error::InvalidAction(action.to_owned())),
        }
    }

    fn run<A: Action>(&self, body: &[u8], call: &Call) -> Result<Vec<u8>, Error> {
        let action: A = parse(body)?;
        Ok(to_json(&action.perform(&mut self.sqs.queues(), call)?))
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
