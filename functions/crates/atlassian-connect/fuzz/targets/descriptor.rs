//! Every descriptor is parsed or refused, and names can be derived from all its URLs.
#![no_main]

use atlassian_connect::descriptor::Descriptor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(descriptor) = Descriptor::parse(text) else { return };
    for webhook in &descriptor.modules.webhooks {
        let slug = webhook.slug();
        assert!(
            slug.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        );
        assert!(webhook.url.starts_with(webhook.path()));
    }
    for (callback, url) in descriptor.lifecycle.callbacks() {
        assert!(text.contains(callback.as_str()), "{url}");
    }
});
