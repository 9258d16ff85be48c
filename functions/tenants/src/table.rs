//! The tenants' table on DynamoDB.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use connect::event::Product;
use connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;

use crate::{
    Find, GRACE, Install, Installation, RETENTION, Switch, Tenant, Unavailable, Uninstall,
};

/// One row a tenant, by its client key.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The variable that names the table.
    pub const VARIABLE: &str = "TENANTS_TABLE";
    /// The partition key: the client key, a string.
    pub const KEY: &str = "clientKey";
    /// When DynamoDB may delete the row, in seconds since 1970: its time-to-live attribute.
    pub const EXPIRES_AT: &str = "expiresAt";
    /// What [`Find`] reads, and all that a receiver's role lets it read.
    pub const FOUND: [&str; 4] = [SECRET, PREVIOUS_SECRET, PREVIOUS_UNTIL, PRODUCT];

    /// A table by its name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Opens the connection while Lambda still gives the start its burst of CPU: a handshake costs
    /// ten times as long in the first invocation. A failure here is one that the invocation reports
    /// better.
    pub async fn warm_up(&self) {
        let nobody = ClientKey::new("warm-up").expect("a plain word");
        let _ = tokio::time::timeout(Duration::from_secs(1), self.find(&nobody)).await;
    }

    fn update(&self, key: &ClientKey, now: Timestamp) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key(Self::KEY, string(key.as_str()))
            .expression_attribute_values(":now", seconds(now))
    }

    fn unavailable(&self, source: impl Into<lambda::Error>) -> Unavailable {
        Unavailable { table: self.name.clone(), source: source.into() }
    }
}

impl Find for Table {
    async fn find(&self, key: &ClientKey) -> Result<Option<Tenant>, Unavailable> {
        let found = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(Self::KEY, string(key.as_str()))
            .projection_expression(Self::FOUND.join(", "))
            // The first webhook may follow an install at once, and the sender does not try again
            // after a refusal.
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.unavailable(error))?;
        Ok(found.item.as_ref().and_then(tenant))
    }
}

impl Install for Table {
    async fn install(&self, installation: &Installation) -> Result<(), Unavailable> {
        let site = format!(
            "{SECRET} = :secret, {PRODUCT} = :product, {BASE_URL} = :base_url, \
             {UPDATED_AT} = :now REMOVE {EXPIRES_AT}",
            EXPIRES_AT = Self::EXPIRES_AT,
        );
        let update = || {
            self.update(&installation.key, installation.at)
                .expression_attribute_values(":secret", string(installation.secret.expose()))
                .expression_attribute_values(":product", string(installation.product.as_str()))
                .expression_attribute_values(":base_url", string(&installation.base_url))
        };
        // `if_not_exists`: on a first install the previous secret is the new one, which changes
        // nothing. The condition keeps the previous secret when the same install comes twice.
        let rotation = update()
            .update_expression(format!(
                "SET {PREVIOUS_SECRET} = if_not_exists({SECRET}, :secret), \
                 {PREVIOUS_UNTIL} = :until, {site}"
            ))
            .expression_attribute_values(":until", seconds(installation.at + GRACE))
            .condition_expression(format!("attribute_not_exists({SECRET}) OR {SECRET} <> :secret"));
        if self.conditional(rotation).await? {
            return Ok(());
        }
        let same_secret = update().update_expression(format!("SET {site}")).send().await;
        same_secret.map(drop).map_err(|error| self.unavailable(error))
    }
}

impl Switch for Table {
    async fn switch(
        &self,
        key: &ClientKey,
        enabled: bool,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let update = self
            .update(key, now)
            .update_expression(format!("SET {ENABLED} = :enabled, {UPDATED_AT} = :now"))
            .expression_attribute_values(":enabled", AttributeValue::Bool(enabled));
        self.if_present(update, SECRET).await
    }
}

impl Uninstall for Table {
    async fn uninstall(&self, key: &ClientKey, now: Timestamp) -> Result<(), Unavailable> {
        let update = self
            .update(key, now)
            .update_expression(format!(
                "SET {EXPIRES_AT} = :expires, {UPDATED_AT} = :now \
                 REMOVE {SECRET}, {PREVIOUS_SECRET}, {PREVIOUS_UNTIL}, {ENABLED}",
                EXPIRES_AT = Self::EXPIRES_AT,
            ))
            .expression_attribute_values(":expires", seconds(now + RETENTION));
        self.if_present(update, Self::KEY).await
    }
}

impl Table {
    /// Sends an update that must not create a row.
    async fn if_present(
        &self,
        update: UpdateItemFluentBuilder,
        attribute: &str,
    ) -> Result<(), Unavailable> {
        let condition = format!("attribute_exists({attribute})");
        self.conditional(update.condition_expression(condition)).await.map(drop)
    }

    /// Sends an update with a condition, and says whether that held.
    async fn conditional(&self, update: UpdateItemFluentBuilder) -> Result<bool, Unavailable> {
        match update.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error))
                if error.err().is_conditional_check_failed_exception() =>
            {
                Ok(false)
            }
            Err(error) => Err(self.unavailable(error)),
        }
    }
}

const SECRET: &str = "sharedSecret";
const PREVIOUS_SECRET: &str = "previousSecret";
const PREVIOUS_UNTIL: &str = "previousUntil";
const PRODUCT: &str = "product";
const BASE_URL: &str = "baseUrl";
const ENABLED: &str = "enabled";
const UPDATED_AT: &str = "updatedAt";

/// A row without a secret is a tenant that left.
fn tenant(row: &HashMap<String, AttributeValue>) -> Option<Tenant> {
    let secret = |name| Some(SharedSecret::new(row.get(name)?.as_s().ok()?));
    let until = || {
        let until = row.get(PREVIOUS_UNTIL)?.as_n().ok()?;
        Timestamp::from_second(until.parse().ok()?).ok()
    };
    Some(Tenant {
        product: Product::parse(row.get(PRODUCT)?.as_s().ok()?)?,
        secret: secret(SECRET)?,
        previous: secret(PREVIOUS_SECRET).zip(until()),
    })
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn seconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_second().to_string())
}
