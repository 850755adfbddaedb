//! A store whose settings and audit log can be away, or never answer, and which counts what it is asked.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
pub(crate) struct Store {
    pub(crate) inner: Memory,
    /// Whether every call fails.
    pub(crate) away: AtomicBool,
    /// Whether settings are never answered.
    pub(crate) silent: AtomicBool,
    /// How often settings were read.
    pub(crate) reads: AtomicUsize,
    /// How often somebody tried to write a record.
    pub(crate) records: AtomicUsize,
}

impl Store {
    pub(crate) fn is_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn answer<'a, T: Send + 'a>(&self, answer: Answering<'a, T>) -> Answering<'a, T> {
        if !self.away.load(Ordering::SeqCst) {
            return answer;
        }
        let source = Arc::new(std::io::Error::other("it is away"));
        Box::pin(async { Err(StoreError::Unavailable { doing: "testing", source }) })
    }
}

impl Settings for Store {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.silent.load(Ordering::SeqCst) {
            return Box::pin(pending());
        }
        let settings = self.answer(self.inner.settings());
        // As with a real store, others have their turn meanwhile.
        Box::pin(async {
            tokio::task::yield_now().await;
            settings.await
        })
    }

    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting> {
        self.answer(self.inner.change_setting(name, value, seen, by, now))
    }
}

impl Audit for Store {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.records.fetch_add(1, Ordering::SeqCst);
        self.answer(self.inner.record(entry))
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.answer(self.inner.records(query))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.answer(self.inner.purge_records(before, limit))
    }
}

impl Leases for Store {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.inner.acquire(name, holder, lasts, now)
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

impl Letters for Store {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        self.answer(self.inner.insert(draft))
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
        self.inner.settle(id, settlement, now)
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
