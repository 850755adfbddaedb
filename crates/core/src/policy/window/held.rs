//! The counter of one circuit: one of ours, called directly, or a user's.

use std::sync::Arc;
use std::time::Duration;

use super::custom::GuardedCounter;
use super::{CountCounter, Counter, TimeCounter, Window};
use crate::metrics::{Measures, Metrics};
use crate::time::Moment;

/// The outcomes in a window of one circuit.
#[derive(Debug)]
pub(crate) enum Held {
    Count(CountCounter),
    Time(Box<TimeCounter>),
    /// Seldom, and large.
    Own(Box<GuardedCounter>),
}

impl Held {
    /// An empty window.
    pub(crate) fn open(window: &Window, measures: Measures) -> Self {
        match window {
            Window::Count(size) => Held::Count(CountCounter::new(*size, measures)),
            Window::Time(span) => Held::Time(Box::new(TimeCounter::new(*span, measures))),
            Window::Custom(policy) => {
                Held::Own(Box::new(GuardedCounter::new(Arc::clone(policy), measures)))
            }
        }
    }

    /// What it holds, in another window and for other measures: as much as that can hold and as was taken down.
    pub(crate) fn moved_to(&mut self, window: &Window, measures: Measures, now: Moment) -> Self {
        match (self, window) {
            (Held::Count(counter), Window::Count(size)) => {
                Held::Count(counter.resized(*size, measures))
            }
            (Held::Time(counter), Window::Time(span)) => {
                Held::Time(Box::new(counter.resized(*span, measures, now)))
            }
            _ => Held::open(window, measures),
        }
    }

    #[inline]
    pub(crate) fn record(&mut self, failure: bool, duration: Duration, now: Moment) {
        match self {
            Held::Count(counter) => counter.record(failure, duration, now),
            Held::Time(counter) => counter.record(failure, duration, now),
            Held::Own(counter) => counter.record(failure, duration, now),
        }
    }

    #[inline]
    pub(crate) fn record_successes(&mut self, successes: u64, now: Moment) {
        match self {
            Held::Count(counter) => counter.record_successes(successes, now),
            Held::Time(counter) => counter.record_successes(successes, now),
            Held::Own(counter) => counter.record_successes(successes, now),
        }
    }

    /// How many outcomes it holds, and how many of them failed.
    #[inline]
    pub(crate) fn totals(&mut self, now: Moment) -> (u64, u64) {
        match self {
            Held::Count(counter) => counter.totals(),
            Held::Time(counter) => counter.totals(now),
            Held::Own(counter) => {
                let metrics = counter.metrics(now);
                (metrics.total, metrics.failures)
            }
        }
    }

    pub(crate) fn metrics(&mut self, now: Moment) -> Metrics {
        match self {
            Held::Count(counter) => counter.metrics(now),
            Held::Time(counter) => counter.metrics(now),
            Held::Own(counter) => counter.metrics(now),
        }
    }

    pub(crate) fn clear(&mut self, now: Moment) {
        match self {
            Held::Count(counter) => counter.clear(now),
            Held::Time(counter) => counter.clear(now),
            Held::Own(counter) => counter.clear(now),
        }
    }

    /// Up to when it forgets nothing by itself; `None` where only its maker knows.
    #[inline]
    pub(crate) fn unchanged_until(&self) -> Option<Moment> {
        match self {
            Held::Count(_) => Some(Moment::FAR),
            Held::Time(counter) => Some(counter.unchanged_until()),
            Held::Own(_) => None,
        }
    }
}
