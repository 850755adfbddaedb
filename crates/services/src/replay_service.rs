//! Replay that somebody asks for: one letter, a batch of them, or those of a circuit that an operator closed.
//!
//! [`ReplayService`] does letters again on demand; what replays them all the time is [`replay`](crate::replay). Both ask the
//! same store for letters, and a letter that one has claimed the other does not get. A replay is a call: it passes the
//! [gate](crate::governance::Gate), takes a ticket from the circuit's breaker, and its outcome counts. What may become of a
//! letter is decided in `fuseboard_core` alone.
//!
//! - [`replay_single`](ReplayService::replay_single), [`replay_batch`](ReplayService::replay_batch) and
//!   [`replay_on_circuit_close`](ReplayService::replay_on_circuit_close), with [`ReplayResult`] and [`BatchReplayResult`].
//! - Every batch is a [`Job`]: who wants it and why, how far it is, how it ended; it can be canceled. All who share the
//!   store see it, also after its process has ended.
//! - [`ReplayContext`] tells code that runs inside of a handler that it is part of a replay.
//! - [`Domains`](crate::domains::Domains): what holds for all letters of a domain, such as its own `max_retries`.
//!
//! Letters are claimed one at a time, so that a process that dies holds one letter of a batch, and not all of them.
//!
//! The method names are those of the service that people may know from Python; types and rules are ours.

mod adaptive;
mod audit;
mod batch;
mod builder;
mod config;
mod error;
mod getter;
mod handlers;
mod job;
mod job_records;
mod jobs;
mod on_close;
mod options;
mod plan;
mod result;
mod service;
mod single;
mod sweep;
mod trigger;
mod turn;
mod watch;
mod write_down;

pub use crate::domains::get_sla_thresholds;
pub use crate::replay::ReplayContext;
pub use adaptive::AdaptiveRules;
pub use builder::ReplayServiceBuilder;
pub use config::ReplayConfig;
pub use error::ReplayError;
pub use getter::get_replay_service;
pub use job::{Job, JobFilter, JobId, JobStatus};
pub use options::{BatchOptions, OnCircuitClose};
pub use result::{BatchReplayResult, ReplayResult};
pub use service::ReplayService;
