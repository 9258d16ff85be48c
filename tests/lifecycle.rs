//! Tenants come, get a new secret, and go.

use atlassian_connect::event::Product;
use atlassian_connect::jwt::{self, ClaimsToSign, LEEWAY, MAX_LIFETIME};
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::tenant::SharedSecret;
use atlassian_simulator::{Site, qsh_of};
use aws_sdk_dynamodb::types::AttributeValue;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

async fn webhook(app: &TestApp, site: &Site) -> u16 {
    let body = json!({ "webhookEvent": "jira:issue_created" });
    app.send("/issue-created", body, site).await.status.as_u16()
}

async fn row(
    app: &TestApp,
    site: &Site,
) -> Option<std::collections::HashMap<String, AttributeValue>> {
    let request = app
        .dynamodb()
        .get_item()
        .table_name(&app.stack.deployment().tables["TenantsTable"].name)
        .key("clientKey", AttributeValue::S(site.client_key.to_string()));
    request.send().await.unwrap().item
}

#[tokio::test(flavor = "multi_thread")]
async fn honours_the_previous_secret_for_its_grace_only() {
    let app = TestApp::without_handlers().await;
    let old = app.jira.clone();
    assert_eq!(webhook(&app, &old).await, 204);

    let new = old.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &new).await.status, 204);
    // An upgrade repeats the install, and must not end the grace of the secret before.
    assert_eq!(app.call_back(Callback::Installed, &new).await.status, 204);
    assert_eq!(webhook(&app, &new).await, 204);
    assert_eq!(webhook(&app, &old).await, 204, "webhooks on their way are not lost");

    // The grace is over: its end is moved to the past.
    let moved = app
        .dynamodb()
        .update_item()
        .table_name(&app.stack.deployment().tables["TenantsTable"].name)
        .key("clientKey", AttributeValue::S(old.client_key.to_string()))
        .update_expression("SET previousUntil = :past")
        .expression_attribute_values(":past", AttributeValue::N("1".into()));
    moved.send().await.unwrap();
    // At another URL, whose receiver has not read the row before.
    let order = json!({ "webhookEvent": "jira:issue_updated" });
    assert_eq!(app.send("/scripted", &order, &old).await.status, 401);
    assert_eq!(app.send("/scripted", &order, &new).await.status, 204);
    assert_eq!(app.depth("IssueCreatedQueue").await, 3);
    app.stack.stop().await;
}

/// Receivers are warm and remember the secret from before, or that the tenant was none.
#[tokio::test(flavor = "multi_thread")]
async fn a_warm_receiver_accepts_webhooks_after_a_secret_rotation() {
    let app = TestApp::without_handlers().await;
    let mut site = Site::new(Product::Jira, "newcomer");
    assert_eq!(webhook(&app, &site).await, 401);
    assert_eq!(app.call_back(Callback::Installed, &site).await.status, 204);
    for _ in 0..3 {
        assert_eq!(webhook(&app, &site).await, 204);
        let new = site.with_new_secret();
        assert_eq!(app.call_back(Callback::Installed, &new).await.status, 204);
        let (new_one, old_one) = tokio::join!(webhook(&app, &new), webhook(&app, &site));
        assert_eq!((new_one, old_one), (204, 204));
        site = new;
    }
    assert_eq!(app.depth("IssueCreatedQueue").await, 9);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forgets_the_secrets_of_a_tenant_that_leaves() {
    let app = TestApp::without_handlers().await;
    let before = app.jira.clone();
    let site = before.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &site).await.status, 204);
    assert!(row(&app, &site).await.unwrap().contains_key("previousSecret"));
    assert_eq!(app.call_back(Callback::Disabled, &site).await.status, 204);
    assert_eq!(app.call_back(Callback::Uninstalled, &site).await.status, 204);
    assert_eq!(webhook(&app, &site).await, 401);
    assert_eq!(webhook(&app, &before).await, 401);

    let left = row(&app, &site).await.unwrap();
    for name in ["sharedSecret", "previousSecret", "previousUntil", "enabled"] {
        assert!(!left.contains_key(name), "{name}");
    }
    let expires: i64 = left["expiresAt"].as_n().unwrap().parse().unwrap();
    assert!(expires > Timestamp::now().as_second(), "DynamoDB deletes the row, but not yet");

    let back = site.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &back).await.status, 204);
    assert_eq!(webhook(&app, &back).await, 204);
    assert_eq!(webhook(&app, &site).await, 401, "the secret from before is gone for good");
    assert!(!row(&app, &site).await.unwrap().contains_key("expiresAt"));
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_the_app_is_switched_off_and_on() {
    let app = TestApp::without_handlers().await;
    for (callback, enabled) in [(Callback::Disabled, false), (Callback::Enabled, true)] {
        assert_eq!(app.call_back(callback, &app.jira).await.status, 204);
        let row = row(&app, &app.jira).await.unwrap();
        assert_eq!(row["enabled"].as_bool(), Ok(&enabled));
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_the_uninstall_of_an_unknown_tenant() {
    let app = TestApp::empty(|template| template).await;
    let stranger = Site::new(Product::Confluence, "stranger");
    assert_eq!(app.call_back(Callback::Uninstalled, &stranger).await.status, 204);
    // Its install may have been overtaken.
    assert_eq!(install(&app, &stranger, 30, app.stack.url(), json!({})).await, 401);
    let left = row(&app, &stranger).await.unwrap();
    assert!(!left.contains_key("sharedSecret"));
    let expires: i64 = left["expiresAt"].as_n().unwrap().parse().unwrap();
    assert!(expires > Timestamp::now().as_second() + MAX_LIFETIME + LEEWAY, "no older token lives");
    app.stack.stop().await;
}

/// Signs and posts an install, with an age in seconds and additional fields.
async fn install(app: &TestApp, site: &Site, age: i64, audience: &str, fields: Value) -> u16 {
    let signed = Timestamp::now().as_second() - age;
    post(app, Callback::Installed, site, signed, audience, fields).await
}

/// Signs and posts an install or uninstall as of one second.
async fn post(
    app: &TestApp,
    callback: Callback,
    site: &Site,
    signed: i64,
    audience: &str,
    fields: Value,
) -> u16 {
    let base = app.stack.url();
    let target = format!("{base}/{callback}");
    let qsh = qsh_of(&target, base).unwrap();
    let statement = ClaimsToSign {
        audience: Some(audience),
        issued_at: signed,
        ..ClaimsToSign::new(site.client_key.as_str(), &qsh, Timestamp::now())
    };
    let token = app.atlassian.sign_install(&statement).unwrap();
    let mut body = json!({
        "key": DESCRIPTOR.key, "clientKey": site.client_key, "eventType": callback.as_str(),
        "sharedSecret": site.secret.expose(), "baseUrl": site.base_url,
        "productType": site.product,
    });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = app.atlassian.post(&target, Some(&token), body.to_string(), None).await;
    answer.unwrap().status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_callback_wins_and_a_token_installs_once() {
    use Callback::{Installed, Uninstalled};
    let app = TestApp::empty(|template| template).await;
    let start = Timestamp::now().as_second() - 120;
    // Callback, second, secret and status; then whether each of the secrets signs.
    type Row = (Callback, i64, usize, u16);
    let scenes: [(&[Row], [bool; 2]); 9] = [
        (&[(Installed, 10, 0, 204), (Uninstalled, 9, 0, 401)], [true, false]),
        (&[(Uninstalled, 10, 0, 204), (Installed, 9, 0, 401)], [false; 2]),
        (&[(Uninstalled, 10, 0, 204), (Installed, 11, 0, 204)], [true, false]),
        (&[(Installed, 10, 0, 204), (Installed, 9, 1, 401)], [true, false]),
        // Equal seconds.
        (
            &[(Installed, 10, 0, 204), (Uninstalled, 10, 0, 204), (Installed, 10, 0, 401)],
            [false; 2],
        ),
        (&[(Uninstalled, 10, 0, 204), (Installed, 10, 0, 401)], [false; 2]),
        (
            &[(Installed, 10, 0, 204), (Installed, 10, 1, 401), (Installed, 10, 0, 204)],
            [true, false],
        ),
        // The secret from before, which has its grace, is no repetition of the new one's install.
        (&[(Installed, 9, 0, 204), (Installed, 10, 1, 204), (Installed, 10, 0, 401)], [true; 2]),
        // Signed by a clock that is ahead: the token is used up all the same.
        (
            &[
                (Installed, 160, 0, 204),
                (Installed, 160, 1, 401),
                (Uninstalled, 161, 0, 204),
                (Installed, 160, 0, 401),
            ],
            [false; 2],
        ),
    ];
    for (scene, (rows, signs)) in scenes.into_iter().enumerate() {
        let one = Site::new(Product::Jira, "site");
        let sites = [one.with_new_secret(), one];
        for (number, (callback, second, secret, status)) in rows.iter().enumerate() {
            let (site, base) = (&sites[*secret], app.stack.url());
            let answer = post(&app, *callback, site, start + second, base, json!({})).await;
            assert_eq!(answer, *status, "callback {number} of scene {scene}");
        }
        let stored = row(&app, &sites[0]).await.unwrap();
        assert_eq!(stored.contains_key("sharedSecret"), signs[1] || signs[0], "scene {scene}");
        for (site, signs) in sites.iter().zip(signs) {
            let status = if signs { 204 } else { 401 };
            assert_eq!(webhook(&app, site).await, status, "scene {scene}");
        }
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_older_than_an_uninstall_is_rejected() {
    let app = TestApp::empty(|template| template).await;
    let base = app.stack.url();
    for round in 0..20 {
        let site = Site::new(Product::Jira, "site");
        let now = Timestamp::now().as_second();
        if round % 2 == 0 {
            // It was a tenant, and left.
            let left = post(&app, Callback::Uninstalled, &site, now - 60, base, json!({})).await;
            assert_eq!(left, 204);
        }
        let (installed, uninstalled) = tokio::join!(
            post(&app, Callback::Installed, &site, now - 30, base, json!({})),
            post(&app, Callback::Uninstalled, &site, now - 20, base, json!({})),
        );
        assert!(matches!(installed, 204 | 401), "{installed}");
        assert_eq!(uninstalled, 204);
        assert!(!row(&app, &site).await.unwrap().contains_key("sharedSecret"), "round {round}");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lets_no_older_callback_undo_a_newer_one() {
    let app = TestApp::empty(|template| template).await;
    let base = app.stack.url();
    let old = Site::new(Product::Jira, "site");
    let new = old.with_new_secret();
    assert_eq!(install(&app, &old, 90, base, json!({})).await, 204);
    assert_eq!(install(&app, &new, 30, base, json!({})).await, 204);
    assert_eq!(install(&app, &old, 60, base, json!({})).await, 401, "replayed, or overtaken");
    assert_eq!(webhook(&app, &new).await, 204);
    assert_eq!(app.call_back(Callback::Uninstalled, &new).await.status, 204);
    assert_eq!(install(&app, &new, 20, base, json!({})).await, 401, "it left after that");
    assert!(!row(&app, &new).await.unwrap().contains_key("sharedSecret"));
    let refused = app.logged(Logged::RequestRejected, 2).await;
    assert!(refused.iter().all(|line| line["reason"] == "outdated_callback"), "{refused:#?}");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_what_an_install_says_of_the_site() {
    let app = TestApp::empty(|template| {
        template.tamper("!Ref OtherBaseUrls", "'https://old.example.com/, https://x.test'")
    })
    .await;
    let site = Site::new(Product::Jira, "site");
    let forge = json!({
        "installationId": "ari:cloud:ecosystem::installation/1", "oauthClientId": "client",
        "displayUrl": "https://jira.example.com", "entitlementId": "e", "unheardOf": {"a": 1},
    });
    // Signed for the domain that the app had before.
    assert_eq!(install(&app, &site, 0, "https://old.example.com", forge).await, 204);
    let first = row(&app, &site).await.unwrap();
    for (name, value) in [
        ("installationId", "ari:cloud:ecosystem::installation/1"),
        ("oauthClientId", "client"),
        ("displayUrl", "https://jira.example.com"),
        ("entitlementId", "e"),
    ] {
        assert_eq!(first[name], AttributeValue::S(value.into()), "{name}");
    }

    // The site moves, and says of the rest only what is new.
    let moved = json!({
        "baseUrl": "https://renamed.atlassian.net", "oauthClientId": "other", "displayUrl": null,
    });
    assert_eq!(install(&app, &site, 0, app.stack.url(), moved).await, 204);
    let second = row(&app, &site).await.unwrap();
    assert_eq!(second["baseUrl"], AttributeValue::S("https://renamed.atlassian.net".into()));
    assert_eq!(second["oauthClientId"], AttributeValue::S("other".into()));
    for name in ["installationId", "displayUrl", "entitlementId"] {
        assert_eq!(second[name], first[name], "{name}");
    }
    assert!(!second.contains_key("previousSecret"), "the secret is the same");
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_secrets_that_only_the_key_reads() {
    let app = TestApp::without_handlers().await;
    let (victim, thief) = (app.jira.clone(), app.confluence.clone());
    let rotated = victim.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &rotated).await.status, 204);
    let stored = row(&app, &victim).await.unwrap();
    for (name, secret) in [("sharedSecret", &rotated.secret), ("previousSecret", &victim.secret)] {
        let value = stored[name].as_b().expect("ciphertext, not text");
        let secret = secret.expose().as_bytes();
        assert!(!value.as_ref().windows(secret.len()).any(|window| window == secret), "{name}");
    }

    // Somebody who can write to the table, and not use the key, gives the victim a secret they know:
    // first the thief's own encrypted value, then plaintext.
    let own = row(&app, &thief).await.unwrap()["sharedSecret"].clone();
    let chosen = AttributeValue::S("chosen-by-the-thief".into());
    let forged = [(own, thief.secret.clone()), (chosen, SharedSecret::new("chosen-by-the-thief"))];
    for (number, (value, secret)) in forged.into_iter().enumerate() {
        let planted = app
            .dynamodb()
            .update_item()
            .table_name(&app.stack.deployment().tables["TenantsTable"].name)
            .key("clientKey", AttributeValue::S(victim.client_key.to_string()))
            .update_expression("SET sharedSecret = :planted REMOVE previousSecret")
            .expression_attribute_values(":planted", value);
        planted.send().await.unwrap();
        let impostor = Site { secret, ..victim.clone() };
        let order = json!({ "webhookEvent": "jira:issue_updated" });
        assert_eq!(app.send("/scripted", &order, &impostor).await.status, 503);
        let failed = app.logged(Logged::RequestFailed, number + 1).await;
        assert_eq!(failed[number]["reason"], "tenants_unavailable");
        let detail = failed[number]["detail"].as_str().unwrap();
        assert!(detail.contains("was not written by this app"), "{detail}");
        assert!(!app.printed().contains("chosen-by-the-thief"));
    }
    assert_eq!(app.total_depth().await, 0);

    // An install overwrites the row.
    assert_eq!(app.call_back(Callback::Installed, &rotated).await.status, 204);
    assert_eq!(webhook(&app, &rotated).await, 204);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_to_try_again_when_the_key_server_is_gone() {
    let app =
        TestApp::empty(|template| template.tamper("!Ref InstallKeysUrl", "http://127.0.0.1:1"))
            .await;
    let site = Site::new(Product::Jira, "site");
    assert_eq!(app.call_back(Callback::Installed, &site).await.status, 503);
    assert_eq!(app.logged(Logged::RequestFailed, 1).await[0]["reason"], "keys_unavailable");
    let metrics = app.logged(Logged::Metric, 2).await;
    assert_eq!(metrics.iter().filter(|line| line["InstallRejected"] == 1).count(), 1);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_for_an_install_key_once() {
    let app = TestApp::empty(|template| template).await;
    app.installed(Product::Jira).await;
    app.atlassian.stop_serving();
    app.installed(Product::Confluence).await;
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn believes_no_callback_that_was_signed_in_the_wrong_way() {
    let app = TestApp::without_handlers().await;
    let base = app.stack.url();
    let (site, other) = (&app.jira, &app.confluence);
    let body = |event: &str, tenant: &Site| {
        json!({
            "key": DESCRIPTOR.key, "clientKey": tenant.client_key, "eventType": event,
            "baseUrl": tenant.base_url, "productType": tenant.product,
        })
    };
    let token = |url: &str, by_atlassian: bool| {
        let qsh = qsh_of(&format!("{base}{url}"), base).unwrap();
        let statement = ClaimsToSign {
            audience: Some(base),
            ..ClaimsToSign::new(site.client_key.as_str(), &qsh, Timestamp::now())
        };
        if by_atlassian {
            app.atlassian.sign_install(&statement).unwrap()
        } else {
            jwt::sign(&statement, &site.secret)
        }
    };
    let rows = [
        ("/uninstalled", token("/uninstalled", false), body("uninstalled", site), "algorithm"),
        ("/uninstalled", token("/installed", true), body("uninstalled", site), "qsh"),
        (
            "/uninstalled",
            token("/uninstalled", true),
            body("uninstalled", other),
            "callback_mismatch",
        ),
        ("/enabled", token("/enabled", true), body("enabled", site), "algorithm"),
        ("/disabled", token("/disabled", false), body("disabled", other), "callback_mismatch"),
        ("/disabled", token("/disabled", false), body("enabled", site), "callback_mismatch"),
    ];
    for (number, (url, token, body, reason)) in rows.into_iter().enumerate() {
        let target = format!("{base}{url}");
        let answer = app.atlassian.post(&target, Some(&token), body.to_string(), None).await;
        assert_eq!(answer.unwrap().status, 401, "{url} {reason}");
        let refused = app.logged(Logged::RequestRejected, number + 1).await;
        assert_eq!(refused[number]["reason"], reason, "{url}");
        for tenant in [site, other] {
            let row = row(&app, tenant).await.unwrap();
            assert!(row.contains_key("sharedSecret") && !row.contains_key("enabled"), "{url}");
        }
    }
    app.stack.stop().await;
}

/// The app with a queue for lifecycle callbacks.
fn with_queue(template: impl AsRef<str>, queue: &str) -> String {
    let url = "INSTALL_KEYS_URL: !Ref InstallKeysUrl\n";
    template.as_ref().tamper(url, &format!("{url}          QUEUE_URL: {queue}\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_gets_each_callback_once_and_a_reinstall_again() {
    use Callback::{Installed, Uninstalled};
    let app = TestApp::empty(|_| {
        let configuration = Configuration::parse("lifecycle: { handler: scripted }").unwrap();
        render(&*DESCRIPTOR, &configuration).unwrap()
    })
    .await;
    let site = Site::new(Product::Confluence, "site");
    let back = site.with_new_secret();
    let (base, start) = (app.stack.url(), Timestamp::now().as_second() - 60);
    let callbacks = [(Installed, 0, &site), (Uninstalled, 1, &site), (Installed, 2, &back)];
    for (number, (callback, second, site)) in callbacks.into_iter().enumerate() {
        // Atlassian repeats the callback, because its response was lost.
        for handled in [Logged::DeliveryHandled, Logged::DeliveryDuplicate] {
            let details = json!({ "displayUrl": "https://wiki.example.com" });
            let status = post(&app, callback, site, start + second, base, details).await;
            assert_eq!(status, 204, "{callback}");
            app.logged(handled, number + 1).await;
        }
    }
    let older = post(&app, Uninstalled, &back, start + 1, base, json!({})).await;
    assert_eq!(older, 401, "an outdated callback is neither recorded nor queued");

    let done = app.logged(Logged::ScriptDone, 3).await;
    let payload = |line: &Value| -> Value {
        serde_json::from_str(line["payload"].as_str().unwrap()).unwrap()
    };
    let events: Vec<Value> = done.iter().map(payload).collect();
    let expected = callbacks.map(|(callback, ..)| {
        json!({
            "key": DESCRIPTOR.key, "clientKey": site.client_key, "eventType": callback.as_str(),
            "baseUrl": site.base_url, "productType": site.product,
            "displayUrl": "https://wiki.example.com",
        })
    });
    assert_eq!(events, expected);
    assert_eq!(app.logged(Logged::DeliveryQueued, 6).await.len(), 6);
    let printed = app.printed();
    for site in [&site, &back] {
        assert!(!printed.contains(site.secret.expose()));
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_about_a_tenant_has_its_secret() {
    let app = TestApp::empty(|template| {
        with_queue(template, "!Ref ScriptedQueue")
            .tamper("BatchSize: 10", "BatchSize: 10\n            Enabled: false")
    })
    .await;
    let site = Site::new(Product::Jira, "site");
    let callbacks =
        [Callback::Installed, Callback::Enabled, Callback::Disabled, Callback::Uninstalled];
    for callback in callbacks {
        assert_eq!(app.call_back(callback, &site).await.status, 204, "{callback}");
    }
    let messages = app.all("ScriptedQueue").await;
    assert_eq!(messages.len(), callbacks.len());
    for message in &messages {
        let raw = format!("{message:?}");
        assert!(!raw.contains(site.secret.expose()) && !raw.contains("haredSecret"), "{raw}");
        let attributes = message.message_attributes.as_ref().unwrap();
        assert_eq!(attributes["tenant"].string_value(), Some(site.client_key.as_str()));
        let event = attributes["event"].string_value().unwrap();
        assert!(callbacks.iter().any(|callback| callback.as_str() == event), "{event}");
    }
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_succeeds_only_after_the_queue_has_it() {
    let app = TestApp::empty(|template| with_queue(template, "'http://127.0.0.1:1/gone'")).await;
    let site = Site::new(Product::Jira, "site");
    assert_eq!(app.call_back(Callback::Installed, &site).await.status, 503);
    assert_eq!(app.logged(Logged::RequestFailed, 1).await[0]["reason"], "queue_unavailable");
    assert_eq!(webhook(&app, &site).await, 204, "the tenant is recorded");
    app.stack.stop().await;
}
