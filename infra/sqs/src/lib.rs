//! Amazon SQS standard queues in this process, for a local stack and for tests.
//!
//! [`serve`] answers the AWS JSON 1.0 protocol, so that AWS SDK clients in any process work
//! unchanged with `AWS_ENDPOINT_URL_SQS=http://host:port`. What it answers follows the Amazon SQS
//! API Reference and Developer Guide: limits, digests, receipt handles, visibility timeouts,
//! dead-letter queues, message move tasks and errors by their names.
//!
//! It differs from AWS where a local server must, or where AWS promises little:
//!
//! - Nobody is asked for credentials: signatures, policies and encryption settings are taken and have
//!   no effect.
//! - Counters are exact, changes take effect at once, messages usually come in the order in which they
//!   became visible, and a message is received twice only when its visibility timeout ends.
//! - A name can be used again right after `DeleteQueue`; AWS asks for 60 seconds.
//! - FIFO queues are refused. `AddPermission` and `RemovePermission` do not exist.
//!
//! Queues live in memory ([`Sqs::memory`]) or also in a file ([`Sqs::open`]).

mod actions;
mod attributes;
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
    /// A change is handed to the operating system before it is answered: queues, messages, receive
    /// counts and visibility timeouts outlive the process however it ends. They may not outlive a
    /// power failure. Message move tasks end with the process; what they have not moved stays.
    ///
    /// The file grows with every change and is rewritten to its minimum here.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, is in use, or holds something else.
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
    /// When the name or an attribute is refused, or a queue of that name has other attributes.
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
    /// When the queue does not exist or an attribute is refused.
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
