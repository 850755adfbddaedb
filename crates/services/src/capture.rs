//! Capture: which calls that were not done become letters, decided here for every door, and the door for code.
//!
//! A call that was not done has a [kind](Kind). The owner's [policy](CapturePolicy) names the kinds that become letters:
//!
//! | kind | what happened | may be done already | needs a voucher |
//! |---|---|---|---|
//! | `rejected` | the circuit did not admit it | no | no |
//! | `connect` | no connection came about, so nothing was sent | no | no |
//! | `timeout` | there was no answer in time | yes | yes |
//! | `reset` | the connection broke after something was sent | yes | yes |
//! | `failure` | the answer was a failure | yes | yes |
//! | `fallback` | a fallback was served instead, whatever of the above happened | as that | as that |
//!
//! A voucher is the owner's word that the call is [idempotent](Idempotent), or an idempotency key that the caller sent. Without
//! it, what may have been done is not kept, because doing it again could do it twice. A key that was made here is sent with the
//! first try and with every replay, and vouches for nothing: nobody said that the other side looks at it.
//!
//! [`CaptureRule::kind_of`] is the only place that decides this, for all three doors: the gateway's routes, Tower's layer, and
//! code that makes a [`Capture`] out of a function:
//!
//! ```
//! use fuseboard_core::{Board, Pin, Rules};
//! use fuseboard_services::capture::{Call, Captured, Captures};
//! use fuseboard_services::circuits::BoardRepository;
//! use fuseboard_services::replay_service::ReplayService;
//! use fuseboard_store::Memory;
//! use std::io;
//! use std::sync::Arc;
//!
//! async fn charge(order: String, call: Call) -> io::Result<u32> {
//!     println!("charging {order} under the key {}", call.key()); // a call to a payment service
//!     Ok(999)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (letters, board) = (Arc::new(Memory::default()), Board::new());
//! let captures = Captures::builder().letters(letters.clone()).build()?;
//! let payments = board.get_or_create("payments", Rules::default())?;
//! let charge = captures.protect("charge", &payments, charge).build()?;
//!
//! payments.force_open(Pin::by("ops"));
//! let Captured::Queued(queued) = charge.call("order-42".to_owned()).await else { panic!("not queued") };
//!
//! // Later, the same function does the letter again, under the same key.
//! let circuits = Arc::new(BoardRepository::new(board));
//! let replays = ReplayService::builder(letters).circuits(circuits).build()?;
//! replays.register_circuit_handler("payments", Arc::new(captures));
//! payments.reset();
//! assert!(replays.replay_single(queued.id).await?.success);
//! # Ok(())
//! # }
//! ```
//!
//! What is captured inside of a replay makes no second letter: the letter that is being replayed is tried again by itself.

mod builder;
mod call;
mod captured;
mod captures;
mod classify;
mod keep;
mod kind;
mod policy;
mod refusal;
mod replayed;
mod rule;
mod scope;
mod storable;

pub use builder::CaptureBuilder;
pub use call::{Call, Capture, Request};
pub use captured::{Captured, NotDone};
pub use captures::{Captures, CapturesBuilder};
pub use classify::{by_source, undone_by};
pub use keep::{DEFAULT_LIMIT, DEFAULT_PATIENCE, Queued, Work, first_wait, keep};
pub use kind::{Kind, Undone};
pub use policy::CapturePolicy;
pub use refusal::NotQueued;
pub use rule::{Attempt, CaptureRule, Idempotent, changes_something};
pub use scope::scope_of;
#[cfg(feature = "json")]
pub use storable::Json;
pub use storable::Storable;
