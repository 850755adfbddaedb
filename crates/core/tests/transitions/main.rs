//! The transitions of a circuit breaker: the design's table cell by cell, and the sentences beneath it.
#![cfg(test)]

mod counting;
mod half_open;
mod open;
mod pins;
mod rig;
mod table;
