//! The seven states of a circuit, as people and programs see them.

use std::fmt;
use std::str::FromStr;

/// The state of a circuit.
///
/// ```
/// use fuseboard_core::State;
///
/// assert_eq!("half_open".parse(), Ok(State::HalfOpen));
/// assert_eq!(State::ForcedOpen.to_string(), "forced_open");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Every call goes through and is counted.
    Closed,
    /// No call goes through until the deadline.
    Open,
    /// A few calls go through, to see whether the dependency is back.
    HalfOpen,
    /// Pinned by an operator: no call goes through.
    ForcedOpen,
    /// Pinned: every call goes through and is counted; nothing trips.
    ForcedClosed,
    /// Pinned: as closed, but what would have tripped is only reported.
    MetricsOnly,
    /// Pinned: every call goes through, nothing is counted.
    Disabled,
}

impl State {
    /// Every state.
    pub const ALL: [State; 7] = [
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::ForcedClosed,
        State::MetricsOnly,
        State::Disabled,
    ];

    /// The word for it in text, APIs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
            State::ForcedOpen => "forced_open",
            State::ForcedClosed => "forced_closed",
            State::MetricsOnly => "metrics_only",
            State::Disabled => "disabled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no [`State`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a state: expected closed, open, half_open, forced_open, forced_closed, metrics_only or disabled"
)]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let found = State::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}
