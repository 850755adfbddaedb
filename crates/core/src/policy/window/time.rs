//! The window of the last while: sixty buckets that are emptied as time passes.

use std::time::Duration;

use super::Counter;
use super::spent::{Spent, are_measured};
use crate::metrics::{Measures, Metrics};
use crate::time::{Moment, saturating_nanos};

const BUCKETS: usize = 60;

/// Counts the outcomes of the last `span`, in sixty buckets of equal width.
///
/// An outcome is forgotten when its bucket is 60 buckets old: when between 59/60 of the span and all of it has
/// passed. Memory is constant, and a pause of any length costs at most 60 steps.
#[derive(Debug)]
pub struct TimeCounter {
    width: u64,
    /// The newest bucket seen, counted from the beginning of the clock.
    newest: u64,
    buckets: [Bucket; BUCKETS],
    sum: Outcomes,
    timed: Option<Box<Timed>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Outcomes {
    total: u64,
    failures: u64,
}

/// The outcomes of a sixtieth of the span; no more than four thousand million of them are counted.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    total: u32,
    failures: u32,
}

/// The time spent, bucket by bucket, where durations are measured: no more of it than is asked for.
#[derive(Debug)]
struct Timed {
    measures: Measures,
    /// Nanoseconds in each bucket, where latency is asked for.
    nanos: Vec<u64>,
    /// Calls in each bucket that reached each of the thresholds for slow calls.
    slow: Vec<u32>,
    sum: Spent,
}

impl TimeCounter {
    /// An empty window for the outcomes of the last `span`.
    pub fn new(span: Duration, measures: Measures) -> Self {
        TimeCounter {
            width: saturating_nanos(span).div_ceil(BUCKETS as u64).max(1),
            newest: 0,
            buckets: [Bucket::default(); BUCKETS],
            sum: Outcomes::default(),
            timed: are_measured(&measures).then(|| Box::new(Timed::new(measures))),
        }
    }

    /// These outcomes in a window of another span, or for other measures; an empty one if those ask for durations that
    /// were not taken down. An outcome is taken to be as old as its bucket.
    pub(super) fn resized(&mut self, span: Duration, measures: Measures, now: Moment) -> Self {
        self.advance(now);
        let mut resized = TimeCounter::new(span, measures);
        let oldest = self.newest.saturating_sub(BUCKETS as u64 - 1);
        for bucket in oldest..=self.newest {
            let place = Self::place(bucket);
            let spent = self.timed.as_ref().map(|timed| timed.spent(place).measured_by(&measures));
            if resized.timed.is_some() && !matches!(spent, Some(Some(_))) {
                return TimeCounter::new(span, measures);
            }
            resized.advance(Moment::from_nanos(bucket.saturating_mul(self.width)));
            resized.add(self.buckets[place].outcomes(), spent.flatten());
        }
        resized.advance(now);
        resized
    }

    /// How many outcomes there are at `now`, and how many of them failed.
    #[inline]
    pub(super) fn totals(&mut self, now: Moment) -> (u64, u64) {
        self.advance(now);
        (self.sum.total, self.sum.failures)
    }

    /// Up to when nothing is forgotten: the end of the newest bucket.
    pub(super) fn unchanged_until(&self) -> Moment {
        Moment::from_nanos(self.newest.saturating_add(1).saturating_mul(self.width))
    }

    fn add(&mut self, outcomes: Outcomes, spent: Option<Spent>) {
        let place = Self::place(self.newest);
        self.sum.add(self.buckets[place].take_in(outcomes));
        if let (Some(timed), Some(spent)) = (&mut self.timed, spent) {
            timed.take_in(place, &spent);
        }
    }

    fn place(bucket: u64) -> usize {
        // A remainder of 60 always fits.
        (bucket % BUCKETS as u64) as usize
    }

    /// Forgets the buckets that `now` has left behind. A time before the newest one leaves everything as it is.
    #[inline]
    fn advance(&mut self, now: Moment) {
        if now >= self.unchanged_until() {
            self.advance_to(now.as_nanos() / self.width);
        }
    }

    fn advance_to(&mut self, bucket: u64) {
        let steps = bucket.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 1..=steps {
            let place = Self::place(self.newest.saturating_add(step));
            let expired = std::mem::take(&mut self.buckets[place]).outcomes();
            self.sum.total -= expired.total;
            self.sum.failures -= expired.failures;
            if let Some(timed) = &mut self.timed {
                timed.forget(place);
            }
        }
        self.newest = self.newest.max(bucket);
    }
}

impl Outcomes {
    fn add(&mut self, other: Outcomes) {
        self.total += other.total;
        self.failures += other.failures;
    }
}

impl Bucket {
    fn outcomes(self) -> Outcomes {
        Outcomes { total: self.total.into(), failures: self.failures.into() }
    }

    /// Counts outcomes; returns those that there was room for.
    fn take_in(&mut self, more: Outcomes) -> Outcomes {
        let taken = |count: &mut u32, more: u64| {
            let before = *count;
            *count = count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
            u64::from(*count - before)
        };
        let total = taken(&mut self.total, more.total);
        Outcomes { total, failures: taken(&mut self.failures, more.failures) }
    }
}

impl Timed {
    fn new(measures: Measures) -> Self {
        let nanos = if measures.latency { vec![0; BUCKETS] } else { Vec::new() };
        let slow = vec![0; BUCKETS * measures.slow.len()];
        Timed { measures, nanos, slow, sum: Spent::new(&measures) }
    }

    /// What a bucket holds.
    fn spent(&self, place: usize) -> Spent {
        let nanos = self.nanos.get(place).copied().unwrap_or_default();
        Spent::of(&self.measures, nanos.into(), self.slow_at(place).iter().copied().map(u64::from))
    }

    fn slow_at(&self, place: usize) -> &[u32] {
        let thresholds = self.measures.slow.len();
        &self.slow[place * thresholds..(place + 1) * thresholds]
    }

    fn take_in(&mut self, place: usize, more: &Spent) {
        let before = self.spent(place);
        if let Some(nanos) = self.nanos.get_mut(place) {
            *nanos = nanos.saturating_add(u64::try_from(more.nanos()).unwrap_or(u64::MAX));
        }
        let first = place * self.measures.slow.len();
        for (count, (_, calls)) in self.slow[first..].iter_mut().zip(more.slow()) {
            *count = count.saturating_add(u32::try_from(calls).unwrap_or(u32::MAX));
        }
        // So much as there was room for, or what is forgotten later would be more than what was counted.
        self.sum.take_back(&before);
        self.sum.merge(&self.spent(place));
    }

    fn forget(&mut self, place: usize) {
        self.sum.take_back(&self.spent(place));
        if let Some(nanos) = self.nanos.get_mut(place) {
            *nanos = 0;
        }
        let thresholds = self.measures.slow.len();
        self.slow[place * thresholds..(place + 1) * thresholds].fill(0);
    }
}

impl Counter for TimeCounter {
    fn record(&mut self, failure: bool, duration: Duration, now: Moment) {
        self.advance(now);
        let spent = self.timed.as_ref().map(|timed| {
            let mut spent = Spent::new(&timed.measures);
            spent.add(duration);
            spent
        });
        self.add(Outcomes { total: 1, failures: u64::from(failure) }, spent);
    }

    fn record_successes(&mut self, successes: u64, now: Moment) {
        self.advance(now);
        // Without duration: nothing was spent.
        self.add(Outcomes { total: successes, failures: 0 }, None);
    }

    fn metrics(&mut self, now: Moment) -> Metrics {
        let (total, failures) = self.totals(now);
        let mut metrics = Metrics { total, failures, ..Metrics::default() };
        if let Some(timed) = &self.timed {
            timed.sum.fill(&mut metrics);
        }
        metrics
    }

    fn clear(&mut self, now: Moment) {
        self.advance(now);
        self.buckets = [Bucket::default(); BUCKETS];
        self.sum = Outcomes::default();
        if let Some(timed) = &mut self.timed {
            **timed = Timed::new(timed.measures);
        }
    }
}
