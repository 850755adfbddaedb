//! The layer: what a breaker around a service is made of.

use std::fmt;
use std::marker::PhantomData;

use fuseboard_core::{CircuitBreaker, Rejected};
use tower_layer::Layer;

#[cfg(feature = "http")]
use crate::AtBodyEnd;
use crate::{AsError, AtResponse, CircuitBreakerService, Mapped, Trackers};

/// Puts circuit breakers around services.
///
/// Every service that the layer makes, and every clone of one, shares the circuit. The type parameters are what the
/// methods choose: where the circuit of a request comes from ([`Select`](crate::Select)), what a response comes to
/// ([`Classify`](crate::Classify)), what the caller of a rejected call is told ([`Reject`](crate::Reject)), and when a
/// call ends ([`End`](crate::End)).
///
/// ```
/// use fuseboard_core::{CallError, CircuitBreaker};
/// use fuseboard_tower::CircuitBreakerLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = CircuitBreaker::builder("numbers").build()?;
/// let mut service = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(breaker.clone()))
///     .service(service_fn(async |text: &'static str| text.parse::<u32>()));
///
/// assert_eq!(service.ready().await?.call("42").await?, 42);
/// for _ in 0..5 {
///     assert!(matches!(service.ready().await?.call("x").await, Err(CallError::Failed(_))));
/// }
/// assert!(matches!(service.ready().await?.call("42").await, Err(CallError::Rejected(_))));
/// # Ok(())
/// # }
/// ```
pub struct CircuitBreakerLayer<S = CircuitBreaker, C = Trackers, R = AsError, E = AtResponse> {
    pub(crate) select: S,
    pub(crate) classify: C,
    pub(crate) reject: R,
    end: PhantomData<fn() -> E>,
}

impl CircuitBreakerLayer {
    /// One circuit for all requests.
    pub fn new(breaker: CircuitBreaker) -> Self {
        CircuitBreakerLayer::of(breaker, Trackers, AsError)
    }
}

impl<F> CircuitBreakerLayer<F> {
    /// A circuit for each request, chosen by `select`: one for each host, shard or tenant, so that a part that is down
    /// takes nothing else with it.
    ///
    /// `select` is asked for each call, and cloned with the service. It should find breakers and not make one for each
    /// call, because a breaker that nobody keeps forgets what it counted: [`Keyed`](fuseboard_core::Keyed) keeps them, a
    /// bounded number. Which circuit a call belongs to is known only in `call`; so while the inner service is not ready,
    /// callers wait, whatever the circuits say.
    ///
    /// ```
    /// use fuseboard_core::Keyed;
    /// use fuseboard_tower::CircuitBreakerLayer;
    ///
    /// let hosts = Keyed::<String>::builder("hosts").build()?;
    /// let layer = CircuitBreakerLayer::keyed(move |request: &http::Request<String>| {
    ///     hosts.get(request.uri().host().unwrap_or_default())
    /// });
    /// # let _ = layer;
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn keyed<Request>(select: F) -> Self
    where
        F: Fn(&Request) -> CircuitBreaker,
    {
        CircuitBreakerLayer::of(select, Trackers, AsError)
    }
}

impl<S, C, R, E> CircuitBreakerLayer<S, C, R, E> {
    fn of(select: S, classify: C, reject: R) -> Self {
        CircuitBreakerLayer { select, classify, reject, end: PhantomData }
    }

    /// What responses and errors come to, instead of what the circuit's own trackers say. See
    /// [`Classify`](crate::Classify).
    pub fn classify<C2>(self, classify: C2) -> CircuitBreakerLayer<S, C2, R, E> {
        CircuitBreakerLayer::of(self.select, classify, self.reject)
    }

    /// Answers rejected calls with `answer`, which gets the rejection and the request; the error type is then that of
    /// the inner service, instead of [`CallError`](fuseboard_core::CallError).
    ///
    /// Ready-made are [`service_unavailable`](crate::service_unavailable) and
    /// [`grpc_unavailable`](crate::grpc_unavailable).
    ///
    /// ```
    /// use fuseboard_core::{CircuitBreaker, Pin, Rejected};
    /// use fuseboard_tower::CircuitBreakerLayer;
    /// use std::convert::Infallible;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder("greetings").build()?;
    /// breaker.force_open(Pin::by("ops"));
    /// let service = ServiceBuilder::new()
    ///     .layer(CircuitBreakerLayer::new(breaker).map_rejected(
    ///         |rejected: Rejected, name: String| Ok(format!("not now, {name}: {rejected}")),
    ///     ))
    ///     .service(service_fn(async |name: String| Ok::<_, Infallible>(format!("hello {name}"))));
    /// let Ok(answer) = service.oneshot("Ann".to_owned()).await;
    /// assert!(answer.starts_with("not now, Ann: circuit `greetings` is forced_open"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_rejected<F, Request, Response, Error>(
        self,
        answer: F,
    ) -> CircuitBreakerLayer<S, C, Mapped<F>, E>
    where
        F: Fn(Rejected, Request) -> Result<Response, Error>,
    {
        CircuitBreakerLayer::of(self.select, self.classify, Mapped(answer))
    }

    /// Calls end with the body of their response, so that one that breaks off in the middle is a failure. The inner
    /// service's responses must be [`http::Response`]s; the outer's have a [`WatchedBody`](crate::WatchedBody), which
    /// tells the rules.
    ///
    /// It is for callers who read bodies to their end: a body that is dropped unread cancels its call, and a circuit
    /// whose calls are all cancelled counts nothing but failures.
    #[cfg(feature = "http")]
    pub fn watch_bodies(self) -> CircuitBreakerLayer<S, C, R, AtBodyEnd> {
        CircuitBreakerLayer::of(self.select, self.classify, self.reject)
    }
}

impl<I, S: Clone, C: Clone, R: Clone, E> Layer<I> for CircuitBreakerLayer<S, C, R, E> {
    type Service = CircuitBreakerService<I, S, C, R, E>;

    fn layer(&self, inner: I) -> Self::Service {
        CircuitBreakerService::new(inner, self.clone())
    }
}

impl<S: Clone, C: Clone, R: Clone, E> Clone for CircuitBreakerLayer<S, C, R, E> {
    fn clone(&self) -> Self {
        let CircuitBreakerLayer { select, classify, reject, .. } = self;
        CircuitBreakerLayer::of(select.clone(), classify.clone(), reject.clone())
    }
}

impl<S, C, R, E> fmt::Debug for CircuitBreakerLayer<S, C, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerLayer").finish_non_exhaustive()
    }
}
