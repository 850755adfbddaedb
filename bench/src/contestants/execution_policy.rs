//! `execution-policy`: a policy that is a breaker and nothing else.

use execution_policy::{
    BreakerState, CircuitBreaker, DefaultCore, ExecutionError, ExecutionPolicy,
    ExecutionPolicyBuilder,
};

use super::{MINUTE, OPEN_FOR};
use crate::protect::{Answer, Fault, ProtectAsync, Told};

pub(crate) struct Policy(ExecutionPolicy<DefaultCore, (), Fault>);

pub(crate) fn failure_ratio() -> Policy {
    let breaker = CircuitBreaker::failure_ratio().ratio(0.5).minimum_throughput(100);
    let breaker = breaker.sampling_window(MINUTE).open_for(OPEN_FOR);
    Policy(ExecutionPolicyBuilder::new().circuit_breaker(breaker).build())
}

impl ProtectAsync for Policy {
    #[inline]
    async fn protect<F>(&self, call: impl Fn() -> F) -> Answer<()>
    where
        F: Future<Output = Result<(), Fault>>,
    {
        match self.0.run(async || call().await).await {
            Ok(()) => Answer::Value(()),
            Err(ExecutionError::Operation { .. }) => Answer::Failed,
            Err(_) => Answer::Rejected,
        }
    }

    fn told(&self) -> Option<Told> {
        self.0.circuit_state().map(|state| match state {
            BreakerState::Closed => Told::Closed,
            BreakerState::Open => Told::Open,
            BreakerState::HalfOpen | BreakerState::Disabled => Told::Other,
        })
    }
}
