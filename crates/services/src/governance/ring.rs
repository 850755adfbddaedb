//! Good and bad calls of the recent past, in a fixed number of buckets of time.

use std::collections::VecDeque;
use std::time::Duration;

use fuseboard_core::time::Moment;

/// Into how many buckets a window is divided: what leaves it leaves late by a sixtieth of it at most.
const BUCKETS: u64 = 60;

/// How many calls were good, and how many bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) good: u64,
    pub(super) bad: u64,
}

impl Tally {
    pub(super) fn total(self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    pub(super) fn plus(self, more: Tally) -> Tally {
        Tally { good: self.good.saturating_add(more.good), bad: self.bad.saturating_add(more.bad) }
    }

    pub(super) fn minus(self, less: Tally) -> Tally {
        Tally { good: self.good.saturating_sub(less.good), bad: self.bad.saturating_sub(less.bad) }
    }
}

/// The calls of a window that moves with time.
#[derive(Debug)]
pub(super) struct Ring {
    /// Nanoseconds, at least 1.
    width: u64,
    /// By number since the clock's beginning, the oldest first.
    buckets: VecDeque<(u64, Tally)>,
}

impl Ring {
    pub(super) fn new(window: Duration) -> Self {
        let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        Ring { width: nanos.div_ceil(BUCKETS).max(1), buckets: VecDeque::new() }
    }

    pub(super) fn add(&mut self, calls: Tally, now: Moment) {
        self.forget(now);
        let number = now.as_nanos() / self.width;
        match self.buckets.back_mut() {
            Some((last, tally)) if *last == number => *tally = tally.plus(calls),
            _ => self.buckets.push_back((number, calls)),
        }
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }

    pub(super) fn sum(&self, now: Moment) -> Tally {
        self.kept(now).fold(Tally::default(), |sum, (_, tally)| sum.plus(tally))
    }

    /// How long until `enough` holds of what is left, if no more calls come; it must hold of nothing at all.
    pub(super) fn until(&self, now: Moment, enough: impl Fn(Tally) -> bool) -> Duration {
        let mut left = self.sum(now);
        let mut wait = Duration::ZERO;
        for (number, tally) in self.kept(now) {
            if enough(left) {
                break;
            }
            left = left.minus(tally);
            let leaves = number.saturating_add(BUCKETS + 1).saturating_mul(self.width);
            wait = Moment::from_nanos(leaves).since(now);
        }
        wait
    }

    fn kept(&self, now: Moment) -> impl Iterator<Item = (u64, Tally)> + '_ {
        let oldest = self.oldest(now);
        self.buckets.iter().copied().filter(move |(number, _)| *number >= oldest)
    }

    fn forget(&mut self, now: Moment) {
        let oldest = self.oldest(now);
        while self.buckets.front().is_some_and(|(number, _)| *number < oldest) {
            self.buckets.pop_front();
        }
    }

    /// A bucket counts as long as any of it is in the window.
    fn oldest(&self, now: Moment) -> u64 {
        (now.as_nanos() / self.width).saturating_sub(BUCKETS)
    }
}
