//! The install keys, from a server that says many things.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use atlassian_connect::jwt::KeyId;
use atlassian_simulator::InstallKey;
use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::routing::get;
use gateway::Rejection;
use jiff::{SignedDuration, Timestamp};
use lifecycle::install_keys::{InstallKeys, TooManyUnknownKeys};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::app::INSTALL_KEY;

/// A key server that counts its requests.
struct Server {
    url: String,
    key: InstallKey,
    /// What it answers for its key; for any other, and while this is 404, 404.
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let key = INSTALL_KEY.clone();
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let (known, says, counter) = (key.clone(), Arc::clone(&status), Arc::clone(&asked));
        let answer = async move |Path(id): Path<String>| {
            counter.fetch_add(1, Ordering::SeqCst);
            let status = if id == known.id() { says.load(Ordering::SeqCst) } else { 404 };
            // A redirect leads to where the key is, and is not followed.
            let location = [(header::LOCATION, format!("/{}", known.id()))];
            (StatusCode::from_u16(status).unwrap(), location, known.public().to_owned())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/{key}", get(answer));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key, status, asked, task }
    }

    fn id(&self) -> KeyId {
        KeyId::new(self.key.id()).unwrap()
    }

    fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn invented(number: usize) -> KeyId {
    KeyId::new(&format!("invented-{number}")).unwrap()
}

fn is_too_many(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::KeysUnavailable(source) if source.is::<TooManyUnknownKeys>())
}

#[tokio::test]
async fn invented_names_share_one_budget_and_a_known_key_needs_none() {
    let server = Server::start().await;
    let keys = InstallKeys::new(&server.url);
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    let after = |seconds| start + SignedDuration::from_secs(seconds);
    keys.find(&server.id(), start).await.unwrap();
    assert_eq!(server.asked(), 1);

    for number in 0..100 {
        let refused = keys.find(&invented(number), after(1)).await.unwrap_err();
        // The first request was for the real one.
        let is_asked = number < InstallKeys::REQUESTS - 1;
        assert_eq!(refused.status().as_u16(), if is_asked { 401 } else { 503 }, "{number}");
        assert_eq!(is_too_many(&refused), !is_asked, "{number}");
    }
    assert_eq!(server.asked(), InstallKeys::REQUESTS);
    assert_eq!(keys.find(&invented(0), after(2)).await.unwrap_err().reason(), "unknown_key");
    keys.find(&server.id(), after(2)).await.unwrap();
    assert_eq!(server.asked(), InstallKeys::REQUESTS);

    // Each request is over after its half minute, not all with the first.
    for (seconds, more) in [(29, 0), (30, 1), (31, 9), (32, 0), (60, 1)] {
        let before = server.asked();
        for number in 0..100 {
            let name = invented(1000 * usize::try_from(seconds).unwrap() + number);
            keys.find(&name, after(seconds)).await.unwrap_err();
        }
        assert_eq!(server.asked() - before, more, "after {seconds} s");
    }
}

#[tokio::test]
async fn only_404_says_that_there_is_no_key() {
    let server = Server::start().await;
    let now = Timestamp::now();
    for status in [204, 301, 302, 308, 400, 401, 403, 408, 410, 429, 500, 502, 503] {
        let keys = InstallKeys::new(&server.url);
        server.says(status);
        let failed = keys.find(&server.id(), now).await.unwrap_err();
        assert_eq!(failed.reason(), "keys_unavailable", "{status}");
        assert!(!is_too_many(&failed), "{status}");
        // Nothing is remembered of it.
        server.says(200);
        keys.find(&server.id(), now).await.unwrap();
    }
    let keys = InstallKeys::new(&server.url);
    server.says(404);
    assert_eq!(keys.find(&server.id(), now).await.unwrap_err().reason(), "unknown_key");
    server.says(200);
    assert_eq!(keys.find(&server.id(), now).await.unwrap_err().reason(), "unknown_key");
    keys.find(&server.id(), now + InstallKeys::ABSENCE).await.unwrap();
}
