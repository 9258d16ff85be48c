//! What was handled already, so that a webhook that comes twice has its effect once.
//!
//! Jira sends again what it got no answer for, and SQS delivers at least once. One row a webhook and
//! handler, written under conditions (Amazon DynamoDB Developer Guide, "Condition expressions"):
//!
//! ```text
//!            begin                      complete
//!   absent ────────▶ locked by a message ────────▶ done, until it expires
//!      ▲                    │  │  ▲
//!      └──── release ───────┘  └──┘ begin, when the lock is over
//! ```
//!
//! A lock lasts as long as the invocation can: a function that is killed leaves one behind, which
//! ends by itself, and before SQS hands the message out again. Not even the same message takes a lock
//! over while it lasts: SQS can hand out one message to two invocations at once (Amazon SQS Developer
//! Guide, "At-least-once delivery").

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_types::SdkConfig;
use jiff::Timestamp;

/// The table of what was handled.
#[derive(Clone, Debug)]
pub struct Handled {
    client: Client,
    table: String,
}

/// Whether a message may be handled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begun {
    /// It may, and nobody else does until it is completed or released.
    Now,
    /// It was, perhaps as another message.
    Done,
    /// Another message with the same webhook is being handled, until this time at the latest.
    Elsewhere(Timestamp),
}

impl Handled {
    /// The variable that names the table.
    pub const VARIABLE: &str = "HANDLED_TABLE";
    /// The partition key, a string: handler, tenant and webhook.
    pub const KEY: &str = "delivery";
    /// When DynamoDB may delete the row, in seconds since 1970: its time-to-live attribute. It may
    /// take days to do so, and the row counts for nothing in the meantime.
    pub const EXPIRES_AT: &str = "expiresAt";
    /// For how long a webhook is known to be handled: as long as a message can be kept.
    pub const WINDOW: Duration = Duration::from_secs(14 * 24 * 60 * 60);

    /// A table by its name.
    pub fn new(aws: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(aws), table: table.into() }
    }

    /// Locks a webhook for a message, until a time at which its handling has ended in any case. One
    /// write.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the table does not say: then the message must not be handled.
    pub async fn begin(
        &self,
        key: &str,
        message: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Begun, Unavailable> {
        self.put(key, message, now, Some(until)).await
    }

    /// Records that a webhook is handled as this message, before it is. One write, and no other: the
    /// same message may be handled again, and no other one.
    ///
    /// # Errors
    ///
    /// As [`Handled::begin`].
    pub async fn claim(
        &self,
        key: &str,
        message: &str,
        now: Timestamp,
    ) -> Result<Begun, Unavailable> {
        self.put(key, message, now, None).await
    }

    /// Records that a webhook was handled. One write.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the table did not take it: it was handled all the same.
    pub async fn complete(
        &self,
        key: &str,
        message: &str,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(Self::KEY, string(key))
            .update_expression(format!("SET {} = :expires REMOVE {LOCKED_UNTIL}", Self::EXPIRES_AT))
            .condition_expression(format!("{MESSAGE} = :message"))
            .expression_attribute_values(":message", string(message))
            .expression_attribute_values(":expires", seconds(now + Self::WINDOW));
        match update.send().await.map_err(SdkError::into_service_error) {
            // Its lock was over, and another has it now.
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(self.unavailable(error)),
        }
    }

    /// Forgets what [`Handled::begin`] or [`Handled::claim`] wrote for a message, which was not
    /// handled. One write.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the table did not take it: then the lock ends by itself.
    pub async fn release(&self, key: &str, message: &str) -> Result<(), Unavailable> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(Self::KEY, string(key))
            .condition_expression(format!("{MESSAGE} = :message"))
            .expression_attribute_values(":message", string(message));
        match delete.send().await.map_err(SdkError::into_service_error) {
            Ok(_) | Err(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(self.unavailable(error)),
        }
    }

    /// Opens the connection, so that the first message need not wait for it.
    pub(crate) async fn warm_up(&self) {
        let nobody = self.release("warm-up", "warm-up");
        let _ = tokio::time::timeout(Duration::from_secs(1), nobody).await;
    }

    async fn put(
        &self,
        key: &str,
        message: &str,
        now: Timestamp,
        locked_until: Option<Timestamp>,
    ) -> Result<Begun, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(Self::KEY, string(key))
            .item(MESSAGE, string(message))
            .item(Self::EXPIRES_AT, seconds(now + Self::WINDOW))
            .expression_attribute_values(":seconds", seconds(now));
        let (put, may) = match locked_until {
            // A row without a lock is done, whoever did it.
            Some(until) => (
                put.item(LOCKED_UNTIL, milliseconds(until))
                    .expression_attribute_values(":milliseconds", milliseconds(now)),
                format!("attribute_exists({LOCKED_UNTIL}) AND {LOCKED_UNTIL} < :milliseconds"),
            ),
            None => (
                put.expression_attribute_values(":message", string(message)),
                format!("{MESSAGE} = :message"),
            ),
        };
        let put = put
            .condition_expression(format!(
                "attribute_not_exists({}) OR {} <= :seconds OR ({may})",
                Self::KEY,
                Self::EXPIRES_AT,
            ))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(Begun::Now),
            Err(PutItemError::ConditionalCheckFailedException(failed)) => {
                let row = failed.item.unwrap_or_default();
                let until = row.get(LOCKED_UNTIL).and_then(|until| until.as_n().ok()?.parse().ok());
                let until = until.and_then(|until| Timestamp::from_millisecond(until).ok());
                Ok(until.map_or(Begun::Done, Begun::Elsewhere))
            }
            Err(error) => Err(self.unavailable(error)),
        }
    }

    fn unavailable(&self, source: impl Into<lambda::Error>) -> Unavailable {
        Unavailable { table: self.table.clone(), source: source.into() }
    }
}

/// The table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "the table {table} is unavailable; check that it exists and what the function's role allows"
)]
pub struct Unavailable {
    /// The table.
    pub table: String,
    /// What the SDK says.
    #[source]
    pub source: lambda::Error,
}

/// The message that has the lock, or had it.
const MESSAGE: &str = "message";
/// When the lock ends, in milliseconds since 1970; absent when the webhook was handled.
const LOCKED_UNTIL: &str = "lockedUntil";

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn seconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_second().to_string())
}

fn milliseconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millisecond().to_string())
}
