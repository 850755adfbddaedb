//! `circuit_breaker`: failures since its beginning.

use circuit_breaker::{CircuitBreaker, CircuitBreakerError, CircuitState};

use super::OPEN_FOR;
use crate::protect::{Answer, Fault, Protect, Told};

pub(crate) struct Cumulative(CircuitBreaker);

pub(crate) fn cumulative() -> Cumulative {
    Cumulative(CircuitBreaker::new(100, OPEN_FOR))
}

/// Stays closed although failures add up and no success takes them back.
pub(crate) fn patient() -> Cumulative {
    Cumulative(CircuitBreaker::new(u32::MAX, OPEN_FOR))
}

impl Protect for Cumulative {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        match self.0.execute(call) {
            Ok(value) => Answer::Value(value),
            Err(error) if error.is::<CircuitBreakerError>() => Answer::Rejected,
            Err(_) => Answer::Failed,
        }
    }

    fn told(&self) -> Option<Told> {
        Some(match self.0.state() {
            CircuitState::Closed => Told::Closed,
            CircuitState::Open => Told::Open,
            CircuitState::HalfOpen => Told::Other,
        })
    }
}
