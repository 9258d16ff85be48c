//! The store of tenants: who has installed the app, and with which secret.
//!
//! There is one trait for each operation, so that a function's signature shows which permissions it
//! needs. Receivers only [`Find`]; the lifecycle function also needs [`Install`], [`Switch`] and
//! [`Uninstall`]. [`Table`] implements all of them on DynamoDB, and receivers use it through
//! [`Cached`]. What only tools do has no trait: [`Table::entries`] lists all rows, and
//! [`Table::import`] records a tenant of another app's store, and [`Table::reseal`] replaces the data
//! key of the secrets.
//!
//! Tenants that sign their webhooks did not install anything. An operator adds them with
//! [`Table::add_signed`], and receivers find them through [`Table::for_signed`]. Their rows are in the
//! same table, under a [`RowKey`] that no client key is.

mod cached;
mod kms;
mod row_key;
mod sealed;
mod secrets;
mod table;

pub use cached::Cached;
pub use row_key::RowKey;
pub use secrets::Secrets;
pub use table::Table;
pub use table::reseal::{REMOVAL_AFTER, Removed, Resealed};
pub use table::signed::{Added, Changed, SignedEntry};
pub use table::transfer::{Entry, Import, Imported, State};

use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::jwt::{Claims, Hs256, Screened, Untrusted};
use atlassian_connect::lifecycle::SiteDetails;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;

/// How long a secret stays valid after a newer one replaced it.
///
/// A new install may bring a new secret while webhooks that were signed with the old one are still
/// in transit: a token lives for three minutes, and a refused webhook is lost. Fifteen minutes also
/// cover Jira's first retry.
pub const PREVIOUS_SECRET_GRACE: Duration = Duration::from_secs(15 * 60);

/// The maximum length of a secret, in bytes. Atlassian's have at most 128 characters.
pub const MAX_SECRET_LEN: usize = 1024;

/// How long the row of an uninstalled tenant is kept before DynamoDB deletes it.
///
/// The row records when the uninstall was signed, so that an install that was signed earlier is
/// refused. This also applies to a tenant that was never known. A little more than
/// [`MAX_LIFETIME`](atlassian_connect::jwt::MAX_LIFETIME) would be enough, because no older token
/// is accepted; the rest is for an operator who asks who uninstalled the app, and when. Only a
/// token that Atlassian signed creates such rows, so there cannot be many.
pub const RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A tenant that has the app installed.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The product of the site.
    pub product: Product,
    /// The base URL of the site, if the row has one.
    pub base_url: Option<String>,
    /// The client of the site in OAuth 2.0, if the row has one and the table was opened with
    /// [`Table::for_callers`].
    pub oauth_client_id: Option<String>,
    /// The current secret.
    pub secret: SharedSecret,
    /// The previous secret, and until when it is valid.
    pub previous: Option<(SharedSecret, Timestamp)>,
}

impl Tenant {
    /// Verifies a token that names this tenant as its issuer.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::Signature`] if it was signed with neither the current secret nor, within
    /// [`PREVIOUS_SECRET_GRACE`], the previous one.
    pub fn verify(&self, token: &Screened<'_, Hs256>, now: Timestamp) -> Result<Claims, Untrusted> {
        self.try_secrets(now, |secret| token.verify(secret))
    }

    /// Verifies something with the current secret and, while it is valid, with the previous one.
    fn try_secrets<T, E>(
        &self,
        now: Timestamp,
        verify: impl Fn(&SharedSecret) -> Result<T, E>,
    ) -> Result<T, E> {
        let verified = verify(&self.secret);
        match &self.previous {
            Some((secret, until)) if verified.is_err() && now < *until => verify(secret),
            _ => verified,
        }
    }
}

/// Looks up a tenant. Needs `dynamodb:GetItem` and `kms:Decrypt`.
pub trait Find {
    /// The tenant with this key; `None` if it never installed the app, or uninstalled it.
    fn find(
        &self,
        key: &ClientKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Tenant>, Unavailable>> + Send;
}

/// Records an install. Needs `dynamodb:GetItem`, `dynamodb:UpdateItem`, `kms:Decrypt` and
/// `kms:GenerateDataKey`.
pub trait Install {
    /// Records a tenant and its secret. The previous secret stays valid for [`PREVIOUS_SECRET_GRACE`]. Details of
    /// the site that the callback does not mention keep their values.
    fn install(
        &self,
        installation: &Installation,
        at: SignedAt,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;
}

/// Records that the app was enabled or disabled. Needs `dynamodb:UpdateItem`.
pub trait Switch {
    /// Records the state if the tenant is installed. For an uninstalled tenant this is a no-op.
    fn switch(
        &self,
        key: &ClientKey,
        enabled: bool,
        at: SignedAt,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;
}

/// Removes a tenant's secrets. Needs `dynamodb:UpdateItem`.
pub trait Uninstall {
    /// Removes the secrets at once, and the row after [`RETENTION`]. An unknown tenant gets a row
    /// as well: its install may arrive later although it was signed earlier, and is refused then.
    fn uninstall(
        &self,
        key: &ClientKey,
        at: SignedAt,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;
}

/// The content of an `installed` callback.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The tenant.
    pub key: ClientKey,
    /// The product of the site.
    pub product: Product,
    /// The new secret.
    pub secret: SharedSecret,
    /// The base URL of the site.
    pub base_url: String,
    /// Further details of the site. They are stored and not used.
    pub particulars: SiteDetails,
}

/// The times that order a callback: when it was signed, and when it arrived.
///
/// Callbacks of a tenant are ordered by the `iat` of their tokens, in whole seconds, regardless of
/// the order in which they arrive:
///
/// - The callback that was signed later wins. Within the same second an uninstall wins over an
///   install, and `disabled` over `enabled`.
/// - A token installs once. Another install of the same second is treated as a repetition and must
///   bring the same secret, because the token does not cover the body.
///
/// There is no tolerance for differences between Atlassian's clocks. A tolerance would allow a
/// token to be reused: an install after the uninstall that ended it, or an older secret after a
/// newer one. So a genuine callback is refused if its signer's clock is behind by more than the
/// time since the previous callback. The administrator sees that the install failed and can repeat
/// it seconds later, and the operator sees the alarm.
///
/// A time in the future, by at most [`LEEWAY`](atlassian_connect::jwt::LEEWAY), is recorded as it
/// is. Recording `now` instead would accept the next genuine callback sooner, but also the same
/// token again, until its time has come.
#[derive(Clone, Copy, Debug)]
pub struct SignedAt {
    /// When the callback was signed: the `iat` claim of its token.
    pub signed: Timestamp,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of recording a callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The row has the state that the callback describes.
    Yes,
    /// A callback that was signed later is recorded already; see [`SignedAt`].
    Outdated,
}

/// Why a token, or what else a tenant signed, could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified<E = Untrusted> {
    /// There is no such tenant.
    #[error("the tenant {tenant} is not known")]
    Unknown {
        /// The tenant that the request names.
        tenant: ClientKey,
    },
    /// It is not trusted.
    #[error(transparent)]
    Untrusted(E),
    /// The tenant could not be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why tenants could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// DynamoDB did not answer, or refused.
    #[error(
        "the table {table} is unavailable; check that it exists and that the function's role may use it"
    )]
    Table {
        /// The table.
        table: String,
        /// The error of the SDK.
        #[source]
        source: runtime::Error,
    },
    /// KMS did not answer, or refused.
    #[error(
        "the KMS key of the tenants' secrets is unavailable; check that it is enabled and that the \
         function's role may use it"
    )]
    Key(#[source] runtime::Error),
    /// A data key cannot be decrypted, now or later, or is missing.
    #[error(
        "the row `{name}` of the table, a data key, is missing or cannot be decrypted; check that \
         TENANTS_KEY is the key of this table, and restore the row from a backup of the table"
    )]
    DataKey {
        /// The name of the data key.
        name: String,
        /// The cause.
        #[source]
        source: runtime::Error,
    },
    /// A stored secret cannot be decrypted, now or later.
    #[error(
        "the stored secret of {tenant} was not written by this app; find out who changed the table, \
         and install the app on that site again, or replace the secret of a tenant that signs its webhooks \
         with `cargo hooks tenants rotate`"
    )]
    Secret {
        /// The tenant.
        tenant: RowKey,
        /// The cause.
        #[source]
        source: runtime::Error,
    },
}
