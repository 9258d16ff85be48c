//! The tenants table on DynamoDB.

mod data_keys;
pub(crate) mod reseal;
pub(crate) mod signed;
pub(crate) mod transfer;

use std::collections::HashMap;
use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_types::SdkConfig;
use contract::tenants_table::{
    BASE_URL, CALLER_READS, EXPIRES_AT, KEY, OAUTH_CLIENT_ID, PREVIOUS_SECRET, PREVIOUS_UNTIL,
    PRODUCT, RECEIVER_READS, SECRET, SIGNED_READS,
};
use jiff::Timestamp;
use signed_webhooks::{Kind, TenantName};
use subtle::ConstantTimeEq;

use crate::{
    Find, Install, Installation, PREVIOUS_SECRET_GRACE, RETENTION, Recorded, RowKey, Secrets,
    SignedAt, Switch, Tenant, Unavailable, Uninstall,
};

/// The tenants table: one row per tenant, by its [`RowKey`], and one per data key.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    secrets: Secrets,
    finds: Finds,
}

/// Which tenants a table finds.
#[derive(Clone, Copy, Debug)]
enum Finds {
    /// Those that installed the app, with these attributes.
    Installed(&'static [&'static str]),
    /// Those that sign webhooks of this kind.
    Signed(Kind),
}

impl Table {
    /// A table by its name.
    pub fn new(aws: &SdkConfig, name: impl Into<String>, secrets: Secrets) -> Self {
        let finds = Finds::Installed(&RECEIVER_READS);
        Self { client: Client::new(aws), name: name.into(), secrets, finds }
    }

    /// A table that finds what a handler needs to call the API of its tenants. It finds no previous
    /// secrets.
    pub fn for_callers(aws: &SdkConfig, name: impl Into<String>, secrets: Secrets) -> Self {
        Self { finds: Finds::Installed(&CALLER_READS), ..Self::new(aws, name, secrets) }
    }

    /// A table that finds the tenants that sign webhooks of this kind, by their names.
    pub fn for_signed(
        aws: &SdkConfig,
        name: impl Into<String>,
        secrets: Secrets,
        kind: Kind,
    ) -> Self {
        Self { finds: Finds::Signed(kind), ..Self::new(aws, name, secrets) }
    }

    /// Opens the connections and decrypts the current data key before the first invocation, while
    /// Lambda still grants extra CPU: a handshake takes ten times as long in the first invocation. It
    /// takes a second at most. Errors are ignored, as the invocation reports them better.
    pub async fn warm_up(&self) {
        let data_key = self.load_data_key(Timestamp::now());
        let _ = tokio::time::timeout(Duration::from_secs(1), data_key).await;
    }

    /// Reads some attributes of a row.
    async fn row(&self, key: &str, attributes: &[&str]) -> Result<Option<Row>, Unavailable> {
        let found = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(KEY, string(key))
            .projection_expression(attributes.join(", "))
            // The first webhook may follow its install immediately, and a refused one is not
            // repeated.
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.unavailable(error))?;
        Ok(found.item)
    }

    fn unavailable(&self, source: impl Into<runtime::Error>) -> Unavailable {
        Unavailable::Table { table: self.name.clone(), source: source.into() }
    }
}

impl Find for Table {
    async fn find(&self, key: &ClientKey, now: Timestamp) -> Result<Option<Tenant>, Unavailable> {
        let (key, reads, kind) = match self.finds {
            Finds::Installed(reads) => (RowKey::from(key), reads, None),
            Finds::Signed(kind) => {
                let Ok(name) = key.as_str().parse::<TenantName>() else { return Ok(None) };
                (RowKey::from(&name), &SIGNED_READS[..], Some(kind))
            }
        };
        let Some(row) = self.row(key.as_str(), reads).await? else { return Ok(None) };
        // The secret of one kind of sender verifies nothing of another.
        if signed::kind(&row) != kind {
            return Ok(None);
        }
        self.tenant(&key, &row, now).await
    }
}

impl Table {
    /// All tenants that have the app installed, with the base URLs of their sites. It scans the
    /// whole table, so it is for tools. Needs `dynamodb:Scan`, `dynamodb:GetItem`
    /// and `kms:Decrypt`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table or the key did not answer, or a single secret cannot be
    /// decrypted.
    pub async fn sites(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(ClientKey, String, Tenant)>, Unavailable> {
        let mut sites = Vec::new();
        for row in self.rows().await? {
            let text = |name| row.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
            let key = text(KEY).and_then(|key| ClientKey::new(key.as_str()).ok());
            let (Some(key), Some(base_url)) = (key, text(BASE_URL)) else { continue };
            if let Some(tenant) = self.tenant(&RowKey::from(&key), &row, now).await? {
                sites.push((key, base_url.clone(), tenant));
            }
        }
        Ok(sites)
    }

    /// All rows, page by page.
    async fn rows(&self) -> Result<Vec<Row>, Unavailable> {
        let scan = self.client.scan().table_name(&self.name).consistent_read(true);
        let rows: Result<Vec<Row>, _> = scan.into_paginator().items().send().collect().await;
        rows.map_err(|error| self.unavailable(error))
    }

    async fn tenant(
        &self,
        key: &RowKey,
        row: &Row,
        now: Timestamp,
    ) -> Result<Option<Tenant>, Unavailable> {
        let product = row.get(PRODUCT).and_then(|product| Product::parse(product.as_s().ok()?));
        // A row without a secret is an uninstalled tenant.
        let (Some(secret), Some(product)) = (row.get(SECRET), product) else { return Ok(None) };
        let secret = self.open(secret, key).await?;
        // One after the other, as both may need the same data key. Decrypted only while it is valid.
        let until = row.get(PREVIOUS_UNTIL).and_then(timestamp).filter(|until| now < *until);
        let previous = match (row.get(PREVIOUS_SECRET), until) {
            (Some(previous), Some(until)) => Some((self.open(previous, key).await?, until)),
            _ => None,
        };
        let text = |name| row.get(name).and_then(|value| value.as_s().ok()).cloned();
        let (base_url, oauth_client_id) = (text(BASE_URL), text(OAUTH_CLIENT_ID));
        Ok(Some(Tenant { product, base_url, oauth_client_id, secret, previous }))
    }
}

impl Install for Table {
    async fn install(
        &self,
        installation: &Installation,
        at: SignedAt,
    ) -> Result<Recorded, Unavailable> {
        for _ in 0..ATTEMPTS {
            let row = self
                .row(installation.key.as_str(), &[SECRET, SIGNED_AT])
                .await?
                .unwrap_or_default();
            let stored = row.get(SECRET);
            let before = self.before(installation, stored).await?;
            let order = match before {
                Before::Same => Order::NotEarlier,
                Before::None | Before::Other => Order::Later,
            };
            let signed = row.get(SIGNED_AT).and_then(timestamp);
            if signed.is_some_and(|signed| match order {
                Order::NotEarlier => at.signed < signed,
                Order::Later | Order::First => at.signed <= signed,
            }) {
                return Ok(Recorded::Outdated);
            }
            let change = Change { order, signed: Some(at.signed), now: at.now, enabled: None };
            let update = self.installed(installation, change, stored, before).await?;
            // Otherwise another callback was recorded since the row was read: compare again.
            if let Held::Yes = self.conditional(update).await? {
                return Ok(Recorded::Yes);
            }
        }
        Err(self.unavailable("other callbacks of the same tenant got in the way"))
    }
}

/// What an update for an install writes besides the installation, and its place in the order of
/// callbacks.
#[derive(Clone, Copy)]
struct Change {
    order: Order,
    /// When it was signed, if that is known.
    signed: Option<Timestamp>,
    now: Timestamp,
    /// Whether the app is enabled, for a row that does not say.
    enabled: Option<bool>,
}

/// How an update relates to the callback that the row has recorded. A row without one takes any.
#[derive(Clone, Copy)]
enum Order {
    /// It was signed later.
    Later,
    /// It was signed later, or in the same second.
    NotEarlier,
    /// The row has recorded no callback.
    First,
}

/// The stored secret, compared with the one that an install brings.
#[derive(Clone, Copy)]
enum Before {
    /// There is none, or it cannot be decrypted.
    None,
    /// It is the same secret.
    Same,
    /// It is another secret.
    Other,
}

impl Table {
    /// Compares the secret that an install brings with the one that is stored.
    async fn before(
        &self,
        Installation { key, secret, .. }: &Installation,
        stored: Option<&AttributeValue>,
    ) -> Result<Before, Unavailable> {
        let Some(stored) = stored else { return Ok(Before::None) };
        match self.open(stored, &RowKey::from(key)).await {
            Ok(before) if is_same(&before, secret) => Ok(Before::Same),
            Ok(_) => Ok(Before::Other),
            // The stored secret cannot be decrypted; the new install overwrites it.
            Err(Unavailable::Secret { .. } | Unavailable::DataKey { .. }) => Ok(Before::None),
            Err(unavailable) => Err(unavailable),
        }
    }

    /// Builds the update for an install. Its condition checks the order of callbacks, and that the
    /// stored secret is still the one that was compared.
    async fn installed(
        &self,
        installation: &Installation,
        Change { order, signed, now, enabled }: Change,
        stored: Option<&AttributeValue>,
        before: Before,
    ) -> Result<UpdateItemFluentBuilder, Unavailable> {
        let Installation { key, product, secret, base_url, particulars } = installation;
        let mut update = self
            .update_of(key.as_str(), now)
            .expression_attribute_values(":product", string(product.as_str()))
            .expression_attribute_values(":base_url", string(base_url));
        let mut set = vec![
            format!("{PRODUCT} = :product"),
            format!("{BASE_URL} = :base_url"),
            format!("{UPDATED_AT} = :now"),
        ];
        let mut remove = vec![EXPIRES_AT];
        if let Some(signed) = signed {
            set.push(format!("{SIGNED_AT} = :signed"));
            update = update.expression_attribute_values(":signed", seconds(signed));
        }
        if let Some(enabled) = enabled {
            set.push(format!("{ENABLED} = if_not_exists({ENABLED}, :enabled)"));
            let enabled = AttributeValue::Bool(enabled);
            update = update.expression_attribute_values(":enabled", enabled);
        }
        for (name, value) in particulars.named() {
            // Not every install has all details; those that are missing keep their values.
            let Some(value) = value else { continue };
            set.push(format!("{name} = :{name}"));
            update = update.expression_attribute_values(format!(":{name}"), string(value));
        }
        match before {
            // A repeated install must not make the secret its own previous secret.
            Before::Same => {}
            Before::Other => {
                update = update
                    .expression_attribute_values(":until", seconds(now + PREVIOUS_SECRET_GRACE));
                set.push(format!("{PREVIOUS_SECRET} = :stored"));
                set.push(format!("{PREVIOUS_UNTIL} = :until"));
            }
            Before::None => remove.extend([PREVIOUS_SECRET, PREVIOUS_UNTIL]),
        }
        if !matches!(before, Before::Same) {
            let sealed = self.seal(secret, &RowKey::from(key), now).await?;
            update = update.expression_attribute_values(":secret", sealed);
            set.push(format!("{SECRET} = :secret"));
        }
        let unchanged = match stored {
            Some(stored) => {
                update = update.expression_attribute_values(":stored", stored.clone());
                format!("{SECRET} = :stored")
            }
            None => format!("attribute_not_exists({SECRET})"),
        };
        let first = format!("attribute_not_exists({SIGNED_AT})");
        let in_order = match order {
            Order::Later => format!("{first} OR {SIGNED_AT} < :signed"),
            Order::NotEarlier => format!("{first} OR {SIGNED_AT} <= :signed"),
            Order::First => first,
        };
        Ok(update
            .update_expression(format!("SET {} REMOVE {}", set.join(", "), remove.join(", ")))
            .condition_expression(format!("({in_order}) AND {unchanged}")))
    }
}

impl Switch for Table {
    async fn switch(
        &self,
        key: &ClientKey,
        enabled: bool,
        at: SignedAt,
    ) -> Result<Recorded, Unavailable> {
        // Within the same second `disabled` wins. If the attribute is absent, an uninstall removed
        // it.
        let in_the_same_second = if enabled {
            format!("{ENABLED} = :enabled")
        } else {
            format!("attribute_exists({ENABLED})")
        };
        let update = self
            .update(key, at)
            .update_expression(format!(
                "SET {ENABLED} = :enabled, {SWITCHED_AT} = :signed, {UPDATED_AT} = :now"
            ))
            .expression_attribute_values(":enabled", AttributeValue::Bool(enabled))
            .condition_expression(format!(
                "attribute_exists({SECRET}) AND \
                 (attribute_not_exists({SWITCHED_AT}) OR {SWITCHED_AT} < :signed OR \
                 ({SWITCHED_AT} = :signed AND {in_the_same_second}))"
            ));
        Ok(match self.conditional(update).await? {
            Held::No(row) if row.contains_key(SECRET) => Recorded::Outdated,
            Held::No(_) | Held::Yes => Recorded::Yes,
        })
    }
}

impl Uninstall for Table {
    async fn uninstall(&self, key: &ClientKey, at: SignedAt) -> Result<Recorded, Unavailable> {
        let update = self
            .update(key, at)
            // The row keeps the time of signing, so that older callbacks are refused.
            .update_expression(format!(
                "SET {EXPIRES_AT} = :expires, {SIGNED_AT} = :signed, {SWITCHED_AT} = :signed, \
                 {UPDATED_AT} = :now \
                 REMOVE {SECRET}, {PREVIOUS_SECRET}, {PREVIOUS_UNTIL}, {ENABLED}",
            ))
            .expression_attribute_values(":expires", seconds(at.now + RETENTION))
            .condition_expression(format!(
                "attribute_not_exists({SIGNED_AT}) OR {SIGNED_AT} <= :signed"
            ));
        Ok(match self.conditional(update).await? {
            Held::Yes => Recorded::Yes,
            Held::No(_) => Recorded::Outdated,
        })
    }
}

/// The outcome of a conditional update.
enum Held {
    /// The condition held, and the row is updated.
    Yes,
    /// The condition failed, for this row.
    No(Row),
}

impl Table {
    /// Starts an update with the values `:signed` and `:now`.
    fn update(&self, key: &ClientKey, at: SignedAt) -> UpdateItemFluentBuilder {
        self.update_of(key.as_str(), at.now)
            .expression_attribute_values(":signed", seconds(at.signed))
    }

    /// Starts an update with the value `:now`.
    fn update_of(&self, key: &str, now: Timestamp) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key(KEY, string(key))
            .expression_attribute_values(":now", seconds(now))
    }

    /// Sends a conditional update.
    async fn conditional(&self, update: UpdateItemFluentBuilder) -> Result<Held, Unavailable> {
        let update = update
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(Held::Yes),
            Err(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Held::No(failed.item.unwrap_or_default()))
            }
            Err(error) => Err(self.unavailable(error)),
        }
    }
}

/// How often an install is retried while other callbacks change the same row. Each of those was
/// signed later than the one before it, so a few retries are enough.
const ATTEMPTS: usize = 8;

const ENABLED: &str = "enabled";
/// When the last recorded install or uninstall was signed. It never decreases.
const SIGNED_AT: &str = "signedAt";
/// When the callback that set [`ENABLED`] was signed.
const SWITCHED_AT: &str = "switchedAt";
const UPDATED_AT: &str = "updatedAt";

type Row = HashMap<String, AttributeValue>;

fn is_same(one: &SharedSecret, other: &SharedSecret) -> bool {
    one.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn seconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_second().to_string())
}

fn timestamp(value: &AttributeValue) -> Option<Timestamp> {
    Timestamp::from_second(value.as_n().ok()?.parse().ok()?).ok()
}
