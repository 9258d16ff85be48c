//! The journeys of a stack, joined from its requests and its log lines.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlassian_connect::delivery::Sender;
use atlassian_connect::event::{self, EventName, FromPayload as _, Product};
use atlassian_connect::payload::Payload;
use atlassian_forge::event::Body;
use contract::metric::LOG_GROUP;
use contract::variable;
use jiff::Timestamp;
use sam_template_runner::deployment::Deployment;
use sam_template_runner::{Exchange, LogLine};
use serde_json::{Map, Value};
use signed_webhooks::NamedBy;
use tokio::sync::broadcast;

use crate::declared::Declared;
use crate::journey::{Attempt, Journey, Kind, Line, Outcome, Reading, Verdict};
use crate::sent::Sent;

/// The journeys of a stack. A clone is the same list.
///
/// The last thousand are kept.
#[derive(Clone, Debug)]
pub struct Journeys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    declared: Declared,
    handlers: Handlers,
    base_path: String,
    state: Mutex<State>,
    changes: broadcast::Sender<Arc<Journey>>,
}

#[derive(Debug, Default)]
struct State {
    requests: u64,
    /// In the order of their requests.
    order: VecDeque<String>,
    journeys: HashMap<String, Arc<Journey>>,
    /// The delivery of each message.
    messages: HashMap<String, String>,
    /// Lines about a request that was not answered yet.
    early: HashMap<String, Vec<EarlyLine>>,
}

/// The function of a line, and its fields.
type EarlyLine = (String, Map<String, Value>);

/// The queue and the handler behind each receiver, by its logical id.
#[derive(Clone, Debug, Default)]
pub struct Handlers(BTreeMap<String, (String, String)>);

impl Handlers {
    /// Follows each receiver's queue to the function that is invoked from it.
    pub fn of(deployment: &Deployment) -> Self {
        let queue_of = |url: &String| {
            deployment.queues.iter().find(|(_, queue)| queue.url == *url).map(|(id, _)| id)
        };
        let behind = deployment.functions.iter().filter_map(|(receiver, function)| {
            let queue = queue_of(function.environment.get(variable::QUEUE_URL)?)?;
            let source = deployment.event_sources.iter().find(|source| source.queue == *queue)?;
            let name = deployment.queues[queue].name.clone();
            (source.function != *receiver)
                .then(|| (receiver.clone(), (name, source.function.clone())))
        });
        Self(behind.collect())
    }
}

impl Journeys {
    /// No journeys yet, of an app that declares this and whose base URL has this path.
    pub fn new(declared: impl Into<Declared>, handlers: Handlers, base_path: &str) -> Self {
        let (changes, _) = broadcast::channel(CHANGES);
        let base_path = base_path.to_owned();
        let state = Mutex::default();
        Self {
            inner: Arc::new(Inner {
                declared: declared.into(),
                handlers,
                base_path,
                state,
                changes,
            }),
        }
    }

    /// Takes up a request and its answer.
    pub fn exchange(&self, exchange: &Exchange) {
        let mut state = self.state();
        state.requests += 1;
        let journey = self.begin(exchange, state.requests);
        let id = journey.id.clone();
        let early = state.early.remove(&id).unwrap_or_default();
        state.order.push_back(id.clone());
        let mut journey = journey;
        for (function, fields) in early {
            self.read(&mut journey, &function, fields);
        }
        if let Some(message) = &journey.message {
            state.messages.insert(message.clone(), id.clone());
        }
        self.keep(&mut state, journey);
        if state.order.len() > KEPT
            && let Some(oldest) = state.order.pop_front()
        {
            state.messages.retain(|_, delivery| *delivery != oldest);
            state.journeys.remove(&oldest);
        }
    }

    /// Takes up a log line, and returns whether it belongs to a journey.
    pub fn line(&self, line: &LogLine) -> bool {
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(&line.text) else {
            return false;
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let span = fields.get("span").and_then(|span| span["delivery.id"].as_str());
        let mut state = self.state();
        let message = text("message.id").and_then(|message| state.messages.get(message).cloned());
        let id = text("delivery.id").or(text("request.id")).or(span).map(str::to_owned);
        let Some(id) = id.or(message) else { return false };
        let Some(journey) = state.journeys.get(&id) else {
            if state.early.len() < KEPT {
                state.early.entry(id).or_default().push((line.function.to_string(), fields));
            }
            return true;
        };
        let mut journey = Journey::clone(journey);
        self.read(&mut journey, &line.function, fields);
        if let Some(message) = &journey.message {
            state.messages.insert(message.clone(), id);
        }
        self.keep(&mut state, journey);
        true
    }

    /// The journeys that are kept, oldest first.
    pub fn all(&self) -> Vec<Arc<Journey>> {
        let state = self.state();
        state.order.iter().filter_map(|id| state.journeys.get(id).cloned()).collect()
    }

    /// The journey with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Journey>> {
        self.state().journeys.get(id).cloned()
    }

    /// Subscribes to new and changed journeys.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Journey>> {
        self.inner.changes.subscribe()
    }

    /// Follows a stack until it ends.
    pub async fn follow(
        &self,
        mut exchanges: broadcast::Receiver<Arc<Exchange>>,
        mut lines: broadcast::Receiver<LogLine>,
    ) {
        use broadcast::error::RecvError::{Closed, Lagged};
        loop {
            tokio::select! {
                exchange = exchanges.recv() => match exchange {
                    Ok(exchange) => self.exchange(&exchange),
                    Err(Lagged(_)) => {}
                    Err(Closed) => return,
                },
                line = lines.recv() => match line {
                    Ok(line) => {
                        self.line(&line);
                    }
                    Err(Lagged(_)) => {}
                    Err(Closed) => return,
                },
            }
        }
    }

    fn begin(&self, exchange: &Exchange, number: u64) -> Journey {
        let declared = &self.inner.declared;
        let sent = Sent::of(exchange, &self.inner.base_path);
        let webhooks: Vec<_> =
            declared.webhooks().iter().filter(|hook| hook.path() == sent.path).collect();
        let endpoint = declared.endpoints().find(|(_, path, _)| *path == sent.path);
        let mut callbacks = declared.descriptor.iter().flat_map(|one| one.lifecycle.callbacks());
        let is_callback = callbacks.any(|(_, url)| path(url) == sent.path);
        // A path that is declared as it is goes before one with a tenant, as in API Gateway.
        let is_post = sent.method == "POST";
        let signed = declared.signed_at(&sent.path).filter(|_| is_post);
        let (kind, sender) = match (webhooks.as_slice(), &endpoint, is_callback) {
            ([], None, true) => (Kind::Lifecycle, Some(Sender::Connect)),
            ([], None, false) if signed.is_some() => (Kind::Webhook, Some(Sender::Signed)),
            ([], None, false) => (Kind::Other, None),
            ([], Some(_), _) => (Kind::Webhook, Some(Sender::Forge)),
            _ => (Kind::Webhook, Some(Sender::Connect)),
        };
        let body = serde_json::from_str::<Value>(&sent.body).unwrap_or_default();
        let named =
            ["webhookEvent", "eventType", "event"].iter().find_map(|key| body[key].as_str());
        let first = webhooks.first().map(|webhook| webhook.event.as_str());
        let is_declared = |name: &&str| webhooks.iter().any(|hook| hook.event.as_str() == *name);
        let event = match (kind, &endpoint) {
            (Kind::Webhook, Some((_, _, events))) => {
                let body = Body::read(&sent.body);
                let of_endpoint = |name: &&&str| body.name().is_none_or(|named| named == **name);
                events.iter().find(of_endpoint).copied()
            }
            (Kind::Webhook, None) if sender == Some(Sender::Signed) => {
                match signed.map(|(signed, _)| signed.kind.spec().event) {
                    Some(NamedBy::Header(name)) => sent.header(name),
                    _ => named,
                }
            }
            (Kind::Webhook, None) => named.filter(is_declared).or(first),
            (Kind::Lifecycle, _) => named,
            (Kind::Other, _) => None,
        };
        let function = exchange.invocation.as_ref().map(|invoked| invoked.function.clone());
        let behind = function.as_ref().and_then(|function| self.inner.handlers.0.get(function));
        let is_success = exchange.status.is_success();
        let id = exchange.invocation.as_ref().map(|invoked| invoked.request_id.clone());
        Journey {
            id: id.unwrap_or_else(|| format!("request-{number}")),
            request: exchange.request_id.clone(),
            number,
            kind,
            received_at: exchange.received_at,
            event: event.map(str::to_owned),
            tenant: match (sender, signed) {
                (Some(Sender::Signed), Some((_, tenant))) => Some(tenant),
                _ => sent.token.as_ref().and_then(|token| token.tenant()),
            }
            .map(str::to_owned),
            product: None,
            sender: sender.map(|sender| sender.as_str().to_owned()),
            status: exchange.status.as_u16(),
            answered_ms: u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
            verdict: match (kind, is_success) {
                (Kind::Webhook | Kind::Lifecycle, true) => Verdict::Verified,
                _ => Verdict::NotChecked,
            },
            reason: None,
            detail: None,
            reading: None,
            queue: behind.map(|(queue, _)| queue.clone()).filter(|_| is_success),
            message: None,
            handler: behind.map(|(_, handler)| handler.clone()).filter(|_| is_success),
            function,
            attempts: Vec::new(),
            outcome: match (kind, is_success) {
                (Kind::Webhook, true) => Outcome::Queued,
                (_, true) => Outcome::Answered,
                (_, false) => Outcome::Rejected,
            },
            ended_ms: None,
            lines: Vec::new(),
            sent,
        }
    }

    fn read(&self, journey: &mut Journey, function: &str, mut fields: Map<String, Value>) {
        let message = word(fields.remove("message"));
        without_metric(&mut fields);
        let timestamp = word(fields.remove("timestamp")).parse::<Timestamp>();
        let at = timestamp.unwrap_or_else(|_| Timestamp::now()) - journey.received_at;
        let at_ms = u64::try_from(at.total(jiff::Unit::Millisecond).unwrap_or_default() as i64)
            .unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let attempt = |error| Attempt {
            number: fields.get("message.attempts").and_then(Value::as_u64).unwrap_or_default(),
            ended_ms: at_ms,
            error,
            retry_seconds: fields.get("retry.seconds").and_then(Value::as_u64),
        };
        match message.as_str() {
            "delivery queued" => {
                journey.event = text("delivery.event").or(journey.event.take());
                journey.tenant = text("tenant.key").or(journey.tenant.take());
                journey.product = text("tenant.product");
                journey.sender = text("sender").or(journey.sender.take());
                journey.message = text("message.id");
                journey.reading = reading(journey);
            }
            "request rejected" | "request failed" => {
                journey.reason = text("reason");
                journey.detail = text("detail");
                let reason = journey.reason.as_deref().unwrap_or_default();
                journey.verdict = match reason {
                    reason if AFTER_VERIFICATION.contains(&reason) => Verdict::Verified,
                    reason if BEFORE_VERIFICATION.contains(&reason) => Verdict::NotChecked,
                    _ => Verdict::NotTrusted,
                };
            }
            "delivery handled" => {
                journey.end(at_ms, Outcome::Handled);
                journey.attempts.push(attempt(None));
            }
            // A copy of what was handled changes nothing.
            "duplicate delivery skipped" if journey.outcome != Outcome::Handled => {
                journey.end(at_ms, Outcome::Duplicate);
            }
            "delivery failed" => {
                journey.end(at_ms, Outcome::Retrying);
                journey.attempts.push(attempt(text("error")));
            }
            "delivery dead-lettered" => {
                journey.end(at_ms, Outcome::DeadLettered);
                journey.detail = text("error");
                journey.attempts.push(attempt(text("error")));
            }
            _ => {}
        }
        let level = word(fields.remove("level"));
        fields.remove("span");
        let fields =
            fields.into_iter().map(|(name, value)| format!("{name}={}", word(Some(value))));
        let fields = fields.collect();
        journey.lines.push(Line { at_ms, function: function.to_owned(), level, message, fields });
    }

    fn keep(&self, state: &mut State, journey: Journey) {
        let journey = Arc::new(journey);
        state.journeys.insert(journey.id.clone(), Arc::clone(&journey));
        // It only fails when nobody looks.
        let _ = self.inner.changes.send(journey);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many journeys are kept.
const KEPT: usize = 1000;

/// How many changes a slow subscriber can be behind.
const CHANGES: usize = 4096;

/// Reasons of requests whose token was trusted.
const AFTER_VERIFICATION: [&str; 9] = [
    "not_text",
    "not_json",
    "undeclared_event",
    "empty_body",
    "ambiguous_event",
    "other_product",
    "too_large",
    "queue_unavailable",
    "not_forwarded",
];

/// Reasons of requests whose token could not be judged.
const BEFORE_VERIFICATION: [&str; 5] = [
    "not_an_event",
    "unknown_path",
    "tenants_unavailable",
    "keys_unavailable",
    "key_set_unavailable",
];

fn path(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// How the body of a queued delivery reads as the payload type of its event, with its fields.
fn reading(journey: &Journey) -> Option<Reading> {
    let product: Product = serde_json::from_value(journey.product.clone()?.into()).ok()?;
    let event = EventName::from(journey.event.as_deref()?);
    if journey.sender.as_deref() == Some(Sender::Forge.as_str()) {
        let body = Body::read(&journey.sent.body);
        let payload = Payload::from_body(body.event().to_owned()).ok()?;
        return Some(Reading::new(&atlassian_forge::event::reading(product, &event, &payload)));
    }
    let payload = Payload::from_body(journey.sent.body.clone()).ok()?;
    let reading = event::Reading::of(product, &event, &payload);
    let typed = event::Event::from_payload(product, &event, &payload, &mut reading.clone()).ok();
    Some(Reading { typed: typed.map(|typed| format!("{typed:#?}")), ..Reading::new(&reading) })
}

fn word(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
/// Removes what a line of log has for CloudWatch alone: its metric.
pub fn without_metric(fields: &mut Map<String, Value>) {
    fields.remove("_aws");
    fields.remove(LOG_GROUP);
    if let Some(Value::String(metric)) = fields.remove("metric") {
        fields.remove(&metric);
    }
}
