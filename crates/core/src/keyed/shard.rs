//! One shard of the keys: which circuit is forgotten when another one needs its place, and which never is.

use std::ops::AddAssign;
use std::time::Duration;

use super::slots::{Entry, Queue, Slots};
use crate::breaker::{CircuitBreaker, Glance, Totals};
use crate::state::State;
use crate::time::Moment;

/// So many circuits of each queue are looked at, at most, to make room for one key.
const LOOKS: u32 = 8;

/// The keys of one shard, under its lock.
pub(super) struct Shard<K> {
    slots: Slots<K>,
    /// How many keys it may have.
    share: usize,
    idle_after: Option<Duration>,
    pub(super) counts: Counts,
}

/// What a shard has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// The totals of the circuits that were forgotten.
    pub(super) forgotten_totals: Totals,
    pub(super) forgotten: u64,
    pub(super) overflowed: u64,
    pub(super) examined: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.forgotten_totals += more.forgotten_totals;
        self.forgotten += more.forgotten;
        self.overflowed += more.overflowed;
        self.examined += more.examined;
    }
}

/// Circuits that were forgotten: to be dropped when the shard's lock is gone.
pub(super) type Gone<K> = Vec<Entry<K>>;

/// Whether there is room for one more key.
pub(super) enum Room {
    Yes,
    No,
    /// Perhaps: something ended in this circuit that it has not noticed. It must be told, without the shard's lock,
    /// because it will tell listeners.
    Lapsed(CircuitBreaker),
}

/// The search for one key's room. It goes on where it was interrupted.
pub(super) struct Search {
    stages: [Stage; 3],
    stage: usize,
}

/// What is left to be looked at of one queue.
struct Stage {
    queue: Queue,
    looks: u32,
    /// The first one that was looked at and stays: when it comes again, all have been looked at.
    first: Option<u32>,
}

impl Search {
    pub(super) fn new() -> Self {
        let stage = |queue| Stage { queue, looks: LOOKS, first: None };
        // What is parked may be clean by now.
        Search { stages: [Queue::Recent, Queue::Parked, Queue::Suspect].map(stage), stage: 0 }
    }

    /// What to look at next, and in which queue.
    fn next<K>(&mut self, slots: &Slots<K>) -> Option<(Queue, u32)> {
        while let Some(stage) = self.stages.get_mut(self.stage) {
            let at = slots.oldest(stage.queue).filter(|at| stage.first != Some(*at));
            if let (Some(at), 1..) = (at, stage.looks) {
                stage.looks -= 1;
                return Some((stage.queue, at));
            }
            self.stage += 1;
        }
        None
    }

    /// What was looked at last stays in its queue.
    fn stays(&mut self, at: u32) {
        if let Some(stage) = self.stages.get_mut(self.stage) {
            stage.first.get_or_insert(at);
        }
    }
}

/// What a circuit allows.
enum Verdict {
    /// Somebody has it.
    Held,
    /// It is open, half-open or pinned.
    NotClosed,
    /// As that, but that has ended.
    Lapsed,
    /// It is closed, and there are failures or slow calls in its window.
    Suspect,
    /// It knows nothing that matters.
    Clean,
}

impl Verdict {
    fn on(breaker: &CircuitBreaker, now: Moment) -> Self {
        // Its lock may be asked for only if nobody else can have it: then nobody waits for anybody under the shard's lock.
        if !breaker.is_alone() {
            return Verdict::Held;
        }
        match breaker.glance(now) {
            Glance { lapsed: true, .. } => Verdict::Lapsed,
            Glance { state: State::Closed, suspect: true, .. } => Verdict::Suspect,
            Glance { state: State::Closed, suspect: false, .. } => Verdict::Clean,
            _ => Verdict::NotClosed,
        }
    }
}

impl<K> Shard<K> {
    pub(super) fn new(share: usize, idle_after: Option<Duration>) -> Self {
        Shard { slots: Slots::new(), share, idle_after, counts: Counts::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The circuit of the key that `is` it, without using it.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<CircuitBreaker> {
        let entry = self.slots.get(self.slots.find(hash, is)?)?;
        Some(entry.breaker.clone())
    }

    /// The circuit of the key that `is` it. It is the one that was used last, from now on.
    pub(super) fn touch(
        &mut self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        now: Moment,
    ) -> Option<CircuitBreaker> {
        let at = self.slots.find(hash, is)?;
        self.slots.use_at(at, now);
        Some(self.slots.get(at)?.breaker.clone())
    }

    /// Adds a key that is not there. The caller has made room.
    pub(super) fn insert(&mut self, hash: u64, key: K, breaker: CircuitBreaker, now: Moment) {
        self.slots.insert(hash, key, breaker, now);
    }

    /// Forgets circuits that have not been used for too long, of each queue at most `most`.
    pub(super) fn sweep(&mut self, now: Moment, most: u32, gone: &mut Gone<K>) {
        let Some(idle_after) = self.idle_after else { return };
        for queue in [Queue::Recent, Queue::Suspect] {
            for _ in 0..most {
                let Some(at) = self.slots.oldest(queue) else { break };
                if self.slots.get(at).is_none_or(|entry| now.since(entry.used) < idle_after) {
                    break;
                }
                match self.examine(at, now) {
                    Verdict::Held => self.slots.use_at(at, now),
                    Verdict::NotClosed | Verdict::Lapsed => self.slots.move_to(at, Queue::Parked),
                    Verdict::Suspect | Verdict::Clean => self.forget(at, now, gone),
                }
            }
        }
    }

    /// Looks whether the circuit that has been parked for longest is closed again. Gives it if it has to be told first.
    pub(super) fn unpark(&mut self, now: Moment) -> Option<CircuitBreaker> {
        let at = self.slots.oldest(Queue::Parked)?;
        let verdict = self.examine(at, now);
        match verdict {
            Verdict::Held | Verdict::Suspect | Verdict::Clean => self.slots.use_at(at, now),
            Verdict::NotClosed | Verdict::Lapsed => self.slots.move_to(at, Queue::Parked),
        }
        let entry = self.slots.get(at)?;
        matches!(verdict, Verdict::Lapsed).then(|| entry.breaker.clone())
    }

    /// Makes room for one more key, unless the search finds nobody who can be forgotten.
    pub(super) fn make_room(
        &mut self,
        now: Moment,
        search: &mut Search,
        gone: &mut Gone<K>,
    ) -> Room {
        if self.len() < self.share {
            return Room::Yes;
        }
        while let Some((queue, at)) = search.next(&self.slots) {
            let moves_to = match self.examine(at, now) {
                Verdict::Lapsed => return self.lapsed(at),
                Verdict::Suspect if queue != Queue::Suspect => Queue::Suspect,
                Verdict::Suspect | Verdict::Clean => {
                    self.forget(at, now, gone);
                    return Room::Yes;
                }
                Verdict::NotClosed => Queue::Parked,
                Verdict::Held => {
                    self.slots.use_at(at, now);
                    Queue::Recent
                }
            };
            self.slots.move_to(at, moves_to);
            if moves_to == queue {
                search.stays(at);
            }
        }
        Room::No
    }

    /// Every circuit, as it is at `now`, and what the forgotten ones came to. Those that cannot be asked under the shard's
    /// lock are given instead.
    pub(super) fn survey(
        &self,
        now: Moment,
        mut each: impl FnMut(&CircuitBreaker, Glance),
    ) -> Vec<CircuitBreaker> {
        let mut others = Vec::new();
        for Entry { breaker, .. } in self.slots.iter() {
            let glance = breaker.is_alone().then(|| breaker.glance(now));
            match glance {
                Some(glance) if !glance.lapsed => each(breaker, glance),
                _ => others.push(breaker.clone()),
            }
        }
        others
    }

    /// The first circuit at or after a place, with its key, and the place after it.
    pub(super) fn clone_from_place(&self, at: u32) -> Option<(u32, K, CircuitBreaker)>
    where
        K: Clone,
    {
        let (at, entry) = self.slots.first_from(at)?;
        Some((at + 1, entry.key.clone(), entry.breaker.clone()))
    }

    /// The circuit of that name.
    pub(super) fn find_by_name(&self, name: &str) -> Option<CircuitBreaker> {
        let named = self.slots.iter().find(|entry| entry.breaker.name() == name);
        named.map(|entry| entry.breaker.clone())
    }

    fn examine(&mut self, at: u32, now: Moment) -> Verdict {
        self.counts.examined += 1;
        self.slots.get(at).map_or(Verdict::Held, |entry| Verdict::on(&entry.breaker, now))
    }

    fn lapsed(&self, at: u32) -> Room {
        self.slots.get(at).map_or(Room::No, |entry| Room::Lapsed(entry.breaker.clone()))
    }

    fn forget(&mut self, at: u32, now: Moment, gone: &mut Gone<K>) {
        if let Some(entry) = self.slots.remove(at) {
            self.counts.forgotten += 1;
            self.counts.forgotten_totals += entry.breaker.glance(now).totals;
            gone.push(entry);
        }
    }
}
