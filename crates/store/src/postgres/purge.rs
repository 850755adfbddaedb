//! Retention: letters that were finished long enough ago are removed with all that belongs to them.

use fuseboard_core::time::WallTime;
use futures_util::future::join;
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::pool::{Errand, Visit};
use super::row::{Read, count};
use super::session::{self, Sent};
use super::tally::Tally;
use super::writes::{Held, TallyColumns};

const FINISHED: &str = "
SELECT * FROM letters WHERE status IN ('resolved', 'discarded', 'expired') AND updated_at < $1
ORDER BY updated_at, id LIMIT $2 FOR UPDATE SKIP LOCKED";

const REMOVE: [&str; 5] = [
    "DELETE FROM history WHERE letter = ANY($1)",
    "DELETE FROM answers WHERE id = ANY($1)",
    "DELETE FROM errors WHERE id = ANY($1)",
    "DELETE FROM letters WHERE id = ANY($1)",
    "DELETE FROM contents WHERE id = ANY($1)",
];

pub(crate) const STATEMENTS: &[&str] =
    &[FINISHED, REMOVE[0], REMOVE[1], REMOVE[2], REMOVE[3], REMOVE[4]];

pub(crate) struct Purge {
    pub(crate) finished_before: WallTime,
    pub(crate) limit: usize,
}

impl Errand for Purge {
    type Answer = u64;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<u64, Fault> {
        let (before, limit) = (visit.offset.stored(self.finished_before), count(self.limit));
        let with: [&(dyn ToSql + Sync); 2] = [&before, &limit];
        let finished = visit.session.rows(FINISHED, &with);
        let (begun, rows) = join(visit.begin(), finished).await;
        begun?;
        let (mut ids, mut tally) = (Vec::new(), Tally::default());
        for row in &rows? {
            let held = Held::read(Read { row, offset: visit.offset })?;
            tally.purged(&held.circuit, held.life.status);
            ids.push(held.id.0);
        }
        let tally = TallyColumns::of(&tally);
        let mut sent: Vec<Sent<'_>> = Vec::new();
        for sql in REMOVE.into_iter().filter(|_| !ids.is_empty()) {
            let ids = &ids;
            sent.push(Box::pin(async move { visit.session.run(sql, &[ids]).await.map(drop) }));
        }
        sent.extend(tally.send(visit.session));
        let (removed, committed) = join(session::all(sent), visit.commit()).await;
        removed?;
        committed?;
        Ok(ids.len() as u64)
    }
}
