//! The inspector beside a stack of hand-made requests and log lines.

mod browser;
mod http;
mod journeys;
mod server;
mod stand_in;
mod web_driver;
