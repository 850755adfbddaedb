//! The window of the last so many outcomes: a ring with running sums.

use std::time::Duration;

use super::Counter;
use super::sum::Sum;
use crate::metrics::{Measures, Metrics};
use crate::time::{Moment, saturating_nanos};

const BITS: usize = u64::BITS as usize;

/// Counts the last `size` outcomes exactly, at constant cost for each.
///
/// An outcome takes one bit, and 8 bytes more where durations are measured. Memory grows with the outcomes, up to the
/// size, and stays.
#[derive(Debug)]
pub struct CountCounter {
    size: usize,
    measures: Measures,
    /// Where the next outcome goes: the oldest one's place once the ring is full.
    next: usize,
    len: usize,
    failures: Vec<u64>,
    /// Nanoseconds for each outcome; stays empty where durations are not measured.
    durations: Vec<u64>,
    sum: Sum,
}

impl CountCounter {
    /// An empty window for the last `size` outcomes, at least 1.
    pub fn new(size: u32, measures: Measures) -> Self {
        CountCounter {
            size: usize::try_from(size).unwrap_or(usize::MAX).max(1),
            measures,
            next: 0,
            len: 0,
            failures: Vec::new(),
            durations: Vec::new(),
            sum: Sum::new(&measures),
        }
    }

    fn keeps_durations(&self) -> bool {
        self.measures.latency || !self.measures.slow.is_empty()
    }

    fn forget_oldest(&mut self) {
        let failure = (self.failures[self.next / BITS] >> (self.next % BITS)) & 1 == 1;
        let nanos = self.durations.get(self.next).copied().unwrap_or(0);
        self.sum.remove(failure, Duration::from_nanos(nanos));
    }

    fn keep(&mut self, failure: bool, nanos: u64) {
        let (word, bit) = (self.next / BITS, self.next % BITS);
        if word == self.failures.len() {
            self.failures.push(0);
        }
        self.failures[word] = (self.failures[word] & !(1 << bit)) | (u64::from(failure) << bit);
        if self.keeps_durations() {
            match self.durations.get_mut(self.next) {
                Some(place) => *place = nanos,
                None => self.durations.push(nanos),
            }
        }
    }
}

impl Counter for CountCounter {
    fn record(&mut self, failure: bool, duration: Duration, _now: Moment) {
        if self.len == self.size {
            self.forget_oldest();
        } else {
            self.len += 1;
        }
        // What is added must be what can be taken back later.
        let nanos = if self.keeps_durations() { saturating_nanos(duration) } else { 0 };
        self.keep(failure, nanos);
        self.sum.add(failure, Duration::from_nanos(nanos));
        self.next = (self.next + 1) % self.size;
    }

    fn record_successes(&mut self, successes: u64, now: Moment) {
        // More than the window holds leave what the last ones leave.
        for _ in 0..successes.min(self.size as u64) {
            self.record(false, Duration::ZERO, now);
        }
    }

    fn metrics(&mut self, _now: Moment) -> Metrics {
        self.sum.metrics()
    }

    fn clear(&mut self, _now: Moment) {
        self.next = 0;
        self.len = 0;
        self.sum = Sum::new(&self.measures);
    }
}
