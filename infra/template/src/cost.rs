//! What an app costs: `cargo hooks cost`.
//!
//! [`Bill::of`] reads the resources that a template deploys, and multiplies what a workload makes of
//! them by AWS's list prices. Prices and assumptions are data, in `cost/us-east-1.yaml`; only the
//! formulas are here.
//!
//! Events are assumed to come evenly over time, from all tenants and to all URLs alike. That is the
//! dearest case: groups of events fill batches and find their tenant in a cache. Not counted are
//! refused requests, attempts after the first, cold starts, and what a handler does itself.

mod rates;
mod table;

pub use rates::{Assumption, Assumptions, Basis, Price, Prices, Rates};

use std::collections::BTreeSet;

use contract::{metric, variable};
use sam_template::resource_type::{ALARM, BUCKET, HTTP_API, KEY, METRIC_FILTER};
use serde::Serialize;
use serde_json::Value;

use crate::resources::{Function, Resource, Resources};

/// The version of the JSON form of [`Bill`], as [`crate::resources::SCHEMA`] is of the plan.
pub const SCHEMA: u32 = 1;

/// What an app receives in a month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// The number of events.
    pub events: f64,
    /// The number of tenants that they come from.
    pub tenants: f64,
    /// The number of URLs that they go to, each with a handler as in the template. `None` for those of
    /// the template.
    pub urls: Option<u32>,
    /// The size of a body, in KB.
    pub size: f64,
    /// The idempotency mode of the handlers.
    pub idempotency: Idempotency,
}

impl Default for Workload {
    /// A million events of 10 KB from a hundred tenants, each handled once.
    fn default() -> Self {
        let idempotency = Idempotency::Run;
        Self { events: 1e6, tenants: 100.0, urls: None, size: 10.0, idempotency }
    }
}

/// The idempotency mode of handlers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Idempotency {
    /// `atlassian_hooks::run`.
    Run,
    /// `Runner::claim_once`.
    ClaimOnce,
    /// `Runner::deduplicate`.
    Deduplicate,
    /// `Runner::every_time`.
    EveryTime,
}

/// What an app costs in a month.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The region whose prices these are.
    pub region: String,
    /// What is paid for.
    pub workload: Workload,
    /// The components.
    pub lines: Vec<Line>,
    /// Their sums.
    pub totals: Totals,
    /// The prices and assumptions.
    pub rates: Rates,
}

/// A component of the bill.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What it is.
    pub component: &'static str,
    /// Whether it grows with the events, or is there without any.
    pub occurs: Occurs,
    /// The quantity of a month.
    pub quantity: f64,
    /// The price.
    pub price: Price,
    /// US dollars a month.
    pub month: f64,
    /// US dollars for a million events.
    pub million: f64,
}

/// When a component is charged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Occurs {
    /// When events arrive.
    Usage,
    /// Always.
    Idle,
}

/// Sums, in US dollars.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// What events cost in a month.
    pub usage: f64,
    /// What a million events cost.
    pub usage_million: f64,
    /// What a million events cost without API Gateway.
    pub without_api_million: f64,
    /// What the stack costs in a month without events.
    pub idle: f64,
    /// Both, in a month.
    pub month: f64,
}

/// Why no bill can be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CostError {
    /// The template has nothing that receives events.
    #[error(
        "the template has no receiver, so no events arrive; declare an event, and run \
         `cargo hooks template`"
    )]
    NoReceiver,
    /// The workload cannot be.
    #[error("the number of {0} must be more than 0")]
    Nothing(&'static str),
    /// The bodies are too long for the template.
    #[error(
        "bodies of {0} KB exceed a message even when compressed; set `template: {{ bodies: true }}` in \
         infra/atlassian-hooks.yaml, or choose a smaller --size"
    )]
    TooLarge(u64),
    /// The bodies are too long for Lambda.
    #[error(
        "bodies of {0} KB exceed what Lambda takes in a request, 6000 KB; choose a smaller --size"
    )]
    BeyondLambda(u64),
}

impl Bill {
    /// The bill for a workload.
    ///
    /// # Errors
    ///
    /// Fails if the template has no receiver, or the workload cannot be.
    pub fn of(
        resources: &Resources,
        workload: &Workload,
        rates: &Rates,
    ) -> Result<Self, CostError> {
        for (what, number) in [
            ("events", workload.events),
            ("tenants", workload.tenants),
            ("URLs", f64::from(workload.urls.unwrap_or(1))),
            ("KB", workload.size),
        ] {
            // Not a number is not more than 0 either.
            if !(number > 0.0 && number.is_finite()) {
                return Err(CostError::Nothing(what));
            }
        }
        let stack = Stack::of(resources, workload)?;
        let message = Message::of(&stack, workload, &rates.assumptions)?;
        let mut sheet = Sheet { lines: Vec::new(), events: workload.events };
        let model = Model { stack, message, workload, rates };
        model.requests(&mut sheet);
        model.queues(&mut sheet);
        model.tables(&mut sheet);
        model.observability(&mut sheet);
        model.fixed(&mut sheet);
        let Sheet { lines, .. } = sheet;
        let totals = Totals::of(&lines, workload.events);
        Ok(Self {
            schema: SCHEMA,
            region: rates.region.clone(),
            workload: *workload,
            lines,
            totals,
            rates: rates.clone(),
        })
    }
}

/// The component whose price is that of API Gateway.
const API: &str = "API Gateway";

impl Totals {
    fn of(lines: &[Line], events: f64) -> Self {
        let sum = |occurs, without: Option<&str>| -> f64 {
            let lines = lines.iter().filter(|line| line.occurs == occurs);
            let lines = lines.filter(|line| Some(line.component) != without);
            lines.map(|line| line.month).sum()
        };
        let usage = sum(Occurs::Usage, None);
        let idle = sum(Occurs::Idle, None);
        let millions = events / 1e6;
        Self {
            usage,
            usage_million: usage / millions,
            without_api_million: sum(Occurs::Usage, Some(API)) / millions,
            idle,
            month: usage + idle,
        }
    }
}

/// The lines so far.
struct Sheet {
    lines: Vec<Line>,
    events: f64,
}

impl Sheet {
    fn usage(&mut self, component: &'static str, quantity: f64, price: &Price) {
        self.add(component, Occurs::Usage, quantity, price);
    }

    fn idle(&mut self, component: &'static str, quantity: f64, price: &Price) {
        self.add(component, Occurs::Idle, quantity, price);
    }

    fn add(&mut self, component: &'static str, occurs: Occurs, quantity: f64, price: &Price) {
        // The sum of nothing is -0.
        let quantity = quantity + 0.0;
        let month = quantity * price.usd / price.per;
        let million = month * 1e6 / self.events;
        let price = price.clone();
        self.lines.push(Line { component, occurs, quantity, price, month, million });
    }
}

/// What of a stack matters for its bill.
struct Stack<'r> {
    resources: &'r Resources,
    receivers: Vec<Receiver<'r>>,
    handlers: Vec<Handler<'r>>,
    /// How often each URL of the template is there.
    copies: f64,
}

struct Receiver<'r> {
    function: &'r Function,
    /// Its events in a month.
    events: f64,
}

impl Receiver<'_> {
    /// Whether it reads tenants. One of Forge events does not.
    fn reads_tenants(&self) -> bool {
        self.function.variables.contains_key(variable::TENANTS_TABLE)
    }
}

struct Handler<'r> {
    function: &'r Function,
    events: f64,
    batch_size: f64,
    batch_window: f64,
    /// How many batches it takes at the same time.
    concurrency: Option<f64>,
}

impl<'r> Stack<'r> {
    fn of(resources: &'r Resources, workload: &Workload) -> Result<Self, CostError> {
        let is_receiver = |function: &&Function| {
            let has = |name| function.variables.contains_key(name);
            has(variable::WEBHOOKS) || has(variable::ENDPOINT)
        };
        let receivers: Vec<&Function> = resources.functions.iter().filter(is_receiver).collect();
        if receivers.is_empty() {
            return Err(CostError::NoReceiver);
        }
        let urls = workload.urls.map_or(receivers.len() as f64, f64::from);
        let copies = urls / receivers.len() as f64;
        let events = workload.events / urls;
        let sent_to = |queue: &str| {
            let of = |receiver: &&&Function| {
                let url = receiver.variables.get(variable::QUEUE_URL).and_then(Value::as_str);
                url == Some(format!("${{{queue}}}").as_str())
            };
            receivers.iter().filter(of).count() as f64
        };
        let handlers = resources.functions.iter().filter_map(|function| {
            let source = function.event_sources.first()?;
            Some(Handler {
                function,
                events: events * sent_to(source.queue.as_deref()?),
                batch_size: source.batch_size as f64,
                batch_window: source.batch_window as f64,
                concurrency: source.maximum_concurrency.map(|most| most as f64),
            })
        });
        let handlers = handlers.collect();
        let receivers =
            receivers.into_iter().map(|function| Receiver { function, events }).collect();
        Ok(Self { resources, receivers, handlers, copies })
    }

    fn all(&self) -> impl Iterator<Item = &'r Resource> {
        let Resources { queues, tables, others, .. } = self.resources;
        queues.iter().chain(tables).chain(others)
    }

    fn count(&self, kind: &str) -> f64 {
        self.all().filter(|resource| resource.kind == kind).count() as f64
    }

    fn has(&self, kind: &str) -> bool {
        self.all().any(|resource| resource.kind == kind)
    }

    /// Whether secrets are encrypted, with a key that the stack makes or has taken over.
    fn encrypts(&self) -> bool {
        let mut receivers = self.receivers.iter();
        receivers.any(|receiver| receiver.function.variables.contains_key(variable::TENANTS_KEY))
    }

    fn parameter(&self, name: &str) -> Option<f64> {
        let value = self.resources.parameters.get(name)?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    }
}

/// What is on the queue for an event.
struct Message {
    /// Its size in KB.
    size: f64,
    /// The size of the object that it refers to, in KB.
    stored: Option<f64>,
}

impl Message {
    fn of(
        stack: &Stack<'_>,
        workload: &Workload,
        assumptions: &Assumptions,
    ) -> Result<Self, CostError> {
        let Assumptions { envelope_bytes, message_limit_kb, compression, .. } = assumptions;
        let whole = workload.size.ceil() as u64;
        if workload.size > LAMBDA_KB {
            return Err(CostError::BeyondLambda(whole));
        }
        let envelope = envelope_bytes.value / 1024.0;
        let plain = workload.size + envelope;
        let packed = plain * compression.value;
        if plain <= message_limit_kb.value {
            Ok(Self { size: plain, stored: None })
        } else if packed <= message_limit_kb.value {
            Ok(Self { size: packed, stored: None })
        } else if stack.has(BUCKET) {
            Ok(Self { size: envelope, stored: Some(plain) })
        } else {
            Err(CostError::TooLarge(whole))
        }
    }
}

/// The formulas.
struct Model<'a> {
    stack: Stack<'a>,
    message: Message,
    workload: &'a Workload,
    rates: &'a Rates,
}

/// How often a receiver has to ask for what it has cached, as a share of its events.
struct Misses {
    tenants: f64,
    data_keys: f64,
}

/// How a handler's queue is read.
struct Reading {
    /// The receives of a month that find messages, in requests of 64 KB.
    receives: f64,
    /// All receives of a month, without those that an idle queue has as well.
    further_receives: f64,
    deletes: f64,
    /// The invocations of a month.
    batches: f64,
}

impl Model<'_> {
    fn month_s(&self) -> f64 {
        self.rates.assumptions.month_hours.value * 3600.0
    }

    /// API, invocations, durations, egress.
    fn requests(&self, sheet: &mut Sheet) {
        let Rates { prices, assumptions: a, .. } = self.rates;
        let events = self.workload.events;
        let requests = events * units(self.workload.size, API_KB);
        sheet.usage(API, requests, &prices.http_api_requests);
        let copies = self.stack.copies;
        let batches: f64 =
            self.stack.handlers.iter().map(|handler| self.reading(handler).batches * copies).sum();
        sheet.usage("Lambda, receivers' requests", events, &prices.lambda_requests);
        sheet.usage("Lambda, handlers' requests", batches, &prices.lambda_requests);
        let receivers = self.stack.receivers.iter().map(|receiver| {
            let misses = self.misses(receiver);
            let ms = a.receiver_ms.value
                + misses.tenants * a.tenant_read_ms.value
                + misses.data_keys * a.decrypt_ms.value;
            (receiver.function, receiver.events * ms)
        });
        self.duration(sheet, "Lambda, receivers' duration", receivers);
        let handlers = self.stack.handlers.iter().map(|handler| {
            let writes = self.rounds(handler) * a.write_ms.value;
            let batches = self.reading(handler).batches * a.batch_ms.value;
            (handler.function, handler.events * a.handler_ms.value + writes + batches)
        });
        self.duration(sheet, "Lambda, handlers' duration", handlers);
        let egress = events * a.response_bytes.value / GB;
        sheet.usage("Egress", egress, &prices.egress);
        if let Some(stored) = self.message.stored {
            sheet.usage("S3, bodies written", events, &prices.s3_puts);
            sheet.usage("S3, bodies read", events, &prices.s3_gets);
            let months = BODIES_DAYS * 24.0 / a.month_hours.value;
            let kept = events * stored * 1024.0 / GB * months;
            sheet.usage("S3, bodies kept", kept, &prices.s3_storage);
        }
    }

    /// A line of GB-seconds for functions with the milliseconds of a month. If they have different
    /// processors, it is priced as the first of them.
    fn duration<'f>(
        &self,
        sheet: &mut Sheet,
        component: &'static str,
        functions: impl Iterator<Item = (&'f Function, f64)>,
    ) {
        let prices = &self.rates.prices;
        let mut seconds = 0.0;
        let mut price = &prices.lambda_arm64;
        for (function, ms) in functions {
            if function.architecture == "x86_64" {
                price = &prices.lambda_x86_64;
            }
            seconds += ms / 1000.0 * function.memory as f64 / 1024.0 * self.stack.copies;
        }
        sheet.usage(component, seconds, price);
    }

    /// The share of a receiver's events that find no cached tenant, and no decrypted data key.
    ///
    /// Each environment has its own cache. A tenant is read by its first event, and used for the
    /// lifetime of the entry, in which further events come. A data key is decrypted for all tenants.
    fn misses(&self, receiver: &Receiver<'_>) -> Misses {
        if !receiver.reads_tenants() {
            return Misses { tenants: 0.0, data_keys: 0.0 };
        }
        let a = &self.rates.assumptions;
        let rate = receiver.events / self.month_s();
        let environments = 1.0 + a.spare_environments.value + rate * a.receiver_ms.value / 1000.0;
        let of_environment = rate / environments;
        let of_tenant = of_environment / self.workload.tenants;
        let misses = |rate: f64, lifetime: f64| 1.0 / (1.0 + rate * lifetime);
        let lives = a.environment_s.value;
        Misses {
            tenants: misses(of_tenant, a.tenant_lifetime_s.value.min(lives)),
            data_keys: misses(of_environment, a.data_key_lifetime_s.value.min(lives)),
        }
    }

    /// How Lambda reads a handler's queue: with a few pollers, each of which waits for a message,
    /// takes what is there, and collects more only if there is a batching window.
    fn reading(&self, handler: &Handler<'_>) -> Reading {
        let a = &self.rates.assumptions;
        let rate = handler.events / self.month_s();
        let pollers = self.pollers(handler);
        // While a poller waits for its batch, messages come.
        let work = (a.receive_ms.value + a.batch_ms.value + a.handler_ms.value) / 1000.0;
        let of_poller = rate / pollers;
        let at_most = handler.batch_size.min(a.largest_receive.value);
        let received = (1.0 + of_poller * work).min(at_most);
        let batch = (received + of_poller * handler.batch_window).min(handler.batch_size);
        let found = handler.events / received;
        // A poller that waits at most so long for messages that come at random.
        let finds = of_poller / received;
        let idle = self.idle_receives(handler);
        let all = if finds > 0.0 {
            pollers * finds / (1.0 - (-finds * a.long_poll_s.value).exp()) * self.month_s()
        } else {
            idle
        };
        let size = units(self.message.size * received, SQS_KB);
        Reading {
            receives: found * size,
            further_receives: all - idle + found * (size - 1.0),
            deletes: handler.events / batch.min(a.largest_receive.value),
            batches: handler.events / batch,
        }
    }

    fn pollers(&self, handler: &Handler<'_>) -> f64 {
        let most = self.rates.assumptions.pollers.value;
        handler.concurrency.map_or(most, |concurrency| concurrency.min(most))
    }

    fn idle_receives(&self, handler: &Handler<'_>) -> f64 {
        self.pollers(handler) / self.rates.assumptions.long_poll_s.value * self.month_s()
    }

    fn queues(&self, sheet: &mut Sheet) {
        let prices = &self.rates.prices;
        let sends = self.workload.events * units(self.message.size, SQS_KB);
        let mut receives = 0.0;
        let mut further = 0.0;
        let mut deletes = 0.0;
        for handler in &self.stack.handlers {
            let reading = self.reading(handler);
            receives += reading.receives * self.stack.copies;
            further += reading.further_receives * self.stack.copies;
            deletes += reading.deletes * self.stack.copies;
        }
        sheet.usage("SQS, sends", sends, &prices.sqs_requests);
        sheet.usage("SQS, receives beyond idle polling", further, &prices.sqs_requests);
        sheet.usage("SQS, deletes", deletes, &prices.sqs_requests);
        sheet.usage("SQS, fair queues", sends + receives, &prices.sqs_fair_requests);
    }

    /// The writes of the idempotency table in a month.
    fn writes(&self, handler: &Handler<'_>) -> f64 {
        let events = handler.events;
        match self.workload.idempotency {
            Idempotency::Run | Idempotency::ClaimOnce => 2.0 * events,
            // The last event of a batch needs no second one.
            Idempotency::Deduplicate => 2.0 * events - self.reading(handler).batches,
            Idempotency::EveryTime => 0.0,
        }
    }

    /// The round trips to the idempotency table in a month, one after the other: an event is completed
    /// while the next of its batch is claimed.
    fn rounds(&self, handler: &Handler<'_>) -> f64 {
        let events = handler.events;
        match self.workload.idempotency {
            Idempotency::Run | Idempotency::ClaimOnce => events + self.reading(handler).batches,
            Idempotency::Deduplicate => events,
            Idempotency::EveryTime => 0.0,
        }
    }

    /// The tables and the key of the secrets.
    fn tables(&self, sheet: &mut Sheet) {
        let Rates { prices, assumptions: a, .. } = self.rates;
        let misses = self.stack.receivers.iter().map(|receiver| {
            let Misses { tenants, data_keys } = self.misses(receiver);
            let events = receiver.events * self.stack.copies;
            (events * tenants, events * data_keys)
        });
        let (reads, decrypts) = misses
            .fold((0.0, 0.0), |(reads, all), (tenants, secrets)| (reads + tenants, all + secrets));
        sheet.usage("DynamoDB, reads of tenants", reads, &prices.dynamodb_reads);
        let decrypts = if self.stack.encrypts() { decrypts } else { 0.0 };
        sheet.usage("KMS, data keys decrypted", decrypts, &prices.kms_requests);
        let tables = self.stack.resources.tables.iter();
        let sealed = tables.filter(|table| {
            table.properties.get("SSESpecification").is_some_and(|sse| sse["SSEEnabled"] == true)
        });
        // Of the tenants' table those are receivers, of the idempotency table handlers.
        let readers = self.stack.receivers.iter().filter(|one| one.reads_tenants()).count();
        let roles = readers as f64 * self.stack.copies;
        let asked =
            sealed.count() as f64 * roles * a.table_key_requests.value * a.month_hours.value;
        sheet.usage("KMS, keys of tables", asked, &prices.kms_requests);
        let copies = self.stack.copies;
        let writes: f64 =
            self.stack.handlers.iter().map(|handler| self.writes(handler) * copies).sum();
        sheet.usage("DynamoDB, idempotency writes", writes, &prices.dynamodb_writes);
        let rows = if writes > 0.0 { self.workload.events } else { 0.0 };
        let months = a.idempotency_days.value * 24.0 / a.month_hours.value;
        let kept = rows * months * a.idempotency_row_bytes.value / GB;
        sheet.usage("DynamoDB, idempotency rows kept", kept, &prices.dynamodb_storage);
    }

    fn observability(&self, sheet: &mut Sheet) {
        let Rates { prices, assumptions: a, .. } = self.rates;
        let overhead = a.line_overhead_bytes.value;
        let copies = self.stack.copies;
        let says = |function: &Function| {
            let level = function.variables.get(variable::LOG_LEVEL).and_then(Value::as_str);
            !matches!(level, Some("WARN" | "ERROR"))
        };
        let of_receivers = self.stack.receivers.iter().filter(|one| says(one.function));
        let of_receivers: f64 = of_receivers.map(|one| one.events * copies).sum();
        let queued = of_receivers * (a.queued_line_bytes.value + overhead);
        let of_handlers = self.stack.handlers.iter().filter(|one| says(one.function));
        let of_handlers: f64 = of_handlers.map(|one| one.events * copies).sum();
        let handled = of_handlers * (a.handled_line_bytes.value + overhead);
        let has_access_log = self.stack.all().any(|resource| {
            resource.kind == HTTP_API && resource.properties.contains_key("AccessLogSettings")
        });
        let requests = if has_access_log { self.workload.events } else { 0.0 };
        let access = requests * (a.access_line_bytes.value + overhead);
        let receivers = self.stack.receivers.iter().map(|one| (one.function, one.events));
        let batches = |handler: &Handler<'_>| self.reading(handler).batches;
        let handlers = self.stack.handlers.iter().map(|one| (one.function, batches(one)));
        let invocations = receivers.chain(handlers);
        let reported = invocations.clone().filter(|(function, _)| {
            let logging = function.logging.as_ref();
            let level = logging.and_then(|logging| logging["SystemLogLevel"].as_str());
            !matches!(level, Some("WARN"))
        });
        let reported: f64 = reported.map(|(_, invocations)| invocations * copies).sum();
        let reports = reported * a.report_line_bytes.value;
        let lines = [
            ("Logs, receivers", queued),
            ("Logs, handlers", handled),
            ("Logs, access log", access),
            ("Logs, reports of Lambda", reports),
        ];
        for (component, bytes) in lines {
            sheet.usage(component, bytes / GB, &prices.log_ingestion);
        }
        let days = self.stack.parameter("LogRetentionDays").unwrap_or(DEFAULT_RETENTION);
        let bytes = queued + handled + access + reports;
        let kept = bytes / GB * a.log_compression.value * days * 24.0 / a.month_hours.value;
        sheet.usage("Logs, kept", kept, &prices.log_storage);
        // The share of hours with a value, if events come at random.
        let hours = 1.0 - (-self.workload.events / a.month_hours.value).exp();
        // Rejected counts in total and by reason. All count what is unusual, and so do metric filters,
        // several of which can count the same.
        let filters = self.stack.all().filter(|resource| resource.kind == METRIC_FILTER);
        let filtered: BTreeSet<String> = filters
            .filter_map(|filter| filter.properties.get("MetricTransformations")?.get(0))
            .map(|counts| format!("{} {}", counts["MetricNamespace"], counts["MetricName"]))
            .collect();
        let metrics = (metric::ALL.len() + 1 + filtered.len()) as f64;
        let months = hours * metrics * a.failure_hours.value;
        sheet.usage("Metrics", months, &prices.metrics);
        let traced =
            invocations.filter(|(function, _)| function.tracing.as_deref() == Some("Active"));
        let traces: f64 = traced.map(|(_, requests)| self.traces(requests) * copies).sum();
        sheet.usage("X-Ray", traces, &prices.xray_traces);
    }

    /// What X-Ray traces of a function's requests in a month: the first of each second, and a share of
    /// the rest.
    fn traces(&self, requests: f64) -> f64 {
        let rate = requests / self.month_s();
        let first = 1.0 - (-rate).exp();
        (first + self.rates.assumptions.trace_share.value * (rate - first)) * self.month_s()
    }

    fn fixed(&self, sheet: &mut Sheet) {
        let Rates { prices, assumptions: a, .. } = self.rates;
        let copies = self.stack.copies;
        let handlers = self.stack.handlers.iter();
        let polling: f64 = handlers.map(|handler| self.idle_receives(handler) * copies).sum();
        sheet.idle("SQS, idle polling", polling, &prices.sqs_requests);
        // A key that the stack has taken over is charged as one that it has made.
        let keys = if self.stack.encrypts() { self.stack.count(KEY).max(1.0) } else { 0.0 };
        sheet.idle("KMS, keys", keys, &prices.kms_keys);
        let alarms = self.stack.all().filter(|resource| resource.kind == ALARM);
        let alarms: f64 = alarms.map(|alarm| metrics_of(alarm) * self.copies_of(alarm)).sum();
        sheet.idle("Alarms", alarms, &prices.alarms);
        sheet.idle("Dashboards", self.stack.count(DASHBOARD), &prices.dashboards);
        sheet.idle("Secrets Manager", self.stack.count(SECRET), &prices.secrets);
        let has_tenants = self.stack.receivers.iter().any(Receiver::reads_tenants);
        let rows = if has_tenants { self.workload.tenants } else { 0.0 };
        let tenants = rows * a.tenant_row_bytes.value / GB;
        sheet.idle("DynamoDB, tenants kept", tenants, &prices.dynamodb_storage);
        let recoverable = self.stack.resources.tables.iter().any(|table| {
            let recovery = table.properties.get("PointInTimeRecoverySpecification");
            recovery.is_some_and(|one| one["PointInTimeRecoveryEnabled"] == true)
        });
        let backup = if recoverable { tenants } else { 0.0 };
        sheet.idle("DynamoDB, recovery of tenants", backup, &prices.dynamodb_backup);
    }

    /// How often a resource of the template is there: an alarm on a queue comes with each handler.
    fn copies_of(&self, alarm: &Resource) -> f64 {
        let own = alarm.properties.get("Namespace");
        let metrics = alarm.properties.get("Metrics").and_then(Value::as_array);
        let metrics = metrics.into_iter().flatten();
        let of_expression =
            metrics.filter_map(|entry| entry.pointer("/MetricStat/Metric/Namespace"));
        let is_of_queue = own.into_iter().chain(of_expression).any(|name| name == "AWS/SQS");
        if is_of_queue { self.stack.copies } else { 1.0 }
    }
}

/// The metrics that an alarm reads: that of its name, or those of its expression.
fn metrics_of(alarm: &Resource) -> f64 {
    let metrics = alarm.properties.get("Metrics").and_then(Value::as_array);
    metrics.map_or(1.0, |metrics| {
        metrics.iter().filter(|metric| metric.get("MetricStat").is_some()).count() as f64
    })
}

/// The number of units of a size that a service charges for.
fn units(size: f64, unit: f64) -> f64 {
    (size / unit).ceil().max(1.0)
}

/// The bytes of a GB, as AWS charges for it.
const GB: f64 = 1_073_741_824.0;
/// What API Gateway charges as one request, in KB.
const API_KB: f64 = 512.0;
/// What SQS charges as one request, in KB.
const SQS_KB: f64 = 64.0;
/// The size of a body that Lambda takes, in KB.
const LAMBDA_KB: f64 = 6000.0;
/// How long a stored body is kept, in days.
const BODIES_DAYS: f64 = crate::generator::BODIES_DAYS as f64;
/// How long a line is kept if the template does not say so, in days.
const DEFAULT_RETENTION: f64 = 30.0;

const DASHBOARD: &str = "AWS::CloudWatch::Dashboard";
const SECRET: &str = "AWS::SecretsManager::Secret";

#[cfg(test)]
mod tests;
