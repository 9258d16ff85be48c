//! Who installed the app.
//!
//! One trait per verb, so that a function's signature says which permissions it needs: receivers
//! [`Find`], and nothing else; the lifecycle function also [`Install`]s, [`Switch`]es and
//! [`Uninstall`]s. [`Table`] is all of them on DynamoDB; a receiver asks it through [`Cached`].

mod cached;
pub mod install_keys;
pub mod lifecycle;
mod table;

pub use cached::Cached;
pub use table::Table;

use std::time::Duration;

use connect::event::Product;
use connect::jwt::{Claims, Hs256, Screened, Untrusted};
use connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;

/// How long a secret is honoured after a newer one replaced it.
///
/// A re-install may bring a new secret while webhooks signed with the old one are on their way: a
/// token lives for three minutes, and a refused webhook is lost. Fifteen minutes also cover Jira's
/// first retry.
pub const GRACE: Duration = Duration::from_secs(15 * 60);

/// How long the row of a tenant that left is kept before DynamoDB deletes it.
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

/// Looks a tenant up. Needs `dynamodb:GetItem`.
pub trait Find {
    /// The tenant with this key; `None` if it never installed the app, or uninstalled it.
    fn find(
        &self,
        key: &ClientKey,
    ) -> impl Future<Output = Result<Option<Tenant>, Unavailable>> + Send;
}

/// Records an install. Needs `dynamodb:UpdateItem`.
pub trait Install {
    /// Records a tenant and its secret. What was its secret before is honoured for [`GRACE`].
    fn install(
        &self,
        installation: &Installation,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// Records that the app was switched on or off. Needs `dynamodb:UpdateItem`.
pub trait Switch {
    /// Records it, if the tenant is installed.
    fn switch(
        &self,
        key: &ClientKey,
        enabled: bool,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// Forgets a tenant's secrets. Needs `dynamodb:UpdateItem`.
pub trait Uninstall {
    /// Removes the secrets at once, and the row after [`RETENTION`]. An unknown tenant is none.
    fn uninstall(
        &self,
        key: &ClientKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
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
    /// When.
    pub at: Timestamp,
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
