//! Why a call was not done, in the words that letters, policies and metrics share.

use std::fmt;

/// Why a call was not done.
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
    /// Every reason.
    pub const ALL: [Undone; 5] =
        [Undone::Rejected, Undone::Connect, Undone::Timeout, Undone::Reset, Undone::Failure];

    /// The word for it in letters, headers and metrics.
    pub const fn as_str(self) -> &'static str {
        Kind::of(self).as_str()
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

/// What a [policy](super::CapturePolicy) can name: why a call was not done, or that a fallback was served instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
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
    /// The caller was served something else instead, and the letter is kept as well.
    Fallback,
}

impl Kind {
    /// Every kind, in the order in which policies are printed.
    pub const ALL: [Kind; 6] =
        [Kind::Rejected, Kind::Connect, Kind::Timeout, Kind::Reset, Kind::Failure, Kind::Fallback];

    /// The kind of a call to which no fallback was served.
    pub const fn of(undone: Undone) -> Kind {
        match undone {
            Undone::Rejected => Kind::Rejected,
            Undone::Connect => Kind::Connect,
            Undone::Timeout => Kind::Timeout,
            Undone::Reset => Kind::Reset,
            Undone::Failure => Kind::Failure,
        }
    }

    /// The word for it in policies and letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Rejected => "rejected",
            Kind::Connect => "connect",
            Kind::Timeout => "timeout",
            Kind::Reset => "reset",
            Kind::Failure => "failure",
            Kind::Fallback => "fallback",
        }
    }

    /// The kind that `word` names.
    pub(super) fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
