//! Every request that is taken or refused at a URL of signed webhooks, and why.

use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_simulator::qsh_of;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::large_bodies::noise;

/// A request, and what comes of it.
struct Row<'a> {
    what: &'a str,
    request: Request<'a>,
    is_chunked: bool,
    status: u16,
    /// The reason in the log. Empty for one that is taken.
    reason: &'static str,
    /// Whether a message is queued.
    is_queued: bool,
}

/// The tenants of the table.
struct Tenants {
    acme: Tenant,
    other: Tenant,
    partner: Tenant,
    wiki: Tenant,
    code: Tenant,
}

const JIRA: &str = "/hooks/{tenant}/jira";
const DELETED: &str = "/hooks/{tenant}/deleted";
const APP: &str = "/hooks/{tenant}/app";
const BITBUCKET: &str = "/hooks/{tenant}/bitbucket";
const CONFLUENCE: &str = "/hooks/{tenant}/confluence";

#[tokio::test(flavor = "multi_thread")]
async fn takes_what_the_tenant_signed_and_nothing_else() {
    let tenants = Tenants {
        acme: Tenant::new("acme", Kind::Jira),
        other: Tenant::new("other", Kind::Jira),
        partner: Tenant::new("partner", Kind::JiraOauth),
        wiki: Tenant::new("wiki", Kind::ConfluenceDataCenter),
        code: Tenant::new("code", Kind::Bitbucket),
    };
    let Tenants { acme, other, partner, wiki, code } = &tenants;
    let app = app_with(without_handlers, &[acme, other, partner, wiki, code]).await;
    let (mut wrong, mut queued) = (Vec::new(), app.total_depth().await);
    let rows: Vec<_> = jira(&tenants).into_iter().chain(others(&tenants, &app)).collect();
    let proofs = rows.iter().flat_map(|row| row.request.headers.iter().map(|(_, value)| value));
    let proofs: Vec<String> = proofs.filter(|value| value.len() >= 64).cloned().collect();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    for Row { what, request, is_chunked, status, reason, is_queued } in rows {
        let before = app.logged(Logged::RequestRejected, 0).await.len();
        let (found, sentence) = send_bytes(&app, &request.bytes(host(&app), is_chunked)).await;
        if found != status {
            wrong.push(format!("{what}: {found}, not {status}"));
            continue;
        }
        queued += u32::from(is_queued);
        let depth = app.total_depth().await;
        if depth != queued {
            wrong.push(format!("{what}: {depth} messages, not {queued}"));
            queued = depth;
        }
        if !reason.is_empty() {
            let refused = app.logged(Logged::RequestRejected, before + 1).await;
            if refused[before]["reason"] != reason {
                wrong.push(format!("{what}: {}, not {reason}", refused[before]));
            }
            let told = match status {
                401 => "not authorized",
                413 => "the body is too large",
                _ => "the body is not what this URL expects",
            };
            assert_eq!(sentence, told, "{what}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let printed = app.printed();
    for Tenant { secret, .. } in [acme, other, partner, wiki, code] {
        assert!(!printed.contains(secret.expose()), "a secret is logged");
    }
    assert!(!proofs.is_empty() && proofs.iter().all(|proof| !printed.contains(proof)));
    app.stack.stop().await;
}

fn row<'a>(what: &'a str, request: Request<'a>, status: u16, reason: &'static str) -> Row<'a> {
    Row { what, request, is_chunked: false, status, reason, is_queued: status == 204 }
}

/// The rows of webhooks that an administrator of Jira registered.
fn jira(tenants: &Tenants) -> Vec<Row<'_>> {
    let Tenants { acme, other, partner, .. } = tenants;
    let body = json!({ "webhookEvent": "jira:issue_created", "timestamp": 1 }).to_string();
    let good = || Request::of(acme, JIRA, &body);
    let with = |value: String| Request { headers: vec![(SIGNATURE, value)], ..good() };
    let signed = sign(body.as_bytes(), &acme.secret);
    let digits = signed.strip_prefix("sha256=").unwrap();
    let under = |path: &str| Request { path: path.to_owned(), ..good() };
    let of = |text: &str| Request::of(acme, JIRA, text);
    let mut changed = good();
    *changed.body.last_mut().unwrap() = b' ';
    let mut longer = good();
    longer.body.push(b'\n');
    let mut forged = good();
    forged.headers = vec![(SIGNATURE, sign(body.as_bytes(), &SharedSecret::new("a guess")))];
    let mut twice = good();
    twice.headers.push((SIGNATURE, signed.clone()));
    let mut second = good();
    second.headers.push((SIGNATURE, format!("sha256={}", "0".repeat(64))));
    let mut cases = good();
    cases.headers.push(("x-hub-signature", signed.clone()));
    let invalid = b"{\"webhookEvent\":\"jira:issue_created\",\"a\":\"\xFF\"}";
    let long = json!({ "webhookEvent": "jira:issue_created", "a": noise(256 * 1024) }).to_string();
    let too_long =
        json!({ "webhookEvent": "jira:issue_created", "a": noise(4_000_000) }).to_string();
    let mut rows = vec![
        row("the right secret", good(), 204, ""),
        row("a query, which Jira adds", under("/hooks/acme/jira?user_id=1&user_key=a"), 204, ""),
        row("digits in upper case", with(format!("sha256={}", digits.to_uppercase())), 204, ""),
        row(
            "another name of the header's",
            Request { headers: vec![("x-HUB-signature", signed.clone())], ..good() },
            204,
            "",
        ),
        Row { is_chunked: true, ..row("chunks", good(), 204, "") },
        row(
            "a body that is not text to the gateway",
            good().with("Content-Type", "application/octet-stream"),
            204,
            "",
        ),
        row("256 KB", of(&long), 204, ""),
        row("more than fits a message", of(&too_long), 413, "too_large"),
        row("an empty body where one event is declared", Request::of(acme, DELETED, ""), 204, ""),
        row("an empty body where two are", of(""), 400, "ambiguous_event"),
        row("another secret", forged, 401, "signature"),
        row(
            "another tenant's secret",
            Request { path: "/hooks/acme/jira".into(), ..Request::of(other, JIRA, &body) },
            401,
            "signature",
        ),
        row("another tenant's URL", under("/hooks/other/jira"), 401, "signature"),
        row("a byte changed", changed, 401, "signature"),
        row("a byte more", longer, 401, "signature"),
        row(
            "no body for a signature of one",
            Request { body: Vec::new(), ..good() },
            401,
            "signature",
        ),
        row("the signature of an empty body", with(sign(b"", &acme.secret)), 401, "signature"),
        row("no header", Request { headers: vec![], ..good() }, 401, "no_signature"),
        row("an empty header", with(String::new()), 401, "malformed_signature"),
        row("the header twice", twice, 401, "two_signatures"),
        row("a second header that is wrong", second, 401, "two_signatures"),
        row("the header twice in two cases", cases, 401, "two_signatures"),
        row("two values in one header", with(format!("{signed}, {signed}")), 401, "two_signatures"),
        row("the method in upper case", with(format!("SHA256={digits}")), 401, "algorithm"),
        row("SHA-1", with(format!("sha1={}", &digits[..40])), 401, "algorithm"),
        row("SHA-512", with(format!("sha512={digits}{digits}")), 401, "algorithm"),
        row("no method", with(format!("={digits}")), 401, "algorithm"),
        row("the beginning of the method", with(format!("sha25={digits}")), 401, "algorithm"),
        row("a method that begins so", with(format!("sha2560={digits}")), 401, "algorithm"),
        row("digits alone", with(digits.to_owned()), 401, "malformed_signature"),
        row(
            "a digit less",
            with(signed[..signed.len() - 1].to_owned()),
            401,
            "malformed_signature",
        ),
        row("a byte less", with(signed[..signed.len() - 2].to_owned()), 401, "malformed_signature"),
        row("a byte of the signature", with(signed[..9].to_owned()), 401, "malformed_signature"),
        row("no digits", with("sha256=".into()), 401, "malformed_signature"),
        row(
            "a byte of the signature more",
            with(format!("{signed}00")),
            401,
            "malformed_signature",
        ),
        row(
            "no hexadecimal digits",
            with(format!("sha256={}", "z".repeat(64))),
            401,
            "malformed_signature",
        ),
        row("an unknown tenant", under("/hooks/nobody/jira"), 401, "unknown_tenant"),
        row("a tenant in another case", under("/hooks/Acme/jira"), 401, "unknown_tenant"),
        row("a tenant with a space", under("/hooks/data-key%202026/jira"), 401, "unknown_tenant"),
        row(
            "the key of the tenant's row",
            under("/hooks/signed%20acme/jira"),
            401,
            "unknown_tenant",
        ),
        row(
            "a tenant of another kind",
            Request {
                path: "/hooks/partner/jira".into(),
                headers: vec![(SIGNATURE, sign(body.as_bytes(), &partner.secret))],
                ..good()
            },
            401,
            "unknown_tenant",
        ),
        row(
            "the token of an app",
            Request::of(partner, "/hooks/acme/jira", &body),
            401,
            "no_signature",
        ),
        row(
            "another event",
            of(r#"{"webhookEvent":"jira:issue_deleted"}"#),
            400,
            "undeclared_event",
        ),
        row("a lifecycle callback", of(r#"{"webhookEvent":"installed"}"#), 400, "undeclared_event"),
        row("no event where two are declared", of("{}"), 400, "ambiguous_event"),
        row("no JSON", of("webhookEvent=jira:issue_created"), 400, "not_json"),
        row(
            "a body that ends too early",
            of(r#"{"webhookEvent":"jira:issue_created""#),
            400,
            "not_json",
        ),
        row("no UTF-8", Request::of(acme, JIRA, invalid), 400, "not_text"),
        row(
            "no UTF-8 and no signature of it",
            Request { body: invalid.to_vec(), ..good() },
            401,
            "signature",
        ),
    ];
    rows.push(row("the right secret, after all that", good(), 204, ""));
    rows
}

/// The rows of other senders, and of senders on the URLs of others.
fn others<'a>(tenants: &'a Tenants, app: &TestApp) -> Vec<Row<'a>> {
    let Tenants { acme, partner, wiki, code, .. } = tenants;
    let body = json!({ "webhookEvent": "jira:issue_created" }).to_string();
    let base = app.stack.url();
    let now = Timestamp::now().as_second();
    let token = |claims: Value, secret: &SharedSecret| {
        let value = format!("Bearer {}", sign_token(&claims, secret));
        Request {
            path: APP.replace("{tenant}", "partner"),
            headers: vec![("Authorization", value)],
            body: body.clone().into_bytes(),
        }
    };
    let bearer = |value: String| Request {
        headers: vec![("Authorization", value)],
        ..Request::of(partner, APP, &body)
    };
    let times = |issued: i64, expires: i64| json!({ "iat": now + issued, "exp": now + expires });
    let good = sign_token(&times(0, 180), &partner.secret);
    let (_, claims_and_signature) = good.split_once('.').unwrap();
    let claims = claims_and_signature.split_once('.').unwrap().0;
    let with_header = |header: Value, rest: &str| {
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    let none = with_header(json!({ "alg": "none" }), &format!("{claims}."));
    let hs512 = with_header(json!({ "alg": "HS512" }), claims_and_signature);
    let connect = |url: &str, key: &str, secret: &SharedSecret| {
        let qsh = qsh_of(&format!("{base}{url}"), base).unwrap();
        let claims = ClaimsToSign::new(key, &qsh, Timestamp::now());
        jwt::sign(&claims, secret)
    };
    let (site, site_secret) = (app.jira.client_key.as_str(), &app.jira.secret);
    let to = |url: &str, headers: Vec<(&'static str, String)>| Request {
        path: url.to_owned(),
        headers,
        body: body.clone().into_bytes(),
    };
    let on_jira = connect("/hooks/acme/jira", site, site_secret);
    let push = |tenant: &'a Tenant, event: &'static str| {
        Request::of(tenant, BITBUCKET, r#"{"push":{}}"#).with("X-Event-Key", event)
    };
    let page = json!({ "event": "page_created", "timestamp": 1, "page": { "id": 1 } }).to_string();
    let ping = Request::of(wiki, CONFLUENCE, r#"{"event":"diagnostics:ping","test":true}"#);
    let mut changed = token(times(0, 180), &partner.secret);
    changed.body.push(b' ');
    vec![
        // 3LO
        row("an app's token", token(times(0, 180), &partner.secret), 204, ""),
        row("an app's token in a scheme of lower case", bearer(format!("bearer {good}")), 204, ""),
        row("another body, which no token covers", changed, 204, ""),
        row("an expired token", token(times(-240, -60), &partner.secret), 401, "expired"),
        row("a token of tomorrow", token(times(600, 900), &partner.secret), 401, "not_yet_valid"),
        row(
            "a token for a year",
            token(times(0, 31_536_000), &partner.secret),
            401,
            "malformed_token",
        ),
        row(
            "a token without an end",
            token(json!({ "iat": now }), &partner.secret),
            401,
            "malformed_token",
        ),
        row(
            "a token without a beginning",
            token(json!({ "exp": now + 180 }), &partner.secret),
            401,
            "malformed_token",
        ),
        row(
            "an app's token with another secret",
            token(times(0, 180), &acme.secret),
            401,
            "signature",
        ),
        row("alg none", bearer(format!("Bearer {none}")), 401, "algorithm"),
        row("HS512", bearer(format!("Bearer {hs512}")), 401, "algorithm"),
        row(
            "no signature",
            bearer(format!("Bearer {}.", good.rsplit_once('.').unwrap().0)),
            401,
            "signature",
        ),
        row(
            "two tokens",
            bearer(format!("Bearer {good}")).with("Authorization", format!("Bearer {good}")),
            401,
            "malformed_token",
        ),
        row("another scheme", bearer(format!("JWT {good}")), 401, "no_token"),
        row("no token", Request { headers: vec![], ..bearer(String::new()) }, 401, "no_token"),
        row(
            "a signature where a token should be",
            to("/hooks/partner/app", vec![(SIGNATURE, sign(body.as_bytes(), &partner.secret))]),
            401,
            "no_token",
        ),
        row(
            "a tenant of another kind with a token",
            to(
                "/hooks/acme/app",
                vec![(
                    "Authorization",
                    format!("Bearer {}", sign_token(&times(0, 180), &acme.secret)),
                )],
            ),
            401,
            "unknown_tenant",
        ),
        // Connect
        row(
            "a token of Connect",
            to("/hooks/acme/jira", vec![("Authorization", format!("JWT {on_jira}"))]),
            401,
            "no_signature",
        ),
        row(
            "a token of Connect in the query",
            to(&format!("/hooks/acme/jira?jwt={on_jira}"), vec![]),
            401,
            "no_signature",
        ),
        row(
            "a token of Connect as that of an app",
            to(
                "/hooks/partner/app",
                vec![(
                    "Authorization",
                    format!("Bearer {}", connect("/hooks/partner/app", site, site_secret)),
                )],
            ),
            401,
            "signature",
        ),
        row(
            "a signature on a URL of Connect",
            to("/issue-created", vec![acme.proof(body.as_bytes())]),
            401,
            "no_token",
        ),
        row(
            "an app's token on a URL of Connect",
            to("/issue-created", vec![("Authorization", format!("Bearer {good}"))]),
            401,
            "no_token",
        ),
        row(
            "a signed tenant that issues a token of Connect",
            to(
                "/issue-created",
                vec![(
                    "Authorization",
                    format!("JWT {}", connect("/issue-created", "acme", &acme.secret)),
                )],
            ),
            401,
            "unknown_tenant",
        ),
        row(
            "the row of a signed tenant as an issuer",
            to(
                "/issue-created",
                vec![(
                    "Authorization",
                    format!("JWT {}", connect("/issue-created", "signed acme", &acme.secret)),
                )],
            ),
            401,
            "malformed_token",
        ),
        row(
            "the site's secret on the URL of a signed tenant",
            to(
                &format!("/hooks/{site}/jira"),
                vec![(SIGNATURE, sign(body.as_bytes(), site_secret))],
            ),
            401,
            "unknown_tenant",
        ),
        // Bitbucket and Confluence
        row("a push", push(code, "repo:push"), 204, ""),
        row("another event of Bitbucket's", push(code, "repo:fork"), 400, "undeclared_event"),
        row("no event of Bitbucket's", Request::of(code, BITBUCKET, "{}"), 400, "ambiguous_event"),
        row("a page", Request::of(wiki, CONFLUENCE, &page), 204, ""),
        row("a page without an event", Request::of(wiki, CONFLUENCE, "{}"), 400, "ambiguous_event"),
        row(
            "a lifecycle callback where all events are declared",
            Request::of(wiki, CONFLUENCE, r#"{"event":"uninstalled"}"#),
            400,
            "undeclared_event",
        ),
        row(
            "a name that is no event's",
            Request::of(wiki, CONFLUENCE, r#"{"event":"page created"}"#),
            400,
            "undeclared_event",
        ),
        Row { is_queued: false, ..row("the product's test of the webhook", ping, 204, "") },
    ]
}
