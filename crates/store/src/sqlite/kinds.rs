//! Letters to claim by what they are: of a circuit, a domain, a failure type, or one by its number.
//!
//! An index keeps the due letters of each kind (circuit, domain, failure type, priority) in the order in which they are
//! due. There are few kinds, so each that is wanted is asked for its first letters, as far as they come before those that
//! are there already; and no letter that may not be claimed is ever looked at.

use fuseboard_core::time::WallTime;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::Fault;
use super::query::count;
use crate::letters::{ClaimFilter, ClaimOrder, LetterId};

pub(crate) const NEXT_KIND: &str = "
SELECT circuit, domain, failure, priority FROM letters
WHERE waits = 0 AND status = 'pending' AND (circuit, domain, failure, priority) > (?1, ?2, ?3, ?4)
ORDER BY circuit, domain, failure, priority LIMIT 1";

pub(crate) const OF_KIND: &str = "
SELECT id, not_before FROM letters
WHERE circuit = ?1 AND domain = ?2 AND failure = ?3 AND priority = ?4
    AND waits = 0 AND status = 'pending' AND not_before <= ?5
ORDER BY not_before, id LIMIT ?6";

// There are as many as there are claims that were not settled in time: few.
pub(crate) const LAPSED: &str = "
SELECT l.circuit, l.domain, l.failure, l.priority, l.not_before, l.id
FROM tallies t CROSS JOIN letters l ON l.circuit = t.circuit AND l.waits = 0 AND l.status = 'replaying'
WHERE t.what = 'replaying' AND t.n > 0 AND (?1 IS NULL OR t.circuit = ?1) AND l.lease_until <= ?2";

pub(crate) const BY_NUMBER: &str = "
SELECT circuit, domain, failure, priority, not_before, id FROM letters
WHERE id = ?1 AND waits = 0
    AND (status = 'pending' AND not_before <= ?2 OR status = 'replaying' AND lease_until <= ?2)";

/// What letters have in common that one question to the index can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    circuit: String,
    domain: String,
    failure: String,
    priority: i64,
}

impl Kind {
    /// Comes before every kind of `circuit` and, if that is empty, of any.
    fn before(circuit: &str) -> Self {
        let nothing = String::new;
        Kind { circuit: circuit.to_owned(), domain: nothing(), failure: nothing(), priority: -1 }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Kind {
            circuit: row.get("circuit")?,
            domain: row.get("domain")?,
            failure: row.get("failure")?,
            priority: row.get("priority")?,
        })
    }

    fn is_wanted(&self, filter: &ClaimFilter) -> bool {
        filter.wants(&self.circuit, &self.domain, &self.failure)
    }
}

/// A letter that may be claimed: its priority if that decides, when it is due, its number.
type Due = (i64, i64, LetterId);

/// Up to `limit` letters that `filter` wants and that are due at `now` or whose lease has run out, in its order.
pub(crate) fn due(
    connection: &Connection,
    filter: &ClaimFilter,
    now: WallTime,
    limit: usize,
) -> Result<Vec<LetterId>, Fault> {
    let now = now.as_unix_millis();
    let mut due = match filter.id {
        Some(id) => of_rows(connection, filter, BY_NUMBER, params![id.0, now])?,
        None => of_rows(connection, filter, LAPSED, params![filter.circuit, now])?,
    };
    if filter.id.is_none() {
        let mut kinds = kinds(connection, filter)?;
        kinds.sort_by_key(|kind| rank(filter, kind.priority));
        for kind in kinds {
            due.sort_unstable();
            due.truncate(limit);
            let worst = due.last().filter(|_| due.len() == limit);
            if let Some(until) = worth_asking_until(worst, rank(filter, kind.priority), now) {
                due.extend(of_kind(connection, filter, &kind, until, limit)?);
            }
        }
    }
    due.sort_unstable();
    due.truncate(limit);
    Ok(due.into_iter().map(|(_, _, id)| id).collect())
}

/// Until when letters of a rank must be due to come before the `worst` that there is, if there are enough already.
fn worth_asking_until(worst: Option<&Due>, rank: i64, now: i64) -> Option<i64> {
    match worst {
        Some((better, ..)) if *better < rank => None,
        Some((same, not_before, _)) if *same == rank => Some(now.min(*not_before)),
        _ => Some(now),
    }
}

/// The kinds of which there are pending letters, found by seeking from each to the next.
fn kinds(connection: &Connection, filter: &ClaimFilter) -> rusqlite::Result<Vec<Kind>> {
    let mut statement = connection.prepare_cached(NEXT_KIND)?;
    let mut last = Kind::before(filter.circuit.as_deref().unwrap_or_default());
    let mut wanted = Vec::new();
    loop {
        let after = params![last.circuit, last.domain, last.failure, last.priority];
        let Some(kind) = statement.query_row(after, Kind::read).optional()? else { break };
        if filter.circuit.as_ref().is_some_and(|circuit| *circuit != kind.circuit) {
            break;
        }
        if kind.is_wanted(filter) {
            wanted.push(kind.clone());
        }
        last = kind;
    }
    Ok(wanted)
}

fn of_kind(
    connection: &Connection,
    filter: &ClaimFilter,
    kind: &Kind,
    until: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Due>> {
    let Kind { circuit, domain, failure, priority } = kind;
    let mut statement = connection.prepare_cached(OF_KIND)?;
    let wanted = params![circuit, domain, failure, priority, until, count(limit)];
    let rank = rank(filter, *priority);
    let due = |row: &Row<'_>| Ok((rank, row.get("not_before")?, LetterId(row.get("id")?)));
    statement.query_map(wanted, due)?.collect()
}

fn of_rows(
    connection: &Connection,
    filter: &ClaimFilter,
    sql: &str,
    wanted: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Due>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(wanted)?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let kind = Kind::read(row)?;
        if kind.is_wanted(filter) {
            let rank = rank(filter, kind.priority);
            due.push((rank, row.get("not_before")?, LetterId(row.get("id")?)));
        }
    }
    Ok(due)
}

fn rank(filter: &ClaimFilter, priority: i64) -> i64 {
    match filter.order {
        ClaimOrder::Due => 0,
        ClaimOrder::Priority => priority,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sqlite::query::ids;
    use crate::sqlite::schema;

    const INSERT: &str = "
INSERT INTO letters (token, circuit, domain, failure, method, uri, key, scope, status, attempts, crashes, not_before, fence,
    captured_at, updated_at, priority, waits)
VALUES (randomblob(16), ?1, ?2, ?3, 'POST', '/', hex(randomblob(16)), x'', 'pending', 0, 0, ?4, 0, 0, 0, ?5, ?6)";

    const NAIVE: &str = "
SELECT id FROM letters
WHERE waits = 0 AND not_before <= ?1 AND (?2 IS NULL OR circuit = ?2) AND (?3 IS NULL OR domain = ?3)
    AND (?4 IS NULL OR failure = ?4)
ORDER BY CASE WHEN ?5 THEN priority ELSE 0 END, not_before, id LIMIT ?6";

    type Row = (u8, u8, u8, i64, u8, bool);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let waits = prop::bool::weighted(0.2);
        prop::collection::vec((0_u8..3, 0_u8..2, 0_u8..2, 0_i64..8, 0_u8..3, waits), 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn asking_kind_by_kind_finds_what_sorting_all_letters_finds(rows in rows()) {
            let connection = Connection::open_in_memory().unwrap();
            schema::migrate(&connection).unwrap();
            for (circuit, domain, failure, due, priority, waits) in rows {
                let texts = [circuit, domain, failure].map(|n| n.to_string());
                let [circuit, domain, failure] = &texts;
                let letter = params![circuit, domain, failure, due, priority, waits];
                connection.prepare_cached(INSERT).unwrap().execute(letter).unwrap();
            }
            let one = || Some("1".to_owned());
            let filters = [
                (None, None, None),
                (one(), None, None),
                (None, one(), None),
                (None, one(), one()),
                (one(), one(), one()),
            ];
            for (circuit, domain, failure) in filters {
                for order in [ClaimOrder::Due, ClaimOrder::Priority] {
                    for limit in [0, 1, 3, 100] {
                        let by_priority = order == ClaimOrder::Priority;
                        let wanted = params![6, circuit, domain, failure, by_priority, count(limit)];
                        let naive = ids(&connection, NAIVE, wanted).unwrap();
                        let filter = ClaimFilter {
                            circuit: circuit.clone(),
                            domain: domain.clone(),
                            failures: failure.iter().cloned().collect(),
                            id: None,
                            order,
                            limit,
                        };
                        let now = WallTime::from_unix_millis(6);
                        prop_assert_eq!(due(&connection, &filter, now, limit).unwrap(), naive);
                    }
                }
            }
        }
    }
}
