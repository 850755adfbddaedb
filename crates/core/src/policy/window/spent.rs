//! Time spent in some outcomes: integers, so that adding and taking back is exact.

use std::time::Duration;

use crate::metrics::{Measures, Metrics, Tally};

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// What is kept of the durations of some outcomes, beside their number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    latency: bool,
    nanos: u128,
    slow: Tally,
}

impl Spent {
    pub(super) fn new(measures: &Measures) -> Self {
        Spent { latency: measures.latency, nanos: 0, slow: Tally::new(measures.slow) }
    }

    /// So many nanoseconds, and for each threshold so many calls.
    pub(super) fn of(
        measures: &Measures,
        nanos: u128,
        slow: impl IntoIterator<Item = u64>,
    ) -> Self {
        let slow = Tally::of(measures.slow, slow);
        Spent { latency: measures.latency, nanos, slow }
    }

    pub(super) fn nanos(&self) -> u128 {
        self.nanos
    }

    /// The thresholds, ascending, with the calls that reached them.
    pub(super) fn slow(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.slow.iter()
    }

    pub(super) fn add(&mut self, duration: Duration) {
        if self.latency {
            self.nanos += duration.as_nanos();
        }
        self.slow.add(duration);
    }

    /// Takes back what was added.
    pub(super) fn remove(&mut self, duration: Duration) {
        if self.latency {
            self.nanos -= duration.as_nanos();
        }
        self.slow.remove(duration);
    }

    pub(super) fn merge(&mut self, other: &Spent) {
        self.nanos += other.nanos;
        self.slow.merge(&other.slow);
    }

    /// Takes back what was merged.
    pub(super) fn take_back(&mut self, other: &Spent) {
        self.nanos -= other.nanos;
        self.slow.take_back(&other.slow);
    }

    /// The same time, for other measures: `None` if they ask for what was not taken down.
    pub(super) fn measured_by(&self, measures: &Measures) -> Option<Spent> {
        let mut spent = Spent::new(measures);
        let knows = |threshold: Duration| self.slow.has(threshold);
        if (measures.latency && !self.latency) || !measures.slow.iter().all(knows) {
            return None;
        }
        if measures.latency {
            spent.nanos = self.nanos;
        }
        spent.slow.fill_from(&self.slow);
        Some(spent)
    }

    pub(super) fn fill(&self, metrics: &mut Metrics) {
        let secs = u64::try_from(self.nanos / NANOS_PER_SEC).unwrap_or(u64::MAX);
        // A remainder of 1e9 always fits.
        let subsec = (self.nanos % NANOS_PER_SEC) as u32;
        metrics.total_duration = Duration::new(secs, subsec);
        metrics.slow = self.slow;
    }
}

/// Whether durations matter to `measures` at all.
pub(super) fn are_measured(measures: &Measures) -> bool {
    measures.latency || !measures.slow.is_empty()
}
