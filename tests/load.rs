//! Many deliveries of many tenants: none lost, and without a fault none doubled.

use std::collections::BTreeMap;

use atlassian_connect::event::Product;
use atlassian_simulator::Site;
use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::log::Logged;

const TENANTS: usize = 20;
const EACH: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn handles_a_thousand_deliveries_of_twenty_tenants_exactly_once() {
    let app = TestApp::new().await;
    let mut sites = Vec::new();
    for _ in 0..TENANTS {
        sites.push(app.installed(Product::Jira).await);
    }
    let send = async |sites: &[Site]| {
        for number in 0..EACH {
            for site in sites {
                let tenant = &site.client_key;
                let body =
                    json!({ "webhookEvent": "jira:issue_updated", "n": number, "tenant": tenant });
                assert_eq!(app.send("/scripted", body, site).await.status, 204);
            }
        }
    };
    // Four senders at once, each with a quarter of the tenants.
    let (first, second) = sites.split_at(TENANTS / 2);
    let ((a, b), (c, d)) = (first.split_at(TENANTS / 4), second.split_at(TENANTS / 4));
    tokio::join!(send(a), send(b), send(c), send(d));

    app.logged(Logged::ScriptDone, TENANTS * EACH).await;
    app.drained("ScriptedQueue").await;
    let handled = app.logged(Logged::ScriptDone, TENANTS * EACH).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in handled {
        *times.entry(line["payload"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(times.len(), TENANTS * EACH, "none is lost");
    assert!(times.values().all(|times| *times == 1), "none is doubled");
    app.stack.stop().await;
}
