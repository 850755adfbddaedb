//! Keyed circuits: each key has its own, their number is bounded, and none is forgotten that knows something.
#![cfg(test)]

mod board;
mod bounds;
mod circuits;
mod cost;
mod forgetting;
mod listeners;
mod model;
mod names;
mod rig;
mod storm;
mod totals;
