//! What a tripper's terms are held against: all metrics, or, where nothing else is measured, three numbers.

use std::time::Duration;

use crate::metrics::Metrics;

/// What is measured, term by term.
pub(crate) trait Figures {
    fn total(&self) -> u64;
    fn failures(&self) -> u64;
    fn streak(&self) -> u64;
    fn avg_latency(&self) -> Option<Duration>;
    fn slow_rate(&self, threshold: Duration) -> Option<f64>;
    fn hanging(&self, threshold: Duration) -> u64;
    /// All of it, for conditions that are not ours.
    fn metrics(&self) -> Metrics;
}

impl Figures for Metrics {
    fn total(&self) -> u64 {
        self.total
    }

    fn failures(&self) -> u64 {
        self.failures
    }

    fn streak(&self) -> u64 {
        self.streak
    }

    fn avg_latency(&self) -> Option<Duration> {
        self.avg_latency()
    }

    fn slow_rate(&self, threshold: Duration) -> Option<f64> {
        self.slow_rate(threshold)
    }

    fn hanging(&self, threshold: Duration) -> u64 {
        self.hanging.get(threshold)
    }

    fn metrics(&self) -> Metrics {
        *self
    }
}

/// The metrics of a circuit that measures no durations: everything else is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) failures: u64,
    pub(crate) streak: u64,
}

impl Figures for Counts {
    fn total(&self) -> u64 {
        self.total
    }

    fn failures(&self) -> u64 {
        self.failures
    }

    fn streak(&self) -> u64 {
        self.streak
    }

    fn avg_latency(&self) -> Option<Duration> {
        self.metrics().avg_latency()
    }

    fn slow_rate(&self, threshold: Duration) -> Option<f64> {
        self.metrics().slow_rate(threshold)
    }

    fn hanging(&self, threshold: Duration) -> u64 {
        self.metrics().hanging.get(threshold)
    }

    fn metrics(&self) -> Metrics {
        let Counts { total, failures, streak } = *self;
        Metrics { total, failures, streak, ..Metrics::default() }
    }
}
