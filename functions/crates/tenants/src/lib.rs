//! Who installed the app.
//!
//! One trait per verb, so that a function's signature says which permissions it needs: receivers
//! [`Find`], and nothing else; the lifecycle function also [`Install`]s, [`Switch`]es and
//! [`Uninstall`]s. [`Table`] is all of them on DynamoDB; a receiver asks it through [`Cached`].

mod cached;
mod secrets;
mod table;

pub use cached::Cached;
pub use secrets::Secrets;
pub use table::Table;

use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::jwt::{Claims, Hs256, Screened, Untrusted};
use atlassian_connect::lifecycle::Particulars;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;

/// How long a secret is honoured after a newer one replaced it.
///
/// A re-install may bring a new secret while webhooks signed with the old one are on their way: a
/// token lives for three minutes, and a refused webhook is lost. Fifteen minutes also cover Jira's
/// first retry.
pub const GRACE: Duration = Duration::from_secs(15 * 60);

/// How long the row of a tenant that left is kept before DynamoDB deletes it, also of one that was
/// never known.
///
/// It says when the tenant left, so that no install that was signed before counts. For that a little
/// more than [`MAX_LIFETIME`](atlassian_connect::jwt::MAX_LIFETIME) would do, as no older token is believed;
/// the rest is for an operator who asks who left and when. Only Atlassian's key can cause such rows,
/// so they cannot be many.
pub const RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A tenant that has the app installed.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The product it is a site of.
    pub product: Product,
    /// The secret that signs.
    pub secret: SharedSecret,
    /// The secret before it, and until when it still counts.
    pub previous: Option<(SharedSecret, Timestamp)>,
}

impl Tenant {
    /// Verifies a token of this tenant's.
    ///
    /// # Errors
    ///
    /// [`Untrusted::Signature`] if neither the secret nor, in its [`GRACE`], the one before signed.
    pub fn verify(&self, token: &Screened<'_, Hs256>, now: Timestamp) -> Result<Claims, Untrusted> {
        let verified = token.verify(&self.secret);
        match &self.previous {
            Some((secret, until)) if verified.is_err() && now < *until => token.verify(secret),
            _ => verified,
        }
    }
}

/// Looks a tenant up. Needs `dynamodb:GetItem` and `kms:Decrypt`.
pub trait Find {
    /// The tenant with this key; `None` if it never installed the app, or uninstalled it.
    fn find(
        &self,
        key: &ClientKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Tenant>, Unavailable>> + Send;
}

/// Records an install. Needs `dynamodb:GetItem`, `dynamodb:UpdateItem`, `kms:Decrypt` and
/// `kms:Encrypt`.
pub trait Install {
    /// Records a tenant and its secret. What was its secret before is honoured for [`GRACE`]. What
    /// the callback does not say of the site stays as it was.
    fn install(
        &self,
        installation: &Installation,
        at: Moment,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;
}

/// Records that the app was switched on or off. Needs `dynamodb:UpdateItem`.
pub trait Switch {
    /// Records it, if the tenant is installed. For one that has left there is nothing to record.
    fn switch(
        &self,
        key: &ClientKey,
        enabled: bool,
        at: Moment,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;
}

/// Forgets a tenant's secrets. Needs `dynamodb:UpdateItem`.
pub trait Uninstall {
    /// Removes the secrets at once, and the row after [`RETENTION`]. A tenant that is not known gets
    /// a row as well: its install may have been overtaken, and comes too late then.
    fn uninstall(
        &self,
        key: &ClientKey,
        at: Moment,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;
}

/// What an `installed` callback says.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The tenant.
    pub key: ClientKey,
    /// The product it is a site of.
    pub product: Product,
    /// The secret that signs from now on.
    pub secret: SharedSecret,
    /// The site.
    pub base_url: String,
    /// What else the callback says of the site, and this project only keeps.
    pub particulars: Particulars,
}

/// When a callback was signed, and when it came.
///
/// Callbacks of a tenant are ordered by when they were signed, in the whole seconds of an `iat`, in
/// whatever order they come:
///
/// - What was signed later stands. For equal seconds an uninstall stands over an install, and
///   `disabled` over `enabled`: the word that takes something away.
/// - A token installs once. Another install of the same second is a repetition, and has to bring the
///   same secret: the token does not cover the body.
///
/// There is no tolerance for clocks of Atlassian's that differ. Within one, a token that was seen
/// could be used again: an install after the uninstall that ended it, or an older secret after a
/// newer one. So an honest callback is refused if its signer's clock is behind by more than the time
/// since the callback before. Whoever installs sees that it failed, and can do it again seconds
/// later; the operator sees the alarm.
///
/// A time that lies ahead, by [`LEEWAY`](atlassian_connect::jwt::LEEWAY) at the most, is recorded as it is. To
/// record `now` in its place would let the next honest callback pass sooner, and with it the same
/// token, for as long as its time has not come.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When it was signed: the `iat` claim of its token.
    pub signed: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Whether a callback counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The row says what the callback says.
    Yes,
    /// The row has a later word, which stands: see [`Moment`].
    Outdated,
}

/// Why a token is not known to be a tenant's.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// The issuer has not installed the app.
    #[error("no tenant {tenant} is installed; its site has to install the app again")]
    Unknown {
        /// The issuer of the token.
        tenant: ClientKey,
    },
    /// The tenant did not sign it.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The tenant could not be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Tenants could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The table did not do what it was asked.
    #[error(
        "the table {table} is unavailable; check that it exists and what the function's role allows"
    )]
    Table {
        /// The table.
        table: String,
        /// What the SDK says.
        #[source]
        source: runtime::Error,
    },
    /// KMS did not do what it was asked.
    #[error(
        "the KMS key of the tenants' secrets is unavailable; check that it is enabled and what the \
         function's role allows"
    )]
    Key(#[source] runtime::Error),
    /// A secret cannot be read, and will not be.
    #[error(
        "the secret in the row of {tenant} is not one that this app wrote there; find out who did, \
         and let the site install the app again"
    )]
    Secret {
        /// The tenant.
        tenant: ClientKey,
        /// Why.
        #[source]
        source: runtime::Error,
    },
}
