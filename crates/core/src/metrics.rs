//! What is measured: [`Measures`] says what a tripper needs, [`Metrics`] is what a window found.

use std::fmt;
use std::time::Duration;

use crate::time::saturating_nanos;

/// How many different thresholds one tripper may have for slow calls, and how many for calls in flight.
pub const MAX_THRESHOLDS: usize = 4;

/// A sorted set of at most [`MAX_THRESHOLDS`] durations, in nanoseconds; what is longer than 584 years is as long as that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Ascending; `NONE` where there is none.
    nanos: [u64; MAX_THRESHOLDS],
}

const NONE: u64 = u64::MAX;

fn to_nanos(duration: Duration) -> u64 {
    saturating_nanos(duration).min(NONE - 1)
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { nanos: [NONE; MAX_THRESHOLDS] }
    }
}

impl fmt::Debug for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Thresholds {
    /// Adds `threshold` unless it is there; `false` if there is no room for it.
    pub fn insert(&mut self, threshold: Duration) -> bool {
        let nanos = to_nanos(threshold);
        let at = match self.nanos.binary_search(&nanos) {
            Ok(_) => return true,
            Err(at) => at,
        };
        if self.nanos[MAX_THRESHOLDS - 1] != NONE {
            return false;
        }
        self.nanos.copy_within(at..MAX_THRESHOLDS - 1, at + 1);
        self.nanos[at] = nanos;
        true
    }

    /// The thresholds, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Duration> + use<> {
        let nanos = self.nanos.into_iter().take_while(|nanos| *nanos != NONE);
        nanos.map(Duration::from_nanos)
    }

    /// The lowest.
    pub fn first(&self) -> Option<Duration> {
        self.iter().next()
    }

    /// How many of the thresholds `duration` reached. They are sorted, so it reached the first ones.
    pub fn reached(&self, duration: Duration) -> usize {
        let spent = to_nanos(duration);
        self.nanos.iter().take_while(|nanos| spent >= **nanos).count()
    }

    /// The highest of the first so many; zero of none.
    pub(crate) fn highest_of(&self, first: usize) -> Duration {
        self.iter().take(first).last().unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nanos[0] == NONE
    }

    fn place_of(&self, threshold: Duration) -> Option<usize> {
        self.nanos.binary_search(&to_nanos(threshold)).ok()
    }
}

/// What a tripper wants measured. What is not in here costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Whether durations of calls are needed at all.
    pub latency: bool,
    /// Durations from which a call counts as slow.
    pub slow: Thresholds,
    /// Durations from which a call in flight counts as hanging.
    pub hanging: Thresholds,
}

/// Counts of calls by the threshold they reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    thresholds: Thresholds,
    counts: [u64; MAX_THRESHOLDS],
}

impl Tally {
    /// Zero for each of `thresholds`.
    pub fn new(thresholds: Thresholds) -> Self {
        Tally { thresholds, counts: [0; MAX_THRESHOLDS] }
    }

    /// So many calls for each of `thresholds`, in their order.
    pub(crate) fn of(thresholds: Thresholds, calls: impl IntoIterator<Item = u64>) -> Self {
        let mut tally = Tally::new(thresholds);
        tally.counts.iter_mut().zip(calls).for_each(|(count, calls)| *count = calls);
        tally
    }

    /// Calls that reached `threshold`; zero for one that nobody asked to be measured.
    pub fn get(&self, threshold: Duration) -> u64 {
        self.thresholds.place_of(threshold).map_or(0, |at| self.counts[at])
    }

    /// Whether `threshold` was measured.
    pub fn has(&self, threshold: Duration) -> bool {
        self.thresholds.place_of(threshold).is_some()
    }

    /// The lowest threshold.
    pub(crate) fn lowest(&self) -> Option<Duration> {
        self.thresholds.first()
    }

    /// Takes the counts of another tally for the thresholds of this one.
    pub(crate) fn fill_from(&mut self, other: &Tally) {
        for (count, threshold) in self.counts.iter_mut().zip(self.thresholds.iter()) {
            *count = other.get(threshold);
        }
    }

    /// Each threshold, ascending, with the calls that reached it.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.thresholds.iter().zip(self.counts)
    }

    /// Counts a call that took `duration`.
    pub fn add(&mut self, duration: Duration) {
        for count in &mut self.counts[..self.thresholds.reached(duration)] {
            *count += 1;
        }
    }

    /// Takes back a call that took `duration`.
    pub fn remove(&mut self, duration: Duration) {
        for count in &mut self.counts[..self.thresholds.reached(duration)] {
            *count -= 1;
        }
    }

    /// Takes back another tally of the same thresholds.
    pub(crate) fn take_back(&mut self, other: &Tally) {
        for (count, less) in self.counts.iter_mut().zip(other.counts) {
            *count -= less;
        }
    }

    /// Counts another tally of the same thresholds.
    pub fn merge(&mut self, other: &Tally) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }
}

/// What a window holds at one moment. Rates are `None` where nothing was counted.
///
/// ```
/// use fuseboard_core::metrics::Metrics;
///
/// let metrics = Metrics { total: 8, failures: 2, ..Metrics::default() };
/// assert_eq!(metrics.failure_rate(), Some(0.25));
/// assert_eq!(Metrics::default().failure_rate(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Calls counted: successes and failures.
    pub total: u64,
    /// Failures among them.
    pub failures: u64,
    /// Failures in a row, up to now, since the state began. Not limited by the window.
    pub streak: u64,
    /// Time spent in the counted calls, failures too; zero where nobody asked for latency.
    pub total_duration: Duration,
    /// Counted calls that were slow, by threshold.
    pub slow: Tally,
    /// Calls in flight right now for at least a threshold.
    pub hanging: Tally,
}

impl Metrics {
    /// Successes among the counted calls.
    pub fn successes(&self) -> u64 {
        self.total - self.failures
    }

    /// The share of failures, from 0 to 1.
    pub fn failure_rate(&self) -> Option<f64> {
        share(self.failures, self.total)
    }

    /// The share of calls that took at least `threshold`, from 0 to 1.
    pub fn slow_rate(&self, threshold: Duration) -> Option<f64> {
        share(self.slow.get(threshold), self.total)
    }

    /// The mean duration of the counted calls.
    pub fn avg_latency(&self) -> Option<Duration> {
        let nanos = self.total_duration.as_nanos().checked_div(u128::from(self.total))?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// How much of `total` is `part`; `None` of nothing.
pub(crate) fn share(part: u64, total: u64) -> Option<f64> {
    // The quotient is rounded once, so that 7 of 100 equals the literal 0.07; a product would not be.
    (total > 0).then(|| part as f64 / total as f64)
}

/// Whether `part` is at least the share `ratio` of `total`, as [`share`] says; nothing is no share of anything.
#[inline]
pub(crate) fn reaches(part: u64, total: u64, ratio: f64) -> bool {
    // A division takes several times as long as a product, and is needed only where the product is in doubt.
    let limit = ratio * total as f64;
    let part_is = part as f64;
    if part_is < limit * 0.999_999 {
        return false;
    }
    share(part, total).is_some_and(|share| share >= ratio)
}
