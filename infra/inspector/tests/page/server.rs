//! Who may ask the server, and what it answers.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::http::{ask, connect};
use crate::stand_in::{JIRA, Request, Served, Stack};

#[tokio::test]
async fn answers_its_own_page_and_nobody_else() {
    let served = Served::start(&Stack::new()).await;
    let port = served.address.port();
    let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("[::1]:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        String::new(),
    ];
    let hosts = own.iter().map(|host| (host, true)).chain(foreign.iter().map(|host| (host, false)));
    let own_origins = own.iter().map(|host| (Some(format!("http://{host}")), true));
    let foreign_origins = foreign
        .iter()
        .map(|host| format!("http://{host}"))
        .chain(["null".to_owned(), format!("https://{}", own[0]), own[0].clone()])
        .map(|origin| (Some(origin), false));
    let origins: Vec<_> =
        [(None, true)].into_iter().chain(own_origins).chain(foreign_origins).collect();
    for (host, is_own_host) in hosts {
        for (origin, is_own_origin) in &origins {
            for (request, body) in
                [("GET /", ""), ("GET /api/journeys", ""), ("POST /api/install", INSTALL)]
            {
                let (status, _) = ask(served.address, request, host, origin.as_deref(), body).await;
                let is_answered = status == 200 || status == 204;
                let is_own = is_own_host && *is_own_origin;
                assert_eq!(is_answered, is_own, "{request} of {host} from {origin:?}: {status}");
                assert!(
                    is_answered || status == 403,
                    "{request} of {host} from {origin:?}: {status}"
                );
            }
        }
    }
    // Nothing was done for the others: two hosts, each with three origins.
    assert_eq!(served.control.calls().len(), 6);
}

const INSTALL: &str = r#"{"tenant":"t","uninstall":true}"#;

#[tokio::test]
async fn allows_the_page_nothing_from_elsewhere() {
    let served = Served::start(&Stack::new()).await;
    let host = served.address.to_string();
    for path in ["/", "/page.js", "/page.css", "/api/app", "/missing"] {
        let (_, answer) = ask(served.address, &format!("GET {path}"), &host, None, "").await;
        let answer = answer.to_lowercase();
        let policy = answer.lines().find_map(|line| line.strip_prefix("content-security-policy: "));
        let policy = policy.unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}");
        assert!(answer.contains("cache-control: no-store"), "{path}");
        assert!(!answer.contains("access-control-allow"), "{path}");
    }
}

#[tokio::test]
async fn says_what_is_wrong_with_a_request() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    let served = Served::start(&stack).await;
    let host = served.address.to_string();
    for (request, body, status, says) in [
        ("GET /api/journeys/a", "", 200, "jira:issue_created"),
        ("GET /api/journeys/b", "", 404, "not kept any more"),
        ("POST /api/journeys/b/replay", "", 404, "not kept any more"),
        ("POST /api/journeys/a/replay", "", 204, ""),
        ("GET /api/samples/nobody/page_created", "", 404, "no site has this client key"),
        ("POST /api/send", "{}", 400, "missing field `tenant`"),
        (
            "POST /api/send",
            r#"{"tenant":"t","event":"e","body":"","tampering":"x"}"#,
            400,
            "unknown variant `x`",
        ),
        ("POST /api/install", r#"{"tenant":"t","secret":"s"}"#, 400, "unknown field `secret`"),
        ("GET /api/app", "", 200, JIRA),
    ] {
        let (answered, answer) = ask(served.address, request, &host, None, body).await;
        assert_eq!(answered, status, "{request} {body}: {answer}");
        assert!(answer.contains(says), "{request} {body}: {answer}");
    }
    assert_eq!(served.control.calls(), ["replay a"]);
}

#[tokio::test]
async fn streams_what_is_kept_and_then_every_change_until_the_shutdown() {
    let stack = Stack::new();
    stack.queued("a", &Request::issue());
    let served = Served::start(&stack).await;
    let mut stream =
        connect(served.address, "GET /api/stream", &served.address.to_string(), None, "").await;
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, r#""outcome":"queued""#).await;
    stack.handled("a");
    read_until(&mut stream, &mut seen, r#""outcome":"handled""#).await;
    // An open page does not keep the stack from ending.
    served.stop().await;
    stream.read_to_string(&mut seen).await.expect("the stream ended");
}

async fn read_until(stream: &mut TcpStream, seen: &mut String, text: &str) {
    while !seen.contains(text) {
        let mut part = vec![0; 4096];
        let length = stream.read(&mut part).await.expect("it is streamed");
        assert!(length > 0, "the stream ended before {text}");
        seen.push_str(&String::from_utf8_lossy(&part[..length]));
    }
}
