//! The contract, on a PostgreSQL server of the tests' own; and what only a shared server can promise.
#![cfg(test)]

#[path = "../support/operations.rs"]
mod operations;
mod proxy;
mod server;

mod contract;
mod cut;
mod durable;
mod failing;
mod flat;
mod hosts;
mod lines;
mod schema;
mod sealed;
mod sharing;
mod tls;
mod together;
