//! Every request has at most one canonical form, and is accepted only with its own hash.
#![no_main]

use atlassian_connect::qsh::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&str, &str)| {
    let (url, base_path) = parts;
    let request = Request::of_url("POST", url, base_path);
    assert!(!request.accepts("context-qsh"));
    assert!(!request.accepts(url));
    match request.hash() {
        Ok(hash) => {
            assert!(request.accepts(&hash));
            assert!(!request.accepts(&hash.to_uppercase()) || hash == hash.to_uppercase());
            // The token in the query is bound to everything but itself.
            let separator = if request.query.is_empty() { "" } else { "&" };
            let query = format!("{}{separator}jwt=x.y.z", request.query);
            assert!(Request { query: &query, ..request }.accepts(&hash));
        }
        Err(_) => assert!(!request.accepts(&"0".repeat(64))),
    }
});
