//! Tenants that sign their webhooks: their secrets, and the list of them.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;
use signed_webhooks::{Kind, Proof, TenantName};
use tenants::{Added, Changed, MAX_SECRET_LEN, SignedEntry};
use zeroize::Zeroizing;

use super::Store;
use crate::dead_letters::Form;
use crate::terminal::{escaped_json, write_table};

/// The shortest secret that is accepted, in characters. One that a person made up could be guessed from
/// a single recorded request.
pub const SHORTEST_SECRET: usize = 16;

/// Adds a tenant with this secret.
///
/// # Errors
///
/// Fails if there is one with this name, the secret is not one that a product of this kind takes, or the
/// table or its key does not answer.
pub async fn add(
    store: &Store,
    name: &TenantName,
    kind: Kind,
    secret: &SharedSecret,
) -> anyhow::Result<()> {
    check(secret, kind)?;
    let added = store.table.add_signed(name, kind, secret, Timestamp::now()).await;
    match added.with_context(|| format!("{name} is not added; {PERMISSIONS}"))? {
        Added::Yes => Ok(()),
        Added::Exists => bail!(
            "there is a tenant {name}; choose another name, or replace its secret with \
             `cargo hooks tenants rotate {name}`"
        ),
    }
}

/// Replaces the secret of a tenant. The one before it stays valid for a while.
///
/// # Errors
///
/// Fails if there is no such tenant, the secret is not one that its product takes, or the table or its key
/// does not answer.
pub async fn rotate(
    store: &Store,
    name: &TenantName,
    secret: &SharedSecret,
    previous_for: Duration,
) -> anyhow::Result<()> {
    check(secret, kind(store, name).await?)?;
    let now = Timestamp::now();
    let changed = store.table.rotate_signed(name, secret, previous_for, now).await;
    known(changed.with_context(|| format!("{name} keeps its secret; {PERMISSIONS}"))?, name)
}

/// Removes the secrets of a tenant.
///
/// # Errors
///
/// Fails if there is no such tenant, or the table does not answer.
pub async fn remove(store: &Store, name: &TenantName) -> anyhow::Result<()> {
    let changed = store.table.remove_signed(name, Timestamp::now()).await;
    let needed = "your credentials need dynamodb:UpdateItem";
    known(changed.with_context(|| format!("{name} is not removed; {needed}"))?, name)
}

/// The kind of a tenant.
///
/// # Errors
///
/// Fails if there is no such tenant, or the table does not answer.
pub async fn kind(store: &Store, name: &TenantName) -> anyhow::Result<Kind> {
    find(store, name).await?.with_context(|| unknown(name))
}

/// The kind of a tenant; `None` if there is no such tenant.
///
/// # Errors
///
/// Fails if the table does not answer.
pub async fn find(store: &Store, name: &TenantName) -> anyhow::Result<Option<Kind>> {
    let kind = store.table.signed_kind(name).await;
    kind.with_context(|| format!("{name} cannot be read; {PERMISSIONS}"))
}

/// A new secret of 256 random bits.
///
/// # Errors
///
/// Fails if the system has no random numbers.
pub fn generated() -> anyhow::Result<SharedSecret> {
    let mut random = Zeroizing::new([0; 32]);
    let filled = SystemRandom::new().fill(&mut *random);
    ensure!(filled.is_ok(), "the system has no random numbers; give a secret with --secret-stdin");
    let digits = random.iter().map(|byte| format!("{byte:02x}"));
    Ok(SharedSecret::new(digits.collect::<String>()))
}

/// All tenants that sign their webhooks, by name.
pub(super) async fn entries(store: &Store) -> anyhow::Result<Vec<SignedEntry>> {
    let entries = store.table.signed_entries().await;
    let mut entries =
        entries.context("the tenants cannot be listed; your credentials need dynamodb:Scan")?;
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// Lists them, below those that installed the app.
pub(super) fn list(
    entries: &[SignedEntry],
    form: Form,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let state = |entry: &SignedEntry| if entry.is_present { "signs" } else { "removed" };
    match form {
        Form::Json => {
            for entry in entries {
                let line = json!({
                    "name": entry.name.as_str(),
                    "kind": entry.kind,
                    "product": entry.kind.map(Kind::product),
                    "state": state(entry),
                    "since": entry.since,
                    "previousUntil": entry.previous_until,
                });
                writeln!(out, "{}", escaped_json(&line.to_string()))?;
            }
        }
        Form::Table if entries.is_empty() => {}
        Form::Table => {
            let heads = ["NAME", "KIND", "STATE", "SINCE (UTC)", "PREVIOUS SECRET UNTIL (UTC)"];
            let unsaid = || "-".to_owned();
            let time = |time: Option<Timestamp>| {
                time.map_or_else(unsaid, |time| time.strftime("%F %T").to_string())
            };
            let rows = entries.iter().map(|entry| {
                [
                    entry.name.to_string(),
                    entry.kind.map_or_else(unsaid, |kind| kind.to_string()),
                    state(entry).to_owned(),
                    time(entry.since),
                    time(entry.previous_until),
                ]
            });
            write_table(heads, rows, out)?;
        }
    }
    Ok(())
}

/// Whether the product takes the secret, and it is long enough.
fn check(secret: &SharedSecret, kind: Kind) -> anyhow::Result<()> {
    let spec = kind.spec();
    let len = secret.expose().chars().count();
    let longest = spec.longest_secret.unwrap_or(MAX_SECRET_LEN);
    ensure!(
        secret.expose().len() <= MAX_SECRET_LEN && len <= longest,
        "the secret has {len} characters, and {kind} takes at most {longest}; choose a shorter one"
    );
    // Atlassian makes the secret of an OAuth 2.0 app.
    let shortest = if spec.proof == Proof::Token { 1 } else { SHORTEST_SECRET };
    ensure!(
        len >= shortest,
        "the secret has {len} characters, fewer than {shortest}; choose a longer one, or let this command \
         make one"
    );
    Ok(())
}

fn known(changed: Changed, name: &TenantName) -> anyhow::Result<()> {
    match changed {
        Changed::Yes => Ok(()),
        Changed::Unknown => bail!(unknown(name)),
    }
}

fn unknown(name: &TenantName) -> String {
    format!(
        "there is no tenant {name}; add it with `cargo hooks tenants add {name}`, or see \
         `cargo hooks tenants list`"
    )
}

const PERMISSIONS: &str = "your credentials need dynamodb:GetItem, dynamodb:UpdateItem, kms:Decrypt and \
                           kms:GenerateDataKey";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_secrets_that_every_product_takes() {
        let secret = generated().unwrap();
        assert_eq!(secret.expose().len(), 64);
        assert_ne!(secret.expose(), generated().unwrap().expose());
        for kind in Kind::ALL {
            check(&secret, kind).unwrap();
        }
    }

    #[test]
    fn takes_no_secret_that_the_product_does_not_take_or_that_is_short() {
        let checked = |len: usize, kind| check(&SharedSecret::new("é".repeat(len)), kind).is_ok();
        assert!(!checked(SHORTEST_SECRET - 1, Kind::Jira));
        assert!(checked(SHORTEST_SECRET, Kind::Jira));
        assert!(checked(1, Kind::JiraOauth));
        assert!(!checked(0, Kind::JiraOauth));
        assert!(checked(255, Kind::ConfluenceDataCenter));
        assert!(!checked(256, Kind::ConfluenceDataCenter));
        assert!(checked(256, Kind::Bitbucket));
        assert!(!checked(MAX_SECRET_LEN, Kind::Jira), "two bytes a character");
    }
}
