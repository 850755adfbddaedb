//! Rows as letters, and lives as columns.

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;
use rusqlite::types::{FromSqlError, FromSqlResult, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{headers, line};
use crate::letters::{
    Blocker, HistoryEntry, Letter, LetterId, LetterSummary, Priority, StoredAnswer, Token,
};

const LETTER: &str = "
SELECT l.*, c.headers, c.body, c.sealed_by, c.fingerprint, a.status AS answer_status,
       a.headers AS answer_headers, a.body AS answer_body, a.at AS answer_at,
       a.truncated AS answer_truncated, a.sealed_by AS answer_sealed_by
FROM letters l JOIN contents c ON c.id = l.id LEFT JOIN answers a ON a.id = l.id";

const SUMMARY: &str = "
SELECT l.*, length(c.body) AS body_length, c.sealed_by, a.status AS answer_status
FROM letters l JOIN contents c ON c.id = l.id LEFT JOIN answers a ON a.id = l.id
WHERE l.id = ?1";

/// A letter, from a snapshot or the transaction that writes.
pub(crate) fn letter(connection: &Connection, id: LetterId) -> rusqlite::Result<Option<Letter>> {
    let mut statement = connection.prepare_cached(&format!("{LETTER} WHERE l.id = ?1"))?;
    statement.query_row([id.0], |row| read_letter(connection, row)).optional()
}

pub(crate) fn letter_by_token(
    connection: &Connection,
    token: Token,
) -> rusqlite::Result<Option<Letter>> {
    let mut statement = connection.prepare_cached(&format!("{LETTER} WHERE l.token = ?1"))?;
    statement.query_row([token.as_bytes()], |row| read_letter(connection, row)).optional()
}

pub(crate) fn summary(
    connection: &Connection,
    id: LetterId,
) -> rusqlite::Result<Option<LetterSummary>> {
    let mut statement = connection.prepare_cached(SUMMARY)?;
    statement.query_row([id.0], |row| read_summary(connection, row)).optional()
}

fn read_letter(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Letter> {
    Ok(Letter {
        id: LetterId(row.get("id")?),
        token: Token::from_bytes(row.get("token")?),
        circuit: row.get("circuit")?,
        domain: row.get("domain")?,
        failure: row.get("failure")?,
        method: row.get("method")?,
        uri: row.get("uri")?,
        headers: read(row, "headers", headers_of)?,
        content_type: row.get("content_type")?,
        body: row.get("body")?,
        key: row.get("key")?,
        scope: row.get("scope")?,
        order_key: row.get("order_key")?,
        priority: read(row, "priority", urgency)?,
        sla_deadline: time_or_none(row, "sla_deadline")?,
        sealed_by: row.get("sealed_by")?,
        fingerprint: row.get("fingerprint")?,
        life: read_life(row)?,
        blocked_by: blocker(connection, row)?,
        captured_at: time(row, "captured_at")?,
        answer: read_answer(row)?,
        last_error: row.get("last_error")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn read_answer(row: &Row<'_>) -> rusqlite::Result<Option<StoredAnswer>> {
    let Some(status) = row.get("answer_status")? else { return Ok(None) };
    Ok(Some(StoredAnswer {
        status,
        headers: read(row, "answer_headers", headers_of)?,
        body: row.get("answer_body")?,
        at: time(row, "answer_at")?,
        truncated: row.get("answer_truncated")?,
        sealed_by: row.get("answer_sealed_by")?,
    }))
}

fn read_summary(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<LetterSummary> {
    Ok(LetterSummary {
        id: LetterId(row.get("id")?),
        token: Token::from_bytes(row.get("token")?),
        circuit: row.get("circuit")?,
        domain: row.get("domain")?,
        failure: row.get("failure")?,
        method: row.get("method")?,
        uri: row.get("uri")?,
        content_type: row.get("content_type")?,
        body_length: read(row, "body_length", natural)?,
        key: row.get("key")?,
        order_key: row.get("order_key")?,
        priority: read(row, "priority", urgency)?,
        sla_deadline: time_or_none(row, "sla_deadline")?,
        sealed_by: row.get("sealed_by")?,
        life: read_life(row)?,
        blocked_by: blocker(connection, row)?,
        captured_at: time(row, "captured_at")?,
        answer_status: row.get("answer_status")?,
        last_error: row.get("last_error")?,
        updated_at: time(row, "updated_at")?,
    })
}

/// The letter that goes first, if this one waits.
fn blocker(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Option<Blocker>> {
    if !row.get("waits")? {
        return Ok(None);
    }
    let (circuit, order_key): (String, String) = (row.get("circuit")?, row.get("order_key")?);
    line::first(connection, &circuit, &order_key)
}

pub(crate) fn status(row: &Row<'_>) -> rusqlite::Result<Status> {
    read(row, "status", word)
}

pub(crate) fn read_life(row: &Row<'_>) -> rusqlite::Result<Life> {
    Ok(Life {
        status: status(row)?,
        attempts: row.get("attempts")?,
        crashes: row.get("crashes")?,
        not_before: time(row, "not_before")?,
        expires_at: time_or_none(row, "expires_at")?,
        fence: read(row, "fence", natural)?,
        lease_until: time_or_none(row, "lease_until")?,
    })
}

pub(crate) fn read_entry(row: &Row<'_>) -> rusqlite::Result<HistoryEntry> {
    Ok(HistoryEntry {
        at: time(row, "at")?,
        what: row.get("what")?,
        fence: read(row, "fence", natural)?,
    })
}

pub(crate) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<WallTime> {
    row.get(column).map(WallTime::from_unix_millis)
}

pub(crate) fn time_or_none(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<WallTime>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(WallTime::from_unix_millis))
}

/// What `parse` makes of a column, or an error that names the column.
pub(crate) fn read<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(ValueRef<'_>) -> FromSqlResult<T>,
) -> rusqlite::Result<T> {
    let value = row.get_ref(column)?;
    let kind: Type = value.data_type();
    parse(value).map_err(|error| {
        let index = row.as_ref().column_index(column).unwrap_or_default();
        rusqlite::Error::FromSqlConversionFailure(index, kind, Box::new(error))
    })
}

pub(crate) fn word<T: std::str::FromStr>(value: ValueRef<'_>) -> FromSqlResult<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    value.as_str()?.parse().map_err(FromSqlError::other)
}

pub(crate) fn natural(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

fn urgency(value: ValueRef<'_>) -> FromSqlResult<Priority> {
    let rank = value.as_i64()?;
    let known = u8::try_from(rank).ok().and_then(Priority::from_rank);
    known.ok_or(FromSqlError::OutOfRange(rank))
}

fn headers_of(value: ValueRef<'_>) -> FromSqlResult<Vec<(String, Vec<u8>)>> {
    headers::decode(value.as_blob()?).map_err(FromSqlError::other)
}

/// A count as SQLite keeps it. What does not fit is far beyond what can ever be counted.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
