//! The letters themselves, looked through from end to end for every question.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Status};
use fuseboard_core::time::WallTime;

use super::MemoryOptions;
use crate::change::{self, Change, LastError};
use crate::error::{FullReason, StoreError};
use crate::letters::{
    Counts, Draft, HISTORY_KEPT, HistoryEntry, Inserted, Letter, LetterId, LetterSummary, Query,
    Settlement, Token,
};

#[derive(Debug)]
pub(super) struct Shelf {
    options: MemoryOptions,
    letters: BTreeMap<LetterId, Kept>,
    last_id: i64,
    /// Per circuit, letters that were purged.
    purged: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Kept {
    letter: Letter,
    history: VecDeque<HistoryEntry>,
}

impl Kept {
    fn apply(&mut self, change: Change, now: WallTime) -> Life {
        self.letter.life = change.life;
        self.letter.updated_at = now;
        match change.last_error {
            LastError::Keep => {}
            LastError::Clear => self.letter.last_error = None,
            LastError::Set(error) => self.letter.last_error = Some(error),
        }
        for what in change.entries {
            self.remember(now, what);
        }
        change.life
    }

    fn remember(&mut self, at: WallTime, what: String) {
        self.history.push_back(HistoryEntry { at, what, fence: self.letter.life.fence });
        if self.history.len() > HISTORY_KEPT {
            self.history.pop_front();
        }
    }
}

impl Shelf {
    pub(super) fn new(options: MemoryOptions) -> Self {
        Shelf { options, letters: BTreeMap::new(), last_id: 0, purged: BTreeMap::new() }
    }

    pub(super) fn insert(&mut self, draft: Draft) -> Result<Inserted, StoreError> {
        if let Some(letter) = self.letters().find(|letter| has_key_of(letter, &draft)) {
            if letter.body == draft.body {
                return Ok(Inserted::Same(letter.id, letter.token, letter.life.status));
            }
            let existing = letter.id;
            let Draft { circuit, key, .. } = draft;
            return Err(StoreError::KeyReused { circuit, key, existing });
        }
        let live = self.letters().filter(|letter| !letter.life.status.is_final()).count();
        if let Some(letters) = self.options.capacity
            && live as u64 >= letters
        {
            return Err(StoreError::Full { reason: FullReason::Capacity { letters } });
        }
        if self.by_token(draft.token).is_some() {
            return Err(StoreError::TokenTaken);
        }
        self.last_id += 1;
        let (id, token) = (LetterId(self.last_id), draft.token);
        let mut kept = Kept { letter: letter_of(id, draft), history: VecDeque::new() };
        kept.remember(kept.letter.captured_at, "captured".to_owned());
        self.letters.insert(id, kept);
        Ok(Inserted::New(id, token))
    }

    pub(super) fn claim(
        &mut self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Vec<Letter> {
        let mut due: Vec<_> = self
            .letters()
            .filter(|letter| letter.circuit == circuit)
            .filter(|letter| claimable_at(&letter.life).is_some_and(|at| at <= now))
            .map(|letter| (letter.life.not_before, letter.id))
            .collect();
        due.sort_unstable();
        let mut claimed = Vec::new();
        for (_, id) in due {
            if claimed.len() == limit {
                break;
            }
            let Some(kept) = self.letters.get_mut(&id) else { continue };
            let change = change::claim(&kept.letter.life, lease, now, &self.options.rules);
            if let Ok(change) = change
                && kept.apply(change, now).lease_until.is_some()
            {
                claimed.push(kept.letter.clone());
            }
        }
        claimed
    }

    pub(super) fn settle(
        &mut self,
        id: LetterId,
        settlement: Settlement,
        now: WallTime,
    ) -> Result<Life, StoreError> {
        let kept = self.letters.get_mut(&id).ok_or(StoreError::NotFound)?;
        let change = change::settle(&kept.letter.life, &settlement, now, &self.options.rules)?;
        if settlement.answer.is_some() {
            kept.letter.answer = settlement.answer;
        }
        Ok(kept.apply(change, now))
    }

    pub(super) fn act(
        &mut self,
        id: LetterId,
        event: Event,
        note: &str,
        now: WallTime,
    ) -> Result<Life, StoreError> {
        let kept = self.letters.get_mut(&id).ok_or(StoreError::NotFound)?;
        let change = change::act(&kept.letter.life, event, note, now, &self.options.rules)?;
        Ok(kept.apply(change, now))
    }

    pub(super) fn get(&self, id: LetterId) -> Option<Letter> {
        self.letters.get(&id).map(|kept| kept.letter.clone())
    }

    pub(super) fn by_token(&self, token: Token) -> Option<Letter> {
        self.letters().find(|letter| letter.token == token).cloned()
    }

    pub(super) fn history(&self, id: LetterId) -> Vec<HistoryEntry> {
        let kept = self.letters.get(&id);
        kept.map(|kept| kept.history.iter().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn list(&self, query: &Query) -> Vec<LetterSummary> {
        let wanted = |letter: &&Letter| {
            query.circuit.as_ref().is_none_or(|circuit| *circuit == letter.circuit)
                && query.status.is_none_or(|status| status == letter.life.status)
                && query.domain.as_ref().is_none_or(|domain| *domain == letter.domain)
                && query.after.is_none_or(|after| after < letter.id)
        };
        self.letters().filter(wanted).take(query.limit).map(summary_of).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (circuit, purged) in &self.purged {
            let circuit = counts.circuits.entry(circuit.clone()).or_default();
            circuit.purged = *purged;
            circuit.captured = *purged;
        }
        for letter in self.letters() {
            let circuit = counts.circuits.entry(letter.circuit.clone()).or_default();
            circuit.captured += 1;
            *circuit.by_status.entry(letter.life.status).or_default() += 1;
            if letter.life.status == Status::Pending {
                circuit.oldest_pending.get_or_insert(letter.captured_at);
            }
        }
        counts.captured = counts.circuits.values().map(|circuit| circuit.captured).sum();
        counts.purged = counts.circuits.values().map(|circuit| circuit.purged).sum();
        counts
    }

    pub(super) fn next_due(&self, circuit: &str) -> Option<WallTime> {
        let here = self.letters().filter(|letter| letter.circuit == circuit);
        here.filter_map(|letter| claimable_at(&letter.life)).min()
    }

    /// The circuits of letters that wait or are being replayed, once for each letter.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        let waiting = self.letters().filter(|letter| claimable_at(&letter.life).is_some());
        waiting.map(|letter| letter.circuit.as_str())
    }

    pub(super) fn purge(&mut self, finished_before: WallTime, limit: usize) -> u64 {
        let mut finished: Vec<_> = self
            .letters()
            .filter(|letter| letter.life.status.is_final() && letter.updated_at < finished_before)
            .map(|letter| (letter.updated_at, letter.id))
            .collect();
        finished.sort_unstable();
        finished.truncate(limit);
        for (_, id) in &finished {
            if let Some(kept) = self.letters.remove(id) {
                *self.purged.entry(kept.letter.circuit).or_default() += 1;
            }
        }
        finished.len() as u64
    }

    fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.letters.values().map(|kept| &kept.letter)
    }
}

/// When somebody may next claim a letter with this life, if ever.
fn claimable_at(life: &Life) -> Option<WallTime> {
    match life.status {
        Status::Pending => Some(life.not_before),
        Status::Replaying => life.lease_until,
        _ => None,
    }
}

fn has_key_of(letter: &Letter, draft: &Draft) -> bool {
    !matches!(letter.life.status, Status::Discarded | Status::Expired)
        && letter.circuit == draft.circuit
        && letter.method == draft.method
        && letter.uri == draft.uri
        && letter.key == draft.key
        && letter.scope == draft.scope
}

fn letter_of(id: LetterId, draft: Draft) -> Letter {
    Letter {
        id,
        token: draft.token,
        circuit: draft.circuit,
        domain: draft.domain,
        failure: draft.failure,
        method: draft.method,
        uri: draft.uri,
        headers: draft.headers,
        content_type: draft.content_type,
        body: draft.body,
        key: draft.key,
        scope: draft.scope,
        order_key: draft.order_key,
        life: draft.life,
        captured_at: draft.captured_at,
        answer: None,
        last_error: None,
        updated_at: draft.captured_at,
    }
}

fn summary_of(letter: &Letter) -> LetterSummary {
    LetterSummary {
        id: letter.id,
        token: letter.token,
        circuit: letter.circuit.clone(),
        domain: letter.domain.clone(),
        failure: letter.failure.clone(),
        method: letter.method.clone(),
        uri: letter.uri.clone(),
        content_type: letter.content_type.clone(),
        body_length: letter.body.len() as u64,
        key: letter.key.clone(),
        order_key: letter.order_key.clone(),
        life: letter.life,
        captured_at: letter.captured_at,
        answer_status: letter.answer.as_ref().map(|answer| answer.status),
        last_error: letter.last_error.clone(),
        updated_at: letter.updated_at,
    }
}
