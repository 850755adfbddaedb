//! Finds the calling thread's [cell](super::cells) for a breaker: without a lock, and for most breakers without a search.

use std::cell::{OnceCell, RefCell};
use std::sync::{Arc, Weak};

use super::Shared;
use super::cells::Cell;

/// The cells of one thread, by breaker.
struct Mine {
    /// Found without a search: each place belongs to the first breaker that came to it.
    first: [OnceCell<Place>; FIRST],
    others: RefCell<Others>,
}

/// The cells of breakers that found their place taken: an open hash table with linear probing, a power of two long and
/// never full.
struct Others {
    places: Vec<Option<Place>>,
    used: usize,
}

struct Place {
    breaker: u64,
    cell: Arc<Cell>,
    home: Weak<Shared>,
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

    #[cold]
    fn search(&self, breaker: u64) -> Option<Arc<Cell>> {
        self.others.borrow().find(breaker).cloned()
    }

    fn insert(&self, place: Place) {
        if let Err(place) = self.first(place.breaker).set(place) {
            self.others.borrow_mut().insert(place);
        }
    }
}

impl Others {
    fn find(&self, breaker: u64) -> Option<&Arc<Cell>> {
        let mask = self.places.len().wrapping_sub(1);
        let mut at = breaker as usize & mask;
        // An empty table has no place 0, a table that is not full has an empty place.
        while let Some(place) = self.places.get(at)?.as_ref() {
            if place.breaker == breaker {
                return Some(&place.cell);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn insert(&mut self, place: Place) {
        if (self.used + 1) * 2 > self.places.len() {
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
        let alive = |place: &Place| place.home.strong_count() > 0;
        let kept: Vec<Place> = old.into_iter().flatten().filter(alive).collect();
        let length = ((kept.len() + 1) * 4).next_power_of_two();
        self.places.resize_with(length, || None);
        self.used = 0;
        kept.into_iter().for_each(|place| self.insert(place));
    }
}

impl Drop for Place {
    /// The thread ends, or its breaker is gone.
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.take_over(&self.cell);
        }
    }
}

/// What `with` makes of this thread's cell for `breaker`; `None` if it has none.
#[inline]
pub(super) fn with_mine<T>(breaker: u64, with: impl FnOnce(&Cell) -> T) -> Option<T> {
    let found = MINE.try_with(|mine| match mine.first(breaker).get() {
        Some(place) if place.breaker == breaker => Some(with(&place.cell)),
        _ => mine.search(breaker).map(|cell| with(&cell)),
    });
    found.ok().flatten()
}

impl Shared {
    /// Gives this thread a cell. A thread that is about to end gets none, and takes the lock for each call.
    pub(super) fn welcome(self: &Arc<Self>) {
        let breaker = self.registration.id().number();
        if with_mine(breaker, |_| ()).is_some() {
            return;
        }
        let cell = Arc::new(Cell::default());
        let home = Arc::downgrade(self);
        let place = Place { breaker, cell: Arc::clone(&cell), home };
        if MINE.try_with(|mine| mine.insert(place)).is_ok() {
            self.lock().cells.add(cell);
        }
    }

    /// Takes over the counts of a thread that ends, or that made room.
    fn take_over(&self, cell: &Arc<Cell>) {
        self.change(|inner| {
            let generation = inner.engine.circuit().generation();
            inner.cells.hand_over(cell, generation);
        });
    }
}
