//! The sweep that notices what is due although nobody calls.

use std::sync::TryLockError;
use std::time::Duration;

use fuseboard_core::policy::Retry;
use fuseboard_core::{CircuitBreaker, State};

use super::service::CircuitBreakerService;

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryCheck {
    /// Whether it took place; it does not where the service is disabled.
    pub success: bool,
    /// The circuits that went from open to half-open, by name.
    pub transitioned: Vec<String>,
    /// How many those are.
    pub count: usize,
    /// What happened, for people.
    pub message: String,
}

impl CircuitBreakerService {
    /// Makes open circuits half-open whose deadline has come, cancels calls whose lease has ended, and ends overrides and pins
    /// whose time is over. Every call does this for its own circuit: the sweep, say once a minute, is for circuits that nobody
    /// calls.
    ///
    /// A circuit becomes half-open by a call that is not made; it is counted as cancelled. Of sweeps at the same time only one
    /// does anything.
    ///
    /// ```
    /// use fuseboard_services::circuits::CircuitBreakerService;
    ///
    /// let check = CircuitBreakerService::default().check_recovery_transitions();
    /// assert_eq!((check.success, check.count), (true, 0));
    /// ```
    pub fn check_recovery_transitions(&self) -> RecoveryCheck {
        if !self.is_enabled() {
            let message = "the service is disabled".to_owned();
            return RecoveryCheck { message, ..RecoveryCheck::default() };
        }
        let _one_at_a_time = match self.sweeping.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let message = "another sweep is under way".to_owned();
                return RecoveryCheck { success: true, message, ..RecoveryCheck::default() };
            }
        };
        let now = self.catch_up();
        self.calls.lapse(now);
        let all = self.repository.all();
        let due = all.iter().filter(|breaker| became_half_open(breaker));
        let transitioned: Vec<String> = due.map(|breaker| breaker.name().to_owned()).collect();
        let count = transitioned.len();
        let message = format!("{count} of {} circuits became half_open", all.len());
        RecoveryCheck { success: true, transitioned, count, message }
    }
}

/// Attempts a call where one is due, and gives its ticket back.
fn became_half_open(breaker: &CircuitBreaker) -> bool {
    let info = breaker.info();
    let asks_each_time = matches!(breaker.rules().retry(), Retry::Custom(_));
    let due =
        info.retry_after == Some(Duration::ZERO) || info.retry_after.is_none() && asks_each_time;
    if info.state != State::Open || !due {
        return false;
    }
    drop(breaker.try_acquire());
    breaker.state() == State::HalfOpen
}
