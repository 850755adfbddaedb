//! Requests that become letters, and letters that become requests again.
#![cfg(test)]

mod bodies;
mod cells;
mod clients;
mod replays;
mod rig;
mod trouble;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../../../services/tests/support/troubled_store.rs"]
mod troubled_store;
