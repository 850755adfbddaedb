//! Letters for as long as the process lives: the same contract, but for `fsync`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Rules};
use fuseboard_core::time::WallTime;

use crate::audit::{Audit, AuditEntry, AuditId, AuditQuery, AuditRecord, By};
use crate::error::StoreError;
use crate::leases::{Acquired, Lease, Leases};
use crate::letters::{
    Answering, Blocker, ClaimFilter, Counts, Draft, HistoryEntry, Inserted, Late, Letter, LetterId,
    LetterSummary, Letters, Priority, Query, Settlement, Token,
};
use crate::settings::{Setting, Settings};

mod desk;
mod line;
mod shelf;

use shelf::Shelf;

/// How to make a [`Memory`] store.
#[derive(Clone, Debug, Default)]
pub struct MemoryOptions {
    /// How many letters may be pending, replaying or in review at once. Default: as many as fit.
    pub capacity: Option<u64>,
    /// The limits of a letter's life.
    pub rules: Rules,
}

/// Letters in memory: for tests, and for who does not need them to outlive the process.
///
/// Nothing here is fast with many letters.
#[derive(Debug)]
pub struct Memory {
    /// `None` once closed.
    shelf: Mutex<Option<Shelf>>,
}

impl Memory {
    /// An empty store.
    pub fn new(options: MemoryOptions) -> Self {
        Memory { shelf: Mutex::new(Some(Shelf::new(options))) }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Shelf>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Send>(
        &self,
        run: impl FnOnce(&mut Shelf) -> Result<T, StoreError> + Send + 'static,
    ) -> Answering<'_, T> {
        Box::pin(async move { run(self.locked().as_mut().ok_or_else(StoreError::closed)?) })
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new(MemoryOptions::default())
    }
}

impl Letters for Memory {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        self.answer(move |shelf| shelf.insert(draft))
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        self.answer(move |shelf| shelf.import(letter, &note, now))
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        let circuit = Some(circuit.to_owned());
        self.claim_by(ClaimFilter { circuit, limit, ..ClaimFilter::default() }, lease, now)
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.answer(move |shelf| Ok(shelf.claim(&filter, lease, now)))
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        self.answer(move |shelf| shelf.settle(id, settlement, now))
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        self.answer(move |shelf| shelf.act(id, event, &by, now))
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        self.answer(move |shelf| Ok(shelf.get(id)))
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        self.answer(move |shelf| Ok(shelf.by_token(token)))
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.answer(move |shelf| Ok(shelf.history(id)))
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        self.answer(move |shelf| Ok(shelf.list(&query)))
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        self.answer(move |shelf| Ok(shelf.export(&query)))
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.answer(|shelf| Ok(shelf.counts()))
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.answer(move |shelf| Ok(shelf.late(now)))
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.answer(move |shelf| Ok(shelf.raise_late(to, now, limit)))
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        let (circuit, order_key) = (circuit.to_owned(), order_key.to_owned());
        self.answer(move |shelf| Ok(shelf.lines().first(&circuit, &order_key)))
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        let circuit = circuit.to_owned();
        self.answer(move |shelf| Ok(shelf.next_due(&circuit)))
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.answer(|shelf| {
            let circuits: BTreeSet<_> = shelf.waiting().collect();
            Ok(circuits.into_iter().map(str::to_owned).collect())
        })
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.answer(move |shelf| Ok(shelf.purge(finished_before, limit)))
    }

    fn close(&self) -> Answering<'_, ()> {
        Box::pin(async move {
            *self.locked() = None;
            Ok(())
        })
    }
}

impl Audit for Memory {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.answer(move |shelf| Ok(shelf.desk.record(entry)))
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.answer(move |shelf| Ok(shelf.desk.records(&query)))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.answer(move |shelf| Ok(shelf.desk.purge_records(before, limit)))
    }
}

impl Settings for Memory {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.answer(|shelf| Ok(shelf.desk.settings()))
    }

    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting> {
        self.answer(move |shelf| shelf.desk.change_setting(name, value, seen, by, now))
    }
}

impl Leases for Memory {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.answer(move |shelf| Ok(shelf.desk.acquire(name, holder, lasts, now)))
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.answer(move |shelf| shelf.desk.renew(name, fence, now + lasts))
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.answer(move |shelf| shelf.desk.release(name, fence))
    }
}
