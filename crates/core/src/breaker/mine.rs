//! Finds the calling thread's [cell](super::cells) for a breaker: without a lock, and for most breakers without a search.

use std::cell::{self, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::Shared;
use super::cells::Cell;
use crate::names::CircuitId;
use crate::outcome::Outcome;
use crate::policy::Seen;
use crate::rules::Rules;
use crate::sync::thread_local;

/// The cells of one thread, by breaker.
struct Mine {
    /// Found without a search: each place belongs to the first breaker that came to it.
    first: [OnceCell<Place>; FIRST],
    others: RefCell<Others>,
}

/// The cells of breakers that found their place taken: an open hash table with linear probing, a power of two long and
/// never full.
struct Others {
    places: Vec<Option<Rc<Place>>>,
    used: usize,
}

pub(super) struct Place {
    breaker: u64,
    cell: Arc<Cell>,
    /// The rules as of the version that this thread saw last, if it needed them; away while they are in use.
    rules: cell::Cell<Option<Known>>,
}

struct Known {
    version: u64,
    rules: Arc<Rules>,
}

const FIRST: usize = 64;

thread_local! {
    static MINE: Mine = const {
        let others = Others { places: Vec::new(), used: 0 };
        Mine { first: [const { OnceCell::new() }; FIRST], others: RefCell::new(others) }
    };
}

impl Mine {
    #[inline]
    fn first(&self, breaker: u64) -> &OnceCell<Place> {
        &self.first[breaker as usize % FIRST]
    }

    #[inline]
    fn search(&self, breaker: u64) -> Option<Rc<Place>> {
        self.others.borrow().find(breaker).cloned()
    }

    fn insert(&self, place: Place) {
        if let Err(place) = self.first(place.breaker).set(place) {
            self.others.borrow_mut().insert(Rc::new(place));
        }
    }
}

impl Others {
    fn find(&self, breaker: u64) -> Option<&Rc<Place>> {
        let mask = self.places.len().wrapping_sub(1);
        let mut at = breaker as usize & mask;
        // An empty table has no place 0, a table that is not full has an empty place.
        while let Some(place) = self.places.get(at)?.as_ref() {
            if place.breaker == breaker {
                return Some(place);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn insert(&mut self, place: Rc<Place>) {
        if (self.used + 1) * 4 > self.places.len() * 3 {
            self.rebuild();
        }
        let mask = self.places.len() - 1;
        let mut at = place.breaker as usize & mask;
        while self.places[at].is_some() {
            at = (at + 1) & mask;
        }
        self.places[at] = Some(place);
        self.used += 1;
    }

    /// Makes room, and lets go of breakers that are gone.
    fn rebuild(&mut self) {
        let old = std::mem::take(&mut self.places);
        let alive = |place: &Rc<Place>| place.cell.home.strong_count() > 0;
        let kept: Vec<Rc<Place>> = old.into_iter().flatten().filter(alive).collect();
        let length = ((kept.len() + 1) * 2).next_power_of_two();
        self.places.resize_with(length, || None);
        self.used = 0;
        kept.into_iter().for_each(|place| self.insert(place));
    }
}

impl Drop for Place {
    /// The thread ends, or its breaker is gone.
    fn drop(&mut self) {
        if let Some(home) = self.cell.home.upgrade() {
            home.take_over(&self.cell);
        }
    }
}

/// What `with` makes of this thread's cell for `breaker`; `None` if it has none.
#[inline]
pub(super) fn with_mine<T>(breaker: u64, with: impl FnOnce(&Cell) -> T) -> Option<T> {
    with_place(breaker, |place| with(&place.cell))
}

/// This thread's place for `breaker`, if it is not the first that it might be in.
#[inline]
pub(super) fn searched(breaker: u64) -> Option<Rc<Place>> {
    MINE.try_with(|mine| mine.search(breaker)).ok().flatten()
}

/// As [`with_mine`], but does not search: `None` also if the cell is not in the breaker's first place.
#[inline]
pub(super) fn with_first<T>(breaker: u64, with: impl FnOnce(&Cell) -> T) -> Option<T> {
    let found = MINE.try_with(|mine| {
        let place = mine.first(breaker).get()?;
        (place.breaker == breaker).then(|| with(&place.cell))
    });
    found.ok().flatten()
}

#[inline]
fn with_place<T>(breaker: u64, with: impl FnOnce(&Place) -> T) -> Option<T> {
    let found = MINE.try_with(|mine| match mine.first(breaker).get() {
        Some(place) if place.breaker == breaker => Some(with(place)),
        _ => mine.search(breaker).map(|place| with(&place)),
    });
    found.ok().flatten()
}

/// What the clones of `circuit` share, if there still are any.
pub(super) fn home(circuit: CircuitId) -> Option<Arc<Shared>> {
    let known = with_place(circuit.number(), |place| place.cell.home.upgrade());
    known.unwrap_or_else(|| circuit.home())
}

impl Place {
    #[inline]
    pub(super) fn cell(&self) -> &Cell {
        &self.cell
    }

    /// What `with` makes of the rules, without a lock unless they changed since; `None` if the breaker is gone.
    fn with_rules<T>(&self, version: u64, with: impl FnOnce(&Rules) -> T) -> Option<T> {
        let known = self.rules.take().filter(|known| known.version == version);
        let known = match known {
            Some(known) => known,
            None => Known { version, rules: self.cell.home.upgrade()?.rules() },
        };
        let result = with(&known.rules);
        self.rules.set(Some(known));
        Some(result)
    }
}

impl Shared {
    /// What the circuit's trackers say of `seen`.
    pub(super) fn classify(&self, seen: &Seen<'_>) -> Outcome {
        let habits = self.published.habits();
        let classify = |rules: &Rules| rules.classifier().classify(seen);
        let known = with_place(self.number(), |place| place.with_rules(habits.version(), classify));
        known.flatten().unwrap_or_else(|| classify(&self.rules()))
    }

    /// Gives this thread a cell. A thread that is about to end gets none, and takes the lock for each call.
    pub(super) fn welcome(self: &Arc<Self>) {
        let breaker = self.number();
        if with_mine(breaker, |_| ()).is_some() {
            return;
        }
        let cell = Arc::new(Cell::of(Arc::downgrade(self)));
        let place = Place { breaker, cell: Arc::clone(&cell), rules: cell::Cell::default() };
        if MINE.try_with(|mine| mine.insert(place)).is_ok() {
            let mut inner = self.lock();
            // From now on this thread can have light tickets.
            inner.list(self);
            inner.extra().cells.add(cell, self.published.word());
        }
    }

    /// Takes over the counts of a thread that ends, or that made room.
    fn take_over(self: &Arc<Self>, cell: &Arc<Cell>) {
        self.change(|inner| {
            let generation = inner.engine.circuit().generation();
            inner.extra().cells.hand_over(cell, generation);
        });
    }
}
