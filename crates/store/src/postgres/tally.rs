//! What one transaction adds to the numbers of letters per circuit.

use std::collections::BTreeMap;

use fuseboard_core::letter::Status;

use super::text::escape;

/// The columns of the table `tallies` that count, in the order of [`Tally::columns`].
pub(crate) const COUNTED: usize = 8;

/// Per circuit: captured, purged, and the statuses in the order of [`Status::ALL`].
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, [i64; COUNTED]>);

impl Tally {
    pub(crate) fn captured(&mut self, circuit: &str, status: Status) {
        self.add(circuit, 0, 1);
        self.add(circuit, place(status), 1);
    }

    pub(crate) fn moved(&mut self, circuit: &str, from: Status, to: Status) {
        self.add(circuit, place(from), -1);
        self.add(circuit, place(to), 1);
    }

    pub(crate) fn purged(&mut self, circuit: &str, from: Status) {
        self.add(circuit, 1, 1);
        self.add(circuit, place(from), -1);
    }

    fn add(&mut self, circuit: &str, column: usize, n: i64) {
        if !self.0.contains_key(circuit) {
            self.0.insert(circuit.to_owned(), [0; COUNTED]);
        }
        if let Some(columns) = self.0.get_mut(circuit) {
            columns[column] += n;
        }
    }

    /// The circuits that something was added to, and what, column by column.
    pub(crate) fn columns(&self) -> (Vec<String>, [Vec<i64>; COUNTED]) {
        let changed = || self.0.iter().filter(|(_, columns)| columns.iter().any(|n| *n != 0));
        let circuits = changed().map(|(circuit, _)| escape(circuit).into_owned()).collect();
        let column = |index: usize| changed().map(|(_, columns)| columns[index]).collect();
        (circuits, std::array::from_fn(column))
    }
}

fn place(status: Status) -> usize {
    match status {
        Status::Pending => 2,
        Status::Replaying => 3,
        Status::RequiresReview => 4,
        Status::Resolved => 5,
        Status::Discarded => 6,
        Status::Expired => 7,
    }
}
