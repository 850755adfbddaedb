//! A circuit at one moment, as the service shows it.

use std::time::Duration;

use fuseboard_core::time::{Clock, WallTime};
use fuseboard_core::{Cause, CircuitBreaker, Info, State};

/// What opened a circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct TripSnapshot {
    /// Why it opened, the last time it did.
    pub cause: Cause,
    /// When it opened, the last time it did.
    pub opened_at: WallTime,
    /// The condition that held when it first opened, with what was measured.
    pub why: String,
    /// Outcomes in the window then.
    pub total_calls: u64,
    /// Failures among them.
    pub failure_count: u64,
}

/// A circuit at one moment.
///
/// The one in a [`CircuitBreakerDecision`](super::CircuitBreakerDecision) also remembers which call was allowed: given back as
/// the `hint_state` of [`record_success`](super::CircuitBreakerService::record_success) it settles that very call.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerStateData {
    /// The circuit's name.
    pub service_name: String,
    /// Its state.
    pub state: State,
    /// When the state began.
    pub since: WallTime,
    /// Failures in the window.
    pub failure_count: u64,
    /// Successes in the window.
    pub success_count: u64,
    /// Failures in a row since the state began.
    pub consecutive_failures: u64,
    /// When the last failure was recorded.
    pub last_failure_at: Option<WallTime>,
    /// What it said; `failed` if nothing.
    pub last_error: Option<String>,
    /// When the circuit opened, while it is open, forced open, or half-open after that.
    pub opened_at: Option<WallTime>,
    /// What opened it, until it is closed again.
    pub trip: Option<TripSnapshot>,
    /// How often half_open ended in open since the circuit was last closed.
    pub reopens: u32,
    /// Admitted calls that have not ended.
    pub in_flight: u64,
    /// How long until a call may be allowed, where that is known.
    pub retry_after: Option<Duration>,
    /// Whether an operator pinned the state.
    pub manually_controlled: bool,
    /// Who did; empty if nobody, or somebody who did not say.
    pub controlled_by: String,
    /// Why; empty if there is no pin, or no reason.
    pub control_reason: String,
    /// When the pin ends; `None` if there is none, or it never does.
    pub manual_override_expires_at: Option<WallTime>,
    /// How many transitions there were in this process.
    pub generation: u64,
    /// The call that was allowed with this.
    pub(super) admission: Option<u64>,
}

impl CircuitBreakerStateData {
    pub(super) fn read(breaker: &CircuitBreaker, clock: &dyn Clock) -> Self {
        CircuitBreakerStateData::of(breaker.info(), clock)
    }

    pub(super) fn of(info: Info, clock: &dyn Clock) -> Self {
        let (now, wall) = (clock.now(), clock.wall());
        let trip = info.trip.as_deref().map(|trip| TripSnapshot {
            cause: trip.cause,
            opened_at: wall - now.since(trip.at),
            why: trip.why.clone(),
            total_calls: trip.metrics.total,
            failure_count: trip.metrics.failures,
        });
        let opened_at = match info.state {
            State::Open | State::ForcedOpen => Some(info.since),
            State::HalfOpen => trip.as_ref().map(|trip| trip.opened_at),
            _ => None,
        };
        let (last_failure_at, last_error) = match info.last_error {
            Some(last) => (Some(last.at), Some(last.message.into_owned())),
            None => (None, None),
        };
        let manually_controlled = info.pin.is_some();
        let pin = info.pin.as_ref();
        CircuitBreakerStateData {
            service_name: info.name.as_ref().to_owned(),
            state: info.state,
            since: info.since,
            failure_count: info.metrics.failures,
            success_count: info.metrics.successes(),
            consecutive_failures: info.metrics.streak,
            last_failure_at,
            last_error,
            opened_at,
            trip,
            reopens: info.reopens,
            in_flight: info.in_flight,
            retry_after: info.retry_after,
            manually_controlled,
            controlled_by: pin.map(|pin| pin.actor.clone()).unwrap_or_default(),
            control_reason: pin.map(|pin| pin.reason.clone()).unwrap_or_default(),
            manual_override_expires_at: pin.and_then(|pin| Some(wall + pin.remaining?)),
            generation: info.generation,
            admission: None,
        }
    }

    /// Whether calls are rejected: `open` or `forced_open`.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::ForcedOpen)
    }

    /// Successes and failures in the window.
    pub fn total_calls(&self) -> u64 {
        self.failure_count + self.success_count
    }
}
