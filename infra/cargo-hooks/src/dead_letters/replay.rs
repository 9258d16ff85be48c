//! Replay of dead letters to the queues of their handlers.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use contract::message_attribute::{ATTEMPTS, ORIGIN, REASON, RECEIVES, REPLAY, SENT};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use super::letter::sent;
use super::{DeadLetter, Filter, Pair, Queues};

/// The options of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Which letters are replayed.
    pub filter: Filter,
    /// The maximum number per second. Unlimited if `None`.
    pub rate: Option<u32>,
    /// Whether to count the letters instead of moving them.
    pub dry_run: bool,
}

/// The result of a replay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moved {
    /// How many letters were moved, or would be.
    pub moved: u64,
    /// How many letters were left in their dead-letter queues.
    pub left: u64,
    /// Whether some letters were not seen, because those that were left became visible again
    /// before.
    pub unfinished: bool,
}

/// Moves dead letters back to their handlers' queues.
///
/// A letter is deleted only after its handler's queue has it. A replay that is killed leaves at
/// most one letter in both queues, and the idempotency table absorbs it. Letters that arrive during
/// the replay are left. Letters that are left stay hidden until the end and are counted once, even
/// if that takes longer than [`Queues::VISIBILITY_TIMEOUT`] and they become visible again.
///
/// # Errors
///
/// Fails if a queue does not answer. Dead letters that were moved stay moved; run it again for the
/// rest.
pub async fn replay(queues: &Queues, replay: &Replay) -> anyhow::Result<Moved> {
    let mut total = 0;
    for pair in queues.pairs() {
        total += queues.count(&pair.dead_letters).await?;
    }
    let style = "{spinner} {pos}/{len} dead letters read  {wide_bar}  {per_sec}  {elapsed}";
    // Only on a terminal.
    let bar = ProgressBar::new(total).with_style(ProgressStyle::with_template(style)?);
    let mut pace = replay.rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let (start, mut sum) = (Timestamp::now(), Moved::default());
    for pair in queues.pairs() {
        // By their ids, as they were received last.
        let mut kept: HashMap<String, Message> = HashMap::new();
        let mut seen = HashSet::new();
        let mut known_in_a_row = 0;
        let outcome = async {
            loop {
                let messages = queues.receive(&pair.dead_letters).await?;
                if messages.is_empty() {
                    return anyhow::Ok(());
                }
                for message in messages {
                    let id = message.message_id.clone().unwrap_or_default();
                    if !seen.insert(id.clone()) {
                        known_in_a_row += 1;
                        if let Some(known) = kept.get_mut(&id) {
                            *known = message;
                        } else {
                            delete(queues, pair, &message).await?;
                        }
                        continue;
                    }
                    known_in_a_row = 0;
                    bar.inc(1);
                    let is_old = sent(&message).is_none_or(|sent| sent <= start);
                    let is_meant = replay.filter.takes(&DeadLetter::of(&message, &pair.handler));
                    let moves = is_old && is_meant;
                    sum.moved += u64::from(moves);
                    sum.left += u64::from(!moves);
                    if !moves || replay.dry_run {
                        kept.insert(id, message);
                        continue;
                    }
                    if let Some(pace) = &mut pace {
                        pace.tick().await;
                    }
                    let moved = put_back(queues, pair, &message).await;
                    if moved.is_err() {
                        sum.moved -= 1;
                        kept.insert(id, message);
                    }
                    moved?;
                }
                // Only letters that were left came back: either there are no others, or the others
                // wait behind them.
                if known_in_a_row > kept.len() {
                    sum.unfinished |= queues.count(&pair.dead_letters).await? > 0;
                    return Ok(());
                }
            }
        };
        let outcome = outcome.await;
        let kept: Vec<Message> = kept.into_values().collect();
        queues.release(&pair.dead_letters, &kept).await;
        outcome.with_context(|| {
            format!("{} dead letters were moved; run it again for the rest", sum.moved)
        })?;
    }
    bar.finish_and_clear();
    Ok(sum)
}

async fn put_back(queues: &Queues, pair: &Pair, message: &Message) -> anyhow::Result<()> {
    let group = message.attributes.as_ref();
    let group = group.and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    queues
        .client()
        .send_message()
        .queue_url(&pair.queue)
        .set_message_body(message.body.clone())
        .set_message_group_id(group.cloned())
        .set_message_attributes(Some(attributes(message)?))
        .send()
        .await
        .with_context(|| format!("a dead letter could not be sent to {}", pair.queue))?;
    delete(queues, pair, message).await
}

/// The attributes of the message that replaces a letter.
fn attributes(letter: &Message) -> anyhow::Result<HashMap<String, MessageAttributeValue>> {
    let mut attributes = letter.message_attributes.clone().unwrap_or_default();
    for name in [REASON, RECEIVES, ATTEMPTS, SENT] {
        attributes.remove(name);
    }
    if let Some(id) = &letter.message_id {
        let id = MessageAttributeValue::builder().data_type("String").string_value(id).build()?;
        // The dead letter names this replay: it passes what was claimed before it, and counts its
        // attempts anew.
        attributes.insert(REPLAY.into(), id.clone());
        // A delivery is still the same one as another message.
        attributes.entry(ORIGIN.into()).or_insert(id);
    }
    Ok(attributes)
}

/// Deletes a letter that its handler's queue has.
async fn delete(queues: &Queues, pair: &Pair, letter: &Message) -> anyhow::Result<()> {
    queues
        .client()
        .delete_message()
        .queue_url(&pair.dead_letters)
        .set_receipt_handle(letter.receipt_handle.clone())
        .send()
        .await
        .with_context(|| {
            format!("a dead letter was moved, but not deleted from {}", pair.dead_letters)
        })?;
    Ok(())
}
