//! The tenants of a stack: who they are, and their way from one store to another.

pub mod line;
pub mod signed;

use std::io::{BufRead, Read as _, Write};

use anyhow::Context as _;
use atlassian_connect::event::Product;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use runtime::environment::listed;
use sam_template_runner::deployment::REGION;
use serde::Serialize;
use serde_json::json;
use tenants::{Entry, Import, Imported, Secrets, State, Table};
use zeroize::Zeroizing;

use crate::account::Stack;
use crate::dead_letters::Form;
use crate::session::{LocalTenants, Session};
use crate::terminal::{escaped, escaped_json, write_table};
use line::{InvalidLine, Line, Rules};

/// The tenants of a stack, local or deployed.
#[derive(Clone, Debug)]
pub struct Store {
    table: Table,
    rules: Rules,
}

impl Store {
    /// A table, and what is imported into it.
    pub fn new(table: Table, rules: Rules) -> Self {
        Self { table, rules }
    }

    /// The tenants of a deployed stack, by its outputs and parameters.
    ///
    /// # Errors
    ///
    /// Fails if the stack lacks one of them. Without its key, secrets would not be encrypted.
    pub fn deployed(
        config: &SdkConfig,
        stack: &Stack,
        app_key: &str,
        is_connect: bool,
    ) -> anyhow::Result<Self> {
        let secrets = Secrets::new(config, Some(stack.output("TenantsKey")?), app_key);
        let table = Table::new(config, stack.output("TenantsTable")?, secrets);
        // Nothing is imported into an app that nobody installs.
        let hosts = is_connect.then(|| stack.parameter("TenantHosts")).transpose()?;
        Ok(Self::of(table, app_key, &hosts.unwrap_or_default()))
    }

    /// The tenants of the local stack on this port, or of the only one that is running.
    ///
    /// # Errors
    ///
    /// Fails if there is no such local stack, or it has no table of tenants.
    pub fn local(port: Option<u16>, app_key: &str) -> anyhow::Result<Self> {
        let Session { url, tenants, .. } = Session::read(port)?;
        let tenants = tenants.with_context(|| {
            format!("the local stack {url} has no lifecycle function; run `cargo hooks template`")
        })?;
        Ok(Self::of_local(tenants, app_key))
    }

    /// The tenants of a local stack.
    pub(crate) fn of_local(tenants: LocalTenants, app_key: &str) -> Self {
        let LocalTenants { dynamodb, kms, table, key, hosts } = tenants;
        let secrets = Secrets::new(&local(&kms), key, app_key);
        Self::of(Table::new(&local(&dynamodb), table, secrets), app_key, &hosts)
    }

    fn of(table: Table, app_key: &str, hosts: &str) -> Self {
        Self { table, rules: Rules { app_key: app_key.to_owned(), hosts: listed(hosts) } }
    }

    /// All rows, by site.
    async fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let entries = self.table.entries().await;
        let mut entries =
            entries.context("the tenants cannot be listed; your credentials need dynamodb:Scan")?;
        entries.sort_by(|one, other| (&one.base_url, &one.key).cmp(&(&other.base_url, &other.key)));
        Ok(entries)
    }
}

/// What leads an SDK client to a service of a local stack.
fn local(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "local stack");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .build()
}

/// Lists the tenants, and returns how many they are.
///
/// # Errors
///
/// Fails if the table does not answer, or the list cannot be written.
pub async fn list(store: &Store, form: Form, out: &mut impl Write) -> anyhow::Result<usize> {
    let entries = store.entries().await?;
    let signed = signed::entries(store).await?;
    match form {
        Form::Json => {
            for entry in &entries {
                let line = json!({
                    "site": entry.base_url,
                    "product": entry.product,
                    "clientKey": entry.key,
                    "state": entry.state.to_string(),
                    "since": entry.since,
                    "installationId": entry.particulars.installation_id,
                });
                writeln!(out, "{}", escaped_json(&line.to_string()))?;
            }
        }
        Form::Table if entries.is_empty() && !signed.is_empty() => {}
        Form::Table if entries.is_empty() => writeln!(out, "no tenants")?,
        Form::Table => {
            let heads = ["SITE", "PRODUCT", "CLIENT KEY", "STATE", "SINCE (UTC)", "INSTALLATION"];
            let unsaid = || "-".to_owned();
            let rows = entries.iter().map(|entry| {
                [
                    entry.base_url.clone().unwrap_or_else(unsaid),
                    entry.product.map_or_else(unsaid, |product| product.to_string()),
                    entry.key.to_string(),
                    entry.state.to_string(),
                    entry.since.map_or_else(unsaid, |time| time.strftime("%F %T").to_string()),
                    entry.particulars.installation_id.clone().unwrap_or_else(unsaid),
                ]
            });
            write_table(heads, rows, out)?;
        }
    }
    signed::list(&signed, form, out)?;
    Ok(entries.len() + signed.len())
}

/// A line of an export. Its names are those of an `installed` callback, besides `installed`, `enabled`
/// and `signedAt`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedLine<'a> {
    /// The app. The same sites have other secrets for another one.
    key: &'a str,
    client_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_secret: Option<&'a str>,
    base_url: Option<&'a str>,
    product_type: Option<Product>,
    installed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<i64>,
    #[serde(flatten)]
    particulars: serde_json::Map<String, serde_json::Value>,
}

/// Writes one JSON object for each tenant, and returns how many they are. Previous secrets are left
/// out.
///
/// # Errors
///
/// Fails if the table or its key does not answer, a secret cannot be decrypted, or the lines cannot be
/// written.
pub async fn export(
    store: &Store,
    with_secrets: bool,
    out: &mut impl Write,
) -> anyhow::Result<usize> {
    let entries = store.entries().await?;
    for entry in &entries {
        let secret = if with_secrets {
            let secret = store.table.secret_of(entry).await;
            secret.context("a secret cannot be decrypted; your credentials need dynamodb:GetItem and kms:Decrypt")?
        } else {
            None
        };
        let named = entry.particulars.named().into_iter();
        let line = ExportedLine {
            key: &store.rules.app_key,
            client_key: entry.key.as_str(),
            shared_secret: secret.as_ref().map(|secret| secret.expose()),
            base_url: entry.base_url.as_deref(),
            product_type: entry.product,
            installed: entry.state != State::Uninstalled,
            enabled: (entry.state == State::Disabled).then_some(false),
            signed_at: entry.signed.map(Timestamp::as_second),
            particulars: named
                .filter_map(|(name, value)| Some((name.into(), value?.into())))
                .collect(),
        };
        let line = Zeroizing::new(serde_json::to_string(&line)?);
        writeln!(out, "{}", escaped_json(&line))?;
    }
    Ok(entries.len())
}

/// What became of the lines of an import.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Tenants that were recorded, or would be.
    pub imported: usize,
    /// Tenants that the table has already as the line says.
    pub unchanged: usize,
    /// Tenants of which the table has a later callback, or one and the line no date.
    pub outdated: usize,
    /// Lines of tenants that uninstalled the app.
    pub uninstalled: usize,
    /// Lines that are no tenants.
    pub others: usize,
    /// Lines that were not imported, because something is wrong with them.
    pub invalid: usize,
}

/// Imports the tenants of lines as [`Line`] reads them. A line that is wrong is reported, and does not
/// stop the others.
///
/// # Errors
///
/// Fails if the lines cannot be read, the table or its key does not answer, or what is reported cannot
/// be written.
pub async fn import(
    store: &Store,
    mut lines: impl BufRead,
    is_dry_run: bool,
    out: &mut impl Write,
    problems: &mut impl Write,
) -> anyhow::Result<Summary> {
    let now = Timestamp::now();
    let mut summary = Summary::default();
    let mut line = Zeroizing::new(Vec::new());
    for number in 1_u64.. {
        line.clear();
        let unreadable = "the lines cannot be read; check the file";
        let read = lines.by_ref().take(Line::MAX_LEN + 1).read_until(b'\n', &mut line);
        let read = read.context(unreadable)?;
        if read == 0 {
            break;
        }
        let is_cut = read as u64 > Line::MAX_LEN && !line.ends_with(b"\n");
        let read = if is_cut {
            lines.skip_until(b'\n').context(unreadable)?;
            Err(InvalidLine::TooLong)
        } else {
            Line::read(line.trim_ascii_end(), &store.rules, now)
        };
        let import = match read {
            Ok(Line::Tenant(import)) => import,
            Ok(Line::Blank) => continue,
            Ok(Line::Uninstalled) => {
                summary.uninstalled += 1;
                continue;
            }
            Ok(Line::Other) => {
                summary.others += 1;
                continue;
            }
            Err(invalid) => {
                summary.invalid += 1;
                writeln!(problems, "line {number}: {}", escaped(&invalid.to_string()))?;
                continue;
            }
        };
        let imported = store.table.import(&import, now, is_dry_run).await.with_context(|| {
            format!(
                "line {number} cannot be imported; your credentials need dynamodb:GetItem, \
                 dynamodb:UpdateItem, kms:Decrypt and kms:GenerateDataKey. Run it again then: what was \
                 imported stays the same"
            )
        })?;
        let verb = match imported {
            Imported::Yes if is_dry_run => "would import",
            Imported::Yes => "imported",
            Imported::Unchanged => "unchanged",
            Imported::Outdated => "kept (the table has a callback that is not older)",
        };
        *match imported {
            Imported::Yes => &mut summary.imported,
            Imported::Unchanged => &mut summary.unchanged,
            Imported::Outdated => &mut summary.outdated,
        } += 1;
        let Import { installation, .. } = &*import;
        let site = format!("{} of {}", installation.key, installation.base_url);
        writeln!(out, "line {number}: {verb}: {} {}", installation.product, escaped(&site))?;
    }
    Ok(summary)
}

/// Makes a new data key and encrypts all secrets with it. Returns how many tenants have a secret that
/// cannot be decrypted.
///
/// # Errors
///
/// Fails if the table or its key does not answer, or what is reported cannot be written.
pub async fn reseal(
    store: &Store,
    out: &mut impl Write,
    problems: &mut impl Write,
) -> anyhow::Result<usize> {
    let resealed = store.table.reseal(Timestamp::now()).await.context(
        "the secrets are not all encrypted with a new data key; your credentials need dynamodb:Scan, \
         dynamodb:GetItem, dynamodb:UpdateItem, kms:Decrypt and kms:GenerateDataKey. Run it again \
         then: every secret stays readable",
    )?;
    for tenant in &resealed.unreadable {
        let tenant = escaped(tenant.as_str());
        writeln!(
            problems,
            "{tenant}: its secret cannot be decrypted; install the app there again"
        )?;
    }
    writeln!(
        out,
        "{}: it encrypts the secrets of {} tenants",
        resealed.data_key, resealed.tenants
    )?;
    Ok(resealed.unreadable.len())
}

/// Removes data keys that encrypt no secret.
///
/// # Errors
///
/// Fails if the table does not answer, or what is reported cannot be written.
pub async fn remove_data_keys(store: &Store, out: &mut impl Write) -> anyhow::Result<()> {
    let done = store.table.remove_data_keys(Timestamp::now()).await.context(
        "the old data keys are not removed; your credentials need dynamodb:Scan and \
         dynamodb:UpdateItem",
    )?;
    for name in &done.removed {
        writeln!(out, "{name}: removed")?;
    }
    for name in &done.kept {
        writeln!(
            out,
            "{name}: kept, because secrets need it or it was replaced within the last hour; run \
             `cargo hooks tenants reseal`, and this an hour later"
        )?;
    }
    if done.removed.is_empty() && done.kept.is_empty() {
        writeln!(out, "there is no old data key")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(outputs: &[(&str, &str)], parameters: &[(&str, &str)]) -> Stack {
        let list = |kind: &str, members: &[(&str, &str)]| {
            let members = members.iter().map(|(key, value)| {
                format!("<member><{kind}Key>{key}</{kind}Key><{kind}Value>{value}</{kind}Value></member>")
            });
            members.collect::<String>()
        };
        let members = list("Output", outputs) + &list("Parameter", parameters);
        Stack::described("my-app", &format!("<Answer>{members}</Answer>")).unwrap()
    }

    #[tokio::test]
    async fn keeps_no_endless_line_in_memory_and_reads_the_next_one() {
        let config = local("http://127.0.0.1:1");
        let table = Table::new(&config, "table", Secrets::new(&config, None, "app"));
        let store = Store::of(table, "app", ".atlassian.net");
        let row = |len| format!("{{\"key\":\"token\",\"val\":\"{}\"}}\n", "a".repeat(len));
        let longest = usize::try_from(Line::MAX_LEN).unwrap() - row(0).len() + 1;
        let lines = [row(longest), row(longest + 1), r#"{"installed":false}"#.to_owned()].concat();
        let (mut out, mut problems) = (Vec::new(), Vec::new());
        let summary = import(&store, lines.as_bytes(), false, &mut out, &mut problems).await;
        let expected = Summary { others: 1, invalid: 1, uninstalled: 1, ..Summary::default() };
        assert_eq!(summary.unwrap(), expected);
        let problems = String::from_utf8(problems).unwrap();
        assert!(problems.starts_with("line 2: it is longer than"), "{problems}");
    }

    #[test]
    fn opens_no_deployed_store_without_its_key() {
        let (table, key) = (("TenantsTable", "table"), ("TenantsKey", "arn:key"));
        let hosts = ("TenantHosts", ".atlassian.net, jira.example.com");
        let config = local("http://127.0.0.1:1");
        let open = |stack| Store::deployed(&config, &stack, "com.example.app", true);
        let store = open(stack(&[table, key], &[hosts])).unwrap();
        assert_eq!(store.rules.hosts, [".atlassian.net", "jira.example.com"]);
        for (lacking, name) in [
            (stack(&[table], &[hosts]), "output TenantsKey"),
            (stack(&[key], &[hosts]), "output TenantsTable"),
            (stack(&[table, key], &[]), "parameter TenantHosts"),
        ] {
            let error = open(lacking).unwrap_err().to_string();
            assert!(error.contains(&format!("my-app has no {name}; deploy")), "{error}");
        }
    }
}
