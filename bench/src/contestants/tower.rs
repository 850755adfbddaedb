//! Tower: a service that is always ready, alone and under `tower-resilience-circuitbreaker`.

use std::future::{Ready, ready};

use tower::{Layer, Service, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};

use super::OPEN_FOR;
use crate::protect::{Answer, Fault};
use crate::traffic::opaque_ok;

impl From<Fault> for Answer<()> {
    fn from(Fault: Fault) -> Self {
        Answer::Failed
    }
}

impl From<CircuitBreakerError<Fault>> for Answer<()> {
    fn from(error: CircuitBreakerError<Fault>) -> Self {
        match error {
            CircuitBreakerError::Inner(Fault) => Answer::Failed,
            CircuitBreakerError::OpenCircuit => Answer::Rejected,
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

pub(crate) fn resilience()
-> impl Service<(), Response = (), Error = CircuitBreakerError<Fault>> + Clone + Send + 'static {
    let builder = CircuitBreakerLayer::builder().failure_rate_threshold(0.5);
    let builder = builder.sliding_window_size(100).minimum_number_of_calls(100);
    let layer = builder.wait_duration_in_open(OPEN_FOR).build();
    layer.expect("these settings are possible").layer(ready_service())
}
