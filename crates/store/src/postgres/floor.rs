//! Where claims need not look: an index keeps entries of letters that have moved on until they can be vacuumed.
//!
//! Somebody's long transaction can put vacuuming off for hours. Each claim would then pass over every letter that was
//! claimed since. So a node remembers how far it has seen that nothing is left, looks from there, and goes back for what
//! has come below it: at once for what it wrote itself or was told of by a notification, and for anything else when it
//! looks from the bottom again every few seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fuseboard_core::time::{Clock, Moment};

/// After this a node looks from the bottom again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5);

/// Where that takes long, it takes no more than one part in so many of the time.
const SHARE: u32 = 20;

/// After this a node looks from the bottom again, however long it takes.
const FORGOTTEN_AT_LAST: Duration = Duration::from_secs(120);

/// A place in an index: a time by the server's clock, then a letter's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) i64, pub(crate) i64);

impl Place {
    const BOTTOM: Place = Place(i64::MIN, i64::MIN);
    const TOP: Place = Place(i64::MAX, i64::MAX);
}

/// From where the two indexes are to be looked at: by when letters are due, and by when leases end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) due: Place,
    pub(crate) lapsed: Place,
}

const BOTTOM: Reach = Reach { due: Place::BOTTOM, lapsed: Place::BOTTOM };
const TOP: Reach = Reach { due: Place::TOP, lapsed: Place::TOP };

impl Reach {
    fn min(self, other: Reach) -> Reach {
        Reach { due: self.due.min(other.due), lapsed: self.lapsed.min(other.lapsed) }
    }

    fn max(self, other: Reach) -> Reach {
        Reach { due: self.due.max(other.due), lapsed: self.lapsed.max(other.lapsed) }
    }
}

/// The floors of all circuits.
#[derive(Debug)]
pub(crate) struct Floors {
    clock: Arc<dyn Clock>,
    circuits: Mutex<BTreeMap<String, Floor>>,
}

#[derive(Debug)]
struct Floor {
    reach: Reach,
    /// When the last look from the bottom began.
    from_bottom: Moment,
    /// After how long the next one is due.
    patience: Duration,
    /// For each claim that is under way, the lowest that has come since it began.
    under_way: BTreeMap<u64, Reach>,
    next: u64,
}

/// A claim that is under way.
pub(crate) struct Climb {
    pub(crate) reach: Reach,
    number: u64,
    began: Moment,
}

impl Floors {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Floors { clock, circuits: Mutex::default() }
    }

    fn with<T>(&self, circuit: &str, act: impl FnOnce(&mut Floor, Moment) -> T) -> T {
        let now = self.clock.now();
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(floor) = circuits.get_mut(circuit) {
            return act(floor, now);
        }
        let new = Floor {
            reach: BOTTOM,
            from_bottom: now,
            patience: FORGOTTEN_AFTER,
            under_way: BTreeMap::new(),
            next: 0,
        };
        act(circuits.entry(circuit.to_owned()).or_insert(new), now)
    }

    /// From where to look now.
    pub(crate) fn reach(&self, circuit: &str) -> Reach {
        self.with(circuit, |floor, now| floor.current(now))
    }

    /// A claim begins.
    pub(crate) fn climb(&self, circuit: &str) -> Climb {
        self.with(circuit, |floor, now| {
            let (reach, number) = (floor.current(now), floor.next);
            floor.next += 1;
            floor.under_way.insert(number, TOP);
            Climb { reach, number, began: now }
        })
    }

    /// A claim ended, and has seen that nothing is left below `seen`; `None` if it failed.
    pub(crate) fn climbed(&self, circuit: &str, climb: &Climb, seen: Option<Reach>) {
        self.with(circuit, |floor, now| {
            if climb.reach.due == Place::BOTTOM {
                let took = now.since(climb.began);
                let share = took.saturating_mul(SHARE);
                floor.patience = share.clamp(FORGOTTEN_AFTER, FORGOTTEN_AT_LAST);
            }
            let come_since = floor.under_way.remove(&climb.number).unwrap_or(BOTTOM);
            if let Some(seen) = seen {
                floor.reach = floor.reach.max(seen.min(come_since));
            }
        });
    }

    /// A letter is due at `at`.
    pub(crate) fn due(&self, circuit: &str, at: i64) {
        self.lower(circuit, Reach { due: Place(at, i64::MIN), ..TOP });
    }

    /// A lease ends at `at`.
    pub(crate) fn lease(&self, circuit: &str, at: i64) {
        self.lower(circuit, Reach { lapsed: Place(at, i64::MIN), ..TOP });
    }

    fn lower(&self, circuit: &str, to: Reach) {
        self.with(circuit, |floor, _| {
            floor.reach = floor.reach.min(to);
            floor.under_way.values_mut().for_each(|lowest| *lowest = lowest.min(to));
        });
    }

    /// Nothing is certain any more, such as after notifications may have been missed.
    pub(crate) fn forget(&self) {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        for floor in circuits.values_mut() {
            floor.reach = BOTTOM;
            floor.under_way.values_mut().for_each(|lowest| *lowest = BOTTOM);
        }
    }
}

impl Floor {
    fn current(&mut self, now: Moment) -> Reach {
        if now.since(self.from_bottom) >= self.patience {
            self.reach = BOTTOM;
            self.from_bottom = now;
        }
        self.reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fuseboard_core::time::ManualClock;

    fn seen(at: i64) -> Option<Reach> {
        Some(Reach { due: Place(at, 1), lapsed: Place(at, 1) })
    }

    #[test]
    fn a_floor_rises_with_claims_and_falls_with_what_comes_below() {
        let floors = Floors::new(Arc::new(ManualClock::new()));
        let first = floors.climb("a");
        assert_eq!(first.reach, BOTTOM);
        floors.climbed("a", &first, seen(10));
        assert_eq!(floors.reach("a").due, Place(10, 1));
        assert_eq!(floors.reach("b"), BOTTOM);
        floors.due("a", 20);
        assert_eq!(floors.reach("a").due, Place(10, 1));
        floors.due("a", 5);
        assert_eq!(floors.reach("a"), Reach { due: Place(5, i64::MIN), lapsed: Place(10, 1) });
        floors.lease("a", 3);
        assert_eq!(floors.reach("a").lapsed, Place(3, i64::MIN));
    }

    #[test]
    fn what_comes_while_a_claim_is_under_way_is_not_passed_over() {
        let floors = Floors::new(Arc::new(ManualClock::new()));
        let (slow, quick) = (floors.climb("a"), floors.climb("a"));
        floors.due("a", 7);
        floors.climbed("a", &quick, seen(10));
        assert_eq!(floors.reach("a").due, Place(7, i64::MIN));
        let after = floors.climb("a");
        floors.climbed("a", &after, seen(11));
        floors.climbed("a", &slow, seen(9));
        assert_eq!(floors.reach("a").due, Place(11, 1));
        let failed = floors.climb("a");
        floors.climbed("a", &failed, None);
        assert_eq!(floors.reach("a").due, Place(11, 1));
    }

    #[test]
    fn it_looks_from_the_bottom_every_few_seconds_unless_that_takes_long() {
        let clock = Arc::new(ManualClock::new());
        let floors = Floors::new(clock.clone());
        for (took, waits) in [(0, 5), (2, 40), (100, 120), (0, 5)] {
            let climb = floors.climb("a");
            assert_eq!(climb.reach, BOTTOM);
            clock.advance(Duration::from_secs(took));
            floors.climbed("a", &climb, seen(10));
            clock.advance(Duration::from_secs(waits.max(took + 1) - took - 1));
            assert_eq!(floors.reach("a").due, Place(10, 1), "{took}");
            clock.advance(Duration::from_secs(1));
        }
    }
}
