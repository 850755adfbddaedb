//! Drafts as columns: what `contents` and `letters` have of letters that come in.

use std::borrow::Cow;

use fuseboard_core::letter::Life;

use sha2::{Digest, Sha256};
use tokio_postgres::types::ToSql;

use super::line::Lines;
use super::row::integer;
use super::skew::Offset;
use super::text::escape;
use super::writes::Lives;
use crate::letters::Draft;
use crate::sqlite::encode_headers;

// Numbered in the order of the drafts, written in the order of their keys: who writes a key waits for another
// transaction that has written it.
pub(crate) const CONTENTS: &str = "
WITH n AS MATERIALIZED (
    SELECT nextval('contents_id_seq') AS id, u.*
    FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[],
        $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[], $13::text[], $14::bytea[])
        AS u(token, dedup, method, uri, content_type, key, scope, order_key, captured_at, first_fence, headers, body,
        sealed_by, fingerprint)
)
INSERT INTO contents (id, token, dedup, method, uri, content_type, key, scope, order_key, captured_at, first_fence,
    headers, body, sealed_by, fingerprint) OVERRIDING SYSTEM VALUE
SELECT id, token, dedup, method, uri, content_type, key, scope, order_key, captured_at, first_fence, headers, body,
    sealed_by, fingerprint FROM n ORDER BY dedup
ON CONFLICT DO NOTHING
RETURNING id, token";

// Only for who took the lines' locks in a statement before: this one must see what the one who had them wrote.
pub(crate) const LETTERS: &str = "
INSERT INTO letters (id, circuit, domain, failure, status, attempts, crashes, not_before, expires_at, fence, lease_until,
    updated_at, priority, sla_deadline, line, waits)
SELECT n.id, n.circuit, n.domain, n.failure, n.status, n.attempts, n.crashes, n.not_before, n.expires_at, n.fence,
    n.lease_until, n.updated_at, n.priority, n.sla_deadline, n.line,
    CASE WHEN n.line IS NULL OR n.status NOT IN ('pending', 'replaying', 'requires_review') THEN false
        ELSE n.behind OR (
            SELECT true FROM letters l
            WHERE l.circuit = n.circuit AND l.line = n.line AND l.line IS NOT NULL
                AND l.status IN ('pending', 'replaying', 'requires_review') LIMIT 1
        ) IS NOT NULL END
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::smallint[], $14::bigint[], $15::bytea[],
    $16::boolean[])
    AS n(id, circuit, domain, failure, status, attempts, crashes, not_before, expires_at, fence, lease_until,
    updated_at, priority, sla_deadline, line, behind)";

pub(crate) const STATEMENTS: &[&str] = &[CONTENTS, LETTERS];

/// What makes two letters the same, as one value: an index entry has a limit, a URI has none.
pub(crate) fn dedup(draft: &Draft) -> [u8; 32] {
    let mut digest = Sha256::new();
    let texts = [&draft.circuit, &draft.method, &draft.uri, &draft.key];
    for part in texts.into_iter().map(String::as_bytes).chain([&draft.scope[..]]) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// What stays of drafts, column by column, as `contents` has it.
#[derive(Default)]
pub(crate) struct Contents<'a> {
    token: Vec<&'a [u8]>,
    dedup: Vec<Option<&'a [u8]>>,
    method: Vec<Cow<'a, str>>,
    uri: Vec<Cow<'a, str>>,
    content_type: Vec<Option<Cow<'a, str>>>,
    key: Vec<Cow<'a, str>>,
    scope: Vec<&'a [u8]>,
    order_key: Vec<Option<Cow<'a, str>>>,
    captured_at: Vec<i64>,
    first_fence: Vec<Option<i64>>,
    headers: Vec<Vec<u8>>,
    body: Vec<&'a [u8]>,
    sealed_by: Vec<Option<Cow<'a, str>>>,
    fingerprint: Vec<Option<&'a [u8]>>,
}

impl<'a> Contents<'a> {
    /// Adds a draft; one that was not captured here has no first fence.
    pub(crate) fn push(
        &mut self,
        draft: &'a Draft,
        dedup: Option<&'a [u8]>,
        first_fence: Option<u64>,
        offset: Offset,
    ) {
        self.token.push(&draft.token.as_bytes()[..]);
        self.dedup.push(dedup);
        self.method.push(escape(&draft.method));
        self.uri.push(escape(&draft.uri));
        self.content_type.push(draft.content_type.as_deref().map(escape));
        self.key.push(escape(&draft.key));
        self.scope.push(&draft.scope);
        self.order_key.push(draft.order_key.as_deref().map(escape));
        self.captured_at.push(offset.stored(draft.captured_at));
        self.first_fence.push(first_fence.map(integer));
        self.headers.push(encode_headers(&draft.headers));
        self.body.push(&draft.body);
        self.sealed_by.push(draft.sealed_by.as_deref().map(escape));
        self.fingerprint.push(draft.fingerprint.as_deref());
    }

    pub(crate) fn all(&self) -> [&(dyn ToSql + Sync); 14] {
        [
            &self.token,
            &self.dedup,
            &self.method,
            &self.uri,
            &self.content_type,
            &self.key,
            &self.scope,
            &self.order_key,
            &self.captured_at,
            &self.first_fence,
            &self.headers,
            &self.body,
            &self.sealed_by,
            &self.fingerprint,
        ]
    }
}

/// What changes of drafts, column by column, as `letters` has it.
#[derive(Default)]
pub(crate) struct Rows<'a> {
    pub(crate) lives: Lives,
    pub(crate) circuit: Vec<Cow<'a, str>>,
    pub(crate) domain: Vec<Cow<'a, str>>,
    pub(crate) failure: Vec<Cow<'a, str>>,
    pub(crate) priority: Vec<i16>,
    pub(crate) sla_deadline: Vec<Option<i64>>,
    pub(crate) line: Vec<Option<&'a [u8]>>,
    /// Whether one before it is of the same line.
    pub(crate) behind: Vec<bool>,
    seen: Lines,
}

impl<'a> Rows<'a> {
    /// Adds a draft, after all those that have lower numbers.
    pub(crate) fn push(
        &mut self,
        id: i64,
        (draft, life): (&'a Draft, &Life),
        line: Option<&'a [u8]>,
        updated_at: i64,
        offset: Offset,
    ) {
        self.lives.push(id, life, updated_at, offset);
        self.circuit.push(escape(&draft.circuit));
        self.domain.push(escape(&draft.domain));
        self.failure.push(escape(&draft.failure));
        self.priority.push(i16::from(draft.priority.rank()));
        self.sla_deadline.push(draft.sla_deadline.map(|at| offset.stored(at)));
        self.line.push(line);
        let live = line.filter(|_| !life.status.is_final());
        self.behind.push(live.is_some_and(|line| !self.seen.add(&draft.circuit, line)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.circuit.is_empty()
    }

    /// As [`LETTERS`] has them.
    pub(crate) fn all(&self) -> [&(dyn ToSql + Sync); 16] {
        let lives = &self.lives;
        [
            &lives.ids,
            &self.circuit,
            &self.domain,
            &self.failure,
            &lives.status,
            &lives.attempts,
            &lives.crashes,
            &lives.not_before,
            &lives.expires_at,
            &lives.fence,
            &lives.lease_until,
            &lives.updated_at,
            &self.priority,
            &self.sla_deadline,
            &self.line,
            &self.behind,
        ]
    }
}
