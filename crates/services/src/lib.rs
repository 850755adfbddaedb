//! What operates on circuits and letters: capture and continuous replay, without HTTP.
//!
//! - [`capture`]: when a call that was not done may become a letter, and making it one.
//! - [`replay`]: doing letters again, as long as their circuit admits calls.
//! - [`retention`]: forgetting finished letters.
//! - [`wake`]: how a capture or a transition wakes the replay of its circuit.

pub mod capture;
pub mod replay;
pub mod retention;
pub mod wake;
