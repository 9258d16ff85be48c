//! The idempotency modes, each a type, so that a handler links only what its mode needs.
//!
//! [`Runner`](crate::Runner) has a method for each.

use aws_types::SdkConfig;

use crate::Error;
use crate::attempts::{Recorded, Unrecorded};
use crate::idempotency::Takeover;

/// An idempotency mode: one of the types of this module.
pub trait Mode: sealed::Mode {}

/// The mode of [`run`](crate::run).
#[derive(Clone, Copy, Debug)]
pub enum ExactlyOnce {}

/// The mode of [`Runner::claim_once`](crate::Runner::claim_once).
#[derive(Clone, Copy, Debug)]
pub enum ClaimOnce {}

/// The mode of [`Runner::deduplicate`](crate::Runner::deduplicate).
#[derive(Clone, Copy, Debug)]
pub enum Deduplicate {}

/// The mode of [`Runner::every_time`](crate::Runner::every_time). It links no DynamoDB client.
#[derive(Clone, Copy, Debug)]
pub enum EveryTime {}

impl Mode for ExactlyOnce {}
impl Mode for ClaimOnce {}
impl Mode for Deduplicate {}
impl Mode for EveryTime {}

impl sealed::Mode for ExactlyOnce {
    type Attempts = Recorded;

    fn attempts(aws: &SdkConfig) -> Result<Recorded, Error> {
        Recorded::from_environment(aws, Takeover::Allowed)
    }
}

impl sealed::Mode for ClaimOnce {
    type Attempts = Recorded;

    fn attempts(aws: &SdkConfig) -> Result<Recorded, Error> {
        Recorded::from_environment(aws, Takeover::Refused)
    }
}

impl sealed::Mode for Deduplicate {
    type Attempts = Recorded;

    fn attempts(aws: &SdkConfig) -> Result<Recorded, Error> {
        Ok(Recorded::from_environment(aws, Takeover::Own)?.without_the_last_completion())
    }
}

impl sealed::Mode for EveryTime {
    type Attempts = Unrecorded;

    fn attempts(_: &SdkConfig) -> Result<Unrecorded, Error> {
        Ok(Unrecorded)
    }
}

pub(crate) mod sealed {
    use aws_types::SdkConfig;

    use crate::Error;
    use crate::attempts::Attempts;

    pub trait Mode {
        /// What counts the attempts.
        type Attempts: Attempts;

        /// Reads the environment variables that the template sets.
        fn attempts(aws: &SdkConfig) -> Result<Self::Attempts, Error>;
    }
}
