//! A request, in the terms of the protocol.

use std::fmt;

use connect::qsh;
use lambda_http::http::{HeaderMap, Method, header};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use url::Url;

use crate::Rejection;

/// The app's base URL: how Atlassian reaches it, without a trailing slash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The variable that states it. Without one it is read from each request.
    pub const VARIABLE: &str = "BASE_URL";

    /// The base URL of a request, unless one is configured.
    ///
    /// API Gateway fills in the domain name that its own routing used, so a caller cannot choose it.
    /// A function cannot be told the URL of the API that invokes it: each would have to be created
    /// before the other. A custom domain with a path, which API Gateway does not report, has to be
    /// configured.
    pub fn of(request: &Request, configured: Option<&str>) -> Self {
        if let Some(url) = configured {
            return Self(url.trim_end_matches('/').into());
        }
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Self(String::new());
        };
        let domain = context.domain_name.as_deref().unwrap_or_default();
        match context.stage.as_deref() {
            None | Some("$default") => Self(format!("https://{domain}")),
            Some(stage) => Self(format!("https://{domain}/{stage}")),
        }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its path: what the gateway adds before the paths that the descriptor declares.
    pub fn path(&self) -> String {
        Url::parse(&self.0).map_or_else(|_| "/".into(), |url| url.path().into())
    }
}

/// A request as it arrived.
pub struct Call {
    /// Lambda's id of the invocation.
    pub id: String,
    /// The HTTP method.
    pub method: Method,
    /// The path as the gateway hands it over.
    pub path: String,
    /// The query, as it arrived.
    pub query: String,
    /// The base URL it came through.
    pub base_url: BaseUrl,
    headers: HeaderMap,
    body: Body,
}

/// Prints the id alone: the rest holds a token, and perhaps a secret.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Call {
    /// Takes a request apart.
    pub fn new(request: Request, configured_base_url: Option<&str>) -> Self {
        let base_url = BaseUrl::of(&request, configured_base_url);
        let id = request.lambda_context_ref().map(|context| context.request_id.clone());
        let path = request.raw_http_path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (parts, body) = request.into_parts();
        let id = id.unwrap_or_default();
        Self { id, method: parts.method, path, query, base_url, headers: parts.headers, body }
    }

    /// The path below the base URL, as the descriptor declares it.
    pub fn declared_path(&self) -> &str {
        let base = self.base_url.path();
        let below = self.path.strip_prefix(base.trim_end_matches('/'));
        below.filter(|path| path.starts_with('/')).unwrap_or(&self.path)
    }

    /// What the token is bound to.
    pub fn signed<'a>(&'a self, base_path: &'a str) -> qsh::Request<'a> {
        qsh::Request {
            method: self.method.as_str(),
            path: &self.path,
            query: &self.query,
            base_path,
        }
    }

    /// The token: after `JWT ` in the `Authorization` header, or as the query's `jwt`.
    ///
    /// Atlassian's own libraries disagree on which of the two wins, so two different ones are
    /// refused.
    ///
    /// # Errors
    ///
    /// [`Rejection::NoToken`] or [`Rejection::TwoTokens`].
    pub fn token(&self) -> Result<&str, Rejection> {
        let in_headers = self.headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("jwt").then(|| token.trim())
        });
        let in_query = self.query.split('&').filter_map(|pair| pair.strip_prefix("jwt="));
        let mut tokens = in_headers.chain(in_query).filter(|token| !token.is_empty());
        let token = tokens.next().ok_or(Rejection::NoToken)?;
        if tokens.all(|other| other == token) { Ok(token) } else { Err(Rejection::TwoTokens) }
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; empty if there is none.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotText`] if it is not UTF-8.
    pub fn into_text(self) -> Result<String, Rejection> {
        match self.body {
            Body::Text(text) => Ok(text),
            Body::Binary(bytes) => String::from_utf8(bytes).map_err(|_| Rejection::NotText),
            _ => Ok(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::request::LambdaRequest;

    use super::*;

    /// A call as Lambda delivers it: an HTTP API event of payload version 2.0.
    fn call(stage: &str, path: &str, query: &str, headers: &str, configured: Option<&str>) -> Call {
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
        let request: LambdaRequest = serde_json::from_str(&event).unwrap();
        Call::new(request.into(), configured)
    }

    #[test]
    fn knows_its_base_url_and_what_lies_below_it() {
        let rows = [
            ("$default", "/x", None, "https://hooks.example.com", "/"),
            ("prod", "/prod/x", None, "https://hooks.example.com/prod", "/prod"),
            ("$default", "/app/x", Some("https://a.test/app/"), "https://a.test/app", "/app"),
        ];
        for (stage, path, configured, base_url, base_path) in rows {
            let call = call(stage, path, "", "", configured);
            assert_eq!(call.base_url.as_str(), base_url);
            assert_eq!(call.base_url.path(), base_path);
            assert_eq!(call.declared_path(), "/x");
            assert_eq!(call.signed(base_path).canonical().unwrap(), "POST&/x&");
        }
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

    #[test]
    fn decodes_a_body_that_the_gateway_encoded() {
        assert_eq!(call("$default", "/x", "", "", None).into_text().unwrap(), "{\"a\":\"Ā\"}");
    }
}
