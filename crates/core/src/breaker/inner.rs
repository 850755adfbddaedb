//! What of a breaker is under its lock: the engine, and what is counted beside it.

use std::sync::Arc;

use super::cells::{Cells, Counted};
use super::{LastError, Shared, Totals};
use crate::engine::Engine;
use crate::listener::News;
use crate::names::Listing;
use crate::outcome::Outcome;

/// What is under a breaker's lock. What a circuit does without as long as it is seldom called and all goes well is in a box
/// of its own: of many keyed circuits, most do.
pub(super) struct Inner {
    pub(super) engine: Engine,
    /// Calls that were admitted under the lock.
    pub(super) admitted: u64,
    /// Successes that were counted under the lock.
    success: u64,
    pub(super) extra: Option<Box<Extra>>,
}

/// What comes with many calls, failures and transitions.
#[derive(Default)]
pub(super) struct Extra {
    /// What threads count by themselves.
    pub(super) cells: Cells,
    /// What was counted under the lock, but for successes.
    pub(super) totals: Totals,
    pub(super) last_error: Option<LastError>,
    news: Option<Box<News>>,
    listing: Option<Listing>,
}

impl Inner {
    pub(super) fn new(engine: Engine) -> Self {
        Inner { engine, admitted: 0, success: 0, extra: None }
    }

    #[inline]
    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub(super) fn news(&mut self) -> Option<&mut News> {
        self.extra.as_mut()?.news.as_deref_mut()
    }

    /// Sees to it that the circuit is found by its number.
    pub(super) fn list(&mut self, home: &Arc<Shared>) {
        let list = || Listing::of(home.published.circuit, Arc::downgrade(home));
        self.extra().listing.get_or_insert_with(list);
    }

    /// Attempts under the lock.
    pub(super) fn attempts(&self) -> u64 {
        self.admitted + self.extra.as_ref().map_or(0, |extra| extra.totals.rejected)
    }

    #[inline]
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.success += 1,
            Outcome::Failure => self.extra().totals.failure += 1,
            Outcome::Ignored => self.extra().totals.ignored += 1,
        }
    }

    /// Tells the engine of the successes that were counted without the lock. They come before what happens next.
    #[inline]
    pub(super) fn absorb(&mut self, generation: u64) {
        if let Some(extra) = &mut self.extra {
            self.engine.absorb(extra.cells.take_successes(generation));
        }
    }

    /// Counts a failure of a call that `generation` admitted, if that is all it changes.
    #[inline]
    pub(super) fn count_failure(&mut self, generation: u64) -> bool {
        if self.engine.circuit().generation() != generation {
            return false;
        }
        self.absorb(generation);
        let counted = self.engine.count_failure();
        if counted {
            self.count(Outcome::Failure);
        }
        counted
    }

    /// As [`absorb`](Self::absorb), with all that the cells count.
    pub(super) fn absorb_all(&mut self) -> Counted {
        let generation = self.engine.circuit().generation();
        let Some(extra) = &mut self.extra else { return Counted::default() };
        let (successes, counted) = extra.cells.take_sum(generation);
        self.engine.absorb(successes);
        counted
    }

    pub(super) fn remember(&mut self, error: LastError) {
        self.extra().last_error = Some(error);
    }

    #[cold]
    pub(super) fn queue_news(&mut self, somebody_listens: bool) {
        let notices = self.engine.take_notices();
        if somebody_listens {
            self.extra().news.get_or_insert_default().queue(notices);
        }
    }

    /// What was counted under the lock.
    fn locked(&self) -> Totals {
        let rest = self.extra.as_ref().map_or(Totals::default(), |extra| extra.totals);
        Totals { success: self.success, ..rest }
    }

    /// All totals. What was counted without the lock and never absorbed came after its generation had ended.
    pub(super) fn totals(&self, counted: &Counted) -> Totals {
        let absorbed = self.extra.as_ref().map_or(0, |extra| extra.cells.absorbed);
        let locked = self.locked();
        Totals {
            success: locked.success + absorbed,
            stale: locked.stale + counted.settled.saturating_sub(absorbed),
            rejected: locked.rejected + counted.rejected,
            ..locked
        }
    }

    /// Calls that were admitted and are not settled. Not for either way to count alone: who is admitted without the lock
    /// may be settled under it.
    pub(super) fn in_flight(&self, counted: &Counted) -> u64 {
        let Totals { success, failure, ignored, cancelled, stale, rejected: _ } = self.locked();
        let settled = counted.settled + success + failure + ignored + cancelled + stale;
        (counted.admitted + self.admitted).saturating_sub(settled)
    }
}
