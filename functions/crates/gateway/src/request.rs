//! A request in the terms of the protocol.

use std::borrow::Cow;
use std::fmt;
use std::time::Instant;

use atlassian_connect::qsh;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::Rejection;
use crate::event::{Event, Headers, RequestContext};

/// The app's base URL, without a trailing slash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl {
    url: String,
    path: String,
}

impl BaseUrl {
    /// The configured base URL, or the one of a request.
    ///
    /// API Gateway reports the domain name that its own routing used, so a caller cannot choose it.
    /// The template cannot pass the API's URL to the functions, because each would have to be
    /// created before the other. A custom domain with a path, which API Gateway does not report,
    /// has to be configured.
    fn of(context: &RequestContext, configured: Option<&str>) -> Self {
        if let Some(url) = configured {
            let url = url.trim_end_matches('/');
            let path = Url::parse(url).map_or_else(|_| "/".into(), |url| url.path().into());
            return Self { url: url.into(), path };
        }
        let RequestContext { domain_name, stage, .. } = context;
        match stage.as_str() {
            "" | "$default" => Self { url: format!("https://{domain_name}"), path: "/".into() },
            stage => {
                let path = format!("/{stage}");
                Self { url: format!("https://{domain_name}{path}"), path }
            }
        }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The path of the base URL, which precedes the paths that the descriptor declares.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A request to one of the app's URLs.
pub struct Request {
    /// The request id of the Lambda invocation.
    pub id: String,
    /// The HTTP method.
    pub method: String,
    /// The path as API Gateway passes it on.
    pub path: String,
    /// The query, as it arrived.
    pub query: String,
    /// The base URL that the request was sent to.
    pub base_url: BaseUrl,
    /// When the invocation times out.
    pub deadline: Instant,
    headers: Headers,
    body: Option<String>,
    is_base64_encoded: bool,
}

/// Prints only the id, because the rest contains a token and may contain a secret.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Request {
    /// A request from the text of an event, as API Gateway invokes a function with it.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::NotAnEvent`] if it is not an event of an HTTP API.
    pub fn from_event(
        event: &str,
        id: impl Into<String>,
        deadline: Instant,
        configured_base_url: Option<&str>,
    ) -> Result<Self, Rejection> {
        let event = serde_json::from_str(event).map_err(|error| Rejection::not_an_event(&error))?;
        Ok(Self::new(event, id.into(), deadline, configured_base_url))
    }

    pub(crate) fn new(
        event: Event,
        id: String,
        deadline: Instant,
        configured_base_url: Option<&str>,
    ) -> Self {
        Self {
            id,
            deadline,
            base_url: BaseUrl::of(&event.request_context, configured_base_url),
            method: event.request_context.http.method,
            path: event.raw_path,
            query: event.raw_query_string,
            headers: event.headers,
            body: event.body,
            is_base64_encoded: event.is_base64_encoded,
        }
    }

    /// The path relative to the base URL, as the descriptor declares it.
    pub fn declared_path(&self) -> &str {
        let base = self.base_url.path();
        let below = self.path.strip_prefix(base.trim_end_matches('/'));
        below.filter(|path| path.starts_with('/')).unwrap_or(&self.path)
    }

    /// The parts of the request that its token is bound to.
    pub fn signed<'a>(&'a self, base_path: &'a str) -> qsh::Request<'a> {
        qsh::Request { method: &self.method, path: &self.path, query: &self.query, base_path }
    }

    /// The token: after `JWT ` in the `Authorization` header, or as the query's `jwt`.
    ///
    /// Atlassian's own libraries disagree on which of the two takes precedence, so two different
    /// tokens are refused.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::NoToken`] or [`Rejection::TwoTokens`].
    pub fn token(&self) -> Result<&str, Rejection> {
        let in_header = self.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("jwt").then(|| token.trim())
        });
        let in_query = self.query.split('&').filter_map(|pair| pair.strip_prefix("jwt="));
        let mut tokens = in_header.into_iter().chain(in_query).filter(|token| !token.is_empty());
        let token = tokens.next().ok_or(Rejection::NoToken)?;
        if tokens.all(|other| other == token) { Ok(token) } else { Err(Rejection::TwoTokens) }
    }

    /// The token of a Forge event: after `Bearer ` in the `Authorization` header.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::NoInvocationToken`].
    pub fn invocation_token(&self) -> Result<&str, Rejection> {
        let token = self.header("authorization").and_then(atlassian_forge::token::bearer);
        token.ok_or(Rejection::NoInvocationToken)
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text, empty if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::NotText`] if it is not UTF-8.
    pub fn into_text(self) -> Result<String, Rejection> {
        if self.is_base64_encoded {
            let bytes = self.body()?.into_owned();
            return String::from_utf8(bytes).map_err(|_| Rejection::NotText);
        }
        Ok(self.body.unwrap_or_default())
    }

    /// The bytes of the body as they arrived, empty if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection::NotText`] if the gateway encoded it and it cannot be decoded.
    pub fn body(&self) -> Result<Cow<'_, [u8]>, Rejection> {
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_base64_encoded {
            return STANDARD.decode(body).map(Cow::Owned).map_err(|_| Rejection::NotText);
        }
        Ok(Cow::Borrowed(body.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call as Lambda delivers it: an HTTP API event of payload version 2.0.
    fn call(
        stage: &str,
        path: &str,
        query: &str,
        headers: &str,
        configured: Option<&str>,
    ) -> Request {
        let event = format!(
            r#"{{
                "version": "2.0", "routeKey": "POST /x", "rawPath": "{path}",
                "rawQueryString": "{query}", "headers": {{{headers}}}, "isBase64Encoded": true,
                "body": "eyJhIjoixIAifQ==",
                "requestContext": {{
                    "accountId": "1", "apiId": "a", "domainName": "hooks.example.com",
                    "stage": "{stage}", "requestId": "r", "time": "", "timeEpoch": 0,
                    "http": {{"method": "POST", "path": "{path}", "protocol": "HTTP/1.1",
                              "sourceIp": "192.0.2.1", "userAgent": ""}}
                }}
            }}"#
        );
        Request::new(serde_json::from_str(&event).unwrap(), "id".into(), Instant::now(), configured)
    }

    #[test]
    fn knows_its_base_url_and_what_lies_below_it() {
        let at = Some("https://a.test/app/");
        // Stage, path as the gateway hands it over, base URL that is configured; base URL, its
        // path, the path that the descriptor declares, and what was signed.
        let rows = [
            ("$default", "/x", None, "https://hooks.example.com", "/", "/x", "POST&/x&"),
            ("prod", "/prod/x", None, "https://hooks.example.com/prod", "/prod", "/x", "POST&/x&"),
            // A custom domain that maps a path to the stage: API Gateway leaves the path there.
            ("$default", "/app/x", at, "https://a.test/app", "/app", "/x", "POST&/x&"),
            ("prod", "/app/x", at, "https://a.test/app", "/app", "/x", "POST&/x&"),
            // One that maps its root to a named stage: the path has no stage before it.
            ("prod", "/x", Some("https://a.test"), "https://a.test", "/", "/x", "POST&/x&"),
            ("", "/x", None, "https://hooks.example.com", "/", "/x", "POST&/x&"),
            (
                "prod",
                "/production",
                None,
                "https://hooks.example.com/prod",
                "/prod",
                "/production",
                "POST&/production&",
            ),
            // Decoded by the gateway.
            (
                "$default",
                "/a b/<é>",
                None,
                "https://hooks.example.com",
                "/",
                "/a b/<é>",
                "POST&/a b/<é>&",
            ),
        ];
        for (stage, path, configured, base_url, base_path, declared, canonical) in rows {
            let call = call(stage, path, "", "", configured);
            assert_eq!(call.base_url.as_str(), base_url);
            assert_eq!(call.base_url.path(), base_path);
            assert_eq!(call.declared_path(), declared);
            assert_eq!(call.signed(base_path).canonical().unwrap(), canonical);
        }
    }

    /// AWS Lambda Developer Guide, "Invoking Lambda function URLs", section "Request payload
    /// format".
    #[test]
    fn reads_what_a_function_url_sends() {
        let event = r#"{
            "version": "2.0", "routeKey": "$default", "rawPath": "/issue-created",
            "rawQueryString": "a=<\"x\">&b={é}", "cookies": ["c=1"],
            "headers": {"authorization": "JWT a.b.c", "x-name": "Jürgen"},
            "requestContext": {
                "accountId": "anonymous", "apiId": "u", "authentication": null, "authorizer": null,
                "domainName": "u.lambda-url.us-east-1.on.aws", "domainPrefix": "u",
                "http": {"method": "POST", "path": "/issue-created", "protocol": "HTTP/1.1",
                         "sourceIp": "192.0.2.1", "userAgent": "Jürgen"},
                "requestId": "r", "routeKey": "$default", "stage": "$default",
                "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1583348638390
            },
            "body": null, "isBase64Encoded": false
        }"#;
        let call =
            Request::new(serde_json::from_str(event).unwrap(), "id".into(), Instant::now(), None);
        assert_eq!(call.base_url.as_str(), "https://u.lambda-url.us-east-1.on.aws");
        assert_eq!(call.query, "a=<\"x\">&b={é}");
        assert_eq!(call.token().unwrap(), "a.b.c");
        assert_eq!(call.header("x-name"), Some("Jürgen"));
        assert_eq!(call.into_text().unwrap(), "");
    }

    #[test]
    fn hands_over_the_query_as_it_arrived() {
        let call = call("$default", "/x", "b=%2520+1&a&a=%7E", "", None);
        assert_eq!(call.query, "b=%2520+1&a&a=%7E");
    }

    #[test]
    fn finds_one_token_in_either_place() {
        let rows: [(&str, &str, Option<&str>); 8] = [
            (r#""authorization": "JWT a.b.c""#, "", Some("a.b.c")),
            (r#""authorization": "jwt  a.b.c ""#, "", Some("a.b.c")),
            ("", "x=1&jwt=a.b.c", Some("a.b.c")),
            (r#""authorization": "JWT a.b.c""#, "jwt=a.b.c", Some("a.b.c")),
            (r#""authorization": "JWT a.b.c""#, "jwt=d.e.f", None),
            ("", "jwt=a.b.c&jwt=d.e.f", None),
            (r#""authorization": "Bearer a.b.c""#, "jwt=", None),
            ("", "JWT=a.b.c", None),
        ];
        for (headers, query, token) in rows {
            let call = call("$default", "/x", query, headers, None);
            assert_eq!(call.token().ok(), token, "{headers} {query}");
        }
    }

    /// SAM and other stand-ins for the gateway keep the case of a name.
    #[test]
    fn finds_a_header_in_any_case() {
        for name in ["authorization", "Authorization", "AUTHORIZATION"] {
            let call = call("$default", "/x", "", &format!(r#""{name}": "JWT a.b.c""#), None);
            assert_eq!(call.token().ok(), Some("a.b.c"), "{name}");
        }
        let twice = r#""authorization": "JWT a.b.c", "Authorization": "JWT d.e.f""#;
        let call = call("$default", "/x", "", twice, None);
        assert!(!["a.b.c", "d.e.f"].contains(&call.token().unwrap()), "neither of them wins");
    }

    #[test]
    fn decodes_a_body_that_the_gateway_encoded() {
        let call = call("$default", "/x", "", "", None);
        assert_eq!(*call.body().unwrap(), *"{\"a\":\"Ā\"}".as_bytes());
        assert_eq!(call.into_text().unwrap(), "{\"a\":\"Ā\"}");
    }
}
