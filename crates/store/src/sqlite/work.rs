//! The jobs that write: each selects, asks `step`, and swaps.

use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::connect::{Setup, has_room};
use super::fault::Fault;
use super::ledger::Ledger;
use super::row::{self, integer};
use super::{headers, kinds, leases, line, query};
use crate::audit::By;
use crate::change::{self, Change, LastError};
use crate::error::{FullReason, StoreError};
use crate::letters::{
    ClaimFilter, Draft, HISTORY_KEPT, Inserted, Letter, LetterId, Settlement, StoredAnswer, Token,
};

/// Letters that one claim looks at beyond those that it may return, so that a heap of expired ones cannot hold up
/// everybody else's writes.
const LOOKED_AT_BEYOND: usize = 256;

const INSERT: &str = "
INSERT INTO letters (token, circuit, domain, failure, method, uri, content_type, key, scope, order_key, status,
    attempts, crashes, not_before, expires_at, fence, lease_until, captured_at, updated_at, priority, sla_deadline, waits)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

const ADD_CONTENT: &str = "
INSERT INTO contents (id, headers, body, sealed_by, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5)";

const UPDATE: &str = "
UPDATE letters SET status = ?2, attempts = ?3, crashes = ?4, not_before = ?5, expires_at = ?6, fence = ?7,
    lease_until = ?8, updated_at = ?9, waits = waits AND ?2 IN ('pending', 'replaying', 'requires_review')
WHERE id = ?1";

// A new letter has no history, so that there is nothing to look for and nothing to forget.
const BEGIN_HISTORY: &str = "
INSERT INTO history (letter, seq, at, what, fence) VALUES (?1, 1, ?2, ?3, ?4)";

const REMEMBER: &str = "
INSERT INTO history (letter, seq, at, what, fence)
SELECT ?1, COALESCE(MAX(seq), 0) + 1, ?2, ?3, ?4 FROM history WHERE letter = ?1";

const FORGET: &str = "
DELETE FROM history
WHERE letter = ?1 AND seq <= (SELECT MAX(seq) FROM history WHERE letter = ?1) - ?2";

const ANSWER: &str = "
INSERT OR REPLACE INTO answers (id, status, headers, body, at, truncated, sealed_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// One transaction, as a job sees it.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) setup: &'a Setup,
    /// Whether the disk has no room for new letters.
    pub(crate) short: bool,
}

/// A letter as far as a change of its life needs it.
struct Held {
    id: LetterId,
    circuit: String,
    /// Its order key, if it is the one that goes first: others may wait for it.
    leads: Option<String>,
    life: Life,
}

impl Work<'_> {
    pub(crate) fn insert(&mut self, draft: &Draft) -> Result<Inserted, Fault> {
        if let Some((same, same_body)) = self.holder_of_key(draft)? {
            if same_body {
                return Ok(same);
            }
            let (circuit, key) = (draft.circuit.clone(), draft.key.clone());
            return Err(StoreError::KeyReused { circuit, key, existing: same.id() }.into());
        }
        let id = self.add(draft, &draft.life, draft.captured_at)?;
        self.connection.prepare_cached(BEGIN_HISTORY)?.execute(params![
            id.0,
            draft.captured_at.as_unix_millis(),
            "captured",
            integer(draft.life.fence)
        ])?;
        Ok(Inserted::New(id, draft.token))
    }

    /// Adds a letter with this life, if there is room.
    pub(crate) fn add(
        &mut self,
        draft: &Draft,
        life: &Life,
        updated_at: WallTime,
    ) -> Result<LetterId, Fault> {
        self.find_room(life)?;
        let id = self.add_letter(draft, life, updated_at)?;
        self.add_content(id, draft)?;
        self.ledger.captured(&draft.circuit, life.status);
        Ok(id)
    }

    /// The letter that answers for the draft's key, and whether its body is the draft's.
    pub(crate) fn holder_of_key(&self, draft: &Draft) -> Result<Option<(Inserted, bool)>, Fault> {
        let Draft { circuit, method, uri, key, scope, body, fingerprint, .. } = draft;
        let mut statement = self.connection.prepare_cached(query::HOLDER_OF_KEY)?;
        let wanted = params![circuit, method, uri, key, scope, body, fingerprint];
        let found = statement.query_row(wanted, |row| {
            let token = Token::from_bytes(row.get("token")?);
            let same = Inserted::Same(LetterId(row.get("id")?), token, row::status(row)?);
            Ok((same, row.get("same_body")?))
        });
        Ok(found.optional()?)
    }

    fn find_room(&self, life: &Life) -> Result<(), Fault> {
        if self.short {
            return Err(StoreError::Full { reason: FullReason::Disk }.into());
        }
        if let Some(letters) = self.setup.capacity
            && !life.status.is_final()
            && self.ledger.live() >= letters
        {
            return Err(StoreError::Full { reason: FullReason::Capacity { letters } }.into());
        }
        if let Some(max_bytes) = self.setup.max_bytes
            && !has_room(self.connection, max_bytes)?
        {
            return Err(StoreError::Full { reason: FullReason::Size { max_bytes } }.into());
        }
        Ok(())
    }

    /// Whether what is written about letters is to be short: when there is no room for new ones.
    fn is_short(&self) -> Result<bool, Fault> {
        match self.setup.max_bytes {
            Some(max_bytes) if !self.short => Ok(!has_room(self.connection, max_bytes)?),
            _ => Ok(self.short),
        }
    }

    fn add_letter(
        &self,
        draft: &Draft,
        life: &Life,
        updated_at: WallTime,
    ) -> Result<LetterId, Fault> {
        let order_key = draft.order_key.as_deref().filter(|_| !life.status.is_final());
        let waits = line::is_taken(self.connection, &draft.circuit, order_key)?;
        let inserted = self.connection.prepare_cached(INSERT)?.insert(params![
            draft.token.as_bytes(),
            draft.circuit,
            draft.domain,
            draft.failure,
            draft.method,
            draft.uri,
            draft.content_type,
            draft.key,
            draft.scope,
            draft.order_key,
            life.status.as_str(),
            life.attempts,
            life.crashes,
            life.not_before.as_unix_millis(),
            life.expires_at.map(WallTime::as_unix_millis),
            integer(life.fence),
            life.lease_until.map(WallTime::as_unix_millis),
            draft.captured_at.as_unix_millis(),
            updated_at.as_unix_millis(),
            draft.priority.rank(),
            draft.sla_deadline.map(WallTime::as_unix_millis),
            waits,
        ]);
        match inserted.map_err(Fault::from) {
            Ok(id) => Ok(LetterId(id)),
            // The key has been looked up, so that the token is the only unique column left.
            Err(fault) if fault.is_unique_violation() => Err(StoreError::TokenTaken.into()),
            Err(fault) => Err(fault),
        }
    }

    fn add_content(&self, id: LetterId, draft: &Draft) -> Result<(), Fault> {
        self.connection.prepare_cached(ADD_CONTENT)?.execute(params![
            id.0,
            headers::encode(&draft.headers),
            draft.body,
            draft.sealed_by,
            draft.fingerprint
        ])?;
        Ok(())
    }

    pub(crate) fn claim(
        &mut self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Result<Vec<Letter>, Fault> {
        let looked_at = limit.saturating_add(LOOKED_AT_BEYOND);
        let due = query::due(self.connection, circuit, now, looked_at)?;
        self.claim_these(&due, limit, lease, now)
    }

    pub(crate) fn claim_by(
        &mut self,
        filter: &ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Result<Vec<Letter>, Fault> {
        let looked_at = filter.limit.saturating_add(LOOKED_AT_BEYOND);
        let due = kinds::due(self.connection, filter, now, looked_at)?;
        self.claim_these(&due, filter.limit, lease, now)
    }

    fn claim_these(
        &mut self,
        due: &[LetterId],
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Result<Vec<Letter>, Fault> {
        let mut claimed = Vec::new();
        for id in due {
            if claimed.len() == limit {
                break;
            }
            let held = self.held(*id)?;
            let Ok(change) = change::claim(&held.life, lease, now, &self.setup.rules) else {
                continue;
            };
            self.apply(&held, &change, now)?;
            self.remember_replay(*id, &change, now)?;
            if change.life.lease_until.is_some() {
                claimed.extend(row::letter(self.connection, *id)?);
            }
        }
        Ok(claimed)
    }

    pub(crate) fn settle(
        &mut self,
        id: LetterId,
        settlement: &Settlement,
        now: WallTime,
    ) -> Result<Life, Fault> {
        let held = self.held(id)?;
        let change = change::settle(&held.life, settlement, now, &self.setup.rules)?;
        self.apply(&held, &change, now)?;
        self.remember_replay(id, &change, now)?;
        if let Some(answer) = &settlement.answer {
            self.keep_answer(id, answer)?;
        }
        Ok(change.life)
    }

    pub(crate) fn act(
        &mut self,
        id: LetterId,
        event: Event,
        by: &By,
        now: WallTime,
    ) -> Result<Life, Fault> {
        let held = self.held(id)?;
        let change = change::act(&held.life, event, by, now, &self.setup.rules)?;
        self.apply(&held, &change, now)?;
        self.remember_all(id, &change, now)?;
        let lives = (&held.life, &change.life);
        if let Some(entry) = change::audit_of_act(id, event, lives, by, now) {
            self.record(&entry)?;
        }
        Ok(change.life)
    }

    /// Frees every letter that the owner before held.
    pub(crate) fn owner_started(&mut self, now: WallTime) -> Result<(), Fault> {
        for id in query::replaying(self.connection)? {
            let held = self.held(id)?;
            let change = change::owner_started(&held.life, now, &self.setup.rules)?;
            self.apply(&held, &change, now)?;
            self.remember_replay(id, &change, now)?;
        }
        leases::free_all(self.connection)?;
        Ok(())
    }

    pub(crate) fn purge(&mut self, finished_before: WallTime, limit: usize) -> Result<u64, Fault> {
        let finished = query::finished(self.connection, finished_before, limit)?;
        for id in &finished {
            let held = self.held(*id)?;
            self.connection.prepare_cached("DELETE FROM letters WHERE id = ?1")?.execute([id.0])?;
            self.ledger.purged(&held.circuit, held.life.status);
        }
        Ok(finished.len() as u64)
    }

    fn held(&self, id: LetterId) -> Result<Held, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT circuit, CASE WHEN waits = 0 THEN order_key END AS leads, status, attempts, crashes,
                not_before, expires_at, fence, lease_until
             FROM letters WHERE id = ?1",
        )?;
        let found = statement
            .query_row([id.0], |row| {
                let (circuit, leads) = (row.get("circuit")?, row.get("leads")?);
                Ok(Held { id, circuit, leads, life: row::read_life(row)? })
            })
            .optional()?;
        found.ok_or(Fault::Store(StoreError::NotFound))
    }

    fn apply(&mut self, held: &Held, change: &Change, now: WallTime) -> Result<(), Fault> {
        let life = &change.life;
        self.connection.prepare_cached(UPDATE)?.execute(params![
            held.id.0,
            life.status.as_str(),
            life.attempts,
            life.crashes,
            life.not_before.as_unix_millis(),
            life.expires_at.map(WallTime::as_unix_millis),
            integer(life.fence),
            life.lease_until.map(WallTime::as_unix_millis),
            now.as_unix_millis(),
        ])?;
        match &change.last_error {
            LastError::Keep => {}
            LastError::Clear => self.set_last_error(held.id, None)?,
            LastError::Set(error) => self.set_last_error(held.id, Some(error))?,
        }
        if let Some(order_key) = &held.leads
            && life.status.is_final()
        {
            line::free(self.connection, &held.circuit, order_key)?;
        }
        self.ledger.moved(&held.circuit, held.life.status, life.status);
        Ok(())
    }

    pub(crate) fn set_last_error(&self, id: LetterId, error: Option<&str>) -> Result<(), Fault> {
        self.connection
            .prepare_cached("UPDATE letters SET last_error = ?2 WHERE id = ?1")?
            .execute(params![id.0, error])?;
        Ok(())
    }

    /// Remembers what a replay did, unless there is little room: that the letter moves on matters more.
    fn remember_replay(&self, id: LetterId, change: &Change, now: WallTime) -> Result<(), Fault> {
        if self.is_short()? { Ok(()) } else { self.remember_all(id, change, now) }
    }

    pub(crate) fn remember_all(
        &self,
        id: LetterId,
        change: &Change,
        now: WallTime,
    ) -> Result<(), Fault> {
        change.entries.iter().try_for_each(|entry| self.remember(id, now, entry, change.life.fence))
    }

    pub(crate) fn remember(
        &self,
        id: LetterId,
        at: WallTime,
        what: &str,
        fence: u64,
    ) -> Result<(), Fault> {
        self.connection.prepare_cached(REMEMBER)?.execute(params![
            id.0,
            at.as_unix_millis(),
            what,
            integer(fence)
        ])?;
        self.connection
            .prepare_cached(FORGET)?
            .execute(params![id.0, integer(HISTORY_KEPT as u64)])?;
        Ok(())
    }

    /// Keeps an answer, but where there is little room nothing of its headers and body.
    pub(crate) fn keep_answer(&self, id: LetterId, answer: &StoredAnswer) -> Result<(), Fault> {
        let (headers, body, sealed_by) = match self.is_short()? {
            true => (&[][..], &[][..], None),
            false => (&answer.headers[..], &answer.body[..], answer.sealed_by.as_deref()),
        };
        self.connection.prepare_cached(ANSWER)?.execute(params![
            id.0,
            answer.status,
            headers::encode(headers),
            body,
            answer.at.as_unix_millis(),
            answer.truncated || body.len() < answer.body.len(),
            sealed_by,
        ])?;
        Ok(())
    }
}
