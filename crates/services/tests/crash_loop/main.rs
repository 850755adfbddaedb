//! Processes that die at any moment, and stores that fail at any step: no acknowledged letter is lost, none is replayed after it was
//! resolved, and who comes late changes nothing.
//!
//! A small size by default; `FUSEBOARD_CRASHES` says how many processes are to die, as `cargo xtask prove` does.
#![cfg(test)]
#![cfg(unix)]

mod cuts;
mod kills;
mod ledger;
mod rig;
mod worker;

#[allow(dead_code, reason = "the store's own tests ask more of the server")]
#[path = "../../../store/tests/postgres/server.rs"]
mod server;
#[path = "../support/store_over.rs"]
mod store_over;
