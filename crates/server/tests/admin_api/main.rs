//! The admin API over a real socket: each route, its errors, and who may ask.
#![cfg(test)]

mod audit;
mod circuits;
mod governance;
mod guard;
mod health;
mod letters;
mod metrics;
mod operate;
mod orders;
mod replays;
mod rig;
mod transfer;
