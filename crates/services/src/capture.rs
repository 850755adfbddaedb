//! Capture: which calls that were not done may become letters.

use std::fmt;

/// Why a call was not done, as its letter names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Undone {
    /// The circuit rejected it.
    Rejected,
    /// No connection: nothing was sent.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection broke after something was sent.
    Reset,
    /// The answer was a failure.
    Failure,
}

impl Undone {
    /// The word for it in letters, headers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Undone::Rejected => "rejected",
            Undone::Connect => "connect",
            Undone::Timeout => "timeout",
            Undone::Reset => "reset",
            Undone::Failure => "failure",
        }
    }

    /// Whether the other side may have done it all the same.
    pub const fn may_be_done(self) -> bool {
        matches!(self, Undone::Timeout | Undone::Reset | Undone::Failure)
    }
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a call may be done again after `undone`: what may have been done already only if it is `repeatable`, that is,
/// if its owner says that it is idempotent or its caller sent an idempotency key.
///
/// ```
/// use fuseboard_services::capture::{Undone, may_capture};
///
/// assert!(may_capture(Undone::Rejected, false));
/// assert!(!may_capture(Undone::Timeout, false));
/// assert!(may_capture(Undone::Timeout, true));
/// ```
pub const fn may_capture(undone: Undone, repeatable: bool) -> bool {
    repeatable || !undone.may_be_done()
}
