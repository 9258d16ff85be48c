//! Every body is carried byte for byte, and is read as its type or not, without a panic.
#![no_main]

use atlassian_connect::delivery::{Delivery, Sender, Webhook};
use atlassian_connect::event::{EventName, Product, Reading};
use atlassian_connect::payload::Payload;
use atlassian_connect::tenant::ClientKey;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (u8, &str)| {
    let (number, body) = parts;
    // A message that no receiver put on the queue.
    let _ = Delivery::from_message(body);

    let Ok(payload) = Payload::from_body(body.to_owned()) else { return };
    let event = EventName::ALL[usize::from(number) % EventName::ALL.len()].clone();
    for product in [Product::Jira, Product::Confluence] {
        let reading = Reading::of(product, &event, &payload);
        let delivery = Delivery {
            id: "id".into(),
            event: event.clone(),
            product,
            sender: Sender::Connect,
            tenant: ClientKey::new("tenant").expect("a plain word"),
            base_url: None,
            received_at: Timestamp::UNIX_EPOCH,
            webhook: Webhook::default(),
            params: [].into(),
            reading,
            payload: payload.clone(),
        };
        let message = delivery.to_message();
        assert!(!message.contains(['\u{FFFE}', '\u{FFFF}']), "SQS refuses these");
        let read = Delivery::from_message(&message).expect("what was written can be read");
        assert_eq!(read.payload.as_str(), body);
    }
});
