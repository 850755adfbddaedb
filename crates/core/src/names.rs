//! Names of circuits by number, so that a rejection can be `Copy` and still be looked up.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::breaker::Shared;

/// A circuit breaker of this process, by number. Copies cost nothing; the name can be looked up while the breaker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircuitId(u64);

struct Names {
    next: u64,
    by_id: BTreeMap<u64, Named>,
}

struct Named {
    name: Arc<str>,
    home: Weak<Shared>,
}

static NAMES: RwLock<Names> = RwLock::new(Names { next: 0, by_id: BTreeMap::new() });

impl CircuitId {
    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// The circuit's name; `None` once its breaker is gone.
    pub fn name(self) -> Option<Arc<str>> {
        let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
        names.by_id.get(&self.0).map(|named| Arc::clone(&named.name))
    }

    /// What the breaker's clones share; `None` once it is gone.
    pub(crate) fn home(self) -> Option<Arc<Shared>> {
        let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
        names.by_id.get(&self.0)?.home.upgrade()
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

/// Keeps a name, and the way to its breaker, in the table as long as it lives.
#[derive(Debug)]
pub(crate) struct Registration(CircuitId);

impl Registration {
    pub(crate) fn of(name: Arc<str>, home: Weak<Shared>) -> Self {
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        let id = names.next;
        names.next += 1;
        names.by_id.insert(id, Named { name, home });
        Registration(CircuitId(id))
    }

    pub(crate) fn id(&self) -> CircuitId {
        self.0
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        names.by_id.remove(&self.0.0);
    }
}
