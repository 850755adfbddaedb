//! The audit log, settings and leases beside a naive twin.

use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;

use crate::audit::{AuditEntry, AuditQuery, By};
use crate::error::StoreError;
use crate::leases::{Acquired, Lease};
use crate::letters::{LetterId, Letters};
use crate::settings::Setting;

/// Something that is done to a setting, a lease or the audit log, with small numbers in place of names.
#[derive(Clone, Copy, Debug)]
pub enum Governing {
    /// Changes a setting.
    Set {
        /// Which.
        name: u8,
        /// At which revision it was seen.
        seen: u8,
    },
    /// Asks for a lease.
    Acquire {
        /// Which.
        name: u8,
        /// For how many milliseconds.
        lasts: u16,
    },
    /// Renews one of the leases that were had so far, whether or not it still counts.
    Renew {
        /// Which of them.
        lease: u8,
        /// For how many milliseconds.
        lasts: u16,
    },
    /// Gives one of the leases that were had so far back, whether or not it still counts.
    Release {
        /// Which of them.
        lease: u8,
    },
    /// Removes audit records.
    Purge {
        /// From before this many milliseconds ago.
        older_than: u16,
    },
}

#[derive(Debug, Default)]
pub(super) struct Desk {
    records: Vec<AuditEntry>,
    settings: Vec<Setting>,
    /// Every lease that was had, and whether it was given back; of one name only the last counts.
    leases: Vec<(Lease, bool)>,
}

impl Desk {
    /// An operator's act on a letter.
    pub(super) fn acted(
        &mut self,
        id: LetterId,
        event: Event,
        lives: (&Life, &Life),
        at: WallTime,
    ) {
        let action = match event {
            Event::Requeue => "letter.requeue",
            Event::Hasten => "letter.hasten",
            Event::SetAside => "letter.set_aside",
            Event::Discard => "letter.discard",
            _ => return,
        };
        self.records.push(AuditEntry {
            actor: "system".to_owned(),
            action: action.to_owned(),
            subject: format!("letter/{id}"),
            reason: String::new(),
            before: Some(lives.0.status.to_string()),
            after: Some(lives.1.status.to_string()),
            at,
        });
    }

    pub(super) async fn check(
        &mut self,
        letters: &dyn Letters,
        governing: Governing,
        now: WallTime,
    ) {
        let after = |millis: u16| Duration::from_millis(millis.into());
        match governing {
            Governing::Set { name, seen } => {
                self.set(letters, name.to_string(), seen.into(), now).await;
            }
            Governing::Acquire { name, lasts } => {
                self.acquire(letters, name.to_string(), after(lasts), now).await;
            }
            Governing::Renew { lease, lasts } => {
                let Some((index, held)) = self.pick(lease) else { return };
                let until = now + after(lasts);
                let answer = letters.renew(held.name.clone(), held.fence, after(lasts), now).await;
                assert_eq!(answer.is_ok(), self.counts(index), "{answer:?}");
                if let Ok(lease) = answer {
                    self.leases[index].0.until = until;
                    assert_eq!(lease, self.leases[index].0);
                }
            }
            Governing::Release { lease } => {
                let Some((index, held)) = self.pick(lease) else { return };
                let answer = letters.release(held.name.clone(), held.fence).await;
                assert_eq!(answer.is_ok(), self.counts(index), "{answer:?}");
                self.leases[index].1 |= answer.is_ok();
            }
            Governing::Purge { older_than } => {
                let before = now - after(older_than);
                let there = self.records.len();
                self.records.retain(|record| record.at >= before);
                let purged = letters.purge_records(before, usize::MAX).await.unwrap();
                assert_eq!(purged, (there - self.records.len()) as u64);
            }
        }
    }

    async fn set(&mut self, letters: &dyn Letters, name: String, seen: u64, now: WallTime) {
        let before = self.settings.iter().position(|setting| setting.name == name);
        let current = before.map_or(0, |index| self.settings[index].revision);
        let value = format!("{name} {seen}");
        let by = By::new("ops", "because");
        let answer = letters.change_setting(name.clone(), value.clone(), seen, by, now).await;
        if current != seen {
            assert!(
                matches!(answer, Err(StoreError::Outdated { current: is, .. }) if is == current),
                "{answer:?}"
            );
            return;
        }
        let after = answer.unwrap();
        assert_eq!((&after.name, &after.value, after.revision), (&name, &value, seen + 1));
        let before = before.map(|index| self.settings.remove(index).value);
        self.settings.push(after);
        self.records.push(AuditEntry {
            actor: "ops".to_owned(),
            action: "setting.change".to_owned(),
            subject: format!("setting/{name}"),
            reason: "because".to_owned(),
            before,
            after: Some(value),
            at: now,
        });
    }

    async fn acquire(
        &mut self,
        letters: &dyn Letters,
        name: String,
        lasts: Duration,
        now: WallTime,
    ) {
        let last = self.leases.iter().rfind(|(lease, _)| lease.name == name);
        let holder = self.leases.len().to_string();
        match letters.acquire(name, holder.clone(), lasts, now).await.unwrap() {
            Acquired::Taken(lease) => {
                let held = last.filter(|(held, released)| !released && held.until > now);
                assert_eq!(held.map(|(held, _)| held), Some(&lease));
            }
            Acquired::Mine(lease) => {
                assert!(last.is_none_or(|(held, released)| *released || held.until <= now));
                assert!(last.is_none_or(|(held, _)| held.fence < lease.fence));
                assert_eq!((&lease.holder, lease.until), (&holder, now + lasts));
                self.leases.push((lease, false));
            }
        }
    }

    fn pick(&self, which: u8) -> Option<(usize, Lease)> {
        let index = usize::from(which) % self.leases.len().max(1);
        Some((index, self.leases.get(index)?.0.clone()))
    }

    /// Whether the lease was not given back and nobody else has had it since.
    fn counts(&self, index: usize) -> bool {
        let (lease, released) = &self.leases[index];
        !released && !self.leases[index + 1..].iter().any(|(later, _)| later.name == lease.name)
    }

    pub(super) async fn compare(&self, letters: &dyn Letters) {
        let all = AuditQuery { limit: 1_000, ..AuditQuery::default() };
        let records = letters.records(all).await.unwrap();
        let entries: Vec<_> = records.into_iter().map(|record| record.entry).collect();
        // Time never goes back here, so that the newest are the last.
        assert_eq!(entries, self.records.iter().rev().cloned().collect::<Vec<_>>());
        let mut settings = self.settings.clone();
        settings.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(letters.settings().await.unwrap(), settings);
    }
}
