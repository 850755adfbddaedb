//! The server: a gateway in front of flaky upstreams, its admin API, and the command line.
//!
//! The binary `fuseboard` is [`cli::run`]; everything else is here so that tests and the demo can start a whole server
//! inside their own process.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
mod encryption;
pub mod gateway;
pub mod metrics;
pub mod operations;
