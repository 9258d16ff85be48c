//! Tenants that sign their webhooks: an operator adds them, and makes or enters their secrets.

use std::time::Duration;

use atlassian_connect::tenant::SharedSecret;
use contract::tenants_table::{
    EXPIRES_AT, KEY, KIND, PREVIOUS_SECRET, PREVIOUS_UNTIL, PRODUCT, SECRET,
};
use jiff::Timestamp;
use signed_webhooks::{Kind, TenantName};

use super::{ATTEMPTS, Held, Row, Table, UPDATED_AT, seconds, string, timestamp};
use crate::{RETENTION, RowKey, Unavailable};

/// A row of a tenant that signs its webhooks, without its secret.
#[derive(Clone, Debug)]
pub struct SignedEntry {
    /// The tenant.
    pub name: TenantName,
    /// The kind of sender.
    pub kind: Option<Kind>,
    /// Whether it was not removed.
    pub is_present: bool,
    /// Until when its previous secret is valid as well.
    pub previous_until: Option<Timestamp>,
    /// When the tenant was added, its secret replaced, or the tenant removed.
    pub since: Option<Timestamp>,
}

/// The outcome of [`Table::add_signed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Added {
    /// The tenant has this secret.
    Yes,
    /// There is a tenant with this name. It was left as it is.
    Exists,
}

/// The outcome of an operation on a tenant that may not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Changed {
    /// The tenant was changed.
    Yes,
    /// There is no tenant with this name.
    Unknown,
}

impl Table {
    /// All tenants that sign their webhooks, with those that were removed. It scans the whole table, so
    /// it is for tools. Needs `dynamodb:Scan`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer.
    pub async fn signed_entries(&self) -> Result<Vec<SignedEntry>, Unavailable> {
        Ok(self.rows().await?.iter().filter_map(entry).collect())
    }

    /// The kind of a tenant; `None` if there is no tenant with this name. Needs `dynamodb:GetItem`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer.
    pub async fn signed_kind(&self, name: &TenantName) -> Result<Option<Kind>, Unavailable> {
        let row = self.row(RowKey::from(name).as_str(), &[SECRET, KIND]).await?;
        Ok(row.filter(|row| row.contains_key(SECRET)).as_ref().and_then(kind))
    }

    /// Adds a tenant. One that was removed can be added again. Needs `dynamodb:GetItem`,
    /// `dynamodb:UpdateItem`, `kms:Decrypt` and `kms:GenerateDataKey`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table or the key did not answer.
    pub async fn add_signed(
        &self,
        name: &TenantName,
        kind: Kind,
        secret: &SharedSecret,
        now: Timestamp,
    ) -> Result<Added, Unavailable> {
        let key = RowKey::from(name);
        let update = self
            .update_of(key.as_str(), now)
            .update_expression(format!(
                "SET {SECRET} = :secret, {KIND} = :kind, {PRODUCT} = :product, {UPDATED_AT} = :now \
                 REMOVE {PREVIOUS_SECRET}, {PREVIOUS_UNTIL}, {EXPIRES_AT}"
            ))
            .expression_attribute_values(":secret", self.seal(secret, &key, now).await?)
            .expression_attribute_values(":kind", string(kind.as_str()))
            .expression_attribute_values(":product", string(kind.product().as_str()))
            .condition_expression(format!("attribute_not_exists({SECRET})"));
        Ok(match self.conditional(update).await? {
            Held::Yes => Added::Yes,
            Held::No(_) => Added::Exists,
        })
    }

    /// Replaces a tenant's secret. The one before it stays valid for a while; one before that does not.
    /// Needs what [`Table::add_signed`] needs.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table or the key did not answer.
    pub async fn rotate_signed(
        &self,
        name: &TenantName,
        secret: &SharedSecret,
        previous_for: Duration,
        now: Timestamp,
    ) -> Result<Changed, Unavailable> {
        let key = RowKey::from(name);
        let sealed = self.seal(secret, &key, now).await?;
        for _ in 0..ATTEMPTS {
            let row = self.row(key.as_str(), &[SECRET]).await?.unwrap_or_default();
            let Some(stored) = row.get(SECRET) else { return Ok(Changed::Unknown) };
            let update = self
                .update_of(key.as_str(), now)
                .expression_attribute_values(":secret", sealed.clone())
                .expression_attribute_values(":stored", stored.clone())
                .condition_expression(format!("{SECRET} = :stored"));
            let set = format!("SET {SECRET} = :secret, {UPDATED_AT} = :now");
            let update = if previous_for.is_zero() {
                update
                    .update_expression(format!("{set} REMOVE {PREVIOUS_SECRET}, {PREVIOUS_UNTIL}"))
            } else {
                let previous = format!("{PREVIOUS_SECRET} = :stored, {PREVIOUS_UNTIL} = :until");
                update
                    .update_expression(format!("{set}, {previous}"))
                    .expression_attribute_values(":until", seconds(now + previous_for))
            };
            // Otherwise the secret was replaced or encrypted again since the row was read.
            if let Held::Yes = self.conditional(update).await? {
                return Ok(Changed::Yes);
            }
        }
        Err(self.unavailable("others replaced the secret at the same time; run it again"))
    }

    /// Removes a tenant's secrets at once, and the row after [`RETENTION`]. Needs
    /// `dynamodb:UpdateItem`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer.
    pub async fn remove_signed(
        &self,
        name: &TenantName,
        now: Timestamp,
    ) -> Result<Changed, Unavailable> {
        let update = self
            .update_of(RowKey::from(name).as_str(), now)
            .update_expression(format!(
                "SET {EXPIRES_AT} = :expires, {UPDATED_AT} = :now \
                 REMOVE {SECRET}, {PREVIOUS_SECRET}, {PREVIOUS_UNTIL}"
            ))
            .expression_attribute_values(":expires", seconds(now + RETENTION))
            .condition_expression(format!("attribute_exists({SECRET})"));
        Ok(match self.conditional(update).await? {
            Held::Yes => Changed::Yes,
            Held::No(_) => Changed::Unknown,
        })
    }
}

/// The kind of sender in a row; `None` in that of a tenant that installed the app.
pub(super) fn kind(row: &Row) -> Option<Kind> {
    row.get(KIND)?.as_s().ok()?.parse().ok()
}

fn entry(row: &Row) -> Option<SignedEntry> {
    Some(SignedEntry {
        name: RowKey::signed(row.get(KEY)?.as_s().ok()?)?,
        kind: kind(row),
        is_present: row.contains_key(SECRET),
        previous_until: row.get(PREVIOUS_UNTIL).and_then(timestamp),
        since: row.get(UPDATED_AT).and_then(timestamp),
    })
}
