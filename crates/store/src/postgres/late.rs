//! Letters past their SLA deadline: counted and raised by the index that keeps them apart by circuit, domain and priority.

use fuseboard_core::time::WallTime;
use futures_util::future::join;

use super::fault::Fault;
use super::pool::{Errand, Visit};
use super::row::{Read, count};
use super::session::{self, Parameters};
use super::writes::Writes;
use crate::change;
use crate::letters::{Late, Priority};

/// The kinds of which there are letters with a deadline that are not done, found by seeking from each to the next.
macro_rules! by_kind {
    ($then:literal) => {
        concat!(
            "WITH RECURSIVE kind AS (
                 (SELECT circuit, domain, priority FROM letters
                  WHERE sla_deadline IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review')
                  ORDER BY circuit, domain, priority LIMIT 1)
                 UNION ALL
                 SELECT n.circuit, n.domain, n.priority FROM kind k CROSS JOIN LATERAL (
                     SELECT l.circuit, l.domain, l.priority FROM letters l
                     WHERE l.sla_deadline IS NOT NULL AND l.status IN ('pending', 'replaying', 'requires_review')
                         AND (l.circuit, l.domain, l.priority) > (k.circuit, k.domain, k.priority)
                     ORDER BY l.circuit, l.domain, l.priority LIMIT 1
                 ) AS n
             )",
            $then
        )
    };
}

const HOW_MANY: &str = by_kind!(
    "SELECT k.circuit, k.domain, SUM(late.n)::bigint AS letters
     FROM kind k CROSS JOIN LATERAL (
         SELECT count(*) AS n FROM letters l
         WHERE l.circuit = k.circuit AND l.domain = k.domain AND l.priority = k.priority AND l.sla_deadline <= $1
             AND l.sla_deadline IS NOT NULL AND l.status IN ('pending', 'replaying', 'requires_review')
     ) AS late
     GROUP BY k.circuit, k.domain HAVING SUM(late.n) > 0 ORDER BY k.circuit, k.domain"
);

const FIND: &str = by_kind!(
    "SELECT late.id FROM kind k CROSS JOIN LATERAL (
         SELECT l.id, l.sla_deadline FROM letters l
         WHERE l.circuit = k.circuit AND l.domain = k.domain AND l.priority = k.priority AND l.sla_deadline <= $1
             AND l.sla_deadline IS NOT NULL AND l.status IN ('pending', 'replaying', 'requires_review')
         ORDER BY l.sla_deadline, l.id LIMIT $3
     ) AS late
     WHERE k.priority > $2
     ORDER BY k.circuit, k.domain, k.priority, late.sla_deadline, late.id LIMIT $3"
);

// What somebody else is changing right now is raised the next time.
const HOLD: &str = "
SELECT id, fence FROM letters
WHERE id = ANY($1) AND priority > $2 AND status IN ('pending', 'replaying', 'requires_review')
FOR UPDATE SKIP LOCKED";

const RAISE: &str = "UPDATE letters SET priority = $2, updated_at = $3 WHERE id = ANY($1)";

pub(crate) const STATEMENTS: &[&str] = &[HOW_MANY, FIND, HOLD, RAISE];

pub(crate) struct HowMany(pub(crate) WallTime);

impl Errand for HowMany {
    type Answer = Vec<Late>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<Late>, Fault> {
        let rows = visit.session.rows(HOW_MANY, &[&visit.offset.stored(self.0)]).await?;
        let late = |row| {
            let read = Read { row, offset: visit.offset };
            let (circuit, domain) = (read.text("circuit")?, read.text("domain")?);
            Ok(Late { circuit, domain, letters: read.natural("letters")? })
        };
        rows.iter().map(late).collect()
    }
}

pub(crate) struct Raise {
    pub(crate) to: Priority,
    pub(crate) now: WallTime,
    pub(crate) limit: usize,
}

impl Errand for Raise {
    type Answer = u64;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<u64, Fault> {
        let (now, limit) = (visit.offset.stored(self.now), count(self.limit));
        let to = i16::from(self.to.rank());
        let with: Parameters<'_> = &[&now, &to, &limit];
        let found = visit.session.rows(FIND, with);
        let (begun, found) = join(visit.begin(), found).await;
        begun?;
        let found: Vec<i64> =
            found?.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
        let mut writes = Writes::default();
        let mut held = Vec::with_capacity(found.len());
        for row in &visit.session.rows(HOLD, &[&found, &to]).await? {
            let read = Read { row, offset: visit.offset };
            let (id, fence) = (read.id()?, read.natural("fence")?);
            writes.remember(id, self.now, change::raised(self.to), fence);
            held.push(id.0);
        }
        let columns = writes.columns(visit.offset);
        let raised = async { visit.session.run(RAISE, &[&held, &to, &now]).await.map(drop) };
        let mut sent: Vec<session::Sent<'_>> = vec![Box::pin(raised)];
        sent.extend(columns.send(visit.session));
        let (written, committed) = join(session::all(sent), visit.commit()).await;
        written?;
        committed?;
        Ok(held.len() as u64)
    }
}
