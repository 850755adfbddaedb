//! gRPC: `grpc-status` says what the call came to, in the headers or in the trailers.

use std::time::Duration;

use fuseboard_core::{CircuitBreaker, Failure, Judgement, Outcome};
use http::{HeaderMap, Response, StatusCode};

use super::Classify;

/// Judges an [`http::Response`] by its gRPC status; errors are judged by the circuit's trackers.
///
/// | code | outcome |
/// |---|---|
/// | 2 `UNKNOWN`, 4 `DEADLINE_EXCEEDED`, 8 `RESOURCE_EXHAUSTED`, 13 `INTERNAL`, 14 `UNAVAILABLE`, 15 `DATA_LOSS` | failure |
/// | 1 `CANCELLED` | ignored |
/// | every other | success |
///
/// Failures say that the service is broken, late or overloaded; [`failing_on`](Self::failing_on) takes another list.
/// `CANCELLED` says that the caller left. The rest are answers: the request was at fault, or there was a conflict that
/// the service is meant to tell.
///
/// The status of an answer without messages is in its headers; that of any other in the trailers, which are seen where
/// [bodies are watched](crate::CircuitBreakerLayer::watch_bodies). There, a body that ends without one failed. A
/// response whose HTTP status is not 200 counts as [the code that gRPC maps it to][map]. `grpc-retry-pushback-ms` tells
/// when to come back.
///
/// [map]: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    /// One bit for each code that is a failure.
    failures: u32,
}

const OK: u8 = 0;
const CANCELLED: u8 = 1;
const UNKNOWN: u8 = 2;
const PERMISSION_DENIED: u8 = 7;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// By number, as the protocol names them.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Default for GrpcStatus {
    fn default() -> Self {
        GrpcStatus::failing_on([2, 4, 8, 13, 14, 15])
    }
}

impl GrpcStatus {
    /// The codes in `failures` are failures, and no others. Codes that gRPC does not have count as 2 `UNKNOWN`.
    ///
    /// ```
    /// use fuseboard_tower::GrpcStatus;
    ///
    /// // This service answers UNKNOWN for whatever its callers did wrong.
    /// let classify = GrpcStatus::failing_on([4, 8, 13, 14, 15]);
    /// assert_ne!(classify, GrpcStatus::default());
    /// ```
    pub fn failing_on(failures: impl IntoIterator<Item = u8>) -> Self {
        let bits = failures.into_iter().map(|code| 1 << known(code));
        GrpcStatus { failures: bits.fold(0, |all, bit: u32| all | bit) }
    }

    fn judge(self, code: u8, told: &HeaderMap) -> Judgement {
        let code = known(code);
        if self.failures & 1 << code != 0 {
            let failure = Failure::new(NAMES[usize::from(code)]);
            return match pushback(told) {
                Some(wait) => failure.retry_after(wait).into(),
                None => failure.into(),
            };
        }
        match code {
            CANCELLED => Outcome::Ignored.into(),
            _ => Outcome::Success.into(),
        }
    }
}

impl<B, Error: 'static> Classify<Response<B>, Error> for GrpcStatus {
    fn classify(
        &self,
        circuit: &CircuitBreaker,
        result: Result<&Response<B>, &Error>,
    ) -> Judgement {
        let response = match result {
            Ok(response) => response,
            Err(error) => return circuit.judge(Err::<&(), _>(error)),
        };
        let code = code(response.headers()).unwrap_or_else(|| mapped(response.status()));
        self.judge(code, response.headers())
    }

    fn classify_end(&self, trailers: Option<&HeaderMap>) -> Judgement {
        match trailers.and_then(|trailers| Some((code(trailers)?, trailers))) {
            Some((code, trailers)) => self.judge(code, trailers),
            None => Failure::new("the answer ended without a grpc-status").into(),
        }
    }
}

/// The code, if it is one that gRPC has.
fn known(code: u8) -> u8 {
    if usize::from(code) < NAMES.len() { code } else { UNKNOWN }
}

/// What `grpc-status` says; what is no number is 2 `UNKNOWN`.
fn code(headers: &HeaderMap) -> Option<u8> {
    let value = headers.get("grpc-status")?;
    Some(value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(UNKNOWN))
}

fn mapped(status: StatusCode) -> u8 {
    match status.as_u16() {
        200 => OK,
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// How long the service asks to wait; a negative number, which forbids a retry at all, names no time.
fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get("grpc-retry-pushback-ms")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}
