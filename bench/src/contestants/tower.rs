//! Tower: a service that is always ready, alone, under our layer, and under `tower-resilience-circuitbreaker`.

use std::future::{Ready, ready};

use fuseboard_core::policy::{Retry, Window, failure_rate, min_requests};
use fuseboard_core::{CallError, CircuitBreaker, Rules};
use fuseboard_tower::CircuitBreakerLayer;
use tower::{Layer, Service, service_fn};
use tower_resilience_circuitbreaker as resilience;

use super::OPEN_FOR;
use crate::protect::{Answer, Fault};
use crate::traffic::opaque_ok;

impl From<Fault> for Answer<()> {
    fn from(Fault: Fault) -> Self {
        Answer::Failed
    }
}

impl From<CallError<Fault>> for Answer<()> {
    fn from(error: CallError<Fault>) -> Self {
        match error {
            CallError::Failed(Fault) => Answer::Failed,
            CallError::Rejected(_) => Answer::Rejected,
        }
    }
}

impl From<resilience::CircuitBreakerError<Fault>> for Answer<()> {
    fn from(error: resilience::CircuitBreakerError<Fault>) -> Self {
        match error {
            resilience::CircuitBreakerError::Inner(Fault) => Answer::Failed,
            resilience::CircuitBreakerError::OpenCircuit => Answer::Rejected,
        }
    }
}

/// The service under every layer.
pub(crate) fn ready_service()
-> impl Service<(), Response = (), Error = Fault, Future = Ready<Result<(), Fault>>>
+ Clone
+ Send
+ 'static {
    service_fn(|()| ready(opaque_ok()))
}

/// Our layer, over a breaker with the count window of the other cases.
pub(crate) fn fuseboard()
-> impl Service<(), Response = (), Error = CallError<Fault>> + Clone + Send + 'static {
    let rules = Rules::builder().window(Window::Count(100)).retry(Retry::cooldown(OPEN_FOR));
    let rules = rules.tripper(min_requests(100) & failure_rate(0.5)).build();
    let rules = rules.expect("these rules are possible");
    let breaker = CircuitBreaker::builder("tower").rules(rules).build();
    let breaker = breaker.expect("a circuit can have this name");
    CircuitBreakerLayer::new(breaker).layer(ready_service())
}

pub(crate) fn resilience()
-> impl Service<(), Response = (), Error = resilience::CircuitBreakerError<Fault>>
+ Clone
+ Send
+ 'static {
    let builder = resilience::CircuitBreakerLayer::builder().failure_rate_threshold(0.5);
    let builder = builder.sliding_window_size(100).minimum_number_of_calls(100);
    let layer = builder.wait_duration_in_open(OPEN_FOR).build();
    layer.expect("these settings are possible").layer(ready_service())
}
