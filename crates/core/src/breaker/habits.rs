//! What of the rules every call needs, so that none has to look at the rules themselves.

use std::time::Duration;

use crate::rules::Rules;
use crate::time::saturating_nanos;

/// What of the rules every call needs, in one word: the low bits, below the number of times that the rules changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits(u64);

const TIMED: u64 = 1;
const COARSE: u64 = 2;
const PLAIN: u64 = 4;
const HABIT_BITS: u32 = 3;

impl Habits {
    pub(super) fn new(rules: &Rules, version: u64, lag: u64) -> Self {
        let timed = if rules.times_calls() { TIMED } else { 0 };
        let coarse = if may_time_coarsely(rules, lag) { COARSE } else { 0 };
        let plain = if rules.classifier().takes_values_for_successes() { PLAIN } else { 0 };
        Habits(version << HABIT_BITS | timed | coarse | plain)
    }

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Self {
        Habits(bits)
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Whether calls are timed.
    #[inline]
    pub(super) fn timed(self) -> bool {
        self.0 & TIMED != 0
    }

    /// Whether the coarse time will do for that.
    #[inline]
    pub(super) fn coarsely(self) -> bool {
        self.0 & COARSE != 0
    }

    /// Whether every result is a success and every error a failure, so that none needs a look at the rules.
    #[inline]
    pub(super) fn plain(self) -> bool {
        self.0 & PLAIN != 0
    }

    /// How often the rules changed.
    #[inline]
    pub(super) fn version(self) -> u64 {
        self.0 >> HABIT_BITS
    }
}

/// If all that durations are for is to tell slow calls, the coarse time tells them to within a hundredth of what is slow.
fn may_time_coarsely(rules: &Rules, lag: u64) -> bool {
    let measures = rules.measures();
    let slow_is_long = |slow: Duration| slow.as_nanos() >= u128::from(lag) * 100;
    !measures.latency
        && measures.hanging.is_empty()
        && rules.cancelled_after().is_none()
        && measures.slow.first().is_some_and(slow_is_long)
}

/// The nanoseconds from which a call is slow; `u64::MAX` if that does not matter.
pub(super) fn slow_from(rules: &Rules) -> u64 {
    let slow = rules.measures().slow;
    slow.first().map_or(u64::MAX, saturating_nanos)
}
