//! The inspector beside a stack of hand-made requests and log lines.

mod browser;
mod journeys;
mod server;
mod stand_in;
