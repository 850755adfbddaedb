//! The layer: what it takes to make letters of requests, and requests of letters.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::{CallError, CircuitBreaker, Judgement, Outcome, Rejected};
use fuseboard_services::capture::{CaptureRule, Captures, Undone, undone_by};
use fuseboard_services::store::Priority;
use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::builder::CaptureLayerBuilder;
use super::replay::ServiceReplay;
use super::service::CaptureService;
use crate::{Classify, HttpStatus};

/// Makes letters of requests that were not done. See [the module](crate::capture).
///
/// The type parameters are what the builder's methods choose: the answer to a queued request, what responses come to
/// ([`Classify`]), what errors tell ([`Tell`]), and what is served instead ([`Serve`]).
pub struct CaptureLayer<A, C = HttpStatus, U = ByError, F = Nothing> {
    pub(super) settings: Arc<Settings<A, C, U, F>>,
}

pub(super) struct Settings<A, C, U, F> {
    pub(super) captures: Captures,
    pub(super) breaker: CircuitBreaker,
    pub(super) rule: CaptureRule,
    pub(super) limit: u64,
    pub(super) domain: String,
    pub(super) priority: Priority,
    pub(super) answer: A,
    pub(super) classify: C,
    pub(super) tell: U,
    pub(super) fallback: F,
}

/// What an error tells about why a request was not done.
///
/// Functions `Fn(&Error) -> Undone` do, or `-> Option<Undone>`: `None` if another try would be answered the same.
pub trait Tell<E> {
    /// Why it was not done.
    fn undone(&self, error: &E) -> Option<Undone>;
}

impl<E, U: Into<Option<Undone>>, T: Fn(&E) -> U> Tell<E> for T {
    fn undone(&self, error: &E) -> Option<Undone> {
        self(error).into()
    }
}

/// Rejections are rejections, and other errors tell by themselves and their sources, as
/// [`undone_by`](fuseboard_services::capture::undone_by) reads them.
///
/// It knows [`CallError`], which a [`CircuitBreakerLayer`](crate::CircuitBreakerLayer) returns, boxed errors, and `Infallible`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByError;

impl<E: Error + 'static> Tell<CallError<E>> for ByError {
    fn undone(&self, error: &CallError<E>) -> Option<Undone> {
        Some(match error {
            CallError::Rejected(_) => Undone::Rejected,
            CallError::Failed(error) => undone_by(error),
        })
    }
}

impl Tell<Box<dyn Error + Send + Sync>> for ByError {
    fn undone(&self, error: &Box<dyn Error + Send + Sync>) -> Option<Undone> {
        Some(match error.is::<Rejected>() {
            true => Undone::Rejected,
            false => undone_by(&**error),
        })
    }
}

impl Tell<Infallible> for ByError {
    fn undone(&self, error: &Infallible) -> Option<Undone> {
        match *error {}
    }
}

/// What is served instead of a request that was not done, if anything.
///
/// Functions `Fn(Undone, &http::request::Parts) -> Option<http::Response<Body>>` do.
pub trait Serve<B> {
    /// The answer, if there is one.
    fn serve(&self, undone: Undone, head: &Parts) -> Option<Response<B>>;
}

impl<B, F: Fn(Undone, &Parts) -> Option<Response<B>>> Serve<B> for F {
    fn serve(&self, undone: Undone, head: &Parts) -> Option<Response<B>> {
        self(undone, head)
    }
}

/// Nothing is served instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl<B> Serve<B> for Nothing {
    fn serve(&self, _: Undone, _: &Parts) -> Option<Response<B>> {
        None
    }
}

/// Why a request was not done, as far as it is known.
pub(super) struct NotDone {
    /// `None` if another try would be answered the same.
    pub(super) undone: Option<Undone>,
    /// When the other side said to come back.
    pub(super) retry_after: Option<Duration>,
}

impl<A, C, U, F> Settings<A, C, U, F> {
    /// What a result comes to for the circuit.
    pub(super) fn judge<B, E>(&self, result: Result<&Response<B>, &E>) -> Judgement
    where
        C: Classify<Response<B>, E>,
    {
        self.classify.classify(&self.breaker, result)
    }

    /// Why it was not done; `None` if it was.
    pub(super) fn not_done<B, E>(&self, result: &Result<Response<B>, E>) -> Option<NotDone>
    where
        C: Classify<Response<B>, E>,
        U: Tell<E>,
    {
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                return Some(NotDone { undone: self.tell.undone(error), retry_after: None });
            }
        };
        let judgement = self.judge(Ok(response));
        let retry_after = judgement.failure.and_then(|failure| failure.retry_after_hint());
        let marked = response.extensions().get::<Undone>().copied();
        let undone = marked.or((judgement.outcome == Outcome::Failure).then_some(Undone::Failure));
        undone.map(|undone| NotDone { undone: Some(undone), retry_after })
    }
}

impl<A> CaptureLayer<A> {
    /// Puts a layer together, for requests that go through `breaker`. `answer` makes the response to a queued request:
    /// [`accepted`](crate::accepted), or a function of your own.
    pub fn builder(
        captures: &Captures,
        breaker: &CircuitBreaker,
        answer: A,
    ) -> CaptureLayerBuilder<A> {
        CaptureLayerBuilder::new(captures.clone(), breaker.clone(), answer)
    }
}

/// What does the letters of a layer around a circuit breaker again.
pub(super) type Replaying<S, B, E, A, C, U, F> =
    ServiceReplay<S, B, fn(E) -> CallError<E>, A, C, U, F>;

impl<A, C, U, F> CaptureLayer<A, C, U, F> {
    /// Does the layer's letters again, through `service`: the inner one, without the circuit breaker, because a replay takes
    /// its ticket itself. Its responses and errors are judged as if they had come through the breaker.
    pub fn replay<B, S>(&self, service: S) -> Replaying<S, B, S::Error, A, C, U, F>
    where
        S: Service<Request<B>>,
    {
        self.replay_with(service, CallError::Failed)
    }

    /// As [`replay`](Self::replay), where the layer sees other errors than a breaker's: `wrap` makes them of the service's.
    pub fn replay_with<B, S, W>(&self, service: S, wrap: W) -> ServiceReplay<S, B, W, A, C, U, F> {
        ServiceReplay::new(service, wrap, Arc::clone(&self.settings))
    }

    /// What it keeps.
    pub fn rule(&self) -> CaptureRule {
        self.settings.rule
    }
}

impl<S, A, C, U, F> Layer<S> for CaptureLayer<A, C, U, F> {
    type Service = CaptureService<S, A, C, U, F>;

    fn layer(&self, inner: S) -> Self::Service {
        CaptureService::new(inner, Arc::clone(&self.settings))
    }
}

impl<A, C, U, F> Clone for CaptureLayer<A, C, U, F> {
    fn clone(&self) -> Self {
        CaptureLayer { settings: Arc::clone(&self.settings) }
    }
}

impl<A, C, U, F> fmt::Debug for CaptureLayer<A, C, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CaptureLayer");
        debug.field("circuit", &self.settings.breaker.name()).field("rule", &self.settings.rule);
        debug.finish_non_exhaustive()
    }
}
