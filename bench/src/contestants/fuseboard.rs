//! Ours.

use std::time::Duration;

use fuseboard_core::policy::{Retry, Tripper, Window, failure_rate, min_requests, slow_rate};
use fuseboard_core::{CallError, CircuitBreaker, Rules, State};

use super::{MINUTE, OPEN_FOR};
use crate::protect::{Answer, Fault, Protect, ProtectAsync, Told};

pub(crate) struct Fuseboard(CircuitBreaker);

/// A count window, which needs no clock while the circuit is closed.
pub(crate) fn count_window() -> Fuseboard {
    fuseboard(Window::Count(100), failing())
}

/// A count window, and calls that are slow trip it too.
pub(crate) fn slow_calls() -> Fuseboard {
    fuseboard(
        Window::Count(100),
        failing() | min_requests(100) & slow_rate(0.5, Duration::from_secs(1)),
    )
}

/// A time window.
pub(crate) fn time_window() -> Fuseboard {
    fuseboard(Window::Time(MINUTE), failing())
}

fn failing() -> Tripper {
    min_requests(100) & failure_rate(0.5)
}

fn fuseboard(window: Window, tripper: Tripper) -> Fuseboard {
    let retry = Retry::cooldown(OPEN_FOR);
    let rules = Rules::builder().window(window).tripper(tripper).retry(retry).build();
    let rules = rules.expect("these rules are possible");
    let breaker = CircuitBreaker::builder("bench").rules(rules).build();
    Fuseboard(breaker.expect("a circuit can have this name"))
}

impl From<CircuitBreaker> for Fuseboard {
    fn from(breaker: CircuitBreaker) -> Self {
        Fuseboard(breaker)
    }
}

impl Fuseboard {
    fn state(&self) -> Told {
        match self.0.state() {
            State::Closed => Told::Closed,
            State::Open => Told::Open,
            _ => Told::Other,
        }
    }
}

impl Protect for Fuseboard {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        answer(self.0.call(call))
    }

    fn told(&self) -> Option<Told> {
        Some(self.state())
    }
}

impl ProtectAsync for Fuseboard {
    #[inline]
    async fn protect<F>(&self, call: impl Fn() -> F) -> Answer<()>
    where
        F: Future<Output = Result<(), Fault>>,
    {
        answer(self.0.call_async(call).await)
    }

    fn told(&self) -> Option<Told> {
        Some(self.state())
    }
}

#[inline]
fn answer<T>(result: Result<T, CallError<Fault>>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Value(value),
        Err(CallError::Failed(Fault)) => Answer::Failed,
        Err(CallError::Rejected(_)) => Answer::Rejected,
    }
}
