//! Governance through its public interface, under a clock that the test moves, over stores that work and stores that do not.
#![cfg(test)]

mod audit;
mod budgets;
mod by_hand;
mod gate;
mod rig;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/troubled_store.rs"]
mod troubled_store;
