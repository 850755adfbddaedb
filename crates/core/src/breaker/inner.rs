//! What of a breaker is under its lock: the engine, and what is counted beside it.

use super::cells::{Cells, Counted};
use super::{LastError, Totals};
use crate::engine::Engine;
use crate::listener::News;

/// What is under a breaker's lock.
pub(super) struct Inner {
    pub(super) engine: Engine,
    /// What was counted under the lock.
    pub(super) totals: Totals,
    /// Admitted less settled under the lock; below zero where calls that were admitted without it end under it.
    pub(super) in_flight: i64,
    pub(super) last_error: Option<Box<LastError>>,
    /// What threads count by themselves; none do in a circuit that is seldom called.
    pub(super) cells: Option<Box<Cells>>,
    /// Attempts under the lock, as long as there are few.
    pub(super) visits: u32,
    pub(super) news: Option<Box<News>>,
}

impl Inner {
    pub(super) fn new(engine: Engine) -> Self {
        Inner {
            engine,
            totals: Totals::default(),
            in_flight: 0,
            last_error: None,
            cells: None,
            visits: 0,
            news: None,
        }
    }

    /// Tells the engine of the successes that were counted without the lock. They come before what happens next.
    #[inline]
    pub(super) fn absorb(&mut self, generation: u64) {
        if let Some(cells) = &mut self.cells {
            self.engine.absorb(cells.take_successes(generation));
        }
    }

    /// As [`absorb`](Self::absorb), with all that the cells count.
    pub(super) fn absorb_all(&mut self) -> Counted {
        let generation = self.engine.circuit().generation();
        let Some(cells) = &mut self.cells else { return Counted::default() };
        let (successes, counted) = cells.take_sum(generation);
        self.engine.absorb(successes);
        counted
    }

    pub(super) fn remember(&mut self, error: LastError) {
        match &mut self.last_error {
            Some(last) => **last = error,
            None => self.last_error = Some(Box::new(error)),
        }
    }

    #[cold]
    pub(super) fn queue_news(&mut self, somebody_listens: bool) {
        let notices = self.engine.take_notices();
        if somebody_listens {
            self.news.get_or_insert_default().queue(notices);
        }
    }

    /// All totals. What was counted without the lock and never absorbed came after its generation had ended.
    pub(super) fn totals(&self, counted: &Counted) -> Totals {
        let absorbed = self.cells.as_ref().map_or(0, |cells| cells.absorbed);
        Totals {
            success: self.totals.success + absorbed,
            stale: self.totals.stale + counted.settled.saturating_sub(absorbed),
            rejected: self.totals.rejected + counted.rejected,
            ..self.totals
        }
    }

    pub(super) fn in_flight(&self, counted: &Counted) -> u64 {
        let at_ease = counted.admitted as i64 - counted.settled as i64;
        u64::try_from(at_ease + self.in_flight).unwrap_or(0)
    }
}
