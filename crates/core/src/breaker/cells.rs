//! Counts that belong to one thread: it alone writes them, so that counting a call costs no read-modify-write and no
//! other thread's cache line.
//!
//! A thread has a [`Cell`] for each breaker that it uses ([`super::mine`] finds it). Whoever holds the circuit's lock adds
//! the cells up ([`Cells::sum`]). A thread that ends hands its counts over ([`Cells::hand_over`]).
//!
//! A success is counted for the generation that its cell is marked with. If the circuit moves on between a thread's look
//! at the word and its count, the count stays with the old generation, where nobody adds it to a window any more: it
//! shows up as stale.

use std::sync::{Arc, Weak};

use super::Shared;
use super::word::Word;
use crate::sync::{AtomicU64, Ordering};

#[cfg(test)]
#[cfg(loom)]
mod model;

/// One thread's counts for one breaker, and what it has to know to go on counting. The counts only grow.
///
/// Behind the two counts of an [`Arc`], and with an allocator that aligns to 16 bytes, the four that every call writes
/// have no neighbours in their cache lines but these spaces and the start of the same allocation.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Cell {
    /// The way to the breaker, for the owner.
    pub(super) home: Weak<Shared>,
    _before: [u64; 2],
    /// The circuit's word, for who does not hold the breaker: written under the circuit's lock, and when the circuit
    /// leaves a word before anybody can see that elsewhere.
    word: AtomicU64,
    /// Successes counted here, ever.
    settled: AtomicU64,
    /// The generation that the latest of them belong to.
    generation: AtomicU64,
    /// What `settled` was when that generation was first seen here.
    mark: AtomicU64,
    admitted: AtomicU64,
    rejected: AtomicU64,
    _after: [u64; 4],
}

impl Cell {
    pub(super) fn of(home: Weak<Shared>) -> Self {
        Cell { home, ..Cell::default() }
    }
}

/// Only the owner writes, so that it may read and then write without anything in between.
#[inline]
fn grow(count: &AtomicU64, ordering: Ordering) {
    count.store(count.load(Ordering::Relaxed) + 1, ordering);
}

impl Cell {
    /// Counts an admission. By the owner only.
    #[inline]
    pub(super) fn admit(&self) {
        grow(&self.admitted, Ordering::Relaxed);
    }

    /// Counts a rejection. By the owner only.
    #[inline]
    pub(super) fn reject(&self) {
        grow(&self.rejected, Ordering::Relaxed);
    }

    /// Counts a success of `generation`. By the owner only.
    #[inline]
    pub(super) fn settle(&self, generation: u64) {
        if self.generation.load(Ordering::Relaxed) != generation {
            self.mark.store(self.settled.load(Ordering::Relaxed), Ordering::Relaxed);
            self.generation.store(generation, Ordering::Release);
        }
        grow(&self.settled, Ordering::Release);
    }

    /// As [`settle`](Self::settle), if the circuit's word is still `word`. By the owner only.
    #[inline]
    pub(super) fn settle_under(&self, word: Word) -> bool {
        let still = self.word.load(Ordering::Acquire) == word.bits();
        if still {
            self.settle(word.generation());
        }
        still
    }

    /// Successes, and those of them that belong to `generation`.
    #[inline]
    fn successes(&self, generation: u64) -> (u64, u64) {
        // In this order: a success of this generation that is read here was marked with it before.
        let settled = self.settled.load(Ordering::Acquire);
        match self.generation.load(Ordering::Acquire) == generation {
            true => (settled, settled.saturating_sub(self.mark.load(Ordering::Relaxed))),
            false => (settled, 0),
        }
    }
}

/// What some cells come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Successes, ever.
    pub(super) settled: u64,
    /// Those of them that belong to the present generation.
    pub(super) current: u64,
    pub(super) admitted: u64,
    pub(super) rejected: u64,
}

/// The cells of one breaker, under its lock.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: Vec<Arc<Cell>>,
    /// What the cells of threads that ended came to.
    ended: Counted,
    /// Successes from cells that the engine was told of, ever.
    pub(super) absorbed: u64,
    /// Those of them that belong to the present generation.
    absorbed_now: u64,
}

impl Cells {
    /// Gives a thread a cell, while the circuit's word is `word`.
    pub(super) fn add(&mut self, cell: Arc<Cell>, word: Word) {
        cell.word.store(word.bits(), Ordering::Release);
        // One more, and not twice as many: the goal is so many bytes for each thread.
        self.cells.reserve_exact(1);
        self.cells.push(cell);
    }

    /// Tells all threads that the circuit's word will be `word`.
    pub(super) fn announce(&self, word: Word) {
        for cell in &self.cells {
            cell.word.store(word.bits(), Ordering::Release);
        }
    }

    /// What all cells come to, in `generation`, which is the circuit's.
    pub(super) fn sum(&self, generation: u64) -> Counted {
        let mut sum = self.ended;
        for cell in &self.cells {
            let (settled, current) = cell.successes(generation);
            sum.settled += settled;
            sum.current += current;
        }
        // After the settled ones: who was seen to settle is seen to have been admitted.
        for cell in &self.cells {
            sum.admitted += cell.admitted.load(Ordering::Relaxed);
            sum.rejected += cell.rejected.load(Ordering::Relaxed);
        }
        sum
    }

    /// The generation is over: nothing is counted for it any more.
    pub(super) fn next_generation(&mut self) {
        self.ended.current = 0;
        self.absorbed_now = 0;
    }

    /// The successes of `generation`, which is the circuit's, that nobody took yet. They are taken now.
    pub(super) fn take_successes(&mut self, generation: u64) -> u64 {
        let mut current = self.ended.current;
        for cell in &self.cells {
            current += cell.successes(generation).1;
        }
        self.take(current)
    }

    /// As [`take_successes`](Self::take_successes), with the sum that they are part of.
    pub(super) fn take_sum(&mut self, generation: u64) -> (u64, Counted) {
        let counted = self.sum(generation);
        (self.take(counted.current), counted)
    }

    fn take(&mut self, current: u64) -> u64 {
        let successes = current.saturating_sub(self.absorbed_now);
        self.absorbed_now += successes;
        self.absorbed += successes;
        successes
    }

    /// Takes over the counts of a thread that ends.
    pub(super) fn hand_over(&mut self, cell: &Arc<Cell>, generation: u64) {
        self.cells.retain(|one| !Arc::ptr_eq(one, cell));
        let alone = Cells { cells: vec![Arc::clone(cell)], ended: self.ended, ..Cells::default() };
        self.ended = alone.sum(generation);
        self.cells.shrink_to_fit();
    }
}
