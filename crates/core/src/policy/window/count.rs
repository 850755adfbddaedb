//! The window of the last so many outcomes: a ring of bits with running sums.

use std::time::Duration;

use super::Counter;
use super::spent::{Spent, are_measured};
use crate::metrics::{Measures, Metrics};
use crate::time::{Moment, saturating_nanos};

const BITS: usize = u64::BITS as usize;

/// Counts the last `size` outcomes exactly, at constant cost for each.
///
/// An outcome takes one bit, one byte more for slow calls, and 8 where latency is measured. Memory grows with the outcomes, up to the
/// size, and stays.
#[derive(Debug)]
pub struct CountCounter {
    size: u32,
    /// Where the next outcome goes: the oldest one's place once the ring is full.
    next: u32,
    len: u32,
    failed: u32,
    /// Successes that came after all these, and are not in the ring yet; none where durations are measured.
    behind: u32,
    /// A bit for each place: whether that outcome was a failure.
    failures: Vec<u64>,
    timed: Option<Box<Timed>>,
}

/// The durations of the outcomes, where they are measured.
#[derive(Debug)]
struct Timed {
    measures: Measures,
    places: Places,
    spent: Spent,
}

/// What is known of the duration in each place: no more than is asked for, because there are many places.
#[derive(Debug)]
enum Places {
    /// Nanoseconds.
    Nanos(Vec<u64>),
    /// How many of the thresholds for slow calls it reached.
    Reached(Vec<u8>),
}

impl CountCounter {
    /// An empty window for the last `size` outcomes, at least 1.
    pub fn new(size: u32, measures: Measures) -> Self {
        let timed = are_measured(&measures).then(|| Box::new(Timed::new(measures)));
        let failures = Vec::new();
        CountCounter { size: size.max(1), next: 0, len: 0, failed: 0, behind: 0, failures, timed }
    }

    /// The newest of these outcomes in a window of another size, or for other measures; an empty one if those ask for
    /// durations that were not taken down.
    pub(super) fn resized(&mut self, size: u32, measures: Measures) -> Self {
        self.catch_up();
        let mut resized = CountCounter::new(size, measures);
        let knows = |timed: &Timed| timed.knows(&measures);
        if resized.timed.is_some() && !self.timed.as_deref().is_some_and(knows) {
            return resized;
        }
        for age in (0..self.len.min(resized.size)).rev() {
            let place = self.place_of(age);
            let duration = self.timed.as_ref().map(|timed| timed.duration_at(place));
            resized.push(self.failed_at(place), duration.unwrap_or_default());
        }
        resized
    }

    /// How many outcomes there are, and how many of them failed.
    #[inline]
    pub(super) fn totals(&mut self) -> (u64, u64) {
        self.catch_up();
        (u64::from(self.len), u64::from(self.failed))
    }

    /// The place of the outcome that `age` others came after.
    fn place_of(&self, age: u32) -> usize {
        let (next, size) = (u64::from(self.next), u64::from(self.size));
        ((next + size - 1 - u64::from(age)) % size) as usize
    }

    fn failed_at(&self, place: usize) -> bool {
        (self.failures[place / BITS] >> (place % BITS)) & 1 == 1
    }

    #[inline]
    fn push(&mut self, failure: bool, duration: Duration) {
        let place = self.next as usize;
        let (word, bit) = (place / BITS, place % BITS);
        if word == self.failures.len() {
            self.grow_to(word + 1);
        }
        let before = self.failures[word];
        self.failures[word] = (before & !(1 << bit)) | (u64::from(failure) << bit);
        // A place that was never used holds no failure.
        self.failed += u32::from(failure);
        self.failed -= (before >> bit & 1) as u32;
        if let Some(timed) = &mut self.timed {
            timed.push(place, duration);
        }
        self.len += u32::from(self.len < self.size);
        self.move_on(1);
    }

    /// Puts the successes that are not in the ring yet, and a failure after them, into the ring.
    #[inline]
    fn push_failure(&mut self) {
        let (many, word, bit) =
            (self.behind as usize, self.next as usize / BITS, self.next as usize % BITS);
        let end = self.next + self.behind + 1;
        match self.failures.get_mut(word) {
            // All in one word, mostly: failures that come often have few successes between them.
            Some(places) if bit + many < BITS && end <= self.size => {
                let gone = *places & (u64::MAX >> (BITS - 1 - many)) << bit;
                *places = *places ^ gone | 1 << (bit + many);
                self.failed = self.failed + 1 - gone.count_ones();
                self.behind = 0;
                self.len = self.len.max(end);
                self.move_on(end - self.next);
            }
            _ => {
                self.catch_up();
                self.push(true, Duration::ZERO);
            }
        }
    }

    /// Puts the successes that are not in the ring yet into it.
    fn catch_up(&mut self) {
        // More than the window holds leave what the last ones leave.
        let mut left = std::mem::take(&mut self.behind).min(self.size);
        while left > 0 {
            let many = left.min(self.size - self.next);
            self.push_successes(many);
            left -= many;
        }
    }

    /// Puts `many` successes in a row into the ring, which end before it does.
    fn push_successes(&mut self, many: u32) {
        let (from, to) = (self.next as usize, (self.next + many) as usize);
        self.clear_places(from, to);
        self.len = self.len.max(to as u32);
        self.move_on(many);
    }

    fn clear_places(&mut self, from: usize, to: usize) {
        let words = to.div_ceil(BITS);
        if words > self.failures.len() {
            self.grow_to(words);
        }
        for word in from / BITS..words {
            let (low, high) =
                (from.max(word * BITS) % BITS, to.min((word + 1) * BITS) - word * BITS);
            let overwritten = (u64::MAX << low) & (u64::MAX >> (BITS - high));
            self.failed -= (self.failures[word] & overwritten).count_ones();
            self.failures[word] &= !overwritten;
        }
    }

    #[cold]
    fn grow_to(&mut self, words: usize) {
        // A small window takes no more than it will need; a large one grows as usual.
        let needed = (self.size as usize).div_ceil(BITS);
        self.failures.reserve_exact(needed.min(8).saturating_sub(self.failures.len()));
        self.failures.resize(words, 0);
    }

    fn move_on(&mut self, places: u32) {
        self.next += places;
        if self.next == self.size {
            self.next = 0;
        }
    }
}

impl Timed {
    fn new(measures: Measures) -> Self {
        let places = match measures.latency {
            true => Places::Nanos(Vec::new()),
            false => Places::Reached(Vec::new()),
        };
        Timed { measures, places, spent: Spent::new(&measures) }
    }

    fn push(&mut self, place: usize, duration: Duration) {
        let oldest = match &mut self.places {
            Places::Nanos(all) => {
                replace(all, place, saturating_nanos(duration)).map(Duration::from_nanos)
            }
            Places::Reached(all) => {
                // There are few thresholds.
                let reached = self.measures.slow.reached(duration) as u8;
                replace(all, place, reached)
                    .map(|reached| self.measures.slow.highest_of(reached.into()))
            }
        };
        if let Some(oldest) = oldest {
            self.spent.remove(oldest);
        }
        self.spent.add(duration);
    }

    /// How long the outcome in a place took; where nobody asks for more, as long as the highest threshold that it reached.
    fn duration_at(&self, place: usize) -> Duration {
        match &self.places {
            Places::Nanos(all) => Duration::from_nanos(all[place]),
            Places::Reached(all) => self.measures.slow.highest_of(all[place].into()),
        }
    }

    /// Whether what is kept is enough for `measures`.
    fn knows(&self, measures: &Measures) -> bool {
        let is_known = |threshold| self.measures.slow.iter().any(|known| known == threshold);
        self.measures.latency || !measures.latency && measures.slow.iter().all(is_known)
    }

    fn clear(&mut self) {
        *self = Timed::new(self.measures);
    }
}

/// Puts something into a place, the next new one at most; returns what was there.
fn replace<T>(all: &mut Vec<T>, place: usize, new: T) -> Option<T> {
    match all.get_mut(place) {
        Some(old) => Some(std::mem::replace(old, new)),
        None => {
            all.push(new);
            None
        }
    }
}

impl Counter for CountCounter {
    #[inline]
    fn record(&mut self, failure: bool, duration: Duration, _now: Moment) {
        match (&self.timed, failure) {
            (Some(_), _) => self.push(failure, duration),
            (None, true) => self.push_failure(),
            (None, false) => self.behind = self.behind.saturating_add(1),
        }
    }

    #[inline]
    fn record_successes(&mut self, successes: u64, _now: Moment) {
        if self.timed.is_none() {
            let successes = u32::try_from(successes).unwrap_or(u32::MAX);
            self.behind = self.behind.saturating_add(successes);
            return;
        }
        // More than the window holds leave what the last ones leave.
        for _ in 0..successes.min(self.size.into()) {
            self.push(false, Duration::ZERO);
        }
    }

    fn metrics(&mut self, _now: Moment) -> Metrics {
        let (total, failures) = self.totals();
        let mut metrics = Metrics { total, failures, ..Metrics::default() };
        if let Some(timed) = &self.timed {
            timed.spent.fill(&mut metrics);
        }
        metrics
    }

    fn clear(&mut self, _now: Moment) {
        (self.next, self.len, self.failed, self.behind) = (0, 0, 0, 0);
        self.failures.clear();
        if let Some(timed) = &mut self.timed {
            timed.clear();
        }
    }
}
