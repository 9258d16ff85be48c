//! Batches: up to ten of the same action, each with an id and an outcome of its own.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::QueueUrl;
use crate::error::Error;
use crate::queues::Queues;

/// A batch request.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch<T> {
    #[serde(default)]
    queue_url: QueueUrl,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Identified<T>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Identified<T> {
    id: String,
    #[serde(flatten)]
    pub(super) item: T,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchAnswer<T> {
    successful: Vec<Identified<T>>,
    failed: Vec<Identified<Failure>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    sender_fault: bool,
    code: &'static str,
    message: String,
}

impl<T> Batch<T> {
    /// The name of the queue, if the batch as a whole is in order.
    pub(super) fn check(&self, queues: &Queues) -> Result<String, Error> {
        let name = self.queue_url.name()?;
        queues.queue(name)?;
        match self.entries.len() {
            0 => return Err(Error::EmptyBatchRequest),
            1..=10 => {}
            more => return Err(Error::TooManyEntriesInBatchRequest(more)),
        }
        let mut seen = HashSet::new();
        for Identified { id, .. } in &self.entries {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if !(1..=80).contains(&id.len()) || !id.bytes().all(allowed) {
                return Err(Error::InvalidBatchEntryId);
            }
            if !seen.insert(id) {
                return Err(Error::BatchEntryIdsNotDistinct(id.clone()));
            }
        }
        Ok(name.to_owned())
    }

    /// Performs every entry, and gathers the outcomes.
    pub(super) fn each<R>(self, mut perform: impl FnMut(T) -> Result<R, Error>) -> BatchAnswer<R> {
        let mut answer = BatchAnswer { successful: Vec::new(), failed: Vec::new() };
        for Identified { id, item } in self.entries {
            match perform(item) {
                Ok(item) => answer.successful.push(Identified { id, item }),
                Err(error) => {
                    let wire = error.wire();
                    let item = Failure {
                        sender_fault: wire.is_sender_fault(),
                        code: wire.query_code,
                        message: error.to_string(),
                    };
                    answer.failed.push(Identified { id, item });
                }
            }
        }
        answer
    }
}
