//! The program's cells: a ring that can be exchanged while it is in use, and the names of circuits on it.

use std::sync::{Arc, PoisonError, RwLock};

use super::ring::CellRing;

/// The cells that a program's users are spread over. Clones share the ring.
///
/// Each cell of a circuit is a circuit of its own, `name@cell`: what harms some users opens the circuit of their cell, and the
/// others go on.
///
/// ```
/// use fuseboard_services::circuits::{CellRing, Cells};
///
/// let cells = Cells::new(CellRing::numbered(4)?);
/// let circuit = cells.circuit_of("payments", "tenant-7");
/// assert_eq!(circuit, format!("payments@{}", cells.cell_of("tenant-7")));
///
/// cells.resize(CellRing::numbered(5)?);
/// assert_eq!(cells.ring().cells().len(), 5);
/// # Ok::<(), fuseboard_services::circuits::Invalid>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cells {
    ring: Arc<RwLock<Arc<CellRing>>>,
}

impl Cells {
    /// Cells on that ring.
    pub fn new(ring: CellRing) -> Self {
        Cells { ring: Arc::new(RwLock::new(Arc::new(ring))) }
    }

    /// The ring now.
    pub fn ring(&self) -> Arc<CellRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another ring in place. Circuits of cells that are not on it stay until
    /// [`reconcile_cb_cell_mapping`](super::CircuitBreakerService::reconcile_cb_cell_mapping).
    pub fn resize(&self, ring: CellRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// The cell that `key` belongs to now.
    pub fn cell_of(&self, key: impl AsRef<[u8]>) -> String {
        self.ring().cell_of(key).to_owned()
    }

    /// The circuit that guards calls to `service_name` for `key` now.
    pub fn circuit_of(&self, service_name: &str, key: impl AsRef<[u8]>) -> String {
        format!("{service_name}@{}", self.ring().cell_of(key))
    }
}
