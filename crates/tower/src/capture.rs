//! Requests that were not done become letters, and letters become requests again.
//!
//! A [`CaptureLayer`] goes around the circuit breaker's layer:
//!
//! ```
//! use fuseboard_core::{Board, Pin, Rules};
//! use fuseboard_services::capture::{Captures, Kind};
//! use fuseboard_services::circuits::BoardRepository;
//! use fuseboard_services::replay_service::ReplayService;
//! use fuseboard_services::store::Memory;
//! use fuseboard_tower::{CaptureLayer, CircuitBreakerLayer, HttpStatus, accepted};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::io;
//! use std::sync::Arc;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! type Body = Full<bytes::Bytes>;
//!
//! async fn client<B>(_request: Request<B>) -> io::Result<Response<Body>> {
//!     Ok(Response::new(Body::default())) // a call to a payment service
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (letters, board) = (Arc::new(Memory::default()), Board::new());
//! let captures = Captures::builder().letters(letters.clone()).build()?;
//! let payments = board.get_or_create("payments", Rules::default())?;
//! let capture = CaptureLayer::builder(&captures, &payments, accepted)
//!     .policy(Kind::Rejected | Kind::Connect)
//!     .build()?;
//! let service = ServiceBuilder::new()
//!     .layer(capture.clone())
//!     .layer(CircuitBreakerLayer::new(payments.clone()).classify(HttpStatus::default()))
//!     .service(service_fn(client));
//!
//! payments.force_open(Pin::by("ops"));
//! let request = Request::post("http://payments/charge").body(Body::from("order 42"))?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 202, "it is a letter now");
//!
//! // Later: through the same client, without the breaker, because a replay takes its ticket itself.
//! let circuits = Arc::new(BoardRepository::new(board));
//! let replays = ReplayService::builder(letters).circuits(circuits).build()?;
//! let replay = capture.replay::<Body, _>(service_fn(client));
//! replays.register_circuit_handler("payments", Arc::new(replay));
//! payments.reset();
//! assert_eq!(replays.replay_batch(Default::default()).await?.success_count, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept
//!
//! POST, PUT, PATCH and DELETE, with method, URI, headers and body, byte for byte; the body up to a limit, while it streams.
//! Trailers, extensions and the HTTP version are not. A request without an `Idempotency-Key` is given one before its first
//! try. Why a request was not queued is in the [error](NotCaptured), or among the extensions of a response, as a
//! [`NotQueued`](fuseboard_services::capture::NotQueued).
//!
//! # Where it goes
//!
//! Directly around the breaker. What it is given as an error should be a [`CallError`](fuseboard_core::CallError), or a
//! response whose extensions have an [`Undone`](fuseboard_services::capture::Undone), as
//! [`service_unavailable`](crate::service_unavailable) does; where rejections are dressed up otherwise they are failures like
//! any other. A retry goes around it, and ends with the answer to a queued request: its [body](KeptBody) cannot be cloned,
//! because after several tries the last one does not tell what the others have done.
//!
//! It needs a tokio runtime with its time enabled, allocates for each request, and keeps a copy of its head.

mod body;
mod builder;
mod error;
mod layer;
mod replay;
mod service;
mod work;

pub use body::{KeptBody, KeptBodyError};
pub use builder::CaptureLayerBuilder;
pub use error::NotCaptured;
pub use layer::{ByError, CaptureLayer, Nothing, Serve, Tell};
pub use replay::ServiceReplay;
pub use service::{CaptureService, accepted};
