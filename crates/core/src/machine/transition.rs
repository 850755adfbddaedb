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
    /// How often half_open had ended in open, since the circuit was last closed.
    pub reopens: u32,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// How long that lasted.
    pub lasted: Duration,
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

impl Transition {
    /// Why the new state is what it is, in a sentence for people; `None` if the circuit is closed again, of which the cause
    /// says all.
    pub fn why(&self) -> Option<String> {
        let pin = self.pin.as_ref().map(|pin| (pin.actor(), pin.reason()));
        explain(pin, self.trip.as_deref())
    }
}

/// Why a circuit is not closed, by its pin (actor and reason) or by what opened it.
pub(crate) fn explain(pin: Option<(&str, &str)>, trip: Option<&Trip>) -> Option<String> {
    if let Some((actor, reason)) = pin {
        let who = if actor.is_empty() { "somebody" } else { actor };
        let colon = if reason.is_empty() { "" } else { ": " };
        return Some(format!("pinned by {who}{colon}{reason}"));
    }
    let trip = trip?;
    Some(match (trip.cause, trip.why.as_str()) {
        (Cause::Tripped, why) => why.to_owned(),
        (cause, "") => cause.to_string(),
        (cause, why) => format!("{cause}, after {why}"),
    })
}
