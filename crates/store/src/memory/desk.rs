//! What the store in memory keeps beside letters: the audit log, settings and leases.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::time::WallTime;

use crate::audit::{AuditEntry, AuditId, AuditQuery, AuditRecord, By};
use crate::change;
use crate::error::StoreError;
use crate::leases::{Acquired, Lease};
use crate::settings::Setting;

#[derive(Debug, Default)]
pub(super) struct Desk {
    records: Vec<AuditRecord>,
    last_record: i64,
    settings: BTreeMap<String, Setting>,
    leases: BTreeMap<String, Held>,
}

/// A lease that somebody had at least once.
#[derive(Debug)]
struct Held {
    lease: Lease,
    released: bool,
}

impl Desk {
    pub(super) fn record(&mut self, entry: AuditEntry) -> AuditId {
        self.last_record += 1;
        let id = AuditId(self.last_record);
        self.records.push(AuditRecord { id, entry });
        id
    }

    pub(super) fn records(&self, query: &AuditQuery) -> Vec<AuditRecord> {
        let place = |record: &AuditRecord| (record.entry.at, record.id);
        let mut found: Vec<_> =
            self.records.iter().filter(|record| wanted(query, &record.entry)).collect();
        found.sort_by_key(|record| std::cmp::Reverse(place(record)));
        let after = query.after.map(|id| self.records.iter().find(|record| record.id == id));
        let later = |record: &&&AuditRecord| match after {
            None => true,
            Some(last) => last.is_some_and(|last| place(record) < place(last)),
        };
        found.iter().filter(later).take(query.limit).map(|record| (*record).clone()).collect()
    }

    pub(super) fn purge_records(&mut self, before: WallTime, limit: usize) -> u64 {
        let mut old: Vec<_> = self
            .records
            .iter()
            .filter(|record| record.entry.at < before)
            .map(|record| (record.entry.at, record.id))
            .collect();
        old.sort_unstable();
        old.truncate(limit);
        self.records.retain(|record| !old.contains(&(record.entry.at, record.id)));
        old.len() as u64
    }

    pub(super) fn settings(&self) -> Vec<Setting> {
        self.settings.values().cloned().collect()
    }

    pub(super) fn change_setting(
        &mut self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Result<Setting, StoreError> {
        let before = self.settings.get(&name);
        let current = before.map_or(0, |setting| setting.revision);
        if current != seen {
            return Err(StoreError::Outdated { name, seen, current });
        }
        let By { actor, reason } = by;
        let after = Setting { name, value, revision: seen + 1, actor, reason, at: now };
        let entry = change::audit_of_setting(before, &after);
        self.record(entry);
        self.settings.insert(after.name.clone(), after.clone());
        Ok(after)
    }

    pub(super) fn acquire(
        &mut self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Acquired {
        let before = self.leases.get(&name);
        if let Some(held) = before
            && !held.released
            && held.lease.until > now
        {
            return Acquired::Taken(held.lease.clone());
        }
        let fence = before.map_or(0, |held| held.lease.fence) + 1;
        let lease = Lease { name: name.clone(), holder, fence, until: now + lasts };
        self.leases.insert(name, Held { lease: lease.clone(), released: false });
        Acquired::Mine(lease)
    }

    pub(super) fn renew(
        &mut self,
        name: String,
        fence: u64,
        until: WallTime,
    ) -> Result<Lease, StoreError> {
        let held = self.held(name, fence)?;
        held.lease.until = until;
        Ok(held.lease.clone())
    }

    pub(super) fn release(&mut self, name: String, fence: u64) -> Result<(), StoreError> {
        self.held(name, fence)?.released = true;
        Ok(())
    }

    fn held(&mut self, name: String, fence: u64) -> Result<&mut Held, StoreError> {
        let mine = |held: &&mut Held| held.lease.fence == fence && !held.released;
        let held = self.leases.get_mut(&name).filter(mine);
        held.ok_or(StoreError::LeaseLost { name, fence })
    }
}

fn wanted(query: &AuditQuery, entry: &AuditEntry) -> bool {
    query.actor.as_ref().is_none_or(|actor| *actor == entry.actor)
        && query.action.as_ref().is_none_or(|action| *action == entry.action)
        && query.subject.as_ref().is_none_or(|subject| *subject == entry.subject)
        && query.since.is_none_or(|since| since <= entry.at)
        && query.until.is_none_or(|until| entry.at < until)
}
