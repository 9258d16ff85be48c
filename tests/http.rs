//! HTTP as bytes: what a client library would never send, with a token that is valid.
//!
//! This is the local gateway and not Amazon's. What the rows are for is the road behind it: no
//! request is taken for two, none is taken twice, and none is taken without its own token.

use std::time::Duration;

use atlassian_connect::delivery::Delivery;
use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_simulator::qsh_of;
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::app::TestApp;
use crate::harness::tamper::Tamper as _;

/// Bytes on one connection, and the statuses of the answers to them.
struct Row {
    what: &'static str,
    bytes: Vec<u8>,
    statuses: &'static [u16],
}

/// What the rows are made of.
struct Parts {
    /// `host:port` of the stack.
    host: String,
    token: String,
    body: String,
}

impl Parts {
    fn of(app: &TestApp) -> Self {
        let base = app.stack.url();
        let qsh = qsh_of(&format!("{base}/issue-created"), base).unwrap();
        let claims = ClaimsToSign::new(app.jira.client_key.as_str(), &qsh, Timestamp::now());
        Self {
            host: base.trim_start_matches("http://").to_owned(),
            token: jwt::sign(&claims, &app.jira.secret),
            body: json!({ "webhookEvent": "jira:issue_created" }).to_string(),
        }
    }

    /// A request with these lines after the usual ones, and with this after its head.
    fn request(&self, line: &str, headers: &str, rest: &str) -> String {
        let Self { host, token, .. } = self;
        format!(
            "{line}\r\nHost: {host}\r\nAuthorization: JWT {token}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n{headers}\r\n{rest}"
        )
    }

    /// The valid request with these lines besides.
    fn with(&self, headers: &str) -> String {
        let length = format!("Content-Length: {}\r\n{headers}", self.body.len());
        self.request(POST, &length, &self.body)
    }

    /// One with another `Content-Length`.
    fn length(&self, length: &str) -> String {
        self.request(POST, &format!("Content-Length: {length}\r\n"), &self.body)
    }

    fn chunked(&self, headers: &str, chunks: &str) -> String {
        self.request(POST, &format!("Transfer-Encoding: chunked\r\n{headers}"), chunks)
    }

    /// A request without a token.
    fn without_token(&self) -> String {
        let (host, body) = (&self.host, &self.body);
        let length = body.len();
        format!(
            "{POST}\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    }

    fn rows(&self) -> Vec<Row> {
        let Self { host, body, .. } = self;
        let (length, half) = (body.len(), body.len() / 2);
        let chunk = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let halves = |extension: &str, trailer: &str| {
            let (one, two) = body.split_at(half);
            let (first, second) = (one.len(), two.len());
            format!("{first:X}{extension}\r\n{one}\r\n{second:x}\r\n{two}\r\n0\r\n{trailer}\r\n")
        };
        let keep = |request: String| request.tamper("Connection: close\r\n", "");
        let mut rows = Vec::new();
        let mut row = |what, text: String, statuses| {
            rows.push(Row { what, bytes: text.into_bytes(), statuses });
        };
        row("a length", self.with(""), &[204]);
        row("HTTP/1.0", self.with("").tamper("HTTP/1.1", "HTTP/1.0"), &[204]);
        row("HTTP/2.0 in the line", self.with("").tamper("HTTP/1.1", "HTTP/2.0"), &[400]);
        row("no version", self.with("").tamper(" HTTP/1.1", ""), &[400]);
        row("a chunk", self.chunked("", &chunk), &[204]);
        row("two chunks", self.chunked("", &halves("", "")), &[204]);
        row(
            "chunks with an extension and a trailer",
            self.chunked("", &halves(";name=\"value\"", "Authorization: JWT x\r\n")),
            &[204],
        );
        row("chunks of CHUNKED", self.chunked("", &chunk).tamper("chunked", "CHUNKED"), &[204]);
        row(
            "a chunk size that overflows",
            self.chunked("", &format!("FFFFFFFFFFFFFFFFF\r\n{body}\r\n0\r\n\r\n")),
            &[413],
        );
        row(
            "a chunk size that is none",
            self.chunked("", &format!("-5\r\n{body}\r\n0\r\n\r\n")),
            &[413],
        );
        row(
            "an unknown encoding",
            self.request(POST, "Transfer-Encoding: xchunked\r\n", &chunk),
            &[400],
        );
        row("two lengths", self.with(&format!("Content-Length: {}\r\n", length - 1)), &[400]);
        row(
            "a length and a list of them",
            self.length(&format!("{length}, {}", length - 1)),
            &[400],
        );
        for wrong in ["-1", "+5", "0x10", "1e3", "99999999999999999999", ""] {
            row("a length that is none", self.length(wrong), &[400]);
        }
        row(
            "absolute form",
            self.with("").tamper("POST /", &format!("POST http://{host}/")),
            &[204],
        );
        row(
            "absolute form of another host",
            self.with("").tamper("POST /", "POST http://elsewhere.example/"),
            &[204],
        );
        row("another host", self.with("").tamper(host, "elsewhere.example"), &[204]);
        row("no host", self.with("").tamper(&format!("Host: {host}\r\n"), ""), &[204]);
        row("asterisk form", self.with("").tamper("/issue-created", "*"), &[404]);
        row("authority form", self.with("").tamper("/issue-created", host), &[404]);
        row("lines without a carriage return", self.with("").tamper("\r\n", "\n"), &[204]);
        row("a folded header", self.with("X-A: b\r\n c\r\n"), &[400]);
        row("a blank before the colon", self.with("X-A : b\r\n"), &[400]);
        row("NUL in a header", self.with("X-A: \0\r\n"), &[400]);
        row("a head of 20 KB", self.with(&format!("X-A: {}\r\n", "a".repeat(20_000))), &[431]);
        row(
            "a target of 20 KB",
            self.with("")
                .tamper("/issue-created", &format!("/issue-created?{}", "a".repeat(20_000))),
            &[431],
        );
        row("10,000 headers", self.with(&"X-A: b\r\n".repeat(10_000)), &[431]);
        row("90 headers", self.with(&"X-A: b\r\n".repeat(90)), &[204]);
        row("two tokens", self.with("Authorization: JWT a.b.c\r\n"), &[401]);
        row(
            "the same token twice",
            self.with(&format!("Authorization: JWT {}\r\n", self.token)),
            &[401],
        );
        row(
            "a second request without a token",
            keep(self.with("")) + &self.without_token(),
            &[204, 401],
        );
        row(
            "a second request without a token, after chunks",
            keep(self.chunked("", &chunk)) + &self.without_token(),
            &[204, 401],
        );
        // The length says that it is part of the body, and the chunks say that it is not.
        let hidden = format!("0\r\n\r\n{}", self.without_token());
        let covered = format!("Content-Length: {}\r\n", hidden.len());
        row("a second request that a length hides", keep(self.chunked(&covered, &hidden)), &[400]);
        row(
            "a token for the second request alone",
            self.without_token().tamper("Connection: close\r\n", "") + &self.with(""),
            &[401, 204],
        );
        let mut bytes = self.with("X-Atlassian-Webhook-Identifier: \u{1}\r\n").into_bytes();
        bytes.iter_mut().filter(|byte| **byte == 1).for_each(|byte| *byte = 0xFF);
        rows.push(Row { what: "an identifier that is not UTF-8", bytes, statuses: &[204] });
        rows
    }
}

const POST: &str = "POST /issue-created HTTP/1.1";

/// The statuses on a connection until its end.
async fn statuses(host: &str, bytes: &[u8]) -> Vec<u16> {
    let (mut reading, mut writing) = TcpStream::connect(host).await.unwrap().into_split();
    let mut answer = Vec::new();
    // At once: a server that refuses a head need not read the rest of it.
    let talk = async {
        tokio::join!(
            async { drop(writing.write_all(bytes).await) },
            // An end that is not clean is an end as well.
            async { drop(reading.read_to_end(&mut answer).await) },
        )
    };
    tokio::time::timeout(Duration::from_secs(30), talk).await.expect("the connection ends");
    let answer = String::from_utf8_lossy(&answer);
    let after = answer.split("HTTP/1.").skip(1);
    after.map(|answer| answer[2..5].parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_every_request_for_the_one_that_it_is() {
    let app = TestApp::without_handlers().await;
    let parts = Parts::of(&app);
    // Beside bodies that never come.
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&parts.host).await.unwrap();
        let head = parts.request(POST, "Content-Length: 1000\r\n", "{");
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let (mut taken, mut wrong) = (0, Vec::new());
    for Row { what, bytes, statuses: expected } in parts.rows() {
        let found = statuses(&parts.host, &bytes).await;
        if found != expected {
            wrong.push(format!("{what}: {found:?}, not {expected:?}"));
        }
        taken += found.iter().filter(|status| **status == 204).count();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.total_depth().await as usize, taken, "what was taken is queued, once");
    for _ in 0..taken {
        let message = app.receive("IssueCreatedQueue").await.body.unwrap();
        assert_eq!(Delivery::from_message(&message).unwrap().payload.as_str(), parts.body);
    }
    drop(waiting);
    app.stack.stop().await;
}
