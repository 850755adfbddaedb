//! The gateway between raw clients and scripted upstreams: what passes through it, what it does about what fails, and
//! what it refuses.
#![cfg(test)]

mod bad_requests;
mod bodies;
mod callers;
mod capture;
mod connections;
mod endpoints;
mod failures;
mod fallbacks;
mod full;
mod full_house;
mod garbage;
mod letters;
mod load;
mod noise;
mod operations;
mod own_time;
mod passing;
#[allow(dead_code, reason = "the store's own tests ask more of the server")]
#[path = "../../../store/tests/postgres/server.rs"]
mod postgres;
mod rig;
mod scopes;
mod sealed;
mod settling;
mod shared;
mod standing;
mod upstream;
mod wire;
mod withheld;
