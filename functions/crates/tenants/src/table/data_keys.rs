//! The rows of data keys, and the secrets that they encrypt.
//!
//! A data key's row is written once. Its name has the year in which it was made, so the first install
//! of a year makes a new data key, and nothing points to the current one: it is the last of the year.

use atlassian_connect::tenant::SharedSecret;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::tenants_table::{DATA_KEY, KEY};
use jiff::Timestamp;

use super::{Held, Row, Table, UPDATED_AT};
use crate::kms::Failed;
use crate::sealed::{DataKeyName, Owner, Sealed};
use crate::secrets::{Key, Plaintext, Subject};
use crate::{RowKey, Unavailable};

impl Table {
    /// Encrypts a secret with the current data key. The first secret of a year makes it.
    pub(super) async fn seal(
        &self,
        secret: &SharedSecret,
        tenant: &RowKey,
        now: Timestamp,
    ) -> Result<AttributeValue, Unavailable> {
        let Some(key) = self.secrets.key() else {
            return Ok(AttributeValue::S(secret.expose().into()));
        };
        // Not from memory: after a data key was replaced, no secret may be encrypted with it.
        let (name, data_key) = match self.current(year(now)).await? {
            Some(row) => {
                let data_key = self.decrypted(key, &row).await?;
                (row.name, data_key)
            }
            None => self.make(key, DataKeyName::new(year(now), 0), now).await?,
        };
        sealed(secret, Owner { app: key.app(), tenant }, &name, &data_key)
    }

    /// Decrypts a stored secret.
    ///
    /// If there is a key, a plaintext value is refused. Otherwise anyone who can write to the
    /// table, without access to the key, could choose a tenant's secret.
    pub(super) async fn open(
        &self,
        stored: &AttributeValue,
        tenant: &RowKey,
    ) -> Result<SharedSecret, Unavailable> {
        let unreadable =
            |source: runtime::Error| Unavailable::Secret { tenant: tenant.clone(), source };
        let (key, stored) = match (self.secrets.key(), stored) {
            (None, AttributeValue::S(secret)) => return Ok(SharedSecret::new(secret)),
            (Some(key), AttributeValue::B(stored)) => (key, stored.as_ref()),
            (None, _) => return Err(unreadable(NO_KEY.into())),
            (Some(_), _) => return Err(unreadable(PLAINTEXT.into())),
        };
        if Sealed::is_marked(stored) {
            let sealed = Sealed::parse(stored).map_err(|error| unreadable(error.into()))?;
            let data_key = self.data_key(key, &sealed.data_key).await?;
            let owner = Owner { app: key.app(), tenant };
            return sealed.open(owner, &data_key).map_err(|error| unreadable(error.into()));
        }
        let secret = key.decrypt(Subject::Secret(tenant), stored).await;
        let secret = secret.map_err(|failed| match failed {
            Failed::Unreadable(error) => unreadable(error),
            Failed::Unavailable(error) => Unavailable::Key(error),
        })?;
        // Without its source, which would tell where the bytes are wrong.
        let secret = str::from_utf8(&secret).map_err(|_| unreadable(NOT_TEXT.into()))?;
        Ok(SharedSecret::new(secret))
    }

    /// Decrypts the current data key, or that of the year before. Without one, KMS is not asked.
    pub(super) async fn load_data_key(&self, now: Timestamp) -> Result<(), Unavailable> {
        for year in [year(now), year(now) - 1] {
            let current = self.current(year).await?;
            if let (Some(row), Some(key)) = (current, self.secrets.key()) {
                return self.decrypted(key, &row).await.map(drop);
            }
        }
        Ok(())
    }

    /// A data key by its name.
    async fn data_key(&self, key: &Key, name: &DataKeyName) -> Result<Plaintext, Unavailable> {
        if let Some(data_key) = key.known(name) {
            return Ok(data_key);
        }
        let row = self.row(name.as_str(), &[DATA_KEY]).await?;
        let row = DataKeyRow::of(name.clone(), &row.unwrap_or_default());
        self.decrypted(key, &row).await
    }

    /// The row of a year's current data key; `None` if the year has none.
    pub(super) async fn current(&self, year: i16) -> Result<Option<DataKeyRow>, Unavailable> {
        let mut current = None;
        for number in 0.. {
            let name = DataKeyName::new(year, number);
            // With its own key, because a row without the other attribute would be empty.
            let Some(row) = self.row(name.as_str(), &[KEY, DATA_KEY]).await? else { break };
            current = Some(DataKeyRow::of(name, &row));
        }
        Ok(current)
    }

    /// Makes a data key, unless its row is there already.
    pub(super) async fn make(
        &self,
        key: &Key,
        name: DataKeyName,
        now: Timestamp,
    ) -> Result<(DataKeyName, Plaintext), Unavailable> {
        let (ciphertext, plaintext) = key.generate(&name).await.map_err(Unavailable::Key)?;
        let update = self
            .update_of(name.as_str(), now)
            .update_expression(format!("SET {DATA_KEY} = :made, {UPDATED_AT} = :now"))
            .expression_attribute_values(":made", AttributeValue::B(Blob::new(&*ciphertext)))
            .condition_expression(format!("attribute_not_exists({KEY})"));
        match self.conditional(update).await? {
            Held::Yes => {
                key.remember(Subject::DataKey(&name), &ciphertext, &plaintext);
                Ok((name, plaintext))
            }
            // Another install was first.
            Held::No(row) => {
                let row = DataKeyRow::of(name, &row);
                let plaintext = self.decrypted(key, &row).await?;
                Ok((row.name, plaintext))
            }
        }
    }

    async fn decrypted(&self, key: &Key, row: &DataKeyRow) -> Result<Plaintext, Unavailable> {
        let unreadable = |source| unreadable(&row.name, source);
        let ciphertext = row.ciphertext.as_deref().ok_or_else(|| unreadable(MISSING.into()))?;
        key.decrypt(Subject::DataKey(&row.name), ciphertext).await.map_err(|failed| match failed {
            Failed::Unreadable(error) => unreadable(error),
            Failed::Unavailable(error) => Unavailable::Key(error),
        })
    }
}

/// The row of a data key.
pub(super) struct DataKeyRow {
    pub(super) name: DataKeyName,
    /// The data key, as KMS encrypted it. `None` if it was removed.
    pub(super) ciphertext: Option<Vec<u8>>,
}

impl DataKeyRow {
    pub(super) fn of(name: DataKeyName, row: &Row) -> Self {
        let ciphertext = row.get(DATA_KEY).and_then(|value| value.as_b().ok());
        Self { name, ciphertext: ciphertext.map(|blob| blob.as_ref().to_vec()) }
    }
}

/// The stored form of a secret.
pub(super) fn sealed(
    secret: &SharedSecret,
    owner: Owner<'_>,
    name: &DataKeyName,
    data_key: &Plaintext,
) -> Result<AttributeValue, Unavailable> {
    let sealed = Sealed::seal(secret, owner, (name, data_key.as_slice()));
    let sealed = sealed.map_err(|error| unreadable(name, error.into()))?;
    Ok(AttributeValue::B(Blob::new(sealed)))
}

fn unreadable(name: &DataKeyName, source: runtime::Error) -> Unavailable {
    Unavailable::DataKey { name: name.to_string(), source }
}

/// The year of a time, in UTC.
pub(super) fn year(time: Timestamp) -> i16 {
    time.to_zoned(jiff::tz::TimeZone::UTC).year()
}

const NO_KEY: &str =
    "the secret is encrypted and TENANTS_KEY is not set; set it to the key of the template";
const PLAINTEXT: &str = "the secret is stored as plaintext although TENANTS_KEY is set";
const NOT_TEXT: &str = "the decrypted secret is not UTF-8";
const MISSING: &str = "the table has no such data key";
