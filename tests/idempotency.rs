//! The idempotency table against a model of it: any order of messages, replays, crashes and clocks.

use handler::{Claim, Claimant, IdempotencyStore, Takeover};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use crate::harness::app::TestApp;

/// One of two messages with the same webhook, or a replay of the first.
type Who = u8;

const REPLAYS: [(&str, Option<&str>); 4] =
    [("first", None), ("second", None), ("first", Some("one")), ("first", Some("two"))];

fn claimant(who: Who) -> Claimant<'static> {
    let (message, replay) = REPLAYS[usize::from(who)];
    Claimant { message, replay }
}

/// What a message does. A crash is a message that does no more.
#[derive(Clone, Debug)]
enum Step {
    Claim {
        who: Who,
        seconds: i64,
    },
    Complete {
        who: Who,
    },
    /// With the attempt that it claimed last, which counts or does not.
    Release {
        who: Who,
        counts: bool,
    },
    Forget {
        who: Who,
    },
    Wait {
        seconds: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    InProgress { until: Timestamp },
    Failed,
    Completed,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    who: Who,
    attempts: u32,
    state: State,
    expires: Timestamp,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0_u8..4;
    prop_oneof![
        6 => (who(), 1_i64..40).prop_map(|(who, seconds)| Step::Claim { who, seconds }),
        2 => who().prop_map(|who| Step::Complete { who }),
        2 => (who(), any::<bool>()).prop_map(|(who, counts)| Step::Release { who, counts }),
        1 => who().prop_map(|who| Step::Forget { who }),
        3 => prop_oneof![1_i64..60, Just(15 * 24 * 60 * 60)]
            .prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What the table should answer, and becomes. `claimed` is the attempt that each claimed last.
fn model(
    row: &mut Option<Row>,
    claimed: &[u32; 4],
    step: &Step,
    takeover: Takeover,
    now: Timestamp,
) -> Option<Claim> {
    let window = SignedDuration::try_from(IdempotencyStore::WINDOW).unwrap();
    let holds = |row: &Row, who: Who| row.who == who && row.attempts == claimed[usize::from(who)];
    match *step {
        Step::Complete { who } => {
            if let Some(row) = row.as_mut().filter(|row| row.who == who) {
                *row = Row { state: State::Completed, expires: now + window, ..*row };
            }
            None
        }
        Step::Release { who, counts } => {
            let held = row.as_mut().filter(|row| holds(row, who));
            if let Some(row) = held.filter(|row| row.state != State::Completed) {
                row.state = State::Failed;
                row.attempts -= u32::from(!counts);
            }
            None
        }
        Step::Forget { who } => {
            *row = row.filter(|row| !holds(row, who) || row.state == State::Completed);
            None
        }
        Step::Wait { .. } => None,
        Step::Claim { who, seconds } => {
            let current = row.filter(|row| row.expires.as_second() > now.as_second());
            let is_other_replay = |row: &Row| who >= 2 && row.who != who;
            let claim = match current {
                None => Claim::Acquired { attempt: 1 },
                Some(Row { state: State::Completed, .. }) => Claim::Duplicate,
                Some(Row { state: State::InProgress { until }, .. }) if until >= now => {
                    Claim::InProgress(until)
                }
                Some(row) if is_other_replay(&row) => Claim::Acquired { attempt: 1 },
                Some(Row { state: State::Failed, attempts, .. }) => {
                    Claim::Acquired { attempt: attempts + 1 }
                }
                Some(row) => match takeover {
                    Takeover::Allowed => Claim::Acquired { attempt: row.attempts + 1 },
                    Takeover::Own if row.who == who => {
                        Claim::Acquired { attempt: row.attempts + 1 }
                    }
                    Takeover::Refused if row.who == who => Claim::Unfinished,
                    Takeover::Own | Takeover::Refused => Claim::Duplicate,
                },
            };
            if let Claim::Acquired { attempt } = claim {
                let until = now + SignedDuration::from_secs(seconds);
                let state = State::InProgress { until };
                *row = Some(Row { who, attempts: attempt, state, expires: now + window });
            }
            Some(claim)
        }
    }
}

#[test]
fn the_table_does_what_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let app = runtime.block_on(TestApp::empty(|template| template));
    let config = app.aws(app.stack.dynamodb_endpoint());
    let table = &app.stack.deployment().tables["IdempotencyTable"].name;
    let store = IdempotencyStore::new(&config, table);

    let takeover =
        prop_oneof![Just(Takeover::Allowed), Just(Takeover::Own), Just(Takeover::Refused)];
    let steps = (takeover, prop::collection::vec(step(), 1..25));
    TestRunner::new(ProptestConfig::with_cases(128))
        .run(&steps, |(takeover, steps)| {
            let key = Uuid::new_v4().to_string();
            let start = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
            let (mut row, mut now, mut claimed) = (None, start, [0; 4]);
            for (number, step) in steps.iter().enumerate() {
                let expected = model(&mut row, &claimed, step, takeover, now);
                let attempt = |who: Who| claimed[usize::from(who)];
                let answer = runtime.block_on(async {
                    match *step {
                        Step::Claim { who, seconds } => {
                            let until = now + SignedDuration::from_secs(seconds);
                            let claim = store.claim(&key, claimant(who), takeover, now, until);
                            Some(claim.await.unwrap())
                        }
                        Step::Complete { who } => {
                            store.complete(&key, claimant(who), now).await.unwrap();
                            None
                        }
                        Step::Release { who, counts } => {
                            let spent = attempt(who).saturating_sub(u32::from(!counts));
                            let held = attempt(who);
                            store.release(&key, claimant(who), held, spent).await.unwrap();
                            None
                        }
                        Step::Forget { who } => {
                            store.forget(&key, claimant(who), attempt(who)).await.unwrap();
                            None
                        }
                        Step::Wait { seconds } => {
                            now += SignedDuration::from_secs(seconds);
                            None
                        }
                    }
                });
                prop_assert_eq!(answer, expected, "step {} of {:?}", number, steps);
                if let (Step::Claim { who, .. }, Some(Claim::Acquired { attempt })) = (step, answer)
                {
                    claimed[usize::from(*who)] = attempt;
                }
            }
            Ok(())
        })
        .unwrap();
    runtime.block_on(app.stack.stop());
}

/// Many messages with one webhook at once: one of them has it.
#[test]
fn one_of_many_claims_is_acquired() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = TestApp::empty(|template| template).await;
        let config = app.aws(app.stack.dynamodb_endpoint());
        let table = &app.stack.deployment().tables["IdempotencyTable"].name;
        let store = IdempotencyStore::new(&config, table);
        let start = Timestamp::now();
        for attempt in 1..=10_u32 {
            let now = start + SignedDuration::from_secs(i64::from(attempt) * 100);
            let until = now + SignedDuration::from_secs(10);
            // Each round finds the row that a killed function left behind in the one before.
            let claims = (0..16).map(|number| {
                let store = &store;
                async move {
                    let message = format!("message {number}");
                    let claimant = Claimant { message: &message, replay: None };
                    store.claim("one", claimant, Takeover::Allowed, now, until).await.unwrap()
                }
            });
            let claims = futures_util::future::join_all(claims).await;
            let acquired = Claim::Acquired { attempt };
            assert_eq!(claims.iter().filter(|claim| **claim == acquired).count(), 1, "{claims:?}");
            let waits = claims.iter().filter(|claim| matches!(claim, Claim::InProgress(_)));
            assert_eq!(waits.count(), 15, "{claims:?}");
        }
        app.stack.stop().await;
    });
}
