//! `circuitbreaker-rs`: rates over a lifetime.

use circuitbreaker_rs::{BreakerError, CircuitBreaker, DefaultPolicy, State};

use super::OPEN_FOR;
use crate::protect::{Answer, Fault, Protect, ProtectAsync, Told};

pub(crate) struct Lifetime(CircuitBreaker<DefaultPolicy, Fault>);

pub(crate) fn lifetime() -> Lifetime {
    let builder = CircuitBreaker::<DefaultPolicy, Fault>::builder();
    let builder = builder.failure_threshold(0.5).min_throughput(100).consecutive_failures(100);
    Lifetime(builder.cooldown(OPEN_FOR).build())
}

impl Lifetime {
    fn state(&self) -> Told {
        match self.0.current_state() {
            State::Closed => Told::Closed,
            State::Open => Told::Open,
            State::HalfOpen => Told::Other,
        }
    }
}

impl Protect for Lifetime {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        answer(self.0.call(call))
    }

    fn told(&self) -> Option<Told> {
        Some(self.state())
    }
}

impl ProtectAsync for Lifetime {
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
fn answer<T>(result: Result<T, BreakerError<Fault>>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Value(value),
        Err(BreakerError::Operation(Fault)) => Answer::Failed,
        Err(_) => Answer::Rejected,
    }
}
