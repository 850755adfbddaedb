//! What a transaction does to letters that are there: gathered first, then sent together.

use std::collections::BTreeMap;

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;

use super::audit::Entries;
use super::fault::Fault;
use super::line::Lines;
use super::row::{Read, integer};
use super::session::{Parameters, Sent, Session};
use super::skew::Offset;
use super::tally::{COUNTED, Tally};
use super::text::escape;
use crate::audit::AuditEntry;
use crate::change::{Change, LastError};
use crate::letters::{HISTORY_KEPT, LetterId, StoredAnswer};
use crate::sqlite::encode_headers;

const UPDATE: &str = "
UPDATE letters l SET status = n.status, attempts = n.attempts, crashes = n.crashes, not_before = n.not_before,
    expires_at = n.expires_at, fence = n.fence, lease_until = n.lease_until, updated_at = n.updated_at,
    waits = l.waits AND n.status IN ('pending', 'replaying', 'requires_review')
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[])
    AS n(id, status, attempts, crashes, not_before, expires_at, fence, lease_until, updated_at)
WHERE l.id = n.id";

const REMEMBER: &str = "
INSERT INTO history (letter, at, what, fence)
SELECT n.letter, n.at, n.what, n.fence
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) WITH ORDINALITY AS n(letter, at, what, fence, place)
ORDER BY n.place";

const FORGET: &str = "
DELETE FROM history h USING unnest($1::bigint[]) AS n(letter)
WHERE h.letter = n.letter AND h.seq < (
    SELECT k.seq FROM history k WHERE k.letter = n.letter ORDER BY k.seq DESC OFFSET $2 LIMIT 1)";

const ANSWER: &str = "
INSERT INTO answers (id, status, headers, body, at, truncated, sealed_by)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::bytea[], $5::bigint[], $6::boolean[], $7::text[])
ON CONFLICT (id) DO UPDATE SET status = excluded.status, headers = excluded.headers, body = excluded.body,
    at = excluded.at, truncated = excluded.truncated, sealed_by = excluded.sealed_by";

const SET_ERROR: &str = "
INSERT INTO errors (id, what) SELECT * FROM unnest($1::bigint[], $2::text[])
ON CONFLICT (id) DO UPDATE SET what = excluded.what";

const CLEAR_ERROR: &str = "DELETE FROM errors WHERE id = ANY($1)";

const FREE_KEY: &str = "UPDATE contents SET dedup = NULL WHERE id = ANY($1)";

pub(crate) const TALLY: &str = "
INSERT INTO tallies (circuit, captured, purged, pending, replaying, requires_review, resolved, discarded, expired)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[])";

pub(crate) const STATEMENTS: &[&str] =
    &[UPDATE, REMEMBER, FORGET, ANSWER, SET_ERROR, CLEAR_ERROR, FREE_KEY, TALLY];

/// A letter's history is cut to size at every so many claims.
const CUT_EVERY: u64 = 64;

/// A letter as far as a change of its life needs it.
pub(crate) struct Held {
    pub(crate) id: LetterId,
    pub(crate) circuit: String,
    /// The digest of its order key.
    pub(crate) line: Option<Vec<u8>>,
    pub(crate) life: Life,
}

impl Held {
    pub(crate) fn read(read: Read<'_>) -> Result<Self, Fault> {
        let (circuit, line) = (read.text("circuit")?, read.get("line")?);
        Ok(Held { id: read.id()?, circuit, line, life: read.life()? })
    }
}

/// What is to be written about letters.
#[derive(Default)]
pub(crate) struct Writes {
    lives: BTreeMap<i64, (Life, WallTime)>,
    entries: Vec<(i64, WallTime, String, u64)>,
    errors: BTreeMap<i64, Option<String>>,
    answers: BTreeMap<i64, StoredAnswer>,
    audit: Vec<AuditEntry>,
    pub(crate) tally: Tally,
    /// The lines of letters that have ended: the next ones are to be freed, once this is written.
    pub(crate) ended: Lines,
}

impl Writes {
    /// Takes in a change of a letter, which from then on is as it says.
    pub(crate) fn apply(&mut self, held: &mut Held, change: Change, now: WallTime) -> Life {
        let id = held.id.0;
        self.tally.moved(&held.circuit, held.life.status, change.life.status);
        held.life = change.life;
        if change.life.status.is_final()
            && let Some(line) = &held.line
        {
            self.ended.add(&held.circuit, line);
        }
        self.lives.insert(id, (change.life, now));
        for what in change.entries {
            self.remember(held.id, now, what, change.life.fence);
        }
        match change.last_error {
            LastError::Keep => {}
            LastError::Clear => drop(self.errors.insert(id, None)),
            LastError::Set(error) => self.set_error(held.id, error),
        }
        change.life
    }

    pub(crate) fn remember(&mut self, id: LetterId, at: WallTime, what: String, fence: u64) {
        self.entries.push((id.0, at, what, fence));
    }

    pub(crate) fn set_error(&mut self, id: LetterId, error: String) {
        self.errors.insert(id.0, Some(error));
    }

    pub(crate) fn record(&mut self, entry: AuditEntry) {
        self.audit.push(entry);
    }

    pub(crate) fn keep_answer(&mut self, id: LetterId, answer: &StoredAnswer) {
        self.answers.insert(id.0, answer.clone());
    }

    pub(crate) fn columns(&self, offset: Offset) -> Columns {
        let mut columns = Columns { tally: TallyColumns::of(&self.tally), ..Columns::default() };
        for (id, (life, updated_at)) in &self.lives {
            columns.life(*id, life, offset.stored(*updated_at), offset);
        }
        for (id, at, what, fence) in &self.entries {
            columns.history.0.push(*id);
            columns.history.1.push(offset.stored(*at));
            columns.history.2.push(escape(what).into_owned());
            columns.history.3.push(integer(*fence));
        }
        for (id, error) in &self.errors {
            match error {
                None => columns.cleared.push(*id),
                Some(error) => {
                    columns.errors.0.push(*id);
                    columns.errors.1.push(escape(error).into_owned());
                }
            }
        }
        for (id, answer) in &self.answers {
            columns.answers.ids.push(*id);
            columns.answers.status.push(i32::from(answer.status));
            columns.answers.headers.push(encode_headers(&answer.headers));
            columns.answers.body.push(answer.body.clone());
            columns.answers.at.push(offset.stored(answer.at));
            columns.answers.truncated.push(answer.truncated);
            let sealed_by = answer.sealed_by.as_deref();
            columns.answers.sealed_by.push(sealed_by.map(|name| escape(name).into_owned()));
        }
        columns.audit = Entries::of(&self.audit, offset);
        columns
    }
}

/// Lives, column by column, as `letters` has them.
#[derive(Default)]
pub(crate) struct Lives {
    pub(crate) ids: Vec<i64>,
    pub(crate) status: Vec<&'static str>,
    pub(crate) attempts: Vec<i64>,
    pub(crate) crashes: Vec<i64>,
    pub(crate) not_before: Vec<i64>,
    pub(crate) expires_at: Vec<Option<i64>>,
    pub(crate) fence: Vec<i64>,
    pub(crate) lease_until: Vec<Option<i64>>,
    pub(crate) updated_at: Vec<i64>,
}

impl Lives {
    pub(crate) fn push(&mut self, id: i64, life: &Life, updated_at: i64, offset: Offset) {
        self.ids.push(id);
        self.status.push(life.status.as_str());
        self.attempts.push(life.attempts.into());
        self.crashes.push(life.crashes.into());
        self.not_before.push(offset.stored(life.not_before));
        self.expires_at.push(life.expires_at.map(|at| offset.stored(at)));
        self.fence.push(integer(life.fence));
        self.lease_until.push(life.lease_until.map(|at| offset.stored(at)));
        self.updated_at.push(updated_at);
    }
}

/// What a transaction adds to the tallies, column by column.
#[derive(Default)]
pub(crate) struct TallyColumns {
    circuits: Vec<String>,
    columns: [Vec<i64>; COUNTED],
}

impl TallyColumns {
    pub(crate) fn of(tally: &Tally) -> Self {
        let (circuits, columns) = tally.columns();
        TallyColumns { circuits, columns }
    }

    pub(crate) fn send<'a>(&'a self, session: &'a Session) -> Option<Sent<'a>> {
        (!self.circuits.is_empty()).then(|| -> Sent<'a> {
            Box::pin(async move {
                let [a, b, c, d, e, f, g, h] = &self.columns;
                session.run(TALLY, &[&self.circuits, a, b, c, d, e, f, g, h]).await.map(drop)
            })
        })
    }
}

/// Answers, column by column.
#[derive(Default)]
struct Answers {
    ids: Vec<i64>,
    status: Vec<i32>,
    headers: Vec<Vec<u8>>,
    body: Vec<Vec<u8>>,
    at: Vec<i64>,
    truncated: Vec<bool>,
    sealed_by: Vec<Option<String>>,
}

/// What is to be written, column by column.
#[derive(Default)]
pub(crate) struct Columns {
    lives: Lives,
    history: (Vec<i64>, Vec<i64>, Vec<String>, Vec<i64>),
    cut: Vec<i64>,
    given_up: Vec<i64>,
    errors: (Vec<i64>, Vec<String>),
    cleared: Vec<i64>,
    answers: Answers,
    audit: Entries,
    tally: TallyColumns,
}

impl Columns {
    fn life(&mut self, id: i64, life: &Life, updated_at: i64, offset: Offset) {
        self.lives.push(id, life, updated_at, offset);
        if matches!(life.status, Status::Discarded | Status::Expired) {
            self.given_up.push(id);
        }
        if life.fence > 0 && life.fence.is_multiple_of(CUT_EVERY) {
            self.cut.push(id);
        }
    }

    /// Sends what there is to say, in the order of the answer.
    pub(crate) fn send<'a>(&'a self, session: &'a Session) -> Vec<Sent<'a>> {
        let mut sent: Vec<Sent<'a>> = Vec::new();
        if !self.lives.ids.is_empty() {
            sent.push(Box::pin(self.update(session)));
        }
        if !self.history.0.is_empty() {
            let (ids, at, what, fence) = &self.history;
            sent.push(Box::pin(async move {
                session.run(REMEMBER, &[ids, at, what, fence]).await.map(drop)
            }));
        }
        if !self.cut.is_empty() {
            sent.push(Box::pin(async move {
                let kept = integer(HISTORY_KEPT as u64) - 1;
                session.run(FORGET, &[&self.cut, &kept]).await.map(drop)
            }));
        }
        if !self.answers.ids.is_empty() {
            let Answers { ids, status, headers, body, at, truncated, sealed_by } = &self.answers;
            sent.push(Box::pin(async move {
                let columns: Parameters<'_> =
                    &[ids, status, headers, body, at, truncated, sealed_by];
                session.run(ANSWER, columns).await.map(drop)
            }));
        }
        if !self.errors.0.is_empty() {
            let (ids, what) = &self.errors;
            sent.push(Box::pin(
                async move { session.run(SET_ERROR, &[ids, what]).await.map(drop) },
            ));
        }
        for (sql, ids) in [(CLEAR_ERROR, &self.cleared), (FREE_KEY, &self.given_up)] {
            if !ids.is_empty() {
                sent.push(Box::pin(async move { session.run(sql, &[ids]).await.map(drop) }));
            }
        }
        sent.extend(self.audit.send(session));
        sent.extend(self.tally.send(session));
        sent
    }

    async fn update(&self, session: &Session) -> Result<(), tokio_postgres::Error> {
        let lives = &self.lives;
        let columns: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
            &lives.ids,
            &lives.status,
            &lives.attempts,
            &lives.crashes,
            &lives.not_before,
            &lives.expires_at,
            &lives.fence,
            &lives.lease_until,
            &lives.updated_at,
        ];
        session.run(UPDATE, &columns).await.map(drop)
    }
}
