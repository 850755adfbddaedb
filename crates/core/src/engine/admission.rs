//! An admitted call, as the engine knows it: a few words, as every call carries them along.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::machine::Stamp;
use crate::time::{Moment, saturating_nanos};

/// An admitted call, as the engine knows it.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    generation: u64,
    started: Moment,
    /// Nanoseconds that the call took, where its holder said so; otherwise `UNKNOWN`, or `UNTIMED`.
    took: u64,
    /// The number of the lease, and one.
    lease: Option<NonZeroU64>,
    flight: Option<NonZeroU64>,
}

/// Nobody wants to know when it started, nor how long it took.
const UNTIMED: u64 = u64::MAX;
const UNKNOWN: u64 = u64::MAX - 1;

impl Admission {
    pub(super) fn new(stamp: Stamp, started: Option<Moment>, flight: Option<NonZeroU64>) -> Self {
        let lease = stamp.lease.and_then(|lease| NonZeroU64::new(lease.wrapping_add(1)));
        Admission { lease, flight, ..Admission::at_ease(stamp.generation, started) }
    }

    /// An admission that the engine was not asked for, because it was at [ease](super::Ease) in `generation`.
    #[inline]
    pub fn at_ease(generation: u64, started: Option<Moment>) -> Self {
        let (started, took) = started.map_or((Moment::ZERO, UNTIMED), |at| (at, UNKNOWN));
        Admission { generation, started, took, lease: None, flight: None }
    }

    /// When the call was admitted, if calls are timed.
    #[inline]
    pub fn started(&self) -> Option<Moment> {
        (self.took != UNTIMED).then_some(self.started)
    }

    /// Says how long the call took, where its holder knows better than the time between admission and end.
    pub fn took(&mut self, duration: Duration) {
        if self.took != UNTIMED {
            self.took = saturating_nanos(duration).min(UNKNOWN - 1);
        }
    }

    /// How long the call took, if it ended at `now` and calls are timed.
    #[inline]
    pub fn duration(&self, now: Moment) -> Option<Duration> {
        let started = self.started()?;
        Some(match self.took {
            UNKNOWN => now.since(started),
            nanos => Duration::from_nanos(nanos),
        })
    }

    /// How many nanoseconds the call took, if it ended at `now`; `u64::MAX` if calls are not timed.
    #[inline]
    pub(crate) fn nanos(&self, now: Moment) -> u64 {
        match self.took {
            UNTIMED => u64::MAX,
            UNKNOWN => now.as_nanos().saturating_sub(self.started.as_nanos()),
            took => took,
        }
    }

    /// The generation that admitted it.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it is a probe of a half-open circuit.
    pub fn is_probe(&self) -> bool {
        self.lease.is_some()
    }

    #[inline]
    pub(super) fn stamp(&self) -> Stamp {
        Stamp { generation: self.generation, lease: self.lease.map(|lease| lease.get() - 1) }
    }

    #[inline]
    pub(super) fn flight(&self) -> Option<NonZeroU64> {
        self.flight
    }
}
