//! Which letter goes first under each order key.

use std::collections::BTreeMap;

use crate::letters::{Blocker, Letter};

/// The first letter of each circuit's order keys.
#[derive(Debug)]
pub(super) struct Lines(BTreeMap<(String, String), Blocker>);

impl Lines {
    /// The lines of `letters`, which come in the order of their numbers.
    pub(super) fn of<'a>(letters: impl Iterator<Item = &'a Letter>) -> Self {
        let mut first = BTreeMap::new();
        for letter in letters.filter(|letter| !letter.life.status.is_final()) {
            if let Some(order_key) = &letter.order_key {
                let line = (letter.circuit.clone(), order_key.clone());
                let blocker = Blocker { id: letter.id, status: letter.life.status };
                first.entry(line).or_insert(blocker);
            }
        }
        Lines(first)
    }

    /// The letter that goes first.
    pub(super) fn first(&self, circuit: &str, order_key: &str) -> Option<Blocker> {
        self.0.get(&(circuit.to_owned(), order_key.to_owned())).copied()
    }

    /// The letter that `letter` waits for, if it is not done.
    pub(super) fn blocker(&self, letter: &Letter) -> Option<Blocker> {
        let order_key = letter.order_key.as_ref().filter(|_| !letter.life.status.is_final())?;
        let first = self.first(&letter.circuit, order_key)?;
        (first.id != letter.id).then_some(first)
    }
}
