//! A store over another, which asks somebody before it makes a call, and tells what became of those that move a letter.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Acquired, Answering, Audit, AuditEntry, AuditId, AuditQuery, AuditRecord, Blocker, By,
    ClaimFilter, Counts, Draft, HistoryEntry, Inserted, Late, Lease, Leases, Letter, LetterId,
    LetterSummary, Letters, Priority, Query, Setting, Settings, Settlement, StoreError, Token,
};

/// Who is asked, and told.
pub(crate) trait Hook: fmt::Debug + Send + Sync + 'static {
    /// What a call comes to: as it stands, what `make` comes to.
    fn around<'a, T: Send + 'a>(
        &'a self,
        make: impl FnOnce() -> Answering<'a, T>,
    ) -> Answering<'a, T> {
        make()
    }

    /// The store beneath has kept this letter.
    fn inserted(&self, _letter: Inserted) {}

    /// The store beneath has given these letters away.
    fn claimed(&self, _letters: &[Letter]) {}

    /// What the store beneath made of the end of a claim.
    fn settled(&self, _id: LetterId, _event: Event, _result: &Result<Life, StoreError>) {}
}

#[derive(Debug)]
pub(crate) struct StoreOver<H> {
    pub(crate) inner: Arc<dyn Letters>,
    pub(crate) hook: H,
}

impl<H: Hook> Settings for StoreOver<H> {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.hook.around(|| self.inner.settings())
    }

    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting> {
        self.hook.around(|| self.inner.change_setting(name, value, seen, by, now))
    }
}

impl<H: Hook> Audit for StoreOver<H> {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.hook.around(|| self.inner.record(entry))
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.hook.around(|| self.inner.records(query))
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.hook.around(|| self.inner.purge_records(before, limit))
    }
}

impl<H: Hook> Leases for StoreOver<H> {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.hook.around(|| self.inner.acquire(name, holder, lasts, now))
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.hook.around(|| self.inner.renew(name, fence, lasts, now))
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.hook.around(|| self.inner.release(name, fence))
    }
}

impl<H: Hook> Letters for StoreOver<H> {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        self.hook.around(|| {
            let inserting = self.inner.insert(draft);
            Box::pin(async { inserting.await.inspect(|letter| self.hook.inserted(*letter)) })
        })
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        self.hook.around(|| self.inner.import(letter, note, now))
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.hook.around(|| {
            let claiming = self.inner.claim(circuit, limit, lease, now);
            Box::pin(async { claiming.await.inspect(|letters| self.hook.claimed(letters)) })
        })
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.hook.around(|| {
            let claiming = self.inner.claim_by(filter, lease, now);
            Box::pin(async { claiming.await.inspect(|letters| self.hook.claimed(letters)) })
        })
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        self.hook.around(|| {
            let event = settlement.event;
            let settling = self.inner.settle(id, settlement, now);
            Box::pin(async move {
                let result = settling.await;
                self.hook.settled(id, event, &result);
                result
            })
        })
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        self.hook.around(|| self.inner.act(id, event, by, now))
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        self.hook.around(|| self.inner.get(id))
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        self.hook.around(|| self.inner.by_token(token))
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.hook.around(|| self.inner.history(id))
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        self.hook.around(|| self.inner.list(query))
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        self.hook.around(|| self.inner.export(query))
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.hook.around(|| self.inner.counts())
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.hook.around(|| self.inner.late(now))
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.hook.around(|| self.inner.raise_late(to, now, limit))
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        self.hook.around(|| self.inner.next_due(circuit))
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        self.hook.around(|| self.inner.first_in_line(circuit, order_key))
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.hook.around(|| self.inner.circuits_with_letters())
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.hook.around(|| self.inner.purge(finished_before, limit))
    }

    fn close(&self) -> Answering<'_, ()> {
        self.hook.around(|| self.inner.close())
    }
}
