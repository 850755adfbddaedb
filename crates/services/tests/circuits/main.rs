//! The circuit breaker service through its public interface, under a clock that the test moves.
#![cfg(test)]

mod admission;
mod cells;
mod config;
mod fallback;
mod manual;
mod overrides;
mod reading;
mod rig;
mod runtime;
mod threads;
