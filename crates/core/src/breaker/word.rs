//! What may be done without the circuit's lock, in one word that is written under the lock only.

use super::habits::{Habits, slow_from};
use crate::engine::Ease;
use crate::machine::Cause;
use crate::names::CircuitId;
use crate::rules::Rules;
use crate::sync::{AtomicU64, Ordering};
use crate::time::Moment;

/// What the fast path may do in a generation. It decides nothing: it says for which events `step` would change nothing
/// but counts, and the counts are kept in [cells](super::cells).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing: every event takes the lock.
    Locked,
    /// Calls are admitted; their ends take the lock.
    Admits,
    /// Calls are admitted, and quick successes up to a time are only counted.
    Quiet,
    /// As quiet, at any time; and calls are not timed, and every result is a success: no success needs a look.
    Idle,
    /// Calls are rejected until the deadline.
    Rejects,
}

/// A mode with the generation that it belongs to, and the cause of rejections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

const MODE_BITS: u32 = 3;
const CAUSE_BITS: u32 = 5;

impl Word {
    fn new(generation: u64, mode: Mode, cause: u64) -> Self {
        let mode = match mode {
            Mode::Locked => 0,
            Mode::Admits => 1,
            Mode::Quiet => 2,
            Mode::Idle => 3,
            Mode::Rejects => 4,
        };
        Word(generation << (MODE_BITS + CAUSE_BITS) | cause << MODE_BITS | mode)
    }

    #[inline]
    pub(super) fn mode(self) -> Mode {
        match self.0 & ((1 << MODE_BITS) - 1) {
            0 => Mode::Locked,
            1 => Mode::Admits,
            2 => Mode::Quiet,
            3 => Mode::Idle,
            _ => Mode::Rejects,
        }
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn is_idle(self) -> bool {
        self.0 & ((1 << MODE_BITS) - 1) == 3
    }

    #[inline]
    pub(super) fn is_quiet(self) -> bool {
        self.0 & ((1 << MODE_BITS) - 1) == 2
    }

    #[inline]
    pub(super) fn is_rejecting(self) -> bool {
        self.0 & ((1 << MODE_BITS) - 1) == 4
    }

    #[inline]
    pub(super) fn generation(self) -> u64 {
        self.0 >> (MODE_BITS + CAUSE_BITS)
    }

    pub(super) fn cause(self) -> Cause {
        Cause::from_number(self.0 >> MODE_BITS & ((1 << CAUSE_BITS) - 1))
    }
}

/// The word of one circuit, the times that belong to it, and what of the rules a call needs.
///
/// Everybody reads it, so its cache line must have nothing in it that is written all the time.
#[derive(Debug)]
pub(super) struct Published {
    word: AtomicU64,
    since: AtomicU64,
    until: AtomicU64,
    /// The duration in nanoseconds from which a call is slow; `u64::MAX` if that does not matter.
    slow: AtomicU64,
    habits: AtomicU64,
    /// The breaker's number finds a thread's cell.
    pub(super) circuit: CircuitId,
}

impl Published {
    pub(super) fn new(circuit: CircuitId, rules: &Rules, lag: u64) -> Self {
        let zero = || AtomicU64::new(0);
        let habits = AtomicU64::new(Habits::new(rules, 0, lag).bits());
        let slow = AtomicU64::new(slow_from(rules));
        Published { word: zero(), since: zero(), until: zero(), slow, habits, circuit }
    }

    /// What may be done now. What was published before by the thread that is heard here is seen.
    #[inline]
    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn habits(&self) -> Habits {
        Habits::from_bits(self.habits.load(Ordering::Acquire))
    }

    /// The duration in nanoseconds from which a call is slow; `u64::MAX` if that does not matter.
    #[inline]
    pub(super) fn slow(&self) -> u64 {
        self.slow.load(Ordering::Acquire)
    }

    /// Until when the word holds that was read before.
    #[inline]
    pub(super) fn until(&self) -> Moment {
        Moment::from_nanos(self.until.load(Ordering::Acquire))
    }

    /// Since when and until when a word rejects; `None` if another word is in place by now.
    #[inline]
    pub(super) fn times_of(&self, word: Word) -> Option<(Moment, Moment)> {
        let times = (Moment::from_nanos(self.since.load(Ordering::Acquire)), self.until());
        // Between two words that reject there is one that does not: the same word afterwards means that it was its own.
        (self.word() == word).then_some(times)
    }

    /// Says what may be done from here on, and if that is news, to `announce` first. To be called under the circuit's lock.
    #[inline]
    pub(super) fn publish(&self, generation: u64, ease: Ease, announce: impl FnOnce(Word)) {
        let (mode, cause, times) = match ease {
            Ease::Locked => (Mode::Locked, 0, None),
            Ease::Admits => (Mode::Admits, 0, None),
            Ease::Quiet { until } => (self.quiet(until), 0, Some((None, until))),
            Ease::Rejects { since, until, cause } => {
                (Mode::Rejects, cause.number(), Some((Some(since), until)))
            }
        };
        let word = Word::new(generation, mode, cause);
        // A store makes every reader fetch the line again, so what stays is not stored.
        let moves_on = self.word.load(Ordering::Relaxed) != word.0;
        if moves_on {
            announce(word);
        }
        if let Some((since, until)) = times {
            self.publish_times(generation, since, until, moves_on);
        }
        if moves_on {
            self.word.store(word.0, Ordering::Release);
        }
    }

    #[inline]
    fn quiet(&self, until: Moment) -> Mode {
        let habits = self.habits();
        match until == Moment::FAR && !habits.timed() && habits.plain() {
            true => Mode::Idle,
            false => Mode::Quiet,
        }
    }

    #[inline]
    fn publish_times(&self, generation: u64, since: Option<Moment>, until: Moment, moves_on: bool) {
        let began = since.map_or(self.since.load(Ordering::Relaxed), Moment::as_nanos);
        if self.until() == until && self.since.load(Ordering::Relaxed) == began {
            return;
        }
        if moves_on {
            // Who sees these times sees that the word before it is over.
            self.word.store(Word::new(generation, Mode::Locked, 0).0, Ordering::Release);
        }
        self.since.store(began, Ordering::Release);
        self.until.store(until.as_nanos(), Ordering::Release);
    }

    /// Says what other rules ask of a call. To be called under the circuit's lock, before the next word is published.
    pub(super) fn reconfigure(&self, rules: &Rules, lag: u64) {
        let version = self.habits().version() + 1;
        self.slow.store(slow_from(rules), Ordering::Release);
        self.habits.store(Habits::new(rules, version, lag).bits(), Ordering::Release);
    }
}
