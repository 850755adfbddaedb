//! The calls that are in flight: what counts before it ends.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use crate::metrics::Tally;
use crate::rules::Rules;
use crate::time::Moment;

/// When each call in flight began, by its number; later calls have larger ones, and none is
/// ever given twice.
#[derive(Debug, Default)]
pub(super) struct Flights {
    started: BTreeMap<NonZeroU64, Moment>,
    last: Option<NonZeroU64>,
}

impl Flights {
    /// None on their way; `None` if nobody looks at them.
    pub(super) fn watched_by(rules: &Rules) -> Option<Box<Self>> {
        (!rules.measures().hanging.is_empty()).then(Box::default)
    }

    /// Nobody looks at those that are on their way any more.
    pub(super) fn clear(&mut self) {
        self.started.clear();
    }

    /// Gives a call that begins its number.
    pub(super) fn depart(&mut self, now: Moment) -> NonZeroU64 {
        let number = self.last.map_or(NonZeroU64::MIN, |last| last.saturating_add(1));
        self.started.insert(number, now);
        self.last = Some(number);
        number
    }

    pub(super) fn land(&mut self, flight: NonZeroU64) {
        self.started.remove(&flight);
    }

    /// Counts the calls that have been on their way for a threshold of the tally.
    pub(super) fn count(&self, tally: &mut Tally, now: Moment) {
        let Some(lowest) = tally.lowest() else { return };
        let waits = self.started.values().map(|started| now.since(*started));
        // Flights are in the order of their start: the first that is too young ends the count.
        waits.take_while(|wait| *wait >= lowest).for_each(|wait| tally.add(wait));
    }
}
