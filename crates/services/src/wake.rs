//! How a capture or a transition wakes the replay of its circuit.

use std::collections::BTreeMap;
use std::sync::Arc;

use fuseboard_core::{Listener, Transition};
use tokio::sync::watch;

/// One bell a circuit. Ringing never blocks; a replay that was busy meanwhile finds that it rang.
///
/// As a [`Listener`] it rings a circuit's bell at each of its transitions.
#[derive(Clone, Debug)]
pub struct Bells {
    bells: Arc<BTreeMap<String, watch::Sender<u64>>>,
}

impl Bells {
    /// A bell for each of `circuits`.
    pub fn new<'a>(circuits: impl IntoIterator<Item = &'a str>) -> Self {
        let bells = circuits.into_iter().map(|name| (name.to_owned(), watch::Sender::new(0)));
        Bells { bells: Arc::new(bells.collect()) }
    }

    /// Rings the circuit's bell; an unknown circuit has none.
    pub fn ring(&self, circuit: &str) {
        if let Some(bell) = self.bells.get(circuit) {
            bell.send_modify(|rings| *rings = rings.wrapping_add(1));
        }
    }

    pub(crate) fn listen(&self, circuit: &str) -> Option<watch::Receiver<u64>> {
        self.bells.get(circuit).map(watch::Sender::subscribe)
    }
}

impl Listener for Bells {
    fn on_transition(&self, circuit: &str, _transition: &Transition) {
        self.ring(circuit);
    }
}
