//! Functions, run like in Lambda: real processes with a real Runtime API.
//!
//! One execution environment is one child process and one listener on the loopback interface that
//! answers it as the Lambda Runtime API does, so a binary runs here exactly as it was built for
//! AWS. The life of an environment follows "Understanding the Lambda execution environment
//! lifecycle" in the AWS Lambda Developer Guide:
//!
//! - It starts when an invocation finds no free one, and takes one invocation at a time.
//! - A function that fails keeps its environment. One that crashes or exceeds its timeout loses
//!   it, and the next invocation starts another.
//! - A process that ends before it asks for its first event fails the invocation it was started
//!   for, with what it printed last.
//!
//! No process outlives this one. Even if this one is killed: the runtime in a function ends when
//! the Runtime API is gone, as soon as the function is done with its event.
//!
//! The messages are those of "Using the Lambda runtime API for custom runtimes" in that guide.

mod environment;
mod function;
mod runtime_api;

pub use function::{Function, InvokeError};

/// The maximum size of an event of a synchronous invocation, in bytes.
pub const MAX_EVENT: usize = 6 * 1024 * 1024;
