//! The HTTP API: converts requests to events, and answers of functions to responses.
//!
//! Does what an API Gateway HTTP API does with payload format 2.0, as described in the API Gateway
//! Developer Guide: "Create AWS Lambda proxy integrations for HTTP APIs" (event and response),
//! "Create routes for HTTP APIs" (which route wins) and "Quotas for configuring and running an
//! HTTP API" (10 MB of body, 10,240 bytes of request line and headers, 30 s).
//!
//! Two things are not in the guide but well observed on the real service: `rawPath` is
//! percent-decoded, and a body is passed as text only if its type is `text/*` or JSON, XML or
//! JavaScript; everything else, forms included, is passed as base64.

mod event;
mod proxy;
mod routing;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

use crate::deployment::{Integration, Route};
use crate::lambda::{self, MAX_EVENT};
use event::{event, response};
use proxy::Proxy;
use routing::best_match;

/// A request to the HTTP API, with its answer.
///
/// It contains everything that was sent, tokens and secrets included.
#[derive(Clone)]
pub struct Exchange {
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The time from the request to its answer.
    pub took: Duration,
    /// The id of the request, which the answer carries as `apigw-requestid`.
    pub request_id: String,
    /// The method.
    pub method: Method,
    /// The path and the query, as they arrived.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Empty if it exceeds the limit of an HTTP API.
    pub body: Bytes,
    /// The invocation that answered, unless the HTTP API answered by itself.
    pub invocation: Option<Invocation>,
    /// The status of the answer.
    pub status: StatusCode,
}

/// Prints no header and no body, because they contain tokens and secrets.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("method", &self.method)
            .field("path", &self.uri.path())
            .field("invocation", &self.invocation)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An invocation of a function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invocation {
    /// The logical id of the function.
    pub function: String,
    /// The request id, as the function's context has it.
    pub request_id: String,
}

/// Serves the routes until `shutdown`, then finishes the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Vec<Route>,
    functions: BTreeMap<String, lambda::Function>,
    exchanges: broadcast::Sender<Arc<Exchange>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let proxy = Proxy::new();
    let api = Arc::new(HttpApi { routes, functions, proxy, exchanges });
    let service = Router::new()
        .fallback(handle)
        .with_state(api)
        .into_make_service_with_connect_info::<SocketAddr>();
    // The server retries what fails to be accepted; it ends by the shutdown alone.
    let _ = axum::serve(listener, service).with_graceful_shutdown(shutdown).await;
}

/// The maximum size of a request body, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// How much of a body is read in order to answer 413, instead of closing the connection.
const MAX_READ: usize = 64 * 1024 * 1024;

/// The maximum size of the request line and the headers together, in bytes.
const MAX_HEADERS: usize = 10_240;

#[derive(Debug)]
struct HttpApi {
    routes: Vec<Route>,
    functions: BTreeMap<String, lambda::Function>,
    proxy: Proxy,
    exchanges: broadcast::Sender<Arc<Exchange>>,
}

async fn handle(
    State(api): State<Arc<HttpApi>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (received_at, start) = (Timestamp::now(), Instant::now());
    let request_id = Uuid::new_v4().to_string();
    let (request, body) = request.into_parts();
    let body = read(&request, body).await;
    let mut invocation = None;
    let answer = match &body {
        Ok(body) => answer(&api, client, &request, body, &request_id, &mut invocation).await,
        Err(status) => Err(*status),
    };
    let mut response = answer.unwrap_or_else(refusal);
    // The name API Gateway uses; it finds the request again in the access log.
    if let Ok(request_id) = HeaderValue::try_from(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("apigw-requestid"), request_id);
    }
    // It only fails when nobody listens.
    let _ = api.exchanges.send(Arc::new(Exchange {
        received_at,
        took: start.elapsed(),
        request_id,
        method: request.method,
        uri: request.uri,
        headers: request.headers,
        body: body.unwrap_or_default(),
        invocation,
        status: response.status(),
    }));
    response
}

/// Reads the body of a request within the limits of API Gateway.
async fn read(request: &Parts, body: Body) -> Result<Bytes, StatusCode> {
    if size_of_head(request) > MAX_HEADERS {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    // Reads the body in any case: an answer before its end looks like a broken connection.
    let body =
        axum::body::to_bytes(body, MAX_READ).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    if body.len() > MAX_BODY {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(body)
}

async fn answer(
    api: &HttpApi,
    client: SocketAddr,
    request: &Parts,
    body: &Bytes,
    request_id: &str,
    invocation: &mut Option<Invocation>,
) -> Result<Response, StatusCode> {
    let matched = best_match(&api.routes, &request.method, request.uri.path())
        .ok_or(StatusCode::NOT_FOUND)?;
    let logical_id = match &matched.route.integration {
        Integration::Function(logical_id) => logical_id,
        Integration::Server(origin) => {
            return api.proxy.send(origin, request, body, matched.route.timeout).await;
        }
    };
    let function = api.functions.get(logical_id).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let event = event(request, body, &matched, client, request_id, Timestamp::now());
    if event.len() > MAX_EVENT {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let id = Uuid::new_v4().to_string();
    *invocation = Some(Invocation { function: logical_id.clone(), request_id: id.clone() });
    let answer = timeout(matched.route.timeout, function.invoke_as(id, event.into())).await;
    let answer = answer
        .map_err(|_| {
            let limit = matched.route.timeout;
            function.notice(format!("the HTTP API did not wait longer than {limit:?}"));
            StatusCode::SERVICE_UNAVAILABLE
        })?
        // Why it failed is in the function's log already.
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    response(&answer).map_err(|problem| {
        function.notice(format!("answered what is not an HTTP response: {problem}"));
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

/// A response of API Gateway itself.
fn refusal(status: StatusCode) -> Response {
    // The only status whose standard name is not what API Gateway says.
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        status => status.canonical_reason().unwrap_or_default(),
    };
    let content_type = [(CONTENT_TYPE, "application/json")];
    (status, content_type, json!({ "message": message }).to_string()).into_response()
}

fn size_of_head(request: &Parts) -> usize {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let headers = request.headers.iter();
    line + headers
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_request_line_and_the_headers() {
        let request = Request::builder().uri("/a?b").header("Host", "x").body(()).unwrap();

        let size = size_of_head(&request.into_parts().0);
        assert_eq!(size, "GET /a?b HTTP/1.1\r\nHost: x\r\n".len());
    }
}
