//! A store that fails to settle letters, or to give out rows, as often as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Acquired, Answering, Audit, AuditEntry, AuditId, AuditQuery, AuditRecord, Blocker, By,
    ClaimFilter, Counts, Draft, HistoryEntry, Inserted, Late, Lease, Leases, Letter, LetterId,
    LetterSummary, Letters, Memory, Priority, Query, Setting, Settings, Settlement, StoreError,
    Token,
};

#[derive(Debug, Default)]
pub(crate) struct Faulty {
    pub(crate) inner: Memory,
    /// How many more calls of `settle` fail.
    pub(crate) settles: AtomicUsize,
    /// How many more calls of `acquire` fail.
    pub(crate) leases: AtomicUsize,
}

impl Faulty {
    fn fails<'a, T: Send + 'a>(left: &AtomicUsize) -> Option<Answering<'a, T>> {
        let fewer = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).ok()?;
        let source = Arc::new(std::io::Error::other("it is away"));
        Some(Box::pin(async { Err(StoreError::Unavailable { doing: "testing", source }) }))
    }
}

impl Settings for Faulty {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.inner.settings()
    }

    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting> {
        self.inner.change_setting(name, value, seen, by, now)
    }
}

impl Audit for Faulty {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.inner.record(entry)
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.inner.records(query)
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.inner.purge_records(before, limit)
    }
}

impl Leases for Faulty {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        match Faulty::fails(&self.leases) {
            Some(error) => error,
            None => self.inner.acquire(name, holder, lasts, now),
        }
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.inner.renew(name, fence, lasts, now)
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.inner.release(name, fence)
    }
}

impl Letters for Faulty {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        self.inner.insert(draft)
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        self.inner.import(letter, note, now)
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.inner.claim(circuit, limit, lease, now)
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.inner.claim_by(filter, lease, now)
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        match Faulty::fails(&self.settles) {
            Some(error) => error,
            None => self.inner.settle(id, settlement, now),
        }
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        self.inner.act(id, event, by, now)
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        self.inner.get(id)
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        self.inner.by_token(token)
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.inner.history(id)
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        self.inner.list(query)
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        self.inner.export(query)
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.inner.counts()
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.inner.late(now)
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.inner.raise_late(to, now, limit)
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        self.inner.next_due(circuit)
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        self.inner.first_in_line(circuit, order_key)
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.inner.circuits_with_letters()
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.inner.purge(finished_before, limit)
    }

    fn close(&self) -> Answering<'_, ()> {
        self.inner.close()
    }
}
