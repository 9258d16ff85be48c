//! The attacks, one row each: what is sent, and what becomes of it.
//!
//! Among them are the requests that look like an attack and are none, so that a receiver that refuses
//! everything would fail as well.

use atlassian_connect::jwt::{LEEWAY, MAX_LIFETIME};
use atlassian_connect::tenant::SharedSecret;
use atlassian_simulator::{InstallKey, Site, qsh_of};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::harness::app::{DESCRIPTOR, FORGED_KEY};
use crate::harness::tamper::Tamper as _;

/// Where webhooks go: [`EVENT`] is declared for it.
pub(crate) const URL: &str = "/issue-created";

/// The body of a webhook that the attacks are made from.
pub(crate) const EVENT: &str = r#"{"webhookEvent":"jira:issue_created"}"#;

/// A request to a webhook's URL.
pub(crate) struct Attack {
    pub(crate) what: &'static str,
    pub(crate) url: String,
    /// What stands in the `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// The reason that the operator reads; none for a request that is taken.
    pub(crate) refused: Option<&'static str>,
}

/// What can be refused by looking at the request alone: never after a read of the tenants' table.
pub(crate) const WITHOUT_A_READ: [&str; 7] =
    ["no_token", "two_tokens", "malformed_token", "algorithm", "expired", "not_yet_valid", "qsh"];

impl Attack {
    /// Whether it is refused without a read of the tenants' table.
    pub(crate) fn costs_no_read(&self) -> bool {
        self.refused.is_some_and(|reason| WITHOUT_A_READ.contains(&reason))
    }
}

/// A callback of the lifecycle, and what it must not change.
pub(crate) struct Takeover {
    pub(crate) what: &'static str,
    pub(crate) url: &'static str,
    pub(crate) token: Option<String>,
    pub(crate) body: String,
    pub(crate) status: u16,
}

/// Requests to [`URL`] of an app at this base URL, which two sites have installed.
pub(crate) fn webhooks(
    base: &str,
    site: &Site,
    other: &Site,
    atlassian: &InstallKey,
) -> Vec<Attack> {
    let now = Timestamp::now().as_second();
    let qsh = |url: &str| qsh_of(&format!("{base}{url}"), base).unwrap();
    let claims = json!({
        "iss": site.client_key, "iat": now, "exp": now + 180, "qsh": qsh(URL),
    });
    let header = json!({ "typ": "JWT", "alg": "HS256" });
    let key = hmac(&site.secret);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let token = |claims: &Value| signed(&header, &claims.to_string(), &key, Algorithm::HS256);
    let good = token(&claims);
    let (unsigned, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = unsigned.split_once('.').unwrap();
    let with_alg = |alg: Value| {
        let header = json!({ "typ": "JWT", "alg": alg });
        signed(&header, &claims.to_string(), &key, Algorithm::HS256)
    };

    let mut rows: Vec<Attack> = Vec::new();
    let mut at = |what, url: &str, authorization: Option<String>, refused: &'static str| {
        let refused = Some(refused).filter(|reason| !reason.is_empty());
        rows.push(Attack { what, url: url.into(), authorization, refused });
    };
    let jwt = |token: &str| Some(format!("JWT {token}"));

    // Valid, each in its way.
    at("a valid webhook", URL, jwt(&good), "");
    at("a token in the query", &format!("{URL}?jwt={good}"), None, "");
    at("the same token twice", &format!("{URL}?jwt={good}"), jwt(&good), "");
    at("a scheme in lower case", URL, Some(format!("jwt {good}")), "");
    let ordered = token(&with("qsh", qsh(&format!("{URL}?a=1&b=%20x")).into()));
    at("parameters in another order", &format!("{URL}?b=+x&a=1"), jwt(&ordered), "");
    at("a token at the edge of its time", URL, jwt(&token(&with("exp", (now - 5).into()))), "");
    let fraction = token(&with("exp", json!(now as f64 + 180.5)));
    at("a time with a fraction", URL, jwt(&fraction), "");
    at("a clock that is ahead", URL, jwt(&token(&with("iat", (now + 30).into()))), "");
    at("a token of an hour", URL, jwt(&token(&with("exp", (now + MAX_LIFETIME).into()))), "");
    at("unknown claims", URL, jwt(&token(&with("context", json!({"a": [1]})))), "");
    let bare = signed(&json!({"alg": "HS256"}), &claims.to_string(), &key, Algorithm::HS256);
    at("no typ", URL, jwt(&bare), "");

    // No token, or more than one.
    at("no token", URL, None, "no_token");
    at("an empty header", URL, Some(String::new()), "no_token");
    at("a scheme without a token", URL, Some("JWT".into()), "no_token");
    at("a token of blanks", URL, Some("JWT    ".into()), "no_token");
    at("another scheme", URL, Some(format!("Bearer {good}")), "no_token");
    at("a password", URL, Some("Basic dGVuYW50OnNlY3JldA==".into()), "no_token");
    at("another name in the query", &format!("{URL}?JWT={good}"), None, "no_token");
    at("two tokens", &format!("{URL}?jwt={unsigned}."), jwt(&good), "two_tokens");
    at("two in the query", &format!("{URL}?jwt={good}&jwt=a.b.c"), None, "two_tokens");
    at("two in the header", URL, jwt(&format!("{good}, JWT {good}")), "malformed_token");

    // The algorithm.
    let none = format!("{}.{payload}.", segment(&json!({"alg": "none"}).to_string()));
    at("alg none", URL, jwt(&none), "algorithm");
    at("alg none, signed all the same", URL, jwt(&with_alg("none".into())), "algorithm");
    for alg in ["None", "nOnE", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", ""] {
        at("another alg in the header", URL, jwt(&with_alg(alg.into())), "algorithm");
    }
    at("alg null", URL, jwt(&with_alg(Value::Null)), "malformed_token");
    at("alg as a list", URL, jwt(&with_alg(json!(["HS256"]))), "malformed_token");
    for alg in [Algorithm::HS384, Algorithm::HS512] {
        let header = json!({ "alg": format!("{alg:?}") });
        let token = signed(&header, &claims.to_string(), &key, alg);
        at("another HMAC, and a right one", URL, jwt(&token), "algorithm");
    }
    let private = EncodingKey::from_rsa_pem(atlassian.private().as_bytes()).unwrap();
    let rs256 = json!({ "alg": "RS256", "kid": atlassian.id() });
    let token_of_install = signed(&rs256, &claims.to_string(), &private, Algorithm::RS256);
    at("Atlassian's signature on a webhook", URL, jwt(&token_of_install), "algorithm");
    let disguised = signed(&header, &claims.to_string(), &private, Algorithm::RS256);
    at("Atlassian's signature, called HS256", URL, jwt(&disguised), "signature");
    let public = EncodingKey::from_secret(atlassian.public().as_bytes());
    let confused = signed(&header, &claims.to_string(), &public, Algorithm::HS256);
    at("Atlassian's public key as the secret", URL, jwt(&confused), "signature");
    let twice = segment(r#"{"alg":"none","alg":"HS256"}"#);
    at("alg twice", URL, jwt(&format!("{twice}.{payload}.{signature}")), "malformed_token");

    // The header.
    let crit = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    let crit = signed(&crit, &claims.to_string(), &key, Algorithm::HS256);
    at("a critical extension", URL, jwt(&crit), "malformed_token");
    let forger = EncodingKey::from_secret(b"forger");
    for extension in ["jku", "x5u", "jwk", "x5c", "kid"] {
        let mut header = header.clone();
        header[extension] = "https://evil.test/key".into();
        let token = signed(&header, &claims.to_string(), &forger, Algorithm::HS256);
        at("a key that the token brings", URL, jwt(&token), "signature");
    }
    for (what, header) in [("a header that is a list", "[]"), ("a header that is no JSON", "{")] {
        let token = format!("{}.{payload}.{signature}", segment(header));
        at(what, URL, jwt(&token), "malformed_token");
    }

    // The signature.
    let other_token = token(&with("iat", (now - 1).into()));
    let others = other_token.rsplit_once('.').unwrap().1;
    let flipped = |at: usize| {
        let mut bytes = signature.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    for (what, signature) in [
        ("no signature", String::new()),
        ("a signature cut short", signature[..signature.len() - 4].into()),
        ("a signature with more", format!("{signature}AAAA")),
        ("a changed first byte", flipped(0)),
        ("a changed last byte", flipped(signature.len() - 2)),
        ("a signature of another token", others.into()),
        ("a padded signature", format!("{signature}=")),
        ("a signature in another alphabet", format!("+/{}", &signature[2..])),
        ("a signature with a blank", format!("{signature} x")),
    ] {
        at(what, URL, jwt(&format!("{unsigned}.{signature}")), "signature");
    }
    for (what, token) in [
        ("one segment", "abc".to_owned()),
        ("two segments", unsigned.to_owned()),
        ("four segments", format!("{good}.x")),
        ("five segments, as an encrypted token", format!("{good}.x.y")),
        ("dots alone", "..".to_owned()),
        ("a dot before it", format!(".{good}")),
        ("longer than any token", format!("{good}{}", "A".repeat(8 * 1024))),
        ("a padded header", format!("{head}=.{payload}.{signature}")),
    ] {
        at(what, URL, jwt(&token), "malformed_token");
    }

    // The tenant.
    let signed_by = |claims: &Value, secret: &SharedSecret| {
        signed(&header, &claims.to_string(), &hmac(secret), Algorithm::HS256)
    };
    let as_other = with("iss", other.client_key.as_str().into());
    at("another tenant's secret", URL, jwt(&signed_by(&claims, &other.secret)), "signature");
    at("another tenant's name", URL, jwt(&token(&as_other)), "signature");
    let renamed = format!("{head}.{}.{signature}", segment(&as_other.to_string()));
    at("a name changed afterwards", URL, jwt(&renamed), "signature");
    at("no secret", URL, jwt(&signed_by(&claims, &SharedSecret::new(""))), "signature");
    let shouted = with("iss", site.client_key.as_str().to_uppercase().into());
    at("a name in capitals", URL, jwt(&token(&shouted)), "unknown_tenant");
    let app = with("iss", DESCRIPTOR.key.as_str().into());
    at("the app itself", URL, jwt(&token(&app)), "unknown_tenant");
    for iss in [
        json!(""),
        json!(1),
        json!(null),
        json!([site.client_key]),
        json!("a\nb"),
        json!("a b"),
        json!("\u{0}"),
        json!("x".repeat(129)),
        json!("ключ"),
    ] {
        at("an issuer that is no name", URL, jwt(&token(&with("iss", iss))), "malformed_token");
    }
    at("no issuer", URL, jwt(&token(&without("iss"))), "malformed_token");
    let object = claims.to_string();
    let doubled = format!("{},\"iss\":\"{}\"}}", &object[..object.len() - 1], other.client_key);
    let doubled = signed(&header, &doubled, &key, Algorithm::HS256);
    at("two issuers", URL, jwt(&doubled), "malformed_token");

    // The time.
    let late = now - LEEWAY - 2;
    at("expired", URL, jwt(&token(&with("exp", late.into()))), "expired");
    at("expired in 1970", URL, jwt(&token(&with("exp", 0.into()))), "expired");
    let early = now + LEEWAY + 30;
    at("not valid yet", URL, jwt(&token(&with("nbf", early.into()))), "not_yet_valid");
    at("signed in the future", URL, jwt(&token(&with("iat", early.into()))), "not_yet_valid");
    for exp in [json!(now + MAX_LIFETIME + 1), json!(i64::MAX), json!(u64::MAX)] {
        at("a token that lives too long", URL, jwt(&token(&with("exp", exp))), "malformed_token");
    }
    at("no exp", URL, jwt(&token(&without("exp"))), "malformed_token");
    for exp in [json!((now + 180).to_string()), json!(-1), json!(-1.5), json!(null), json!([now])] {
        at("an exp of another kind", URL, jwt(&token(&with("exp", exp))), "malformed_token");
    }
    let huge = claims.to_string().tamper(&format!("\"exp\":{}", now + 180), "\"exp\":1e999999");
    let huge = signed(&header, &huge, &key, Algorithm::HS256);
    at("an exp that no number holds", URL, jwt(&huge), "malformed_token");

    // The request.
    let of_get = atlassian_connect::qsh::Request::of_url("GET", URL, "").hash().unwrap();
    for (what, qsh) in [
        ("a context token", "context-qsh".to_owned()),
        ("an empty hash", String::new()),
        ("a hash in capitals", qsh(URL).to_uppercase()),
        ("a hash cut short", qsh(URL)[..63].to_owned()),
        ("a hash of another method", of_get),
        ("a hash of another URL", qsh("/page-created")),
        ("a hash of another query", qsh(&format!("{URL}?a=1"))),
    ] {
        at(what, URL, jwt(&token(&with("qsh", qsh.into()))), "qsh");
    }
    at("no hash", URL, jwt(&token(&without("qsh"))), "malformed_token");
    at("a hash that is a number", URL, jwt(&token(&with("qsh", 1.into()))), "malformed_token");
    at("an added parameter", &format!("{URL}?admin=1"), jwt(&good), "qsh");
    at("a changed parameter", &format!("{URL}?b=x&a=2"), jwt(&ordered), "qsh");
    at("a lost parameter", &format!("{URL}?b=+x"), jwt(&ordered), "qsh");
    at("a parameter twice", &format!("{URL}?b=+x&a=1&a=1"), jwt(&ordered), "qsh");
    at("a query that encodes nothing", &format!("{URL}?a=%zz"), jwt(&good), "qsh");
    at("a query that is not UTF-8", &format!("{URL}?a=%ff"), jwt(&good), "qsh");
    at("a query with quotation marks", &format!("{URL}?a=\"{{}}\""), jwt(&good), "qsh");
    at("a replay at another URL", "/page-created", jwt(&good), "qsh");
    at("a replay at the other's URL", "/scripted", jwt(&good), "qsh");

    // The claims as a whole.
    for (what, text) in [
        ("claims that are a list", "[]".to_owned()),
        ("claims that are no JSON", "{".to_owned()),
        ("claims that are null", "null".to_owned()),
        ("claims without end", "[".repeat(5000)),
        ("claims nested deeply", format!("{{\"x\":{}{}}}", "[".repeat(2000), "]".repeat(2000))),
        ("claims with something behind", format!("{claims}x")),
    ] {
        let token = signed(&header, &text, &key, Algorithm::HS256);
        at(what, URL, jwt(&token), "malformed_token");
    }
    rows
}

/// Callbacks to an app at this base URL, which a victim and a thief have installed. None is taken.
pub(crate) fn takeovers(
    base: &str,
    atlassian: &InstallKey,
    victim: &Site,
    thief: &Site,
    newcomer: &Site,
) -> Vec<Takeover> {
    let now = Timestamp::now().as_second();
    let qsh = |url: &str| qsh_of(&format!("{base}{url}"), base).unwrap();
    let claims = |tenant: &Site, url: &str| {
        json!({
            "iss": tenant.client_key, "iat": now, "exp": now + 180, "qsh": qsh(url), "aud": base,
        })
    };
    let private = |key: &InstallKey| EncodingKey::from_rsa_pem(key.private().as_bytes()).unwrap();
    let rs256 = |key: &InstallKey, kid: Value, claims: &Value| {
        let header = json!({ "alg": "RS256", "kid": kid });
        signed(&header, &claims.to_string(), &private(key), Algorithm::RS256)
    };
    let signed_right = |claims: &Value| rs256(atlassian, atlassian.id().into(), claims);
    let hs256 = |claims: &Value, secret: &SharedSecret| {
        signed(&json!({"alg": "HS256"}), &claims.to_string(), &hmac(secret), Algorithm::HS256)
    };
    let body = |event: &str, tenant: &Site| {
        json!({
            "key": DESCRIPTOR.key, "clientKey": tenant.client_key, "eventType": event,
            "sharedSecret": thief.secret.expose(), "baseUrl": tenant.base_url,
            "productType": "jira",
        })
    };
    let install = body("installed", newcomer);
    let with = |value: &Value, name: &str, to: Value| {
        let mut value = value.clone();
        value[name] = to;
        value
    };
    let mine = claims(newcomer, "/installed");
    let good = signed_right(&mine);

    let mut rows = Vec::new();
    let mut at = |what, url, token: Option<String>, body: &Value, status| {
        rows.push(Takeover { what, url, token, body: body.to_string(), status });
    };
    let installed = "/installed";

    // Who signed.
    let theirs = body("installed", victim);
    at("an unsigned install", installed, None, &theirs, 401);
    let own = hs256(&claims(victim, installed), &thief.secret);
    at("signed with the secret that it brings", installed, Some(own), &theirs, 401);
    let old = hs256(&claims(victim, installed), &victim.secret);
    at("signed with the tenant's secret", installed, Some(old), &theirs, 401);
    let token = rs256(&FORGED_KEY, atlassian.id().into(), &mine);
    at("a forged key of the right name", installed, Some(token), &install, 401);
    let token = rs256(&FORGED_KEY, "unheard-of".into(), &mine);
    at("a key that the server does not have", installed, Some(token), &install, 401);
    for kid in [
        json!(null),
        json!(""),
        json!("."),
        json!(".."),
        json!("../keys"),
        json!("a/b"),
        json!("https://evil.test/key"),
        json!("a%2fb"),
        json!("a?b"),
        json!("k".repeat(200)),
        json!(1),
        json!(format!("{}\n", atlassian.id())),
    ] {
        let token = rs256(atlassian, kid, &mine);
        at("a kid that is no name", installed, Some(token), &install, 401);
    }
    let unsigned = format!(
        "{}.{}.",
        segment(&json!({"alg": "none", "kid": atlassian.id()}).to_string()),
        segment(&mine.to_string())
    );
    at("alg none", installed, Some(unsigned), &install, 401);
    let public = SharedSecret::new(atlassian.public());
    at("the public key as a secret", installed, Some(hs256(&mine, &public)), &install, 401);

    // For whom.
    for aud in [
        json!("https://evil.test"),
        json!(["https://evil.test", base]),
        json!([]),
        json!(null),
        json!(format!("{base}.evil.test")),
        json!(format!("{base}/x")),
        json!(1),
    ] {
        let token = signed_right(&with(&mine, "aud", aud));
        at("an install for another app", installed, Some(token), &install, 401);
    }
    at("another app's key", installed, Some(good.clone()), &with(&install, "key", "x".into()), 401);

    // About whom.
    at("a tenant's install with a victim's name", installed, Some(good.clone()), &theirs, 401);
    let twice = install.to_string().replacen(
        '{',
        &format!("{{\"clientKey\":\"{}\",", victim.client_key),
        1,
    );
    rows.push(Takeover {
        what: "two names",
        url: installed,
        token: Some(good.clone()),
        body: twice,
        status: 400,
    });
    let mut at = |what, url, token: Option<String>, body: &Value, status| {
        rows.push(Takeover { what, url, token, body: body.to_string(), status });
    };
    for host in [
        "https://evil.test",
        "http://newcomer.atlassian.net",
        "https://atlassian.net.evil.test",
        "https://u@evil.test",
        "https://newcomer.atlassian.net@evil.test",
        "javascript:x",
        "",
        "https://.atlassian.net",
        "https://newcomer.atlassian.net.",
        "https://newcomer.atlassian.net:8443",
        "https://newcomer.atlassian.net:443",
        "https://newcomer.atlassian.net/a?b#c",
        "https://newcomer.atlassian.net?a",
        "https://newcomer.atlassian.net#a",
        "https://newcomer\u{3002}atlassian.net",
        "https://newcomer.atlassian.net\\wiki",
        "https://newcomer.atlassian.net/wiki/../..",
    ] {
        let elsewhere = with(&install, "baseUrl", host.into());
        at("a site elsewhere", installed, Some(good.clone()), &elsewhere, 401);
    }

    // When, and for which request.
    let token = signed_right(&with(&mine, "exp", (now - LEEWAY - 2).into()));
    at("an expired install", installed, Some(token), &install, 401);
    for exp in [json!(now + MAX_LIFETIME + 1), json!(u64::MAX)] {
        let token = signed_right(&with(&mine, "exp", exp));
        at("an install's token that lives too long", installed, Some(token), &install, 401);
    }
    let mut undated = mine.clone();
    undated.as_object_mut().unwrap().remove("iat");
    at("an install without a time", installed, Some(signed_right(&undated)), &install, 401);
    let token = signed_right(&with(&mine, "qsh", "context-qsh".into()));
    at("a context token", installed, Some(token), &install, 401);
    let leave = body("uninstalled", victim);
    let token = signed_right(&claims(victim, installed));
    at("an install's token for an uninstall", "/uninstalled", Some(token), &leave, 401);
    at("another kind of event", installed, Some(good.clone()), &body("enabled", newcomer), 401);

    // Sent away.
    at("an unsigned uninstall", "/uninstalled", None, &leave, 401);
    let token = hs256(&claims(victim, "/uninstalled"), &victim.secret);
    at("an uninstall signed by the tenant", "/uninstalled", Some(token), &leave, 401);
    let token = signed_right(&claims(newcomer, "/uninstalled"));
    at("an uninstall signed by another tenant", "/uninstalled", Some(token), &leave, 401);
    let leaving = claims(victim, "/uninstalled");
    for aud in [json!("https://evil.test"), json!(["https://evil.test", base]), json!(null)] {
        let token = signed_right(&with(&leaving, "aud", aud));
        at("an uninstall from another app", "/uninstalled", Some(token), &leave, 401);
    }
    let token = signed_right(&with(&leaving, "iat", (now - 60).into()));
    at("an uninstall from before the install", "/uninstalled", Some(token), &leave, 401);
    let off = body("disabled", victim);
    at("an unsigned disabled", "/disabled", None, &off, 401);
    let token = hs256(&claims(thief, "/disabled"), &thief.secret);
    at("a disabled signed by another tenant", "/disabled", Some(token), &off, 401);
    let token = signed_right(&claims(victim, "/disabled"));
    at("a disabled signed by Atlassian's key", "/disabled", Some(token), &off, 401);

    // What can never succeed.
    for (what, wrong) in [
        ("a body that is a list", json!([])),
        ("no secret", with(&install, "sharedSecret", Value::Null)),
        ("an empty secret", with(&install, "sharedSecret", "".into())),
        ("a secret that is too long", with(&install, "sharedSecret", "x".repeat(2000).into())),
        ("a secret that is a number", with(&install, "sharedSecret", 1.into())),
        ("another product", with(&install, "productType", "bamboo".into())),
        ("a name that is none", with(&install, "clientKey", "a b".into())),
    ] {
        at(what, installed, Some(good.clone()), &wrong, 400);
    }
    rows
}

fn segment(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn hmac(secret: &SharedSecret) -> EncodingKey {
    EncodingKey::from_secret(secret.expose().as_bytes())
}

/// Signs whatever it is given.
fn signed(header: &Value, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", segment(&header.to_string()), segment(claims));
    // With any algorithm, which the provider of the functions refuses to do.
    let provider = &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
    let signer = (provider.signer_factory)(&algorithm, key).unwrap();
    let signature = URL_SAFE_NO_PAD.encode(signer.try_sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}
