//! Ready-made answers to calls that were not made. They do not name the circuit, which is nobody's business outside.

use fuseboard_core::Rejected;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

/// HTTP 503 with an empty body, and with `Retry-After` in whole seconds where the circuit knows when to come back.
///
/// ```
/// use fuseboard_core::CircuitBreaker;
/// use fuseboard_tower::{CircuitBreakerLayer, service_unavailable};
/// use std::convert::Infallible;
///
/// type Response = http::Response<String>;
/// # let breaker = CircuitBreaker::builder("payments").build()?;
/// let layer = CircuitBreakerLayer::new(breaker).map_rejected(
///     |rejected, _request: http::Request<String>| Ok::<Response, Infallible>(service_unavailable(rejected)),
/// );
/// # let _ = layer;
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
pub fn service_unavailable<B: Default>(rejected: Rejected) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    // A capture further out must not take it for the answer of a service that may have done something.
    #[cfg(feature = "dlq")]
    response.extensions_mut().insert(fuseboard_services::capture::Undone::Rejected);
    if let Some(wait) = rejected.retry_after {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// gRPC status 14 `UNAVAILABLE` without messages, and with `grpc-retry-pushback-ms` where the circuit knows when to
/// come back.
pub fn grpc_unavailable<B: Default>(rejected: Rejected) -> Response<B> {
    let mut response = Response::new(B::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static("14"));
    headers.insert("grpc-message", HeaderValue::from_static("the circuit is open"));
    if let Some(wait) = rejected.retry_after {
        let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        headers.insert("grpc-retry-pushback-ms", millis.into());
    }
    response
}
