//! The errors of the API, as SQS names them.

use std::io;

/// Why a request was refused.
///
/// Each variant is an error of the Amazon SQS API Reference, by the name it has there, so that SDK
/// clients raise the typed exception they would raise against AWS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No queue of that name exists.
    #[error("the queue {0:?} does not exist; create it first, or correct the queue URL")]
    QueueDoesNotExist(String),

    /// A queue of that name exists and differs in an attribute of the request.
    #[error(
        "the queue {queue:?} already exists with a different value for attribute {attribute}; \
         change it with SetQueueAttributes"
    )]
    QueueNameExists {
        /// The name both queues have.
        queue: String,
        /// The first attribute that differs.
        attribute: String,
    },

    /// The attribute is not one that can be set or read there.
    #[error("unknown attribute {0}; use a name from the SQS API Reference")]
    InvalidAttributeName(String),

    /// The value is not allowed for that queue attribute.
    #[error("invalid value for the attribute {attribute}: {reason}")]
    InvalidAttributeValue {
        /// The queue attribute.
        attribute: String,
        /// What is allowed.
        reason: String,
    },

    /// The value is not allowed for that parameter.
    #[error("invalid value for the parameter {parameter}: {reason}")]
    InvalidParameterValue {
        /// The request parameter.
        parameter: &'static str,
        /// What is allowed.
        reason: String,
    },

    /// A required parameter is absent or empty.
    #[error("the request must contain the parameter {0}")]
    MissingParameter(&'static str),

    /// SQS supports this, and the local server does not.
    #[error("{0}")]
    UnsupportedOperation(&'static str),

    /// The body or an attribute contains a character that SQS refuses.
    #[error(
        "the message contains the character U+{0:04X}; SQS carries #x9, #xA, #xD, #x20 to #xD7FF, \
         #xE000 to #xFFFD and #x10000 to #x10FFFF only"
    )]
    InvalidMessageContents(u32),

    /// The receipt handle is not one of this queue.
    #[error(
        "the receipt handle is not valid for this queue; \
         use the one that ReceiveMessage returned from it"
    )]
    ReceiptHandleIsInvalid,

    /// The message is not in flight.
    #[error("the message is not in flight: its visibility timeout has ended; receive it again")]
    MessageNotInflight,

    /// The queue has the maximum number of messages in flight.
    #[error("the queue has {0} messages in flight, the most it may have; delete some first")]
    OverLimit(usize),

    /// The queue was purged less than 60 seconds ago.
    #[error("the queue {0:?} was purged less than 60 seconds ago; wait and try again")]
    PurgeQueueInProgress(String),

    /// A batch without entries.
    #[error("the batch request has no entries; send 1 to 10")]
    EmptyBatchRequest,

    /// A batch with more entries than SQS allows.
    #[error("the batch request has {0} entries; send 1 to 10")]
    TooManyEntriesInBatchRequest(usize),

    /// Two entries of a batch have the same id.
    #[error("the batch entry id {0:?} is repeated; give every entry its own")]
    BatchEntryIdsNotDistinct(String),

    /// An id outside the allowed form.
    #[error("a batch entry id has 1 to 80 alphanumeric characters, hyphens and underscores")]
    InvalidBatchEntryId,

    /// The messages of a batch are together larger than one message may be.
    #[error("the batch has {0} bytes; send at most 1048576 bytes in one request")]
    BatchRequestTooLong(usize),

    /// A queue or task named by a message move request does not exist.
    #[error("{0}")]
    ResourceNotFound(&'static str),

    /// The request names an action that this server does not know.
    #[error(
        "the action {0:?} is not one this server knows; \
         it takes AWS JSON 1.0 requests with an X-Amz-Target of AmazonSQS.SendMessage and the like"
    )]
    InvalidAction(String),

    /// The request is not the JSON document the action takes.
    #[error("cannot read the request: {0}")]
    Serialization(#[source] serde_json::Error),

    /// The change could not be written to the file, and was not made.
    #[error("cannot write to the queue file, so nothing was changed: {0}")]
    Journal(#[source] io::Error),
}

impl Error {
    /// A parameter outside its range.
    pub(crate) fn parameter(parameter: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidParameterValue { parameter, reason: reason.into() }
    }

    /// The error as the API Reference and its predecessor, the query protocol, name it.
    pub(crate) fn wire(&self) -> WireError {
        let (shape, query_code, status) = match self {
            Self::QueueDoesNotExist(_) => {
                ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400)
            }
            Self::QueueNameExists { .. } => ("QueueNameExists", "QueueAlreadyExists", 400),
            Self::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName", 400),
            Self::InvalidAttributeValue { .. } => {
                ("InvalidAttributeValue", "InvalidAttributeValue", 400)
            }
            Self::InvalidParameterValue { .. } => {
                ("InvalidParameterValueException", "InvalidParameterValue", 400)
            }
            Self::MissingParameter(_) => {
                ("MissingRequiredParameterException", "MissingParameter", 400)
            }
            Self::UnsupportedOperation(_) => {
                ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400)
            }
            Self::InvalidMessageContents(_) => {
                ("InvalidMessageContents", "InvalidMessageContents", 400)
            }
            Self::ReceiptHandleIsInvalid => {
                ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 400)
            }
            Self::MessageNotInflight => {
                ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400)
            }
            Self::OverLimit(_) => ("OverLimit", "OverLimit", 400),
            Self::PurgeQueueInProgress(_) => {
                ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 400)
            }
            Self::EmptyBatchRequest => {
                ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400)
            }
            Self::TooManyEntriesInBatchRequest(_) => (
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                400,
            ),
            Self::BatchEntryIdsNotDistinct(_) => {
                ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400)
            }
            Self::InvalidBatchEntryId => {
                ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400)
            }
            Self::BatchRequestTooLong(_) => {
                ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400)
            }
            Self::ResourceNotFound(_) => {
                ("ResourceNotFoundException", "ResourceNotFoundException", 404)
            }
            Self::InvalidAction(_) => ("UnknownOperationException", "InvalidAction", 400),
            Self::Serialization(_) => ("SerializationException", "MalformedInput", 400),
            Self::Journal(_) => ("InternalFailure", "InternalFailure", 500),
        };
        WireError { shape, query_code, status }
    }
}

/// The wire format of an error.
pub(crate) struct WireError {
    /// Its name in the API Reference, sent as `__type`.
    pub(crate) shape: &'static str,
    /// Its code in the query protocol, which SDKs still go by.
    pub(crate) query_code: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
}

impl WireError {
    /// Whether the fault is the sender's, rather than the receiver's.
    pub(crate) fn is_sender_fault(&self) -> bool {
        self.status < 500
    }
}
