//! One data key encrypts the secrets of many tenants.

use std::collections::HashMap;
use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::{Callback, SiteDetails};
use atlassian_simulator::Site;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cargo_hooks::transfer::line::Rules;
use cargo_hooks::transfer::{self, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenants::{Find as _, Install as _, Installation, Recorded, Secrets, SignedAt, Table};

use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;

type Row = HashMap<String, AttributeValue>;

async fn webhook(app: &TestApp, site: &Site) -> u16 {
    let body = json!({ "webhookEvent": "jira:issue_created" });
    app.send("/issue-created", body, site).await.status.as_u16()
}

fn table(app: &TestApp) -> String {
    app.stack.deployment().tables["TenantsTable"].name.clone()
}

async fn rows(app: &TestApp) -> Vec<Row> {
    let scan = app.dynamodb().scan().table_name(table(app)).consistent_read(true);
    scan.send().await.unwrap().items.unwrap_or_default()
}

fn name(row: &Row) -> &str {
    row["clientKey"].as_s().unwrap()
}

/// The rows of data keys, by name.
async fn data_keys(app: &TestApp) -> Vec<Row> {
    let mut rows = rows(app).await;
    rows.retain(|row| name(row).starts_with("data-key "));
    rows.sort_by(|one, other| name(one).cmp(name(other)));
    rows
}

/// The stored secret of a tenant.
async fn stored(app: &TestApp, site: &Site) -> Vec<u8> {
    let rows = rows(app).await;
    let row = rows.into_iter().find(|row| name(row) == site.client_key.as_str()).unwrap();
    row["sharedSecret"].as_b().unwrap().as_ref().to_vec()
}

fn is_of(stored: &[u8], data_key: &str) -> bool {
    let name = data_key.as_bytes();
    // After the mark, the version and the length of the name.
    stored.get(4) == u8::try_from(name.len()).ok().as_ref() && stored[5..].starts_with(name)
}

async fn put(app: &TestApp, row: Row) {
    app.dynamodb().put_item().table_name(table(app)).set_item(Some(row)).send().await.unwrap();
}

/// Records an install as the lifecycle function does, now or later.
async fn install(app: &TestApp, site: &Site, in_days: i64) {
    let now = Timestamp::now() + SignedDuration::from_hours(24 * in_days);
    let installation = Installation {
        key: site.client_key.clone(),
        product: site.product,
        secret: site.secret.clone(),
        base_url: site.base_url.clone(),
        particulars: SiteDetails::default(),
    };
    let recorded = app.tenants().install(&installation, SignedAt { signed: now, now }).await;
    assert_eq!(recorded.unwrap(), Recorded::Yes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_receiver_asks_kms_once_for_all_tenants() {
    let proxy = FaultProxy::new().await;
    let app = TestApp::without_handlers_behind(&[("AWS_ENDPOINT_URL_KMS", proxy.url())]).await;
    let app = app.on_disk().await;
    proxy.forward_to(app.stack.kms_endpoint());
    let mut sites = Vec::new();
    for _ in 0..5 {
        sites.push(app.installed(Product::Jira).await);
    }
    assert_eq!(proxy.operations(), ["GenerateDataKey"], "the first install makes it");
    let [row] = &data_keys(&app).await[..] else { panic!("one data key") };
    for site in &sites {
        assert!(is_of(&stored(&app, site).await, name(row)));
    }

    let app = app.restarted().await;
    proxy.forward_to(app.stack.kms_endpoint());
    for site in &sites {
        assert_eq!(webhook(&app, site).await, 204);
    }
    assert_eq!(proxy.operations(), ["Decrypt"]);
    // The lifecycle function that starts later has to ask as well, and makes no other.
    app.installed(Product::Jira).await;
    assert_eq!(proxy.operations(), ["Decrypt"]);
    assert_eq!(data_keys(&app).await.len(), 1);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn installs_at_once_share_the_first_data_key() {
    let app = TestApp::empty(|template| template).await;
    let sites: Vec<Site> = (0..8).map(|_| Site::new(Product::Jira, "site")).collect();
    // Each with a memory of its own, as in as many environments.
    futures_util::future::join_all(sites.iter().map(|site| install(&app, site, 0))).await;
    assert_eq!(data_keys(&app).await.len(), 1);
    for site in &sites {
        assert_eq!(webhook(&app, site).await, 204);
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_year_has_a_new_data_key_and_the_old_ones_go_on() {
    let app = TestApp::empty(|template| template).await;
    let years = [0, 366, 2 * 366];
    let sites = years.map(|_| Site::new(Product::Jira, "site"));
    for (site, days) in sites.iter().zip(years) {
        install(&app, site, days).await;
    }
    let rows = data_keys(&app).await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    for (site, row) in sites.iter().zip(&rows) {
        assert!(is_of(&stored(&app, site).await, name(row)));
        assert_eq!(webhook(&app, site).await, 204);
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_earlier_releases_are_read_until_the_next_install() {
    let app = TestApp::without_handlers().await;
    let site = &app.jira;
    let lifecycle = &app.stack.deployment().functions["Lifecycle"].environment;
    let context = json!({ "app": DESCRIPTOR.key, "clientKey": site.client_key });
    let request = json!({
        "KeyId": lifecycle["TENANTS_KEY"],
        "Plaintext": STANDARD.encode(site.secret.expose()),
        "EncryptionContext": context,
    });
    let encrypted = reqwest::Client::new()
        .post(app.stack.kms_endpoint())
        .header("x-amz-target", "TrentService.Encrypt")
        .body(request.to_string());
    let encrypted = encrypted.send().await.unwrap().text().await.unwrap();
    let encrypted: Value = serde_json::from_str(&encrypted).unwrap();
    let encrypted = STANDARD.decode(encrypted["CiphertextBlob"].as_str().unwrap()).unwrap();
    for row in rows(&app).await {
        let mut row = row;
        if [app.jira.client_key.as_str(), app.confluence.client_key.as_str()].contains(&name(&row))
        {
            row.insert("sharedSecret".into(), AttributeValue::B(Blob::new(&*encrypted)));
            put(&app, row).await;
        }
    }
    assert_eq!(webhook(&app, site).await, 204);
    assert_eq!(webhook(&app, &site.with_new_secret()).await, 401);
    // The copy in another tenant's row.
    let copy = Site { secret: site.secret.clone(), ..app.confluence.clone() };
    assert_eq!(app.send("/page-created", json!({}), &copy).await.status, 503);

    let renewed = site.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &renewed).await.status, 204);
    let [data_key] = &data_keys(&app).await[..] else { panic!("one data key") };
    assert!(is_of(&stored(&app, site).await, name(data_key)));
    for site in [&renewed, site] {
        assert_eq!(webhook(&app, site).await, 204, "the previous secret is read as well");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_key_that_is_missing_or_changed_opens_nothing_and_is_named() {
    let app = TestApp::without_handlers().await.on_disk().await;
    let site = app.installed(Product::Jira).await;
    let [good] = &data_keys(&app).await[..] else { panic!("one data key") };
    let mut changed = good["dataKey"].as_b().unwrap().as_ref().to_vec();
    changed[20] ^= 1;
    let mut bad = good.clone();
    bad.insert("dataKey".into(), AttributeValue::B(Blob::new(changed)));
    let mut app = app;
    for (number, row) in [None, Some(bad)].into_iter().enumerate() {
        match row {
            Some(row) => put(&app, row).await,
            None => {
                let delete = app.dynamodb().delete_item().table_name(table(&app));
                delete.key("clientKey", good["clientKey"].clone()).send().await.unwrap();
            }
        }
        // What a function has decrypted it uses for an hour.
        app = app.restarted().await;
        assert_eq!(webhook(&app, &site).await, 503);
        assert_eq!(webhook(&app, &site.with_new_secret()).await, 503);
        let failed = app.logged(Logged::RequestFailed, 2 * (number + 1)).await;
        let detail = failed.last().unwrap()["detail"].as_str().unwrap();
        let named = format!("the row `{}` of the table", name(good));
        assert!(detail.contains(&named) && detail.contains("from a backup"), "{detail}");
    }
    assert_eq!(app.total_depth().await, 0);
    put(&app, good.clone()).await;
    assert_eq!(webhook(&app, &site).await, 204);
    app.stack.stop().await;
}

/// Runs the command, and returns what it prints.
async fn resealed(app: &TestApp) -> (usize, String) {
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    let unreadable = transfer::reseal(&store(app), &mut out, &mut problems).await.unwrap();
    out.append(&mut problems);
    (unreadable, String::from_utf8(out).unwrap())
}

async fn removed(app: &TestApp) -> String {
    let mut out = Vec::new();
    transfer::remove_data_keys(&store(app), &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

fn store(app: &TestApp) -> Store {
    let hosts = vec![".atlassian.net".to_owned()];
    Store::new(app.tenants(), Rules { app_key: DESCRIPTOR.key.clone(), hosts })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_data_key_encrypts_all_secrets_and_the_old_one_is_removed_later() {
    let app = TestApp::without_handlers().await;
    let old = app.jira.clone();
    let site = old.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &site).await.status, 204);
    let gone = app.installed(Product::Jira).await;
    assert_eq!(app.call_back(Callback::Uninstalled, &gone).await.status, 204);
    // Its row is of nobody's data key.
    let broken = app.installed(Product::Jira).await;
    let mut row = rows(&app).await;
    row.retain(|row| name(row) == broken.client_key.as_str());
    let mut row = row.remove(0);
    let mut value = row["sharedSecret"].as_b().unwrap().as_ref().to_vec();
    *value.last_mut().unwrap() ^= 1;
    row.insert("sharedSecret".into(), AttributeValue::B(Blob::new(value)));
    put(&app, row).await;
    assert_eq!(webhook(&app, &site).await, 204);

    let (unreadable, printed) = resealed(&app).await;
    assert_eq!(unreadable, 1, "{printed}");
    assert!(printed.contains("encrypts the secrets of 2 tenants"), "{printed}");
    assert!(printed.contains(&format!("{}: its secret", broken.client_key)), "{printed}");
    let [first, second] = &data_keys(&app).await[..] else { panic!("two data keys") };
    for site in [&site, &app.confluence] {
        assert!(is_of(&stored(&app, site).await, name(second)));
    }
    // Warm and cold receivers, with both secrets of the tenant; and the next install.
    let cold = ["/issue-created", "/scripted"];
    for (url, site) in cold.into_iter().flat_map(|url| [(url, &site), (url, &old)]) {
        let event = if url == "/scripted" { "jira:issue_updated" } else { "jira:issue_created" };
        let sent = app.send(url, json!({ "webhookEvent": event }), site).await;
        assert_eq!(sent.status, 204, "{url}");
    }
    let next = app.installed(Product::Jira).await;
    assert!(is_of(&stored(&app, &next).await, name(second)));

    // The row that cannot be read may need it.
    assert!(removed(&app).await.starts_with(&format!("{}: kept", name(first))));
    assert_eq!(app.call_back(Callback::Installed, &broken).await.status, 204);
    assert!(removed(&app).await.starts_with(&format!("{}: kept", name(first))), "within the hour");
    let mut made = second.clone();
    let earlier = Timestamp::now().as_second() - 3600;
    made.insert("updatedAt".into(), AttributeValue::N(earlier.to_string()));
    put(&app, made).await;
    assert_eq!(removed(&app).await, format!("{}: removed\n", name(first)));
    assert_eq!(removed(&app).await, "there is no old data key\n");
    let [first, _] = &data_keys(&app).await[..] else { panic!("two rows") };
    assert!(!first.contains_key("dataKey"));
    for site in [&site, &next, &broken] {
        assert_eq!(webhook(&app, site).await, 204);
    }
    let (unreadable, printed) = resealed(&app).await;
    assert_eq!((unreadable, data_keys(&app).await.len()), (0, 3), "{printed}");
    app.stack.stop().await;
}

/// The command has read the row, and waits for KMS, while the site installs again.
#[tokio::test(flavor = "multi_thread")]
async fn an_install_during_a_reseal_is_not_lost() {
    let app = TestApp::without_handlers().await;
    let proxy = FaultProxy::new().await;
    proxy.forward_to(app.stack.kms_endpoint());
    let lifecycle = &app.stack.deployment().functions["Lifecycle"].environment;
    let key = Some(lifecycle["TENANTS_KEY"].clone());
    let secrets = Secrets::new(&app.aws(proxy.url()), key, &DESCRIPTOR.key);
    let table = Table::new(&app.aws(app.stack.dynamodb_endpoint()), table(&app), secrets);
    let new = app.jira.with_new_secret();

    proxy.inject(Fault::DelayResponse("Decrypt"));
    let install = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while !proxy.operations().contains(&"Decrypt".to_owned()) {
            poll.tick().await;
        }
        assert_eq!(app.call_back(Callback::Installed, &new).await.status, 204);
        proxy.inject(Fault::None);
    };
    let (resealed, ()) = tokio::join!(table.reseal(Timestamp::now()), install);
    let resealed = resealed.unwrap();
    assert_eq!((resealed.tenants, resealed.unreadable.len()), (2, 0));
    for site in [&new, &app.jira] {
        assert_eq!(webhook(&app, site).await, 204, "the new secret, and the previous one");
    }
    for site in [&new, &app.confluence] {
        assert!(is_of(&stored(&app, site).await, &resealed.data_key));
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_key_is_no_tenant() {
    let app = TestApp::without_handlers().await;
    assert_eq!(data_keys(&app).await.len(), 1);
    let table = app.tenants();
    assert_eq!(table.entries().await.unwrap().len(), 2);
    assert_eq!(table.sites(Timestamp::now()).await.unwrap().len(), 2);
    assert!(table.find(&app.jira.client_key, Timestamp::now()).await.unwrap().is_some());
    app.stack.stop().await;
}
