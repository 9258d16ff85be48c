//! No forged token is trusted, and none causes a panic.
#![no_main]

use atlassian_connect::jwt::Unverified;
use atlassian_connect::qsh::Request;
use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    let request = Request::of_url("POST", "/issue-created?a=1", "");
    let now = Timestamp::from_second(1_700_000_000).expect("a time in 2023");
    if let Ok(token) = Unverified::webhook(token)
        && let Ok(token) = token.screen(&request, now)
    {
        assert!(
            token.verify(&SharedSecret::new("a secret that the fuzzer does not have")).is_err()
        );
    }
    if let Ok(token) = Unverified::install(token)
        && let Ok(token) = token.screen(&request, now)
        && let Ok(id) = token.key_id()
    {
        assert!(!id.as_str().contains('/') && !id.as_str().contains(".."), "{id:?}");
    }
});
