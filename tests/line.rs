//! A line between the functions and a service of AWS, which can be cut.

use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// It is answered.
    Whole,
    /// It is refused: the connection is closed before it arrives.
    Cut,
    /// It is never answered.
    Silent,
    /// It is done, and its answer is lost.
    Deaf,
    /// It is done, and its answer is still awaited.
    Held,
}

/// A service behind a line.
pub(crate) struct Wire {
    url: String,
    line: watch::Sender<Line>,
    service: Arc<OnceLock<String>>,
}

impl Wire {
    /// A line that is whole, and leads nowhere yet.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (line, state) = watch::channel(Line::Whole);
        let service = Arc::new(OnceLock::<String>::new());
        let upstream = Arc::clone(&service);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = upstream.get().expect("the line leads somewhere").clone();
                tokio::spawn(carry(client, upstream, state.clone()));
            }
        });
        Self { url, line, service }
    }

    /// Where the functions find the service.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where the service is.
    pub(crate) fn leads_to(&self, endpoint: &str) {
        let address = endpoint.trim_start_matches("http://").to_owned();
        self.service.set(address).expect("a line leads to one service");
    }

    pub(crate) fn becomes(&self, line: Line) {
        self.line.send_replace(line);
    }
}

/// Carries one connection, as the line is when something arrives.
async fn carry(mut client: TcpStream, service: String, line: watch::Receiver<Line>) {
    let Ok(mut service) = TcpStream::connect(service).await else { return };
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let line = *line.borrow();
                match line {
                    Line::Whole | Line::Deaf | Line::Held => {
                        if service.write_all(&request[..length]).await.is_err() { return }
                    }
                    Line::Cut => return,
                    Line::Silent => {
                        // Until the client gives up.
                        while client.read(&mut request).await.is_ok_and(|length| length > 0) {}
                        return;
                    }
                }
            }
            read = service.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                let line = *line.borrow();
                if line == Line::Held {
                    continue;
                }
                if line != Line::Whole || client.write_all(&answer[..length]).await.is_err() { return }
            }
        }
    }
}
