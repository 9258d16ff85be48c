//! A queue: its messages, and which of them can be received.
//!
//! Every step costs at most the logarithm of the number of messages, so that a long queue stays
//! fast.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::attributes::QueueAttributes;
use crate::message::{Delivery, Message, Standing};
use crate::timestamp::Timestamp;

/// A standard queue.
pub(crate) struct Queue {
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) attributes: QueueAttributes,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) purged: Option<Timestamp>,
    messages: HashMap<Uuid, Message>,
    /// By the moment they became visible, so that a message that is retried does not hold up
    /// others.
    visible: BTreeSet<(Timestamp, Uuid)>,
    /// By the moment they become visible, as are those in flight.
    delayed: BTreeSet<(Timestamp, Uuid)>,
    in_flight: BTreeSet<(Timestamp, Uuid)>,
    by_age: BTreeSet<(Timestamp, Uuid)>,
    changes: Arc<Notify>,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(created: Timestamp) -> Self {
        Self {
            created,
            modified: created,
            attributes: QueueAttributes::default(),
            tags: BTreeMap::new(),
            purged: None,
            messages: HashMap::new(),
            visible: BTreeSet::new(),
            delayed: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            by_age: BTreeSet::new(),
            changes: Arc::default(),
        }
    }

    /// Adds a message.
    pub(crate) fn put(&mut self, message: Message) {
        self.by_age.insert((message.sent_at, message.id));
        self.enlist(message.id, message.delivery.standing);
        self.messages.insert(message.id, message);
        self.changes.notify_waiters();
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, id: Uuid) {
        if let Some(message) = self.messages.remove(&id) {
            self.by_age.remove(&(message.sent_at, id));
            self.delist(id, message.delivery.standing);
        }
    }

    /// Replaces the delivery state of a message.
    pub(crate) fn deliver(&mut self, id: Uuid, delivery: Delivery) {
        if let Some(message) = self.messages.get_mut(&id) {
            let before = std::mem::replace(&mut message.delivery, delivery).standing;
            self.delist(id, before);
            self.enlist(id, delivery.standing);
            self.changes.notify_waiters();
        }
    }

    /// Takes all messages out.
    pub(crate) fn purge(&mut self) {
        self.messages.clear();
        self.visible.clear();
        self.delayed.clear();
        self.in_flight.clear();
        self.by_age.clear();
    }

    /// Makes visible what is due by `now`.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        for hidden in [&mut self.delayed, &mut self.in_flight] {
            while let Some((due, id)) = hidden.first().copied().filter(|(due, _)| *due <= now) {
                hidden.pop_first();
                self.visible.insert((due, id));
                if let Some(message) = self.messages.get_mut(&id) {
                    message.delivery.standing = Standing::Visible { since: due };
                }
            }
        }
    }

    /// A message that is older than the queue retains messages, if there is one.
    pub(crate) fn expired(&self, now: Timestamp) -> Option<Uuid> {
        let retention = self.attributes.message_retention_period();
        let (sent_at, id) = self.by_age.first()?;
        (sent_at.plus_seconds(retention) <= now).then_some(*id)
    }

    /// The message that has been visible for longest.
    pub(crate) fn first_visible(&self) -> Option<&Message> {
        self.visible.first().and_then(|(_, id)| self.messages.get(id))
    }

    /// When the next hidden message becomes visible.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let due = [self.delayed.first(), self.in_flight.first()];
        due.into_iter().flatten().map(|(due, _)| *due).min()
    }

    /// The message with that id.
    pub(crate) fn message(&self, id: Uuid) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// All messages, in no particular order.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// How many messages can be received: `ApproximateNumberOfMessages`.
    pub(crate) fn visible(&self) -> usize {
        self.visible.len()
    }

    /// How many messages were sent with a delay that lasts: `ApproximateNumberOfMessagesDelayed`.
    pub(crate) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// The number of messages in flight: `ApproximateNumberOfMessagesNotVisible`.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Notified when a message arrives, or when the time at which one becomes visible changes.
    pub(crate) fn changes(&self) -> Arc<Notify> {
        Arc::clone(&self.changes)
    }

    fn enlist(&mut self, id: Uuid, standing: Standing) {
        let (list, moment) = self.list(standing);
        list.insert((moment, id));
    }

    fn delist(&mut self, id: Uuid, standing: Standing) {
        let (list, moment) = self.list(standing);
        list.remove(&(moment, id));
    }

    fn list(&mut self, standing: Standing) -> (&mut BTreeSet<(Timestamp, Uuid)>, Timestamp) {
        match standing {
            Standing::Visible { since } => (&mut self.visible, since),
            Standing::Delayed { until } => (&mut self.delayed, until),
            Standing::InFlight { until } => (&mut self.in_flight, until),
        }
    }
}

impl Drop for Queue {
    /// Notifies consumers that wait on a deleted queue.
    fn drop(&mut self) {
        self.changes.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::NewMessage;

    #[test]
    fn nothing_is_left_of_a_message_that_is_removed() {
        let now = Timestamp::now();
        let mut queue = Queue::new(now);
        let standings = [
            Standing::Visible { since: now },
            Standing::Delayed { until: now.plus_seconds(1) },
            Standing::InFlight { until: now.plus_seconds(1) },
        ];
        for standing in standings {
            let message: NewMessage = serde_json::from_value(json!({"MessageBody": "x"})).unwrap();
            let message = message.accept(1, 0, now).unwrap();
            let (id, delivery) = (message.id, message.delivery);
            queue.put(message);
            queue.deliver(id, Delivery { standing, ..delivery });
            assert_eq!(queue.visible() + queue.delayed() + queue.in_flight(), 1);
            queue.remove(id);
            assert_eq!(queue.visible() + queue.delayed() + queue.in_flight(), 0);
            assert_eq!(queue.next_due(), None);
            assert_eq!(queue.expired(now.plus_seconds(u32::MAX)), None);
            assert!(queue.message(id).is_none());
        }
    }
}
