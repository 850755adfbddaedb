//! The window of the last while: sixty buckets that are emptied as time passes.

use std::time::Duration;

use super::Counter;
use super::sum::Sum;
use crate::metrics::{Measures, Metrics};
use crate::time::{Moment, saturating_nanos};

const BUCKETS: usize = 60;

/// Counts the outcomes of the last `span`, in sixty buckets of equal width.
///
/// An outcome is forgotten when its bucket is 60 buckets old: when between 59/60 of the span and all of it has
/// passed. Memory is constant, and a pause of any length costs at most 60 steps.
#[derive(Debug)]
pub struct TimeCounter {
    measures: Measures,
    width: u64,
    /// The newest bucket seen, counted from the beginning of the clock.
    newest: u64,
    buckets: Box<[Sum]>,
    sum: Sum,
}

impl TimeCounter {
    /// An empty window for the outcomes of the last `span`.
    pub fn new(span: Duration, measures: Measures) -> Self {
        let empty = Sum::new(&measures);
        TimeCounter {
            measures,
            width: saturating_nanos(span).div_ceil(BUCKETS as u64).max(1),
            newest: 0,
            buckets: vec![empty; BUCKETS].into_boxed_slice(),
            sum: empty,
        }
    }

    fn place(bucket: u64) -> usize {
        // A remainder of 60 always fits.
        (bucket % BUCKETS as u64) as usize
    }

    /// Forgets the buckets that `now` has left behind. A time before the newest one leaves everything as it is.
    fn advance(&mut self, now: Moment) {
        let bucket = now.as_nanos() / self.width;
        let steps = bucket.saturating_sub(self.newest).min(BUCKETS as u64);
        let mut forgot = false;
        for step in 1..=steps {
            let expired = &mut self.buckets[Self::place(self.newest.saturating_add(step))];
            if !expired.is_empty() {
                *expired = Sum::new(&self.measures);
                forgot = true;
            }
        }
        self.newest = self.newest.max(bucket);
        if forgot {
            self.sum = Sum::new(&self.measures);
            for bucket in &self.buckets {
                self.sum.merge(bucket);
            }
        }
    }
}

impl Counter for TimeCounter {
    fn record(&mut self, failure: bool, duration: Duration, now: Moment) {
        self.advance(now);
        self.buckets[Self::place(self.newest)].add(failure, duration);
        self.sum.add(failure, duration);
    }

    fn metrics(&mut self, now: Moment) -> Metrics {
        self.advance(now);
        self.sum.metrics()
    }

    fn clear(&mut self, now: Moment) {
        self.advance(now);
        self.buckets.fill(Sum::new(&self.measures));
        self.sum = Sum::new(&self.measures);
    }
}
