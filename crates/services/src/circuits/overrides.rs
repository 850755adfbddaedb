//! The overrides that hold now, and how a circuit's rules are made to follow them.
//!
//! Rules are changed outside the lock, because that may call listeners, and those may ask the service. One thread at a time
//! does it for a circuit: what others want meanwhile it finds when it looks again, so that the last change holds whatever the
//! order in which threads get there, and rules that somebody else gave the circuit are told from ours.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuseboard_core::time::Moment;
use fuseboard_core::{CircuitBreaker, Rules};

use super::config::CircuitBreakerConfig;
use super::error::Invalid;
use super::thresholds::ThresholdOverride;

/// The overrides that hold now, by circuit.
pub(super) struct Overrides {
    entries: Mutex<Entries>,
    /// When the first of them ends, in nanoseconds, for those who come without the lock.
    first_end: AtomicU64,
}

type Entries = BTreeMap<String, Entry>;

struct Entry {
    /// The rules that come back.
    base: Arc<Rules>,
    /// What the circuit had after we last changed it; other rules are somebody else's.
    placed: Arc<Rules>,
    /// What holds; `None` while the rules are on their way back.
    active: Option<Active>,
    /// Whether a thread is changing the circuit's rules.
    busy: bool,
    /// Whether something changed since that thread last looked.
    changed: bool,
}

struct Active {
    numbers: ThresholdOverride,
    rules: Arc<Rules>,
    until: Moment,
}

impl Entry {
    /// Rules that somebody else gave the circuit are the ones to come back.
    fn notice(&mut self, present: Arc<Rules>) {
        if !Arc::ptr_eq(&present, &self.placed) {
            self.base = Arc::clone(&present);
            self.placed = present;
        }
    }

    /// The rules that the circuit should have.
    fn wanted(&self) -> &Arc<Rules> {
        self.active.as_ref().map_or(&self.base, |active| &active.rules)
    }
}

impl Default for Overrides {
    fn default() -> Self {
        let first_end = AtomicU64::new(Moment::FAR.as_nanos());
        Overrides { entries: Mutex::default(), first_end }
    }
}

impl Overrides {
    /// Makes an override hold until `until`; it takes the place of one that holds.
    pub(super) fn apply(
        &self,
        breaker: &CircuitBreaker,
        numbers: ThresholdOverride,
        config: &CircuitBreakerConfig,
        until: Moment,
    ) -> Result<(), Invalid> {
        let mut entries = self.lock();
        let name = breaker.name();
        let mut base = breaker.rules();
        if let Some(entry) = entries.get_mut(name) {
            if !entry.busy {
                entry.notice(base);
            }
            base = Arc::clone(&entry.base);
        }
        let rules = Arc::new(numbers.rules_over(&base, config)?);
        let entry = entries.entry(name.to_owned()).or_insert_with(|| {
            let placed = Arc::clone(&base);
            Entry { base, placed, active: None, busy: false, changed: false }
        });
        entry.active = Some(Active { numbers, rules, until });
        self.note_first_end(&entries);
        drop(entries);
        self.follow(breaker);
        Ok(())
    }

    /// Ends the override of that circuit, whose base rules come back. `None` if there is none.
    pub(super) fn end(&self, breaker: &CircuitBreaker) -> Option<ThresholdOverride> {
        let mut entries = self.lock();
        let ended = entries.get_mut(breaker.name())?.active.take()?;
        self.note_first_end(&entries);
        drop(entries);
        self.follow(breaker);
        Some(ended.numbers)
    }

    /// Takes the overrides that ended by `now`. Their circuits still have to [follow](Self::follow).
    pub(super) fn take_due(&self, now: Moment) -> Vec<(String, ThresholdOverride)> {
        if now.as_nanos() < self.first_end.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut entries = self.lock();
        let mut due = Vec::new();
        for (name, entry) in entries.iter_mut() {
            if let Some(ended) = entry.active.take_if(|active| active.until <= now) {
                due.push((name.clone(), ended.numbers));
            }
        }
        self.note_first_end(&entries);
        due
    }

    /// Makes the circuit's rules those that it should have, or leaves that to the thread that is at it.
    pub(super) fn follow(&self, breaker: &CircuitBreaker) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(breaker.name()) else { return };
        entry.changed = true;
        if entry.busy {
            return;
        }
        entry.busy = true;
        loop {
            let Some(entry) = entries.get_mut(breaker.name()).filter(|entry| entry.busy) else {
                return;
            };
            if !entry.changed {
                entry.busy = false;
                if entry.active.is_none() {
                    entries.remove(breaker.name());
                }
                return;
            }
            entry.changed = false;
            entry.notice(breaker.rules());
            let wanted = Arc::clone(entry.wanted());
            entry.placed = Arc::clone(&wanted);
            drop(entries);
            breaker.reconfigure(wanted);
            entries = self.lock();
        }
    }

    /// Forgets the override of a circuit that is gone.
    pub(super) fn forget(&self, name: &str) {
        let mut entries = self.lock();
        entries.remove(name);
        self.note_first_end(&entries);
    }

    /// The configuration of that circuit with its override, if there is one.
    pub(super) fn effective(
        &self,
        name: &str,
        config: &CircuitBreakerConfig,
    ) -> CircuitBreakerConfig {
        let entries = self.lock();
        match entries.get(name).and_then(|entry| entry.active.as_ref()) {
            Some(active) => active.numbers.over(config),
            None => config.clone(),
        }
    }

    fn note_first_end(&self, entries: &Entries) {
        let ends = entries.values().filter_map(|entry| Some(entry.active.as_ref()?.until));
        let first = ends.min().unwrap_or(Moment::FAR);
        self.first_end.store(first.as_nanos(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
