//! The adaptive batch size: smaller after failures, larger after clean batches.

use std::sync::{Mutex, PoisonError};

use crate::circuits::Invalid;

/// How the size of adaptive batches changes.
///
/// ```
/// use fuseboard_services::replay_service::AdaptiveRules;
///
/// let rules = AdaptiveRules::default();
/// assert_eq!((rules.initial, rules.min, rules.max), (50, 10, 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveRules {
    /// The size of the first batch. Default 50.
    pub initial: usize,
    /// The smallest size. Default 10.
    pub min: usize,
    /// The largest size. Default 100.
    pub max: usize,
    /// The part of the tried letters that must fail for the next batch to be a fifth smaller. Default 0.2.
    pub failure_threshold: f64,
}

impl Default for AdaptiveRules {
    fn default() -> Self {
        AdaptiveRules { initial: 50, min: 10, max: 100, failure_threshold: 0.2 }
    }
}

impl AdaptiveRules {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.min == 0 || self.min > self.max {
            return Err(Invalid::new("adaptive.min", self.min, format!("1 to {}", self.max)));
        }
        if !(self.min..=self.max).contains(&self.initial) {
            let expected = format!("{} to {}", self.min, self.max);
            return Err(Invalid::new("adaptive.initial", self.initial, expected));
        }
        if !(self.failure_threshold > 0.0 && self.failure_threshold <= 1.0) {
            let expected = "a ratio above 0, up to 1";
            return Err(Invalid::new(
                "adaptive.failure_threshold",
                self.failure_threshold,
                expected,
            ));
        }
        Ok(())
    }
}

/// Clean batches in a row that make the next one larger.
const CLEAN_BATCHES: u32 = 3;
/// By how many letters.
const STEP: usize = 5;

/// The size of the next adaptive batch.
#[derive(Debug)]
pub(super) struct AdaptiveSize {
    rules: AdaptiveRules,
    now: Mutex<Now>,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    size: usize,
    clean_in_a_row: u32,
}

impl AdaptiveSize {
    pub(super) fn new(rules: AdaptiveRules) -> Self {
        AdaptiveSize { now: Mutex::new(Now { size: rules.initial, clean_in_a_row: 0 }), rules }
    }

    pub(super) fn get(&self) -> usize {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).size
    }

    /// Learns from a batch. Letters that nobody tried say nothing, and neither does a batch of only those.
    pub(super) fn learn(&self, succeeded: usize, failed: usize) {
        let tried = succeeded + failed;
        if tried == 0 {
            return;
        }
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = after(*now, failed as f64 / tried as f64, &self.rules);
    }
}

fn after(now: Now, failure_rate: f64, rules: &AdaptiveRules) -> Now {
    if failure_rate >= rules.failure_threshold {
        return Now { size: (now.size * 4 / 5).max(rules.min), clean_in_a_row: 0 };
    }
    if failure_rate > 0.0 {
        return Now { clean_in_a_row: 0, ..now };
    }
    match now.clean_in_a_row + 1 {
        CLEAN_BATCHES => Now { size: (now.size + STEP).min(rules.max), clean_in_a_row: 0 },
        clean_in_a_row => Now { clean_in_a_row, ..now },
    }
}
