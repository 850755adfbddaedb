//! Governance through its public interface, under a clock that the test moves, over stores that work and stores that do not.
#![cfg(test)]

mod audit;
mod budgets;
mod by_hand;
mod gate;
mod rig;
mod store;
