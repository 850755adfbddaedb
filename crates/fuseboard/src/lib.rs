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
//! # How it behaves
//!
//! A *closed* circuit lets every call through and counts what it comes to in a [window](policy::Window). When its
//! [tripper](policy::Tripper) holds over that window, the circuit *opens*: calls are rejected at once, and the rejection
//! says when to come back. The first call after the [retry](policy::Retry) deadline finds the circuit *half open*: a few
//! calls go through as probes, under leases, and the [recovery](policy::Recovery) rule closes it or opens it again.
//!
//! What you may rely on:
//!
//! - A result that comes too late, from before a transition, changes nothing.
//! - A probe that hangs, is cancelled or panics never holds its slot for longer than the probe timeout.
//! - Exactly one thread makes a transition, and listeners hear of each once, in order, outside every lock.
//! - Time is monotonic and can be replaced, as can randomness: tests move a [`time::ManualClock`] instead of sleeping.
//!
//! # Saying it in text
//!
//! Every policy has a text form, the same in code, configuration and logs:
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
//! # When a call is not made, or fails
//!
//! ```
//! use fuseboard::CircuitBreaker;
//!
//! let prices = CircuitBreaker::builder("prices").build()?;
//! let fetch = || Err::<u32, _>("connection refused");
//!
//! // A fallback is given any error; `call_or_else` answers rejections only.
//! let price = prices.call_with_fallback(fetch, |_error| 100);
//! let price_or_error = prices.call_or_else(fetch, |_rejected| Ok(100));
//! assert_eq!((price, price_or_error), (100, Err("connection refused")));
//! # Ok::<(), fuseboard::BuildError>(())
//! ```
//!
//! # Operating it
//!
//! ```
//! use fuseboard::{CircuitBreaker, Pin, State};
//! use std::time::Duration;
//!
//! let payments = CircuitBreaker::builder("payments").build()?;
//! payments.force_open(Pin::by("ops").because("migration").lasting(Duration::from_secs(3600)));
//! assert_eq!(payments.state(), State::ForcedOpen);
//! assert_eq!(payments.info().why().as_deref(), Some("pinned by ops: migration"));
//! payments.auto();
//! assert_eq!(payments.state(), State::HalfOpen, "calls go through again, carefully");
//! # Ok::<(), fuseboard::BuildError>(())
//! ```

pub use fuseboard_core::*;

mod elsewhere;

pub use elsewhere::Elsewhere;
