//! Lines of letters with one order key: who waits, who is free next, and the lock under which that is decided.
//!
//! Who inserts into a line and who ends one of its letters takes the line's advisory lock first, and rows after that, so
//! that nobody waits in a circle. A claim has its rows already when it finds that a letter has expired: it tries the lock,
//! and leaves the letter to whoever has it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::pool::Visit;
use super::row::Read;
use super::session::Session;
use super::text::escape;

/// The number of the lock of the line of `n`.
macro_rules! lock {
    () => {
        "hashtextextended(current_schema() || ' ' || n.circuit, hashtextextended(encode(n.line, 'hex'), 0))"
    };
}

/// Takes the locks of lines, in order of their numbers.
macro_rules! locks_of {
    ($from:literal) => {
        concat!(
            "SELECT pg_advisory_xact_lock(wanted.lock) FROM (SELECT DISTINCT ",
            lock!(),
            " AS lock FROM ",
            $from,
            " ORDER BY 1) AS wanted"
        )
    };
}

const LOCK: &str = locks_of!("unnest($1::text[], $2::bytea[]) AS n(circuit, line)");

pub(crate) const LOCK_HELD: &str =
    locks_of!("letters n WHERE n.id = ANY($1) AND n.line IS NOT NULL");

const TRY_LOCK: &str = concat!(
    "SELECT n.id FROM letters n WHERE n.id = ANY($1) AND pg_try_advisory_xact_lock(",
    lock!(),
    ")"
);

const FREE: &str = "
UPDATE letters l SET waits = false
FROM unnest($1::text[], $2::bytea[]) AS n(circuit, line) CROSS JOIN LATERAL (
    SELECT f.id FROM letters f
    WHERE f.circuit = n.circuit AND f.line = n.line AND f.line IS NOT NULL
        AND f.status IN ('pending', 'replaying', 'requires_review')
    ORDER BY f.id LIMIT 1
) AS first
WHERE l.id = first.id AND l.waits
RETURNING l.circuit, l.line, l.status, l.not_before";

pub(crate) const STATEMENTS: &[&str] = &[LOCK, LOCK_HELD, TRY_LOCK, FREE];

/// An order key as one value: an index entry has a limit, an order key has none.
pub(crate) fn digest(order_key: &str) -> [u8; 32] {
    Sha256::digest(order_key.as_bytes()).into()
}

/// Lines, by their circuits and the digests of their order keys.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeSet<(String, Vec<u8>)>);

/// A letter that waits no more and is pending.
pub(crate) struct Freed {
    pub(crate) circuit: String,
    pub(crate) line: Vec<u8>,
    /// When it is due, by the server's clock.
    pub(crate) at: i64,
}

impl Lines {
    /// Adds a line; `false` if it was here.
    pub(crate) fn add(&mut self, circuit: &str, line: &[u8]) -> bool {
        self.0.insert((circuit.to_owned(), line.to_vec()))
    }

    pub(crate) fn append(&mut self, mut others: Lines) {
        self.0.append(&mut others.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn columns(&self) -> (Vec<String>, Vec<&[u8]>) {
        let column = |(circuit, _): &(String, Vec<u8>)| escape(circuit).into_owned();
        (self.0.iter().map(column).collect(), self.0.iter().map(|(_, line)| &line[..]).collect())
    }

    /// Waits for the locks of these lines, until the end of the transaction.
    pub(crate) async fn lock(&self, session: &Session) -> Result<(), tokio_postgres::Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (circuits, lines) = self.columns();
        session.rows(LOCK, &[&circuits, &lines]).await.map(drop)
    }

    /// Lets the first letter of each line go; returns those that may be claimed.
    pub(crate) async fn free(&self, visit: &Visit<'_>) -> Result<Vec<Freed>, Fault> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let (circuits, lines) = self.columns();
        let rows = visit.session.rows(FREE, &[&circuits, &lines]).await?;
        let mut freed = Vec::with_capacity(rows.len());
        for row in &rows {
            let read = Read { row, offset: visit.offset };
            if read.get::<&str>("status")? == "pending" {
                let (circuit, line) = (read.text("circuit")?, read.get("line")?);
                freed.push(Freed { circuit, line, at: read.get("not_before")? });
            }
        }
        Ok(freed)
    }
}

/// Those of the letters whose lines nobody else has locked: they are locked now.
pub(crate) async fn try_lock(visit: &Visit<'_>, ids: &[i64]) -> Result<BTreeSet<i64>, Fault> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = visit.session.rows(TRY_LOCK, &[&ids]).await?;
    rows.iter().map(|row| Read { row, offset: visit.offset }.get("id")).collect()
}
