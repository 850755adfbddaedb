//! Which kinds become letters: a set of kinds with a text form.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use fuseboard_core::text::{ParseError, parse_alternatives};

use super::kind::{Kind, Undone};

/// Which kinds of calls that were not done become letters.
///
/// Its text form joins the [kinds](Kind) by `|`; `nothing` names none. What a policy names may still not be kept: see
/// [`CaptureRule`](super::CaptureRule).
///
/// ```
/// use fuseboard_services::capture::{CapturePolicy, Kind};
///
/// let policy: CapturePolicy = "timeout | rejected".parse()?;
/// assert_eq!(policy, Kind::Rejected | Kind::Timeout);
/// assert_eq!(policy.to_string(), "rejected | timeout");
///
/// let error = "rejected | late".parse::<CapturePolicy>().unwrap_err();
/// assert_eq!((error.column(), error.found()), (12, "`late`"));
/// # Ok::<(), fuseboard_core::text::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CapturePolicy {
    /// One bit for each kind, by its place in [`Kind::ALL`].
    kinds: u8,
}

const WORDS: &str = "`rejected`, `connect`, `timeout`, `reset`, `failure`, `fallback` or `nothing`";

impl CapturePolicy {
    /// No kind at all.
    pub const NOTHING: CapturePolicy = CapturePolicy { kinds: 0 };
    /// Every kind but `fallback`.
    pub const UNDONE: CapturePolicy = CapturePolicy { kinds: (1 << Kind::Fallback as u8) - 1 };
    /// Every kind.
    pub const ALL: CapturePolicy = CapturePolicy { kinds: (1 << (Kind::Fallback as u8 + 1)) - 1 };

    /// Those kinds.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        kinds.into_iter().fold(CapturePolicy::NOTHING, |policy, kind| policy | kind)
    }

    /// Whether it names `kind`.
    pub const fn names(self, kind: Kind) -> bool {
        self.kinds & (1 << kind as u8) != 0
    }

    /// Whether it names no kind.
    pub const fn is_nothing(self) -> bool {
        self.kinds == 0
    }

    /// What both name.
    #[must_use]
    pub const fn and(self, other: CapturePolicy) -> Self {
        CapturePolicy { kinds: self.kinds & other.kinds }
    }

    /// The same without what `other` names.
    #[must_use]
    pub const fn without(self, other: CapturePolicy) -> Self {
        CapturePolicy { kinds: self.kinds & !other.kinds }
    }

    /// The kinds that it names, in the order of [`Kind::ALL`].
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.names(*kind))
    }

    /// The kinds that may be done already, so that they need a voucher.
    pub(super) fn doubtful() -> Self {
        let doubtful = Undone::ALL.into_iter().filter(|undone| undone.may_be_done());
        CapturePolicy::of(doubtful.map(Kind::of))
    }
}

impl From<Kind> for CapturePolicy {
    fn from(kind: Kind) -> Self {
        CapturePolicy { kinds: 1 << kind as u8 }
    }
}

impl<P: Into<CapturePolicy>> BitOr<P> for CapturePolicy {
    type Output = CapturePolicy;

    fn bitor(self, other: P) -> CapturePolicy {
        CapturePolicy { kinds: self.kinds | other.into().kinds }
    }
}

impl<P: Into<CapturePolicy>> BitOr<P> for Kind {
    type Output = CapturePolicy;

    fn bitor(self, other: P) -> CapturePolicy {
        CapturePolicy::from(self) | other
    }
}

impl fmt::Display for CapturePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nothing() {
            return f.write_str("nothing");
        }
        for (at, kind) in self.kinds().enumerate() {
            let sign = if at == 0 { "" } else { " | " };
            write!(f, "{sign}{kind}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CapturePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapturePolicy({self})")
    }
}

impl FromStr for CapturePolicy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = |word: &str| match word {
            "nothing" => Some(CapturePolicy::NOTHING),
            word => Kind::from_word(word).map(CapturePolicy::from),
        };
        let named = parse_alternatives(text, WORDS, read)?;
        Ok(named.into_iter().fold(CapturePolicy::NOTHING, BitOr::bitor))
    }
}
