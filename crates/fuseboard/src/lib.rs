//! A circuit breaker for Rust services: it stops calls to a dependency that fails, and lets them through again when the
//! dependency is back.
//!
//! ```
//! use fuseboard::{Board, CallError, Rules};
//!
//! fn charge(order: u32) -> Result<&'static str, std::io::Error> {
//!     # let _ = order;
//!     Ok("charged") // a call to a payment service
//! }
//!
//! let board = Board::new();
//! let payments = board.get_or_create("payments", Rules::default())?;
//!
//! match payments.call(|| charge(42)) {
//!     Ok(receipt) => println!("{receipt}"),
//!     Err(CallError::Rejected(rejected)) => println!("not tried: {rejected}"),
//!     Err(CallError::Failed(error)) => println!("tried and failed: {error}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The [`guide`] has a page for each choice: window, tripper, timeout, the order among retry, timeout and breaker, one
//! circuit for each shard, and what a breaker cannot do. If you know another breaker, begin with its page in
//! [`guide::from_elsewhere`].
//!
//! # How it behaves
//!
//! A *closed* circuit lets every call through and counts what it comes to in a [window](policy::Window). When its
//! [tripper](policy::Tripper) holds over that window, the circuit *opens*: calls are rejected at once, and the rejection
//! says when to come back. The first call after the [retry](policy::Retry) deadline finds the circuit *half open*: a few
//! calls go through as probes, under leases, and the [recovery](policy::Recovery) rule closes it or opens it again. An
//! operator can [pin](Pin) other states.
//!
//! What you may rely on:
//!
//! - A result that comes too late, from before a transition, changes nothing.
//! - A probe that hangs, is cancelled or panics never holds its slot for longer than the probe timeout.
//! - Exactly one thread makes a transition, and listeners hear of each once, in order, outside every lock.
//! - Time is monotonic and can be replaced, as can randomness: tests move a [`time::ManualClock`] instead of sleeping.
//!
//! # The doors
//!
//! | your code is | it takes |
//! |---|---|
//! | a closure, blocking or async | [`CircuitBreaker::call`], [`CircuitBreaker::call_async`] |
//! | a function or method | `#[circuit_breaker("payments")]` |
//! | blocking, and fits into no closure | a [`Guard`], from [`CircuitBreaker::enter`], which [checks](Guard::check) each result |
//! | a call that begins here and ends elsewhere | a [`Ticket`], from [`CircuitBreaker::try_acquire`] |
//! | work that must not be lost | `fuseboard::capture`, which keeps what was not done |
//! | a Tower service, a response body, a stream | `fuseboard::tower` |
//! | calls to many hosts, shards or tenants | [`Keyed`] |
//!
//! # Policies have a text form
//!
//! It is the same in code, configuration and logs:
//!
//! ```
//! use fuseboard::Rules;
//!
//! let rules = Rules::builder()
//!     .window("time(60s)".parse()?)
//!     .tripper("failure_streak(5) | min_requests(20) & (failure_rate(0.5) | slow_rate(0.3, 1s))".parse()?)
//!     .retry("backoff(10s, max=10m, jitter=0.2)".parse()?)
//!     .permit("ramp_up(0.1, 1.0, 60s)".parse()?)
//!     .recovery("successes(3)".parse()?)
//!     .build()?;
//! assert_eq!(rules.window().to_string(), "time(1m)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `macros`, on by default | `#[circuit_breaker]` |
//! | `dlq` | `fuseboard::capture` and `replay_service`, `replay`, `circuits`, `governance`, `store`: what was not done is done later |
//! | `tower` | `fuseboard::tower`: layer, classifiers, watched bodies and streams |
//! | `tracing`, `metrics`, `opentelemetry`, `webhook`, `broadcast` | [listeners] of that kind |

pub use fuseboard_core::*;

pub mod global;
pub mod guide;
pub mod listeners;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod marked;

pub use listeners::Elsewhere;

/// The README's examples, which run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

#[cfg(feature = "dlq")]
pub use fuseboard_services::{
    capture, circuits, governance, replay, replay_service, retention, store, wake,
};
#[cfg(feature = "tower")]
pub use fuseboard_tower as tower;

#[cfg(feature = "macros")]
#[doc = include_str!("circuit_breaker.md")]
pub use fuseboard_macros::circuit_breaker;
