//! Letters that come in: as many as gathered, in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::Ordering;

use fuseboard_core::letter::Status;
use futures_util::future::join;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::draft::{self, Contents, Rows};
use super::fault::Fault;
use super::lane::Group;
use super::line::{self, Lines};
use super::pool::{Errand, Visit};
use super::row::Read;
use super::session::{self, Sent};
use super::skew::Offset;
use super::tally::Tally;
use super::writes::TallyColumns;
use crate::error::{FullReason, StoreError};
use crate::letters::{Draft, Inserted, LetterId};

// A letter of this very transaction is not in `letters` yet.
pub(crate) const HOLDERS: &str = "
SELECT n.place, c.id, c.token, l.status,
    CASE WHEN c.fingerprint IS NOT NULL AND n.fingerprint IS NOT NULL THEN c.fingerprint = n.fingerprint
        ELSE c.body = n.body END AS same_body
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS n(dedup, body, fingerprint, place)
JOIN contents c ON c.dedup = n.dedup LEFT JOIN letters l ON l.id = c.id";

pub(crate) const TOKENS: &str = "SELECT token FROM contents WHERE token = ANY($1)";

const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtext('fuseboard capacity'), hashtext(current_schema()))";

const LIVE: &str = "
SELECT COALESCE(SUM(pending + replaying + requires_review), 0)::bigint AS live FROM tallies";

// Everything at once, for when nothing is in the way; it fails as a whole if a key or a token is taken. Numbers are
// given in the order of the drafts, but keys are written in their own order: whoever writes a key waits for another
// transaction that has written it, and two groups with the same keys must not wait in a circle.
const ALL_NEW: &str = "
WITH n AS MATERIALIZED (
    SELECT nextval('contents_id_seq') AS id, u.*
    FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[],
        $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[], $13::text[], $14::bytea[], $15::text[], $16::text[],
        $17::text[], $18::text[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
        $24::smallint[], $25::bigint[], $26::bytea[], $27::boolean[])
        AS u(token, dedup, method, uri, content_type, key, scope, order_key, captured_at, fence, headers, body,
        sealed_by, fingerprint, circuit, domain, failure, status, attempts, crashes, not_before, expires_at,
        lease_until, priority, sla_deadline, line, behind)
), content AS (
    INSERT INTO contents (id, token, dedup, method, uri, content_type, key, scope, order_key, captured_at, first_fence,
        headers, body, sealed_by, fingerprint) OVERRIDING SYSTEM VALUE
    SELECT id, token, dedup, method, uri, content_type, key, scope, order_key, captured_at, fence, headers, body,
        sealed_by, fingerprint FROM n ORDER BY dedup
), tally AS (
    INSERT INTO tallies (circuit, captured, purged, pending, replaying, requires_review, resolved, discarded, expired)
    SELECT * FROM unnest($28::text[], $29::bigint[], $30::bigint[], $31::bigint[], $32::bigint[], $33::bigint[],
        $34::bigint[], $35::bigint[], $36::bigint[])
)
INSERT INTO letters (id, circuit, domain, failure, status, attempts, crashes, not_before, expires_at, fence, lease_until,
    updated_at, priority, sla_deadline, line, waits)
SELECT n.id, n.circuit, n.domain, n.failure, n.status, n.attempts, n.crashes, n.not_before, n.expires_at, n.fence,
    n.lease_until, n.captured_at, n.priority, n.sla_deadline, n.line,
    CASE WHEN n.line IS NULL OR n.status NOT IN ('pending', 'replaying', 'requires_review') THEN false
        ELSE n.behind OR (
            SELECT true FROM letters l
            WHERE l.circuit = n.circuit AND l.line = n.line AND l.line IS NOT NULL
                AND l.status IN ('pending', 'replaying', 'requires_review') LIMIT 1
        ) IS NOT NULL END
FROM n
RETURNING id";

/// After something was in the way, so many groups are inserted step by step: more of the same is likely to come.
const CAUTIOUS_FOR: u32 = 16;

pub(crate) const STATEMENTS: &[&str] = &[ALL_NEW, HOLDERS, TOKENS, LOCK, LIVE];

/// Drafts that are inserted together.
pub(crate) struct Inserts {
    drafts: Vec<Draft>,
    dedups: Vec<[u8; 32]>,
    /// The digests of their order keys.
    digests: Vec<Option<[u8; 32]>>,
    /// The lines that they come into.
    lines: Lines,
}

impl Group for Inserts {
    type Item = Draft;
    type One = Inserted;

    fn of(drafts: Vec<Draft>) -> Self {
        let dedups = drafts.iter().map(draft::dedup).collect();
        let digest = |draft: &Draft| draft.order_key.as_deref().map(line::digest);
        let digests: Vec<_> = drafts.iter().map(digest).collect();
        let mut lines = Lines::default();
        for (draft, digest) in drafts.iter().zip(&digests) {
            if let Some(digest) = digest {
                lines.add(&draft.circuit, digest);
            }
        }
        Inserts { drafts, dedups, digests, lines }
    }

    fn into_items(self) -> Vec<Draft> {
        self.drafts
    }

    fn weight(draft: &Draft) -> usize {
        draft.size()
    }
}

/// What became of the drafts so far, by their places.
type Answers = BTreeMap<usize, Result<Inserted, StoreError>>;

impl Errand for Inserts {
    type Answer = Vec<Result<Inserted, StoreError>>;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<Self::Answer, Fault> {
        if let Some(answers) = self.insert_if_new(visit).await? {
            return Ok(answers);
        }
        let mut answers = Answers::new();
        let all: Vec<usize> = (0..self.drafts.len()).collect();
        self.begin(visit).await?;
        if let Some(letters) = visit.setup.capacity {
            self.find_room(visit, &all, letters, &mut answers).await?;
        }
        loop {
            let round = self.round(&answers);
            if round.is_empty() {
                break;
            }
            self.insert(visit, &round, &mut answers).await?;
        }
        self.finish(visit, &answers).await?;
        Ok(answers.into_values().collect())
    }
}

impl Inserts {
    /// Begins a transaction that has the locks of the lines.
    async fn begin(&self, visit: &Visit<'_>) -> Result<(), tokio_postgres::Error> {
        let (begun, locked) = join(visit.begin(), self.lines.lock(visit.session)).await;
        begun.and(locked)
    }

    fn line(&self, place: usize) -> Option<&[u8]> {
        self.digests[place].as_ref().map(|digest| &digest[..])
    }

    /// Inserts all drafts in one statement; `None` if something is in the way, and then nothing was done.
    async fn insert_if_new(
        &self,
        visit: &Visit<'_>,
    ) -> Result<Option<Vec<Result<Inserted, StoreError>>>, Fault> {
        let cautious = &visit.setup.cautious;
        if visit.setup.capacity.is_some() {
            return Ok(None);
        }
        if cautious.load(Ordering::Relaxed) > 0 {
            cautious.fetch_sub(1, Ordering::Relaxed);
            return Ok(None);
        }
        match self.insert_all(visit).await {
            Ok(ids) if ids.len() == self.drafts.len() => {
                let new = |(id, draft): (i64, &Draft)| Inserted::New(LetterId(id), draft.token);
                Ok(Some(ids.into_iter().zip(&self.drafts).map(new).map(Ok).collect()))
            }
            Ok(ids) => Err(Fault::Row(format!("{} of {} rows", ids.len(), self.drafts.len()))),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                visit.undone();
                cautious.store(CAUTIOUS_FOR, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn insert_all(&self, visit: &Visit<'_>) -> Result<Vec<i64>, tokio_postgres::Error> {
        let all: Vec<usize> = (0..self.drafts.len()).collect();
        let contents = self.contents(&all, visit.offset);
        let (mut letters, mut tally) = (Rows::default(), Tally::default());
        for (place, draft) in self.drafts.iter().enumerate() {
            letters.push(0, (draft, &draft.life), self.line(place), 0, visit.offset);
            tally.captured(&draft.circuit, draft.life.status);
        }
        let (counted, tallies) = tally.columns();
        let columns: [&(dyn ToSql + Sync); 14] = [
            &letters.circuit,
            &letters.domain,
            &letters.failure,
            &letters.lives.status,
            &letters.lives.attempts,
            &letters.lives.crashes,
            &letters.lives.not_before,
            &letters.lives.expires_at,
            &letters.lives.lease_until,
            &letters.priority,
            &letters.sla_deadline,
            &letters.line,
            &letters.behind,
            &counted,
        ];
        let mut with: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(36);
        with.extend(contents.all());
        with.extend(columns);
        with.extend(tallies.iter().map(|column| column as &(dyn ToSql + Sync)));
        let rows = self.under_locks(visit, visit.session.rows(ALL_NEW, &with)).await?;
        let mut ids: Vec<i64> =
            rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Runs a statement and commits it, with the locks of the lines if there are any.
    async fn under_locks(
        &self,
        visit: &Visit<'_>,
        statement: impl Future<Output = Result<Vec<Row>, tokio_postgres::Error>>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        if self.lines.is_empty() {
            return visit.alone(statement).await;
        }
        // Sent together with a `BEGIN` that fails it would be its own commit, without the locks.
        self.begin(visit).await?;
        let (rows, committed) = join(statement, visit.commit()).await;
        let rows = rows?;
        committed?;
        Ok(rows)
    }

    fn contents(&self, places: &[usize], offset: Offset) -> Contents<'_> {
        let mut columns = Contents::default();
        for place in places {
            let (draft, dedup) = (&self.drafts[*place], &self.dedups[*place][..]);
            columns.push(draft, Some(dedup), Some(draft.life.fence), offset);
        }
        columns
    }

    /// The drafts that have no answer yet and different tokens, so that each row that comes back has one draft.
    fn round(&self, answers: &Answers) -> Vec<usize> {
        let mut tokens = BTreeSet::new();
        let open = (0..self.drafts.len()).filter(|place| !answers.contains_key(place));
        open.filter(|place| tokens.insert(self.drafts[*place].token)).collect()
    }

    /// Answers those that are here already, and those for which there is no room.
    async fn find_room(
        &self,
        visit: &Visit<'_>,
        all: &[usize],
        capacity: u64,
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        let live = live(visit).await?;
        self.find_holders(visit, all, answers).await?;
        let mut room = capacity.saturating_sub(live);
        let mut coming = BTreeSet::new();
        for place in all {
            if answers.contains_key(place) || coming.contains(&self.dedups[*place]) {
                continue;
            }
            if room == 0 {
                let reason = FullReason::Capacity { letters: capacity };
                answers.insert(*place, Err(StoreError::Full { reason }));
                continue;
            }
            coming.insert(self.dedups[*place]);
            if !self.drafts[*place].life.status.is_final() {
                room -= 1;
            }
        }
        Ok(())
    }

    async fn insert(
        &self,
        visit: &Visit<'_>,
        round: &[usize],
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        let rows = self.insert_contents(visit, round).await?;
        let by_token: BTreeMap<_, _> =
            round.iter().map(|place| (self.drafts[*place].token, *place)).collect();
        for row in &rows {
            let read = Read { row, offset: visit.offset };
            let (id, token) = (read.id()?, read.token()?);
            if let Some(place) = by_token.get(&token) {
                answers.insert(*place, Ok(Inserted::New(id, token)));
            }
        }
        if rows.len() < round.len() {
            self.find_holders(visit, round, answers).await?;
            self.find_tokens(visit, round, answers).await?;
        }
        match round.iter().all(|place| answers.contains_key(place)) {
            true => Ok(()),
            // What was in the way has gone since.
            false => Err(Fault::Again),
        }
    }

    async fn insert_contents(
        &self,
        visit: &Visit<'_>,
        round: &[usize],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let columns = self.contents(round, visit.offset);
        visit.session.rows(draft::CONTENTS, &columns.all()).await
    }

    /// Answers those whose key another letter answers for.
    async fn find_holders(
        &self,
        visit: &Visit<'_>,
        round: &[usize],
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        let open: Vec<usize> =
            round.iter().copied().filter(|place| !answers.contains_key(place)).collect();
        let dedups: Vec<&[u8]> = open.iter().map(|place| &self.dedups[*place][..]).collect();
        let bodies: Vec<&[u8]> = open.iter().map(|place| &self.drafts[*place].body[..]).collect();
        let fingerprint = |place: &usize| self.drafts[*place].fingerprint.as_deref();
        let fingerprints: Vec<Option<&[u8]>> = open.iter().map(fingerprint).collect();
        for row in &visit.session.rows(HOLDERS, &[&dedups, &bodies, &fingerprints]).await? {
            let read = Read { row, offset: visit.offset };
            let place = open[read.natural("place")? as usize - 1];
            let (id, token) = (read.id()?, read.token()?);
            let draft = &self.drafts[place];
            let answer = if read.get("same_body")? {
                let status = match read.get::<Option<&str>>("status")? {
                    Some(_) => read.status()?,
                    None => self.status_of(id, answers),
                };
                Ok(Inserted::Same(id, token, status))
            } else {
                let (circuit, key) = (draft.circuit.clone(), draft.key.clone());
                Err(StoreError::KeyReused { circuit, key, existing: id })
            };
            answers.insert(place, answer);
        }
        Ok(())
    }

    /// The status of a letter that this transaction inserted.
    fn status_of(&self, id: LetterId, answers: &Answers) -> Status {
        let new = answers
            .iter()
            .find(|(_, answer)| matches!(answer, Ok(Inserted::New(new, _)) if *new == id));
        new.map_or(Status::Pending, |(place, _)| self.drafts[*place].life.status)
    }

    /// Answers those whose token is another letter's.
    async fn find_tokens(
        &self,
        visit: &Visit<'_>,
        round: &[usize],
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        let open: BTreeMap<_, usize> = round
            .iter()
            .filter(|place| !answers.contains_key(place))
            .map(|place| (self.drafts[*place].token, *place))
            .collect();
        let tokens: Vec<&[u8]> = open.keys().map(|token| &token.as_bytes()[..]).collect();
        for row in &visit.session.rows(TOKENS, &[&tokens]).await? {
            let token = Read { row, offset: visit.offset }.token()?;
            if let Some(place) = open.get(&token) {
                answers.insert(*place, Err(StoreError::TokenTaken));
            }
        }
        Ok(())
    }

    /// Writes the other half of the letters that are new, counts them, and commits.
    async fn finish(&self, visit: &Visit<'_>, answers: &Answers) -> Result<(), Fault> {
        let (mut letters, mut tally) = (Rows::default(), Tally::default());
        let new = answers.iter().filter_map(|(place, answer)| match answer {
            Ok(Inserted::New(id, _)) => Some((*id, *place)),
            _ => None,
        });
        for (id, place) in new.collect::<BTreeMap<_, _>>() {
            let draft = &self.drafts[place];
            let captured_at = visit.offset.stored(draft.captured_at);
            let line = self.line(place);
            letters.push(id.0, (draft, &draft.life), line, captured_at, visit.offset);
            tally.captured(&draft.circuit, draft.life.status);
        }
        let tally = TallyColumns::of(&tally);
        let mut sent: Vec<Sent<'_>> = Vec::new();
        if !letters.is_empty() {
            sent.push(Box::pin(async {
                visit.session.run(draft::LETTERS, &letters.all()).await.map(drop)
            }));
        }
        sent.extend(tally.send(visit.session));
        let (written, committed) = join(session::all(sent), visit.commit()).await;
        written?;
        Ok(committed?)
    }
}

/// How many letters are not final. Nobody else may take room until this transaction is committed.
pub(crate) async fn live(visit: &Visit<'_>) -> Result<u64, Fault> {
    visit.session.rows(LOCK, &[]).await?;
    match visit.session.rows(LIVE, &[]).await?.first() {
        Some(row) => Read { row, offset: visit.offset }.natural("live"),
        None => Ok(0),
    }
}
