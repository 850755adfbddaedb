//! The order among retry, breaker and timeout, as the crate's guide teaches it.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fuseboard_core::policy::failure_streak;
use fuseboard_core::{CallError, State};
use fuseboard_tower::CircuitBreakerLayer;
use tower::retry::Policy;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Circuit, SEC, rules};

/// Tries again, ten times at most, unless the circuit rejected.
#[derive(Clone)]
struct TenTimes(u32);

impl Policy<u32, u32, CallError<&'static str>> for TenTimes {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _request: &mut u32,
        result: &mut Result<u32, CallError<&'static str>>,
    ) -> Option<Ready<()>> {
        self.0 = self.0.checked_sub(1)?;
        matches!(result, Err(CallError::Failed(_))).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

#[tokio::test]
async fn around_the_breaker_a_retry_is_a_call_of_its_own_and_stops_when_the_circuit_opens() {
    let circuit = Circuit::with(rules().tripper(failure_streak(3)));
    let tries = Arc::new(AtomicU32::new(0));
    let tried = Arc::clone(&tries);
    let service = ServiceBuilder::new()
        .retry(TenTimes(10))
        .layer(CircuitBreakerLayer::new(circuit.breaker.clone()))
        .service(service_fn(move |_: u32| {
            tried.fetch_add(1, Ordering::Relaxed);
            ready(Err::<u32, _>("refused"))
        }));
    let result = service.oneshot(1).await;
    assert!(matches!(result, Err(CallError::Rejected(_))), "{result:?}");
    assert_eq!((tries.load(Ordering::Relaxed), circuit.info().totals.failure), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn within_the_breaker_a_timeout_is_a_failure() {
    let circuit = Circuit::new();
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.breaker.clone()))
        .timeout(SEC)
        .service(service_fn(|_: u32| pending::<Result<u32, Infallible>>()));
    assert!(service.oneshot(1).await.is_err());
    assert_eq!((circuit.info().totals.failure, circuit.state()), (1, State::Open));
}

#[tokio::test(start_paused = true)]
async fn around_the_breaker_a_timeout_cancels_and_only_cancelled_after_makes_that_a_failure() {
    for (rules, word) in [(rules(), "cancelled"), (rules().cancelled_after(SEC), "failure")] {
        let circuit = Circuit::with(rules);
        let clock = Arc::clone(&circuit.clock);
        let service = ServiceBuilder::new()
            .timeout(SEC)
            .layer(CircuitBreakerLayer::new(circuit.breaker.clone()))
            .service(service_fn(move |_: u32| {
                clock.advance(SEC);
                pending::<Result<u32, Infallible>>()
            }));
        assert!(service.oneshot(1).await.is_err());
        let grown = circuit.info().totals.by_outcome();
        let grown: Vec<_> = grown.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(grown, [(word, 1)]);
    }
}
