//! Requests that the store did not keep: why, and what is said about it.

use std::sync::{Mutex, PoisonError};

use fuseboard_services::capture::NotQueued;
use fuseboard_store::StoreError;
use tracing::{info, warn};

/// Why the store did not keep a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room for another letter.
    Full,
    /// The store failed.
    Store,
}

impl Refusal {
    /// The word for it in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Refusal::Full => "full",
            Refusal::Store => "store",
        }
    }

    /// `None` where it was not the store's doing.
    pub(super) fn of(why: &NotQueued) -> Option<Self> {
        match why {
            NotQueued::Store(StoreError::KeyReused { .. }) => None,
            NotQueued::Store(StoreError::Full { .. }) => Some(Refusal::Full),
            NotQueued::Store(_) | NotQueued::NoAnswer(_) => Some(Refusal::Store),
            _ => None,
        }
    }
}

/// Whether the store keeps the letters of one circuit. A store that refuses may do so thousands of times a second: only
/// what changes is logged.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    refusing: Mutex<Option<Refusal>>,
}

impl Keeping {
    pub(super) fn refused(&self, circuit: &str, refusal: Refusal, error: &NotQueued) {
        if self.becomes(Some(refusal)) != Some(refusal) {
            warn!(circuit, %error, "requests cannot be kept");
        }
    }

    pub(super) fn worked(&self, circuit: &str) {
        if self.becomes(None).is_some() {
            info!(circuit, "requests are kept again");
        }
    }

    fn becomes(&self, now: Option<Refusal>) -> Option<Refusal> {
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *refusing, now)
    }
}
