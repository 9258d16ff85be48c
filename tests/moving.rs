//! A real app of atlassian-connect-express that moves, as `infra/MOVING.md` describes it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use atlassian_connect::event::Product;
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::lifecycle::{Callback, SiteDetails};
use atlassian_connect::qsh;
use atlassian_simulator::Site;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::render;
use jiff::Timestamp;
use serde_json::json;
use tenants::{Install as _, Installation, Recorded, SignedAt};

use crate::harness::app::{DESCRIPTOR, FORGED_KEY, TestApp};
use crate::harness::log::Logged;

/// An app with a page and two webhooks. It tells whoever asks which webhooks it has handled.
const APP: &str = "
const express = require('express');
const ace = require('atlassian-connect-express');
const app = express();
const quiet = () => {};
const logger = { debug: quiet, info: quiet, log: quiet, warn: quiet, error: quiet };
const addon = ace(app, { logger });
app.use(express.json());
app.use(addon.middleware());
app.get('/plan', addon.authenticate(), (request, response) => {
  response.send(`<p>The plan of ${request.context.clientKey}</p>`);
});
const handled = [];
for (const event of ['jira:issue_created', 'jira:worklog_updated']) {
  addon.on(event, () => handled.push(event));
}
app.get('/handled', (_, response) => response.json(handled));
app.listen(process.env.PORT, '127.0.0.1', () => console.log('listening'));
";

/// The app before it moves: its files, with its packages.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("app.js", APP);
    let store = json!({ "adapter": "sequelize", "dialect": "sqlite", "storage": "store.db" });
    let production = json!({ "whitelist": ["*.atlassian.net"], "store": store });
    write("config.json", &json!({ "production": production }).to_string());
    let descriptor = json!({
        "key": DESCRIPTOR.key,
        "baseUrl": "{{localBaseUrl}}",
        "authentication": { "type": "jwt" },
        "apiMigrations": { "signed-install": true, "context-qsh": true },
        "lifecycle": { "installed": "/installed" },
        "modules": {
            "generalPages": [{ "key": "plan", "url": "/plan", "name": { "value": "Plan" } }],
            "webhooks": [
                { "event": "jira:issue_created", "url": "/issue-created" },
                { "event": "jira:worklog_updated", "url": "/webhooks/worklog" },
            ],
        },
    });
    write("atlassian-connect.json", &descriptor.to_string());
    write("package.json", r#"{ "private": true }"#);
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund"]);
    npm.args(["atlassian-connect-express@11", "express@4", "sequelize@6", "sqlite3@6"]);
    assert!(npm.current_dir(folder.path()).status().unwrap().success());
    folder
}

/// The running app. It ends when it is dropped.
struct ExistingServer {
    process: Child,
    _printed: ChildStdout,
}

impl ExistingServer {
    /// Starts the app, and waits until it listens.
    ///
    /// It verifies installs as in production, with keys from the server that its variable
    /// `CONNECT_KEYS_CDN_URL` names instead of Atlassian's.
    fn start(files: &Path, port: u16, base_url: &str, keys_url: &str) -> Self {
        let mut node = Command::new("node");
        node.arg("app.js").current_dir(files).stdout(Stdio::piped());
        node.envs([("NODE_ENV", "production"), ("AC_OPTS", "no-reg")]);
        node.env("PORT", port.to_string()).env("AC_LOCAL_BASE_URL", base_url);
        node.env("CONNECT_KEYS_CDN_URL", keys_url);
        let mut process = node.spawn().unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        let listens = printed.by_ref().lines().any(|line| line.unwrap() == "listening");
        assert!(listens, "the app does not start; see its lines above");
        Self { process, _printed: printed.into_inner() }
    }
}

impl Drop for ExistingServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The webhooks that the old server has handled since it started.
async fn handled_there(app: &TestApp) -> Vec<String> {
    let request = app.atlassian.client().get(format!("{}/handled", app.stack.url()));
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

/// Asks for the page as a site's browser does: status and body.
async fn page(app: &TestApp, site: &Site) -> (u16, String) {
    let url = format!("{}/plan?project=A%26B&lic=none", app.stack.url());
    let hash = qsh::Request::of_url("GET", &url, "/").hash().unwrap();
    let claims = ClaimsToSign::new(site.client_key.as_str(), &hash, Timestamp::now());
    let url = format!("{url}&jwt={}", jwt::sign(&claims, &site.secret));
    let response = app.atlassian.client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn plan_of(site: &Site) -> (u16, String) {
    (200, format!("<p>The plan of {}</p>", site.client_key))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs packages with npm"]
async fn an_app_of_atlassian_connect_express_moves_its_webhooks_and_keeps_its_pages() {
    let files = files();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let origin = format!("http://127.0.0.1:{port}");
    let configuration = Configuration::parse(&format!("existingServer: '{origin}'")).unwrap();
    let app = TestApp::empty(|_| render(&*DESCRIPTOR, &configuration).unwrap()).await;
    let (base_url, keys_url) = (app.stack.url().to_owned(), app.atlassian.url().to_owned());
    let start = || ExistingServer::start(files.path(), port, &base_url, &keys_url);
    let old = start();

    // A site from before: the name of the base URL led to the old server.
    let before = Site::new(Product::Jira, "before");
    let signed = Timestamp::now();
    let hash = qsh::Request::of_url("POST", &format!("{base_url}/installed"), "/").hash().unwrap();
    let mut claims = ClaimsToSign::new(before.client_key.as_str(), &hash, signed);
    claims.audience = Some(&base_url);
    let install = json!({
        "key": DESCRIPTOR.key, "clientKey": before.client_key, "baseUrl": before.base_url,
        "sharedSecret": before.secret.expose(), "productType": "jira", "eventType": "installed",
    });
    let target = format!("{origin}/installed");
    let forged = FORGED_KEY.sign(&claims).unwrap();
    let forged = app.atlassian.post(&target, Some(&forged), install.to_string(), None);
    assert_eq!(forged.await.unwrap().status, 400, "it verifies installs by itself");
    let token = app.atlassian.sign_install(&claims).unwrap();
    let installed = app.atlassian.post(&target, Some(&token), install.to_string(), None);
    assert_eq!(installed.await.unwrap().status, 204);
    // What an import of tenants writes.
    let imported = Installation {
        key: before.client_key.clone(),
        product: before.product,
        secret: before.secret.clone(),
        base_url: before.base_url.clone(),
        particulars: SiteDetails::default(),
    };
    let recorded = app.tenants().install(&imported, SignedAt { signed, now: signed }).await;
    assert_eq!(recorded.unwrap(), Recorded::Yes);

    assert_eq!(page(&app, &before).await, plan_of(&before));
    assert_eq!(page(&app, &before.with_new_secret()).await.0, 400);
    let created =
        json!({ "webhookEvent": "jira:issue_created", "issue": { "id": "1", "key": "A-1" } });
    assert_eq!(app.send("/issue-created", created.clone(), &before).await.status, 204);
    app.logged(Logged::IssueCreated, 1).await;
    let worklog = json!({ "webhookEvent": "jira:worklog_updated" });
    assert_eq!(app.send("/webhooks/worklog", worklog, &before).await.status, 204);
    assert_eq!(handled_there(&app).await, ["jira:worklog_updated"], "the other one has moved");

    // A site that installs the app now, and gets a new secret.
    let site = Site::new(Product::Jira, "after");
    assert_eq!(app.call_back(Callback::Installed, &site).await.status, 204);
    assert_eq!(page(&app, &site).await, plan_of(&site));
    let rotated = site.with_new_secret();
    assert_eq!(app.call_back(Callback::Installed, &rotated).await.status, 204);
    assert_eq!(page(&app, &rotated).await, plan_of(&site));
    assert_eq!(page(&app, &site).await.0, 400, "the secret from before");
    assert_eq!(app.send("/issue-created", created.clone(), &rotated).await.status, 204);
    app.logged(Logged::IssueCreated, 2).await;

    // While the old server is down, webhooks arrive, and nobody can install the app.
    drop(old);
    let late = Site::new(Product::Jira, "late");
    assert_eq!(app.call_back(Callback::Installed, &late).await.status, 503);
    assert_eq!(page(&app, &rotated).await.0, 503);
    assert_eq!(app.send("/issue-created", created, &rotated).await.status, 204);
    app.logged(Logged::IssueCreated, 3).await;
    let _old = start();
    assert_eq!(app.call_back(Callback::Installed, &late).await.status, 204);
    assert_eq!(page(&app, &late).await, plan_of(&late));
    assert_eq!(page(&app, &before).await, plan_of(&before), "its store has outlived it");
    assert_eq!(handled_there(&app).await, Vec::<String>::new());
    app.stack.stop().await;
}
