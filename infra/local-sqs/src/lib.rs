//! An Amazon SQS server for local runs and tests: standard queues in the process that starts it.
//!
//! [`serve`] answers the AWS JSON 1.0 protocol, so that AWS SDK clients in any process work
//! unchanged with `AWS_ENDPOINT_URL_SQS=http://host:port`. What it answers follows the Amazon SQS
//! API Reference and Developer Guide: limits, digests, receipt handles, visibility timeouts,
//! dead-letter queues, message move tasks and errors by their names.
//!
//! It differs from AWS in these points:
//!
//! - Credentials are not checked. Signatures, policies and encryption settings are accepted and
//!   have no effect.
//! - Counters are exact, changes take effect at once, messages usually come in the order in which
//!   they became visible, and a message is received twice only when its visibility timeout ends.
//! - A name can be used again right after `DeleteQueue`; AWS asks for 60 seconds.
//! - FIFO queues are refused. `AddPermission` and `RemovePermission` do not exist.
//!
//! Queues live in memory ([`Sqs::memory`]) or also in a file ([`Sqs::open`]).

mod actions;
mod attributes;
mod change;
mod error;
mod http;
mod journal;
mod message;
mod move_task;
mod queue;
mod queues;
mod timestamp;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

pub use error::Error;
pub use http::serve;
pub use journal::OpenError;

use queues::{ACCOUNT, Queues};
use timestamp::Timestamp;

/// The queues of one account in one region; clones share them.
#[derive(Clone)]
pub struct Sqs {
    queues: Arc<Mutex<Queues>>,
}

impl Sqs {
    /// Queues that end with the process.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Queues::in_memory())
    }

    /// Queues that are kept in a file, which is made if it does not exist.
    ///
    /// A change is passed to the operating system before the response: queues, messages, receive
    /// counts and visibility timeouts survive the process, however it ends. They may not outlive a
    /// power failure. Message move tasks end with the process; what they have not moved stays.
    ///
    /// The file grows with every change and is rewritten to its minimum here.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened, is in use, or is not a queue file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Queues::open(path.as_ref()).map(Self::new)
    }

    /// The same queues with ARNs of another region than `us-east-1`.
    #[must_use]
    pub fn in_region(self, region: &str) -> Self {
        self.queues().set_region(region);
        self
    }

    /// Creates a queue and returns its ARN.
    ///
    /// As with `CreateQueue`, a queue that exists with the same attributes is left as it is.
    ///
    /// # Errors
    ///
    /// Fails if the name or an attribute is not valid, or a queue of that name has other attributes.
    pub fn create_queue(
        &self,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<String, Error> {
        let mut queues = self.queues();
        queues.create(name, &attributes, BTreeMap::new(), Timestamp::now())?;
        Ok(queues.arn(name))
    }

    /// Replaces attributes of a queue, as `SetQueueAttributes` does.
    ///
    /// # Errors
    ///
    /// Fails if the queue does not exist or an attribute is not valid.
    pub fn set_queue_attributes(
        &self,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.queues().set_attributes(name, &attributes, Timestamp::now())
    }

    fn new(queues: Queues) -> Self {
        Self { queues: Arc::new(Mutex::new(queues)) }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().expect("no code panics while it holds the queues")
    }
}

/// The URL of a queue on a server that is reached as `host`, which includes the port.
#[must_use]
pub fn queue_url(host: &str, name: &str) -> String {
    format!("http://{host}/{ACCOUNT}/{name}")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::message::{NewMessage, ReceiptHandle};
    use crate::queues::Queues;

    fn directory() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queues");
        (directory, path)
    }

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn send(queues: &mut Queues, name: &str, body: &str, now: Timestamp) {
        let message = json!({
            "MessageBody": body,
            "MessageGroupId": "tenant",
            "MessageAttributes": {
                "text": {"DataType": "String", "StringValue": "x"},
                "bytes": {"DataType": "Binary", "BinaryValue": "AP8="},
            },
        });
        let message: NewMessage = serde_json::from_value(message).unwrap();
        queues.send(name, message, now).unwrap();
    }

    /// Everything there is to know of a queue's messages.
    fn messages(sqs: &Sqs, name: &str) -> Vec<String> {
        let queues = sqs.queues();
        let known = queues.queue(name).unwrap().messages();
        let mut known: Vec<String> = known.map(|message| format!("{message:?}")).collect();
        known.sort();
        known
    }

    #[test]
    fn creating_a_queue_returns_its_arn() {
        let sqs = Sqs::memory();
        let create = |sqs: &Sqs| sqs.create_queue("q", attributes(&[("DelaySeconds", "5")]));
        assert_eq!(create(&sqs).unwrap(), "arn:aws:sqs:us-east-1:000000000000:q");
        let sqs = sqs.in_region("eu-west-1");
        assert_eq!(create(&sqs).unwrap(), "arn:aws:sqs:eu-west-1:000000000000:q");
        let other = sqs.create_queue("q", attributes(&[("DelaySeconds", "6")]));
        assert!(
            matches!(other, Err(Error::QueueNameExists { attribute, .. }) if attribute == "DelaySeconds")
        );
        sqs.set_queue_attributes("q", attributes(&[("DelaySeconds", "6")])).unwrap();
        sqs.create_queue("q", attributes(&[("DelaySeconds", "6")])).unwrap();
    }

    #[test]
    fn a_restart_finds_queues_and_messages_as_they_were() {
        let (_directory, path) = directory();
        let sqs = Sqs::open(&path).unwrap();
        let dead = sqs.create_queue("dead", BTreeMap::new()).unwrap();
        let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":1}}"#);
        let given = attributes(&[("RedrivePolicy", &policy), ("DelaySeconds", "0")]);
        sqs.create_queue("q", given.clone()).unwrap();
        sqs.create_queue("gone", BTreeMap::new()).unwrap();
        sqs.create_queue("purged", BTreeMap::new()).unwrap();
        let now = Timestamp::now();
        {
            let mut queues = sqs.queues();
            queues.change_tags("q", |tags| tags.extend(attributes(&[("team", "a")]))).unwrap();
            for body in ["to the dead letters", "held", "deleted", "waiting"] {
                send(&mut queues, "q", body, now);
            }
            queues.receive("q", 1, Some(0), now).unwrap();
            queues.receive("q", 2, Some(600), now.plus_seconds(1)).unwrap();
            let received = queues.receive("q", 1, Some(600), now.plus_seconds(1)).unwrap();
            let deleted = &received.messages[0];
            let handle = ReceiptHandle { message: deleted.id, receive: deleted.delivery.receives };
            queues.delete_message("q", &handle.encode("q")).unwrap();
            send(&mut queues, "purged", "x", now);
            queues.purge("purged", now).unwrap();
            queues.delete("gone").unwrap();
        }
        let (before, dead_before) = (messages(&sqs, "q"), messages(&sqs, "dead"));
        assert_eq!((before.len(), dead_before.len()), (2, 1));
        drop(sqs);

        for _ in 0..2 {
            let sqs = Sqs::open(&path).unwrap();
            assert_eq!(messages(&sqs, "q"), before);
            assert_eq!(messages(&sqs, "dead"), dead_before);
            assert!(messages(&sqs, "purged").is_empty());
            assert!(sqs.queues().queue("gone").is_err());
            assert_eq!(sqs.queues().queue("q").unwrap().tags, attributes(&[("team", "a")]));
            sqs.create_queue("q", given.clone()).unwrap();
        }
    }

    /// A copy of the file, taken while the server runs, is what a killed process leaves behind.
    #[test]
    fn every_change_is_in_the_file_as_soon_as_it_is_answered() {
        let (directory, path) = directory();
        let sqs = Sqs::open(&path).unwrap();
        sqs.create_queue("q", BTreeMap::new()).unwrap();
        let copy = directory.path().join("copy");
        let same = || {
            std::fs::copy(&path, &copy).unwrap();
            let left = Sqs::open(&copy).unwrap();
            assert_eq!(messages(&left, "q"), messages(&sqs, "q"));
        };
        let now = Timestamp::now();
        send(&mut sqs.queues(), "q", "x", now);
        same();
        let received = sqs.queues().receive("q", 1, Some(60), now).unwrap().messages.remove(0);
        same();
        let handle = ReceiptHandle { message: received.id, receive: 1 }.encode("q");
        sqs.queues().change_visibility("q", &handle, Some(90), now).unwrap();
        same();
        sqs.queues().delete_message("q", &handle).unwrap();
        assert!(messages(&sqs, "q").is_empty());
        same();
    }

    #[test]
    fn a_receipt_handle_stays_valid_after_a_restart() {
        let (_directory, path) = directory();
        let sqs = Sqs::open(&path).unwrap();
        sqs.create_queue("q", BTreeMap::new()).unwrap();
        let now = Timestamp::now();
        send(&mut sqs.queues(), "q", "x", now);
        let received = sqs.queues().receive("q", 1, None, now).unwrap().messages.remove(0);
        drop(sqs);
        let sqs = Sqs::open(&path).unwrap();
        let handle = ReceiptHandle { message: received.id, receive: 1 }.encode("q");
        sqs.queues().delete_message("q", &handle).unwrap();
        assert!(messages(&sqs, "q").is_empty());
    }

    #[test]
    fn deleted_messages_take_no_space_after_a_restart() {
        let (_directory, path) = directory();
        let sqs = Sqs::open(&path).unwrap();
        sqs.create_queue("q", attributes(&[("MessageRetentionPeriod", "60")])).unwrap();
        let empty = std::fs::metadata(&path).unwrap().len();
        let now = Timestamp::now();
        for _ in 0..100 {
            send(&mut sqs.queues(), "q", "x", now);
        }
        sqs.queues().settled("q", now.plus_seconds(60)).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() > 10 * empty);
        drop(sqs);
        Sqs::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), empty);
    }
}
