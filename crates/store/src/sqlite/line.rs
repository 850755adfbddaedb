//! Lines of letters with one order key: who waits, and who is free next.

use rusqlite::{Connection, OptionalExtension, params};

use super::row;
use crate::letters::{Blocker, LetterId};

pub(crate) const FIRST: &str = "
SELECT id, status FROM letters
WHERE circuit = ?1 AND order_key = ?2 AND status IN ('pending', 'replaying', 'requires_review')
ORDER BY id LIMIT 1";

pub(crate) const FREE: &str = "
UPDATE letters SET waits = 0
WHERE id = (SELECT id FROM letters
    WHERE circuit = ?1 AND order_key = ?2 AND status IN ('pending', 'replaying', 'requires_review')
    ORDER BY id LIMIT 1)";

/// The letter that goes first under an order key.
pub(crate) fn first(
    connection: &Connection,
    circuit: &str,
    order_key: &str,
) -> rusqlite::Result<Option<Blocker>> {
    let mut statement = connection.prepare_cached(FIRST)?;
    let blocker = |row: &rusqlite::Row<'_>| {
        Ok(Blocker { id: LetterId(row.get("id")?), status: row::status(row)? })
    };
    statement.query_row(params![circuit, order_key], blocker).optional()
}

/// Whether a new letter with this order key has to wait.
pub(crate) fn is_taken(
    connection: &Connection,
    circuit: &str,
    order_key: Option<&str>,
) -> rusqlite::Result<bool> {
    let Some(order_key) = order_key else { return Ok(false) };
    Ok(first(connection, circuit, order_key)?.is_some())
}

/// Lets the first letter of a line go.
pub(crate) fn free(
    connection: &Connection,
    circuit: &str,
    order_key: &str,
) -> rusqlite::Result<()> {
    connection.prepare_cached(FREE)?.execute(params![circuit, order_key])?;
    Ok(())
}
