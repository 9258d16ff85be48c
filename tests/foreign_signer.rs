//! Tokens signed by another implementation.

use std::process::Command;
use std::time::Duration;

use inspector::{Handlers, Journeys, Outcome, Verdict};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::forge::{ForgeApp, ISSUE};
use crate::harness::app::{DESCRIPTOR, FORGE_KEY, TestApp};
use crate::harness::log::Logged;

/// Signs a POST with Atlassian's own package for Node.
const SIGN: &str = "
const jwt = require('atlassian-jwt');
const [url, secret, issuer] = process.argv.slice(1);
const now = Math.floor(Date.now() / 1000);
const qsh = jwt.createQueryStringHash(jwt.fromMethodAndUrl('post', url));
console.log(jwt.encodeSymmetric({ iss: issuer, iat: now, exp: now + 180, qsh }, secret));
";

/// Signs claims with the package by which Atlassian's own verifies invocation tokens.
const SIGN_INVOCATION: &str = "
import { SignJWT, importPKCS8 } from 'jose';
const [claims, kid, key] = process.argv.slice(1);
const token = new SignJWT(JSON.parse(claims)).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid });
console.log(await token.sign(await importPKCS8(key, 'RS256')));
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package with npm"]
async fn the_inspector_verifies_what_atlassian_jwt_signs() {
    let node = package("atlassian-jwt@2");
    let app = TestApp::new().await;
    let journeys = Journeys::new(DESCRIPTOR.clone(), Handlers::of(app.stack.deployment()), "/");
    let following = journeys.clone();
    let (exchanges, lines) = (app.stack.exchanges(), app.stack.subscribe());
    let following = tokio::spawn(async move { following.follow(exchanges, lines).await });
    let mut changes = journeys.subscribe();

    let target = format!("{}/issue-created?b=%7e&a=x%20y&a=%2B", app.stack.url());
    let mut sign = Command::new("node");
    sign.args(["-e", SIGN, &target, app.jira.secret.expose(), app.jira.client_key.as_str()]);
    let token = printed(sign.current_dir(node.path()));
    let body = r#"{"webhookEvent":"jira:issue_created","issue":{"id":"1","key":"A-1"}}"#;
    let answer = app.atlassian.post(&target, Some(&token), body.into(), None).await.unwrap();

    let ended = async {
        loop {
            let journey = changes.recv().await.unwrap();
            if Some(&journey.request) == answer.request_id.as_ref() && journey.outcome.is_final() {
                return journey;
            }
        }
    };
    let journey = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    assert_eq!((journey.verdict, journey.outcome), (Verdict::Verified, Outcome::Handled));
    let qsh = journey.sent.token.as_ref().unwrap().claims["qsh"].as_str();
    assert_eq!(journey.sent.hash.as_deref(), qsh);
    let shown = serde_json::to_string(&*journey).unwrap();
    assert!(!shown.contains(&token) && !shown.contains(app.jira.secret.expose()));
    app.stack.stop().await;
    following.abort();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package with npm"]
async fn the_receiver_trusts_an_invocation_token_that_jose_signs() {
    let node = package("jose@6");
    let forge = ForgeApp::without_handlers().await;
    let ForgeApp { app, installation } = &forge;
    let event = forge.sample("avi:jira:created:issue").to_string();
    let statuses = async |claims: Value| {
        let mut sign = Command::new("node");
        sign.args(["--input-type=module", "-e", SIGN_INVOCATION, &claims.to_string()]);
        sign.args([FORGE_KEY.id(), FORGE_KEY.private()]);
        let token = printed(sign.current_dir(node.path()));
        let url = format!("{}{}", app.stack.url(), ISSUE.path);
        let bearer = format!("Bearer {token}");
        app.atlassian.forge().post(&url, Some(&bearer), event.clone()).await.unwrap().status
    };
    let now = Timestamp::now();
    assert_eq!(statuses(installation.event_claims(ISSUE.key, now)).await, 200);
    assert_eq!(statuses(installation.browser_claims("panel", now)).await, 401);
    let queued = &app.logged(Logged::DeliveryQueued, 1).await[0];
    assert_eq!(queued["tenant.key"], installation.id);
    forge.app.stack.stop().await;
}

/// A folder with a package of npm's.
fn package(name: &str) -> TempDir {
    let node = tempfile::tempdir().unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", name]);
    assert!(npm.current_dir(node.path()).status().unwrap().success());
    node
}

/// What a command prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
