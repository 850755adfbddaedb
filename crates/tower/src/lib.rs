//! Circuit breakers around Tower services, response bodies and streams.
//!
//! ```
//! use fuseboard_core::CircuitBreaker;
//! use fuseboard_tower::{CircuitBreakerLayer, HttpStatus};
//! use tower::ServiceBuilder;
//! # use tower::{Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = service_fn(async |_: http::Request<String>| Ok::<_, std::io::Error>(http::Response::new(String::new())));
//! let breaker = CircuitBreaker::builder("payments").build()?;
//! let mut client = ServiceBuilder::new()
//!     .layer(CircuitBreakerLayer::new(breaker).classify(HttpStatus::default()).watch_bodies())
//!     .service(client);
//! let response = client.ready().await?.call(http::Request::new("pay".to_owned())).await?;
//! # assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! It works wherever Tower's contract holds; the crate's examples are servers and clients of axum, tonic and reqwest.
//!
//! # What holds
//!
//! | | |
//! |---|---|
//! | readiness | the inner service's; but while the circuit is open nobody waits for that ([`CircuitBreakerService`]) |
//! | admission | in `call`, never in `poll_ready`: what is polled ready and dropped holds no slot |
//! | cancellation | a future that is dropped gives its slot back, and counts neither way (or see `cancelled_after` in the rules) |
//! | clone | shares the circuit, not the readiness |
//! | panic | a failure, also if somebody catches it and drops the future later |
//! | errors | go through in [`CallError::Failed`](fuseboard_core::CallError), or as they are where rejections are [mapped] |
//! | late results | of calls from before a transition are stale and change nothing |
//! | allocation | none for a call that is made; the future is not boxed |
//!
//! [mapped]: CircuitBreakerLayer::map_rejected
//!
//! # The order of the layers
//!
//! From the outside to the inside: **retry, breaker, timeout**, then what the timeout should cover.
//!
//! - *The timeout within the breaker*, so that a call that takes too long ends in an error, and that counts. A timeout
//!   around the breaker only drops the future: the call is cancelled, and as far as the circuit knows the caller lost
//!   interest. Where there is such a timeout (a caller's deadline over all, say), set `cancelled_after` in the rules to
//!   a little less.
//! - *The retry around the breaker*, so that each try is a call that counts, and that the circuit may reject: tries end
//!   when it opens. Within the breaker all tries of a request would look like one call; a circuit that opens at five
//!   failures would open after fifteen, and one probe of a service that is just coming back would be three requests. A
//!   retry policy must not repeat a rejection at once: stop, or wait for its `retry_after`.
//! - *Limits within the breaker* (concurrency, rate, buffer, load shedding), so that callers do not queue while the
//!   circuit is open. What such a layer refuses is your own overload, not the dependency's: ignore its error in the
//!   classifier or by a tracker.
//! - *Balancers*: one breaker for each endpoint, within the balancer; around it, only a circuit for the whole.
//!
//! ```
//! use fuseboard_core::{CircuitBreaker, Rejected};
//! use fuseboard_tower::CircuitBreakerLayer;
//! use std::future::{Ready, ready};
//! use std::time::Duration;
//! use tower::retry::Policy;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! /// Three tries, unless the circuit rejects.
//! #[derive(Clone)]
//! struct Thrice(u32);
//!
//! impl Policy<String, String, BoxError> for Thrice {
//!     type Future = Ready<()>;
//!
//!     fn retry(&mut self, _: &mut String, result: &mut Result<String, BoxError>) -> Option<Ready<()>> {
//!         let failed = result.as_ref().is_err_and(|error| !error.is::<Rejected>());
//!         self.0 -= 1;
//!         (failed && self.0 > 0).then(|| ready(()))
//!     }
//!
//!     fn clone_request(&mut self, request: &String) -> Option<String> {
//!         Some(request.clone())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let breaker = CircuitBreaker::builder("greetings").build()?;
//! let service = ServiceBuilder::new()
//!     .retry(Thrice(3))
//!     .layer(
//!         // `Timeout` makes the error a `BoxError`, and so can the breaker.
//!         CircuitBreakerLayer::new(breaker)
//!             .map_rejected(|rejected, _: String| Err::<String, _>(BoxError::from(rejected))),
//!     )
//!     .timeout(Duration::from_secs(2))
//!     .service(service_fn(async |name: String| Ok::<_, std::io::Error>(format!("hello {name}"))));
//! assert_eq!(service.oneshot("Ann".to_owned()).await?, "hello Ann");
//! # Ok(())
//! # }
//! ```
//!
//! # What to classify
//!
//! A circuit should open when the *dependency* cannot do its work, and for no other reason. An answer that says what
//! the caller did wrong (a 404, `INVALID_ARGUMENT`, a declined card) is a success of the service. By default every
//! error is a failure and every response a success ([`Trackers`]), which is right for few HTTP clients: their errors
//! are those of the connection only. [`HttpStatus`] and [`GrpcStatus`] look at the response and leave errors to the
//! circuit's trackers, where your own mistakes can be ignored. What neither speaks for nor against the dependency (a
//! request that could not be built, a caller who left) is [`Outcome::Ignored`](fuseboard_core::Outcome::Ignored). For
//! all else there is [`Classify`], which a closure implements.
//!
//! An answer of the breaker itself is none of the dependency's: where two layers are nested, the outer ignores the
//! rejections of the inner, unless `map_rejected` dressed them up as responses.
//!
//! # One circuit, or one for each key
//!
//! What can fail apart should have a circuit of its own: each host, shard, tenant or route. With one circuit for eight
//! shards, one that is down makes an eighth of the calls fail, which either trips nothing or takes seven good shards
//! away. See [`CircuitBreakerLayer::keyed`], and choose keys that get many calls each: a circuit knows nothing before
//! it has seen some.
//!
//! # Bodies and streams
//!
//! A service's future ends with the head of a response. [`watch_bodies`](CircuitBreakerLayer::watch_bodies) makes a
//! call last until the end of its body, so that one that breaks off is a failure, and gRPC trailers are seen. Without
//! Tower, [`WatchedStream`] does so for async streams, [`WatchedIter`] and [`WatchedRead`] for blocking code.
//!
//! # What it cannot do
//!
//! Callers who wait for the inner service already are not woken when the circuit opens; they come through as the inner
//! service gives them room, and are rejected then. A dependency that hangs opens no circuit before something ends its
//! calls: a timeout, or the rules' `in_flight_over`.
//!
//! # Features
//!
//! `http` and `stream` are on by default.
//!
//! - `http`: [`HttpStatus`], [`GrpcStatus`], [`WatchedBody`], [`service_unavailable`], [`grpc_unavailable`].
//! - `stream`: [`WatchedStream`].
//! - `dlq`: a layer that makes letters of requests that were not done, and what does them again: the module `capture`.

mod admitted;
mod blocking;
#[cfg(feature = "http")]
mod body;
#[cfg(feature = "dlq")]
pub mod capture;
mod classify;
mod end;
mod future;
mod layer;
mod reject;
mod select;
mod service;
#[cfg(feature = "stream")]
mod stream;

pub use blocking::{WatchedIter, WatchedRead};
#[cfg(feature = "http")]
pub use body::WatchedBody;
#[cfg(feature = "dlq")]
pub use capture::{CaptureLayer, accepted};
pub use classify::{Classify, Trackers};
#[cfg(feature = "http")]
pub use classify::{GrpcStatus, HttpStatus};
#[cfg(feature = "http")]
pub use end::AtBodyEnd;
pub use end::{AtResponse, End};
pub use future::ResponseFuture;
pub use layer::CircuitBreakerLayer;
pub use reject::{AsError, Mapped, Reject, WrapError};
#[cfg(feature = "http")]
pub use reject::{grpc_unavailable, service_unavailable};
pub use select::Select;
pub use service::CircuitBreakerService;
#[cfg(feature = "stream")]
pub use stream::WatchedStream;
