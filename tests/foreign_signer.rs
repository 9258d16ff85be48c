//! A webhook signed by another implementation, as the inspector shows it.

use std::process::Command;
use std::time::Duration;

use inspector::{Handlers, Journeys, Outcome, Verdict};

use crate::harness::app::{DESCRIPTOR, TestApp};

/// Signs a POST with Atlassian's own package for Node.
const SIGN: &str = "
const jwt = require('atlassian-jwt');
const [url, secret, issuer] = process.argv.slice(1);
const now = Math.floor(Date.now() / 1000);
const qsh = jwt.createQueryStringHash(jwt.fromMethodAndUrl('post', url));
console.log(jwt.encodeSymmetric({ iss: issuer, iat: now, exp: now + 180, qsh }, secret));
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package with npm"]
async fn the_inspector_verifies_what_atlassian_jwt_signs() {
    let node = tempfile::tempdir().unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "atlassian-jwt@2"]);
    assert!(npm.current_dir(node.path()).status().unwrap().success());

    let app = TestApp::new().await;
    let journeys = Journeys::new(DESCRIPTOR.clone(), Handlers::of(app.stack.deployment()), "/");
    let following = journeys.clone();
    let (exchanges, lines) = (app.stack.exchanges(), app.stack.subscribe());
    let following = tokio::spawn(async move { following.follow(exchanges, lines).await });
    let mut changes = journeys.subscribe();

    let target = format!("{}/issue-created?b=%7e&a=x%20y&a=%2B", app.stack.url());
    let mut sign = Command::new("node");
    sign.args(["-e", SIGN, &target, app.jira.secret.expose(), app.jira.client_key.as_str()]);
    let output = sign.current_dir(node.path()).output().unwrap();
    let token = String::from_utf8(output.stdout).unwrap();
    let body = r#"{"webhookEvent":"jira:issue_created","issue":{"id":"1","key":"A-1"}}"#;
    let answer = app.atlassian.post(&target, Some(token.trim()), body.into(), None).await.unwrap();

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
    assert!(!shown.contains(token.trim()) && !shown.contains(app.jira.secret.expose()));
    app.stack.stop().await;
    following.abort();
}
