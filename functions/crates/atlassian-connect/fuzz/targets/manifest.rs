//! Every manifest is parsed or refused, and its endpoints can be asked for their events.
#![no_main]

use atlassian_forge::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(manifest) = serde_json::from_str::<Manifest>(text) else { return };
    for endpoint in &manifest.modules.endpoint {
        for event in manifest.modules.events_of(&endpoint.key) {
            let of = |trigger: &atlassian_forge::manifest::Trigger| {
                trigger.events.iter().any(|subscription| subscription.name() == event)
            };
            assert!(manifest.modules.trigger.iter().any(of));
            let _ = manifest.permissions.scopes.contains(event);
        }
    }
    for remote in &manifest.remotes {
        assert!(remote.base_url.iter().flat_map(|urls| urls.urls()).count() < 1 << 12);
    }
});
