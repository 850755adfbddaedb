//! The server's clock as the one that counts: how far a node's clock is from it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fuseboard_core::time::WallTime;

/// Clocks that are this close are taken to agree, so that an answer's last digits do not tremble.
const TOLERATED: u64 = 100;

/// A measure that says something new counts once another one says so, at least so long after it by the server's clock.
const CONFIRMED_AFTER: i64 = 1_000;

/// What is added to this node's time to get the server's, in milliseconds.
///
/// Callers bring their own `now`. All times in the database are the server's; they are translated on their way in and
/// out, so that a node whose clock is wrong neither ends another's lease early nor leaves due letters lying.
///
/// A store has one, for all its connections, because what one call wrote another reads: with two, the same lease would
/// end at two times. It is measured when the store opens, and then by the connection that listens alone. It changes only
/// if two measures some time apart say the same, that is, if this node's clock runs but is elsewhere. A clock that is not
/// running as the server's does, such as one that a test has stopped, has no distance from it: each measure would say
/// another, and times would come back other than they went in.
#[derive(Debug, Default)]
pub(crate) struct Skew(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    offset: i64,
    /// A measure that the offset does not agree with.
    odd: Option<Measure>,
}

/// What the server's clock read between two readings of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    server: i64,
    offset: i64,
    /// By how much the offset may be wrong.
    doubt: u64,
}

/// The skew for the length of one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offset(i64);

impl Skew {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn offset(&self) -> Offset {
        Offset(self.state().offset)
    }

    /// Begins with the measure that had the least round trip.
    pub(crate) fn begin(&self, measures: &[Measure]) {
        if let Some(best) = measures.iter().min_by_key(|measure| measure.doubt) {
            *self.state() = State { offset: best.agreed_with(0), odd: None };
        }
    }

    pub(crate) fn measured(&self, measure: Measure) {
        let mut state = self.state();
        if measure.agrees_with(state.offset, 0) {
            state.odd = None;
            return;
        }
        match state.odd {
            Some(odd) if measure.server.saturating_sub(odd.server) < CONFIRMED_AFTER => {}
            Some(odd) if measure.agrees_with(odd.offset, odd.doubt) => {
                let better = if odd.doubt < measure.doubt { odd } else { measure };
                *state = State { offset: better.offset, odd: None };
            }
            _ => state.odd = Some(measure),
        }
    }
}

impl Measure {
    pub(crate) fn new(before: WallTime, server: i64, after: WallTime) -> Self {
        let round_trip = after.since(before);
        let ours = before + round_trip / 2;
        let doubt = u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX) / 2 + 1;
        Measure { server, offset: server.saturating_sub(ours.as_unix_millis()), doubt }
    }

    fn agrees_with(self, offset: i64, doubt: u64) -> bool {
        let doubt = self.doubt.saturating_add(doubt);
        self.offset.abs_diff(offset) <= doubt.saturating_add(TOLERATED)
    }

    /// `offset`, if it cannot be told from what was measured.
    fn agreed_with(self, offset: i64) -> i64 {
        if self.agrees_with(offset, 0) { offset } else { self.offset }
    }
}

impl Offset {
    /// The server's time for ours.
    pub(crate) fn stored(self, ours: WallTime) -> i64 {
        ours.as_unix_millis().saturating_add(self.0)
    }

    /// Our time for the server's.
    pub(crate) fn ours(self, stored: i64) -> WallTime {
        WallTime::from_unix_millis(stored.saturating_sub(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure((before, server, after): (i64, i64, i64)) -> Measure {
        let at = WallTime::from_unix_millis;
        Measure::new(at(before), server, at(after))
    }

    #[test]
    fn it_begins_with_the_measure_of_the_least_round_trip() {
        let table = [
            ([(1_000, 1_090, 1_010), (1_000, 1_090, 1_010)], 0),
            ([(1_000, 9_000, 3_000), (3_000, 9_505, 3_010)], 6_500),
            ([(1_000, 7_505, 1_010), (1_000, 9_000, 3_000)], 6_500),
        ];
        for (measures, offset) in table {
            let skew = Skew::default();
            skew.begin(&measures.map(measure));
            assert_eq!(skew.offset().0, offset, "{measures:?}");
        }
    }

    #[test]
    fn a_measure_counts_beyond_its_doubt_and_once_another_confirms_it() {
        let table = [
            // before, server, after, and the offset then
            (1_000, 1_090, 1_010, 0),
            (2_000, 62_005, 2_010, 0),
            // Too soon to tell a clock that is elsewhere from one that stands still.
            (2_010, 62_015, 2_020, 0),
            (3_100, 63_105, 3_110, 60_000),
            (4_000, 64_090, 4_000, 60_000),
            // A round trip of 10 s tells nothing of a second.
            (5_000, 69_000, 15_000, 60_000),
            (20_000, 20_000, 20_000, 60_000),
            (30_000, 90_000, 30_000, 60_000),
            (40_000, 40_000, 40_000, 60_000),
            (50_000, 50_000, 50_000, 0),
        ];
        let skew = Skew::default();
        for (before, server, after, offset) in table {
            skew.measured(measure((before, server, after)));
            assert_eq!(skew.offset().0, offset, "{before} {server} {after}");
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_is_turned_by_hand_keeps_the_offset_that_it_began_with() {
        let skew = Skew::default();
        skew.begin(&[measure((1_000, 50_000, 1_000))]);
        let mut turned = 1_000;
        for n in 1..2_000 {
            turned += if n % 100 == 0 { 3_600_000 } else { 0 };
            let server = 50_000 + n * 97;
            skew.measured(measure((turned, server, turned)));
            assert_eq!(skew.offset().0, 49_000, "at {server}");
        }
    }
}
