//! The queues of one account in one region, and every operation on them.
//!
//! Time is a parameter everywhere. Whatever must survive a restart is a [`Change`], and takes
//! effect in [`Queues::apply`] alone, whether it happens now or is read from the file.

use std::collections::BTreeMap;
use std::path::Path;

use uuid::Uuid;

use crate::attributes::{NO_FIFO, QueueAttributes};
use crate::change::Change;
use crate::error::Error;
use crate::journal::{Journal, OpenError};
use crate::message::{Delivery, Message, NewMessage, ReceiptHandle, Standing, within};
use crate::move_task::{MoveTask, Status, TaskHandle};
use crate::queue::Queue;
use crate::timestamp::Timestamp;

/// The account that every queue belongs to.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The longest a message can be hidden from other consumers: 12 hours, in seconds.
pub(crate) const MAXIMUM_VISIBILITY_TIMEOUT: u32 = 43_200;

/// The queues, by name.
pub(crate) struct Queues {
    region: String,
    queues: BTreeMap<String, Queue>,
    /// The latest last.
    tasks: Vec<MoveTask>,
    journal: Option<Journal>,
}

/// The result of a receive.
pub(crate) struct Received {
    pub(crate) messages: Vec<Message>,
    /// When a message that is hidden now can be received.
    pub(crate) next_due: Option<Timestamp>,
}

impl Queues {
    /// No queues, and no journal.
    pub(crate) fn in_memory() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            queues: BTreeMap::new(),
            tasks: Vec::new(),
            journal: None,
        }
    }

    /// The queues of a journal.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let mut remembered = Self::in_memory();
        let queues = &mut remembered;
        let journal = Journal::open(path, move |changes| {
            changes.into_iter().for_each(|change| queues.apply(change));
            queues.snapshot()
        })?;
        remembered.journal = Some(journal);
        Ok(remembered)
    }

    /// Changes the region in the ARNs.
    pub(crate) fn set_region(&mut self, region: &str) {
        region.clone_into(&mut self.region);
    }

    /// The ARN of the queue with that name.
    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.region)
    }

    /// The name in an ARN, if it is of a queue that exists.
    pub(crate) fn name_of<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let name = arn.rsplit(':').next()?;
        (self.queues.contains_key(name) && self.arn(name) == arn).then_some(name)
    }

    /// The queue with that name.
    pub(crate) fn queue(&self, name: &str) -> Result<&Queue, Error> {
        self.queues.get(name).ok_or_else(|| Error::QueueDoesNotExist(name.to_owned()))
    }

    /// The queue with that name, with what is due by `now` made visible and what is too old
    /// removed.
    pub(crate) fn settled(&mut self, name: &str, now: Timestamp) -> Result<&Queue, Error> {
        let queue = self.queue_mut(name)?;
        queue.settle(now);
        while let Some(id) = self.queue(name)?.expired(now) {
            self.record(Change::Remove { queue: name.to_owned(), id })?;
        }
        self.queue(name)
    }

    /// The names of all queues, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// The names of the queues whose dead-letter queue has that name, sorted.
    pub(crate) fn dead_letter_sources(&self, name: &str) -> impl Iterator<Item = &str> {
        let arn = self.arn(name);
        self.queues.iter().filter_map(move |(source, queue)| {
            let policy = queue.attributes.redrive_policy()?;
            (policy.dead_letter_target_arn == arn).then_some(source.as_str())
        })
    }

    /// `CreateQueue`.
    pub(crate) fn create(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if name.ends_with(".fifo") {
            return Err(Error::UnsupportedOperation(NO_FIFO));
        }
        if !is_name(name) {
            return Err(Error::parameter(
                "QueueName",
                "use 1 to 80 alphanumeric characters, hyphens and underscores",
            ));
        }
        if let Some(existing) = self.queues.get(name) {
            let mut wanted = existing.attributes.clone();
            for (attribute, value) in attributes {
                wanted.set(attribute, value)?;
                if wanted.get(attribute) != existing.attributes.get(attribute) {
                    return Err(Error::QueueNameExists {
                        queue: name.to_owned(),
                        attribute: attribute.clone(),
                    });
                }
            }
            return Ok(());
        }
        let attributes = self.attributes_with(name, QueueAttributes::default(), attributes)?;
        self.record(Change::Queue {
            name: name.to_owned(),
            created: now,
            modified: now,
            attributes: Box::new(attributes),
            tags,
        })
    }

    /// `SetQueueAttributes`.
    pub(crate) fn set_attributes(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let queue = self.queue(name)?;
        let (created, tags) = (queue.created, queue.tags.clone());
        let attributes = self.attributes_with(name, queue.attributes.clone(), attributes)?;
        self.record(Change::Queue {
            name: name.to_owned(),
            created,
            modified: now,
            attributes: Box::new(attributes),
            tags,
        })
    }

    /// `TagQueue` and `UntagQueue`.
    pub(crate) fn change_tags(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), Error> {
        let queue = self.queue(name)?;
        let mut tags = queue.tags.clone();
        change(&mut tags);
        self.record(Change::Queue {
            name: name.to_owned(),
            created: queue.created,
            modified: queue.modified,
            attributes: Box::new(queue.attributes.clone()),
            tags,
        })
    }

    /// `DeleteQueue`.
    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.queue(name)?;
        self.record(Change::DeleteQueue { name: name.to_owned() })
    }

    /// `PurgeQueue`.
    pub(crate) fn purge(&mut self, name: &str, now: Timestamp) -> Result<(), Error> {
        if self.queue(name)?.purged.is_some_and(|purged| now < purged.plus_seconds(60)) {
            return Err(Error::PurgeQueueInProgress(name.to_owned()));
        }
        self.record(Change::Purge { queue: name.to_owned() })?;
        self.queue_mut(name)?.purged = Some(now);
        Ok(())
    }

    /// `SendMessage`.
    pub(crate) fn send(
        &mut self,
        name: &str,
        message: NewMessage,
        now: Timestamp,
    ) -> Result<&Message, Error> {
        let limits = &self.queue(name)?.attributes;
        let message = message.accept(limits.maximum_message_size(), limits.delay_seconds(), now)?;
        let id = message.id;
        self.record(Change::Put { queue: name.to_owned(), message: Box::new(message) })?;
        Ok(self.queue(name)?.message(id).expect("the message was put just now"))
    }

    /// `ReceiveMessage`, without the waiting.
    ///
    /// A message that was received as often as its queue allows goes to the dead-letter queue
    /// instead.
    pub(crate) fn receive(
        &mut self,
        name: &str,
        most: usize,
        visibility_timeout: Option<u32>,
        now: Timestamp,
    ) -> Result<Received, Error> {
        let queue = self.settled(name, now)?;
        let timeout = visibility_timeout.unwrap_or(queue.attributes.visibility_timeout());
        let mut messages = Vec::new();
        while messages.len() < most {
            let queue = self.queue(name)?;
            let Some(message) = queue.first_visible() else { break };
            if let Some(target) = self.dead_letter_queue(queue, message) {
                self.record(Change::Move {
                    from: name.to_owned(),
                    id: message.id,
                    to: target.to_owned(),
                    message: Box::new(message.dead_lettered(self.arn(name), now)),
                })?;
                continue;
            }
            if queue.in_flight() >= MAXIMUM_IN_FLIGHT {
                break;
            }
            let delivery = Delivery {
                standing: Standing::InFlight { until: now.plus_seconds(timeout) },
                receives: message.delivery.receives + 1,
                receives_here: message.delivery.receives_here + 1,
                first_received_at: message.delivery.first_received_at.or(Some(now)),
                last_received_at: Some(now),
            };
            let message = Message { delivery, ..message.clone() };
            self.record(Change::Deliver { queue: name.to_owned(), id: message.id, delivery })?;
            messages.push(message);
        }
        Ok(Received { messages, next_due: self.queue(name)?.next_due() })
    }

    /// Refuses, as a short poll does, when the queue has all the messages in flight it may have.
    ///
    /// A long poll waits instead: see "Amazon SQS message quotas" in the Developer Guide.
    pub(crate) fn check_in_flight(&self, name: &str) -> Result<(), Error> {
        let in_flight = self.queue(name)?.in_flight();
        if in_flight >= MAXIMUM_IN_FLIGHT { Err(Error::OverLimit(in_flight)) } else { Ok(()) }
    }

    /// `DeleteMessage`.
    ///
    /// A handle from before the latest receive succeeds and deletes nothing: "If you use an old
    /// ReceiptHandle, the request will succeed, but the message might not be deleted". The latest
    /// handle deletes the message even after its visibility timeout.
    pub(crate) fn delete_message(&mut self, name: &str, handle: &str) -> Result<(), Error> {
        let queue = self.queue(name)?;
        let handle = ReceiptHandle::decode(handle, name)?;
        match queue.message(handle.message) {
            Some(message) if message.delivery.receives == handle.receive => {
                self.record(Change::Remove { queue: name.to_owned(), id: handle.message })
            }
            _ => Ok(()),
        }
    }

    /// `ChangeMessageVisibility`.
    ///
    /// Any handle of a message that is in flight will do, as on standard queues of AWS.
    pub(crate) fn change_visibility(
        &mut self,
        name: &str,
        handle: &str,
        timeout: Option<i64>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let queue = self.settled(name, now)?;
        let handle = ReceiptHandle::decode(handle, name)?;
        let timeout = timeout.ok_or(Error::MissingParameter("VisibilityTimeout"))?;
        let timeout = within("VisibilityTimeout", timeout, 0, MAXIMUM_VISIBILITY_TIMEOUT)?;
        let Some(message) = queue.message(handle.message) else {
            return Err(Error::parameter(
                "ReceiptHandle",
                "the message does not exist or is not available for a change of its visibility",
            ));
        };
        let Standing::InFlight { .. } = message.delivery.standing else {
            return Err(Error::MessageNotInflight);
        };
        let until = now.plus_seconds(timeout);
        let received = message.delivery.last_received_at;
        if received.is_some_and(|at| until > at.plus_seconds(MAXIMUM_VISIBILITY_TIMEOUT)) {
            return Err(Error::parameter(
                "VisibilityTimeout",
                "a message can be hidden for 12 hours from its receipt at most",
            ));
        }
        let delivery = Delivery { standing: Standing::InFlight { until }, ..message.delivery };
        self.record(Change::Deliver { queue: name.to_owned(), id: handle.message, delivery })
    }

    /// `StartMessageMoveTask`, up to the first message.
    pub(crate) fn start_move(
        &mut self,
        source_arn: &str,
        destination_arn: Option<String>,
        messages_per_second: Option<u32>,
        now: Timestamp,
    ) -> Result<&MoveTask, Error> {
        let source = self.name_of(source_arn).ok_or(NO_SOURCE)?;
        if self.dead_letter_sources(source).next().is_none() {
            return Err(Error::parameter(
                "SourceArn",
                "the source queue must be the dead-letter queue of another queue",
            ));
        }
        if let Some(destination) = &destination_arn {
            self.name_of(destination).ok_or(Error::ResourceNotFound(
                "the queue that DestinationArn names does not exist",
            ))?;
            if destination == source_arn {
                return Err(Error::parameter("DestinationArn", "it must not be the source"));
            }
        }
        if self.move_tasks(source_arn).any(|task| task.status == Status::Running) {
            return Err(Error::parameter(
                "SourceArn",
                "a task is already moving messages from this queue; wait for it or cancel it",
            ));
        }
        let to_move = self.settled(source, now)?.visible();
        self.tasks.push(MoveTask {
            id: Uuid::new_v4(),
            source_arn: source_arn.to_owned(),
            destination_arn,
            messages_per_second,
            started: now,
            moved: 0,
            to_move,
            status: Status::Running,
        });
        Ok(self.tasks.last().expect("a task was pushed just now"))
    }

    /// The move tasks from that queue, the latest first.
    pub(crate) fn move_tasks(&self, source_arn: &str) -> impl Iterator<Item = &MoveTask> {
        self.tasks.iter().rev().filter(move |task| task.source_arn == source_arn)
    }

    /// Moves the next message of a task; whether more are to follow.
    pub(crate) fn move_next(&mut self, task: Uuid, now: Timestamp) -> bool {
        let Some(index) = self.tasks.iter().position(|known| known.id == task) else {
            return false;
        };
        if self.tasks[index].status != Status::Running {
            return false;
        }
        let outcome = self.move_one(index, now);
        let task = &mut self.tasks[index];
        match outcome {
            Ok(true) => task.moved += 1,
            Ok(false) => task.status = Status::Completed,
            Err(reason) => task.status = Status::Failed(reason),
        }
        task.status == Status::Running
    }

    /// `CancelMessageMoveTask`: how many messages were moved until then.
    pub(crate) fn cancel_move(&mut self, handle: &str) -> Result<usize, Error> {
        let handle = TaskHandle::decode(handle)?;
        self.name_of(&handle.source_arn).ok_or(NO_SOURCE)?;
        let task = self.tasks.iter_mut().find(|task| task.id == handle.task_id);
        let task = task.ok_or(Error::ResourceNotFound("the task does not exist"))?;
        if task.status != Status::Running {
            return Err(Error::UnsupportedOperation(
                "only a running task can be cancelled; this one has ended",
            ));
        }
        task.status = Status::Cancelled;
        Ok(task.moved)
    }

    fn queue_mut(&mut self, name: &str) -> Result<&mut Queue, Error> {
        self.queues.get_mut(name).ok_or_else(|| Error::QueueDoesNotExist(name.to_owned()))
    }

    /// The attributes of the queue called `name` with some of them replaced, if they may be.
    fn attributes_with(
        &self,
        name: &str,
        mut attributes: QueueAttributes,
        replaced: &BTreeMap<String, String>,
    ) -> Result<QueueAttributes, Error> {
        for (attribute, value) in replaced {
            attributes.set(attribute, value)?;
        }
        if let Some(policy) = attributes.redrive_policy()
            && replaced.contains_key("RedrivePolicy")
        {
            let refused = |reason: &str| Err(Error::parameter("RedrivePolicy", reason));
            let arn = self.arn(name);
            if policy.dead_letter_target_arn == arn {
                return refused("a queue cannot be its own dead-letter queue");
            }
            let Some(target) = self.name_of(&policy.dead_letter_target_arn) else {
                return refused("the dead-letter queue does not exist; create it first");
            };
            if !self.queue(target)?.attributes.allows_redrive_from(&arn) {
                return refused(
                    "the RedriveAllowPolicy of the dead-letter queue does not allow it",
                );
            }
        }
        Ok(attributes)
    }

    /// The name of the queue that the message must go to instead of to a consumer.
    fn dead_letter_queue<'a>(&self, queue: &'a Queue, message: &Message) -> Option<&'a str> {
        let policy = queue.attributes.redrive_policy()?;
        let spent = message.delivery.receives_here >= policy.max_receive_count;
        if spent { self.name_of(&policy.dead_letter_target_arn) } else { None }
    }

    /// Moves one message of a task, if there is one left; or the reason why that failed.
    fn move_one(&mut self, index: usize, now: Timestamp) -> Result<bool, &'static str> {
        const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
        let task = &self.tasks[index];
        let destination = task.destination_arn.clone();
        if task.moved >= task.to_move {
            return Ok(false);
        }
        let source_arn = task.source_arn.clone();
        let source = self.name_of(&source_arn).ok_or(NO_QUEUE)?;
        self.settled(source, now).map_err(|_| "InternalFailure")?;
        let Some(message) = self.queues[source].first_visible() else { return Ok(false) };
        let destination = destination
            .or_else(|| message.dead_letter_source.clone())
            .ok_or("CouldNotDetermineMessageSource")?;
        let to = self.name_of(&destination).ok_or(NO_QUEUE)?;
        self.record(Change::Move {
            from: source.to_owned(),
            id: message.id,
            to: to.to_owned(),
            message: Box::new(message.redriven(now)),
        })
        .map_err(|_| "InternalFailure")?;
        Ok(true)
    }

    /// Appends a change to the journal, and then applies it.
    fn record(&mut self, change: Change) -> Result<(), Error> {
        if let Some(journal) = &mut self.journal {
            journal.append(&change).map_err(Error::Journal)?;
        }
        self.apply(change);
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Queue { name, created, modified, attributes, tags } => {
                let queue = self.queues.entry(name).or_insert_with(|| Queue::new(created));
                queue.modified = modified;
                queue.attributes = *attributes;
                queue.tags = tags;
            }
            Change::DeleteQueue { name } => {
                self.queues.remove(&name);
            }
            Change::Purge { queue } => self.on(&queue, Queue::purge),
            Change::Put { queue, message } => self.on(&queue, |queue| queue.put(*message)),
            Change::Deliver { queue, id, delivery } => {
                self.on(&queue, |queue| queue.deliver(id, delivery));
            }
            Change::Remove { queue, id } => self.on(&queue, |queue| queue.remove(id)),
            Change::Move { from, id, to, message } => {
                self.on(&from, |queue| queue.remove(id));
                self.on(&to, |queue| queue.put(*message));
            }
        }
    }

    fn on(&mut self, name: &str, change: impl FnOnce(&mut Queue)) {
        if let Some(queue) = self.queues.get_mut(name) {
            change(queue);
        }
    }

    /// The minimal changes that result in the current state.
    fn snapshot(&self) -> impl Iterator<Item = Change> {
        self.queues.iter().flat_map(|(name, queue)| {
            let settings = Change::Queue {
                name: name.clone(),
                created: queue.created,
                modified: queue.modified,
                attributes: Box::new(queue.attributes.clone()),
                tags: queue.tags.clone(),
            };
            let messages = queue.messages().map(|message| Change::Put {
                queue: name.clone(),
                message: Box::new(message.clone()),
            });
            std::iter::once(settings).chain(messages)
        })
    }
}

/// The maximum number of messages in flight of a queue.
const MAXIMUM_IN_FLIGHT: usize = 120_000;

const NO_SOURCE: Error = Error::ResourceNotFound("the queue that SourceArn names does not exist");

fn is_name(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    const HOUR: u32 = 3600;

    fn message(body: &str) -> NewMessage {
        serde_json::from_value(json!({ "MessageBody": body })).unwrap()
    }

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    struct Clock(Timestamp);

    impl Clock {
        fn after(&self, seconds: u32) -> Timestamp {
            self.0.plus_seconds(seconds)
        }
    }

    fn queue(given: &[(&str, &str)]) -> (Queues, Clock) {
        let (mut queues, clock) = (Queues::in_memory(), Clock(Timestamp::now()));
        queues.create("dead", &BTreeMap::new(), BTreeMap::new(), clock.0).unwrap();
        queues.create("q", &attributes(given), BTreeMap::new(), clock.0).unwrap();
        (queues, clock)
    }

    /// Makes the second receive from a queue move the message to another.
    fn redrive(queues: &mut Queues, from: &str, to: &str, now: Timestamp) {
        let arn = queues.arn(to);
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
        queues.set_attributes(from, &attributes(&[("RedrivePolicy", &policy)]), now).unwrap();
    }

    /// The bodies received, which stay hidden for that many seconds, and a handle for each.
    fn receive(
        queues: &mut Queues,
        name: &str,
        hide: u32,
        now: Timestamp,
    ) -> Vec<(String, String)> {
        let received = queues.receive(name, 10, Some(hide), now).unwrap();
        let handle = |message: &Message| {
            let receive = message.delivery.receives;
            ReceiptHandle { message: message.id, receive }.encode(name)
        };
        received.messages.into_iter().map(|m| (handle(&m), m.body)).map(|(h, b)| (b, h)).collect()
    }

    fn bodies(received: &[(String, String)]) -> Vec<&str> {
        received.iter().map(|(body, _)| body.as_str()).collect()
    }

    fn counts(queues: &mut Queues, name: &str, now: Timestamp) -> (usize, usize, usize) {
        let queue = queues.settled(name, now).unwrap();
        (queue.visible(), queue.in_flight(), queue.delayed())
    }

    #[test]
    fn a_message_is_dropped_when_its_retention_period_ends() {
        let (mut queues, clock) = queue(&[("MessageRetentionPeriod", "60")]);
        queues.send("q", message("visible"), clock.0).unwrap();
        queues.send("q", message("held"), clock.0).unwrap();
        let held = queues.receive("q", 1, Some(HOUR), clock.0).unwrap().messages.remove(0);
        queues.send("q", message("younger"), clock.after(1)).unwrap();
        assert_eq!(counts(&mut queues, "q", clock.after(59)), (2, 1, 0));
        assert_eq!(counts(&mut queues, "q", clock.after(60)), (1, 0, 0));
        assert!(queues.queue("q").unwrap().message(held.id).is_none());
        assert_eq!(bodies(&receive(&mut queues, "q", 0, clock.after(60))), ["younger"]);
        assert!(receive(&mut queues, "q", 0, clock.after(61)).is_empty());
    }

    #[test]
    fn a_shorter_retention_period_applies_to_messages_that_are_there() {
        let (mut queues, clock) = queue(&[]);
        queues.send("q", message("x"), clock.0).unwrap();
        let shorter = attributes(&[("MessageRetentionPeriod", "60")]);
        queues.set_attributes("q", &shorter, clock.after(70)).unwrap();
        assert_eq!(counts(&mut queues, "q", clock.after(70)), (0, 0, 0));
    }

    /// "The expiration of a message is always based on its original enqueue timestamp": the
    /// Developer Guide on dead-letter queue retention.
    #[test]
    fn a_dead_letter_keeps_its_age() {
        let (mut queues, clock) = queue(&[]);
        redrive(&mut queues, "q", "dead", clock.0);
        let retention = attributes(&[("MessageRetentionPeriod", "3600")]);
        queues.set_attributes("dead", &retention, clock.0).unwrap();
        queues.send("q", message("x"), clock.0).unwrap();
        receive(&mut queues, "q", 0, clock.0);
        assert!(receive(&mut queues, "q", 0, clock.after(HOUR - 1)).is_empty());
        assert_eq!(counts(&mut queues, "dead", clock.after(HOUR - 1)), (1, 0, 0));
        assert_eq!(counts(&mut queues, "dead", clock.after(HOUR)), (0, 0, 0));
    }

    #[test]
    fn a_message_is_held_for_12_hours_from_its_receipt_at_most() {
        let (mut queues, clock) = queue(&[]);
        queues.send("q", message("x"), clock.0).unwrap();
        let (_, handle) = receive(&mut queues, "q", HOUR, clock.0).remove(0);
        let mut change = |seconds: u32, at: u32| {
            queues.change_visibility("q", &handle, Some(seconds.into()), clock.after(at))
        };
        change(12 * HOUR, 0).unwrap();
        assert!(matches!(
            change(11 * HOUR + 1, HOUR),
            Err(Error::InvalidParameterValue { parameter: "VisibilityTimeout", .. })
        ));
        change(11 * HOUR, HOUR).unwrap();
        assert_eq!(counts(&mut queues, "q", clock.after(12 * HOUR - 1)), (0, 1, 0));
        assert_eq!(counts(&mut queues, "q", clock.after(12 * HOUR)), (1, 0, 0));
    }

    #[test]
    fn an_older_receipt_handle_changes_the_visibility_of_a_message_in_flight() {
        let (mut queues, clock) = queue(&[]);
        queues.send("q", message("x"), clock.0).unwrap();
        let (_, old) = receive(&mut queues, "q", 0, clock.0).remove(0);
        receive(&mut queues, "q", HOUR, clock.0);
        queues.change_visibility("q", &old, Some(0), clock.0).unwrap();
        assert_eq!(counts(&mut queues, "q", clock.0), (1, 0, 0));
    }

    #[test]
    fn a_message_that_is_retried_does_not_hold_up_the_others() {
        let (mut queues, clock) = queue(&[]);
        for body in ["failing", "a", "b"] {
            queues.send("q", message(body), clock.0).unwrap();
        }
        let mut seen = Vec::new();
        for second in 1..4 {
            let received = queues.receive("q", 1, Some(0), clock.after(second)).unwrap();
            seen.extend(received.messages.into_iter().map(|message| message.body));
        }
        assert_eq!(seen, ["failing", "a", "b"]);
    }

    #[test]
    fn messages_usually_come_in_the_order_they_were_sent() {
        let (mut queues, clock) = queue(&[]);
        let sent: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        for body in &sent {
            queues.send("q", message(body), clock.0).unwrap();
        }
        assert_eq!(bodies(&receive(&mut queues, "q", 1, clock.0)), sent);
    }

    #[test]
    fn each_queue_counts_its_own_receives() {
        let (mut queues, clock) = queue(&[]);
        queues.create("last", &BTreeMap::new(), BTreeMap::new(), clock.0).unwrap();
        redrive(&mut queues, "q", "dead", clock.0);
        redrive(&mut queues, "dead", "last", clock.0);
        queues.send("q", message("x"), clock.0).unwrap();
        assert_eq!(receive(&mut queues, "q", 0, clock.0).len(), 1);
        assert!(receive(&mut queues, "q", 0, clock.0).is_empty());
        assert_eq!(receive(&mut queues, "dead", 0, clock.0).len(), 1);
        assert!(receive(&mut queues, "dead", 0, clock.0).is_empty());
        let received = queues.receive("last", 1, None, clock.0).unwrap().messages.remove(0);
        assert_eq!(received.delivery.receives, 3);
        assert_eq!(received.dead_letter_source, Some(queues.arn("dead")));
    }

    #[test]
    fn a_queue_without_its_dead_letter_queue_keeps_its_messages() {
        let (mut queues, clock) = queue(&[]);
        redrive(&mut queues, "q", "dead", clock.0);
        queues.delete("dead").unwrap();
        queues.send("q", message("x"), clock.0).unwrap();
        for _ in 0..3 {
            assert_eq!(receive(&mut queues, "q", 0, clock.0).len(), 1);
        }
    }

    #[test]
    fn a_queue_is_not_its_own_dead_letter_queue() {
        let (mut queues, clock) = queue(&[]);
        let policy =
            format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":1}}"#, queues.arn("q"));
        let own = attributes(&[("RedrivePolicy", &policy)]);
        assert!(queues.set_attributes("q", &own, clock.0).is_err());
    }

    #[test]
    fn a_queue_can_be_purged_again_after_60_seconds() {
        let (mut queues, clock) = queue(&[]);
        queues.purge("q", clock.0).unwrap();
        assert!(matches!(queues.purge("q", clock.after(59)), Err(Error::PurgeQueueInProgress(_))));
        queues.purge("q", clock.after(60)).unwrap();
    }

    #[test]
    fn fifo_queues_are_refused() {
        let (mut queues, clock) = queue(&[]);
        let mut create = |name: &str, given: &[(&str, &str)]| {
            queues.create(name, &attributes(given), BTreeMap::new(), clock.0)
        };
        for refused in [
            create("new.fifo", &[("FifoQueue", "true")]),
            create("new.fifo", &[]),
            create("new", &[("ContentBasedDeduplication", "true")]),
        ] {
            assert!(matches!(refused, Err(Error::UnsupportedOperation(NO_FIFO))), "{refused:?}");
        }
        assert!(queues.queue("new").is_err());
    }

    /// Were a step to slow down with the length of the queue, this would not end.
    #[test]
    fn consumers_hold_120_000_messages_at_most() {
        const MOST: usize = 120_000;
        let (mut queues, clock) = queue(&[]);
        for _ in 0..=MOST {
            queues.send("q", message("x"), clock.0).unwrap();
        }
        let mut handles = Vec::new();
        for _ in 0..MOST / 10 {
            queues.check_in_flight("q").unwrap();
            handles.extend(receive(&mut queues, "q", HOUR, clock.0));
        }
        assert_eq!(counts(&mut queues, "q", clock.0), (1, MOST, 0));
        assert!(receive(&mut queues, "q", HOUR, clock.0).is_empty());
        assert!(matches!(queues.check_in_flight("q"), Err(Error::OverLimit(MOST))));

        let (_, handle) = handles.pop().unwrap();
        queues.delete_message("q", &handle).unwrap();
        queues.check_in_flight("q").unwrap();
        handles.extend(receive(&mut queues, "q", HOUR, clock.0));
        for (_, handle) in handles {
            queues.delete_message("q", &handle).unwrap();
        }
        assert_eq!(counts(&mut queues, "q", clock.0), (0, 0, 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_change_that_cannot_be_written_is_not_made() {
        let (mut queues, clock) = queue(&[]);
        queues.send("q", message("x"), clock.0).unwrap();
        let full = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
        queues.journal = Some(Journal::appending_to(full));
        assert!(matches!(queues.send("q", message("y"), clock.0), Err(Error::Journal(_))));
        assert!(matches!(queues.receive("q", 1, None, clock.0), Err(Error::Journal(_))));
        assert!(matches!(queues.delete("q"), Err(Error::Journal(_))));
        assert_eq!(counts(&mut queues, "q", clock.0), (1, 0, 0));
    }
}
