//! Dead letters back to the queue that they came from.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use connect::delivery::{ATTEMPTS, ORIGIN, REASON, RECEIVES, REPLAY, SENT};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use super::letter::sent;
use super::{Filter, Letter, Pair, Queues};

/// How letters are replayed.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Which of them.
    pub filter: Filter,
    /// How many a second at most; as fast as it goes if there is none.
    pub rate: Option<u32>,
    /// Whether to say only what would be moved.
    pub dry_run: bool,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moved {
    /// So many letters are in their handlers' queues again, or would be.
    pub moved: u64,
    /// So many are where they were.
    pub left: u64,
}

/// Moves dead letters back to their handlers' queues.
///
/// A letter is deleted only when the queue has it: a replay that is killed leaves at most one in both
/// places, and the table of what was handled absorbs it. Letters that die again meanwhile are left.
///
/// # Errors
///
/// When a queue does not answer. What was moved stays moved; run it again for the rest.
pub async fn replay(queues: &Queues, replay: &Replay) -> anyhow::Result<Moved> {
    let mut total = 0;
    for pair in queues.pairs() {
        total += queues.count(&pair.dead_letters).await?;
    }
    let style = "{spinner} {pos}/{len} letters looked at  {wide_bar}  {per_sec}  {elapsed}";
    // On a terminal alone.
    let bar = ProgressBar::new(total).with_style(ProgressStyle::with_template(style)?);
    let mut pace = replay.rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let (start, mut sum) = (Timestamp::now(), Moved::default());
    for pair in queues.pairs() {
        let mut kept = Vec::new();
        let outcome = async {
            loop {
                let messages = queues.receive(&pair.dead_letters).await?;
                if messages.is_empty() {
                    return anyhow::Ok(());
                }
                for message in messages {
                    bar.inc(1);
                    let is_old = sent(&message).is_none_or(|sent| sent <= start);
                    let is_meant = replay.filter.takes(&Letter::of(&message, &pair.handler));
                    let moves = is_old && is_meant;
                    sum.moved += u64::from(moves);
                    sum.left += u64::from(!moves);
                    if !moves || replay.dry_run {
                        kept.push(message);
                        continue;
                    }
                    if let Some(pace) = &mut pace {
                        pace.tick().await;
                    }
                    let moved = put_back(queues, pair, &message).await;
                    if moved.is_err() {
                        sum.moved -= 1;
                        kept.push(message);
                    }
                    moved?;
                }
            }
        };
        let outcome = outcome.await;
        queues.release(&pair.dead_letters, &kept).await;
        outcome.with_context(|| {
            format!("{} letters were moved; run it again for the rest", sum.moved)
        })?;
    }
    bar.finish_and_clear();
    Ok(sum)
}

async fn put_back(queues: &Queues, pair: &Pair, message: &Message) -> anyhow::Result<()> {
    let group = message.attributes.as_ref();
    let group = group.and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    let mut attributes = message.message_attributes.clone().unwrap_or_default();
    for name in [REASON, RECEIVES, ATTEMPTS, SENT] {
        attributes.remove(name);
    }
    if let Some(id) = &message.message_id {
        let id = MessageAttributeValue::builder().data_type("String").string_value(id).build()?;
        // The dead letter names this replay: it passes what was claimed before it, and counts its
        // attempts anew.
        attributes.insert(REPLAY.into(), id.clone());
        // A delivery is still the same one as another message.
        attributes.entry(ORIGIN.into()).or_insert(id);
    }
    queues
        .client()
        .send_message()
        .queue_url(&pair.queue)
        .set_message_body(message.body.clone())
        .set_message_group_id(group.cloned())
        .set_message_attributes(Some(attributes))
        .send()
        .await
        .with_context(|| format!("{} did not take a letter", pair.queue))?;
    queues
        .client()
        .delete_message()
        .queue_url(&pair.dead_letters)
        .set_receipt_handle(message.receipt_handle.clone())
        .send()
        .await
        .with_context(|| format!("a letter is in {} as well", pair.dead_letters))?;
    Ok(())
}
