//! Faults in every direction, and an account of every delivery that balances at the end.
//!
//! `HOOKS_SOAK=10000` takes as many deliveries; without it there are enough for each kind of fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atlassian_connect::event::Product;
use atlassian_simulator::{Site, Webhook};
use aws_sdk_sqs::types::MessageSystemAttributeName;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::app::{TestApp, with_variables};
use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::log::Logged;
use crate::harness::tamper::Tamper as _;

/// What a delivery orders, by its number: most of it nothing special.
fn order(number: usize, folder: &Path) -> Value {
    let once = folder.join(number.to_string());
    match number % 50 {
        7 => json!({ "do": "fail", "once": once }),
        17 => json!({ "do": "panic", "once": once }),
        27 => json!({ "do": "later", "once": once }),
        37 => json!({ "do": "give up" }),
        47 if number % 100 == 47 => json!({ "do": "exit", "once": once }),
        _ => json!({ "do": "succeed" }),
    }
}

fn is_given_up(number: usize) -> bool {
    number % 50 == 37
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delivery_is_handled_once_or_waits_with_its_reason() {
    let total: usize = runtime::environment::optional("HOOKS_SOAK")
        .map_or(600, |total| total.parse().expect("HOOKS_SOAK is a number of deliveries"));
    let (sqs, dynamodb) = (FaultProxy::new().await, FaultProxy::new().await);
    let app = TestApp::empty(|template| {
        let variables =
            [("AWS_ENDPOINT_URL_SQS", sqs.url()), ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())];
        with_variables(&template, &variables)
            .tamper("RETRY_DELAY: !Ref RetryDelay", "RETRY_DELAY: '0'")
            .tamper("VisibilityTimeout: 180", "VisibilityTimeout: 6")
            .tamper("Timeout: 30", "Timeout: 6")
    })
    .await;
    sqs.forward_to(app.stack.sqs_endpoint());
    dynamodb.forward_to(app.stack.dynamodb_endpoint());
    let mut sites = Vec::new();
    for _ in 0..5 {
        sites.push(app.installed(Product::Jira).await);
    }
    let folder = tempfile::tempdir().unwrap();
    let (next, attempts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Instant::now();

    // Jira's part: the same webhook again, until it is taken.
    let send = || async {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= total {
                return;
            }
            let site: &Site = &sites[number % sites.len()];
            let mut body = order(number, folder.path());
            body["webhookEvent"] = "jira:issue_updated".into();
            body["number"] = number.into();
            loop {
                attempts.fetch_add(1, Ordering::SeqCst);
                let webhook = Webhook {
                    base_url: app.stack.url(),
                    url: "/scripted",
                    body: body.to_string(),
                    identifier: Some(number.to_string()),
                };
                match app.atlassian.send(webhook, site).await.unwrap().status.as_u16() {
                    204 => break,
                    500..=599 | 429 => sleep(Duration::from_millis(20)).await,
                    status => panic!("{number} is answered {status}"),
                }
            }
            if (number + 1) % 1000 == 0 {
                eprintln!("{} of {total} sent after {:?}", number + 1, start.elapsed());
            }
        }
    };
    // A fault every half a second, most of them shorter than what the functions have patience for.
    let faults = async {
        let faults = [
            Fault::Refuse,
            Fault::DropResponse,
            Fault::Refuse,
            Fault::DropResponse,
            Fault::Blackhole,
        ];
        for number in 0_usize.. {
            sleep(Duration::from_millis(250)).await;
            let proxy = if number % 2 == 0 { &sqs } else { &dynamodb };
            proxy.inject(faults[number / 2 % faults.len()]);
            sleep(Duration::from_millis(if number % 40 == 38 { 6000 } else { 250 })).await;
            proxy.inject(Fault::None);
        }
    };
    let senders = async { tokio::join!(send(), send(), send(), send()) };
    tokio::select! {
        _ = senders => (),
        () = faults => unreachable!("faults do not end"),
    }
    for proxy in [&sqs, &dynamodb] {
        proxy.inject(Fault::None);
    }
    eprintln!("all sent after {:?}, in {} attempts", start.elapsed(), attempts.into_inner());

    let dead = dead_letters(&app).await;
    app.drained_within("ScriptedQueue", Duration::from_secs(300)).await;
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for line in app.logged(Logged::ScriptDone, 1).await {
        let payload: Value = serde_json::from_str(line["payload"].as_str().unwrap()).unwrap();
        *times.entry(payload["number"].as_u64().unwrap()).or_default() += 1;
    }
    let repeated = app.logged(Logged::DeliveryDuplicate, 0).await.len();
    eprintln!(
        "{} handled, {} given up, {repeated} repeated and dropped, after {:?}",
        times.len(),
        dead.len(),
        start.elapsed(),
    );
    let expected = |given_up: bool| -> BTreeSet<u64> {
        (0..total).filter(|n| is_given_up(*n) == given_up).map(|n| n as u64).collect()
    };
    assert_eq!(dead, expected(true), "what is given up waits, and nothing else");
    let handled: BTreeSet<u64> = times.keys().copied().collect();
    assert_eq!(handled, expected(false), "none is missing");
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    app.stack.stop().await;
}

/// Waits until everything is handled, and takes what is dead: the numbers, each with a reason.
async fn dead_letters(app: &TestApp) -> BTreeSet<u64> {
    app.drained_within("ScriptedQueue", Duration::from_secs(600)).await;
    let mut dead = BTreeSet::new();
    let client = app.sqs();
    loop {
        let request = client
            .receive_message()
            .queue_url(app.queue("ScriptedDeadLetterQueue"))
            .max_number_of_messages(10)
            .visibility_timeout(600)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let messages = request.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            return dead;
        }
        for message in messages {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes.get("reason").and_then(|reason| reason.string_value());
            assert_eq!(reason, Some("as scripted, for good"), "{:?}", message.body);
            let delivery =
                atlassian_connect::delivery::Delivery::from_message(&message.body.unwrap())
                    .unwrap();
            let payload: Value = delivery.payload.read().unwrap();
            dead.insert(payload["number"].as_u64().unwrap());
        }
    }
}
