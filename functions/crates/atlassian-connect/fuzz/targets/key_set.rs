//! Every key set is parsed or refused, and only keys that are in it are found.
#![no_main]

use atlassian_forge::keys::{KeyId, KeySet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&str, &[u8])| {
    let (name, json) = parts;
    let id = KeyId::new(name);
    if let Ok(keys) = KeySet::from_json(json) {
        let text = String::from_utf8_lossy(json);
        if let Some(key) = id.as_ref().and_then(|id| keys.find(id)) {
            assert_eq!(Some(key.id()), id.as_ref());
            assert!(text.contains("kid"));
        }
        assert!(text.contains("RSA") || text.contains('\\'));
    }
});
