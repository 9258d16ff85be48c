//! The table of what was handled, against a model of it: any order of messages, crashes and clocks.

use handlers::{Begun, Handled};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use crate::stage::Stage;

/// What one of three messages with the same webhook does. A crash is a message that does no more.
#[derive(Clone, Debug)]
enum Step {
    Begin { message: u8, seconds: i64 },
    Claim { message: u8 },
    Complete { message: u8 },
    Release { message: u8 },
    Wait { seconds: i64 },
}

#[derive(Clone, Copy, Debug)]
struct Row {
    message: u8,
    locked_until: Option<Timestamp>,
    expires: Timestamp,
}

fn step() -> impl Strategy<Value = Step> {
    let message = || 0_u8..3;
    prop_oneof![
        4 => (message(), 1_i64..40).prop_map(|(message, seconds)| Step::Begin { message, seconds }),
        1 => message().prop_map(|message| Step::Claim { message }),
        2 => message().prop_map(|message| Step::Complete { message }),
        2 => message().prop_map(|message| Step::Release { message }),
        2 => prop_oneof![1_i64..60, Just(15 * 24 * 60 * 60)]
            .prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What the table should answer, and becomes.
fn model(row: &mut Option<Row>, step: &Step, now: Timestamp) -> Option<Begun> {
    let window = SignedDuration::try_from(Handled::WINDOW).unwrap();
    let current = row.filter(|row| row.expires.as_second() > now.as_second());
    let (message, locked_until) = match *step {
        Step::Begin { message, seconds } => {
            (message, Some(now + SignedDuration::from_secs(seconds)))
        }
        Step::Claim { message } => (message, None),
        Step::Complete { message } => {
            if let Some(row) = row.as_mut().filter(|row| row.message == message) {
                *row = Row { locked_until: None, expires: now + window, ..*row };
            }
            return None;
        }
        Step::Release { message } => {
            *row = row.filter(|row| row.message != message);
            return None;
        }
        Step::Wait { .. } => return None,
    };
    let taken = current.filter(|row| match (locked_until, row.locked_until) {
        (None, _) => row.message != message,
        (Some(_), Some(until)) => until >= now,
        (Some(_), None) => true,
    });
    match taken {
        Some(Row { locked_until: Some(until), .. }) => Some(Begun::Elsewhere(until)),
        Some(Row { locked_until: None, .. }) => Some(Begun::Done),
        None => {
            *row = Some(Row { message, locked_until, expires: now + window });
            Some(Begun::Now)
        }
    }
}

#[test]
fn the_table_does_what_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::empty(|template| template));
    let config = stage.aws(stage.stack.dynamodb_endpoint());
    let table = &stage.stack.deployment().tables["HandledTable"].name;
    let handled = Handled::new(&config, table);

    let steps = prop::collection::vec(step(), 1..25);
    TestRunner::new(ProptestConfig::with_cases(96))
        .run(&steps, |steps| {
            let key = Uuid::new_v4().to_string();
            let start = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
            let (mut row, mut now) = (None, start);
            for (number, step) in steps.iter().enumerate() {
                let name = |message: &u8| format!("message-{message}");
                let expected = model(&mut row, step, now);
                let answer = runtime.block_on(async {
                    match step {
                        Step::Begin { message, seconds } => {
                            let until = now + SignedDuration::from_secs(*seconds);
                            Some(handled.begin(&key, &name(message), now, until).await.unwrap())
                        }
                        Step::Claim { message } => {
                            Some(handled.claim(&key, &name(message), now).await.unwrap())
                        }
                        Step::Complete { message } => {
                            handled.complete(&key, &name(message), now).await.unwrap();
                            None
                        }
                        Step::Release { message } => {
                            handled.release(&key, &name(message)).await.unwrap();
                            None
                        }
                        Step::Wait { seconds } => {
                            now += SignedDuration::from_secs(*seconds);
                            None
                        }
                    }
                });
                prop_assert_eq!(answer, expected, "step {} of {:?}", number, steps);
            }
            Ok(())
        })
        .unwrap();
    runtime.block_on(stage.stack.stop());
}
