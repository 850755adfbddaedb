//! Letters to claim by what they are: of a circuit, a domain, a failure type, or one by its number.
//!
//! An index keeps the due letters of each kind (circuit, domain, failure type, priority) in the order in which they are
//! due. There are few kinds, so each that is wanted is asked for its first letters, and the best of them are taken; no
//! letter that is not wanted is ever looked at.

use fuseboard_core::time::WallTime;
use tokio_postgres::types::ToSql;

use super::claim::Look;
use super::fault::Fault;
use super::pool::Visit;
use super::row::{Read, count};
use super::text::escape;
use super::writes::Held;
use crate::letters::{ClaimFilter, ClaimOrder};

/// Letters that are looked for beyond those that are wanted, because others may take some of them first.
const BEYOND: usize = 64;

const FIND: &str = "
WITH RECURSIVE kind AS (
    (SELECT circuit, domain, failure, priority FROM letters
     WHERE status = 'pending' AND NOT waits
         AND (circuit, domain, failure, priority) > (COALESCE($1::text, ''), '', '', -1::smallint)
     ORDER BY circuit, domain, failure, priority LIMIT 1)
    UNION ALL
    SELECT n.circuit, n.domain, n.failure, n.priority FROM kind k CROSS JOIN LATERAL (
        SELECT l.circuit, l.domain, l.failure, l.priority FROM letters l
        WHERE l.status = 'pending' AND NOT l.waits
            AND (l.circuit, l.domain, l.failure, l.priority) > (k.circuit, k.domain, k.failure, k.priority)
        ORDER BY l.circuit, l.domain, l.failure, l.priority LIMIT 1
    ) AS n
    WHERE $1::text IS NULL OR k.circuit = $1
), due AS (
    SELECT found.id, found.not_before, k.priority FROM kind k CROSS JOIN LATERAL (
        SELECT l.id, l.not_before FROM letters l
        WHERE l.circuit = k.circuit AND l.domain = k.domain AND l.failure = k.failure AND l.priority = k.priority
            AND l.status = 'pending' AND NOT l.waits AND l.not_before <= $4
        ORDER BY l.not_before, l.id LIMIT $6
    ) AS found
    WHERE ($1::text IS NULL OR k.circuit = $1) AND ($2::text IS NULL OR k.domain = $2)
        AND (cardinality($3::text[]) = 0 OR k.failure = ANY($3))
    UNION ALL
    SELECT found.id, found.not_before, found.priority FROM (
        SELECT circuit FROM tallies WHERE $1::text IS NULL OR circuit = $1 GROUP BY circuit HAVING SUM(replaying) > 0
    ) AS t CROSS JOIN LATERAL (
        SELECT l.id, l.not_before, l.priority FROM letters l
        WHERE l.circuit = t.circuit AND l.status = 'replaying' AND l.lease_until <= $4
            AND ($2::text IS NULL OR l.domain = $2) AND (cardinality($3::text[]) = 0 OR l.failure = ANY($3))
        ORDER BY l.lease_until, l.id LIMIT GREATEST($6, 256)
    ) AS found
)
SELECT id FROM due ORDER BY CASE WHEN $5::boolean THEN priority ELSE 0 END, not_before, id LIMIT $6";

// A row that somebody else has locked is being claimed or settled: it is passed over.
const HOLD: &str = "
SELECT l.* FROM unnest($1::bigint[]) WITH ORDINALITY AS n(id, place) JOIN letters l ON l.id = n.id
WHERE NOT l.waits AND (l.status = 'pending' AND l.not_before <= $2 OR l.status = 'replaying' AND l.lease_until <= $2)
ORDER BY n.place LIMIT $3 FOR UPDATE OF l SKIP LOCKED";

pub(crate) const STATEMENTS: &[&str] = &[FIND, HOLD];

/// The first letters that `filter` wants, in its order.
pub(crate) async fn look(
    visit: &Visit<'_>,
    filter: &ClaimFilter,
    now: WallTime,
    wanted: usize,
) -> Result<Look, Fault> {
    let beyond = wanted.saturating_add(BEYOND);
    let ids = match filter.id {
        Some(id) => vec![id.0],
        None => find(visit, filter, now, beyond).await?,
    };
    let (now, limit) = (visit.offset.stored(now), count(wanted));
    let rows = visit.session.rows(HOLD, &[&ids, &now, &limit]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let read = Read { row, offset: visit.offset };
        let held = Held::read(read)?;
        if filter.wants(&held.circuit, &read.text("domain")?, &read.text("failure")?) {
            found.push(held);
        }
    }
    let contended = rows.len() < wanted && ids.len() == beyond;
    Ok(Look { found, clear: None, contended })
}

async fn find(
    visit: &Visit<'_>,
    filter: &ClaimFilter,
    now: WallTime,
    limit: usize,
) -> Result<Vec<i64>, Fault> {
    let (circuit, domain) =
        (filter.circuit.as_deref().map(escape), filter.domain.as_deref().map(escape));
    let failures: Vec<_> = filter.failures.iter().map(|failure| escape(failure)).collect();
    let (now, limit) = (visit.offset.stored(now), count(limit));
    let by_priority = filter.order == ClaimOrder::Priority;
    let with: [&(dyn ToSql + Sync); 6] = [&circuit, &domain, &failures, &now, &by_priority, &limit];
    let rows = visit.session.rows(FIND, &with).await?;
    rows.iter().map(|row| Read { row, offset: visit.offset }.get("id")).collect()
}
