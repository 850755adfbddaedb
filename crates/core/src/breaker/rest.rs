//! What the keeper of keyed circuits sees of a breaker without disturbing it: nothing lapses and nobody is told.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::{CircuitBreaker, Totals};
use crate::state::State;
use crate::time::Moment;

/// A breaker as of its last event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) state: State,
    /// Whether something has ended that the breaker has not noticed: the state is no longer that.
    pub(crate) lapsed: bool,
    /// Whether the window holds anything against the dependency.
    pub(crate) suspect: bool,
    pub(crate) totals: Totals,
}

impl CircuitBreaker {
    /// Whether there is no other clone and no ticket. Who can keep others from this clone knows then that nobody else
    /// will come, and sees all that they did.
    pub(crate) fn is_alone(&self) -> bool {
        let alone = Arc::strong_count(&self.shared) == 1;
        // The last of the others released the count; what it did before is seen after this.
        fence(Ordering::Acquire);
        alone
    }

    /// The breaker as of its last event, and what of its window is left at `now`.
    pub(crate) fn glance(&self, now: Moment) -> Glance {
        let mut inner = self.shared.lock();
        let counted = inner.absorb_all();
        let metrics = inner.engine.metrics(now);
        let slow = metrics.slow.iter().any(|(_, calls)| calls > 0);
        let circuit = inner.engine.circuit();
        Glance {
            state: circuit.state(),
            lapsed: circuit.next_lapse().is_some_and(|(at, _)| at <= now),
            suspect: metrics.failures > 0 || metrics.streak > 0 || slow,
            totals: inner.totals(&counted),
        }
    }
}
