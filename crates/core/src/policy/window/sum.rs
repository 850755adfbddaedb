//! The sums that counters keep: integers, so that adding and taking back is exact.

use std::time::Duration;

use crate::metrics::{Measures, Metrics, Tally};

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// Sums over some outcomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    latency: bool,
    total: u64,
    failures: u64,
    nanos: u128,
    slow: Tally,
}

impl Sum {
    pub(super) fn new(measures: &Measures) -> Self {
        let slow = Tally::new(measures.slow);
        Sum { latency: measures.latency, total: 0, failures: 0, nanos: 0, slow }
    }

    pub(super) fn add(&mut self, failure: bool, duration: Duration) {
        self.total += 1;
        self.failures += u64::from(failure);
        if self.latency {
            self.nanos += duration.as_nanos();
        }
        self.slow.add(duration);
    }

    /// Takes back what was added.
    pub(super) fn remove(&mut self, failure: bool, duration: Duration) {
        self.total -= 1;
        self.failures -= u64::from(failure);
        if self.latency {
            self.nanos -= duration.as_nanos();
        }
        self.slow.remove(duration);
    }

    pub(super) fn merge(&mut self, other: &Sum) {
        self.total += other.total;
        self.failures += other.failures;
        self.nanos += other.nanos;
        self.slow.merge(&other.slow);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(super) fn metrics(&self) -> Metrics {
        let secs = u64::try_from(self.nanos / NANOS_PER_SEC).unwrap_or(u64::MAX);
        // A remainder of 1e9 always fits.
        let subsec = (self.nanos % NANOS_PER_SEC) as u32;
        Metrics {
            total: self.total,
            failures: self.failures,
            total_duration: Duration::new(secs, subsec),
            slow: self.slow,
            ..Metrics::default()
        }
    }
}
