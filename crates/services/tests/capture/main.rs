//! Calls of code that become letters: which do, byte for byte, and that the same handler does them again.
#![cfg(test)]

mod cells;
mod classify;
mod configuration;
mod limits;
mod policy;
mod replays;
mod rig;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/troubled_store.rs"]
mod troubled_store;
