//! Requests whose every header is the test's.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Asks, and leaves the answer to be read.
pub(crate) async fn connect(
    address: SocketAddr,
    request: &str,
    host: &str,
    origin: Option<&str>,
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.expect("it is sent");
    stream
}

/// Asks, and returns the status and the whole answer.
pub(crate) async fn ask(
    address: SocketAddr,
    request: &str,
    host: &str,
    origin: Option<&str>,
    body: &str,
) -> (u16, String) {
    let mut stream = connect(address, request, host, origin, body).await;
    let mut answer = Vec::new();
    // chromedriver promises to close the connection, and does not.
    while !is_whole(&answer) && stream.read_buf(&mut answer).await.expect("it is answered") > 0 {}
    let answer = String::from_utf8(answer).expect("an answer is text");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("it is HTTP"), answer)
}

fn is_whole(answer: &[u8]) -> bool {
    let answer = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length
        .and_then(|length| length.trim().parse().ok())
        .is_some_and(|length: usize| body.len() >= length)
}
