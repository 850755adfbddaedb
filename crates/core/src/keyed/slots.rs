//! Where circuits lie: each is found by its key's hash and stands in one of three queues, all at constant cost.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::breaker::CircuitBreaker;
use crate::time::Moment;

/// No slot.
const NONE: u32 = u32::MAX;

/// What a circuit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// To be looked at, the one that was used longest ago first.
    Recent,
    /// To be forgotten when nothing better is found: closed, with failures in its window.
    Suspect,
    /// To be closed again.
    Parked,
}

/// One key and its circuit.
pub(super) struct Entry<K> {
    pub(super) key: K,
    pub(super) breaker: CircuitBreaker,
    /// When it was last used, where that is asked for.
    pub(super) used: Moment,
    hash: u32,
    /// The next entry with the same hash.
    same: u32,
    newer: u32,
    older: u32,
}

enum Slot<K> {
    Taken(Entry<K>),
    /// Free, and before this free one.
    Free(u32),
}

#[derive(Clone, Copy)]
struct Ends {
    newest: u32,
    oldest: u32,
}

/// The entries of one shard.
pub(super) struct Slots<K> {
    /// The first entry of each hash, of which half is enough: keys are compared in any case, and memory is dear.
    index: HashMap<u32, u32, BuildHasherDefault<AsIs>>,
    slots: Vec<Slot<K>>,
    free: u32,
    len: usize,
    queues: [Ends; 3],
}

/// The hashes are secret and spread already, so they need no hashing.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only u32 are hashed, and those by write_u32");
    }

    fn write_u32(&mut self, hash: u32) {
        // The table goes by the highest bits as well as by the lowest.
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }
}

/// The half of a hash by which a shard finds its entries. The shard is found by the other half.
fn half(hash: u64) -> u32 {
    hash as u32
}

impl<K> Slots<K> {
    pub(super) fn new() -> Self {
        let (index, slots) = (HashMap::default(), Vec::new());
        let queues = [Ends { newest: NONE, oldest: NONE }; 3];
        Slots { index, slots, free: NONE, len: 0, queues }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The place of the entry with `hash` whose key `is` it.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<u32> {
        let mut at = *self.index.get(&half(hash))?;
        while let Some(entry) = self.get(at) {
            if is(&entry.key) {
                return Some(at);
            }
            at = entry.same;
        }
        None
    }

    /// The entry at `at`, if there is one.
    pub(super) fn get(&self, at: u32) -> Option<&Entry<K>> {
        match self.slots.get(at as usize)? {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut Entry<K>> {
        match self.slots.get_mut(at as usize)? {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    /// Every entry.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<K>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        })
    }

    /// The first entry at or after `at`, and its place.
    pub(super) fn first_from(&self, at: u32) -> Option<(u32, &Entry<K>)> {
        let length = u32::try_from(self.slots.len()).unwrap_or(NONE);
        (at..length).find_map(|at| Some((at, self.get(at)?)))
    }

    /// The entry that came into `queue` before all others.
    pub(super) fn oldest(&self, queue: Queue) -> Option<u32> {
        let oldest = self.queues[queue as usize].oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// Adds an entry that is not there yet, as the newest of the recent ones.
    pub(super) fn insert(&mut self, hash: u64, key: K, breaker: CircuitBreaker, used: Moment) {
        let at = self.free_slot();
        let hash = half(hash);
        let same = self.index.insert(hash, at).unwrap_or(NONE);
        let entry = Entry { key, breaker, used, hash, same, newer: NONE, older: NONE };
        self.slots[at as usize] = Slot::Taken(entry);
        self.len += 1;
        self.link(at, Queue::Recent);
    }

    /// Takes out the entry at `at`, if there is one.
    pub(super) fn remove(&mut self, at: u32) -> Option<Entry<K>> {
        self.unlink(at);
        let slot = self.slots.get_mut(at as usize)?;
        match std::mem::replace(slot, Slot::Free(self.free)) {
            Slot::Taken(entry) => {
                self.free = at;
                self.len -= 1;
                self.forget_hash(at, &entry);
                Some(entry)
            }
            free => {
                *slot = free;
                None
            }
        }
    }

    /// Makes the entry at `at` the newest of `queue`.
    pub(super) fn move_to(&mut self, at: u32, queue: Queue) {
        if self.queues[queue as usize].newest != at {
            self.unlink(at);
            self.link(at, queue);
        }
    }

    /// Makes the entry at `at` the newest of the recent ones, used at `now`.
    pub(super) fn use_at(&mut self, at: u32, now: Moment) {
        if let Some(entry) = self.get_mut(at) {
            entry.used = now;
        }
        self.move_to(at, Queue::Recent);
    }

    fn free_slot(&mut self) -> u32 {
        if let Some(Slot::Free(next)) = self.slots.get(self.free as usize) {
            return std::mem::replace(&mut self.free, *next);
        }
        if self.slots.len() == self.slots.capacity() {
            // Doubling would leave half of the memory unused at worst; a quarter more costs a few more moves.
            self.slots.reserve_exact((self.slots.len() / 4).max(8));
        }
        self.slots.push(Slot::Free(NONE));
        // A `Keyed` holds at most a million keys.
        self.slots.len() as u32 - 1
    }

    fn forget_hash(&mut self, at: u32, entry: &Entry<K>) {
        if self.index.get(&entry.hash) == Some(&at) {
            match entry.same {
                NONE => self.index.remove(&entry.hash),
                same => self.index.insert(entry.hash, same),
            };
            return;
        }
        let mut before = self.index.get(&entry.hash).copied().unwrap_or(NONE);
        while let Some(other) = self.get_mut(before) {
            if other.same == at {
                other.same = entry.same;
                return;
            }
            before = other.same;
        }
    }

    fn link(&mut self, at: u32, queue: Queue) {
        let older = std::mem::replace(&mut self.queues[queue as usize].newest, at);
        if let Some(entry) = self.get_mut(at) {
            (entry.older, entry.newer) = (older, NONE);
        }
        match self.get_mut(older) {
            Some(older) => older.newer = at,
            None => self.queues[queue as usize].oldest = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(Entry { newer, older, .. }) = self.get(at) else { return };
        let (newer, older) = (*newer, *older);
        if let Some(newer) = self.get_mut(newer) {
            newer.older = older;
        }
        if let Some(older) = self.get_mut(older) {
            older.newer = newer;
        }
        // An entry need not know its queue: only at an end of one does that matter, and ends are easy to see.
        for ends in &mut self.queues {
            if ends.newest == at {
                ends.newest = older;
            }
            if ends.oldest == at {
                ends.oldest = newer;
            }
        }
    }
}
