//! What the tests run on: an app of their own, on a local stack of its own.

#[path = "../infra/template/tests/alarms/evaluation.rs"]
pub(crate) mod alarm;
pub(crate) mod app;
pub(crate) mod fault_proxy;
pub(crate) mod log;
pub(crate) mod process;
pub(crate) mod tamper;
