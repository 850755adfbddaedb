//! The whole contract, with every letter sealed: over memory and over SQLite.

mod over_memory;
mod over_sqlite;

#[path = "../support/operations.rs"]
mod operations;
