//! No forged signature or token of a signed webhook is trusted, and none causes a panic.
#![no_main]

use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use signed_webhooks::{Declared, Kind, Path, Unverified, sign};

fuzz_target!(|input: (&str, &[u8])| {
    let (value, body) = input;
    let now = Timestamp::from_second(1_700_000_000).expect("a time in 2023");
    let secret = SharedSecret::new("a secret that the fuzzer does not have");
    for kind in Kind::ALL {
        if let Ok(request) = Unverified::new(kind, |_| Some(value), body, now) {
            assert!(request.verify(&secret).is_err());
        }
        if let Ok(payload) = Payload::from_body(String::from_utf8_lossy(body).into_owned()) {
            let _ = kind.spec().event_name(|_| Some(value), &payload);
        }
        let _ = kind.spec().webhook(|_| Some(value));
    }
    // What is signed is trusted, and in one form only.
    let signed = sign(body, &secret);
    let request = Unverified::new(Kind::Jira, |_| Some(&*signed), body, now).expect("a signature");
    assert_eq!(request.verify(&secret).expect("its own signature").body(), body);
    if let Ok(path) = value.parse::<Path>() {
        let tenant = path.of(&"acme".parse().expect("a name"));
        assert_eq!(path.tenant(&tenant), Some("acme"));
    }
    let _ = value.parse::<Declared>();
});
