//! Deliveries, one row each, from the lines that the functions log.
//!
//! [`Deliveries::take`] reads one line of one function, from wherever it comes. A receiver logs the
//! delivery and its message; a handler logs some results by the message alone, so the lines of a
//! delivery are joined by both. Their order does not matter.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use anstyle::{AnsiColor, Style};
use inspector::{Journey, Kind};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::terminal::{escaped, escaped_json};

/// The messages of the lines that are read, as receivers, handlers and their gateway log them.
pub const MESSAGES: [&str; 7] = [
    "delivery queued",
    "delivery handled",
    "duplicate delivery skipped",
    "delivery failed",
    "delivery dead-lettered",
    "request rejected",
    "request failed",
];

/// A line of a function's log.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The function's name, as in `IssueCreatedHandler`.
    pub function: &'a str,
    /// When it was logged.
    pub time: Timestamp,
    /// Its text. Only JSON objects with one of the [`MESSAGES`] are read.
    pub text: &'a str,
}

/// A delivery, or a request that did not become one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// When it was received, or first logged.
    pub time: Timestamp,
    /// The delivery's id. A refused request has none.
    pub delivery: Option<String>,
    /// The name of the event.
    pub event: Option<String>,
    /// The client key of the tenant.
    pub tenant: Option<String>,
    /// The path of a refused request.
    pub path: Option<String>,
    /// What the receiver did.
    pub status: Status,
    /// The function that handled it, or tried.
    pub handler: Option<String>,
    /// What became of it in the handler.
    pub result: Option<Outcome>,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// The time from the queue to the result, in milliseconds.
    #[serde(rename = "durationMs", serialize_with = "milliseconds")]
    pub duration: Option<SignedDuration>,
    #[serde(skip)]
    queued: Option<Timestamp>,
    #[serde(skip)]
    settled: Option<Timestamp>,
    #[serde(skip)]
    messages: Vec<String>,
}

impl Row {
    /// The row of a request to a local stack, unless it is no webhook.
    pub fn of(journey: &Journey) -> Option<Self> {
        if journey.kind != Kind::Webhook {
            return None;
        }
        let last = journey.attempts.last();
        let ended = journey.ended_ms.or(last.map(|last| last.ended_ms));
        let took = ended.and_then(|ended| i64::try_from(ended).ok());
        let is_success = (200..300).contains(&journey.status);
        Some(Self {
            time: journey.received_at,
            delivery: Some(journey.id.clone()),
            event: journey.event.clone(),
            tenant: journey.tenant.clone(),
            path: Some(journey.sent.path.clone()),
            status: match journey.status {
                _ if is_success => Status::Queued,
                500.. => Status::Failed,
                _ => Status::Rejected,
            },
            handler: journey.handler.clone(),
            result: match journey.outcome {
                inspector::Outcome::Handled => Some(Outcome::Handled),
                inspector::Outcome::Duplicate => Some(Outcome::Duplicate),
                inspector::Outcome::DeadLettered => Some(Outcome::DeadLettered),
                inspector::Outcome::Retrying => last.map(|last| Outcome::Failed {
                    attempts: last.number,
                    retry_seconds: last.retry_seconds.unwrap_or_default(),
                }),
                _ => None,
            },
            reason: journey.reason.clone().or_else(|| last.and_then(|last| last.error.clone())),
            duration: took.map(SignedDuration::from_millis),
            queued: None,
            settled: None,
            messages: Vec::new(),
        })
    }
}

/// What the receiver did with a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing is known: the receiver's line is not among those that were read.
    Unknown,
    /// The delivery is queued.
    Queued,
    /// The request can never succeed.
    Rejected,
    /// The request may succeed later.
    Failed,
}

/// What became of a delivery.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its handler succeeded.
    Handled,
    /// The same webhook had been handled before.
    Duplicate,
    /// An attempt failed, and another follows.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// How many attempts there were.
        attempts: u64,
        /// In how many seconds the next one is.
        retry_seconds: u64,
    },
    /// It is in the dead-letter queue.
    DeadLettered,
}

impl Outcome {
    fn is_final(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// A filter for rows. A refused request passes only an empty one: it has no event and no tenant.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only deliveries of this tenant.
    pub tenant: Option<String>,
    /// Only deliveries of this event.
    pub event: Option<String>,
    /// Only the delivery with this id.
    pub delivery: Option<String>,
}

impl Filter {
    /// Whether a row passes the filter.
    pub fn takes(&self, row: &Row) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        same(&self.tenant, &row.tenant)
            && same(&self.event, &row.event)
            && same(&self.delivery, &row.delivery)
    }
}

/// The deliveries of the lines that were read.
#[derive(Debug)]
pub struct Deliveries {
    /// By the number of the first line of each.
    rows: BTreeMap<u64, Row>,
    next: u64,
    by_delivery: HashMap<String, u64>,
    by_message: HashMap<String, u64>,
    limit: usize,
}

impl Deliveries {
    /// None yet. Of more than `limit`, the oldest are forgotten.
    pub fn keeping(limit: usize) -> Self {
        Self {
            rows: BTreeMap::new(),
            next: 0,
            by_delivery: HashMap::new(),
            by_message: HashMap::new(),
            limit: limit.max(1),
        }
    }

    /// Reads a line, and returns the row that it says something new about.
    pub fn take(&mut self, line: Line<'_>) -> Option<&Row> {
        let fields: Value = serde_json::from_str(line.text).ok()?;
        let message = fields["message"].as_str()?;
        let reason = |name: &str| fields[name].as_str().map(str::to_owned);
        let number = |name: &str| fields[name].as_u64().unwrap_or_default();
        let handled = match message {
            "delivery queued" => None,
            "delivery handled" => Some(Outcome::Handled),
            "duplicate delivery skipped" => Some(Outcome::Duplicate),
            "delivery failed" => Some(Outcome::Failed {
                attempts: number("message.attempts"),
                retry_seconds: number("retry.seconds"),
            }),
            "delivery dead-lettered" => Some(Outcome::DeadLettered),
            "request rejected" | "request failed" => {
                let key = self.add(line.time);
                let row = self.rows.get_mut(&key)?;
                let rejected = message == "request rejected";
                row.status = if rejected { Status::Rejected } else { Status::Failed };
                row.path = reason("path");
                row.reason = reason("reason");
                return Some(row);
            }
            _ => return None,
        };
        let key = self.find(&fields, line.time);
        let row = self.rows.get_mut(&key)?;
        row.event = row.event.take().or_else(|| reason("delivery.event"));
        row.tenant = row.tenant.take().or_else(|| reason("tenant.key"));
        match handled {
            None => {
                row.status = Status::Queued;
                row.queued = Some(line.time);
                row.time = line.time;
            }
            // A copy of a message that was handled is a duplicate, and its first result stands. A
            // line of an earlier attempt may be read late.
            Some(outcome)
                if row.result.as_ref().is_some_and(Outcome::is_final)
                    && (outcome == Outcome::Duplicate || !outcome.is_final()) =>
            {
                return None;
            }
            Some(outcome) => {
                row.handler = Some(line.function.to_owned());
                row.result = Some(outcome);
                row.reason = reason("error");
                row.settled = Some(line.time);
            }
        }
        // Two clocks may disagree by a little.
        row.duration = row
            .queued
            .zip(row.settled)
            .map(|(queued, settled)| settled.duration_since(queued).max(SignedDuration::ZERO));
        Some(row)
    }

    /// The rows, in the order of their first lines.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The row of a delivery by its id or its message, or a new one.
    fn find(&mut self, fields: &Value, time: Timestamp) -> u64 {
        let (delivery, message) = (fields["delivery.id"].as_str(), fields["message.id"].as_str());
        let known = delivery.and_then(|id| self.by_delivery.get(id));
        let known = known.or_else(|| message.and_then(|id| self.by_message.get(id))).copied();
        let key = known.unwrap_or_else(|| self.add(time));
        let Some(row) = self.rows.get_mut(&key) else { return key };
        if let Some(id) = delivery {
            row.delivery = Some(id.to_owned());
            self.by_delivery.insert(id.to_owned(), key);
        }
        if let Some(id) = message
            && self.by_message.insert(id.to_owned(), key) != Some(key)
        {
            row.messages.push(id.to_owned());
        }
        key
    }

    fn add(&mut self, time: Timestamp) -> u64 {
        while self.rows.len() >= self.limit
            && let Some((_, old)) = self.rows.pop_first()
        {
            for id in &old.messages {
                self.by_message.remove(id);
            }
            if let Some(id) = &old.delivery {
                self.by_delivery.remove(id);
            }
        }
        let key = self.next;
        self.next += 1;
        self.rows.insert(
            key,
            Row {
                time,
                delivery: None,
                event: None,
                tenant: None,
                path: None,
                status: Status::Unknown,
                handler: None,
                result: None,
                reason: None,
                duration: None,
                queued: None,
                settled: None,
                messages: Vec::new(),
            },
        );
        key
    }
}

/// Writes the heads of the columns.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_heads(out: &mut impl Write) -> std::io::Result<()> {
    let heads = ["TIME (UTC)", "EVENT", "TENANT", "STATUS", "HANDLER", "RESULT"];
    let heads = heads.iter().zip(WIDTHS).map(|(head, width)| format!("{head:<width$}"));
    writeln!(out, "{}  DURATION", heads.collect::<Vec<_>>().join("  "))
}

/// Writes a row on one line.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_row(row: &Row, out: &mut impl Write) -> std::io::Result<()> {
    let unsaid = || "-".to_owned();
    let (status, status_style) = match row.status {
        Status::Unknown => ("-", Style::new()),
        Status::Queued => ("queued", Style::new()),
        Status::Rejected => ("rejected", YELLOW),
        Status::Failed => ("failed", RED),
    };
    let (result, result_style) = match &row.result {
        None => (unsaid(), Style::new()),
        Some(Outcome::Handled) => ("handled".into(), GREEN),
        Some(Outcome::Duplicate) => ("duplicate".into(), GREEN),
        Some(Outcome::Failed { attempts, retry_seconds }) => {
            (format!("failed {attempts}x, again in {retry_seconds} s"), YELLOW)
        }
        Some(Outcome::DeadLettered) => ("dead-lettered".into(), RED),
    };
    let cells = [
        (row.time.strftime("%F %T").to_string(), Style::new()),
        (row.event.clone().or_else(|| row.path.clone()).unwrap_or_else(unsaid), Style::new()),
        (row.tenant.clone().unwrap_or_else(unsaid), Style::new()),
        (status.into(), status_style),
        (row.handler.clone().unwrap_or_else(unsaid), Style::new()),
        (result, result_style),
    ];
    for ((cell, style), width) in cells.iter().zip(WIDTHS) {
        // The width counts characters, and a style has some that are not seen.
        write!(out, "{style}{:<width$}{style:#}  ", escaped(cell))?;
    }
    let duration = row.duration.map_or_else(unsaid, |took| format!("{} ms", took.as_millis()));
    match &row.reason {
        Some(reason) => writeln!(out, "{duration}  {}", escaped(reason)),
        None => writeln!(out, "{duration}"),
    }
}

/// Writes a row as one JSON object on one line.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_json(row: &Row, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}", escaped_json(&serde_json::to_string(row)?))
}

/// The widths of all columns but the last: rows are written as they come, so none is measured.
const WIDTHS: [usize; 6] = [19, 24, 36, 8, 24, 13];

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();

fn milliseconds<S: Serializer>(took: &Option<SignedDuration>, to: S) -> Result<S::Ok, S::Error> {
    took.map(|took| took.as_millis()).serialize(to)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads lines of JSON, a second apart each.
    fn read(deliveries: &mut Deliveries, lines: &[(&str, Value)]) -> Vec<Row> {
        for (second, (function, fields)) in lines.iter().enumerate() {
            let time = Timestamp::from_second(second.try_into().unwrap()).unwrap();
            let text = fields.to_string();
            deliveries.take(Line { function, time, text: &text });
        }
        deliveries.rows().cloned().collect()
    }

    fn queued(id: &str, message: &str) -> (&'static str, Value) {
        let fields = json!({
            "message": "delivery queued", "delivery.id": id, "delivery.event": "page_created",
            "tenant.key": "t", "message.id": message,
        });
        ("PageCreatedReceiver", fields)
    }

    fn handled(id: &str, message: &str, what: &str) -> (&'static str, Value) {
        let fields = json!({
            "message": what, "delivery.id": id, "delivery.event": "page_created",
            "tenant.key": "t", "message.id": message,
        });
        ("PageCreatedHandler", fields)
    }

    fn settled(message: &str, what: &str) -> (&'static str, Value) {
        let fields = json!({
            "message": what, "message.id": message, "message.attempts": 2, "retry.seconds": 30,
            "error": "no",
        });
        ("PageCreatedHandler", fields)
    }

    #[test]
    fn joins_the_lines_of_a_delivery_into_one_row() {
        let lines = [
            queued("a", "1"),
            queued("b", "2"),
            settled("1", "delivery failed"),
            handled("b", "2", "delivery handled"),
            ("PageCreatedHandler", json!({"message": "page created", "delivery.id": "a"})),
            settled("1", "delivery dead-lettered"),
            handled("b", "3", "duplicate delivery skipped"),
        ];
        let rows = read(&mut Deliveries::keeping(10), &lines);
        let [a, b] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((&a.status, a.result.as_ref()), (&Status::Queued, Some(&Outcome::DeadLettered)));
        assert_eq!(a.reason.as_deref(), Some("no"));
        assert_eq!(a.handler.as_deref(), Some("PageCreatedHandler"));
        assert_eq!(a.duration, Some(SignedDuration::from_secs(5)));
        assert_eq!(b.result, Some(Outcome::Handled), "the copy is a duplicate of what is handled");
        assert_eq!((b.event.as_deref(), b.tenant.as_deref()), (Some("page_created"), Some("t")));
    }

    #[test]
    fn takes_lines_in_any_order() {
        let mut lines = vec![
            queued("a", "1"),
            settled("1", "delivery failed"),
            handled("a", "1", "delivery handled"),
        ];
        lines.reverse();
        let rows = read(&mut Deliveries::keeping(10), &lines);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((&row.status, row.result.as_ref()), (&Status::Queued, Some(&Outcome::Handled)));
        assert_eq!(row.duration, Some(SignedDuration::ZERO), "no result comes before the queue");
    }

    #[test]
    fn keeps_no_more_than_it_is_told_to() {
        let mut deliveries = Deliveries::keeping(2);
        let lines: Vec<_> =
            (0..9).map(|number| queued(&number.to_string(), &number.to_string())).collect();
        let rows = read(&mut deliveries, &lines);
        assert_eq!(
            rows.iter().map(|row| row.delivery.as_deref().unwrap()).collect::<String>(),
            "78"
        );
        assert_eq!((deliveries.by_delivery.len(), deliveries.by_message.len()), (2, 2));
    }

    #[test]
    fn writes_one_line_a_row_whatever_others_wrote() {
        let forged = "a\nERROR forged \u{1b}[31m";
        let line = json!({"message": "request rejected", "path": forged, "reason": forged});
        let rows = read(&mut Deliveries::keeping(1), &[("PageCreatedReceiver", line)]);
        let mut text = Vec::new();
        write_row(&rows[0], &mut anstream::StripStream::new(&mut text)).unwrap();
        write_json(&rows[0], &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
        assert!(text.contains(r"a\nERROR forged \u{1b}[31m"), "{text}");
    }
}
