//! What operates on circuits and letters: capture and continuous replay, without HTTP.
//!
//! - [`capture`]: when a call that was not done may become a letter, and making it one.
//! - [`circuits`]: the circuit breaker service, which protects and operates circuits by name.
//! - [`domains`]: what letters inherit from their domain.
//! - [`governance`]: the one gate that every replay passes.
//! - [`late`]: telling and raising letters past their SLA deadline.
//! - [`replay`]: doing letters again, as long as their circuit admits calls.
//! - [`replay_service`]: replay that somebody asks for: one letter, a batch, those of a circuit.
//! - [`retention`]: forgetting finished letters.
//! - [`store`]: what remembers the letters.
//! - [`upkeep`]: all that has to happen to a store from time to time, in one task.
//! - [`withhold`]: headers that no letter may keep, and what becomes of a letter without them.
//! - [`wake`]: how a capture or a transition wakes the replay of its circuit.

pub mod capture;
pub mod circuits;
pub mod domains;
pub mod governance;
pub mod late;
pub mod replay;
pub mod replay_service;
pub mod retention;
pub mod upkeep;
pub mod wake;
pub mod withhold;

pub use fuseboard_store as store;

pub use circuits::{CircuitBreakerService, Runtime, get_circuit_breaker_service};
