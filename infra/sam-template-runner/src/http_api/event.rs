//! Payload format 2.0: the event of a request, and the response that an answer describes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::routing::{Match, decoded};
use crate::deployment::{ACCOUNT, API_ID};

/// The event of payload format 2.0 for a request.
pub(super) fn event(
    request: &Parts,
    body: &Bytes,
    matched: &Match<'_>,
    client: SocketAddr,
    request_id: &str,
    now: Timestamp,
) -> Vec<u8> {
    let path = decoded(request.uri.path());
    let query = request.uri.query().unwrap_or_default();
    let header = |name| request.headers.get(name).map(text).unwrap_or_default();
    let host = header(HOST);
    let domain = host.rsplit_once(':').map_or(host.as_str(), |(domain, _)| domain);
    let route_key = format!("{} {}", matched.route.method, matched.route.path);
    let protocol = format!("{:?}", request.version);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&request.headers, body, client, &host),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": host,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": protocol,
                "sourceIp": client.ip().to_string(),
                "userAgent": header(USER_AGENT),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(&request.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(query_string_parameters(query));
    }
    if !matched.parameters.is_empty() {
        event["pathParameters"] = json!(matched.parameters);
    }
    if !body.is_empty() {
        match str::from_utf8(body) {
            Ok(body) if is_text(&header(CONTENT_TYPE)) => event["body"] = json!(body),
            _ => {
                event["body"] = json!(BASE64.encode(body));
                event["isBase64Encoded"] = json!(true);
            }
        }
    }
    event.to_string().into_bytes()
}

/// The response that an answer of format 2.0 describes, or what is wrong with it.
///
/// An answer without a `statusCode` is itself the body of a 200 response in JSON.
pub(super) fn response(answer: &Bytes) -> Result<Response, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Described {
        status_code: Value,
        #[serde(default)]
        headers: Option<Map<String, Value>>,
        #[serde(default)]
        cookies: Option<Vec<String>>,
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        is_base64_encoded: Option<bool>,
    }
    let value: Value =
        serde_json::from_slice(answer).map_err(|error| format!("no JSON: {error}"))?;
    if value.get("statusCode").is_none() {
        let content_type = [(CONTENT_TYPE, "application/json")];
        return Ok((content_type, answer.clone()).into_response());
    }
    let described: Described = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let status = match &described.status_code {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    let status = status
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (200..600).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| format!("`statusCode` is {}", described.status_code))?;
    let body = described.body.unwrap_or_default();
    let body = if described.is_base64_encoded.unwrap_or_default() {
        BASE64.decode(&body).map_err(|error| format!("`body` is no base64: {error}"))?
    } else {
        body.into_bytes()
    };
    let mut headers = HeaderMap::new();
    for (name, value) in described.headers.unwrap_or_default() {
        let value = match value {
            Value::String(value) => value,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(format!("the header `{name}` is no text")),
        };
        let (Ok(header), Ok(value)) = (HeaderName::try_from(&name), HeaderValue::try_from(value))
        else {
            return Err(format!("the header `{name}` has characters no header may have"));
        };
        if header != CONTENT_LENGTH && !is_hop_by_hop(&header) {
            headers.append(header, value);
        }
    }
    for cookie in described.cookies.unwrap_or_default() {
        let cookie = HeaderValue::try_from(cookie)
            .map_err(|_| "a cookie has characters no header may have".to_owned())?;
        headers.append(SET_COOKIE, cookie);
    }
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Ok((status, headers, body).into_response())
}

/// The headers as API Gateway passes them on: names in lower case, repeated ones joined, cookies
/// elsewhere, and its own added.
fn headers(
    received: &HeaderMap,
    body: &Bytes,
    client: SocketAddr,
    host: &str,
) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in received {
        if *name != COOKIE && !is_hop_by_hop(name) {
            joined(&mut headers, name.as_str(), &text(value));
        }
    }
    if !body.is_empty() {
        headers.insert(CONTENT_LENGTH.to_string(), body.len().to_string());
    }
    joined(&mut headers, "x-forwarded-for", &client.ip().to_string());
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    headers.insert("x-forwarded-port".to_owned(), port.to_owned());
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    headers
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().map(text).collect::<Vec<_>>();
    let pairs = lines.iter().flat_map(|line| line.split(';')).map(str::trim);
    pairs.filter(|pair| !pair.is_empty()).map(str::to_owned).collect()
}

fn query_string_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        joined(&mut parameters, &name, &value);
    }
    parameters
}

/// Adds a value; to one that is there already, after a comma.
fn joined(values: &mut BTreeMap<String, String>, name: &str, value: &str) {
    values
        .entry(name.to_owned())
        .and_modify(|earlier| {
            earlier.push(',');
            earlier.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// Whether API Gateway passes a body of this type as text.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let media_type = media_type.to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"]
            .contains(&media_type.as_str())
}

/// Headers about one connection, which no gateway passes on.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"]
        .contains(&name.as_str())
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deployment::{Integration, Route};
    use crate::http_api::routing::best_match;

    #[test]
    fn makes_the_event_of_format_2_0() {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/tenants/a%20b/hook?user=1%202&x=a&x=b+c&flag")
            .header("Host", "hooks.example.com:8080")
            .header("User-Agent", "Client/1")
            .header("Content-Type", "application/json; charset=UTF-8")
            .header("X-Trace", "one")
            .header("x-trace", "two")
            .header("Cookie", "a=1; b=2")
            .header("Connection", "keep-alive")
            .header("X-Forwarded-For", "203.0.113.7");
        let event = event_of(request, r#"{"ä":1}"#, "POST /tenants/{tenant}/hook");

        assert_eq!(
            event,
            json!({
                "version": "2.0",
                "routeKey": "POST /tenants/{tenant}/hook",
                "rawPath": "/tenants/a b/hook",
                "rawQueryString": "user=1%202&x=a&x=b+c&flag",
                "cookies": ["a=1", "b=2"],
                "headers": {
                    "content-length": "8",
                    "content-type": "application/json; charset=UTF-8",
                    "host": "hooks.example.com:8080",
                    "user-agent": "Client/1",
                    "x-forwarded-for": "203.0.113.7,192.0.2.1",
                    "x-forwarded-port": "8080",
                    "x-forwarded-proto": "http",
                    "x-trace": "one,two",
                },
                "queryStringParameters": {"user": "1 2", "x": "a,b c", "flag": ""},
                "pathParameters": {"tenant": "a b"},
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "hooks.example.com:8080",
                    "domainPrefix": "hooks",
                    "http": {
                        "method": "POST",
                        "path": "/tenants/a b/hook",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "192.0.2.1",
                        "userAgent": "Client/1",
                    },
                    "requestId": "request",
                    "routeKey": "POST /tenants/{tenant}/hook",
                    "stage": "$default",
                    "time": "12/Mar/2020:19:03:58 +0000",
                    "timeEpoch": 1_584_039_838_390_i64,
                },
                "body": r#"{"ä":1}"#,
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn leaves_out_what_a_request_does_not_have() {
        let event = event_of(axum::http::Request::builder().uri("/"), "", "GET /");

        for absent in ["body", "cookies", "pathParameters", "queryStringParameters"] {
            assert_eq!(event.get(absent), None, "{absent}");
        }
        assert_eq!(event["rawQueryString"], "");
        assert_eq!(event["headers"].get("content-length"), None);
    }

    #[test]
    fn only_bodies_of_text_types_are_text() {
        let body = |content_type: &str, body: &'static [u8]| {
            let request =
                axum::http::Request::builder().uri("/").header("Content-Type", content_type);
            let event = event_of(request, body, "GET /");
            (event["body"].clone(), event["isBase64Encoded"].clone())
        };

        for text in ["text/plain", "application/json", "Application/XML;charset=utf-8"] {
            assert_eq!(body(text, b"abc"), (json!("abc"), json!(false)), "{text}");
        }
        for binary in ["application/octet-stream", "application/x-www-form-urlencoded", ""] {
            assert_eq!(body(binary, b"abc"), (json!("YWJj"), json!(true)), "{binary}");
        }
        assert_eq!(body("text/plain", b"\xff\xfe"), (json!("//4="), json!(true)));
    }

    #[tokio::test]
    async fn a_described_response_is_made() {
        let (status, headers, body) = made(json!({
            "statusCode": 202,
            "headers": {"Content-Type": "application/json", "X-Count": 3, "Content-Length": 99},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "{}",
        }))
        .await
        .unwrap();

        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-count"], "3");
        assert_eq!(headers.get("content-length"), None);
        let cookies = headers.get_all("set-cookie").iter().collect::<Vec<_>>();
        assert_eq!(cookies, ["a=1; Secure", "b=2"]);
        assert_eq!(body, "{}");
    }

    #[tokio::test]
    async fn a_body_in_base64_is_decoded() {
        let answer = json!({"statusCode": "200", "body": "//4=", "isBase64Encoded": true});

        let (status, headers, body) = made(answer).await.unwrap();
        assert_eq!((status, body.as_ref()), (StatusCode::OK, b"\xff\xfe".as_slice()));
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    }

    #[tokio::test]
    async fn an_answer_without_a_status_is_the_body() {
        for answer in [json!({"accepted": true}), json!("done"), json!([1]), json!(null)] {
            let (status, headers, body) = made(answer.clone()).await.unwrap();

            assert_eq!((status, body), (StatusCode::OK, Bytes::from(answer.to_string())));
            assert_eq!(headers["content-type"], "application/json");
        }
    }

    #[tokio::test]
    async fn a_wrong_answer_is_no_response() {
        for answer in [
            json!({"statusCode": "ok"}),
            json!({"statusCode": 99}),
            json!({"statusCode": 70_000}),
            json!({"statusCode": 200, "headers": {"a b": "c"}}),
            json!({"statusCode": 200, "headers": {"a": "c\n"}}),
            json!({"statusCode": 200, "headers": {"a": ["c"]}}),
            json!({"statusCode": 200, "body": {"not": "text"}}),
            json!({"statusCode": 200, "body": "?", "isBase64Encoded": true}),
            json!({"statusCode": 200, "cookies": ["\n"]}),
        ] {
            assert!(made(answer.clone()).await.is_err(), "{answer}");
        }
        assert!(response(&Bytes::from_static(b"<html>")).is_err());
    }

    fn event_of(
        request: axum::http::request::Builder,
        body: impl Into<Bytes>,
        route: &str,
    ) -> Value {
        let (request, ()) = request.body(()).unwrap().into_parts();
        let (method, path) = route.split_once(' ').unwrap();
        let routes = [Route {
            method: method.to_owned(),
            path: path.to_owned(),
            integration: Integration::Function("Function".to_owned()),
            timeout: Duration::from_secs(30),
        }];
        let matched = best_match(&routes, &request.method, request.uri.path()).unwrap();
        let client = SocketAddr::from(([192, 0, 2, 1], 5000));
        let now = Timestamp::from_millisecond(1_584_039_838_390).unwrap();
        let event = event(&request, &body.into(), &matched, client, "request", now);
        serde_json::from_slice(&event).unwrap()
    }

    async fn made(answer: Value) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let (response, body) = response(&Bytes::from(answer.to_string()))?.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Ok((response.status, response.headers, body))
    }
}
