//! A new stack takes over the tenants table and the key of an old one, as after a loss of the stack.

use atlassian_connect::event::{EventName, Product};
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::Site;
use atlassian_simulator::samples::fresh;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use jiff::Timestamp;
use tenants::Find as _;

use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

/// The stack that is lost. Its table has a name that no new stack gives to its own.
fn lost(template: String) -> String {
    let throughput = "      OnDemandThroughput:\n";
    template.tamper(throughput, &format!("      TableName: old-tenants\n{throughput}"))
}

/// Sends a webhook that only the site itself can have signed.
async fn webhook(app: &TestApp, site: &Site) -> u16 {
    let body = fresh(site.product, &EventName::IssueCreated, Timestamp::now()).unwrap();
    app.send("/issue-created", body, site).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_tenants_go_on_without_a_new_install() {
    let old = TestApp::empty(lost).await.on_disk().await;
    let site = old.installed(Product::Jira).await;
    let outputs = old.stack.deployment().outputs.clone();
    let (table, key) = (&*outputs["TenantsTable"], &*outputs["TenantsKey"]);
    assert_eq!(table, "old-tenants");

    // A table of its own is empty, and with another key the secrets cannot be read.
    let template = render(&*DESCRIPTOR, &Configuration::default()).unwrap();
    let new = old.replaced_by(&template, &[]).await;
    assert_eq!(webhook(&new, &site).await, 401);
    let other = "arn:aws:kms:us-east-1:000000000000:key/other";
    let adopted = [("TenantsTableName", table), ("TenantsKeyArn", other)];
    let new = new.replaced_by(&template, &adopted).await;
    assert_eq!(webhook(&new, &site).await, 503);
    assert_eq!(new.total_depth().await, 0, "what was refused is not queued");

    let adopted = [("TenantsTableName", table), ("TenantsKeyArn", key)];
    let new = new.replaced_by(&template, &adopted).await;
    assert!(!new.stack.deployment().tables.contains_key("TenantsTable"), "it makes no other");
    // Where `cargo hooks` looks for them.
    for output in ["TenantsTable", "TenantsKey"] {
        assert_eq!(new.stack.deployment().outputs[output], outputs[output], "{output}");
    }
    assert_eq!(webhook(&new, &site).await, 204);
    new.logged(Logged::DeliveryHandled, 1).await;
    assert_eq!(webhook(&new, &site.with_new_secret()).await, 401, "of the right secret only");

    // The table is not only read.
    let renewed = site.with_new_secret();
    assert_eq!(new.call_back(Callback::Installed, &renewed).await.status, 204);
    assert_eq!(webhook(&new, &renewed).await, 204);
    new.logged(Logged::DeliveryHandled, 2).await;
    assert_eq!(new.call_back(Callback::Uninstalled, &renewed).await.status, 204);
    assert!(new.tenants().find(&site.client_key, Timestamp::now()).await.unwrap().is_none());
    new.stack.stop().await;
}
