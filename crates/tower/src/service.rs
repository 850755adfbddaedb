//! The service: readiness of the inner one, admission by the circuit.

use std::fmt;
use std::task::{Context, Poll};

use fuseboard_core::{CircuitBreaker, Rejected};
use tower_service::Service;

use crate::admitted::Admitted;
use crate::{
    AsError, AtResponse, CircuitBreakerLayer, Classify, End, Reject, ResponseFuture, Select,
    Trackers, WrapError,
};

/// A service behind a circuit breaker. Made by a [`CircuitBreakerLayer`].
///
/// # Readiness
///
/// It is ready when the inner service is, and passes that service's backpressure on. There is one exception: while the
/// inner service is not ready and the circuit is open, it is ready, and `call` rejects; otherwise callers would queue
/// up behind a dependency that is known to be down. (Not so with [`keyed`](CircuitBreakerLayer::keyed) circuits: before
/// there is a request, nobody knows its circuit. And whoever waits already is woken by the inner service only, not when
/// the circuit opens.)
///
/// Readiness takes nothing from the circuit: a service that was polled ready and dropped holds no slot. The circuit is
/// asked in `call`. An error of the inner `poll_ready` counts as a failed call of the one circuit, unless that rejects.
///
/// # Clones
///
/// A clone shares the circuit, but not the readiness: it must be polled itself. A service that needs an owned inner
/// service for its future must therefore take the one that was polled, and leave the clone in its place:
///
/// ```
/// # use tower::Service;
/// # struct Outer<S> { inner: S }
/// # impl<S: Service<()> + Clone> Outer<S> {
/// # fn call(&mut self) -> impl Future {
/// let clone = self.inner.clone();
/// let mut ready = std::mem::replace(&mut self.inner, clone);
/// async move { ready.call(()).await }
/// # }
/// # }
/// ```
///
/// # Panics
///
/// `call` panics if `poll_ready` has not returned ready since the last call, as Tower's contract allows: the inner
/// service would be called without having been ready.
pub struct CircuitBreakerService<I, S = CircuitBreaker, C = Trackers, R = AsError, E = AtResponse> {
    inner: I,
    layer: CircuitBreakerLayer<S, C, R, E>,
    ready: Ready,
}

/// What `poll_ready` last said.
#[derive(Debug)]
enum Ready {
    /// Nothing, or that it is not.
    No,
    /// The inner service is.
    Inner,
    /// The inner service is not, but the circuit rejects. Boxed, because what is seldom there should not be moved about
    /// with each call.
    ToReject(Box<Rejected>),
}

/// The future of a call.
type Called<I, Request, C, R, E> = ResponseFuture<
    <I as Service<Request>>::Future,
    <E as End<<I as Service<Request>>::Response, <I as Service<Request>>::Error, C>>::Response,
    <R as WrapError<<I as Service<Request>>::Error>>::Error,
    C,
    R,
    E,
>;

impl<I, S, C, R, E> CircuitBreakerService<I, S, C, R, E> {
    pub(crate) fn new(inner: I, layer: CircuitBreakerLayer<S, C, R, E>) -> Self {
        CircuitBreakerService { inner, layer, ready: Ready::No }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &I {
        &self.inner
    }

    /// The inner service itself.
    pub fn into_inner(self) -> I {
        self.inner
    }
}

impl<Request, I, S, C, R, E> Service<Request> for CircuitBreakerService<I, S, C, R, E>
where
    I: Service<Request>,
    S: Select<Request>,
    C: Classify<I::Response, I::Error> + Clone,
    R: Reject<Request, I::Response, I::Error>,
    E: End<I::Response, I::Error, C>,
{
    type Response = E::Response;
    type Error = R::Error;
    type Future = ResponseFuture<I::Future, E::Response, R::Error, C, R, E>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        match self.inner.poll_ready(context) {
            Poll::Ready(Ok(())) => {
                self.ready = Ready::Inner;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.ready = Ready::No;
                self.count_not_ready::<Request>(&error);
                Poll::Ready(Err(R::failed(error)))
            }
            Poll::Pending => self.poll_rejecting::<Request>(),
        }
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let only = self.layer.select.only().filter(|_| matches!(self.ready, Ready::Inner));
        match only.and_then(CircuitBreaker::try_acquire_light) {
            Some(ticket) => {
                self.ready = Ready::No;
                let call = Admitted::Light(Some(ticket));
                let future = self.inner.call(request);
                ResponseFuture::called(future, call, self.layer.classify.clone())
            }
            None => self.call_asked(request),
        }
    }
}

impl<I, S, C, R, E> CircuitBreakerService<I, S, C, R, E> {
    /// Makes the call if the circuit, which has to be asked or is not kept by the service, lets it through.
    #[inline(never)]
    fn call_asked<Request>(&mut self, request: Request) -> Called<I, Request, C, R, E>
    where
        I: Service<Request>,
        S: Select<Request>,
        C: Classify<I::Response, I::Error> + Clone,
        R: Reject<Request, I::Response, I::Error>,
        E: End<I::Response, I::Error, C>,
    {
        let circuit = self.layer.select.select(&request);
        let asked = match std::mem::replace(&mut self.ready, Ready::No) {
            Ready::Inner => Admitted::ask(circuit),
            Ready::ToReject(told) => Err(count_rejection(&circuit, *told)),
            Ready::No => panic!("`call` without `poll_ready`: the inner service need not be ready"),
        };
        let classify = &self.layer.classify;
        match asked {
            Ok(call) => {
                let future = self.inner.call(request);
                ResponseFuture::called(future, call, classify.clone())
            }
            Err(rejected) => {
                let answer = self.layer.reject.reject(rejected, request);
                ResponseFuture::rejected(answer.map(|answer| E::not_called(classify, answer)))
            }
        }
    }

    /// The inner service is not ready: neither is this one, unless it would reject anyway. What was ready stays so.
    #[cold]
    fn poll_rejecting<Request>(&mut self) -> Poll<Result<(), R::Error>>
    where
        I: Service<Request>,
        S: Select<Request>,
        R: Reject<Request, I::Response, I::Error>,
    {
        if let Ready::ToReject(_) = self.ready {
            return Poll::Ready(Ok(()));
        }
        match self.layer.select.only().and_then(CircuitBreaker::peek) {
            Some(rejected) => {
                self.ready = Ready::ToReject(Box::new(rejected));
                Poll::Ready(Ok(()))
            }
            None => {
                self.ready = Ready::No;
                Poll::Pending
            }
        }
    }

    /// The inner service failed before there was a request.
    #[cold]
    fn count_not_ready<Request>(&self, error: &I::Error)
    where
        I: Service<Request>,
        S: Select<Request>,
        C: Classify<I::Response, I::Error>,
    {
        let Some(circuit) = self.layer.select.only() else { return };
        if circuit.peek().is_some() {
            return;
        }
        if let Ok(call) = Admitted::ask(circuit.clone()) {
            let judgement = self.layer.classify.classify(circuit, Err(error));
            call.settle(judgement);
        }
    }
}

/// Counts the rejection of a call to a service that was ready only because it rejects. It is rejected also if the
/// deadline has passed since `poll_ready`, for the inner service must not be called; then it is not the attempt that
/// tries again.
fn count_rejection(circuit: &CircuitBreaker, told: Rejected) -> Rejected {
    match circuit.peek().map(|_| circuit.try_acquire()) {
        Some(Err(rejected)) => rejected,
        _ => told,
    }
}

impl<I: Clone, S: Clone, C: Clone, R: Clone, E> Clone for CircuitBreakerService<I, S, C, R, E> {
    /// The clone must be polled ready itself.
    fn clone(&self) -> Self {
        CircuitBreakerService::new(self.inner.clone(), self.layer.clone())
    }
}

impl<I: fmt::Debug, S, C, R, E> fmt::Debug for CircuitBreakerService<I, S, C, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CircuitBreakerService { inner, ready, .. } = self;
        f.debug_struct("CircuitBreakerService")
            .field("inner", inner)
            .field("ready", ready)
            .finish_non_exhaustive()
    }
}
