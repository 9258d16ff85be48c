//! `cargo hooks tenants add`, `rotate` and `remove`, and `cargo hooks send` to URLs of signed webhooks.

use std::process::Output;

use super::*;
use crate::command::hooks_beside_signed;
use crate::transfer::Home;

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

/// What a command printed, if it succeeded.
fn succeeded(output: &Output) -> (Vec<String>, Vec<String>) {
    let (out, errors) = (lines(&output.stdout), lines(&output.stderr));
    assert!(output.status.success(), "{errors:#?}");
    (out, errors)
}

/// What a command that failed said.
fn failed(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    lines(&output.stderr).join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_adds_rotates_and_removes_a_tenant() {
    let app = app_with(without_handlers, &[]).await;
    let home = Home::of(&app);
    let body = json!({ "webhookEvent": "jira:issue_created" }).to_string();
    let status = async |secret: &str| {
        let secret = SharedSecret::new(secret);
        let tenant = Tenant { name: "acme", kind: Kind::Jira, secret };
        send(&app, &Request::of(&tenant, "/hooks/{tenant}/jira", &body)).await.0
    };

    let added = home.tenants(&["add", "acme", "--kind", "jira"], "").await;
    let (out, errors) = succeeded(&added);
    let [first] = &out[..] else { panic!("the secret alone: {out:?}") };
    assert_eq!(first.len(), 64);
    assert!(errors.iter().all(|line| !line.contains(first)), "{errors:?}");
    assert_eq!(status(first).await, 204);

    let (out, _) = succeeded(&home.tenants(&["rotate", "acme"], "").await);
    let [second] = &out[..] else { panic!("{out:?}") };
    assert_ne!(first, second);
    assert_eq!((status(second).await, status(first).await), (204, 204));

    let given = "given by somebody\n";
    let rotate = ["rotate", "acme", "--secret-stdin", "--previous-for", "0"];
    let (out, _) = succeeded(&home.tenants(&rotate, given).await);
    assert_eq!(out, Vec::<String>::new(), "it is known already");
    assert_eq!((status(given.trim()).await, status(second).await), (204, 401));

    let again = home.tenants(&["add", "acme", "--kind", "jira"], "").await;
    assert!(failed(&again).contains("cargo hooks tenants rotate acme"));
    for (arguments, input, words) in [
        (&["add", "Acme", "--kind", "jira"][..], "", "lower-case letters"),
        (&["add", "a", "--kind", "svn"], "", "jira-data-center"),
        (&["add", "a", "--kind", "jira-oauth"], "", "Atlassian makes the secret"),
        (&["add", "a", "--kind", "jira", "--secret-stdin"], "short", "fewer than 16"),
        (&["add", "a", "--kind", "jira", "--secret-stdin"], "\n", "the secret is empty"),
        (&["add", "a", "--kind", "jira", "--secret-env", "NO_SUCH"], "", "NO_SUCH is not set"),
        (&["rotate", "nobody"], "", "there is no tenant nobody"),
        (&["remove", "nobody"], "", "there is no tenant nobody"),
    ] {
        let said = failed(&home.tenants(arguments, input).await);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let oauth = ["add", "partner", "--kind", "jira-oauth", "--secret-stdin"];
    succeeded(&home.tenants(&oauth, "client-secret").await);

    let (out, _) = succeeded(&home.tenants(&["list", "--json"], "").await);
    let listed: Vec<Value> = out.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let signed: Vec<_> = listed.iter().filter(|line| line.get("name").is_some()).collect();
    let [acme, partner] = &signed[..] else { panic!("{listed:?}") };
    assert_eq!(
        (&acme["name"], &acme["kind"], &acme["state"]),
        (&json!("acme"), &json!("jira"), &json!("signs"))
    );
    assert_eq!((&partner["kind"], &partner["product"]), (&json!("jira-oauth"), &json!("jira")));
    assert_eq!(listed.len(), 4, "with the sites that installed the app");

    succeeded(&home.tenants(&["remove", "acme"], "").await);
    let (out, _) = succeeded(&home.tenants(&["list"], "").await);
    let acme = out.iter().find(|line| line.starts_with("acme ")).unwrap();
    assert!(acme.contains("removed"), "{acme}");
    assert_eq!(status("a guess, so that the receiver looks").await, 401);
    assert_eq!(status(given.trim()).await, 401);
    // An export has the tenants of Connect alone.
    let (out, _) = succeeded(&home.tenants(&["export"], "").await);
    assert_eq!(out.len(), 2, "{out:?}");
    app.stack.stop().await;
}

/// To an app that is deployed: its URL, a tenant that an operator has added, and the tenant's secret.
#[tokio::test(flavor = "multi_thread")]
async fn send_signs_as_the_kind_of_the_url_does() {
    let acme = Tenant::new("acme", Kind::Jira);
    let partner = Tenant::new("partner", Kind::JiraOauth);
    let code = Tenant::new("code", Kind::Bitbucket);
    let app = app_with(|template| template, &[&acme, &partner, &code]).await;
    let home = tempfile::tempdir().unwrap();
    let send = async |tenant: &Tenant, arguments: &[&str]| {
        let to = ["send", "--url", app.stack.url(), "--tenant", tenant.name];
        let mut command = hooks_beside_signed(home.path(), &[&to, arguments].concat());
        command.env("HOOKS_SHARED_SECRET", tenant.secret.expose());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    // The descriptor declares the first event as well.
    succeeded(&send(&acme, &["jira:issue_created", "--sender", "signed"]).await);
    succeeded(&send(&code, &["repo:push", "--count", "2"]).await);
    succeeded(&send(&partner, &["sprint_started"]).await);
    let queued = app.logged(Logged::DeliveryQueued, 4).await;
    let described: Vec<_> = queued
        .iter()
        .map(|line| ["sender", "tenant.key", "delivery.event"].map(|name| line[name].clone()))
        .collect();
    assert_eq!(
        described,
        [
            ["signed", "acme", "jira:issue_created"],
            ["signed", "code", "repo:push"],
            ["signed", "code", "repo:push"],
            ["signed", "partner", "sprint_started"],
        ]
    );
    // Two that are sent are two deliveries.
    app.logged(Logged::ScriptDone, 2).await;

    let connect = send(&acme, &["jira:issue_created"]).await;
    assert!(failed_after(&connect, "401").contains("those of the last install"));
    let stranger = Tenant { secret: SharedSecret::new("another"), ..acme };
    let refused = send(&stranger, &["jira:issue_created", "--sender", "signed"]).await;
    let said = failed_after(&refused, "401");
    assert!(said.contains("cargo hooks tenants list") && !said.contains("another"), "{said}");
    app.stack.stop().await;
}

/// What a command said that failed after an answer with this status.
fn failed_after(output: &Output, status: &str) -> String {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(!output.status.success() && out.contains(status), "{output:?}");
    lines(&output.stderr).join("\n")
}
