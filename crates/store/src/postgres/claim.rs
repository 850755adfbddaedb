//! Claims: due letters that nobody else is taking at the same moment.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::time::WallTime;
use futures_util::future::{join, join4};
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::floor::{Place, Reach};
use super::kinds;
use super::line::{self, Freed, Lines};
use super::pool::{Errand, Visit};
use super::row::{self, Read, count};
use super::session;
use super::text::escape;
use super::writes::{Columns, Held, Writes};
use crate::change::{self, Change};
use crate::letters::{ClaimFilter, Letter};

/// Letters that one claim moves on beyond those that it returns, so that a heap of expired ones cannot hold it up.
const MOVED_ON: usize = 256;

/// How often one claim looks again because others took what it had found.
const LOOKS: usize = 4;

// A row that somebody else has locked is being claimed or settled: it is passed over.
pub(crate) const DUE: &str = "
SELECT * FROM letters
WHERE circuit = $1 AND status = 'pending' AND NOT waits AND (not_before, id) >= ($2, $3) AND not_before <= $4
ORDER BY not_before, id LIMIT $5 FOR UPDATE SKIP LOCKED";

// Those whose leases ended first, in the order of when they were due: after a crash there may be many, of which no more
// are locked than it takes to have a good order.
pub(crate) const LAPSED: &str = "
WITH lapsed AS MATERIALIZED (
    SELECT * FROM letters
    WHERE circuit = $1 AND status = 'replaying' AND (lease_until, id) >= ($2, $3) AND lease_until <= $4
    ORDER BY lease_until, id LIMIT GREATEST($5::bigint, 256) FOR UPDATE SKIP LOCKED
)
SELECT * FROM lapsed ORDER BY not_before, id LIMIT $5";

pub(crate) const STATEMENTS: &[&str] = &[DUE, LAPSED];

/// Which letters to claim.
pub(crate) enum Wanted {
    /// Those of a circuit, from where to begin to look: below this there is nothing.
    Of(String, Reach),
    By(ClaimFilter),
}

pub(crate) struct Claim {
    pub(crate) wanted: Wanted,
    pub(crate) limit: usize,
    pub(crate) lease: Duration,
    pub(crate) now: WallTime,
}

/// What a claim took, and what it has learnt of where to look next.
pub(crate) struct Claimed {
    pub(crate) letters: Vec<Letter>,
    pub(crate) reach: Option<Reach>,
    /// When the leases that it gave end, by the server's clock.
    pub(crate) leases_end: Option<i64>,
    /// Those that waited behind letters that turned out to have expired.
    pub(crate) freed: Vec<Freed>,
}

/// What one look found.
pub(crate) struct Look {
    pub(crate) found: Vec<Held>,
    /// Up to where nothing is left but what was found.
    pub(crate) clear: Option<Reach>,
    /// Whether others got in between, so that another look may find more.
    pub(crate) contended: bool,
}

/// How far a claim has come.
#[derive(Default)]
struct Taking {
    taken: Vec<i64>,
    moved_on: usize,
    looks: usize,
    leases_end: Option<i64>,
    reach: Option<Reach>,
    ended: Lines,
}

impl Errand for Claim {
    type Answer = Claimed;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<Claimed, Fault> {
        let mut taking = Taking::default();
        let (began, look) = join(visit.begin(), self.look(visit, &taking)).await;
        began?;
        let mut look = look?;
        loop {
            let before = taking.moved_on;
            let contended = look.contended;
            let mut writes = self.take(visit, look, &mut taking).await?;
            taking.ended.append(std::mem::take(&mut writes.ended));
            let columns = writes.columns(visit.offset);
            taking.looks += 1;
            let hopeful = taking.moved_on > before || contended && taking.looks < LOOKS;
            if !hopeful || taking.taken.len() >= self.limit || taking.moved_on >= MOVED_ON {
                return finish(visit, taking, columns).await;
            }
            session::all(columns.send(visit.session)).await?;
            look = self.look(visit, &taking).await?;
        }
    }
}

/// Frees those who waited behind letters that have ended, reads what was taken, and commits.
async fn finish(visit: &Visit<'_>, taking: Taking, columns: Columns) -> Result<Claimed, Fault> {
    let Taking { taken, leases_end, reach, ended, .. } = taking;
    let sent = session::all(columns.send(visit.session));
    let ids: [&(dyn ToSql + Sync); 1] = [&taken];
    let letters = visit.session.rows(row::LETTERS, &ids);
    let (written, freed, rows, committed) =
        join4(sent, ended.free(visit), letters, visit.commit()).await;
    written?;
    let freed = freed?;
    let letters = in_order(&taken, &rows?, visit)?;
    committed?;
    Ok(Claimed { letters, reach, leases_end, freed })
}

impl Claim {
    /// The first letters that may be claimed.
    async fn look(&self, visit: &Visit<'_>, taking: &Taking) -> Result<Look, Fault> {
        let wanted = self.limit - taking.taken.len();
        match &self.wanted {
            Wanted::Of(circuit, reach) => {
                let reach = taking.reach.unwrap_or(*reach);
                self.look_in(visit, circuit, wanted, reach).await
            }
            Wanted::By(filter) => kinds::look(visit, filter, self.now, wanted).await,
        }
    }

    /// The first letters of a circuit, the earliest due first.
    async fn look_in(
        &self,
        visit: &Visit<'_>,
        circuit: &str,
        wanted: usize,
        reach: Reach,
    ) -> Result<Look, Fault> {
        let circuit = escape(circuit);
        let (now, limit) = (visit.offset.stored(self.now), count(wanted));
        let Reach { due, lapsed } = reach;
        let (due, lapsed) = join(
            visit.session.rows(DUE, &[&circuit, &due.0, &due.1, &now, &limit]),
            visit.session.rows(LAPSED, &[&circuit, &lapsed.0, &lapsed.1, &now, &limit]),
        )
        .await;
        let (due, lapsed) = (due?, lapsed?);
        let mut found = Vec::with_capacity(due.len() + lapsed.len());
        for row in due.iter().chain(&lapsed) {
            found.push(Held::read(Read { row, offset: visit.offset })?);
        }
        found.sort_unstable_by_key(|held| (held.life.not_before, held.id));
        let all = found.len() <= wanted;
        found.truncate(wanted);
        let (mut clear, now) = (reach, Place(now, i64::MIN));
        if all && due.len() < wanted {
            clear.due = clear.due.max(now);
        }
        if all && lapsed.len() < wanted {
            clear.lapsed = clear.lapsed.max(now);
        }
        Ok(Look { found, clear: Some(clear), contended: false })
    }

    /// Moves on the letters that were found, and says what is to be written.
    async fn take(
        &self,
        visit: &Visit<'_>,
        look: Look,
        taking: &mut Taking,
    ) -> Result<Writes, Fault> {
        let mut writes = Writes::default();
        let mut clear = look.clear;
        let mut changes = Vec::with_capacity(look.found.len());
        for held in look.found {
            let change = change::claim(&held.life, self.lease, self.now, &visit.setup.rules);
            changes.extend(change.ok().map(|change| (held, change)));
        }
        let ends =
            |(held, change): &&(Held, Change)| held.line.is_some() && change.life.status.is_final();
        let ending: Vec<i64> = changes.iter().filter(ends).map(|(held, _)| held.id.0).collect();
        let locked = line::try_lock(visit, &ending).await?;
        for (mut held, change) in changes {
            let place = Place(visit.offset.stored(held.life.not_before), held.id.0);
            if let Some(clear) = clear.as_mut().filter(|_| held.life.lease_until.is_none()) {
                clear.due = clear.due.max(place);
            }
            if ending.contains(&held.id.0) && !locked.contains(&held.id.0) {
                continue;
            }
            let life = writes.apply(&mut held, change, self.now);
            match life.lease_until {
                Some(end) => {
                    taking.leases_end = Some(visit.offset.stored(end));
                    taking.taken.push(held.id.0);
                }
                None => taking.moved_on += 1,
            }
        }
        taking.reach = clear;
        Ok(writes)
    }
}

fn in_order(
    ids: &[i64],
    rows: &[tokio_postgres::Row],
    visit: &Visit<'_>,
) -> Result<Vec<Letter>, Fault> {
    let mut letters = BTreeMap::new();
    for row in rows {
        let letter = Read { row, offset: visit.offset }.letter()?;
        letters.insert(letter.id.0, letter);
    }
    Ok(ids.iter().filter_map(|id| letters.remove(id)).collect())
}
