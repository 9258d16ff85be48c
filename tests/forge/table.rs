//! Requests to an endpoint of a Forge app, one row each: what is sent, and what becomes of it.
//!
//! Among them are those that look odd and are taken, so that a receiver that refuses everything would
//! fail as well.

use atlassian_connect::jwt::{self, ClaimsToSign};
use atlassian_forge::token::{LEEWAY, MAX_LIFETIME};
use atlassian_simulator::forge::{Installation, SigningKey};
use atlassian_simulator::{Site, qsh_of};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::{APP, ISSUE, LIFE};
use crate::harness::app::{FORGE_KEY, NEXT_FORGE_KEY};

/// A request with the body of an event.
pub(super) struct Attempt {
    pub(super) what: &'static str,
    pub(super) path: &'static str,
    /// What stands in the `Authorization` header.
    pub(super) authorization: Option<String>,
    /// The reason that the operator reads; none for a request that is taken.
    pub(super) refused: Option<&'static str>,
}

/// Requests to [`ISSUE`] of an app that is installed, and at a base URL also a Connect app.
pub(super) fn attempts(installation: &Installation, base: &str, site: &Site) -> Vec<Attempt> {
    let time = Timestamp::now();
    let now = time.as_second();
    let claims = installation.event_claims(ISSUE.key, time);
    let sign = |claims: &Value| FORGE_KEY.sign(claims).unwrap();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let with = |changes: &[(&str, Value)]| {
        let mut claims = claims.clone();
        for (pointer, value) in changes {
            let (above, name) = pointer.rsplit_once('/').unwrap();
            claims.pointer_mut(above).unwrap()[name] = value.clone();
        }
        bearer(&sign(&claims))
    };
    let without = |pointer: &str| {
        let mut claims = claims.clone();
        let (above, name) = pointer.rsplit_once('/').unwrap();
        claims.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        bearer(&sign(&claims))
    };
    let good = sign(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();

    let mut rows = Vec::new();
    let mut at = |what, path, authorization, refused: &'static str| {
        let refused = Some(refused).filter(|reason| !reason.is_empty());
        rows.push(Attempt { what, path, authorization, refused });
    };
    let mut to = |what, authorization, refused| at(what, ISSUE.path, authorization, refused);

    // Taken, each in its way.
    to("an event", bearer(&good), "");
    to("a scheme in lower case", Some(format!("bearer {good}")), "");
    to("the app in a list of audiences", with(&[("/aud", json!([APP]))]), "");
    to("a token that has just expired", with(&[("/exp", (now - LEEWAY / 2).into())]), "");
    let ahead = json!(now + LEEWAY / 2);
    to("a clock that is ahead", with(&[("/iat", ahead.clone()), ("/nbf", ahead)]), "");
    to("a site that only the URL of its API names", without("/app/installation"), "");
    to("unknown claims", with(&[("/app/license", json!({"active": true}))]), "");

    // No token, or another kind.
    to("no token", None, "no_token");
    to("an empty header", Some(String::new()), "no_token");
    to("a scheme without a token", Some("Bearer".into()), "no_token");
    to("another scheme", Some(format!("Basic {good}")), "no_token");
    let qsh = qsh_of(&format!("{base}{}", ISSUE.path), base).unwrap();
    let connect = ClaimsToSign::new(site.client_key.as_str(), &qsh, time);
    let connect = jwt::sign(&connect, &site.secret);
    to("a token of Connect", Some(format!("JWT {connect}")), "no_token");
    to("a token of Connect as a bearer's", bearer(&connect), "algorithm");
    to("two tokens", Some(format!("Bearer {good}, Bearer {good}")), "malformed_token");
    to("a token without a signature", bearer(signed), "malformed_token");
    to(
        "claims that are no JSON",
        bearer(&forged(&header("RS256"), "{", &FORGE_KEY)),
        "malformed_token",
    );

    // The algorithm and the key.
    let text = claims.to_string();
    let none = format!("{}.{}.", segment(&header("none").to_string()), segment(&text));
    to("alg none", bearer(&none), "algorithm");
    let public = FORGE_KEY.public()["n"].as_str().unwrap();
    let public = EncodingKey::from_secret(public.as_bytes());
    let hmac = signed_with(&header("HS256"), &text, &public, Algorithm::HS256);
    to("the public key as the secret of an HMAC", bearer(&hmac), "algorithm");
    let other = signed_with(&header("RS512"), &text, &rsa(&FORGE_KEY), Algorithm::RS512);
    to("another algorithm of the same key", bearer(&other), "algorithm");
    let name = forged(&header("RS256"), &text, &NEXT_FORGE_KEY);
    to("a stranger's key of the right name", bearer(&name), "signature");
    let unknown = NEXT_FORGE_KEY.sign(&claims).unwrap();
    to("a key that the key set does not have", bearer(&unknown), "unknown_key");
    let mut own = header("RS256");
    own["jwk"] = NEXT_FORGE_KEY.public().clone();
    to("a key in the token itself", bearer(&forged(&own, &text, &NEXT_FORGE_KEY)), "signature");
    let nameless = forged(&json!({"alg": "RS256"}), &text, &FORGE_KEY);
    to("no name of a key", bearer(&nameless), "malformed_token");
    let path = forged(&json!({"alg": "RS256", "kid": "../../key"}), &text, &FORGE_KEY);
    to("a name of a key that leads elsewhere", bearer(&path), "malformed_token");
    let mut changed = claims.clone();
    changed["app"]["installationId"] = "ari:cloud:ecosystem::installation/victim".into();
    let head = signed.split_once('.').unwrap().0;
    let changed = format!("{head}.{}.{signature}", segment(&changed.to_string()));
    to("claims that were changed", bearer(&changed), "malformed_token");
    let mut jti = claims.clone();
    jti["jti"] = "0".repeat(40).into();
    let jti = format!("{head}.{}.{signature}", segment(&jti.to_string()));
    to("claims that were changed a little", bearer(&jti), "signature");

    // For whom.
    let theirs = "ari:cloud:ecosystem::app/00000000-1f32-48bb-8c52-5877dab48107";
    to("another app", with(&[("/aud", theirs.into()), ("/app/id", theirs.into())]), "other_app");
    to("another audience", with(&[("/aud", theirs.into())]), "other_app");
    to("two audiences", with(&[("/aud", json!([APP, theirs]))]), "other_app");
    to("another app in the claims", with(&[("/app/id", theirs.into())]), "other_app");
    to("another issuer", with(&[("/iss", "forge-sim".into())]), "malformed_token");

    // When.
    let past = now - LEEWAY - 2;
    to("an expired token", with(&[("/exp", past.into())]), "expired");
    let later = now + LEEWAY + 60;
    to("a token of the future", with(&[("/nbf", later.into())]), "not_yet_valid");
    let long = now + MAX_LIFETIME + 1;
    to("a token that lives too long", with(&[("/exp", long.into())]), "malformed_token");
    to("no time at which it expires", without("/exp"), "malformed_token");
    to("no time at which it was signed", without("/iat"), "malformed_token");

    // Who holds it.
    let browser = sign(&installation.browser_claims("panel", time));
    to("the token of a user's browser", bearer(&browser), "user");
    to("a principal", with(&[("/principal", "712020:a".into())]), "user");
    to("a context", with(&[("/context", json!({"cloudId": "a"}))]), "user");
    let page = json!("jira:issuePanel");
    to("a page with the key of the endpoint", with(&[("/app/module/type", page)]), "user");
    let endpoint = installation.event_claims(LIFE.key, time);
    to("the token of another endpoint", bearer(&sign(&endpoint)), "other_endpoint");
    to("an Isolated Cloud", with(&[("/icLabel", "orange".into())]), "malformed_token");
    to("no installation", without("/app/installationId"), "malformed_token");
    let two = "ari:cloud:ecosystem::installation/00000000-53ae-4a5b-9e7e-03338980abb5";
    to("two installations", with(&[("/app/installation/id", two.into())]), "malformed_token");
    let id = with(&[("/app/installationId", "a".into()), ("/app/installation/id", "a".into())]);
    to("an installation that is none", id, "malformed_token");

    at("a replay at another endpoint", LIFE.path, bearer(&good), "other_endpoint");
    // The other way round: what Forge signs is no webhook of Connect.
    at("an event at a URL of Connect", "/scripted", bearer(&good), "no_token");
    at("as a token of Connect", "/scripted", Some(format!("JWT {good}")), "algorithm");
    rows
}

fn header(alg: &str) -> Value {
    json!({ "alg": alg, "kid": FORGE_KEY.id() })
}

/// A token that says it is one of [`FORGE_KEY`], or whatever the header says.
fn forged(header: &Value, claims: &str, key: &SigningKey) -> String {
    signed_with(header, claims, &rsa(key), Algorithm::RS256)
}

fn rsa(key: &SigningKey) -> EncodingKey {
    EncodingKey::from_rsa_pem(key.private().as_bytes()).unwrap()
}

fn segment(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

/// Signs whatever it is given.
fn signed_with(header: &Value, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", segment(&header.to_string()), segment(claims));
    // With any algorithm, which the provider of the functions refuses to do.
    let provider = &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
    let signer = (provider.signer_factory)(&algorithm, key).unwrap();
    let signature = URL_SAFE_NO_PAD.encode(signer.try_sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}
