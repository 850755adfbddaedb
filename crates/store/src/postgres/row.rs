//! Rows as letters, and lives as columns.

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::fault::Fault;
use super::skew::Offset;
use super::text::unescape;
use crate::letters::{
    Blocker, HistoryEntry, Letter, LetterId, LetterSummary, Priority, StoredAnswer, Token,
};
use crate::sqlite::decode_headers;

/// All of a letter: `l`, `c` and what is [`beside!`] it.
macro_rules! letter_columns {
    () => {
        "l.*, c.token, c.method, c.uri, c.content_type, c.key, c.scope, c.order_key, c.captured_at, c.headers, c.body,
             c.sealed_by, c.fingerprint, e.what AS last_error, a.status AS answer_status, a.headers AS answer_headers,
             a.body AS answer_body, a.at AS answer_at, a.truncated AS answer_truncated,
             a.sealed_by AS answer_sealed_by, b.id AS blocker, b.status AS blocker_status"
    };
}

/// What belongs to a letter `l`: its answer `a`, its last error `e`, and the letter `b` that it waits for.
macro_rules! beside {
    () => {
        " LEFT JOIN answers a ON a.id = l.id LEFT JOIN errors e ON e.id = l.id
             LEFT JOIN LATERAL (
                 SELECT f.id, f.status FROM letters f
                 WHERE l.waits AND f.circuit = l.circuit AND f.line = l.line AND f.line IS NOT NULL
                     AND f.status IN ('pending', 'replaying', 'requires_review')
                 ORDER BY f.id LIMIT 1
             ) AS b ON true"
    };
}

pub(crate) use {beside, letter_columns};

macro_rules! letter_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            letter_columns!(),
            " FROM contents c JOIN letters l ON l.id = c.id",
            beside!(),
            " WHERE ",
            $condition
        )
    };
}

pub(crate) const LETTERS: &str = letter_where!("c.id = ANY($1)");
pub(crate) const LETTER_BY_TOKEN: &str = letter_where!("c.token = $1");

pub(crate) const STATEMENTS: &[&str] = &[LETTERS, LETTER_BY_TOKEN];

/// A row, and what its times are relative to.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    pub(crate) row: &'a Row,
    pub(crate) offset: Offset,
}

impl<'a> Read<'a> {
    pub(crate) fn get<T: FromSql<'a>>(self, column: &str) -> Result<T, Fault> {
        self.row.try_get(column).map_err(|error| Fault::Row(error.to_string()))
    }

    pub(crate) fn text(self, column: &str) -> Result<String, Fault> {
        Ok(unescape(self.get(column)?))
    }

    pub(crate) fn text_if_any(self, column: &str) -> Result<Option<String>, Fault> {
        Ok(self.get::<Option<String>>(column)?.map(unescape))
    }

    pub(crate) fn natural(self, column: &str) -> Result<u64, Fault> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| odd(column, number))
    }

    fn small(self, column: &str) -> Result<u32, Fault> {
        let number: i64 = self.get(column)?;
        u32::try_from(number).map_err(|_| odd(column, number))
    }

    pub(crate) fn time(self, column: &str) -> Result<WallTime, Fault> {
        Ok(self.offset.ours(self.get(column)?))
    }

    pub(crate) fn time_if_any(self, column: &str) -> Result<Option<WallTime>, Fault> {
        Ok(self.get::<Option<i64>>(column)?.map(|at| self.offset.ours(at)))
    }

    pub(crate) fn id(self) -> Result<LetterId, Fault> {
        Ok(LetterId(self.get("id")?))
    }

    pub(crate) fn token(self) -> Result<Token, Fault> {
        let bytes: &[u8] = self.get("token")?;
        let bytes = bytes.try_into().map_err(|_| odd("token", bytes.len()))?;
        Ok(Token::from_bytes(bytes))
    }

    pub(crate) fn status(self) -> Result<Status, Fault> {
        self.status_in("status")
    }

    fn status_in(self, column: &str) -> Result<Status, Fault> {
        let word: &str = self.get(column)?;
        word.parse().map_err(|_| odd(column, word))
    }

    fn priority(self) -> Result<Priority, Fault> {
        let rank: i16 = self.get("priority")?;
        let known = u8::try_from(rank).ok().and_then(Priority::from_rank);
        known.ok_or_else(|| odd("priority", rank))
    }

    /// The letter that goes first, if this one waits.
    pub(crate) fn blocked_by(self) -> Result<Option<Blocker>, Fault> {
        let Some(id) = self.get::<Option<i64>>("blocker")? else { return Ok(None) };
        Ok(Some(Blocker { id: LetterId(id), status: self.status_in("blocker_status")? }))
    }

    pub(crate) fn life(self) -> Result<Life, Fault> {
        Ok(Life {
            status: self.status()?,
            attempts: self.small("attempts")?,
            crashes: self.small("crashes")?,
            not_before: self.time("not_before")?,
            expires_at: self.time_if_any("expires_at")?,
            fence: self.natural("fence")?,
            lease_until: self.time_if_any("lease_until")?,
        })
    }

    fn headers(self, column: &str) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        decode_headers(self.get(column)?).map_err(|error| odd(column, error))
    }

    pub(crate) fn letter(self) -> Result<Letter, Fault> {
        Ok(Letter {
            id: self.id()?,
            token: self.token()?,
            circuit: self.text("circuit")?,
            domain: self.text("domain")?,
            failure: self.text("failure")?,
            method: self.text("method")?,
            uri: self.text("uri")?,
            headers: self.headers("headers")?,
            content_type: self.text_if_any("content_type")?,
            body: self.get("body")?,
            key: self.text("key")?,
            scope: self.get("scope")?,
            order_key: self.text_if_any("order_key")?,
            priority: self.priority()?,
            sla_deadline: self.time_if_any("sla_deadline")?,
            sealed_by: self.text_if_any("sealed_by")?,
            fingerprint: self.get("fingerprint")?,
            life: self.life()?,
            blocked_by: self.blocked_by()?,
            captured_at: self.time("captured_at")?,
            answer: self.answer()?,
            last_error: self.text_if_any("last_error")?,
            updated_at: self.time("updated_at")?,
        })
    }

    fn answer_status(self) -> Result<Option<u16>, Fault> {
        let status: Option<i32> = self.get("answer_status")?;
        let narrow = |status: i32| status.try_into().map_err(|_| odd("answer_status", status));
        status.map(narrow).transpose()
    }

    fn answer(self) -> Result<Option<StoredAnswer>, Fault> {
        let Some(status) = self.answer_status()? else { return Ok(None) };
        Ok(Some(StoredAnswer {
            status,
            headers: self.headers("answer_headers")?,
            body: self.get("answer_body")?,
            at: self.time("answer_at")?,
            truncated: self.get("answer_truncated")?,
            sealed_by: self.text_if_any("answer_sealed_by")?,
        }))
    }

    pub(crate) fn summary(self) -> Result<LetterSummary, Fault> {
        Ok(LetterSummary {
            id: self.id()?,
            token: self.token()?,
            circuit: self.text("circuit")?,
            domain: self.text("domain")?,
            failure: self.text("failure")?,
            method: self.text("method")?,
            uri: self.text("uri")?,
            content_type: self.text_if_any("content_type")?,
            body_length: self.natural("body_length")?,
            key: self.text("key")?,
            order_key: self.text_if_any("order_key")?,
            priority: self.priority()?,
            sla_deadline: self.time_if_any("sla_deadline")?,
            sealed_by: self.text_if_any("sealed_by")?,
            life: self.life()?,
            blocked_by: self.blocked_by()?,
            captured_at: self.time("captured_at")?,
            answer_status: self.answer_status()?,
            last_error: self.text_if_any("last_error")?,
            updated_at: self.time("updated_at")?,
        })
    }

    pub(crate) fn entry(self) -> Result<HistoryEntry, Fault> {
        Ok(HistoryEntry {
            at: self.time("at")?,
            what: self.text("what")?,
            fence: self.natural("fence")?,
        })
    }
}

fn odd(column: &str, value: impl std::fmt::Display) -> Fault {
    Fault::Row(format!("{value} in column {column}"))
}

/// A count as PostgreSQL keeps it. What does not fit is far beyond what can ever be counted.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A limit as PostgreSQL takes it.
pub(crate) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
