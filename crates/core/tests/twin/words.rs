//! What is done to a circuit and what it answers, in words that the twin and the engine share.

use std::time::Duration;

use fuseboard_core::machine::Pinnable;
use fuseboard_core::{Cause, State, Totals};

use crate::judge::Measured;

/// The time and the random number of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    pub(crate) now: u64,
    pub(crate) draw: f64,
}

/// The answer to an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Admitted { probe: bool },
    Rejected { state: State, retry_after: Option<Duration>, cause: Cause },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Success,
    Failure { retry_after: Option<Duration> },
    Ignored,
    Dropped,
    Panicked,
}

pub(crate) const FAILURE: End = End::Failure { retry_after: None };

pub(crate) const ENDS: [End; 5] =
    [End::Success, FAILURE, End::Ignored, End::Dropped, End::Panicked];

/// An operator's command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    Pin(Pinnable, Option<Duration>),
    Auto,
    Reset,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    Transition {
        from: State,
        to: State,
        cause: Cause,
        generation: u64,
        at: u64,
        reopens: u32,
        snapshot: Measured,
        retry_after: Option<Duration>,
    },
    WouldTrip,
}

/// What a look at the circuit shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sight {
    pub(crate) state: State,
    pub(crate) generation: u64,
    pub(crate) reopens: u32,
    pub(crate) lasted: Duration,
    pub(crate) measured: Measured,
    pub(crate) in_flight: u64,
    pub(crate) totals: Totals,
    pub(crate) retry_after: Option<Duration>,
    /// What opened the circuit, and when.
    pub(crate) tripped: Option<(Cause, u64)>,
    pub(crate) pin_remaining: Option<Option<Duration>>,
}
