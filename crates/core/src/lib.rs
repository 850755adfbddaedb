//! The two machines of Fuseboard, breaker and letter: this crate decides, and does no I/O.
//!
//! - [`machine`]: the breaker as pure code, `step(circuit, event, context) → (circuit, effects)`, and [`letter`]: the
//!   same for a dead letter. Every rule is in one of these two.
//! - [`engine`]: a circuit with its window, still pure: it counts, and steps what lapses.
//! - [`CircuitBreaker`]: an engine that threads and tasks share; [`Board`]: the breakers of a program, by name.
//! - [`policy`]: the values that say how a circuit behaves, each with a text form. [`Rules`] are all policies of a
//!   circuit, checked together.
//! - [`time`] and [`random`]: the clock and the dice, as parameters.

pub mod engine;
pub mod letter;
pub mod machine;
pub mod metrics;
pub mod policy;
pub mod random;
pub mod text;
pub mod time;

mod board;
mod breaker;
mod error;
mod keyed;
mod listener;
mod names;
mod outcome;
mod rejections;
mod rules;
mod state;
mod sync;

pub use board::{Board, BoardBuilder};
pub use breaker::{
    CircuitBreaker, CircuitBreakerBuilder, Guard, Info, LastError, LightTicket, PinInfo, Ticket,
    Totals,
};
pub use error::{BuildError, CallError, InvalidName, Rejected};
pub use keyed::{KeyOf, Keyed, KeyedBuilder, KeyedInfo, KeyedLimits};
pub use listener::Listener;
pub use machine::{Cause, Pin, Transition};
pub use names::CircuitId;
pub use outcome::{Failure, Judgement, Outcome};
pub use rules::{Rules, RulesBuilder};
pub use state::{State, UnknownState};
