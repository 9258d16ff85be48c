//! What API Gateway hands over, and every answer a caller can get.
//!
//! A [`Call`] is a request in the terms of the protocol: what was signed, where the token is, which
//! base URL it came through. A [`Rejection`] is a refusal; all of them are declared in one place.

mod call;
mod rejection;

pub use call::{BaseUrl, Call};
pub use rejection::Rejection;

use lambda::metrics;
use lambda_http::{Body, Response, http::StatusCode};

/// The answer to a call that has done its work: 204, one of the two statuses that Atlassian counts
/// as delivered.
pub fn done() -> Response<Body> {
    response(StatusCode::NO_CONTENT, Body::Empty)
}

/// The answer to a call: what it succeeded with, or its rejection, which is logged and counted here
/// and nowhere else.
pub fn answer(path: &str, result: Result<Response<Body>, Rejection>) -> Response<Body> {
    result.unwrap_or_else(|rejection| {
        rejection.log(path);
        metrics::count_for(metrics::REJECTED, rejection.reason());
        response(rejection.status(), rejection.sentence().into())
    })
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
