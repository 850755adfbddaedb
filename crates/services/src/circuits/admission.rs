//! Admission without tickets: whether a call may be made, and what it came to.

use std::time::Duration;

use fuseboard_core::{Cause, CircuitBreaker, Rejected, State, Ticket};

use super::error::ServiceError;
use super::error_context::ErrorContext;
use super::open_calls::Room;
use super::service::CircuitBreakerService;
use super::state_data::CircuitBreakerStateData;

/// Who refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusedBy {
    /// The circuit, for this cause.
    Circuit(Cause),
    /// A downstream checker.
    Downstream,
}

/// Whether a call may be made, with the state that said so.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerDecision {
    /// Whether it may be made.
    pub allowed: bool,
    /// The circuit after the decision; its `state` is the one that decided. Given back as `hint_state` it names this call.
    pub state: CircuitBreakerStateData,
    /// Who refused it.
    pub refused_by: Option<RefusedBy>,
    /// When a call may be allowed, where that is known.
    pub retry_after: Option<Duration>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// It settled a call that had been allowed. If the circuit has changed its state since then, the circuit counts it as
    /// stale, and it changes nothing else.
    Settled,
    /// No allowed call was waiting for it; it counted as a call of its own.
    Counted,
    /// It changed nothing: the call it names is settled or its lease has ended, the circuit takes no results now from calls
    /// that it did not allow, or the service is disabled.
    Dropped,
}

/// What admission came to.
pub(super) enum Admitted {
    /// Nobody was asked.
    Unguarded,
    /// The ticket is kept under this number.
    Kept { number: u64, probe: bool },
    /// It was refused; by its circuit, unless there is no rejection.
    Refused(Option<Rejected>),
}

impl CircuitBreakerService {
    /// Whether a call may be made. If so, the caller makes it and records what it came to: the service keeps a ticket until
    /// then.
    ///
    /// A record settles the circuit's oldest call that waits for one. A call that nobody records is cancelled when its lease
    /// (`call_lease`) ends, or when more than `max_open_calls` wait: it then counts neither way. A half-open call that nobody
    /// records has failed after `half_open_stuck_timeout`, as it has everywhere.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    pub fn should_allow(&self, service_name: &str) -> Result<bool, ServiceError> {
        if !self.is_enabled() {
            return Ok(true);
        }
        let breaker = self.circuit(service_name)?;
        Ok(!matches!(self.admit(&breaker), Admitted::Refused(_)))
    }

    /// As [`should_allow`](Self::should_allow), with the state that said so.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    ///
    /// ```
    /// use fuseboard_services::circuits::CircuitBreakerService;
    ///
    /// let service = CircuitBreakerService::default();
    /// let decision = service.should_allow_with_state("payments")?;
    /// assert!(decision.allowed);
    /// // Not just some call of `payments`, but this one:
    /// service.record_success("payments", Some(&decision.state))?;
    /// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
    /// ```
    pub fn should_allow_with_state(
        &self,
        service_name: &str,
    ) -> Result<CircuitBreakerDecision, ServiceError> {
        let breaker = self.circuit(service_name)?;
        let admitted = if self.is_enabled() { self.admit(&breaker) } else { Admitted::Unguarded };
        Ok(self.decision(&breaker, &admitted))
    }

    /// Records that a call did what it should.
    ///
    /// With the `hint_state` of the [decision](Self::should_allow_with_state) that allowed it, it settles that very call;
    /// without, the circuit's oldest one. If none waits, it counts as a call of its own where the circuit is closed or pinned
    /// so that calls go through, and not at all elsewhere: nobody can close a half-open circuit with calls that it did not
    /// allow. Callers of one circuit should all give hints or none: without one, somebody else's call may be settled.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    pub fn record_success(
        &self,
        service_name: &str,
        hint_state: Option<&CircuitBreakerStateData>,
    ) -> Result<Recorded, ServiceError> {
        self.record(service_name, hint_state, Ticket::success)
    }

    /// Records that a call failed, and what is known of that. Otherwise as [`record_success`](Self::record_success).
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    pub fn record_failure(
        &self,
        service_name: &str,
        error_context: Option<ErrorContext>,
        hint_state: Option<&CircuitBreakerStateData>,
    ) -> Result<Recorded, ServiceError> {
        // Without a word the circuit would not remember when its last failure was.
        let failure = error_context.map_or("failed".into(), ErrorContext::into_failure);
        self.record(service_name, hint_state, |ticket| ticket.failure(failure))
    }

    /// Records that a call came to neither: it does not count, and its half-open slot is free again at once.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    pub fn record_ignored(
        &self,
        service_name: &str,
        hint_state: Option<&CircuitBreakerStateData>,
    ) -> Result<Recorded, ServiceError> {
        self.record(service_name, hint_state, Ticket::ignored)
    }

    /// How many calls of that circuit were allowed here and wait for their record.
    pub fn get_open_calls(&self, service_name: &str) -> usize {
        self.calls.count(service_name, self.clock.now())
    }

    pub(super) fn admit(&self, breaker: &CircuitBreaker) -> Admitted {
        let name = breaker.name();
        if !self.checkers.allow(name) {
            return Admitted::Refused(None);
        }
        self.catch_up();
        let ticket = match breaker.try_acquire() {
            Ok(ticket) => ticket,
            Err(rejected) => return Admitted::Refused(Some(rejected)),
        };
        let probe = ticket.is_probe();
        let lease = self.config.call_lease;
        let probe_lease = if probe { breaker.rules().probe_timeout() } else { lease };
        let room = Room { lease, probe_lease, most: self.config.max_open_calls as usize };
        let number = self.calls.keep(name, ticket, self.clock.now(), room);
        Admitted::Kept { number, probe }
    }

    /// Another thread may have changed the circuit between the decision and this look at it: the state is then still the one
    /// that decided.
    pub(super) fn decision(
        &self,
        breaker: &CircuitBreaker,
        admitted: &Admitted,
    ) -> CircuitBreakerDecision {
        let mut state = self.read(breaker);
        let (allowed, refused_by) = match admitted {
            Admitted::Unguarded => (true, None),
            Admitted::Kept { number, probe } => {
                state.admission = Some(*number);
                if *probe {
                    state.state = State::HalfOpen;
                } else if matches!(state.state, State::Open | State::ForcedOpen | State::HalfOpen) {
                    state.state = State::Closed;
                }
                (true, None)
            }
            Admitted::Refused(None) => (false, Some(RefusedBy::Downstream)),
            Admitted::Refused(Some(rejected)) => {
                (state.state, state.retry_after) = (rejected.state, rejected.retry_after);
                (false, Some(RefusedBy::Circuit(rejected.cause)))
            }
        };
        let retry_after = if allowed { None } else { state.retry_after };
        CircuitBreakerDecision { allowed, state, refused_by, retry_after }
    }

    fn record(
        &self,
        service_name: &str,
        hint_state: Option<&CircuitBreakerStateData>,
        settle: impl FnOnce(Ticket),
    ) -> Result<Recorded, ServiceError> {
        if !self.is_enabled() {
            return Ok(Recorded::Dropped);
        }
        let now = self.catch_up();
        let named = hint_state
            .filter(|hint| hint.service_name == service_name)
            .and_then(|hint| hint.admission);
        if let Some(ticket) = self.calls.take(service_name, named, now) {
            settle(ticket);
            return Ok(Recorded::Settled);
        }
        if named.is_some() {
            return Ok(Recorded::Dropped);
        }
        Ok(self.record_unasked(&self.circuit(service_name)?, settle))
    }

    /// A result of a call that nobody asked to make.
    fn record_unasked(&self, breaker: &CircuitBreaker, settle: impl FnOnce(Ticket)) -> Recorded {
        if matches!(breaker.state(), State::Open | State::HalfOpen | State::ForcedOpen) {
            return Recorded::Dropped;
        }
        match breaker.try_acquire() {
            Ok(ticket) if !ticket.is_probe() => {
                settle(ticket);
                Recorded::Counted
            }
            Ok(_) | Err(_) => Recorded::Dropped,
        }
    }
}
