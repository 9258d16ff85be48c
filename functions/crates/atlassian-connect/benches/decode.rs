//! What it costs to read a payload as its type, beside `serde_json::Value` of the same text.
//!
//! `cargo bench -p connect`. The bodies are the samples of `infra/atlassian-simulator/samples`,
//! without white space as on the wire; the largest is an issue with as many custom fields as large
//! sites have.

use atlassian_connect::event::{Event, EventName, FromPayload, Product, Reading, confluence, jira};
use atlassian_connect::payload::Payload;
use divan::{Bencher, black_box, counter::BytesCount};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

/// An event, and a body of about so many bytes.
const BODIES: [&str; 4] = ["0.2 KB", "2 KB", "12 KB", "50 KB"];

/// As a match on every event would read it.
#[divan::bench(args = BODIES)]
fn event(bencher: Bencher<'_, '_>, size: &str) {
    let (product, name, payload) = body(size);
    bencher.counter(BytesCount::of_str(payload.as_str())).bench_local(|| {
        let mut reading = Reading::Read;
        Event::from_payload(product, &name, black_box(&payload), &mut reading).expect("a sample")
    });
}

/// As a handler of this event alone would read it.
#[divan::bench(args = BODIES)]
fn payload_type(bencher: Bencher<'_, '_>, size: &str) {
    let (product, name, payload) = body(size);
    let read = match name {
        EventName::BoardCreated => read::<jira::BoardEvent>,
        EventName::ContentCreated => read::<confluence::ContentEvent>,
        _ => read::<jira::IssueEvent>,
    };
    bencher
        .counter(BytesCount::of_str(payload.as_str()))
        .bench_local(|| read(product, &name, black_box(&payload)));
}

/// As untyped JSON.
#[divan::bench(args = BODIES)]
fn value(bencher: Bencher<'_, '_>, size: &str) {
    let (_, _, payload) = body(size);
    bencher
        .counter(BytesCount::of_str(payload.as_str()))
        .bench_local(|| drop(black_box(black_box(&payload).read::<Value>().expect("a sample"))));
}

/// Reads and drops, because dropping a `Value` is expensive.
fn read<T: FromPayload>(product: Product, name: &EventName, payload: &Payload) {
    let mut reading = Reading::Read;
    drop(black_box(T::from_payload(product, name, payload, &mut reading).expect("a sample")));
}

fn body(size: &str) -> (Product, EventName, Payload) {
    let (product, name, body) = match size {
        "0.2 KB" => (Product::Jira, EventName::BoardCreated, sample(BOARD_CREATED)),
        "2 KB" => (Product::Confluence, EventName::ContentCreated, sample(CONTENT_CREATED)),
        "12 KB" => (Product::Jira, EventName::IssueUpdated, sample(ISSUE_UPDATED)),
        _ => (Product::Jira, EventName::IssueUpdated, large_issue()),
    };
    let payload = Payload::from_body(body.to_string()).expect("JSON was written");
    (product, name, payload)
}

const BOARD_CREATED: &str =
    include_str!("../../../../infra/atlassian-simulator/samples/jira/board_created.json");
const CONTENT_CREATED: &str =
    include_str!("../../../../infra/atlassian-simulator/samples/confluence/content_created.json");
const ISSUE_UPDATED: &str =
    include_str!("../../../../infra/atlassian-simulator/samples/jira/jira_issue_updated.json");

fn sample(json: &str) -> Value {
    serde_json::from_str(json).expect("a sample is JSON")
}

/// An updated issue with many custom fields, most of them null as on real sites, and many changes.
fn large_issue() -> Value {
    let mut body = sample(ISSUE_UPDATED);
    for number in 0..420 {
        let choice = "https://demo.atlassian.net/rest/api/2/customFieldOption/10030";
        let field = match number % 6 {
            0 => json!({ "self": choice, "value": "Ground floor", "id": "10030" }),
            1 => json!("What somebody wrote about the kettle, a sentence or two of it"),
            _ => Value::Null,
        };
        body["issue"]["fields"][format!("customfield_{}", 11_000 + number)] = field;
    }
    let changed = body["changelog"]["items"][0].clone();
    let items = body["changelog"]["items"].as_array_mut().expect("a list of changes");
    items.extend((0..40).map(|_| changed.clone()));
    body
}
