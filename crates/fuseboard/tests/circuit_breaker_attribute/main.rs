//! `#[circuit_breaker]`: what a marked function does. What is refused is tested beside the macro.

#![cfg(test)]

mod calls;
mod circuits;
mod errors;
mod fallbacks;
mod rig;
