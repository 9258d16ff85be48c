//! The table of tenants, against a model of it: callbacks in any order, and at once.

use std::collections::HashMap;
use std::sync::Arc;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::SiteDetails;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use aws_sdk_dynamodb::types::AttributeValue;
use contract::tenants_table;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tenants::{
    Find, Install, Installation, PREVIOUS_SECRET_GRACE, Recorded, SignedAt, Switch, Table, Tenant,
    Uninstall,
};
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::harness::app::TestApp;

/// A callback of one tenant. Times are so close that many are equal; secrets are few, so that they
/// repeat.
#[derive(Clone, Copy, Debug)]
enum Callback {
    Installed { signed: i64, secret: u8, id: Option<u8> },
    Uninstalled { signed: i64 },
    Switched { signed: i64, enabled: bool },
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Comes(Callback),
    Wait { seconds: i64 },
}

/// What the table says of one tenant.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Row {
    signed: Option<i64>,
    secret: Option<u8>,
    previous: Option<(u8, i64)>,
    id: Option<u8>,
    switched: Option<i64>,
    enabled: Option<bool>,
}

fn callback() -> impl Strategy<Value = Callback> {
    let signed = || 0_i64..5;
    let id = prop::option::weighted(0.3, 0_u8..9);
    prop_oneof![
        5 => (signed(), 0_u8..3, id)
            .prop_map(|(signed, secret, id)| Callback::Installed { signed, secret, id }),
        3 => signed().prop_map(|signed| Callback::Uninstalled { signed }),
        2 => (signed(), any::<bool>())
            .prop_map(|(signed, enabled)| Callback::Switched { signed, enabled }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => callback().prop_map(Step::Comes),
        1 => prop_oneof![1_i64..60, Just(16 * 60)].prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What the table should answer, and becomes.
fn model(row: &mut Row, callback: Callback, now: i64) -> Recorded {
    match callback {
        Callback::Installed { signed, secret, id } => {
            let is_repetition = row.signed == Some(signed) && row.secret == Some(secret);
            if row.signed.is_some_and(|last| signed <= last) && !is_repetition {
                return Recorded::Outdated;
            }
            if row.secret != Some(secret) {
                row.previous =
                    row.secret.map(|before| (before, now + PREVIOUS_SECRET_GRACE.as_secs() as i64));
            }
            (row.signed, row.secret) = (Some(signed), Some(secret));
            row.id = id.or(row.id);
        }
        Callback::Uninstalled { signed } => {
            if row.signed.is_some_and(|last| signed < last) {
                return Recorded::Outdated;
            }
            let (signed, switched) = (Some(signed), Some(signed));
            *row = Row { signed, switched, id: row.id, ..Row::default() };
        }
        Callback::Switched { signed, enabled } => {
            let repeats = if enabled { row.enabled == Some(true) } else { row.enabled.is_some() };
            let is_newer =
                row.switched.is_none_or(|last| last < signed || last == signed && repeats);
            if row.secret.is_some() && is_newer {
                (row.switched, row.enabled) = (Some(signed), Some(enabled));
            } else if row.secret.is_some() {
                return Recorded::Outdated;
            }
        }
    }
    Recorded::Yes
}

/// The rule in one sentence: what was signed last stands, for equal seconds the uninstall.
fn stands(row: &Row, callbacks: &[Callback]) -> bool {
    let signed = callbacks.iter().filter_map(|callback| match *callback {
        Callback::Installed { signed, secret, .. } => Some((signed, Some(secret))),
        Callback::Uninstalled { signed } => Some((signed, None)),
        Callback::Switched { .. } => None,
    });
    let last = signed.clone().map(|(signed, _)| signed).max();
    let of_the_last = || signed.clone().filter(|(signed, _)| Some(*signed) == last);
    let has_left = last.is_none() || of_the_last().any(|(_, secret)| secret.is_none());
    match row.secret {
        None => has_left,
        Some(_) => !has_left && of_the_last().any(|(_, secret)| secret == row.secret),
    }
}

/// The real table, and a start of time.
struct World {
    runtime: Runtime,
    app: TestApp,
    table: Table,
    start: Timestamp,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let app = runtime.block_on(TestApp::empty(|template| template));
        let table = app.tenants();
        let start = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        Self { runtime, app, table, start }
    }

    fn at(&self, seconds: i64) -> Timestamp {
        self.start + SignedDuration::from_secs(seconds)
    }

    /// What the table says; nothing that a tenant has lost may be left of it.
    async fn row(&self, key: &ClientKey, now: i64) -> Row {
        let found = self.table.find(key, self.at(now)).await.unwrap();
        let name = &self.app.stack.deployment().tables["TenantsTable"].name;
        let request = self.app.dynamodb().get_item().table_name(name);
        let request = request.key(tenants_table::KEY, AttributeValue::S(key.to_string()));
        let stored = request.send().await.unwrap().item.unwrap_or_default();
        let seconds = |name: &str| {
            let value = stored.get(name)?.as_n().unwrap().parse::<i64>().unwrap();
            Some(value - self.start.as_second())
        };
        let has = |name: &str| stored.contains_key(name);
        assert_eq!(found.is_some(), has("sharedSecret"));
        assert_eq!(has("previousUntil"), has("previousSecret"), "{stored:?}");
        assert_eq!(
            has(tenants_table::EXPIRES_AT),
            !stored.is_empty() && found.is_none(),
            "{stored:?}"
        );
        let Tenant { secret, previous, .. } = match found {
            Some(tenant) => tenant,
            None => {
                assert!(!has("previousSecret") && !has("enabled"), "{stored:?}");
                Tenant {
                    product: Product::Jira,
                    secret: SharedSecret::new(""),
                    previous: None,
                    base_url: None,
                    oauth_client_id: None,
                }
            }
        };
        let number = |secret: &SharedSecret| secret.expose().strip_prefix("secret-")?.parse().ok();
        let previous = previous.map(|(secret, until)| {
            (number(&secret).unwrap(), until.as_second() - self.start.as_second())
        });
        Row {
            signed: seconds("signedAt"),
            secret: number(&secret),
            previous,
            id: text(&stored, "installationId"),
            switched: seconds("switchedAt"),
            enabled: stored.get("enabled").map(|value| *value.as_bool().unwrap()),
        }
    }
}

fn text(stored: &HashMap<String, AttributeValue>, name: &str) -> Option<u8> {
    stored.get(name)?.as_s().unwrap().parse().ok()
}

async fn call(
    table: &Table,
    key: &ClientKey,
    callback: Callback,
    at: impl Fn(i64) -> SignedAt,
) -> Recorded {
    match callback {
        Callback::Installed { signed, secret, id } => {
            let installation = Installation {
                key: key.clone(),
                product: Product::Jira,
                secret: SharedSecret::new(format!("secret-{secret}")),
                base_url: "https://site.atlassian.net".into(),
                particulars: SiteDetails {
                    installation_id: id.map(|id| id.to_string()),
                    ..SiteDetails::default()
                },
            };
            table.install(&installation, at(signed)).await
        }
        Callback::Uninstalled { signed } => table.uninstall(key, at(signed)).await,
        Callback::Switched { signed, enabled } => table.switch(key, enabled, at(signed)).await,
    }
    .unwrap()
}

fn new_key() -> ClientKey {
    ClientKey::new(Uuid::new_v4().to_string()).unwrap()
}

/// A row as it is seen at a time: a secret after its grace is not read.
fn seen(row: &Row, now: i64) -> Row {
    Row { previous: row.previous.filter(|(_, until)| now < *until), ..row.clone() }
}

#[test]
fn the_table_does_what_the_model_says() {
    let world = World::new();
    TestRunner::new(ProptestConfig::with_cases(96))
        .run(&prop::collection::vec(step(), 1..12), |steps| {
            let (key, mut row, mut now) = (new_key(), Row::default(), 10);
            let mut came = Vec::new();
            for (number, step) in steps.iter().enumerate() {
                match *step {
                    Step::Wait { seconds } => now += seconds,
                    Step::Comes(callback) => {
                        came.push(callback);
                        let expected = model(&mut row, callback, now);
                        let at = |signed| SignedAt { signed: world.at(signed), now: world.at(now) };
                        let answer = world.runtime.block_on(call(&world.table, &key, callback, at));
                        prop_assert_eq!(answer, expected, "step {} of {:?}", number, steps);
                    }
                }
                let stored = world.runtime.block_on(world.row(&key, now));
                prop_assert_eq!(stored, seen(&row, now), "step {} of {:?}", number, steps);
            }
            prop_assert!(stands(&row, &came), "{:?} after {:?}", row, steps);
            Ok(())
        })
        .unwrap();
    world.runtime.block_on(world.app.stack.stop());
}

/// Whatever comes at once is answered, and leaves the row, as in some order one after the other.
#[test]
fn concurrent_callbacks_have_the_result_of_some_order() {
    let world = World::new();
    let scenes = (prop::collection::vec(callback(), 0..4), prop::collection::vec(callback(), 2..5));
    // What happens at once does not happen again in the same way: nothing is gained by shrinking.
    let config = ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::with_cases(128) };
    TestRunner::new(config)
        .run(&scenes, |(before, at_once)| {
            let (key, mut row) = (new_key(), Row::default());
            let now = world.at(10);
            let at = |start: Timestamp| {
                move |signed| SignedAt { signed: start + SignedDuration::from_secs(signed), now }
            };
            let (answers, stored) = world.runtime.block_on(async {
                for callback in &before {
                    model(&mut row, *callback, 10);
                    call(&world.table, &key, *callback, at(world.start)).await;
                }
                let barrier = Arc::new(Barrier::new(at_once.len()));
                let calls = at_once.iter().map(|callback| {
                    let (table, key, callback) = (world.table.clone(), key.clone(), *callback);
                    let (barrier, at) = (Arc::clone(&barrier), at(world.start));
                    tokio::spawn(async move {
                        barrier.wait().await;
                        call(&table, &key, callback, at).await
                    })
                });
                let mut answers = Vec::new();
                for call in calls.collect::<Vec<_>>() {
                    answers.push(call.await.unwrap());
                }
                (answers, world.row(&key, 10).await)
            });
            let came = [before.as_slice(), at_once.as_slice()].concat();
            prop_assert!(stands(&stored, &came), "{:?} after {:?}", stored, came);
            let explained = orders(at_once.len()).into_iter().any(|order| {
                let mut row = row.clone();
                let fits = |index: usize| model(&mut row, at_once[index], 10) == answers[index];
                order.into_iter().all(fits) && row == stored
            });
            prop_assert!(
                explained,
                "{:?}, then at once {:?}: {:?} and {:?}",
                before,
                at_once,
                answers,
                stored
            );
            Ok(())
        })
        .unwrap();
    world.runtime.block_on(world.app.stack.stop());
}

/// Every order of so many.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut longer = Vec::new();
    for order in orders(last) {
        for place in 0..count {
            longer.push([&order[..place], &[last], &order[place..]].concat());
        }
    }
    longer
}
