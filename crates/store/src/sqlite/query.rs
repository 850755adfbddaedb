//! The questions that a database of letters is asked, each answered by seeking in an index.

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, params, params_from_iter};

use super::fault::Fault;
use super::ledger::{CAPTURED, PURGED};
use super::row::{self, natural, read, time};
use crate::letters::{CircuitCounts, Counts, HistoryEntry, Letter, LetterId, LetterSummary, Query};

// The two parts are merged as they come, so that a long queue is not sorted to take a few letters from it.
pub(crate) const DUE: &str = "
SELECT id, not_before FROM letters
WHERE circuit = ?1 AND waits = 0 AND status = 'pending' AND not_before <= ?2
UNION ALL
SELECT id, not_before FROM letters
WHERE circuit = ?1 AND waits = 0 AND status = 'replaying' AND lease_until <= ?2
ORDER BY not_before, id LIMIT ?3";

pub(crate) const REPLAYING: &str = "
SELECT l.id FROM tallies t CROSS JOIN letters l ON l.circuit = t.circuit AND l.status = 'replaying'
WHERE t.what = 'replaying' AND t.n > 0";

pub(crate) const FINISHED: &str = "
SELECT id FROM letters WHERE status IN ('resolved', 'discarded', 'expired') AND updated_at < ?1
ORDER BY updated_at, id LIMIT ?2";

pub(crate) const FIRST_DUE: &str = "
SELECT MIN(not_before) FROM letters WHERE circuit = ?1 AND waits = 0 AND status = 'pending'";

pub(crate) const FIRST_LEASE_END: &str = "
SELECT MIN(lease_until) FROM letters WHERE circuit = ?1 AND waits = 0 AND status = 'replaying'";

pub(crate) const OLDEST_PENDING: &str = "
SELECT captured_at FROM letters INDEXED BY letters_by_status
WHERE circuit = ?1 AND status = 'pending' ORDER BY id LIMIT 1";

pub(crate) const PAGE: &str = "
SELECT id FROM letters
WHERE id > ?1 AND (?2 IS NULL OR domain = ?2) AND (?3 IS NULL OR failure = ?3)
    AND (?4 IS NULL OR priority = ?4) AND (?5 IS NULL OR order_key = ?5)
ORDER BY id LIMIT ?6";

pub(crate) const PAGE_OF: &str = "
SELECT id FROM letters INDEXED BY letters_by_status
WHERE circuit = ?7 AND status = ?8 AND id > ?1 AND (?2 IS NULL OR domain = ?2)
    AND (?3 IS NULL OR failure = ?3) AND (?4 IS NULL OR priority = ?4)
    AND (?5 IS NULL OR order_key = ?5)
ORDER BY id LIMIT ?6";

const SHELVES: &str = "
SELECT circuit, what FROM tallies
WHERE n > 0 AND (?1 IS NULL OR circuit = ?1) AND (?2 IS NULL OR what = ?2)";

/// The letter that answers for a key in a scope.
pub(crate) const HOLDER_OF_KEY: &str = "
SELECT l.id, l.token, l.status,
    CASE WHEN c.fingerprint IS NOT NULL AND ?7 IS NOT NULL THEN c.fingerprint = ?7 ELSE c.body = ?6 END AS same_body
FROM letters l JOIN contents c ON c.id = l.id
WHERE circuit = ?1 AND method = ?2 AND uri = ?3 AND key = ?4 AND scope = ?5
    AND l.status NOT IN ('discarded', 'expired')";

/// What `read` finds in one state of the database.
pub(crate) fn snapshot<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    let found = read(connection)?;
    snapshot.finish()?;
    Ok(found)
}

/// Letters of `circuit` to claim at `now`: due, or with a lease that has run out.
pub(crate) fn due(
    connection: &Connection,
    circuit: &str,
    now: WallTime,
    limit: usize,
) -> Result<Vec<LetterId>, Fault> {
    ids(connection, DUE, params![circuit, now.as_unix_millis(), count(limit)])
}

/// Every letter that somebody holds.
pub(crate) fn replaying(connection: &Connection) -> Result<Vec<LetterId>, Fault> {
    ids(connection, REPLAYING, [])
}

/// Letters that have been final since before `before`.
pub(crate) fn finished(
    connection: &Connection,
    before: WallTime,
    limit: usize,
) -> Result<Vec<LetterId>, Fault> {
    ids(connection, FINISHED, params![before.as_unix_millis(), count(limit)])
}

pub(crate) fn next_due(connection: &Connection, circuit: &str) -> Result<Option<WallTime>, Fault> {
    let first = |sql: &str| -> rusqlite::Result<Option<i64>> {
        connection.prepare_cached(sql)?.query_row([circuit], |row| row.get(0))
    };
    let snapshot = connection.unchecked_transaction()?;
    let times = [first(FIRST_DUE)?, first(FIRST_LEASE_END)?];
    snapshot.finish()?;
    Ok(times.into_iter().flatten().min().map(WallTime::from_unix_millis))
}

pub(crate) fn circuits_with_letters(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT circuit FROM tallies WHERE what IN ('pending', 'replaying') AND n > 0
         ORDER BY circuit",
    )?;
    let circuits = statement.query_map([], |row| row.get(0))?;
    Ok(circuits.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn history(connection: &Connection, id: LetterId) -> Result<Vec<HistoryEntry>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT at, what, fence FROM history WHERE letter = ?1 ORDER BY seq")?;
    let entries = statement.query_map([id.0], row::read_entry)?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn list(connection: &Connection, query: &Query) -> Result<Vec<LetterSummary>, Fault> {
    page(connection, query, row::summary)
}

pub(crate) fn export(connection: &Connection, query: &Query) -> Result<Vec<Letter>, Fault> {
    page(connection, query, row::letter)
}

fn page<T>(
    connection: &Connection,
    query: &Query,
    read: impl Fn(&Connection, LetterId) -> rusqlite::Result<Option<T>>,
) -> Result<Vec<T>, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    let ids = if query.circuit.is_none() && query.status.is_none() {
        ids(connection, PAGE, params_from_iter(conditions(query)))?
    } else {
        page_from_shelves(connection, query)?
    };
    let mut page = Vec::with_capacity(ids.len());
    for id in ids {
        page.extend(read(connection, id)?);
    }
    snapshot.finish()?;
    Ok(page)
}

/// The parameters that [`PAGE`] and [`PAGE_OF`] share.
fn conditions(query: &Query) -> [Value; 6] {
    [
        query.after.map_or(i64::MIN, |id| id.0).into(),
        query.domain.clone().into(),
        query.failure.clone().into(),
        query.priority.map(|priority| i64::from(priority.rank())).into(),
        query.order_key.clone().into(),
        count(query.limit).into(),
    ]
}

/// The lowest ids of all the circuits and statuses that `query` wants, each of which is in order in the index.
fn page_from_shelves(connection: &Connection, query: &Query) -> Result<Vec<LetterId>, Fault> {
    let mut page = Vec::new();
    for (circuit, status) in shelves(connection, query)? {
        let shelf = [Value::from(circuit), Value::from(status.as_str().to_owned())];
        let wanted = conditions(query).into_iter().chain(shelf);
        page.extend(ids(connection, PAGE_OF, params_from_iter(wanted))?);
        page.sort_unstable();
        page.truncate(query.limit);
    }
    Ok(page)
}

fn shelves(connection: &Connection, query: &Query) -> Result<Vec<(String, Status)>, Fault> {
    let mut statement = connection.prepare_cached(SHELVES)?;
    let tallies = statement
        .query_map(params![query.circuit, query.status.map(Status::as_str)], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let of_status = |(circuit, what): (String, String)| Some((circuit, what.parse().ok()?));
    Ok(tallies.into_iter().filter_map(of_status).collect())
}

pub(crate) fn counts(connection: &Connection) -> Result<Counts, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    let mut counts = Counts::default();
    let mut statement = connection.prepare_cached("SELECT circuit, what, n FROM tallies")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (circuit, what): (String, String) = (row.get(0)?, row.get(1)?);
        let n = read(row, "n", natural)?;
        add(counts.circuits.entry(circuit).or_default(), &what, n);
    }
    for (name, circuit) in &mut counts.circuits {
        counts.captured += circuit.captured;
        counts.purged += circuit.purged;
        if circuit.of(Status::Pending) > 0 {
            circuit.oldest_pending = oldest_pending(connection, name)?;
        }
    }
    drop(rows);
    drop(statement);
    snapshot.finish()?;
    Ok(counts)
}

fn add(circuit: &mut CircuitCounts, what: &str, n: u64) {
    match what {
        CAPTURED => circuit.captured = n,
        PURGED => circuit.purged = n,
        status => {
            if let Ok(status) = status.parse() {
                circuit.by_status.insert(status, n);
            }
        }
    }
}

fn oldest_pending(connection: &Connection, circuit: &str) -> Result<Option<WallTime>, Fault> {
    let mut statement = connection.prepare_cached(OLDEST_PENDING)?;
    Ok(statement.query_row([circuit], |row| time(row, "captured_at")).optional()?)
}

pub(crate) fn ids(
    connection: &Connection,
    sql: &str,
    wanted: impl Params,
) -> Result<Vec<LetterId>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement.query_map(wanted, |row| row.get(0).map(LetterId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
