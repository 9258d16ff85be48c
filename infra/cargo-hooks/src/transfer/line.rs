//! The lines that an import reads: a tenant each, as one of several stores keeps it.
//!
//! - What `cargo hooks tenants export` writes, which has the names of an `installed` callback.
//! - That callback's body, as atlassian-connect-express keeps it in the column `val`.
//! - A row of atlassian-connect-express: `clientKey`, `key`, `val` (`lib/store` of its package). Only rows
//!   with the key `clientInfo` are tenants.
//! - A row of the table `atlassian_host` of atlassian-connect-spring-boot, with the names of its columns
//!   (`db.changelog-master.yaml` of its JPA starter) or of its Java fields.

use std::fmt;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::{SiteDetails, is_hosted_by};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use jiff::Timestamp;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use tenants::{Import, Installation, MAX_SECRET_LEN};
use zeroize::Zeroizing;

/// A line that could be read.
#[derive(Debug)]
pub enum Line {
    /// A tenant that has the app installed.
    Tenant(Box<Import>),
    /// A tenant that uninstalled the app.
    Uninstalled,
    /// A setting that is no tenant.
    Other,
    /// Nothing, or a bracket of a JSON array around the lines.
    Blank,
}

/// What is accepted.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The key of the app.
    pub app_key: String,
    /// The hosts on which tenants live; see
    /// [`Expected::tenant_hosts`](atlassian_connect::lifecycle::Expected::tenant_hosts).
    pub hosts: Vec<String>,
}

/// Why a line cannot be imported. No text has a value of the line but the app's key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLine {
    /// It is longer than [`Line::MAX_LEN`].
    #[error("it is longer than {} MiB; write one JSON object a line", Line::MAX_LEN >> 20)]
    TooLong,
    /// It is not text.
    #[error("it is not UTF-8; write the file again as UTF-8")]
    NotText,
    /// It is not a JSON object.
    #[error("it is not JSON from column {column} on; write one JSON object a line, on one line")]
    NotJson {
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A member is repeated, or is not what its name says.
    #[error(
        "the member that ends at column {column} has an unexpected type, or is there twice; write \
         texts as strings, signedAt as a number, and installed as true or false"
    )]
    Member {
        /// Where the member ends, from 1.
        column: usize,
    },
    /// The same within `val`.
    #[error(
        "its val is not the JSON object of an install; select the rows whose key is clientInfo"
    )]
    Val,
    /// It has no client key.
    #[error(
        "it has no clientKey, or one that no tenant has; add the column clientKey or client_key"
    )]
    ClientKey,
    /// The row and its `val` name different tenants.
    #[error("its clientKey is not the one in its val; leave out the row, or correct it")]
    OtherClientKey,
    /// It is about another app.
    #[error(
        "it is a tenant of the app {key}, and the descriptor's key is another; import it where that \
         app is"
    )]
    App {
        /// The key of that app.
        key: String,
    },
    /// It has no secret that can be used.
    #[error(
        "it has no sharedSecret, or one of more than {MAX_SECRET_LEN} bytes; export with \
         --with-secrets, or add the column shared_secret"
    )]
    Secret,
    /// It names no product.
    #[error("its productType is neither jira nor confluence; add the column product_type")]
    Product,
    /// The site is not on one of the allowed hosts, or its URL is not plain.
    #[error(
        "its baseUrl is not an https URL with an allowed host and a plain path; if the host is one \
         of yours, add it to the parameter TenantHosts of the stack"
    )]
    Host,
    /// It was signed in the future.
    #[error(
        "its signedAt is not a time in the past; write the time of the install in seconds since \
         1970, or leave it out"
    )]
    SignedAt,
}

impl Line {
    /// The maximum length of a line, in bytes. A tenant takes a few kilobytes.
    pub const MAX_LEN: u64 = 16 << 20;

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// Returns the first [`InvalidLine`].
    pub fn read(line: &[u8], rules: &Rules, now: Timestamp) -> Result<Self, InvalidLine> {
        let text = std::str::from_utf8(line).map_err(|_| InvalidLine::NotText)?;
        // Some tools begin a file with a byte order mark, or print the lines as one JSON array.
        let start = text.trim_start_matches(['\u{feff}', '[', ' ', '\t']);
        let object = start.trim_end().trim_end_matches([',', ']']);
        if object.is_empty() {
            return Ok(Self::Blank);
        }
        let skipped = text.len() - start.len();
        let row: Members<'_> = serde_json::from_str(object).map_err(|error| {
            let column = skipped + error.column();
            match error.classify() {
                Category::Data => InvalidLine::Member { column },
                _ => InvalidLine::NotJson { column },
            }
        })?;
        match row.val {
            None => row.read(rules, now),
            Some(val) => match row.key.as_deref() {
                Some(CLIENT_INFO) | None => of_val(val.get(), row.client_key, rules, now),
                Some(_) => Ok(Self::Other),
            },
        }
    }
}

/// The key of the rows of atlassian-connect-express that are tenants.
const CLIENT_INFO: &str = "clientInfo";

/// The members of a line. Unknown ones are ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Members<'a> {
    /// Not read before it is known to be a tenant.
    #[serde(borrow, deserialize_with = "present")]
    val: Option<&'a RawValue>,
    /// The key of the app, or of a setting if there is a `val`.
    key: Option<String>,
    event_type: Option<String>,
    #[serde(alias = "addonInstalled", alias = "addon_installed")]
    installed: Option<Flag>,
    enabled: Option<Flag>,
    signed_at: Option<i64>,
    #[serde(alias = "client_key")]
    client_key: Option<String>,
    #[serde(alias = "shared_secret")]
    shared_secret: Option<SharedSecret>,
    #[serde(alias = "product_type")]
    product_type: Option<String>,
    #[serde(alias = "base_url")]
    base_url: Option<String>,
    #[serde(alias = "display_url")]
    display_url: Option<String>,
    #[serde(alias = "installation_id")]
    installation_id: Option<String>,
    #[serde(alias = "oauth_client_id")]
    oauth_client_id: Option<String>,
    #[serde(alias = "entitlement_id")]
    entitlement_id: Option<String>,
    #[serde(alias = "entitlement_number")]
    entitlement_number: Option<String>,
}

impl Members<'_> {
    fn read(self, rules: &Rules, now: Timestamp) -> Result<Line, InvalidLine> {
        let uninstalled = self.event_type.as_deref() == Some("uninstalled");
        if uninstalled || matches!(self.installed, Some(Flag(false))) {
            return Ok(Line::Uninstalled);
        }
        if let Some(key) = self.key.filter(|key| *key != rules.app_key) {
            return Err(InvalidLine::App { key });
        }
        let key = self.client_key.ok_or(InvalidLine::ClientKey)?;
        let key = ClientKey::new(key).map_err(|_| InvalidLine::ClientKey)?;
        let fits = |secret: &SharedSecret| (1..=MAX_SECRET_LEN).contains(&secret.expose().len());
        let secret = self.shared_secret.filter(fits).ok_or(InvalidLine::Secret)?;
        let product = self.product_type.as_deref().and_then(Product::parse);
        let product = product.ok_or(InvalidLine::Product)?;
        let hosts: Vec<&str> = rules.hosts.iter().map(String::as_str).collect();
        let base_url = self.base_url.filter(|url| is_hosted_by(url, &hosts));
        let base_url = base_url.ok_or(InvalidLine::Host)?;
        let signed = self.signed_at.map(|seconds| match Timestamp::from_second(seconds) {
            Ok(signed) if seconds > 0 && signed <= now => Ok(signed),
            _ => Err(InvalidLine::SignedAt),
        });
        let detail = |detail: Option<String>| detail.filter(|detail| !detail.is_empty());
        let particulars = SiteDetails {
            display_url: detail(self.display_url),
            installation_id: detail(self.installation_id),
            oauth_client_id: detail(self.oauth_client_id),
            entitlement_id: detail(self.entitlement_id),
            entitlement_number: detail(self.entitlement_number),
        };
        let installation = Installation { key, product, secret, base_url, particulars };
        let enabled = self.enabled.map(|Flag(enabled)| enabled);
        let import = Import { installation, signed: signed.transpose()?, enabled };
        Ok(Line::Tenant(Box::new(import)))
    }
}

/// Reads the column `val`: JSON, as an object or as text, or nothing.
fn of_val(
    val: &str,
    client_key: Option<String>,
    rules: &Rules,
    now: Timestamp,
) -> Result<Line, InvalidLine> {
    let invalid = |_| InvalidLine::Val;
    let text: Zeroizing<String>;
    let object = if val.starts_with('"') {
        text = serde_json::from_str(val).map_err(invalid)?;
        &text
    } else {
        val
    };
    if matches!(object.trim(), "" | "null") {
        return Ok(Line::Uninstalled);
    }
    let mut members: Members<'_> = serde_json::from_str(object).map_err(invalid)?;
    if members.val.is_some() {
        return Err(InvalidLine::Val);
    }
    match (&members.client_key, client_key) {
        (Some(own), Some(of_row)) if *own != of_row => return Err(InvalidLine::OtherClientKey),
        (None, of_row) => members.client_key = of_row,
        _ => {}
    }
    members.read(rules, now)
}

/// Reads a member that is there, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// A truth value, as the databases print it.
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfFlag;
        impl Visitor<'_> for OfFlag {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
                match number {
                    0 => Ok(Flag(false)),
                    1 => Ok(Flag(true)),
                    _ => Err(E::custom("neither 0 nor 1")),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                match text {
                    "0" | "f" | "false" => Ok(Flag(false)),
                    "1" | "t" | "true" => Ok(Flag(true)),
                    _ => Err(E::custom("neither true nor false")),
                }
            }
        }
        deserializer.deserialize_any(OfFlag)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What atlassian-connect-express 11.5 has written to SQLite, with secrets that were made up: its
    /// table `AddonSettings`, as `sqlite3 -json` prints it.
    const EXPRESS: &str = include_str!("express.json");

    fn rules() -> Rules {
        let hosts = vec![".atlassian.net".into(), "jira.example.com".into()];
        Rules { app_key: "com.example.app".into(), hosts }
    }

    fn now() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    fn read(line: impl AsRef<[u8]>) -> Result<Line, InvalidLine> {
        Line::read(line.as_ref(), &rules(), now())
    }

    fn tenant(line: &str) -> Import {
        match read(line) {
            Ok(Line::Tenant(import)) => *import,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// A line with everything, as an export writes it.
    fn full() -> Value {
        json!({
            "clientKey": "tenant-1", "sharedSecret": "s3cr3t", "baseUrl": "https://a.atlassian.net/wiki",
            "productType": "confluence", "installed": true, "enabled": false, "signedAt": 1_790_000_000,
            "displayUrl": "https://wiki.example.com", "installationId": "ari:installation/1",
            "oauthClientId": "client", "entitlementId": "e", "entitlementNumber": "E-1",
        })
    }

    fn with(changes: Value) -> String {
        let mut line = full();
        for (name, value) in changes.as_object().unwrap() {
            line[name] = value.clone();
        }
        line.to_string()
    }

    #[test]
    fn reads_what_an_export_writes() {
        let Import { installation, signed, enabled } = tenant(&full().to_string());
        assert_eq!((signed.unwrap().as_second(), enabled), (1_790_000_000, Some(false)));
        assert_eq!(installation.key.as_str(), "tenant-1");
        assert_eq!(installation.product, Product::Confluence);
        assert_eq!(installation.base_url, "https://a.atlassian.net/wiki");
        assert!(installation.secret.expose() == "s3cr3t");
        let details = installation.particulars.named().map(|(_, value)| value.unwrap().to_owned());
        assert_eq!(
            details,
            ["https://wiki.example.com", "ari:installation/1", "client", "e", "E-1"]
        );
    }

    #[test]
    fn reads_the_store_of_express() {
        let lines: Vec<Line> = EXPRESS.lines().map(|line| read(line).unwrap()).collect();
        let [Line::Tenant(jira), Line::Tenant(confluence), Line::Other] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!((jira.signed, jira.enabled), (None, None));
        assert_eq!(jira.installation.key.as_str(), "00000001-aaaa-4bbb-8ccc-dddddddddddd");
        assert_eq!(jira.installation.product, Product::Jira);
        assert_eq!(jira.installation.base_url, "https://site-1.atlassian.net");
        assert!(jira.installation.secret.expose() == "made-up-secret-of-jira-1xxxxxxxxxxxxxxxx");
        assert_eq!(jira.installation.particulars.installation_id, None);
        let details = &confluence.installation.particulars;
        let installation = "ari:cloud:ecosystem::installation/11111111-2222-4333-8444-555555555555";
        assert_eq!(details.installation_id.as_deref(), Some(installation));
        assert_eq!(details.oauth_client_id.as_deref(), Some("made-up-oauth-client"));

        // Of the same rows, `val` alone, and the row with it as an object.
        for line in EXPRESS.lines().take(2) {
            let row: Value = serde_json::from_str(line.trim_matches(['[', ']', ','])).unwrap();
            let val = row["val"].as_str().unwrap();
            let mut with_object = row.clone();
            with_object["val"] = serde_json::from_str(val).unwrap();
            for form in [val.to_owned(), with_object.to_string()] {
                let import = tenant(&form);
                assert_eq!(import.installation.key.as_str(), row["clientKey"]);
                assert_eq!(format!("{import:?}"), format!("{:?}", tenant(line)));
            }
        }
    }

    #[test]
    fn reads_the_table_of_spring() {
        let columns = json!({
            "client_key": "tenant-1", "public_key": "MII", "shared_secret": "s3cr3t",
            "base_url": "https://a.atlassian.net", "product_type": "jira", "description": "Jira ",
            "service_entitlement_number": null, "addon_installed": true, "created_by": null,
            "created_date": "2019-05-01T10:00:00", "last_modified_date": "2026-05-01T10:00:00.1",
            "installation_id": "ari:installation/1", "oauth_client_id": "",
        });
        let fields = json!({
            "clientKey": "tenant-1", "publicKey": "MII", "sharedSecret": "s3cr3t",
            "baseUrl": "https://a.atlassian.net", "productType": "jira", "addonInstalled": 1,
            "createdDate": 1_556_704_800_000_u64, "installationId": "ari:installation/1",
        });
        for line in [columns, fields] {
            let import = tenant(&line.to_string());
            assert_eq!((import.signed, import.enabled), (None, None));
            assert_eq!(import.installation.key.as_str(), "tenant-1");
            assert!(import.installation.secret.expose() == "s3cr3t");
            let details = &import.installation.particulars;
            assert_eq!(details.installation_id.as_deref(), Some("ari:installation/1"));
            assert_eq!(details.oauth_client_id, None);
        }
        for not in [json!(false), json!(0), json!("f"), json!("false"), json!("0")] {
            let line = json!({ "client_key": "tenant-1", "addon_installed": not }).to_string();
            assert!(matches!(read(&line), Ok(Line::Uninstalled)), "{line}");
        }
    }

    #[test]
    fn skips_what_is_no_installed_tenant() {
        for line in [
            r#"{"installed":false,"clientKey":"tenant-1","signedAt":1}"#,
            r#"{"clientKey":"tenant-1","eventType":"uninstalled"}"#,
            r#"{"clientKey":"tenant-1","key":"clientInfo","val":null}"#,
            r#"{"clientKey":"tenant-1","key":"clientInfo","val":"null"}"#,
            r#"{"clientKey":"tenant-1","key":"clientInfo","val":{"installed":false}}"#,
        ] {
            assert!(matches!(read(line), Ok(Line::Uninstalled)), "{line}");
        }
        for line in ["", "  ", "\u{feff}", "[", "]", "],", "\r"] {
            assert!(matches!(read(line), Ok(Line::Blank)), "{line:?}");
        }
        for val in [r#"{"installed":["s3cr3t"]}"#, "[1]", "7", "\"s3cr3t\""] {
            let other = format!(r#"{{"clientKey":"tenant-1","key":"token","val":{val}}}"#);
            assert!(matches!(read(&other), Ok(Line::Other)), "{other}");
        }
        for around in ["\u{feff}[{},", "  {}]\r", "{} ,"] {
            tenant(&around.replace("{}", &full().to_string()));
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_line_and_never_its_secret() {
        let seconds = now().as_second();
        let member = |line: &str, column| (line.to_owned(), InvalidLine::Member { column });
        let rows = [
            ("s3cr3t".to_owned(), InvalidLine::NotJson { column: 1 }),
            (r#"  {"sharedSecret":"s3cr3t""#.to_owned(), InvalidLine::NotJson { column: 26 }),
            member(r#"[{"sharedSecret":7}"#, 18),
            member(r#"{"signedAt":"s3cr3t","clientKey":"a"}"#, 20),
            member(r#"{"installed":"s3cr3t","clientKey":"a"}"#, 21),
            member(r#"{"clientKey":"a","client_key":"s3cr3t"}"#, 29),
            (r#"{"key":"clientInfo","val":"s3cr3t"}"#.to_owned(), InvalidLine::Val),
            (r#"{"key":"clientInfo","val":{"val":{}}}"#.to_owned(), InvalidLine::Val),
            (
                json!({ "val": full(), "clientKey": "tenant-2" }).to_string(),
                InvalidLine::OtherClientKey,
            ),
            (with(json!({ "clientKey": null })), InvalidLine::ClientKey),
            (with(json!({ "clientKey": "s3cr3t s3cr3t" })), InvalidLine::ClientKey),
            (with(json!({ "key": "other" })), InvalidLine::App { key: "other".into() }),
            (with(json!({ "sharedSecret": null })), InvalidLine::Secret),
            (with(json!({ "sharedSecret": "" })), InvalidLine::Secret),
            (with(json!({ "sharedSecret": "s".repeat(1025) })), InvalidLine::Secret),
            (with(json!({ "productType": "bamboo" })), InvalidLine::Product),
            (with(json!({ "productType": null })), InvalidLine::Product),
            (with(json!({ "baseUrl": "https://a.example.com" })), InvalidLine::Host),
            (with(json!({ "baseUrl": "http://a.atlassian.net" })), InvalidLine::Host),
            (with(json!({ "baseUrl": null })), InvalidLine::Host),
            (with(json!({ "signedAt": seconds + 1 })), InvalidLine::SignedAt),
            (with(json!({ "signedAt": seconds * 1000 })), InvalidLine::SignedAt),
            (with(json!({ "signedAt": i64::MAX })), InvalidLine::SignedAt),
            (with(json!({ "signedAt": 0 })), InvalidLine::SignedAt),
        ];
        for (line, expected) in rows {
            let error = read(&line).map(|_| ()).unwrap_err();
            assert_eq!(error, expected, "{line}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
        assert_eq!(read(b"{\"clientKey\":\"\xff\"}").map(|_| ()), Err(InvalidLine::NotText));
        tenant(&with(json!({ "signedAt": seconds, "key": "com.example.app" })));
        let longest = json!({
            "sharedSecret": "s".repeat(1024), "baseUrl": "https://jira.example.com",
        });
        tenant(&with(longest));
    }
}
