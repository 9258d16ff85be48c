//! Data keys are replaced: what an operator does after one may have been read by somebody else.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::tenants_table::{DATA_KEY, KEY, PREVIOUS_SECRET, PREVIOUS_UNTIL, SECRET};
use jiff::Timestamp;

use super::data_keys::{DataKeyRow, sealed, year};
use super::{ATTEMPTS, Held, Row, Table, UPDATED_AT, timestamp};
use crate::sealed::{DataKeyName, Owner, Sealed};
use crate::secrets::{Key, Plaintext};
use crate::{RowKey, Unavailable};

/// How long a replaced data key is kept. An install that has read it before takes seconds.
pub const REMOVAL_AFTER: Duration = Duration::from_secs(60 * 60);

/// The outcome of [`Table::reseal`].
#[derive(Clone, Debug)]
pub struct Resealed {
    /// The name of the new data key.
    pub data_key: String,
    /// The number of tenants whose secrets it encrypts.
    pub tenants: usize,
    /// Tenants whose secret could not be decrypted. Their rows were left as they are.
    pub unreadable: BTreeSet<RowKey>,
}

/// The outcome of [`Table::remove_data_keys`].
#[derive(Clone, Debug, Default)]
pub struct Removed {
    /// The names of the data keys that were removed.
    pub removed: Vec<String>,
    /// The names of older data keys that are still needed, or were replaced within
    /// [`REMOVAL_AFTER`].
    pub kept: Vec<String>,
}

impl Table {
    /// Makes a new data key, and encrypts all secrets with it. It scans the table, so it is for tools.
    /// Needs `dynamodb:Scan`, `dynamodb:GetItem`, `dynamodb:UpdateItem`, `kms:Decrypt` and
    /// `kms:GenerateDataKey`.
    ///
    /// Installs may go on. If it fails, it can be repeated; rows that it has written stay readable.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table or the key did not answer, or there is no key.
    pub async fn reseal(&self, now: Timestamp) -> Result<Resealed, Unavailable> {
        let key = self.secrets.key().ok_or_else(|| Unavailable::Key(NO_KEY.into()))?;
        let (year, number) = match self.current(year(now)).await? {
            Some(current) => {
                let (year, number) = current.name.order();
                (year, number + 1)
            }
            None => (year(now), 0),
        };
        let (name, data_key) = self.make(key, DataKeyName::new(year, number), now).await?;
        let mut unreadable = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let rows = self.rows().await?;
            let tenants = rows.iter().filter_map(|row| Some((tenant(row)?, row)));
            let tenants: Vec<_> = tenants.filter(|(_, row)| row.contains_key(SECRET)).collect();
            let older = tenants.iter().filter(|(tenant, row)| {
                !unreadable.contains(tenant)
                    && encrypted_by(row).any(|by| by.as_ref() != Some(&name))
            });
            let mut is_complete = true;
            for (tenant, row) in older.cloned().collect::<Vec<_>>() {
                is_complete = false;
                match self.reseal_row(key, (&tenant, row), (&name, &data_key), now).await {
                    // Or a callback was recorded since the scan, and the next scan finds its secret.
                    Ok(_) => {}
                    Err(Unavailable::Secret { .. } | Unavailable::DataKey { .. }) => {
                        unreadable.insert(tenant);
                    }
                    Err(error) => return Err(error),
                }
            }
            if is_complete {
                let tenants = tenants.len() - unreadable.len();
                return Ok(Resealed { data_key: name.to_string(), tenants, unreadable });
            }
        }
        Err(self.unavailable("callbacks got in the way; run it again"))
    }

    async fn reseal_row(
        &self,
        key: &Key,
        (tenant, row): (&RowKey, &Row),
        (name, data_key): (&DataKeyName, &Plaintext),
        now: Timestamp,
    ) -> Result<Held, Unavailable> {
        let owner = Owner { app: key.app(), tenant };
        let stored = &row[SECRET];
        let secret = sealed(&self.open(stored, tenant).await?, owner, name, data_key)?;
        let mut update = self
            .update_of(tenant.as_str(), now)
            .expression_attribute_values(":stored", stored.clone())
            .expression_attribute_values(":secret", secret);
        let mut set = format!("SET {SECRET} = :secret, {UPDATED_AT} = :now");
        let mut condition = format!("{SECRET} = :stored");
        match row.get(PREVIOUS_SECRET) {
            Some(stored) => {
                update = update.expression_attribute_values(":replaced", stored.clone());
                condition += &format!(" AND {PREVIOUS_SECRET} = :replaced");
                let until = row.get(PREVIOUS_UNTIL).and_then(timestamp);
                let previous = match self.open(stored, tenant).await {
                    Ok(previous) => until.is_some_and(|until| now < until).then_some(previous),
                    Err(Unavailable::Secret { .. } | Unavailable::DataKey { .. }) => None,
                    Err(error) => return Err(error),
                };
                if let Some(previous) = previous {
                    let previous = sealed(&previous, owner, name, data_key)?;
                    update = update.expression_attribute_values(":previous", previous);
                    set += &format!(", {PREVIOUS_SECRET} = :previous");
                } else {
                    set += &format!(" REMOVE {PREVIOUS_SECRET}, {PREVIOUS_UNTIL}");
                }
            }
            None => condition += &format!(" AND attribute_not_exists({PREVIOUS_SECRET})"),
        }
        self.conditional(update.update_expression(set).condition_expression(condition)).await
    }

    /// Removes data keys that encrypt no secret, unless they were replaced a moment ago. Nobody can use
    /// them for a row of the table then. It scans the table, so it is for tools. Needs `dynamodb:Scan`
    /// and `dynamodb:UpdateItem`.
    ///
    /// The rows stay, so that the names are not used again.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer.
    pub async fn remove_data_keys(&self, now: Timestamp) -> Result<Removed, Unavailable> {
        let rows = self.rows().await?;
        let used: Vec<_> = rows.iter().flat_map(encrypted_by).flatten().collect();
        let mut data_keys: Vec<_> = rows.iter().filter_map(data_key).collect();
        data_keys.sort_by_key(|(row, _)| row.name.order());
        let mut removed = Removed::default();
        // The last is the current one.
        let Some((_, made)) = data_keys.pop() else { return Ok(removed) };
        let is_replaced = made.is_some_and(|made| made + REMOVAL_AFTER <= now);
        for (DataKeyRow { name, ciphertext }, _) in data_keys {
            let Some(ciphertext) = ciphertext else { continue };
            if !is_replaced || used.contains(&name) {
                removed.kept.push(name.to_string());
                continue;
            }
            let update = self
                .update_of(name.as_str(), now)
                .update_expression(format!("SET {UPDATED_AT} = :now REMOVE {DATA_KEY}"))
                .expression_attribute_values(":unused", AttributeValue::B(Blob::new(ciphertext)))
                .condition_expression(format!("{DATA_KEY} = :unused"));
            self.conditional(update).await?;
            removed.removed.push(name.to_string());
        }
        Ok(removed)
    }
}

fn tenant(row: &Row) -> Option<RowKey> {
    RowKey::parse(row.get(KEY)?.as_s().ok()?)
}

/// The row of a data key, and when it was made.
fn data_key(row: &Row) -> Option<(DataKeyRow, Option<Timestamp>)> {
    let name = DataKeyName::parse(row.get(KEY)?.as_s().ok()?)?;
    Some((DataKeyRow::of(name, row), row.get(UPDATED_AT).and_then(timestamp)))
}

/// The data key of each secret of a row; `None` for one that KMS itself encrypts.
fn encrypted_by(row: &Row) -> impl Iterator<Item = Option<DataKeyName>> {
    let secrets = [SECRET, PREVIOUS_SECRET].into_iter().filter_map(|name| row.get(name));
    secrets.map(|stored| {
        let sealed = Sealed::parse(stored.as_b().ok()?.as_ref()).ok()?;
        Some(sealed.data_key)
    })
}

const NO_KEY: &str = "TENANTS_KEY is not set, so secrets are not encrypted";
