//! Who does which letters again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::replay::Deliver;

/// Handlers by domain and by circuit.
#[derive(Default)]
pub(super) struct Handlers {
    by: RwLock<ByName>,
}

#[derive(Default)]
struct ByName {
    domains: BTreeMap<String, Arc<dyn Deliver>>,
    circuits: BTreeMap<String, Arc<dyn Deliver>>,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.read().unwrap_or_else(PoisonError::into_inner);
        let mut debug = f.debug_struct("Handlers");
        debug.field("domains", &by.domains.keys()).field("circuits", &by.circuits.keys()).finish()
    }
}

impl Handlers {
    pub(super) fn of_domain(&self, domain: &str, handler: Arc<dyn Deliver>) {
        let mut by = self.by.write().unwrap_or_else(PoisonError::into_inner);
        by.domains.insert(domain.to_owned(), handler);
    }

    pub(super) fn of_circuit(&self, circuit: &str, handler: Arc<dyn Deliver>) {
        let mut by = self.by.write().unwrap_or_else(PoisonError::into_inner);
        by.circuits.insert(circuit.to_owned(), handler);
    }

    /// The domain's handler; otherwise the circuit's.
    pub(super) fn find(&self, circuit: &str, domain: &str) -> Option<Arc<dyn Deliver>> {
        let by = self.by.read().unwrap_or_else(PoisonError::into_inner);
        by.domains.get(domain).or_else(|| by.circuits.get(circuit)).cloned()
    }
}
