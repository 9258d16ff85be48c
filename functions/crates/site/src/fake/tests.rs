use std::time::Duration;

use handler::Outcome;

use super::*;
use crate::{Client, Error};

const COMMENT: &str = "/rest/api/3/issue/A-1/comment";

async fn jira() -> (FakeSite, Client) {
    let site = FakeSite::start(Product::Jira).await;
    let client = site.sites().tenant(&ClientKey::new(TENANT).unwrap());
    (site, client)
}

fn outcome(error: Error) -> Outcome {
    Outcome::of(&Err(error.into()))
}

#[tokio::test]
async fn signs_as_the_app() {
    let (site, client) = jira().await;
    site.answers("POST", COMMENT, [Answer::json(201, json!({ "id": "7" }))]);
    let body = json!({ "body": "Hello" });
    let request = client.post(COMMENT).query("expand", "a b").query("expand", "ü&x=1,2");
    let response = request.json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.json::<serde_json::Value>().unwrap()["id"], "7");
    let expected = Received {
        method: "POST".into(),
        path: COMMENT.into(),
        query: "expand=a%20b&expand=%C3%BC%26x%3D1%2C2".into(),
        user: None,
        body: body.to_string(),
    };
    assert_eq!(site.requests(), [expected]);
}

#[tokio::test]
async fn signs_below_the_path_of_confluence() {
    let site = FakeSite::start(Product::Confluence).await;
    site.answers("GET", "/api/v2/pages/1%202", [Answer::json(200, json!([]))]);
    let client = site.sites().tenant(&ClientKey::new(TENANT).unwrap());
    for path in ["/api/v2/pages/1%202", "/wiki/api/v2/pages/1%202"] {
        client.get(path).query("body-format", "storage").send().await.unwrap();
    }
    assert_eq!(site.requests().len(), 2);
    client.as_user("mia").get("/api/v2/pages/1%202").send().await.unwrap();
}

#[tokio::test]
async fn answers_in_sequence_and_waits_in_between() {
    let (site, client) = jira().await;
    let busy = Answer::status(429).header("retry-after", "7");
    site.answers("POST", COMMENT, [busy, Answer::status(201)]);
    let error = client.post(COMMENT).send().await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(outcome(error), Outcome::Retry { after });
    assert_eq!(client.post(COMMENT).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn leaves_404_to_the_handler() {
    let (_site, client) = jira().await;
    let error = client.get("/rest/api/3/issue/A-1").send().await.unwrap_err();
    assert!(matches!(error, Error::NotFound { status: 404, .. }), "{error}");
}

#[tokio::test]
async fn follows_no_redirect() {
    let (site, client) = jira().await;
    let elsewhere = Answer::status(302).header("location", "/rest/api/3/myself");
    site.answers("GET", "/rest", [elsewhere]);
    let error = client.get("/rest").send().await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 302, .. }), "{error}");
    assert_eq!(site.requests().len(), 1);
}

#[tokio::test]
async fn takes_a_new_secret_at_once() {
    let (site, client) = jira().await;
    site.answers("GET", "/rest", [Answer::status(200)]);
    client.get("/rest").send().await.unwrap();
    site.changes_secret("fake-secret-2");
    client.get("/rest").send().await.unwrap();
    client.as_user("mia").get("/rest").send().await.unwrap();
}

#[tokio::test]
async fn tells_an_uninstalled_tenant_from_one_whose_secret_is_unknown() {
    let (site, client) = jira().await;
    site.answers("GET", "/rest", [Answer::status(200)]);
    client.get("/rest").send().await.unwrap();
    site.changes_secret_unnoticed("fake-secret-2");
    let error = client.get("/rest").send().await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { as_user: false, .. }), "{error}");
    assert_eq!(outcome(error), Outcome::Retry { after: None });
    site.uninstalls();
    let error = client.get("/rest").send().await.unwrap_err();
    assert!(matches!(error, Error::NotInstalled { .. }), "{error}");
    assert_eq!(outcome(error), Outcome::DeadLetter);
}

#[tokio::test]
async fn acts_as_a_user_with_a_token_that_it_keeps() {
    let (site, client) = jira().await;
    site.answers("GET", "/rest", [Answer::status(200)]);
    for user in ["mia", "mia", "bob", "mia"] {
        client.as_user(user).get("/rest").send().await.unwrap();
    }
    assert_eq!(site.exchanges(), 2);
    let users: Vec<_> = site.requests().into_iter().map(|it| it.user.unwrap()).collect();
    assert_eq!(users, ["mia", "mia", "bob", "mia"]);
    site.revokes_tokens();
    client.as_user("mia").get("/rest").send().await.unwrap();
    assert_eq!(site.exchanges(), 3, "a token that is refused is exchanged again");
    // One that ends before a request would is not kept.
    site.grants_tokens_for(30);
    for _ in 0..2 {
        client.as_user("eve").get("/rest").send().await.unwrap();
    }
    assert_eq!(site.exchanges(), 5);
}

#[tokio::test]
async fn prints_no_secret_and_no_token() {
    let (site, client) = jira().await;
    site.answers("GET", "/rest", [Answer::status(200)]);
    let response = client.as_user("mia").get("/rest").send().await.unwrap();
    let request = client.get("/rest");
    let mut printed = format!("{response:?} {request:?} {client:?} {:?}", site.sites());
    site.changes_secret_unnoticed("fake-secret-2");
    for client in [&client, &client.as_user("bob")] {
        let error = client.get("/rest").query("q", "personal").send().await.unwrap_err();
        printed += &format!("{error:?} {}", runtime::chain(&error));
    }
    assert!(printed.contains("invalid_grant"), "{printed}");
    for secret in ["fake-secret", "fake-access-token", "eyJ", "personal"] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
}

#[tokio::test]
async fn refuses_what_is_not_signed_as_atlassian_requires() {
    let site = FakeSite::start(Product::Jira).await;
    let http = runtime::https::Client::new(Duration::from_secs(5));
    let right = SharedSecret::new("fake-secret-1");
    let sign = |issuer: &str, url: &str, secret: &SharedSecret, age: i64| {
        let qsh = qsh::Request::of_url("GET", url, "").hash().unwrap();
        let at = Timestamp::from_second(Timestamp::now().as_second() - age).unwrap();
        let claims = atlassian_connect::jwt::ClaimsToSign::new(issuer, &qsh, at);
        format!("JWT {}", atlassian_connect::jwt::sign(&claims, secret))
    };
    let rows = [
        (sign(APP_KEY, "/rest", &right, 0), 404),
        (sign(APP_KEY, "/rest", &SharedSecret::new("wrong"), 0), 401),
        (sign(APP_KEY, "/other", &right, 0), 401),
        (sign("com.example.other", "/rest", &right, 0), 401),
        (sign(APP_KEY, "/rest", &right, 600), 401),
        ("Bearer made-up".to_owned(), 401),
        (String::new(), 401),
    ];
    for (authorization, status) in rows {
        let request = http::Request::get(format!("{}/rest", site.url))
            .header("host", "test.atlassian.net")
            .header("authorization", &authorization)
            .body(Vec::new())
            .unwrap();
        assert_eq!(http.send(request).await.unwrap().status, status, "{authorization}");
    }
}
