//! `nobreak`: failures in a row.

use nobreak::{CircuitBreaker, CircuitError, CircuitState};

use super::OPEN_FOR;
use crate::protect::{Answer, Fault, Protect, ProtectAsync, Told};

pub(crate) struct Consecutive(CircuitBreaker);

pub(crate) fn consecutive() -> Consecutive {
    let builder = nobreak::builder().with_failure_threshold(100).with_open_duration(OPEN_FOR);
    Consecutive(builder.build())
}

impl Consecutive {
    fn state(&self) -> Told {
        match self.0.state() {
            CircuitState::Closed => Told::Closed,
            CircuitState::Open => Told::Open,
            CircuitState::HalfOpen => Told::Other,
        }
    }
}

impl Protect for Consecutive {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        answer(self.0.call(call))
    }

    fn told(&self) -> Option<Told> {
        Some(self.state())
    }
}

impl ProtectAsync for Consecutive {
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
fn answer<T>(result: Result<T, CircuitError<Fault>>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Value(value),
        Err(CircuitError::Failed { error: Fault }) => Answer::Failed,
        Err(CircuitError::Open) => Answer::Rejected,
    }
}
