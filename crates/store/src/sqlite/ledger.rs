//! The tallies of letters per circuit: kept in memory during a transaction, written with it.

use std::collections::BTreeMap;

use fuseboard_core::letter::Status;
use rusqlite::{Connection, params};

/// The tally of letters ever captured, beside those of the statuses.
pub(crate) const CAPTURED: &str = "captured";
/// The tally of letters ever purged.
pub(crate) const PURGED: &str = "purged";

type Deltas = BTreeMap<(String, &'static str), i64>;

/// What a transaction adds to the tallies, and how many letters are not final.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Letters that are not final, as of the last commit.
    live: i64,
    /// Of the jobs of this transaction that succeeded.
    transaction: Deltas,
    /// Of the job that is running.
    job: Deltas,
}

impl Ledger {
    /// The ledger of the database as it is on disk.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let live = connection.query_row(
            "SELECT COALESCE(SUM(n), 0) FROM tallies
             WHERE what IN ('pending', 'replaying', 'requires_review')",
            [],
            |row| row.get(0),
        )?;
        Ok(Ledger { live, ..Ledger::default() })
    }

    /// Letters that are not final, with what this transaction did so far.
    pub(crate) fn live(&self) -> u64 {
        let now = self.live + live_in(&self.transaction) + live_in(&self.job);
        u64::try_from(now).unwrap_or(0)
    }

    pub(crate) fn captured(&mut self, circuit: &str, status: Status) {
        self.add(circuit, CAPTURED, 1);
        self.add(circuit, status.as_str(), 1);
    }

    pub(crate) fn moved(&mut self, circuit: &str, from: Status, to: Status) {
        self.add(circuit, from.as_str(), -1);
        self.add(circuit, to.as_str(), 1);
    }

    pub(crate) fn purged(&mut self, circuit: &str, from: Status) {
        self.add(circuit, from.as_str(), -1);
        self.add(circuit, PURGED, 1);
    }

    fn add(&mut self, circuit: &str, what: &'static str, n: i64) {
        *self.job.entry((circuit.to_owned(), what)).or_default() += n;
    }

    /// The job succeeded: what it did belongs to the transaction.
    pub(crate) fn keep_job(&mut self) {
        for (tally, n) in std::mem::take(&mut self.job) {
            *self.transaction.entry(tally).or_default() += n;
        }
    }

    /// The job was undone.
    pub(crate) fn forget_job(&mut self) {
        self.job.clear();
    }

    /// Writes what the transaction did to the tallies, as its last part.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO tallies (circuit, what, n) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        for ((circuit, what), n) in self.transaction.iter().filter(|(_, n)| **n != 0) {
            statement.execute(params![circuit, what, n])?;
        }
        Ok(())
    }

    /// The transaction is on disk.
    pub(crate) fn committed(&mut self) {
        self.live += live_in(&self.transaction);
        self.transaction.clear();
    }

    /// The transaction was undone.
    pub(crate) fn rolled_back(&mut self) {
        self.job.clear();
        self.transaction.clear();
    }
}

fn live_in(deltas: &Deltas) -> i64 {
    let is_live = |what: &str| what.parse().is_ok_and(|status: Status| !status.is_final());
    deltas.iter().filter(|((_, what), _)| is_live(what)).map(|(_, n)| n).sum()
}
