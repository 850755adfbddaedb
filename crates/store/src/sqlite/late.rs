//! Letters past their SLA deadline: counted and raised by the index that keeps them apart by circuit, domain and priority.

use fuseboard_core::time::WallTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::query::{count, ids};
use super::work::Work;
use crate::change;
use crate::letters::{Late, LetterId, Priority};

pub(crate) const NEXT_KIND: &str = "
SELECT circuit, domain, priority FROM letters
WHERE sla_deadline IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review')
    AND (circuit, domain, priority) > (?1, ?2, ?3)
ORDER BY circuit, domain, priority LIMIT 1";

pub(crate) const HOW_MANY: &str = "
SELECT COUNT(*) FROM letters
WHERE circuit = ?1 AND domain = ?2 AND priority = ?3 AND sla_deadline <= ?4
    AND status IN ('pending', 'replaying', 'requires_review')";

pub(crate) const OF_KIND: &str = "
SELECT id FROM letters
WHERE circuit = ?1 AND domain = ?2 AND priority = ?3 AND sla_deadline <= ?4
    AND status IN ('pending', 'replaying', 'requires_review')
ORDER BY sla_deadline, id LIMIT ?5";

type Kind = (String, String, i64);

/// The kinds of which there are letters with a deadline that are not done, found by seeking from each to the next.
fn kinds(connection: &Connection) -> rusqlite::Result<Vec<Kind>> {
    let mut statement = connection.prepare_cached(NEXT_KIND)?;
    let mut kinds: Vec<Kind> = Vec::new();
    loop {
        let (circuit, domain, priority) =
            kinds.last().map_or(("", "", -1), |(circuit, domain, priority)| {
                (circuit.as_str(), domain.as_str(), *priority)
            });
        let next = statement.query_row(params![circuit, domain, priority], |row| {
            Ok((row.get("circuit")?, row.get("domain")?, row.get("priority")?))
        });
        let Some(kind) = next.optional()? else { return Ok(kinds) };
        kinds.push(kind);
    }
}

pub(crate) fn late(connection: &Connection, now: WallTime) -> Result<Vec<Late>, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    let mut all: Vec<Late> = Vec::new();
    for (circuit, domain, priority) in kinds(connection)? {
        let of_kind = params![circuit, domain, priority, now.as_unix_millis()];
        let n: i64 = connection.prepare_cached(HOW_MANY)?.query_row(of_kind, |row| row.get(0))?;
        let letters = u64::try_from(n).unwrap_or(0);
        match all.last_mut() {
            Some(late) if late.circuit == circuit && late.domain == domain => {
                late.letters += letters;
            }
            _ => all.push(Late { circuit, domain, letters }),
        }
    }
    snapshot.finish()?;
    all.retain(|late| late.letters > 0);
    Ok(all)
}

impl Work<'_> {
    pub(crate) fn raise_late(
        &mut self,
        to: Priority,
        now: WallTime,
        limit: usize,
    ) -> Result<u64, Fault> {
        let mut raised = 0;
        for (circuit, domain, priority) in kinds(self.connection)? {
            if priority <= i64::from(to.rank()) {
                continue;
            }
            let at_most = count(limit.saturating_sub(raised));
            let wanted = params![circuit, domain, priority, now.as_unix_millis(), at_most];
            for id in ids(self.connection, OF_KIND, wanted)? {
                self.raise(id, to, now)?;
                raised += 1;
            }
        }
        Ok(raised as u64)
    }

    fn raise(&self, id: LetterId, to: Priority, now: WallTime) -> Result<(), Fault> {
        let fence: i64 = self
            .connection
            .prepare_cached(
                "UPDATE letters SET priority = ?2, updated_at = ?3 WHERE id = ?1 RETURNING fence",
            )?
            .query_row(params![id.0, to.rank(), now.as_unix_millis()], |row| row.get(0))?;
        self.remember(id, now, &change::raised(to), u64::try_from(fence).unwrap_or(0))
    }
}
