//! What is read without being changed, each by seeking in an index.

use std::borrow::Cow;
use std::collections::BTreeMap;

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::floor::Reach;
use super::line;
use super::pool::{Errand, Visit};
use super::row::{LETTER_BY_TOKEN, LETTERS, Read, beside, count, letter_columns};
use super::text::escape;
use crate::letters::{
    Blocker, CircuitCounts, Counts, HISTORY_KEPT, HistoryEntry, Letter, LetterId, LetterSummary,
    Query, Token,
};

// The capture is not written to the history: it is told from the letter itself, unless it was imported.
const HISTORY: &str = "
SELECT seq, at, what, fence FROM (
    SELECT 0::bigint AS seq, captured_at AS at, 'captured' AS what, first_fence AS fence FROM contents
    WHERE id = $1 AND first_fence IS NOT NULL
    UNION ALL
    (SELECT seq, at, what, fence FROM history WHERE letter = $1 ORDER BY seq DESC LIMIT $2)
) AS entries ORDER BY seq DESC LIMIT $2";

const COUNTS: &str = "
SELECT t.*, (
    SELECT c.captured_at FROM letters l JOIN contents c ON c.id = l.id
    WHERE l.circuit = t.circuit AND l.status = 'pending' ORDER BY l.id LIMIT 1
) AS oldest_pending
FROM (
    SELECT circuit, SUM(captured)::bigint AS captured, SUM(purged)::bigint AS purged, SUM(pending)::bigint AS pending,
        SUM(replaying)::bigint AS replaying, SUM(requires_review)::bigint AS requires_review,
        SUM(resolved)::bigint AS resolved, SUM(discarded)::bigint AS discarded, SUM(expired)::bigint AS expired
    FROM tallies GROUP BY circuit
) AS t";

pub(crate) const CIRCUITS: &str = "
SELECT circuit FROM tallies GROUP BY circuit HAVING SUM(pending + replaying) > 0 ORDER BY circuit";

const NEXT_DUE: &str = "
SELECT LEAST(
    (SELECT not_before FROM letters WHERE circuit = $1 AND status = 'pending' AND NOT waits AND (not_before, id) >= ($2, $3)
     ORDER BY not_before, id LIMIT 1),
    (SELECT lease_until FROM letters WHERE circuit = $1 AND status = 'replaying' AND (lease_until, id) >= ($4, $5)
     ORDER BY lease_until, id LIMIT 1)) AS at";

const FIRST_IN_LINE: &str = "
SELECT id AS blocker, status AS blocker_status FROM letters
WHERE circuit = $1 AND line = $2 AND line IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review')
ORDER BY id LIMIT 1";

macro_rules! summary_columns {
    () => {
        "l.*, c.token, c.method, c.uri, c.content_type, c.key, c.order_key, c.captured_at, c.sealed_by,
             octet_length(c.body)::bigint AS body_length, e.what AS last_error, a.status AS answer_status,
             b.id AS blocker, b.status AS blocker_status"
    };
}

/// The letters with the numbers that `$ids` finds, with the columns of `$columns`.
macro_rules! page_of {
    ($columns:ident, $ids:ident) => {
        concat!(
            "SELECT ",
            $columns!(),
            " FROM (",
            $ids!(),
            ") AS page JOIN letters l ON l.id = page.id JOIN contents c ON c.id = page.id",
            beside!(),
            " ORDER BY page.id"
        )
    };
}

macro_rules! of_any {
    () => {
        "SELECT id FROM letters
         WHERE id > $1 AND ($3::text IS NULL OR domain = $3) AND ($4::text IS NULL OR failure = $4)
             AND ($5::smallint IS NULL OR priority = $5) AND ($6::bytea IS NULL OR line = $6)
         ORDER BY id LIMIT $2"
    };
}

// The lowest numbers of each circuit and status that is wanted, each of which is in order in its index.
macro_rules! of_shelves {
    () => {
        "SELECT found.id FROM (
             SELECT t.circuit, s.status FROM tallies t CROSS JOIN LATERAL (VALUES ('pending', t.pending),
                 ('replaying', t.replaying), ('requires_review', t.requires_review), ('resolved', t.resolved),
                 ('discarded', t.discarded), ('expired', t.expired)) AS s (status, n)
             WHERE ($7::text IS NULL OR t.circuit = $7) AND ($8::text IS NULL OR s.status = $8)
             GROUP BY t.circuit, s.status HAVING SUM(s.n) > 0
         ) AS shelf CROSS JOIN LATERAL (
             SELECT l.id FROM letters l
             WHERE l.circuit = shelf.circuit AND l.status = shelf.status AND l.id > $1
                 AND ($3::text IS NULL OR l.domain = $3) AND ($4::text IS NULL OR l.failure = $4)
                 AND ($5::smallint IS NULL OR l.priority = $5) AND ($6::bytea IS NULL OR l.line = $6)
             ORDER BY l.id LIMIT $2
         ) AS found ORDER BY found.id LIMIT $2"
    };
}

const LIST: &str = page_of!(summary_columns, of_any);
const LIST_OF: &str = page_of!(summary_columns, of_shelves);
const EXPORT: &str = page_of!(letter_columns, of_any);
const EXPORT_OF: &str = page_of!(letter_columns, of_shelves);

pub(crate) const STATEMENTS: &[&str] =
    &[HISTORY, COUNTS, CIRCUITS, NEXT_DUE, FIRST_IN_LINE, LIST, LIST_OF, EXPORT, EXPORT_OF];

pub(crate) struct ById(pub(crate) LetterId);

impl Errand for ById {
    type Answer = Option<Letter>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Option<Letter>, Fault> {
        let rows = visit.session.rows(LETTERS, &[&vec![self.0.0]]).await?;
        rows.first().map(|row| Read { row, offset: visit.offset }.letter()).transpose()
    }
}

pub(crate) struct ByToken(pub(crate) Token);

impl Errand for ByToken {
    type Answer = Option<Letter>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Option<Letter>, Fault> {
        let rows = visit.session.rows(LETTER_BY_TOKEN, &[&&self.0.as_bytes()[..]]).await?;
        rows.first().map(|row| Read { row, offset: visit.offset }.letter()).transpose()
    }
}

pub(crate) struct History(pub(crate) LetterId);

impl Errand for History {
    type Answer = Vec<HistoryEntry>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<HistoryEntry>, Fault> {
        let rows = visit.session.rows(HISTORY, &[&self.0.0, &count(HISTORY_KEPT)]).await?;
        rows.iter().rev().map(|row| Read { row, offset: visit.offset }.entry()).collect()
    }
}

pub(crate) struct List(pub(crate) Query);

impl Errand for List {
    type Answer = Vec<LetterSummary>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<LetterSummary>, Fault> {
        let rows = page(visit, &self.0, LIST, LIST_OF).await?;
        rows.iter().map(|row| Read { row, offset: visit.offset }.summary()).collect()
    }
}

pub(crate) struct Export(pub(crate) Query);

impl Errand for Export {
    type Answer = Vec<Letter>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<Letter>, Fault> {
        let rows = page(visit, &self.0, EXPORT, EXPORT_OF).await?;
        rows.iter().map(|row| Read { row, offset: visit.offset }.letter()).collect()
    }
}

/// The rows that `query` wants, by a statement for all letters or one for those of some circuits and statuses.
async fn page(
    visit: &Visit<'_>,
    query: &Query,
    of_any: &str,
    of_shelves: &str,
) -> Result<Vec<Row>, Fault> {
    let after = query.after.map_or(i64::MIN, |id| id.0);
    let limit = count(query.limit);
    let (domain, failure) = (escaped(&query.domain), escaped(&query.failure));
    let priority = query.priority.map(|priority| i16::from(priority.rank()));
    let line = query.order_key.as_deref().map(line::digest);
    let line = line.as_ref().map(|digest| &digest[..]);
    let conditions: [&(dyn ToSql + Sync); 6] =
        [&after, &limit, &domain, &failure, &priority, &line];
    if query.circuit.is_none() && query.status.is_none() {
        return Ok(visit.session.rows(of_any, &conditions).await?);
    }
    let (circuit, status) = (escaped(&query.circuit), query.status.map(Status::as_str));
    let shelves: [&(dyn ToSql + Sync); 2] = [&circuit, &status];
    Ok(visit.session.rows(of_shelves, &[&conditions[..], &shelves[..]].concat()).await?)
}

fn escaped(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(escape)
}

pub(crate) struct FirstInLine {
    pub(crate) circuit: String,
    pub(crate) order_key: String,
}

impl Errand for FirstInLine {
    type Answer = Option<Blocker>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Option<Blocker>, Fault> {
        let (circuit, line) = (escape(&self.circuit), line::digest(&self.order_key));
        let rows = visit.session.rows(FIRST_IN_LINE, &[&circuit, &&line[..]]).await?;
        match rows.first() {
            Some(row) => Read { row, offset: visit.offset }.blocked_by(),
            None => Ok(None),
        }
    }
}

pub(crate) struct Counting;

impl Errand for Counting {
    type Answer = Counts;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Counts, Fault> {
        let mut counts = Counts::default();
        for row in &visit.session.rows(COUNTS, &[]).await? {
            let read = Read { row, offset: visit.offset };
            let mut by_status = BTreeMap::new();
            for status in Status::ALL {
                by_status.insert(status, read.natural(status.as_str())?);
            }
            let circuit = CircuitCounts {
                by_status,
                captured: read.natural("captured")?,
                purged: read.natural("purged")?,
                oldest_pending: read.time_if_any("oldest_pending")?,
            };
            counts.captured += circuit.captured;
            counts.purged += circuit.purged;
            counts.circuits.insert(read.text("circuit")?, circuit);
        }
        Ok(counts)
    }
}

pub(crate) struct Circuits;

impl Errand for Circuits {
    type Answer = Vec<String>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<String>, Fault> {
        let rows = visit.session.rows(CIRCUITS, &[]).await?;
        rows.iter().map(|row| Read { row, offset: visit.offset }.text("circuit")).collect()
    }
}

pub(crate) struct NextDue {
    pub(crate) circuit: String,
    pub(crate) reach: Reach,
}

impl Errand for NextDue {
    type Answer = Option<WallTime>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Option<WallTime>, Fault> {
        let Reach { due, lapsed } = self.reach;
        let circuit = escape(&self.circuit);
        let with: [&(dyn ToSql + Sync); 5] = [&circuit, &due.0, &due.1, &lapsed.0, &lapsed.1];
        let rows = visit.session.rows(NEXT_DUE, &with).await?;
        match rows.first() {
            Some(row) => Read { row, offset: visit.offset }.time_if_any("at"),
            None => Ok(None),
        }
    }
}
