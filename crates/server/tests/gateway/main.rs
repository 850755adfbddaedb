//! The gateway between raw clients and scripted upstreams: what passes through it, what it does about what fails, and
//! what it refuses.
#![cfg(test)]

mod bad_requests;
mod bodies;
mod callers;
mod connections;
mod endpoints;
mod failures;
mod fallbacks;
mod full;
mod garbage;
mod letters;
mod load;
mod passing;
mod rig;
mod settling;
mod upstream;
mod wire;
