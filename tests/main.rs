//! The road, end to end: through HTTP, on the local stack, with the binaries that are deployed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod backlog;
mod batch;
mod bodies;
mod command;
mod dead;
mod deployed;
mod events;
mod gateway;
mod http;
mod keys;
mod lifecycle;
mod line;
mod observe;
mod once;
mod order;
mod outage;
mod records;
mod recover;
mod refuse;
mod road;
mod soak;
mod stage;
mod volume;
