//! The errors by which a handler controls retries.

use std::error;
use std::fmt;
use std::time::Duration;

use crate::Error;

/// Makes an error that asks for a retry after at least this delay, such as the `Retry-After` of a
/// service that limits its callers. At most [`LONGEST_DELAY`].
///
/// After any other error the event is attempted again as well, after a delay that grows each time.
pub fn retry_after(delay: Duration, cause: impl Into<Error>) -> Error {
    HandlerError { disposition: Disposition::Retry { after: Some(delay) }, cause: cause.into() }
        .into()
}

/// Makes an error that asks for no retry. The event goes to the dead-letter queue at once, with the
/// cause as its reason.
pub fn give_up(cause: impl Into<Error>) -> Error {
    HandlerError { disposition: Disposition::DeadLetter, cause: cause.into() }.into()
}

/// The maximum delay: SQS's limit for the visibility timeout (Amazon SQS API Reference,
/// `ChangeMessageVisibility`).
pub const LONGEST_DELAY: Duration = Duration::from_secs(12 * 60 * 60);

/// What happens to an event after its handler returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was handled.
    Handled,
    /// It is attempted again, after at least this delay if the handler asked for one.
    Retry {
        /// The delay of [`retry_after`].
        after: Option<Duration>,
    },
    /// It goes to the dead-letter queue, as [`give_up`] asks for.
    DeadLetter,
}

impl Outcome {
    /// The outcome of what a handler returned, before its last attempt.
    pub fn of(returned: &Result<(), Error>) -> Self {
        match returned {
            Ok(()) => Self::Handled,
            Err(error) => match Disposition::of(&**error) {
                Disposition::Retry { after } => Self::Retry { after },
                Disposition::DeadLetter => Self::DeadLetter,
            },
        }
    }
}

/// What happens to a message after a failed attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Disposition {
    /// It is attempted again, after at least this delay if there is one.
    Retry { after: Option<Duration> },
    /// It goes to the dead-letter queue.
    DeadLetter,
}

impl Disposition {
    /// The disposition of an error or of one of its causes.
    pub(crate) fn of(error: &(dyn error::Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        let found = causes.find_map(|error| error.downcast_ref::<HandlerError>());
        found.map_or(Self::Retry { after: None }, |found| found.disposition)
    }
}

/// An error with a disposition. It displays as its cause.
#[derive(Debug)]
struct HandlerError {
    disposition: Disposition,
    cause: Error,
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.cause.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("while this was done")]
    struct Wrapped(#[source] Error);

    #[test]
    fn finds_the_disposition_below_other_errors() {
        let second = Duration::from_secs(1);
        let rows = [
            (Error::from("no"), Disposition::Retry { after: None }),
            (retry_after(second, "busy"), Disposition::Retry { after: Some(second) }),
            (give_up("gone"), Disposition::DeadLetter),
            (Wrapped(give_up("gone")).into(), Disposition::DeadLetter),
        ];
        for (error, disposition) in rows {
            assert_eq!(Disposition::of(&*error), disposition, "{error}");
        }
        let error = Wrapped(give_up("no such project"));
        assert_eq!(runtime::chain(&error), "while this was done: no such project");
    }
}
