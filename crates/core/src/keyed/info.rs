//! All keyed circuits of one name together, as one line of a table or one label of a metric.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use crate::breaker::Totals;
use crate::state::State;

/// What all circuits of a [`Keyed`](super::Keyed) come to together, under their parent's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedInfo {
    /// The parent's name.
    pub name: Arc<str>,
    /// How many keys have a circuit.
    pub keys: usize,
    /// How many may have one.
    pub capacity: usize,
    /// How many of their circuits are in each state. States that none is in are left out.
    pub states: BTreeMap<State, usize>,
    /// The state of the overflow circuit.
    pub overflow: State,
    /// Calls of all circuits, of the forgotten ones and of the overflow circuit, too. None of them ever falls.
    pub totals: Totals,
    /// How often a circuit was forgotten.
    pub forgotten: u64,
    /// How often a key was given the overflow circuit instead of its own. If this grows, the capacity is too small, or
    /// somebody makes keys up.
    pub overflowed: u64,
    /// How many circuits were looked at so far to find some that can be forgotten. For one key it is at most 32, whatever
    /// the number of keys.
    pub examined: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Totals) {
        let Totals { success, failure, ignored, cancelled, rejected, stale } = more;
        self.success += success;
        self.failure += failure;
        self.ignored += ignored;
        self.cancelled += cancelled;
        self.rejected += rejected;
        self.stale += stale;
    }
}
