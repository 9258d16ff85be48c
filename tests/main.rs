//! The tests' app, end to end: through HTTP, on the local stack, with the calls that are deployed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adoption;
mod alarms;
mod attacks;
mod backlog;
mod batches;
mod command;
mod data_keys;
mod dead_letters;
mod deployed;
mod end_to_end;
mod events;
mod existing;
mod foreign_app;
mod foreign_signer;
mod forge;
mod gateway;
mod harness;
mod http;
mod idempotency;
mod in_memory;
mod keys;
mod large_bodies;
mod lifecycle;
mod load;
mod moving;
mod observe;
mod order;
mod outage;
mod page;
mod records;
mod recover;
mod rejections;
mod retries;
mod sample_app;
mod send;
mod signed;
mod soak;
mod state;
mod transfer;
