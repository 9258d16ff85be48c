//! A descriptor is read or refused, and what is made from its URLs can be made from any.
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
