//! The journey of one request.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sent::Sent;

/// What became of one request to the HTTP API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Journey {
    /// The id of the invocation that answered, which is the id of a delivery.
    pub id: String,
    /// The id of the request, which the answer carries as `apigw-requestid`.
    pub request: String,
    /// The position among all requests, from 1.
    pub number: u64,
    /// What the URL is for.
    pub kind: Kind,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The event: as the receiver read it, or else as the body or the descriptor names it.
    pub event: Option<String>,
    /// The tenant: verified, or else as the token or the path of a signed webhook claims.
    pub tenant: Option<String>,
    /// The product of a verified tenant.
    pub product: Option<String>,
    /// The sender whose requests the URL is for: `connect`, `forge` or `signed`. `None` if the URL is
    /// not declared.
    pub sender: Option<String>,
    /// The request, without its token and without secrets.
    pub sent: Sent,
    /// The status of the answer.
    pub status: u16,
    /// The time from the request to its answer, in milliseconds.
    pub answered_ms: u64,
    /// Whether the token or the signature was trusted.
    pub verdict: Verdict,
    /// Why the request was refused: the word in logs and metrics.
    pub reason: Option<String>,
    /// Why the request was refused: a sentence for the operator.
    pub detail: Option<String>,
    /// How the body was read.
    pub reading: Option<Reading>,
    /// The function that answered.
    pub function: Option<String>,
    /// The queue that the delivery went to.
    pub queue: Option<String>,
    /// The id of the queue's message.
    pub message: Option<String>,
    /// The function that handles the delivery.
    pub handler: Option<String>,
    /// The attempts so far.
    pub attempts: Vec<Attempt>,
    /// What became of it so far.
    pub outcome: Outcome,
    /// The time from the request to its outcome, in milliseconds.
    pub ended_ms: Option<u64>,
    /// What functions logged about it.
    pub lines: Vec<Line>,
}

impl Journey {
    /// Whether nothing more will happen by itself, and it is known why a request was refused, or what
    /// the body of a handled one was read as.
    ///
    /// The log line that says so comes through a pipe of its own, and can be read after the answer, or
    /// after the handler's line.
    pub fn is_settled(&self) -> bool {
        let waits_for_reason =
            (400..500).contains(&self.status) && self.reason.is_none() && self.function.is_some();
        // The receiver's line about the queue has the message's id.
        let waits_for_reading = self.outcome == Outcome::Handled && self.message.is_none();
        self.outcome.is_final() && !waits_for_reason && !waits_for_reading
    }

    pub(crate) fn end(&mut self, at_ms: u64, outcome: Outcome) {
        self.outcome = outcome;
        self.ended_ms = outcome.is_final().then_some(at_ms);
    }
}

/// What a URL is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A webhook of the descriptor, an event at an endpoint of the manifest, or a signed webhook.
    Webhook,
    /// A lifecycle callback of the descriptor.
    Lifecycle,
    /// Anything else, as the descriptor itself.
    Other,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered, with nothing to queue.
    Answered,
    /// Refused, or the function failed.
    Rejected,
    /// On the queue.
    Queued,
    /// Failed, and attempted again later.
    Retrying,
    /// Handled.
    Handled,
    /// Handled before, under another request.
    Duplicate,
    /// In the dead-letter queue.
    DeadLettered,
}

impl Outcome {
    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Retrying)
    }

    /// The word for this outcome on the page and on the console.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::Queued => "queued",
            Self::Retrying => "retrying",
            Self::Handled => "handled",
            Self::Duplicate => "duplicate",
            Self::DeadLettered => "dead-lettered",
        }
    }
}

/// Whether a token or a signature was trusted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The signature and the claims held.
    Verified,
    /// They did not, or there was none; [`Journey::reason`] says why.
    NotTrusted,
    /// The URL needs no token, or the function never came to verify it.
    NotChecked,
}

/// How a body was read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// `read`, `partly`, `unreadable` or `unknown`.
    pub word: String,
    /// The paths that were left out, or why nothing was read.
    pub why: Option<String>,
    /// What it was read as: the event's payload type with its fields.
    pub typed: Option<String>,
}

impl Reading {
    pub(crate) fn new(reading: &atlassian_connect::event::Reading) -> Self {
        let left_out = reading.left_out().map(ToString::to_string);
        Self {
            word: reading.as_str().to_owned(),
            why: left_out.or_else(|| reading.detail().map(str::to_owned)),
            typed: None,
        }
    }
}

/// An attempt of the handler.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u64,
    /// When it ended, in milliseconds after the request.
    pub ended_ms: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// The delay until the next attempt, in seconds.
    pub retry_seconds: Option<u64>,
}

/// A log line about a delivery.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Milliseconds after the request.
    pub at_ms: u64,
    /// The function that logged it.
    pub function: String,
    /// The level.
    pub level: String,
    /// The message.
    pub message: String,
    /// The other fields, each as `name=value`.
    pub fields: Vec<String>,
}
