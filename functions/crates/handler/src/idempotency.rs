//! The idempotency store: which webhooks are in progress or completed, so that a duplicate has no
//! second effect.
//!
//! Jira repeats a webhook when it got no answer, and SQS delivers a message at least once. There is
//! one row for each webhook and handler:
//!
//! ```text
//!            claim                       complete
//!   absent ────────▶ in progress ──────────────────▶ completed, until the row expires
//!      ▲               │  │   ▲
//!      │      release  ▼  │   │ claim
//!      │            failed ───┘
//!      └── forget ──┘
//! ```
//!
//! A row in progress is locked for as long as the invocation can last. A function that is killed
//! leaves such a row behind, and its lock expires. Even the message that holds a lock cannot claim
//! the webhook again before that: SQS can deliver one message to two invocations at once (Amazon
//! SQS Developer Guide, "At-least-once delivery").
//!
//! Claiming a new webhook takes one conditional write. If there is a row, DynamoDB returns it with
//! the failed condition, [`IdempotencyStore::claim`] decides what it means, and a second write
//! replaces it if it has not changed since.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_types::SdkConfig;
use contract::idempotency_table::{EXPIRES_AT, KEY};
use jiff::Timestamp;

/// The idempotency table.
#[derive(Clone, Debug)]
pub struct IdempotencyStore {
    client: Client,
    table: String,
}

/// The message that claims a webhook.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// The id of the message that first carried the delivery.
    pub message: &'a str,
    /// The id of the replay, if an operator replayed the message. A replay takes over what an
    /// earlier message left in progress, and starts with new attempts.
    pub replay: Option<&'a str>,
}

/// Whether a row in progress can be taken over after its lock has expired, because its function was
/// killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Takeover {
    /// The next message takes over.
    Allowed,
    /// Only the message that holds the row takes over. To others the webhook is a duplicate: its message
    /// stays in the queue until it is handled or a dead letter.
    Own,
    /// No message takes over; see [`Claim::Unfinished`].
    Refused,
}

/// The result of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// The webhook is locked for this message, until the lock expires.
    Acquired {
        /// The number of this attempt, from 1.
        attempt: u32,
    },
    /// The webhook is completed, possibly by another message, or another message has claimed it for
    /// good.
    Duplicate,
    /// The webhook is in progress. Its lock expires at this time.
    InProgress(Timestamp),
    /// This message claimed the webhook before, and it is unknown whether the handler completed.
    Unfinished,
}

impl IdempotencyStore {
    /// How long a webhook is remembered: the maximum retention of a message.
    pub const WINDOW: Duration = Duration::from_secs(14 * 24 * 60 * 60);

    /// A table by its name.
    pub fn new(aws: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(aws), table: table.into() }
    }

    /// Claims a webhook for a message, and locks it until the invocation is certainly over. One
    /// write if the webhook is new, two otherwise.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer. The message must not be handled then.
    pub async fn claim(
        &self,
        key: &str,
        claimant: Claimant<'_>,
        takeover: Takeover,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, Unavailable> {
        let mut row = match self.put(key, claimant, 1, now, until, None).await? {
            Ok(()) => return Ok(Claim::Acquired { attempt: 1 }),
            Err(row) => row,
        };
        for _ in 0..MAX_RACES {
            let claim = row.claimed_by(claimant, takeover, now);
            let Claim::Acquired { attempt } = claim else { return Ok(claim) };
            row = match self.put(key, claimant, attempt, now, until, Some(&row)).await? {
                Ok(()) => return Ok(claim),
                Err(changed) => changed,
            };
        }
        // Other messages keep claiming and releasing it: wait for the next of them.
        Ok(Claim::InProgress(until))
    }

    /// Marks a webhook as completed. One write.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer. The webhook was handled nevertheless.
    pub async fn complete(
        &self,
        key: &str,
        claimant: Claimant<'_>,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, string(key))
            .update_expression(format!("SET {} = :expires REMOVE {LOCKED_UNTIL}", EXPIRES_AT))
            .condition_expression(format!("{MESSAGE} = :message"))
            .expression_attribute_values(":message", string(&claimant.holder()))
            .expression_attribute_values(":expires", seconds(now + Self::WINDOW));
        match update.send().await.map_err(SdkError::into_service_error) {
            // The lock has expired, and another message has the row now.
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(self.unavailable(error)),
        }
    }

    /// Releases the lock of a failed attempt, and stores the number of spent attempts: `attempt`,
    /// or one less for an attempt that should not count. One write.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer. The lock expires by itself then.
    pub async fn release(
        &self,
        key: &str,
        claimant: Claimant<'_>,
        attempt: u32,
        spent: u32,
    ) -> Result<(), Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, string(key))
            .update_expression(format!("SET {LOCKED_UNTIL} = :released, {ATTEMPTS} = :spent"))
            .condition_expression(held_for_attempt())
            .expression_attribute_values(":message", string(&claimant.holder()))
            .expression_attribute_values(":attempt", number(attempt))
            .expression_attribute_values(":spent", number(spent))
            .expression_attribute_values(":released", number(RELEASED));
        match update.send().await.map_err(SdkError::into_service_error) {
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(self.unavailable(error)),
        }
    }

    /// Deletes the row of a message that was sent to the dead-letter queue. One write.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer. The lock expires by itself then.
    pub async fn forget(
        &self,
        key: &str,
        claimant: Claimant<'_>,
        attempt: u32,
    ) -> Result<(), Unavailable> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(KEY, string(key))
            .condition_expression(held_for_attempt())
            .expression_attribute_values(":message", string(&claimant.holder()))
            .expression_attribute_values(":attempt", number(attempt));
        match delete.send().await.map_err(SdkError::into_service_error) {
            Ok(_) | Err(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(self.unavailable(error)),
        }
    }

    /// Opens the connection, so that the first message need not wait for it.
    pub(crate) async fn warm_up(&self) {
        let no_message = Claimant { message: "warm-up", replay: None };
        let nothing = self.forget("warm-up", no_message, 0);
        let _ = tokio::time::timeout(Duration::from_secs(1), nothing).await;
    }

    /// Writes a row if there is none that has not expired, or if the given row is still unchanged.
    /// Returns the existing row otherwise.
    async fn put(
        &self,
        key: &str,
        claimant: Claimant<'_>,
        attempt: u32,
        now: Timestamp,
        until: Timestamp,
        unchanged: Option<&Row>,
    ) -> Result<Result<(), Row>, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(KEY, string(key))
            .item(MESSAGE, string(&claimant.holder()))
            .item(ATTEMPTS, number(attempt))
            .item(LOCKED_UNTIL, number(until.as_millisecond()))
            .item(EXPIRES_AT, seconds(now + Self::WINDOW))
            .expression_attribute_values(":now", seconds(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let free = format!("attribute_not_exists({}) OR {} <= :now", KEY, EXPIRES_AT);
        let put = match unchanged {
            None => put.condition_expression(free),
            Some(row) => {
                put.condition_expression(format!(
                    "{free} OR ({MESSAGE} = :message AND {ATTEMPTS} = :attempts AND \
                     {LOCKED_UNTIL} = :until)"
                ))
                .expression_attribute_values(":message", string(&row.message))
                .expression_attribute_values(":attempts", number(row.attempts))
                .expression_attribute_values(":until", number(row.locked_until.unwrap_or(RELEASED)))
            }
        };
        match put.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(Ok(())),
            Err(PutItemError::ConditionalCheckFailedException(failed)) => {
                let row = failed.item.unwrap_or_default();
                let text = |name: &str| Some(row.get(name)?.as_s().ok()?.clone());
                let int = |name: &str| row.get(name)?.as_n().ok()?.parse::<i64>().ok();
                Ok(Err(Row {
                    message: text(MESSAGE).unwrap_or_default(),
                    attempts: int(ATTEMPTS).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
                    locked_until: int(LOCKED_UNTIL),
                }))
            }
            Err(error) => Err(self.unavailable(error)),
        }
    }

    fn unavailable(&self, source: impl Into<runtime::Error>) -> Unavailable {
        Unavailable { table: self.table.clone(), source: source.into() }
    }
}

impl Claimant<'_> {
    /// The holder of the lock, as stored in the row. A replay is another holder than the message
    /// that it replays.
    fn holder(&self) -> String {
        match self.replay {
            None => self.message.to_owned(),
            Some(replay) => format!("{} {replay}", self.message),
        }
    }
}

/// A row that has not expired.
#[derive(Clone, Debug)]
struct Row {
    message: String,
    attempts: u32,
    /// In milliseconds since 1970; [`RELEASED`] after a failure, absent once completed.
    locked_until: Option<i64>,
}

impl Row {
    /// The result of a claim when this row exists.
    fn claimed_by(&self, claimant: Claimant<'_>, takeover: Takeover, now: Timestamp) -> Claim {
        let Some(until) = self.locked_until else { return Claim::Duplicate };
        let released = until == RELEASED;
        let until = Timestamp::from_millisecond(until).unwrap_or(Timestamp::MAX);
        let is_own = self.message == claimant.holder();
        if !released && until >= now {
            Claim::InProgress(until)
        } else if claimant.replay.is_some() && !is_own {
            Claim::Acquired { attempt: 1 }
        } else if released || takeover == Takeover::Allowed || (takeover == Takeover::Own && is_own)
        {
            Claim::Acquired { attempt: self.attempts.saturating_add(1) }
        } else if is_own {
            Claim::Unfinished
        } else {
            // The message that claimed it reports it.
            Claim::Duplicate
        }
    }
}

/// The table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "the table {table} is unavailable; check that it exists and that the function's role may use it"
)]
pub struct Unavailable {
    /// The table.
    pub table: String,
    /// What the SDK says.
    #[source]
    pub source: runtime::Error,
}

/// How often a claim is decided again because the row changed meanwhile.
const MAX_RACES: u32 = 3;

/// The message that has the lock, or had it.
const MESSAGE: &str = "message";
/// The number of attempts, the current one included.
const ATTEMPTS: &str = "attempts";
/// When the lock ends.
const LOCKED_UNTIL: &str = "lockedUntil";
/// The end of a lock that was released.
const RELEASED: i64 = 0;

/// The condition that the row is still that of `:message` and its `:attempt`, and not completed.
fn held_for_attempt() -> String {
    format!("{MESSAGE} = :message AND {ATTEMPTS} = :attempt AND attribute_exists({LOCKED_UNTIL})")
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

fn seconds(time: Timestamp) -> AttributeValue {
    number(time.as_second())
}
