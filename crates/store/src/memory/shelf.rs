//! The letters themselves, looked through from end to end for every question.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Status};
use fuseboard_core::time::WallTime;

use super::MemoryOptions;
use super::desk::Desk;
use super::line::Lines;
use crate::audit::By;
use crate::change::{self, Change, LastError};
use crate::error::{FullReason, StoreError};
use crate::letters::{
    ClaimFilter, ClaimOrder, Counts, Draft, HISTORY_KEPT, HistoryEntry, Import, Inserted, Late,
    Letter, LetterId, LetterSummary, Priority, Query, Settlement, Token,
};

#[derive(Debug)]
pub(super) struct Shelf {
    options: MemoryOptions,
    letters: BTreeMap<LetterId, Kept>,
    last_id: i64,
    /// Per circuit, letters that were purged.
    purged: BTreeMap<String, u64>,
    pub(super) desk: Desk,
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
        Shelf {
            options,
            letters: BTreeMap::new(),
            last_id: 0,
            purged: BTreeMap::new(),
            desk: Desk::default(),
        }
    }

    pub(super) fn insert(&mut self, draft: Draft) -> Result<Inserted, StoreError> {
        if let Some(letter) = self.holder_of_key(&draft) {
            if has_body_of(letter, &draft) {
                return Ok(Inserted::Same(letter.id, letter.token, letter.life.status));
            }
            let existing = letter.id;
            let Draft { circuit, key, .. } = draft;
            return Err(StoreError::KeyReused { circuit, key, existing });
        }
        self.find_room(&draft)?;
        let token = draft.token;
        let kept = self.keep(draft);
        kept.remember(kept.letter.captured_at, "captured".to_owned());
        Ok(Inserted::New(kept.letter.id, token))
    }

    pub(super) fn import(
        &mut self,
        letter: Letter,
        note: &str,
        now: WallTime,
    ) -> Result<LetterId, StoreError> {
        let Import { draft, answer, last_error, updated_at } = {
            let import = Import::from(letter);
            if import.has_its_key()
                && let Some(letter) = self.holder_of_key(&import.draft)
            {
                let existing = letter.id;
                let Draft { circuit, key, .. } = import.draft;
                return Err(StoreError::KeyTaken { circuit, key, existing });
            }
            import
        };
        self.find_room(&draft)?;
        let change = change::import(&draft.life, note, now, &self.options.rules)?;
        let kept = self.keep(draft);
        (kept.letter.answer, kept.letter.last_error) = (answer, last_error);
        kept.apply(change, now);
        kept.letter.updated_at = updated_at;
        Ok(kept.letter.id)
    }

    fn holder_of_key(&self, draft: &Draft) -> Option<&Letter> {
        self.letters().find(|letter| has_key_of(letter, draft))
    }

    fn find_room(&self, draft: &Draft) -> Result<(), StoreError> {
        let live = self.letters().filter(|letter| !letter.life.status.is_final()).count();
        if let Some(letters) = self.options.capacity
            && live as u64 >= letters
            && !draft.life.status.is_final()
        {
            return Err(StoreError::Full { reason: FullReason::Capacity { letters } });
        }
        if self.letters().any(|letter| letter.token == draft.token) {
            return Err(StoreError::TokenTaken);
        }
        Ok(())
    }

    fn keep(&mut self, draft: Draft) -> &mut Kept {
        self.last_id += 1;
        let id = LetterId(self.last_id);
        let kept = Kept { letter: letter_of(id, draft), history: VecDeque::new() };
        self.letters.entry(id).or_insert(kept)
    }

    pub(super) fn lines(&self) -> Lines {
        Lines::of(self.letters())
    }

    pub(super) fn claim(
        &mut self,
        filter: &ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Vec<Letter> {
        let lines = self.lines();
        let mut due: Vec<_> = self
            .letters()
            .filter(|letter| filter.wants(&letter.circuit, &letter.domain, &letter.failure))
            .filter(|letter| filter.id.is_none_or(|id| id == letter.id))
            .filter(|letter| claimable_at(&letter.life).is_some_and(|at| at <= now))
            .filter(|letter| lines.blocker(letter).is_none())
            .map(|letter| (rank(filter.order, letter.priority), letter.life.not_before, letter.id))
            .collect();
        due.sort_unstable();
        let mut claimed = Vec::new();
        for (_, _, id) in due {
            if claimed.len() == filter.limit {
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
        by: &By,
        now: WallTime,
    ) -> Result<Life, StoreError> {
        let kept = self.letters.get_mut(&id).ok_or(StoreError::NotFound)?;
        let before = kept.letter.life;
        let change = change::act(&before, event, by, now, &self.options.rules)?;
        let after = kept.apply(change, now);
        if let Some(entry) = change::audit_of_act(id, event, (&before, &after), by, now) {
            self.desk.record(entry);
        }
        Ok(after)
    }

    pub(super) fn get(&self, id: LetterId) -> Option<Letter> {
        self.letters.get(&id).map(|kept| shown(&kept.letter, &self.lines()))
    }

    pub(super) fn by_token(&self, token: Token) -> Option<Letter> {
        let found = self.letters().find(|letter| letter.token == token);
        found.map(|letter| shown(letter, &self.lines()))
    }

    pub(super) fn history(&self, id: LetterId) -> Vec<HistoryEntry> {
        let kept = self.letters.get(&id);
        kept.map(|kept| kept.history.iter().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn list(&self, query: &Query) -> Vec<LetterSummary> {
        self.export(query).into_iter().map(summary_of).collect()
    }

    pub(super) fn export(&self, query: &Query) -> Vec<Letter> {
        let lines = self.lines();
        let wanted = self.letters().filter(|letter| query.wants(letter)).take(query.limit);
        wanted.map(|letter| shown(letter, &lines)).collect()
    }

    pub(super) fn late(&self, now: WallTime) -> Vec<Late> {
        let mut late = BTreeMap::<_, u64>::new();
        for letter in self.letters().filter(|letter| is_late(letter, now)) {
            *late.entry((letter.circuit.clone(), letter.domain.clone())).or_default() += 1;
        }
        late.into_iter()
            .map(|((circuit, domain), letters)| Late { circuit, domain, letters })
            .collect()
    }

    pub(super) fn raise_late(&mut self, to: Priority, now: WallTime, limit: usize) -> u64 {
        let late = |kept: &&mut Kept| is_late(&kept.letter, now) && kept.letter.priority > to;
        let mut raised = 0;
        for kept in self.letters.values_mut().filter(late).take(limit) {
            kept.letter.priority = to;
            kept.letter.updated_at = now;
            kept.remember(now, change::raised(to));
            raised += 1;
        }
        raised
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
        let lines = self.lines();
        let here = self.letters().filter(|letter| letter.circuit == circuit);
        let free = here.filter(|letter| lines.blocker(letter).is_none());
        free.filter_map(|letter| claimable_at(&letter.life)).min()
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

fn rank(order: ClaimOrder, priority: Priority) -> u8 {
    match order {
        ClaimOrder::Due => 0,
        ClaimOrder::Priority => priority.rank(),
    }
}

fn is_late(letter: &Letter, now: WallTime) -> bool {
    !letter.life.status.is_final() && letter.sla_deadline.is_some_and(|deadline| deadline <= now)
}

/// The letter as it is shown: with what blocks it, which is not kept.
fn shown(letter: &Letter, lines: &Lines) -> Letter {
    Letter { blocked_by: lines.blocker(letter), ..letter.clone() }
}

fn has_body_of(letter: &Letter, draft: &Draft) -> bool {
    match (&letter.fingerprint, &draft.fingerprint) {
        (Some(here), Some(new)) => here == new,
        _ => letter.body == draft.body,
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
        priority: draft.priority,
        sla_deadline: draft.sla_deadline,
        sealed_by: draft.sealed_by,
        fingerprint: draft.fingerprint,
        life: draft.life,
        blocked_by: None,
        captured_at: draft.captured_at,
        answer: None,
        last_error: None,
        updated_at: draft.captured_at,
    }
}

fn summary_of(letter: Letter) -> LetterSummary {
    LetterSummary {
        id: letter.id,
        token: letter.token,
        circuit: letter.circuit,
        domain: letter.domain,
        failure: letter.failure,
        method: letter.method,
        uri: letter.uri,
        content_type: letter.content_type,
        body_length: letter.body.len() as u64,
        key: letter.key,
        order_key: letter.order_key,
        priority: letter.priority,
        sla_deadline: letter.sla_deadline,
        sealed_by: letter.sealed_by,
        life: letter.life,
        blocked_by: letter.blocked_by,
        captured_at: letter.captured_at,
        answer_status: letter.answer.map(|answer| answer.status),
        last_error: letter.last_error,
        updated_at: letter.updated_at,
    }
}
