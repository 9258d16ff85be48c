//! The Lambda Runtime API of one execution environment.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::MAX_EVENT;

/// What the routes of one environment's Runtime API share.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    function_arn: String,
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// The request that the process works on.
    current: Mutex<Option<String>>,
    reporter: mpsc::UnboundedSender<Report>,
}

impl RuntimeApi {
    /// The Runtime API of a process that is sent `invocations`, and whose requests are reported.
    pub(super) fn new(
        function_arn: &str,
        invocations: mpsc::Receiver<Invocation>,
        reporter: mpsc::UnboundedSender<Report>,
    ) -> Self {
        Self {
            function_arn: function_arn.to_owned(),
            invocations: tokio::sync::Mutex::new(invocations),
            current: Mutex::new(None),
            reporter,
        }
    }

    /// The routes.
    pub(super) fn router(self) -> Router {
        let routes = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{request_id}/response", post(response))
            .route("/invocation/{request_id}/error", post(error))
            .route("/init/error", post(init_error));
        Router::new().nest("/2018-06-01/runtime", routes).with_state(Arc::new(self))
    }

    /// Whether `request_id` is the request under way. It is not any more after this.
    fn finish(&self, request_id: &str) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|current| current == request_id).is_some()
    }

    fn report(&self, report: Report) {
        // It only fails when the environment is being dropped.
        let _ = self.reporter.send(report);
    }
}

/// A request of the process to its Runtime API.
#[derive(Debug)]
pub(super) enum Report {
    /// It asks for an event: it is ready.
    Next,
    Response(Bytes),
    Error {
        error_type: String,
        message: String,
    },
}

/// An event on its way to the process.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    /// When the function must have answered, in milliseconds since 1970.
    pub(super) deadline: i64,
    pub(super) event: Bytes,
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    api.report(Report::Next);
    let Some(invocation) = api.invocations.lock().await.recv().await else {
        // The environment is being dropped; the process is killed in a moment.
        return StatusCode::GONE.into_response();
    };
    *api.current.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(invocation.request_id.clone());
    let headers = [
        (HeaderName::from_static("content-type"), "application/json".to_owned()),
        (HeaderName::from_static("lambda-runtime-aws-request-id"), invocation.request_id),
        (HeaderName::from_static("lambda-runtime-deadline-ms"), invocation.deadline.to_string()),
        (HeaderName::from_static("lambda-runtime-invoked-function-arn"), api.function_arn.clone()),
        (HeaderName::from_static("lambda-runtime-trace-id"), trace_id()),
    ];
    (headers, invocation.event).into_response()
}

async fn response(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Body,
) -> Response {
    let body = axum::body::to_bytes(body, MAX_RESPONSE).await;
    if !api.finish(&request_id) {
        return unknown_request();
    }
    let Ok(body) = body else {
        let error_type = "Function.ResponseSizeTooLarge";
        let message = format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        );
        api.report(Report::Error { error_type: error_type.to_owned(), message });
        return (StatusCode::PAYLOAD_TOO_LARGE, status("RequestEntityTooLarge")).into_response();
    };
    api.report(Report::Response(body));
    accepted()
}

async fn error(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response {
    if !api.finish(&request_id) {
        return unknown_request();
    }
    api.report(reported_error(&body));
    accepted()
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response {
    api.report(reported_error(&body));
    accepted()
}

fn reported_error(body: &[u8]) -> Report {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorBody {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    let (error_type, message) = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(error) => (error.error_type, error.error_message),
        Err(_) => (None, Some(String::from_utf8_lossy(body).into_owned())),
    };
    Report::Error {
        error_type: error_type.unwrap_or_else(|| "Unhandled".to_owned()),
        message: message.unwrap_or_default(),
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
}

fn unknown_request() -> Response {
    (StatusCode::BAD_REQUEST, status("InvalidRequestID")).into_response()
}

fn status(error_type: &str) -> String {
    format!(r#"{{"errorMessage":"{error_type}","errorType":"{error_type}"}}"#)
}

/// A trace header as X-Ray writes it, not sampled.
fn trace_id() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{};Sampled=0", Timestamp::now().as_second(), &random[..24])
}

/// The largest answer the Runtime API takes: 6 MB and a little for the envelope.
const MAX_RESPONSE: usize = MAX_EVENT + 100;
