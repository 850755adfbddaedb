//! Downstream checkers: what the application knows of a service beside its circuit.

use std::sync::{Arc, PoisonError, RwLock};

use super::contain::contained;

type Checker = dyn Fn(&str) -> bool + Send + Sync;

/// Checkers, in the order in which they were registered.
#[derive(Default)]
pub(super) struct Checkers(RwLock<Arc<[Arc<Checker>]>>);

impl Checkers {
    pub(super) fn register(&self, checker: Arc<Checker>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *all = all.iter().cloned().chain([checker]).collect();
    }

    /// Whether none says no. One that panics says nothing. No lock is held while they are asked.
    pub(super) fn allow(&self, service_name: &str) -> bool {
        let all = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        all.iter().all(|ask| contained("downstream checker", || ask(service_name)).unwrap_or(true))
    }
}
