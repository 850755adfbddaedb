//! A store in memory that is in trouble as it is told to be: calls fail, or are never answered, and are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Acquired, Answering, Audit, AuditEntry, AuditId, AuditQuery, AuditRecord, Blocker, By,
    ClaimFilter, Counts, Draft, HistoryEntry, Inserted, Late, Lease, Leases, Letter, LetterId,
    LetterSummary, Letters, Memory, Priority, Query, Setting, Settings, Settlement, StoreError,
    Token,
};

/// The calls are named after the methods of the store.
#[derive(Debug, Default)]
pub(crate) struct TroubledStore {
    pub(crate) inner: Memory,
    /// Whether every call fails.
    away: AtomicBool,
    /// Whether settings are never answered.
    silent: AtomicBool,
    /// Calls that are never answered.
    hanging: Mutex<BTreeSet<&'static str>>,
    /// How many more of these calls fail.
    failing: Mutex<BTreeMap<&'static str, usize>>,
    asked: Mutex<BTreeMap<&'static str, usize>>,
}

impl TroubledStore {
    pub(crate) fn over(inner: Memory) -> Self {
        TroubledStore { inner, ..TroubledStore::default() }
    }

    /// So many of these calls will fail.
    pub(crate) fn failing(self, call: &'static str, times: usize) -> Self {
        self.failing.lock().unwrap().insert(call, times);
        self
    }

    /// None of these calls will be answered.
    pub(crate) fn hanging(self, call: &'static str) -> Self {
        self.hanging.lock().unwrap().insert(call);
        self
    }

    pub(crate) fn is_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn is_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// How often somebody called this, whatever came of it.
    pub(crate) fn asked(&self, call: &str) -> usize {
        self.asked.lock().unwrap().get(call).copied().unwrap_or_default()
    }
}

impl TroubledStore {
    fn fails(&self, call: &'static str) -> bool {
        *self.asked.lock().unwrap().entry(call).or_default() += 1;
        let mut failing = self.failing.lock().unwrap();
        let left = failing.get_mut(call).filter(|left| **left > 0);
        let fails = left.is_some() || self.away.load(Ordering::SeqCst);
        left.into_iter().for_each(|left| *left -= 1);
        fails
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        call: &'static str,
        ask: impl FnOnce(&'a Memory) -> Answering<'a, T>,
    ) -> Answering<'a, T> {
        if !self.fails(call) {
            return match self.hanging.lock().unwrap().contains(call) {
                true => Box::pin(pending()),
                false => ask(&self.inner),
            };
        }
        let source = Arc::new(std::io::Error::other("it is away"));
        Box::pin(async { Err(StoreError::Unavailable { doing: "testing", source }) })
    }
}

impl Settings for TroubledStore {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        let settings = self.ask("settings", |store| store.settings());
        if self.silent.load(Ordering::SeqCst) {
            return Box::pin(pending());
        }
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
        self.ask("change_setting", |store| store.change_setting(name, value, seen, by, now))
    }
}

impl Audit for TroubledStore {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.ask("record", |store| store.record(entry))
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.ask("records", |store| store.records(query))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.ask("purge_records", |store| store.purge_records(before, limit))
    }
}

impl Leases for TroubledStore {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.ask("acquire", |store| store.acquire(name, holder, lasts, now))
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.ask("renew", |store| store.renew(name, fence, lasts, now))
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.ask("release", |store| store.release(name, fence))
    }
}

impl Letters for TroubledStore {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        self.ask("insert", |store| store.insert(draft))
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        self.ask("import", |store| store.import(letter, note, now))
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.ask("claim", |store| store.claim(circuit, limit, lease, now))
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.ask("claim_by", |store| store.claim_by(filter, lease, now))
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        self.ask("settle", |store| store.settle(id, settlement, now))
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        self.ask("act", |store| store.act(id, event, by, now))
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        self.ask("get", |store| store.get(id))
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        self.ask("by_token", |store| store.by_token(token))
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.ask("history", |store| store.history(id))
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        self.ask("list", |store| store.list(query))
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        self.ask("export", |store| store.export(query))
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.ask("counts", |store| store.counts())
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.ask("late", |store| store.late(now))
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.ask("raise_late", |store| store.raise_late(to, now, limit))
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        self.ask("next_due", |store| store.next_due(circuit))
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        self.ask("first_in_line", |store| store.first_in_line(circuit, order_key))
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.ask("circuits_with_letters", |store| store.circuits_with_letters())
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.ask("purge", |store| store.purge(finished_before, limit))
    }

    fn close(&self) -> Answering<'_, ()> {
        self.ask("close", |store| store.close())
    }
}
