//! The replay service through its public interface, over letters in memory and on disk, under a clock that the test moves.
#![cfg(test)]

mod batch;
mod governance;
mod jobs;
mod on_close;
mod rig;
mod rules;
mod single;
mod together;
mod trouble;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/troubled_store.rs"]
mod troubled_store;
mod withheld;
