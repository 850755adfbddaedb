//! What is told of a change of state: its cause, and what the window held before.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Pin;
use crate::metrics::Metrics;
use crate::state::State;
use crate::time::Moment;

/// Why a state changed, or why calls are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The tripper held.
    Tripped,
    /// A probe failed.
    ProbeFailed,
    /// A probe succeeded, but slower than the tripper allows.
    ProbeSlow,
    /// A probe's lease ran out.
    ProbeLapsed,
    /// The open deadline passed and a call came.
    RetryDue,
    /// Half-open, and no slot is free or the permit did not agree.
    ProbesLimited,
    /// The recovery rule was satisfied.
    Recovered,
    /// An operator pinned the state.
    Pinned,
    /// An operator ended the pin.
    Unpinned,
    /// The pin ran out.
    PinLapsed,
    /// An operator reset the circuit.
    Reset,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 11] = [
        Cause::Tripped,
        Cause::ProbeFailed,
        Cause::ProbeSlow,
        Cause::ProbeLapsed,
        Cause::RetryDue,
        Cause::ProbesLimited,
        Cause::Recovered,
        Cause::Pinned,
        Cause::Unpinned,
        Cause::PinLapsed,
        Cause::Reset,
    ];

    /// Its place among [`Cause::ALL`].
    pub(crate) fn number(self) -> u64 {
        self as u64
    }

    /// The cause in that place.
    pub(crate) fn from_number(number: u64) -> Cause {
        *Cause::ALL.get(number as usize).unwrap_or(&Cause::Tripped)
    }

    /// The word for it in text, APIs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Tripped => "tripped",
            Cause::ProbeFailed => "probe_failed",
            Cause::ProbeSlow => "probe_slow",
            Cause::ProbeLapsed => "probe_lapsed",
            Cause::RetryDue => "retry_due",
            Cause::ProbesLimited => "probes_limited",
            Cause::Recovered => "recovered",
            Cause::Pinned => "pinned",
            Cause::Unpinned => "unpinned",
            Cause::PinLapsed => "pin_lapsed",
            Cause::Reset => "reset",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What opened a circuit. It stays with the circuit until that is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// Why it opened, the last time it did.
    pub cause: Cause,
    /// When it opened, the last time it did.
    pub at: Moment,
    /// What the window held when the tripper held; a failed probe does not replace it.
    pub metrics: Metrics,
    /// The terms that held, with what was measured.
    pub why: String,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The circuit's generation after it.
    pub generation: u64,
    /// When.
    pub at: Moment,
    /// How often half_open ended in open since the circuit was last closed.
    pub reopens: u32,
    /// What the window of the state before held at its end.
    pub metrics: Metrics,
    /// What opened the circuit, while it is not closed again.
    pub trip: Option<Arc<Trip>>,
    /// The pin, if the new state is pinned.
    pub pin: Option<Arc<Pin>>,
    /// How long until an attempt may succeed, if the new state rejects and that is known.
    pub retry_after: Option<Duration>,
}
