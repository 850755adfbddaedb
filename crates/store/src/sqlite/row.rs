//! Rows as letters, and lives as columns.

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;
use rusqlite::types::{FromSqlError, FromSqlResult, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use super::headers;
use crate::letters::{HistoryEntry, Letter, LetterId, LetterSummary, StoredAnswer, Token};

const LETTER: &str = "
SELECT l.*, c.headers, c.body, a.status AS answer_status, a.headers AS answer_headers,
       a.body AS answer_body, a.at AS answer_at, a.truncated AS answer_truncated
FROM letters l JOIN contents c ON c.id = l.id LEFT JOIN answers a ON a.id = l.id";

const SUMMARY: &str = "
SELECT l.*, length(c.body) AS body_length, a.status AS answer_status
FROM letters l JOIN contents c ON c.id = l.id LEFT JOIN answers a ON a.id = l.id
WHERE l.id = ?1";

pub(crate) fn letter(connection: &Connection, id: LetterId) -> rusqlite::Result<Option<Letter>> {
    let mut statement = connection.prepare_cached(&format!("{LETTER} WHERE l.id = ?1"))?;
    statement.query_row([id.0], read_letter).optional()
}

pub(crate) fn letter_by_token(
    connection: &Connection,
    token: Token,
) -> rusqlite::Result<Option<Letter>> {
    let mut statement = connection.prepare_cached(&format!("{LETTER} WHERE l.token = ?1"))?;
    statement.query_row([token.as_bytes()], read_letter).optional()
}

pub(crate) fn summary(
    connection: &Connection,
    id: LetterId,
) -> rusqlite::Result<Option<LetterSummary>> {
    connection.prepare_cached(SUMMARY)?.query_row([id.0], read_summary).optional()
}

fn read_letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
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
        life: read_life(row)?,
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
    }))
}

fn read_summary(row: &Row<'_>) -> rusqlite::Result<LetterSummary> {
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
        life: read_life(row)?,
        captured_at: time(row, "captured_at")?,
        answer_status: row.get("answer_status")?,
        last_error: row.get("last_error")?,
        updated_at: time(row, "updated_at")?,
    })
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
        expires_at: row.get::<_, Option<i64>>("expires_at")?.map(WallTime::from_unix_millis),
        fence: read(row, "fence", natural)?,
        lease_until: row.get::<_, Option<i64>>("lease_until")?.map(WallTime::from_unix_millis),
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

fn headers_of(value: ValueRef<'_>) -> FromSqlResult<Vec<(String, Vec<u8>)>> {
    headers::decode(value.as_blob()?).map_err(FromSqlError::other)
}

/// A count as SQLite keeps it. What does not fit is far beyond what can ever be counted.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
