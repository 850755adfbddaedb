//! What a response, or an error, says about the circuit.

use fuseboard_core::{CircuitBreaker, Judgement, LightTicket};

#[cfg(feature = "http")]
mod grpc;
#[cfg(feature = "http")]
mod status;

#[cfg(feature = "http")]
pub use grpc::GrpcStatus;
#[cfg(feature = "http")]
pub use status::HttpStatus;

/// Judges what the inner service came to.
///
/// Functions `Fn(Result<&Response, &Error>) -> impl Into<Judgement>` do: they return an
/// [`Outcome`](fuseboard_core::Outcome), or a [`Failure`](fuseboard_core::Failure) with a message and a hint when to
/// come back. Ready-made are [`Trackers`], [`HttpStatus`](crate::HttpStatus) and [`GrpcStatus`](crate::GrpcStatus). It
/// is cloned for each call, so it should be cheap to clone. If it panics, the call is a failure.
///
/// The idea to classify apart from counting is linkerd's.
///
/// ```
/// use fuseboard_core::Outcome;
/// use fuseboard_tower::CircuitBreakerLayer;
/// # let breaker = fuseboard_core::CircuitBreaker::builder("search").build()?;
///
/// // A search that finds nothing is a failure; so is every error.
/// let found = |result: Result<&Vec<String>, &std::io::Error>| match result {
///     Ok(hits) if !hits.is_empty() => Outcome::Success,
///     _ => Outcome::Failure,
/// };
/// let layer = CircuitBreakerLayer::new(breaker).classify(found);
/// # let _ = layer;
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
pub trait Classify<Response, Error> {
    /// What `result` comes to. `circuit` is the one that admitted the call, whose own trackers can be asked with
    /// [`CircuitBreaker::judge`].
    fn classify(&self, circuit: &CircuitBreaker, result: Result<&Response, &Error>) -> Judgement;

    /// What a body comes to that arrived whole, after a response that was a success; `trailers` are what came after the
    /// data. Asked only where [bodies are watched](crate::CircuitBreakerLayer::watch_bodies). A success unless
    /// implemented.
    #[cfg(feature = "http")]
    fn classify_end(&self, trailers: Option<&http::HeaderMap>) -> Judgement {
        let _ = trailers;
        fuseboard_core::Outcome::Success.into()
    }

    /// Settles a call by what its result comes to. A classifier that can do without the circuit need not look for it.
    #[doc(hidden)]
    #[inline]
    fn settle_light(&self, ticket: LightTicket, result: Result<&Response, &Error>) {
        if let Some(circuit) = ticket.breaker() {
            ticket.settle(self.classify(&circuit, result));
        }
    }
}

/// Judges by the circuit's own trackers, as [`CircuitBreaker::call`] does: unless its rules say otherwise, every
/// response is a success and every error a failure, but for a rejection by an inner breaker, which is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trackers;

impl<Response: 'static, Error: 'static> Classify<Response, Error> for Trackers {
    #[inline]
    fn classify(&self, circuit: &CircuitBreaker, result: Result<&Response, &Error>) -> Judgement {
        circuit.judge(result)
    }

    #[inline]
    fn settle_light(&self, ticket: LightTicket, result: Result<&Response, &Error>) {
        let asked = match result {
            Ok(_) => ticket.try_success(),
            Err(_) => Err(ticket),
        };
        if let Err(ticket) = asked {
            judge_light(ticket, result);
        }
    }
}

impl<Response, Error, F, J> Classify<Response, Error> for F
where
    F: Fn(Result<&Response, &Error>) -> J,
    J: Into<Judgement>,
{
    #[inline]
    fn classify(&self, _circuit: &CircuitBreaker, result: Result<&Response, &Error>) -> Judgement {
        self(result).into()
    }

    #[inline]
    fn settle_light(&self, ticket: LightTicket, result: Result<&Response, &Error>) {
        ticket.settle(self(result));
    }
}

#[cold]
#[inline(never)]
fn judge_light<Response: 'static, Error: 'static>(
    ticket: LightTicket,
    result: Result<&Response, &Error>,
) {
    if let Some(circuit) = ticket.breaker() {
        ticket.settle(circuit.judge(result));
    }
}
