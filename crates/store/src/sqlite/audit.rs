//! The audit log in SQLite.

use fuseboard_core::time::WallTime;
use rusqlite::{Connection, Row, params};

use super::Sqlite;
use super::fault::Fault;
use super::query::count;
use super::row::time;
use super::work::Work;
use crate::audit::{Audit, AuditEntry, AuditId, AuditQuery, AuditRecord};
use crate::letters::Answering;

const APPEND: &str = "
INSERT INTO audit (at, actor, action, subject, reason, before, after)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// A page of records, found in `index`, the first column of which `column` is asked to equal `?1`.
macro_rules! page {
    ($index:literal, $column:literal) => {
        concat!(
            "SELECT * FROM audit INDEXED BY ",
            $index,
            " WHERE ",
            $column,
            " AND at >= ?4 AND at < ?5",
            " AND (?6 IS NULL OR (at, id) < ((SELECT at FROM audit WHERE id = ?6), ?6))",
            " AND (?1 IS NULL OR actor = ?1) AND (?2 IS NULL OR action = ?2)",
            " AND (?3 IS NULL OR subject = ?3)",
            " ORDER BY at DESC, id DESC LIMIT ?7"
        )
    };
}

pub(crate) const OF_SUBJECT: &str = page!("audit_by_subject", "subject = ?3");
pub(crate) const OF_ACTOR: &str = page!("audit_by_actor", "actor = ?1");
pub(crate) const OF_ACTION: &str = page!("audit_by_action", "action = ?2");
pub(crate) const OF_ANY: &str = page!("audit_by_time", "at >= ?4");

pub(crate) const PURGE: &str = "
DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY at, id LIMIT ?2)";

fn records(connection: &Connection, query: &AuditQuery) -> Result<Vec<AuditRecord>, Fault> {
    let page = match query {
        AuditQuery { subject: Some(_), .. } => OF_SUBJECT,
        AuditQuery { actor: Some(_), .. } => OF_ACTOR,
        AuditQuery { action: Some(_), .. } => OF_ACTION,
        _ => OF_ANY,
    };
    let mut statement = connection.prepare_cached(page)?;
    let wanted = params![
        query.actor,
        query.action,
        query.subject,
        query.since.map_or(i64::MIN, WallTime::as_unix_millis),
        query.until.map_or(i64::MAX, WallTime::as_unix_millis),
        query.after.map(|id| id.0),
        count(query.limit),
    ];
    let records = statement.query_map(wanted, read_record)?;
    Ok(records.collect::<rusqlite::Result<_>>()?)
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    let entry = AuditEntry {
        actor: row.get("actor")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        reason: row.get("reason")?,
        before: row.get("before")?,
        after: row.get("after")?,
        at: time(row, "at")?,
    };
    Ok(AuditRecord { id: AuditId(row.get("id")?), entry })
}

impl Work<'_> {
    pub(crate) fn record(&self, entry: &AuditEntry) -> Result<AuditId, Fault> {
        let AuditEntry { actor, action, subject, reason, before, after, at } = entry;
        let id = self.connection.prepare_cached(APPEND)?.insert(params![
            at.as_unix_millis(),
            actor,
            action,
            subject,
            reason,
            before,
            after
        ])?;
        Ok(AuditId(id))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Result<u64, Fault> {
        let mut statement = self.connection.prepare_cached(PURGE)?;
        Ok(statement.execute(params![before.as_unix_millis(), count(limit)])? as u64)
    }
}

impl Audit for Sqlite {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.write(move |work| work.record(&entry))
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.read(move |connection| records(connection, &query))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.write(move |work| work.purge_records(before, limit))
    }
}
