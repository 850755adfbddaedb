//! Names of circuits by number, so that a rejection can be `Copy` and still be looked up.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::breaker::Shared;

/// A circuit breaker of this process, by number. Copies cost nothing; the name can be looked up while the breaker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircuitId(NonZeroU64);

static NEXT: AtomicU64 = AtomicU64::new(1);
/// The breakers whose numbers somebody may have.
static HOMES: RwLock<BTreeMap<CircuitId, Weak<Shared>>> = RwLock::new(BTreeMap::new());

impl CircuitId {
    /// A number that no other circuit has.
    pub(crate) fn next() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        CircuitId(NonZeroU64::new(number).expect("nobody counts to 2^64 in steps of one"))
    }

    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }

    /// The circuit's name; `None` once its breaker is gone.
    pub fn name(self) -> Option<Arc<str>> {
        self.home().map(|home| Arc::clone(home.name()))
    }

    /// What the breaker's clones share; `None` once it is gone.
    pub(crate) fn home(self) -> Option<Arc<Shared>> {
        let homes = HOMES.read().unwrap_or_else(PoisonError::into_inner);
        homes.get(&self)?.upgrade()
    }
}

impl fmt::Display for CircuitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "`{name}`"),
            None => write!(f, "#{} (gone)", self.0),
        }
    }
}

/// Keeps the way to a breaker in the table as long as it lives.
///
/// A breaker is listed no earlier than anybody can get its number: many keyed ones never are.
#[derive(Debug)]
pub(crate) struct Listing(CircuitId);

impl Listing {
    pub(crate) fn of(circuit: CircuitId, home: Weak<Shared>) -> Self {
        HOMES.write().unwrap_or_else(PoisonError::into_inner).insert(circuit, home);
        Listing(circuit)
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        HOMES.write().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}
