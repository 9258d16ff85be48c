//! A test double for S3: objects that are put and got.
//!
//! Amazon S3 API Reference, `PutObject` and `GetObject`, with the bucket in the path. Listings,
//! multipart uploads and permissions do not exist.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// Objects by bucket and key, in a folder or in memory.
pub(crate) struct S3 {
    folder: Option<PathBuf>,
    memory: Mutex<HashMap<String, Bytes>>,
}

impl S3 {
    /// Keeps objects in a folder, or in memory if there is none.
    pub(crate) fn open(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(|folder| folder.join("s3")), memory: Mutex::default() }
    }

    fn put(&self, name: String, object: Bytes) -> io::Result<()> {
        match &self.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                std::fs::write(folder.join(name), object)
            }
            None => {
                self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(name, object);
                Ok(())
            }
        }
    }

    fn get(&self, name: &str) -> Option<Bytes> {
        match &self.folder {
            Some(folder) => std::fs::read(folder.join(name)).ok().map(Bytes::from),
            None => self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned(),
        }
    }
}

/// Answers requests on the listener until `shutdown` completes.
pub(crate) async fn serve(
    listener: TcpListener,
    s3: S3,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAXIMUM_OBJECT))
        .with_state(Arc::new(s3));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// More than a function can be given.
const MAXIMUM_OBJECT: usize = 16 * 1024 * 1024;

async fn answer(State(s3): State<Arc<S3>>, method: Method, uri: Uri, body: Bytes) -> Response {
    // One file for each, wherever the slashes are.
    let name = uri.path().trim_start_matches('/').replace(['/', '.'], "_");
    match method {
        Method::PUT => match s3.put(name, body) {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", &error),
        },
        Method::GET => match s3.get(&name) {
            Some(object) => object.into_response(),
            None => refusal(StatusCode::NOT_FOUND, "NoSuchKey", &"there is no such object"),
        },
        _ => refusal(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            &"the test double for S3 puts and gets",
        ),
    }
}

fn refusal(status: StatusCode, code: &str, message: &dyn std::fmt::Display) -> Response {
    let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, [("content-type", "application/xml")], xml).into_response()
}
