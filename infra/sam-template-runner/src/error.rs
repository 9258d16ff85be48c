//! The errors of starting a stack.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use sam_template::TemplateError;

/// Why the local stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The template cannot be read.
    #[error("failed to read the template {}; check the path", .path.display())]
    Template {
        /// The path of the template.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The template is wrong, or uses something that the local stack does not support.
    #[error("the local stack cannot run the template {}", .path.display())]
    Refused {
        /// The path of the template.
        path: PathBuf,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// The address of the HTTP API is in use.
    #[error(
        "port {} is in use: stop what listens on {address}, or choose another port (0 is any free \
         one)",
        .address.port()
    )]
    PortInUse {
        /// The address.
        address: SocketAddr,
    },
    /// Listening on an address failed.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The binary of a function is missing.
    #[error(
        "the function {function} has no binary {}: build it with `cargo build --bin {binary}`",
        .path.display()
    )]
    MissingBinary {
        /// The logical id of the function.
        function: String,
        /// The name of the binary.
        binary: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The new binary of a function cannot be read.
    #[error("failed to reload the function {function}: start the stack again")]
    Reload {
        /// The logical id of the function.
        function: String,
        /// Why not.
        source: io::Error,
    },
    /// The folder for the state cannot be used.
    #[error("the state folder {} cannot be used; check the path and its permissions", .path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another stack uses the folder for the state.
    #[error(
        "the folder {} is in use by another local stack: stop that one, or choose another folder",
        .path.display()
    )]
    StateInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file with the tables cannot be used.
    #[error("failed to open the tables in the state folder; remove the folder to start anew")]
    Tables {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// DynamoDB refuses a table.
    #[error("failed to set up the table {table}")]
    Table {
        /// The name of the table.
        table: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table that was kept has another key than the template.
    #[error(
        "the key of the table {table} in {} differs from the template; remove that folder to start \
         anew",
        .path.display()
    )]
    OtherKey {
        /// The name of the table.
        table: String,
        /// The folder for the state.
        path: PathBuf,
    },
    /// The file with the key of the test double for KMS cannot be used.
    #[error("failed to open the key in the state folder; check its permissions")]
    Key {
        /// Why not.
        source: io::Error,
    },
    /// The file with the queues cannot be used.
    #[error("failed to open the queues in the state folder")]
    Queues {
        /// Why not.
        source: local_sqs::OpenError,
    },
    /// SQS refuses a queue.
    #[error("failed to set up the queue {queue}")]
    Queue {
        /// The name of the queue.
        queue: String,
        /// Why not.
        source: local_sqs::Error,
    },
}
