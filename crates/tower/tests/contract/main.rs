//! The contract of the layer, row by row, and of what watches bodies and streams.
#![cfg(test)]

mod bodies;
#[cfg(not(fuseboard_locked))]
mod busy;
mod classifiers;
mod ends;
mod keyed;
mod order;
mod readiness;
mod rejections;
mod sequences;
mod support;
