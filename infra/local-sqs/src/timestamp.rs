//! Points in time, with the precision that SQS reports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    /// The present moment on this machine's clock.
    pub(crate) fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment that many seconds after this one.
    pub(crate) fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0 + u64::from(seconds) * 1000)
    }

    /// How long before this moment `earlier` was; zero if it was not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since the epoch, the unit of message timestamps.
    pub(crate) fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, the unit of queue timestamps.
    pub(crate) fn seconds(self) -> u64 {
        self.0 / 1000
    }
}
