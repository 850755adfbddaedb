//! What may be done without the circuit's lock, in one word that is written under the lock only.

use std::time::Duration;

use crate::engine::Ease;
use crate::machine::Cause;
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
    /// Calls are admitted, and quick successes are only counted.
    Quiet,
    /// As quiet; and calls are not timed, and every result is a success, so that no success needs a look.
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
    pub(super) fn is_idle(self) -> bool {
        self.0 & ((1 << MODE_BITS) - 1) == 3
    }

    #[inline]
    pub(super) fn generation(self) -> u64 {
        self.0 >> (MODE_BITS + CAUSE_BITS)
    }

    pub(super) fn cause(self) -> Cause {
        Cause::from_number(self.0 >> MODE_BITS & ((1 << CAUSE_BITS) - 1))
    }
}

/// The word of one circuit, and the deadline that belongs to it while it rejects.
///
/// It has a cache line of its own: everybody reads it, and what is beside it under the lock is written all the time.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Published {
    word: AtomicU64,
    since: AtomicU64,
    deadline: AtomicU64,
    /// The breaker's number, which finds a thread's cell.
    pub(super) number: u64,
    /// Whether calls are timed, or results looked at.
    looks: bool,
    /// How far the clock's coarse time may lag behind.
    pub(super) lag: Duration,
}

impl Published {
    pub(super) fn new(number: u64, rules: &Rules, lag: Duration) -> Self {
        let looks = rules.times_calls() || !rules.classifier().takes_values_for_successes();
        let zero = || AtomicU64::new(0);
        Published { word: zero(), since: zero(), deadline: zero(), number, looks, lag }
    }

    /// What may be done now. What was published before by the thread that is heard here is seen.
    #[inline]
    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Since when and until when a word rejects; `None` if another word is in place by now.
    #[inline]
    pub(super) fn times_of(&self, word: Word) -> Option<(Moment, Moment)> {
        let since = self.since.load(Ordering::Acquire);
        let deadline = self.deadline.load(Ordering::Acquire);
        // Between two words that reject there is one that does not: the same word afterwards means that it was its own.
        let times = (Moment::from_nanos(since), Moment::from_nanos(deadline));
        (self.word() == word).then_some(times)
    }

    /// Says what may be done from here on. To be called under the circuit's lock.
    pub(super) fn publish(&self, generation: u64, ease: Ease) {
        let word = match ease {
            Ease::Locked => Word::new(generation, Mode::Locked, 0),
            Ease::Admits => Word::new(generation, Mode::Admits, 0),
            Ease::Quiet if self.looks => Word::new(generation, Mode::Quiet, 0),
            Ease::Quiet => Word::new(generation, Mode::Idle, 0),
            Ease::Rejects { cause, .. } => Word::new(generation, Mode::Rejects, cause.number()),
        };
        // A store makes every reader fetch the line again, so what stays is not stored.
        if self.word.load(Ordering::Relaxed) == word.0 {
            return;
        }
        if let Ease::Rejects { since, until, .. } = ease {
            // Who sees these times sees that the word before it is over.
            self.word.store(Word::new(generation, Mode::Locked, 0).0, Ordering::Release);
            self.since.store(since.as_nanos(), Ordering::Release);
            self.deadline.store(until.as_nanos(), Ordering::Release);
        }
        self.word.store(word.0, Ordering::Release);
    }
}
