//! What tools do with the table: list its rows, and import the tenants of another store.

use std::fmt;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::SiteDetails;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use aws_sdk_dynamodb::types::AttributeValue;
use contract::tenants_table::{BASE_URL, KEY, PRODUCT, SECRET};
use jiff::Timestamp;

use super::{
    ATTEMPTS, Before, Change, ENABLED, Held, Order, Row, SIGNED_AT, SWITCHED_AT, Table, UPDATED_AT,
    timestamp,
};
use crate::{Installation, RowKey, Unavailable};

/// A row of the table, without its secret.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The tenant.
    pub key: ClientKey,
    /// The product of the site. `None` if only an uninstall was recorded.
    pub product: Option<Product>,
    /// The base URL of the site. `None` if only an uninstall was recorded.
    pub base_url: Option<String>,
    /// What the tenant has done with the app.
    pub state: State,
    /// Since when the row has this state: when its callback was signed, or when it was imported.
    pub since: Option<Timestamp>,
    /// When the last recorded install or uninstall was signed. `None` for an import without a date.
    pub signed: Option<Timestamp>,
    /// Further details of the site.
    pub particulars: SiteDetails,
    secret: Option<Sealed>,
}

/// What a tenant has done with the app.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It has the app installed.
    Installed,
    /// It has the app installed and disabled.
    Disabled,
    /// It was imported without a date, and has sent no install since.
    Imported,
    /// It uninstalled the app.
    Uninstalled,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Installed => "installed",
            Self::Disabled => "disabled",
            Self::Imported => "imported",
            Self::Uninstalled => "uninstalled",
        })
    }
}

/// A tenant of another store, such as that of the server that served the app before.
#[derive(Clone, Debug)]
pub struct Import {
    /// What its install brought.
    pub installation: Installation,
    /// When that install was signed, if the other store knows.
    ///
    /// Without it the import is provisional: every install or uninstall replaces it, and it replaces
    /// nothing that a callback has recorded.
    pub signed: Option<Timestamp>,
    /// Whether the app is enabled, if the other store knows. It does not change a row that says it.
    pub enabled: Option<bool>,
}

/// The outcome of an import.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Imported {
    /// The tenant was recorded, or would be.
    Yes,
    /// The row says the same already.
    Unchanged,
    /// The row has a callback that was signed in the same second or later, or the import has no date
    /// and the row has one. It was left as it is.
    Outdated,
}

/// A secret as it is stored.
#[derive(Clone)]
struct Sealed(AttributeValue);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(redacted)")
    }
}

impl Table {
    /// All rows, with those of uninstalled tenants. It scans the whole table, so it is for tools.
    /// Needs `dynamodb:Scan`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table did not answer.
    pub async fn entries(&self) -> Result<Vec<Entry>, Unavailable> {
        // A row whose key is no client key is that of a data key, or of a tenant that signs its webhooks.
        Ok(self.rows().await?.into_iter().filter_map(entry).collect())
    }

    /// The secret of a row; `None` if its tenant uninstalled the app. Needs `dynamodb:GetItem` and
    /// `kms:Decrypt`.
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the key did not answer, or the secret cannot be decrypted.
    pub async fn secret_of(&self, entry: &Entry) -> Result<Option<SharedSecret>, Unavailable> {
        match &entry.secret {
            Some(Sealed(stored)) => self.open(stored, &RowKey::from(&entry.key)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Records a tenant of another store, or says what would be recorded if `is_dry_run`. Needs
    /// `dynamodb:GetItem`, `dynamodb:UpdateItem`, `kms:Decrypt` and `kms:GenerateDataKey`.
    ///
    /// A row with a callback is replaced only by an import that was signed later. Otherwise the
    /// import does what an install does: details that it does not have keep their values, and a
    /// previous secret stays valid for [`PREVIOUS_SECRET_GRACE`](crate::PREVIOUS_SECRET_GRACE).
    ///
    /// # Errors
    ///
    /// Returns [`Unavailable`] if the table or the key did not answer.
    pub async fn import(
        &self,
        import: &Import,
        now: Timestamp,
        is_dry_run: bool,
    ) -> Result<Imported, Unavailable> {
        let installation = &import.installation;
        let reads = [SECRET, SIGNED_AT, PRODUCT, BASE_URL, ENABLED];
        let named = installation.particulars.named();
        let reads: Vec<&str> = reads.into_iter().chain(named.map(|(name, _)| name)).collect();
        for _ in 0..ATTEMPTS {
            let row = self.row(installation.key.as_str(), &reads).await?.unwrap_or_default();
            let stored = row.get(SECRET);
            let before = self.before(installation, stored).await?;
            let recorded = row.get(SIGNED_AT).and_then(timestamp);
            if matches!(before, Before::Same) && says(&row, import) {
                return Ok(Imported::Unchanged);
            }
            // `None` is less than any date.
            if recorded.is_some() && import.signed <= recorded {
                return Ok(Imported::Outdated);
            }
            if is_dry_run {
                return Ok(Imported::Yes);
            }
            let order = if import.signed.is_some() { Order::Later } else { Order::First };
            let change = Change { order, signed: import.signed, now, enabled: import.enabled };
            let update = self.installed(installation, change, stored, before).await?;
            // Otherwise a callback was recorded since the row was read: compare again.
            if let Held::Yes = self.conditional(update).await? {
                return Ok(Imported::Yes);
            }
        }
        Err(self.unavailable("callbacks of the same tenant got in the way"))
    }
}

/// Whether a row with the same secret says all that an import says.
fn says(row: &Row, import: &Import) -> bool {
    let Import { installation, signed, enabled } = import;
    let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let of_callback = row.get(SIGNED_AT).and_then(timestamp);
    signed.is_none_or(|signed| of_callback == Some(signed))
        && (enabled.is_none() || row.contains_key(ENABLED))
        && text(PRODUCT) == Some(installation.product.as_str())
        && text(BASE_URL) == Some(&installation.base_url)
        && installation
            .particulars
            .named()
            .iter()
            .all(|(name, value)| value.is_none_or(|value| text(name) == Some(value)))
}

fn entry(mut row: Row) -> Option<Entry> {
    let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).cloned();
    let time = |name: &str| row.get(name).and_then(timestamp);
    let signed = time(SIGNED_AT);
    let is_disabled = row.get(ENABLED).and_then(|value| value.as_bool().ok()) == Some(&false);
    let (state, since) = match row.contains_key(SECRET) {
        false => (State::Uninstalled, signed),
        true if is_disabled => (State::Disabled, time(SWITCHED_AT).or(signed).or(time(UPDATED_AT))),
        true if signed.is_none() => (State::Imported, time(UPDATED_AT)),
        true => (State::Installed, signed),
    };
    let particulars = SiteDetails {
        display_url: text("displayUrl"),
        installation_id: text("installationId"),
        oauth_client_id: text("oauthClientId"),
        entitlement_id: text("entitlementId"),
        entitlement_number: text("entitlementNumber"),
    };
    Some(Entry {
        key: ClientKey::new(text(KEY)?).ok()?,
        product: text(PRODUCT).and_then(|product| Product::parse(&product)),
        base_url: text(BASE_URL),
        state,
        since,
        signed,
        particulars,
        secret: row.remove(SECRET).map(Sealed),
    })
}
