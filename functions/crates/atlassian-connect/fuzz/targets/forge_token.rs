//! No forged invocation token is trusted, and none causes a panic.
#![no_main]

use std::sync::LazyLock;

use atlassian_forge::keys::KeySet;
use atlassian_forge::token::{AppId, EndpointKey, Unverified, bearer};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// A key whose private half nobody has: its modulus is not the product of two known primes.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key = format!(r#"{{"kty":"RSA","kid":"a/b","n":"{}w","e":"AQAB"}}"#, "u".repeat(341));
    KeySet::from_json(format!(r#"{{"keys":[{key}]}}"#).as_bytes()).expect("one usable key")
});

fuzz_target!(|header: &str| {
    let token = bearer(header).unwrap_or(header);
    let Ok(unverified) = Unverified::parse(token) else { return };
    let app: AppId = "ari:cloud:ecosystem::app/a".parse().expect("an app");
    let endpoint: EndpointKey = "e".parse().expect("an endpoint");
    let now = Timestamp::from_second(1_800_000_000).expect("a time in 2027");
    let Ok(screened) = unverified.screen(&app, &endpoint, now) else { return };
    let id = screened.key_id().as_str();
    assert!(!id.contains("..") && !id.starts_with('/') && !id.contains("//"), "{id:?}");
    if let Some(key) = KEYS.find(screened.key_id()) {
        assert!(screened.verify(key).is_err());
    }
});
