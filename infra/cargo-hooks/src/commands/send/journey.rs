//! The way of a delivery after its response.

use super::Sent;
use crate::session::Session;

/// Says where the way of a delivery to its handler is shown.
///
/// # Errors
///
/// None.
pub(super) async fn follow(session: &Session, sent: &Sent) -> anyhow::Result<()> {
    let identifier = sent.identifier.as_deref();
    let identifier = identifier.map(|id| format!(", identifier {id}")).unwrap_or_default();
    println!(
        "queued at {}{identifier}; `cargo hooks local` shows what its handler does",
        session.url
    );
    Ok(())
}
