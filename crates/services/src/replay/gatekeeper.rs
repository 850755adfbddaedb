//! The gate as continuous replay asks it: before each letter, and for the record once for each change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::governance::{BlockedBy, Gate, GateRequest};

/// What was last recorded to keep the gate closed: the word for it, while it does.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Option<&'static str>>);

impl Told {
    /// Notes what keeps the gate closed; whether that is news.
    fn is_news(&self, word: Option<&'static str>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *told, word) != word
    }
}

/// The gate, and what was recorded of it for all circuits together.
pub(super) struct Gatekeeper {
    gate: Arc<dyn Gate>,
    told: Told,
}

impl fmt::Debug for Gatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gatekeeper").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Gatekeeper {
    pub(super) fn new(gate: Arc<dyn Gate>) -> Self {
        Gatekeeper { gate, told: Told::default() }
    }

    /// What keeps letters of the circuit from being replayed. Nothing is recorded.
    pub(super) async fn closed_by(&self, circuit: &str, own: &Told) -> Option<BlockedBy> {
        let checked = self.gate.check(&request().circuit(circuit).dry_run(true)).await;
        let closed_by = checked.blocked_by.filter(|_| !checked.allowed);
        match &closed_by {
            None => {
                own.is_news(None);
                self.told.is_news(None);
            }
            // What closes the gate for all is asked for first: it does not close it now.
            Some(BlockedBy::ErrorBudget { .. }) => {
                self.told.is_news(None);
            }
            Some(_) => {}
        }
        closed_by
    }

    /// Has the gate record that letters which are due are not replayed, unless it did so since it last was open: for the circuit
    /// if the gate is closed for it alone, otherwise for all together.
    pub(super) async fn record(&self, closed_by: &BlockedBy, circuit: &str, own: &Told) {
        let word = Some(closed_by.as_str());
        let (told, request) = match closed_by {
            BlockedBy::ErrorBudget { .. } => (own, request().circuit(circuit)),
            _ => (&self.told, request()),
        };
        if told.is_news(word) {
            // If it has opened meanwhile, the next letter will see.
            let _ = self.gate.check(&request).await;
        }
    }

    /// Whether that is on record.
    pub(super) fn is_recorded(&self, closed_by: &BlockedBy, own: &Told) -> bool {
        let told = match closed_by {
            BlockedBy::ErrorBudget { .. } => own,
            _ => &self.told,
        };
        *told.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(closed_by.as_str())
    }
}

fn request() -> GateRequest {
    GateRequest::new("continuous_replay", "system", "letters are due")
}
