//! Every body has at most one name and one identity, whatever it is wrapped in, and is read as its type
//! or not, without a panic.
#![no_main]

use atlassian_connect::event::Product;
use atlassian_connect::payload::Payload;
use atlassian_forge::event::{self, Body, Form, TABLE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (u8, &str)| {
    let (number, json) = parts;
    let Ok(payload) = Payload::from_body(json.to_owned()) else {
        let _ = Body::read(json).name();
        return;
    };
    let body = Body::read(json);
    assert!(json.contains(body.event()));
    assert!(body.name().is_some() || body.form() == Form::Root || body.retry().is_none());
    let spec = &TABLE[usize::from(number) % TABLE.len()];
    let _ = event::reading(Product::Jira, &spec.name.into(), &payload);

    // The same event in the other form, and the name of no other.
    if body.form() == Form::Root && body.name().is_some() {
        let wrapped = format!(" {{ \"payload\" : {json} }} ");
        let wrapped = Body::read(&wrapped);
        assert_eq!((wrapped.name(), wrapped.form()), (body.name(), Form::Wrapped));
        assert_eq!(wrapped.event(), body.event());
    }
});
