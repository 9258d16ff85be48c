//! API Gateway requests and responses.
//!
//! A [`Request`] is a request in the terms of the protocol: the signed parts, the token, the base URL.
//! A [`Rejection`] is a refused request; all of them are declared in one place.

mod event;
mod rejection;
mod request;

pub use rejection::Rejection;
pub use request::{BaseUrl, Request};

use std::time::{Instant, SystemTime};

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, LambdaEvent, Response, lambda_runtime, service_fn};

use event::Received;

/// Answers requests until Lambda stops the function.
///
/// Rejections are logged and counted only here.
///
/// # Errors
///
/// Fails if Lambda's runtime fails.
pub async fn run(
    base_url: Option<String>,
    handle: impl AsyncFn(Request) -> Result<Response<Body>, Rejection>,
) -> Result<(), runtime::Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Received>| {
        let LambdaEvent { payload: Received(event), context } = event;
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let rejection = Rejection::not_an_event(&error);
                return Ok(written(refused(&context.request_id, "", &rejection)));
            }
        };
        let time = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + time;
        let id = context.request_id;
        let call = Request::new(event, id.clone(), deadline, base_url.as_deref());
        let path = call.path.clone();
        let answer = handle(call).await.unwrap_or_else(|rejection| refused(&id, &path, &rejection));
        Ok::<_, runtime::Error>(written(answer))
    }))
    .await
}

/// The response to a successful call: 204, one of the two statuses that Atlassian counts as
/// delivered.
pub fn done() -> Response<Body> {
    response(StatusCode::NO_CONTENT, Body::Empty)
}

/// A response with a JSON document.
pub fn json(document: String) -> Response<Body> {
    let mut response = response(StatusCode::OK, document.into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn refused(id: &str, path: &str, rejection: &Rejection) -> Response<Body> {
    rejection.log(id, path);
    response(rejection.status(), rejection.sentence().into())
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// A response in the format that API Gateway reads.
fn written(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut written = ApiGatewayV2httpResponse::default();
    written.status_code = parts.status.as_u16().into();
    written.headers = parts.headers;
    // An empty text instead of null, which some gateways refuse.
    written.body = Some(if body == Body::Empty { Body::Text(String::new()) } else { body });
    written
}
