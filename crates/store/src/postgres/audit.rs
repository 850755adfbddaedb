//! The audit log in PostgreSQL.

use fuseboard_core::time::WallTime;

use super::Postgres;
use super::fault::Fault;
use super::pool::{Errand, Visit};
use super::row::{Read, count};
use super::session::{Sent, Session};
use super::skew::Offset;
use super::text::escape;
use crate::audit::{Audit, AuditEntry, AuditId, AuditQuery, AuditRecord};
use crate::letters::Answering;

const APPEND: &str = "
INSERT INTO audit (at, actor, action, subject, reason, before, after)
SELECT n.at, n.actor, n.action, n.subject, n.reason, n.before, n.after
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    WITH ORDINALITY AS n(at, actor, action, subject, reason, before, after, place)
ORDER BY n.place RETURNING id";

/// A page of records, found by the index that begins with the column of `$first`.
macro_rules! page {
    ($first:literal) => {
        concat!(
            "SELECT * FROM audit WHERE ",
            $first,
            " AND at >= $4 AND at < $5
                 AND ($6::bigint IS NULL OR (at, id) < ((SELECT at FROM audit WHERE id = $6), $6))
                 AND ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
                 AND ($3::text IS NULL OR subject = $3)
             ORDER BY at DESC, id DESC LIMIT $7"
        )
    };
}

const OF_SUBJECT: &str = page!("subject = $3");
const OF_ACTOR: &str = page!("actor = $1");
const OF_ACTION: &str = page!("action = $2");
const OF_ANY: &str = page!("true");

const PURGE: &str = "
DELETE FROM audit WHERE id = ANY(ARRAY(
    SELECT id FROM audit WHERE at < $1 ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED))";

pub(crate) const STATEMENTS: &[&str] = &[APPEND, OF_SUBJECT, OF_ACTOR, OF_ACTION, OF_ANY, PURGE];

/// Entries, column by column.
#[derive(Default)]
pub(crate) struct Entries {
    at: Vec<i64>,
    texts: [Vec<String>; 4],
    before: Vec<Option<String>>,
    after: Vec<Option<String>>,
}

impl Entries {
    pub(crate) fn of(entries: &[AuditEntry], offset: Offset) -> Self {
        let mut columns = Entries::default();
        let escaped = |text: &String| escape(text).into_owned();
        for AuditEntry { actor, action, subject, reason, before, after, at } in entries {
            columns.at.push(offset.stored(*at));
            for (column, text) in columns.texts.iter_mut().zip([actor, action, subject, reason]) {
                column.push(escaped(text));
            }
            columns.before.push(before.as_ref().map(escaped));
            columns.after.push(after.as_ref().map(escaped));
        }
        columns
    }

    async fn append(
        &self,
        session: &Session,
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        let Entries { at, texts: [actor, action, subject, reason], before, after } = self;
        session.rows(APPEND, &[at, actor, action, subject, reason, before, after]).await
    }

    pub(crate) fn send<'a>(&'a self, session: &'a Session) -> Option<Sent<'a>> {
        (!self.at.is_empty())
            .then(|| -> Sent<'a> { Box::pin(async move { self.append(session).await.map(drop) }) })
    }
}

struct Record(AuditEntry);

impl Errand for Record {
    type Answer = AuditId;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<AuditId, Fault> {
        let entries = Entries::of(std::slice::from_ref(&self.0), visit.offset);
        let rows = visit.alone(entries.append(visit.session)).await?;
        let row = rows.first().ok_or_else(|| Fault::Row("no number".to_owned()))?;
        Ok(AuditId(Read { row, offset: visit.offset }.get("id")?))
    }
}

struct Records(AuditQuery);

impl Errand for Records {
    type Answer = Vec<AuditRecord>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<AuditRecord>, Fault> {
        let query = &self.0;
        let page = match query {
            AuditQuery { subject: Some(_), .. } => OF_SUBJECT,
            AuditQuery { actor: Some(_), .. } => OF_ACTOR,
            AuditQuery { action: Some(_), .. } => OF_ACTION,
            _ => OF_ANY,
        };
        let texts = [&query.actor, &query.action, &query.subject];
        let [actor, action, subject] = texts.map(|text| text.as_deref().map(escape));
        let since = query.since.map_or(i64::MIN, |at| visit.offset.stored(at));
        let until = query.until.map_or(i64::MAX, |at| visit.offset.stored(at));
        let (after, limit) = (query.after.map(|id| id.0), count(query.limit));
        let with: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&actor, &action, &subject, &since, &until, &after, &limit];
        let rows = visit.session.rows(page, &with).await?;
        rows.iter().map(|row| record(Read { row, offset: visit.offset })).collect()
    }
}

fn record(read: Read<'_>) -> Result<AuditRecord, Fault> {
    let entry = AuditEntry {
        actor: read.text("actor")?,
        action: read.text("action")?,
        subject: read.text("subject")?,
        reason: read.text("reason")?,
        before: read.text_if_any("before")?,
        after: read.text_if_any("after")?,
        at: read.time("at")?,
    };
    Ok(AuditRecord { id: AuditId(read.get("id")?), entry })
}

struct Purge {
    before: WallTime,
    limit: usize,
}

impl Errand for Purge {
    type Answer = u64;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<u64, Fault> {
        let (before, limit) = (visit.offset.stored(self.before), count(self.limit));
        Ok(visit.alone(visit.session.run(PURGE, &[&before, &limit])).await?)
    }
}

impl Audit for Postgres {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.errand(Record(entry))
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.errand(Records(query))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.errand(Purge { before, limit })
    }
}
