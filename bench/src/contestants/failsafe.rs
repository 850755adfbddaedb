//! `failsafe`: a moving average over time, or failures in a row.

use std::time::Duration;

use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{self, ConsecutiveFailures, SuccessRateOverTimeWindow};
use failsafe::{CircuitBreaker, Config, Error, FailurePolicy, StateMachine, futures};

use super::{MINUTE, OPEN_FOR};
use crate::protect::{Answer, Fault, Protect, ProtectAsync, Told};

pub(crate) struct Failsafe<P>(StateMachine<P, ()>);

/// The moving average over a minute.
pub(crate) fn average() -> Failsafe<SuccessRateOverTimeWindow<Constant>> {
    average_over(MINUTE)
}

/// The moving average over the shortest window there is, because it does not open before one has passed.
pub(crate) fn short_average() -> Failsafe<SuccessRateOverTimeWindow<Constant>> {
    average_over(Duration::from_secs(1))
}

pub(crate) fn consecutive() -> Failsafe<ConsecutiveFailures<Constant>> {
    let policy = failure_policy::consecutive_failures(100, backoff::constant(OPEN_FOR));
    Failsafe(Config::new().failure_policy(policy).build())
}

fn average_over(window: Duration) -> Failsafe<SuccessRateOverTimeWindow<Constant>> {
    let backoff = backoff::constant(OPEN_FOR);
    let policy = failure_policy::success_rate_over_time_window(0.5, 100, window, backoff);
    Failsafe(Config::new().failure_policy(policy).build())
}

impl<P: FailurePolicy> Failsafe<P> {
    /// Only the debug form of the state machine names its state.
    fn state(&self) -> Told {
        match format!("{:?}", self.0).as_str() {
            "StateMachine { state: \"closed\" }" => Told::Closed,
            "StateMachine { state: \"open\" }" => Told::Open,
            _ => Told::Other,
        }
    }
}

impl<P: FailurePolicy + Send + Sync + 'static> Protect for Failsafe<P> {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        answer(CircuitBreaker::call(&self.0, call))
    }

    fn told(&self) -> Option<Told> {
        Some(self.state())
    }
}

impl<P: FailurePolicy + Send + Sync + 'static> ProtectAsync for Failsafe<P> {
    #[inline]
    async fn protect<F>(&self, call: impl Fn() -> F) -> Answer<()>
    where
        F: Future<Output = Result<(), Fault>>,
    {
        answer(futures::CircuitBreaker::call(&self.0, call()).await)
    }

    fn told(&self) -> Option<Told> {
        Some(self.state())
    }
}

#[inline]
fn answer<T>(result: Result<T, Error<Fault>>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Value(value),
        Err(Error::Inner(Fault)) => Answer::Failed,
        Err(Error::Rejected) => Answer::Rejected,
    }
}
