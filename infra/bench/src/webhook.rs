//! The events that the functions are invoked with: signed webhooks as API Gateway passes them on, and
//! batches of the messages that a receiver made of them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use atlassian_connect::event::{EventName, Product};
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_connect::qsh;
use atlassian_connect::tenant::SharedSecret;
use atlassian_simulator::Atlassian;
use atlassian_simulator::forge::{Forge, Installation};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The app that the webhooks are for.
pub(crate) const APP_KEY: &str = "com.example.bench";
/// The base URL of the app.
pub(crate) const BASE_URL: &str = "https://hooks.example.com";
/// The path of the declared URL.
pub(crate) const PATH: &str = "/issue-created";
/// The path of the URL of signed webhooks, with its tenant.
pub(crate) const SIGNED_PATH: &str = "/hooks/acme/jira";
/// The id of the Forge app.
pub(crate) const FORGE_APP: &str = "ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107";
/// The key of the Forge app's endpoint.
pub(crate) const ENDPOINT: &str = "issue-created";
/// The path of the callback that installs the app.
pub(crate) const INSTALLED: &str = "/installed";
/// The shared secret of every tenant.
pub(crate) const SECRET: &str = "g1kT0mfLq1Vd5uOaXh2C3sWvB8nYpZrE7jMxQ4lKiHtUeNwD";
/// The tenant that sends, unless there are many.
pub(crate) const TENANT: &str = "8c1b2f1e-5d0a-3e0c-9f4b-2b7d1d5a6c3e";

/// The bodies' sizes in bytes.
pub(crate) const SIZES: [usize; 3] = [2_000, 20_000, 1_000_000];

/// The body of an issue that was created, of almost exactly so many bytes.
///
/// It is the sample of the simulated Jira, with fewer fields, or with as many custom fields as large sites
/// have, most of them null.
pub(crate) fn body(bytes: usize) -> anyhow::Result<String> {
    let sample = atlassian_simulator::samples::sample(Product::Jira, &EventName::IssueCreated);
    let mut body: Value = serde_json::from_str(sample.context("the simulator has no sample")?)?;
    let fields = body["issue"]["fields"].as_object_mut().context("the sample has no fields")?;
    fields.retain(|name, _| KEPT_FIELDS.contains(&name.as_str()));
    without_avatars(&mut body);
    let mut written = body.to_string().len();
    let mut number = 0;
    while bytes.saturating_sub(written) > 2 * 300 {
        let field = match number % 6 {
            0 => {
                let choice = "https://demo.atlassian.net/rest/api/2/customFieldOption/10030";
                json!({ "self": choice, "value": "Ground floor", "id": "10030" })
            }
            1 => json!("What somebody wrote about the kettle, a sentence or two of it"),
            _ => Value::Null,
        };
        let name = format!("customfield_{}", 11_000 + number);
        written += name.len() + field.to_string().len() + r#","":"#.len();
        body["issue"]["fields"][name] = field;
        number += 1;
    }
    let missing = bytes.saturating_sub(body.to_string().len());
    let description = &mut body["issue"]["fields"]["description"];
    let text = format!("{}{}", description.as_str().unwrap_or_default(), "x".repeat(missing));
    *description = text.into();
    Ok(body.to_string())
}

/// The fields of the sample that every body has.
const KEPT_FIELDS: [&str; 7] =
    ["summary", "description", "issuetype", "status", "priority", "created", "labels"];

fn without_avatars(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| name != "avatarUrls" && name != "iconUrl");
            members.values_mut().for_each(without_avatars);
        }
        Value::Array(items) => items.iter_mut().for_each(without_avatars),
        _ => {}
    }
}

/// A token for a POST to [`PATH`], signed by a tenant now.
pub(crate) fn token(tenant: &str) -> anyhow::Result<String> {
    let hash = qsh::Request { method: "POST", path: PATH, query: "", base_path: "" }.hash()?;
    let claims = ClaimsToSign::new(tenant, &hash, Timestamp::now());
    Ok(jwt::sign(&claims, &SharedSecret::new(SECRET)))
}

/// The event of a webhook that a tenant signs now.
pub(crate) fn request(tenant: &str, body: &str) -> anyhow::Result<String> {
    Ok(post(PATH, jwt_header(&token(tenant)?), body))
}

/// The event of one that Forge sends for an installation, with a token that it signs now.
pub(crate) fn of_forge(
    forge: &Forge,
    installation: &Installation,
    body: &str,
) -> anyhow::Result<String> {
    let token = forge.sign(&installation.event_claims(ENDPOINT, Timestamp::now()))?;
    Ok(post(PATH, ("authorization", format!("Bearer {token}")), body))
}

/// The event of a webhook that Jira signs with the secret of a tenant.
pub(crate) fn signed(body: &str) -> String {
    let signature = signed_webhooks::sign(body.as_bytes(), &SharedSecret::new(SECRET));
    post(SIGNED_PATH, ("x-hub-signature", signature), body)
}

/// The event of an install that Atlassian signs now.
pub(crate) fn install(atlassian: &Atlassian, tenant: &str) -> anyhow::Result<String> {
    let hash = qsh::Request { method: "POST", path: INSTALLED, query: "", base_path: "" }.hash()?;
    let mut claims = ClaimsToSign::new(tenant, &hash, Timestamp::now());
    claims.audience = Some(BASE_URL);
    let body = json!({
        "key": APP_KEY,
        "clientKey": tenant,
        "sharedSecret": SECRET,
        "baseUrl": "https://demo.atlassian.net",
        "productType": "jira",
        "eventType": "installed",
    });
    let token = atlassian.sign_install(&claims)?;
    Ok(post(INSTALLED, jwt_header(&token), &body.to_string()))
}

fn jwt_header(token: &str) -> (&'static str, String) {
    ("authorization", format!("JWT {token}"))
}

/// The event of a POST with the header that proves who sent it: payload format 2.0 of API Gateway.
fn post(path: &str, (header, proof): (&str, String), body: &str) -> String {
    let now = Timestamp::now();
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("POST {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "content-length": body.len().to_string(),
            "content-type": "application/json; charset=UTF-8",
            "host": "hooks.example.com",
            "user-agent": "Atlassian HttpClient unknown / Jira-1001.0.0",
            "x-amzn-trace-id": "Root=1-6745c3a0-2f6f0e6b5b1c0d1e2f3a4b5c",
            "x-atlassian-webhook-flow": "Primary",
            "x-atlassian-webhook-identifier": Uuid::new_v4(),
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "a1b2c3d4",
            "domainName": "hooks.example.com",
            "domainPrefix": "hooks",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "Atlassian HttpClient unknown / Jira-1001.0.0",
            },
            "requestId": Uuid::new_v4(),
            "routeKey": format!("POST {path}"),
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "body": body,
        "isBase64Encoded": false,
    });
    event["headers"][header] = proof.into();
    event.to_string()
}

/// The event of a batch, of requests with which a receiver sent messages. They are taken in turn.
pub(crate) fn batch(sent: &[Value], messages: usize) -> anyhow::Result<String> {
    anyhow::ensure!(!sent.is_empty(), "the receiver has sent no message");
    let now = Timestamp::now().as_millisecond().to_string();
    let records: Vec<Value> = sent
        .iter()
        .cycle()
        .take(messages)
        .map(|sent| {
            json!({
                "messageId": Uuid::new_v4(),
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a".repeat(5),
                "body": sent["MessageBody"],
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": now,
                    "SenderId": "AROAEXAMPLE:receiver",
                    "ApproximateFirstReceiveTimestamp": now,
                    "MessageGroupId": sent["MessageGroupId"],
                },
                "messageAttributes": attributes(&sent["MessageAttributes"]),
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    Ok(json!({ "Records": records }).to_string())
}

/// Message attributes as Lambda writes them: their members begin in lower case.
fn attributes(sent: &Value) -> BTreeMap<&str, Map<String, Value>> {
    let sent = sent.as_object().into_iter().flatten();
    sent.map(|(name, attribute)| {
        let members = attribute.as_object().into_iter().flatten();
        let lowered = members.map(|(member, value)| {
            let mut name = member.clone();
            name[..1].make_ascii_lowercase();
            (name, value.clone())
        });
        (name.as_str(), lowered.collect())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_sizes() {
        for bytes in SIZES {
            let body = body(bytes).unwrap();
            assert!(body.len().abs_diff(bytes) < 10, "{} instead of {bytes}", body.len());
            serde_json::from_str::<Value>(&body).unwrap();
        }
    }
}
