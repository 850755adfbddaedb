//! The tickets of calls that were allowed and not recorded yet: the memory behind the ticketless pair.
//!
//! Each circuit has its own shelf and lock. Tickets leave a shelf under its lock, but are settled or dropped after it:
//! either may call listeners, and those may ask the service again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use fuseboard_core::Ticket;
use fuseboard_core::time::Moment;

/// How long and how many calls wait for their record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// How long one that is no probe waits.
    pub(super) lease: Duration,
    /// How long a probe waits, which is what the breaker itself gives it.
    pub(super) probe_lease: Duration,
    /// How many of one circuit wait.
    pub(super) most: usize,
}

/// Calls that were allowed and not recorded yet, by circuit.
#[derive(Default)]
pub(super) struct OpenCalls {
    shelves: RwLock<BTreeMap<String, Arc<Mutex<Shelf>>>>,
    next: AtomicU64,
}

/// The calls of one circuit by their numbers, which grow with time.
///
/// Probes stand apart, because their leases may be longer: within each map the oldest lapses first.
#[derive(Default)]
struct Shelf {
    calls: BTreeMap<u64, Kept>,
    probes: BTreeMap<u64, Kept>,
}

struct Kept {
    ticket: Ticket,
    until: Moment,
}

impl OpenCalls {
    /// Keeps a ticket; the number is what [`take`](Self::take) knows it by.
    pub(super) fn keep(&self, name: &str, ticket: Ticket, now: Moment, room: Room) -> u64 {
        let shelf = self.shelf(name);
        let mut shelf_now = lock(&shelf);
        let mut gone = shelf_now.lapse(now);
        if shelf_now.len() >= room.most {
            gone.extend(shelf_now.oldest());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let probe = ticket.is_probe();
        let lease = if probe { room.probe_lease } else { room.lease };
        let kept = Kept { ticket, until: now + lease };
        shelf_now.of_kind(probe).insert(number, kept);
        drop(shelf_now);
        drop(gone);
        number
    }

    /// Takes the ticket of that number, or the oldest where no number is given; `None` if it is not here, or not any more.
    pub(super) fn take(&self, name: &str, number: Option<u64>, now: Moment) -> Option<Ticket> {
        let shelf = self.existing(name)?;
        let mut shelf_now = lock(&shelf);
        let gone = shelf_now.lapse(now);
        let ticket = match number {
            Some(number) => shelf_now.numbered(number),
            None => shelf_now.oldest(),
        };
        drop(shelf_now);
        drop(gone);
        ticket
    }

    /// Cancels what has waited for longer than its lease.
    pub(super) fn lapse(&self, now: Moment) {
        let shelves: Vec<_> = {
            let all = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
            all.values().cloned().collect()
        };
        for shelf in shelves {
            let gone = lock(&shelf).lapse(now);
            drop(gone);
        }
    }

    /// How many calls of that circuit wait at `now`.
    pub(super) fn count(&self, name: &str, now: Moment) -> usize {
        let Some(shelf) = self.existing(name) else { return 0 };
        let mut shelf_now = lock(&shelf);
        let gone = shelf_now.lapse(now);
        let count = shelf_now.len();
        drop(shelf_now);
        drop(gone);
        count
    }

    /// Cancels all calls of that circuit.
    pub(super) fn forget(&self, name: &str) {
        let mut all = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        let shelf = all.remove(name);
        drop(all);
        drop(shelf);
    }

    fn existing(&self, name: &str) -> Option<Arc<Mutex<Shelf>>> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn shelf(&self, name: &str) -> Arc<Mutex<Shelf>> {
        self.existing(name).unwrap_or_else(|| {
            let mut all = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(name.to_owned()).or_default())
        })
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    fn len(&self) -> usize {
        self.calls.len() + self.probes.len()
    }

    fn of_kind(&mut self, probe: bool) -> &mut BTreeMap<u64, Kept> {
        if probe { &mut self.probes } else { &mut self.calls }
    }

    fn numbered(&mut self, number: u64) -> Option<Ticket> {
        let kept = self.calls.remove(&number).or_else(|| self.probes.remove(&number))?;
        Some(kept.ticket)
    }

    fn oldest(&mut self) -> Option<Ticket> {
        let call = self.calls.first_key_value().map(|(number, _)| *number);
        let probe = self.probes.first_key_value().map(|(number, _)| *number);
        let number = [call, probe].into_iter().flatten().min()?;
        self.numbered(number)
    }

    /// Takes out what has waited for longer than its lease.
    fn lapse(&mut self, now: Moment) -> Vec<Ticket> {
        let mut gone = Vec::new();
        for map in [&mut self.calls, &mut self.probes] {
            while let Some(first) = map.first_entry().filter(|first| first.get().until <= now) {
                gone.push(first.remove().ticket);
            }
        }
        gone
    }
}
