//! Tenants move from one store to another, and are listed.

use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use atlassian_connect::event::{EventName, Product};
use atlassian_connect::lifecycle::{Callback, SiteDetails};
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use atlassian_simulator::Site;
use atlassian_simulator::samples::fresh;
use aws_sdk_dynamodb::types::AttributeValue;
use cargo_hooks::dead_letters::Form;
use cargo_hooks::session::{LocalTenants, Published, Session};
use cargo_hooks::transfer::line::Rules;
use cargo_hooks::transfer::{self, Store, Summary};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenants::{
    Find as _, Import, Imported, Install as _, Installation, Recorded, SignedAt, State, Table,
    Uninstall as _,
};

use crate::command::hooks_at;
use crate::harness::app::{DESCRIPTOR, TestApp};
use crate::harness::log::Logged;

/// Two tenants and another setting in the store of atlassian-connect-express.
const EXPRESS: &str = include_str!("../infra/cargo-hooks/src/transfer/express.json");

fn store(app: &TestApp) -> Store {
    let hosts = vec![".atlassian.net".to_owned()];
    Store::new(app.tenants(), Rules { app_key: DESCRIPTOR.key.clone(), hosts })
}

async fn exported(app: &TestApp, with_secrets: bool) -> String {
    let mut out = Vec::new();
    transfer::export(&store(app), with_secrets, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Imports lines, and returns the summary and everything that was printed.
async fn imported(app: &TestApp, lines: &str, is_dry_run: bool) -> (Summary, String) {
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    let store = store(app);
    let lines = lines.as_bytes();
    let summary = transfer::import(&store, lines, is_dry_run, &mut out, &mut problems).await;
    out.append(&mut problems);
    (summary.unwrap(), String::from_utf8(out).unwrap())
}

async fn listed(app: &TestApp) -> Vec<Value> {
    let mut out = Vec::new();
    transfer::list(&store(app), Form::Json, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn row(app: &TestApp, key: &ClientKey) -> Option<HashMap<String, AttributeValue>> {
    let request = app
        .dynamodb()
        .get_item()
        .table_name(&app.stack.deployment().tables["TenantsTable"].name)
        .key("clientKey", AttributeValue::S(key.to_string()))
        .consistent_read(true);
    request.send().await.unwrap().item
}

/// Sends a webhook that only the site itself can have signed.
async fn webhook(app: &TestApp, site: &Site) -> u16 {
    let (url, event) = match site.product {
        Product::Jira => ("/issue-created", EventName::IssueCreated),
        Product::Confluence => ("/page-created", EventName::PageCreated),
        Product::Bitbucket => unreachable!("Bitbucket is not a product of Connect"),
    };
    let body = fresh(site.product, &event, Timestamp::now()).unwrap();
    app.send(url, body, site).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenants_of_one_stack_go_on_with_another() {
    let (old, new) = tokio::join!(TestApp::new(), TestApp::empty(|template| template));
    let gone = old.installed(Product::Jira).await;
    assert_eq!(old.call_back(Callback::Uninstalled, &gone).await.status, 204);
    assert_eq!(old.call_back(Callback::Disabled, &old.confluence).await.status, 204);
    let sites = [&old.jira, &old.confluence];

    let without = exported(&old, false).await;
    assert_eq!(without.lines().count(), 3);
    let lines = exported(&old, true).await;
    for site in sites {
        assert!(!without.contains(site.secret.expose()));
        assert!(lines.contains(site.secret.expose()));
    }
    let (summary, _) = imported(&new, &without, false).await;
    assert_eq!(summary, Summary { uninstalled: 1, invalid: 2, ..Summary::default() });

    // The same sites have other secrets for another app, so its lines would replace the right ones.
    let rules =
        Rules { app_key: "com.example.another".into(), hosts: vec![".atlassian.net".into()] };
    let another = Store::new(new.tenants(), rules);
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    let summary = transfer::import(&another, lines.as_bytes(), false, &mut out, &mut problems);
    let expected = Summary { uninstalled: 1, invalid: 2, ..Summary::default() };
    assert_eq!(summary.await.unwrap(), expected);
    assert!(listed(&new).await.is_empty());

    let all = Summary { imported: 2, uninstalled: 1, ..Summary::default() };
    let (summary, _) = imported(&new, &lines, true).await;
    assert_eq!(summary, all);
    assert!(listed(&new).await.is_empty(), "a dry run writes nothing");
    let (summary, printed) = imported(&new, &lines, false).await;
    assert_eq!(summary, all);
    for site in sites {
        assert!(printed.contains(site.client_key.as_str()), "{printed}");
        assert!(!printed.contains(site.secret.expose()), "{printed}");
        let stored = row(&new, &site.client_key).await.unwrap();
        let stored = stored["sharedSecret"].as_b().expect("ciphertext, not text").as_ref();
        let secret = site.secret.expose().as_bytes();
        assert!(!stored.windows(secret.len()).any(|window| window == secret));
    }
    let mut states = listed(&new).await;
    states.sort_by_key(|tenant| tenant["product"].to_string());
    let states: Vec<_> =
        states.iter().map(|tenant| (&tenant["product"], &tenant["state"])).collect();
    let [confluence, jira] = ["confluence", "jira"].map(Value::from);
    assert_eq!(states, [(&confluence, &"disabled".into()), (&jira, &"installed".into())]);

    // Nobody has installed the app here.
    assert_eq!(webhook(&new, &old.jira).await, 204);
    assert_eq!(webhook(&new, &gone).await, 401);
    new.logged(Logged::DeliveryHandled, 1).await;
    let (summary, _) = imported(&new, &lines, false).await;
    assert_eq!(summary, Summary { unchanged: 2, uninstalled: 1, ..Summary::default() });

    // The sites come here from now on, with secrets that the old stack never gets.
    for site in sites {
        let site = site.with_new_secret();
        // In a later second than the one that was imported.
        let signed = seconds(row(&new, &site.client_key).await.unwrap()["signedAt"].as_n()) + 1;
        reinstalled(&new, &site, signed).await;
        assert_eq!(webhook(&new, &site).await, 204);
    }
    let rows = listed(&new).await;
    let (summary, _) = imported(&new, &lines, false).await;
    assert_eq!(summary, Summary { outdated: 2, uninstalled: 1, ..Summary::default() });
    assert_eq!(listed(&new).await, rows);
    let handled = new.logged(Logged::DeliveryHandled, 3).await;
    let mut handled: Vec<&str> =
        handled.iter().map(|line| line["tenant.key"].as_str().unwrap()).collect();
    let mut expected = [&old.jira, &old.jira, &old.confluence].map(|site| site.client_key.as_str());
    handled.sort_unstable();
    expected.sort_unstable();
    assert_eq!(handled, expected);
    tokio::join!(old.stack.stop(), new.stack.stop());
}

fn seconds(number: Result<&String, &AttributeValue>) -> i64 {
    number.unwrap().parse().unwrap()
}

/// Records an install as the lifecycle function does, signed in the given second.
async fn reinstalled(app: &TestApp, site: &Site, second: i64) {
    let at = SignedAt { signed: Timestamp::from_second(second).unwrap(), now: Timestamp::now() };
    let recorded = app.tenants().install(&installation(site), at).await.unwrap();
    assert_eq!(recorded, Recorded::Yes);
}

fn installation(site: &Site) -> Installation {
    Installation {
        key: site.client_key.clone(),
        product: site.product,
        secret: site.secret.clone(),
        base_url: site.base_url.clone(),
        particulars: SiteDetails::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_express_is_imported_until_the_sites_install_again() {
    let app = TestApp::empty(|template| template).await;
    let lines = EXPRESS.replace("com.example.app", &DESCRIPTOR.key);
    let sites: Vec<Site> = [("jira", 1, ""), ("confluence", 2, "/wiki")]
        .map(|(product, number, path)| Site {
            product: Product::parse(product).unwrap(),
            client_key: ClientKey::new(format!("0000000{number}-aaaa-4bbb-8ccc-dddddddddddd"))
                .unwrap(),
            secret: SharedSecret::new(format!(
                "{:x<40}",
                format!("made-up-secret-of-{product}-{number}")
            )),
            base_url: format!("https://site-{number}.atlassian.net{path}"),
        })
        .into();
    // So that an install of the same secret says nothing new.
    let lines = lines.replace("made-up-oauth-client", &sites[1].oauth_client_id());
    // The receiver is warm, and remembers that there is no such tenant.
    assert_eq!(webhook(&app, &sites[0]).await, 401);
    let (summary, _) = imported(&app, &lines, false).await;
    assert_eq!(summary, Summary { imported: 2, others: 1, ..Summary::default() });
    for site in &sites {
        assert_eq!(webhook(&app, site).await, 204);
    }
    app.logged(Logged::DeliveryHandled, 2).await;
    let tenants = listed(&app).await;
    assert!(tenants.iter().all(|tenant| tenant["state"] == "imported"), "{tenants:?}");
    assert_eq!(
        tenants[1]["installationId"],
        "ari:cloud:ecosystem::installation/11111111-2222-4333-8444-555555555555"
    );

    // An install through the lifecycle function, with another secret and the same one.
    let (rotated, same) = (sites[0].with_new_secret(), &sites[1]);
    for site in [&rotated, same] {
        assert_eq!(app.call_back(Callback::Installed, site).await.status, 204);
        assert_eq!(webhook(&app, site).await, 204);
    }
    let tenants = listed(&app).await;
    assert!(tenants.iter().all(|tenant| tenant["state"] == "installed"), "{tenants:?}");
    assert!(tenants[1]["installationId"].is_string(), "details that an install lacks are kept");
    let (summary, _) = imported(&app, &lines, false).await;
    assert_eq!(summary, Summary { outdated: 1, unchanged: 1, others: 1, ..Summary::default() });
    assert_eq!(webhook(&app, &rotated).await, 204);
    app.stack.stop().await;
}

/// What is done to a tenant: with which secret, signed in which second.
#[derive(Clone, Copy, Debug)]
enum Step {
    Install(i64, usize, Recorded),
    Uninstall(i64, Recorded),
    Import(Option<i64>, usize, Imported),
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_replaces_no_callback_that_is_not_older() {
    use Recorded::Yes;
    use Step::{Import, Install, Uninstall};
    let app = TestApp::empty(|template| template).await;
    let table = app.tenants();
    // The steps, and which secret is the tenant's at the end.
    let scenes: [(&[Step], Option<usize>); 7] = [
        // Without a date it is provisional.
        (
            &[
                Import(None, 0, Imported::Yes),
                Import(None, 0, Imported::Unchanged),
                Import(None, 1, Imported::Yes),
                Install(1, 0, Yes),
                Import(None, 1, Imported::Outdated),
                Import(None, 0, Imported::Unchanged),
            ],
            Some(0),
        ),
        (
            &[
                Import(None, 0, Imported::Yes),
                Uninstall(1, Yes),
                Import(None, 0, Imported::Outdated),
            ],
            None,
        ),
        (
            &[
                Install(10, 0, Yes),
                Import(Some(9), 1, Imported::Outdated),
                Import(Some(10), 1, Imported::Outdated),
                Import(Some(10), 0, Imported::Unchanged),
                Import(Some(9), 0, Imported::Outdated),
            ],
            Some(0),
        ),
        (
            &[
                Install(10, 0, Yes),
                Import(Some(11), 1, Imported::Yes),
                Import(Some(11), 1, Imported::Unchanged),
                Import(Some(11), 0, Imported::Outdated),
                Install(11, 0, Recorded::Outdated),
            ],
            Some(1),
        ),
        (&[Install(10, 0, Yes), Import(Some(11), 1, Imported::Yes), Install(12, 0, Yes)], Some(0)),
        (
            &[
                Uninstall(10, Yes),
                Import(None, 0, Imported::Outdated),
                Import(Some(10), 0, Imported::Outdated),
                Import(Some(11), 0, Imported::Yes),
            ],
            Some(0),
        ),
        // The date alone is new.
        (
            &[
                Import(None, 0, Imported::Yes),
                Import(Some(5), 0, Imported::Yes),
                Import(None, 0, Imported::Unchanged),
                Install(4, 1, Recorded::Outdated),
            ],
            Some(0),
        ),
    ];
    let now = Timestamp::now();
    let start = now.as_second() - 1000;
    let at = |second| Timestamp::from_second(start + second).unwrap();
    for (scene, (steps, secret)) in scenes.into_iter().enumerate() {
        let site = Site::new(Product::Jira, "site");
        let sites = [site.with_new_secret(), site];
        for (number, step) in steps.iter().enumerate() {
            let place = format!("step {number} of scene {scene}: {step:?}");
            match *step {
                Install(second, secret, expected) => {
                    let signed = SignedAt { signed: at(second), now };
                    let recorded = table.install(&installation(&sites[secret]), signed).await;
                    assert_eq!(recorded.unwrap(), expected, "{place}");
                }
                Uninstall(second, expected) => {
                    let signed = SignedAt { signed: at(second), now };
                    let recorded = table.uninstall(&sites[0].client_key, signed).await;
                    assert_eq!(recorded.unwrap(), expected, "{place}");
                }
                Import(second, secret, expected) => {
                    let before = row(&app, &sites[0].client_key).await;
                    let dry = import(&table, &sites[secret], second.map(at), true).await;
                    assert_eq!(dry, expected, "dry {place}");
                    assert_eq!(row(&app, &sites[0].client_key).await, before, "dry {place}");
                    let done = import(&table, &sites[secret], second.map(at), false).await;
                    assert_eq!(done, expected, "{place}");
                    let after = row(&app, &sites[0].client_key).await;
                    assert_eq!(after != before, expected == Imported::Yes, "{place}");
                }
            }
        }
        let tenant = table.find(&sites[0].client_key, now).await.unwrap();
        let expected = secret.map(|secret| sites[secret].secret.expose());
        let found = tenant.as_ref().map(|tenant| tenant.secret.expose());
        assert!(found == expected, "scene {scene}");
    }
    let states: Vec<State> = table.entries().await.unwrap().iter().map(|row| row.state).collect();
    assert_eq!(states.iter().filter(|state| **state == State::Uninstalled).count(), 1);
    assert_eq!(states.iter().filter(|state| **state == State::Installed).count(), 6);
    app.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_beside_an_uninstall_does_not_bring_the_tenant_back() {
    let app = TestApp::empty(|template| template).await;
    let table = app.tenants();
    for round in 0..40 {
        let site = Site::new(Product::Jira, "site");
        let now = Timestamp::now();
        let at = SignedAt { signed: now, now };
        let uninstall = table.uninstall(&site.client_key, at);
        let (imported, recorded) = tokio::join!(import(&table, &site, None, false), uninstall);
        assert_eq!(recorded.unwrap(), Recorded::Yes);
        let row = row(&app, &site.client_key).await.unwrap();
        assert!(!row.contains_key("sharedSecret"), "round {round}: {imported:?}");
    }
    app.stack.stop().await;
}

async fn import(
    table: &Table,
    site: &Site,
    signed: Option<Timestamp>,
    is_dry_run: bool,
) -> Imported {
    let import = Import { installation: installation(site), signed, enabled: None };
    table.import(&import, Timestamp::now(), is_dry_run).await.unwrap()
}

/// More rows than a page of a scan has, which is a megabyte.
#[tokio::test(flavor = "multi_thread")]
async fn lists_every_page_of_a_large_table() {
    let app = TestApp::empty(|template| template).await;
    let (name, client) = (&app.stack.deployment().tables["TenantsTable"].name, app.dynamodb());
    let long = AttributeValue::S("a".repeat(300_000));
    for number in 0..9 {
        let put = client.put_item().table_name(name).item("displayUrl", long.clone());
        let put = put.item("clientKey", AttributeValue::S(format!("tenant-{number}")));
        put.send().await.unwrap();
    }
    let first = client.scan().table_name(name).send().await.unwrap();
    assert!(first.last_evaluated_key.is_some(), "one page does not show it");
    let keys: Vec<Value> = listed(&app).await.iter().map(|row| row["clientKey"].clone()).collect();
    let expected: Vec<Value> = (0..9).map(|number| format!("tenant-{number}").into()).collect();
    assert_eq!(keys, expected);
    app.stack.stop().await;
}

/// A folder with a session of the app.
pub(crate) struct Home {
    folder: TempDir,
    _session: Published,
}

impl Home {
    pub(crate) fn of(app: &TestApp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::new(app.stack.url(), app.stack.sqs_endpoint(), "http://none", []);
        let session = session.with_tenants(LocalTenants::of(&app.stack));
        let _session = session.publish_in(folder.path()).unwrap();
        Self { folder, _session }
    }

    /// Runs `cargo hooks tenants …` with lines on its standard input.
    pub(crate) async fn tenants(&self, arguments: &[&str], lines: &str) -> Output {
        let mut command = hooks_at(self.folder.path(), &[&["tenants"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let lines = lines.to_owned();
        let run = move || {
            let mut child = command.spawn().unwrap();
            // A command that reads nothing may have ended.
            let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
            child.wait_with_output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lists_exports_and_imports() {
    let app = TestApp::new().await;
    let home = Home::of(&app);
    let sites = [&app.jira, &app.confluence];

    let output = home.tenants(&["list"], "").await;
    let table = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(table.starts_with("SITE  ") && table.lines().count() == 3, "{table}");
    for site in sites {
        let line = table.lines().find(|line| line.contains(site.client_key.as_str())).unwrap();
        assert!(line.starts_with(&format!("{}  ", site.base_url)), "{line}");
        assert!(line.contains(&format!(" {} ", site.product)) && line.contains(" installed "));
    }
    let output = home.tenants(&["list", "--json"], "").await;
    let tenant: Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    assert!(tenant["since"].is_string() && tenant["installationId"].is_null(), "{tenant}");

    // To a file that nobody else can read, and that was not there before.
    let file = home.folder.path().join("tenants.jsonl");
    let path = file.to_str().unwrap();
    let export = ["export", "--with-secrets", "--output", path];
    let output = home.tenants(&export, "").await;
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let lines = std::fs::read_to_string(&file).unwrap();
    let output = home.tenants(&export, "").await;
    assert!(!output.status.success() && text(&output.stderr).contains("exists; remove it"));
    let output = home.tenants(&["export"], "").await;
    assert!(!text(&output.stdout).contains("haredSecret"));

    // A line that is wrong stops no other, and is named without what it says.
    let newcomer = Site::new(Product::Jira, "newcomer");
    let of = |site: &Site, base_url: &str| {
        json!({
            "client_key": site.client_key, "shared_secret": site.secret.expose(),
            "base_url": base_url, "product_type": site.product, "addon_installed": true,
        })
    };
    let wrong = [
        of(&newcomer, "https://jira.example.com").to_string(),
        lines.clone(),
        format!("s3cr3t {}", newcomer.secret.expose()),
        of(&newcomer, &newcomer.base_url).to_string(),
    ];
    let output = home.tenants(&["import"], &wrong.join("\n")).await;
    let (out, problems) = (text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success());
    assert!(problems.contains("line 1: its baseUrl is not an https URL"), "{problems}");
    assert!(problems.contains("line 5: it is not JSON"), "{problems}");
    assert!(problems.contains("error: 2 lines were not imported"), "{problems}");
    assert!(out.contains("1 imported, 2 unchanged, 0 kept"), "{out}");
    assert!(out.contains("2 invalid"), "{out}");
    for printed in [out, problems] {
        assert!(!printed.contains(newcomer.secret.expose()) && !printed.contains("s3cr3t"));
        assert!(sites.iter().all(|site| !printed.contains(site.secret.expose())));
    }
    assert_eq!(webhook(&app, &newcomer).await, 204);
    let output = home.tenants(&["import", path, "--dry-run"], "").await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("0 would be imported, 2 unchanged"));
    let output = home.tenants(&["import"], "\n[\n]\n").await;
    assert!(!output.status.success() && text(&output.stderr).contains("there was no line"));
    let output = home.tenants(&["import", "/none"], "").await;
    assert!(text(&output.stderr).contains("/none cannot be read; name a file"));
    app.stack.stop().await;
}

/// `script` is what util-linux gives a command a terminal with.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_printed_to_a_terminal() {
    let app = TestApp::new().await;
    let home = Home::of(&app);
    let in_terminal = async |arguments: &str| {
        let tool = hooks_at(home.folder.path(), &[]);
        let mut command = Command::new("script");
        let line = format!("'{}' tenants {arguments}", tool.get_program().to_str().unwrap());
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.current_dir(tool.get_current_dir().unwrap()).env("HOOKS_HOME", home.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), text(&output.stdout).to_owned())
    };
    let (succeeded, printed) = in_terminal("export").await;
    assert!(succeeded && printed.contains(app.jira.client_key.as_str()), "{printed}");
    let (succeeded, printed) = in_terminal("export --with-secrets").await;
    assert!(!succeeded && printed.contains("not printed to a terminal; name a file"), "{printed}");
    assert!(!printed.contains(app.jira.secret.expose()));
    app.stack.stop().await;
}
