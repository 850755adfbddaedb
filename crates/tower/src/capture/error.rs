//! The service's own error, and why its request was not queued.

use std::error::Error;
use std::fmt;

use fuseboard_services::capture::NotQueued;

/// The inner service's error, and why the request is no letter.
#[derive(Clone, Debug)]
pub struct NotCaptured<E> {
    /// The inner service's own error.
    pub error: E,
    /// Why the request is no letter; `None` if there was no request yet, because the service was not ready.
    pub why: Option<NotQueued>,
}

impl<E> NotCaptured<E> {
    /// The inner service's own error.
    pub fn into_inner(self) -> E {
        self.error
    }
}

impl<E: fmt::Display> fmt::Display for NotCaptured<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) if why.outcome_is_unknown() => {
                write!(f, "{}; it is not known whether it was queued: {why}", self.error)
            }
            Some(why) => write!(f, "{}; not queued: {why}", self.error),
            None => self.error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for NotCaptured<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
