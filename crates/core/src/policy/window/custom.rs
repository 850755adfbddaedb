//! A user's counter, with its panics contained.

use std::sync::Arc;
use std::time::Duration;

use super::{Counter, WindowPolicy};
use crate::metrics::{Measures, Metrics};
use crate::policy::guarded;
use crate::time::Moment;

/// Counts nothing where the user's counter panics, and lets no impossible metrics through.
#[derive(Debug)]
pub(crate) struct GuardedCounter {
    policy: Arc<dyn WindowPolicy>,
    measures: Measures,
    /// `None` if the policy panicked instead of opening one.
    counter: Option<Box<dyn Counter>>,
}

impl GuardedCounter {
    pub(super) fn new(policy: Arc<dyn WindowPolicy>, measures: Measures) -> Self {
        let counter = guarded(None, || Some(policy.open(measures)));
        GuardedCounter { policy, measures, counter }
    }
}

impl Counter for GuardedCounter {
    fn record(&mut self, failure: bool, duration: Duration, now: Moment) {
        if let Some(counter) = &mut self.counter {
            guarded((), || counter.record(failure, duration, now));
        }
    }

    fn metrics(&mut self, now: Moment) -> Metrics {
        let Some(counter) = &mut self.counter else { return Metrics::default() };
        let metrics = guarded(Metrics::default(), || counter.metrics(now));
        Metrics { failures: metrics.failures.min(metrics.total), ..metrics }
    }

    fn clear(&mut self, now: Moment) {
        let cleared = self.counter.as_mut().is_some_and(|counter| {
            guarded(false, || {
                counter.clear(now);
                true
            })
        });
        // A counter that could not be cleared must not bring outcomes of the last state into this one.
        if !cleared {
            self.counter = guarded(None, || Some(self.policy.open(self.measures)));
        }
    }
}
